"""Disks that fill up, limits that are reached, places that cannot be written, and a process that is killed."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from greenroom import Runtime, activity, workflow
from greenroom.runtime.client import WorkflowHandle
from greenroom.runtime.model.errors import JournalError, JournalFullError, JournalInUseError
from greenroom.storage import Journal, check
from tests.runtime.rig import WAIT, python

MIB = 1 << 20

performed: list[int] = []


@activity.defn
def note(number: int) -> int:
    performed.append(number)
    return number


@workflow.defn
class Ledger:
    """Keeps what it is sent, and has an activity performed for each."""

    def __init__(self) -> None:
        self.noted: list[int] = []
        self.closing = False

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: self.closing and workflow.all_handlers_finished())
        return sorted(self.noted)

    @workflow.signal
    async def enter(self, number: int, ballast: bytes) -> None:
        self.noted.append(await workflow.execute_activity(note, number))

    @workflow.signal
    def close(self) -> None:
        self.closing = True


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    performed.clear()


def opened(path: Path, **options: Any) -> Runtime:
    return Runtime(path, workflows=[Ledger], activities=[note], **options)


@contextmanager
def small_disk(place: Path, size: int) -> Generator[None]:
    """A file system of its own; whoever may not mount one skips the test."""
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a file system needs rights that this user has not")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def file_size_limit(size: int) -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def fill(ledger: WorkflowHandle[Any], ballast: bytes) -> tuple[list[int], JournalError]:
    """Send until the journal refuses; gives what was acknowledged, and the refusal."""
    acknowledged: list[int] = []
    for number in range(10_000):
        try:
            ledger.signal(Ledger.enter, number, ballast).get(timeout=WAIT)
        except JournalError as error:
            return acknowledged, error
        acknowledged.append(number)
    raise AssertionError("it never filled up")


def assert_kept(ledger: WorkflowHandle[Any], acknowledged: list[int]) -> None:
    """Everything acknowledged is there, with the outcome of its activity, and more is taken."""
    ledger.signal(Ledger.enter, -1, b"").get(timeout=WAIT)
    ledger.signal(Ledger.close).get(timeout=WAIT)
    assert ledger.result().get(timeout=WAIT) == [-1, *acknowledged]
    assert sorted(performed) == [-1, *acknowledged]


def test_a_disk_that_fills_up_loses_nothing_and_works_again_when_there_is_room(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    with small_disk(place, 4 * MIB):
        stopper = place / "stopper"
        stopper.write_bytes(bytes(2 * MIB))
        with opened(place / "journal") as runtime:
            ledger = runtime.start_workflow(Ledger.run, id="ledger").get(timeout=WAIT)

            acknowledged, error = fill(ledger, bytes(20_000))
            again, _ = fill(ledger, bytes(200_000))
            stopper.unlink()

            assert isinstance(error, JournalFullError)
            assert "make room on its disk" in str(error)
            assert len(acknowledged) > 10
            assert again == []
            assert_kept(ledger, acknowledged)
        with opened(place / "journal") as runtime:
            assert runtime.get_workflow_handle("ledger").result().get(timeout=WAIT) == [-1, *acknowledged]
        journal = Journal.open(place / "journal", read_only=True)
        assert check(journal) == []
        journal.close()


def test_a_file_size_limit_loses_nothing_and_the_runtime_works_again_when_it_is_raised(tmp_path: Path) -> None:
    with opened(tmp_path / "journal") as runtime:
        ledger = runtime.start_workflow(Ledger.run, id="ledger").get(timeout=WAIT)
        with file_size_limit(MIB):
            acknowledged, error = fill(ledger, bytes(20_000))

        assert isinstance(error, JournalFullError)
        assert len(acknowledged) > 10
        assert_kept(ledger, acknowledged)


def test_a_map_that_may_not_grow_is_full_and_a_larger_limit_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with opened(path, map_size=MIB, max_map_size=MIB) as runtime:
        ledger = runtime.start_workflow(Ledger.run, id="ledger").get(timeout=WAIT)
        acknowledged, error = fill(ledger, bytes(20_000))
        assert isinstance(error, JournalFullError)
        assert "max_map_size" in str(error)

    # What ended when nothing could be written any more may be performed again.
    with opened(path) as runtime:
        ledger = runtime.get_workflow_handle("ledger")
        ledger.signal(Ledger.close).get(timeout=WAIT)
        assert ledger.result().get(timeout=WAIT) == acknowledged
    assert set(performed) == set(acknowledged)


def test_a_map_that_may_grow_grows(tmp_path: Path) -> None:
    with opened(tmp_path / "journal", map_size=MIB) as runtime:
        ledger = runtime.start_workflow(Ledger.run, id="ledger").get(timeout=WAIT)
        for number in range(40):
            ledger.signal(Ledger.enter, number, bytes(100_000)).get(timeout=WAIT)
        ledger.signal(Ledger.close).get(timeout=WAIT)

        assert ledger.result().get(timeout=WAIT) == list(range(40))


def test_a_read_only_file_system_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    with small_disk(place, 8 * MIB):
        with opened(place / "journal"):
            pass
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)

        with pytest.raises(JournalError, match="ead-only") as caught:
            opened(place / "journal").open()

        assert str(place) in str(caught.value)


KILLED = """
import sys
from datetime import timedelta
from pathlib import Path
from greenroom import Runtime, WorkflowIDConflictPolicy, activity, workflow

@activity.defn
def note(run: str, number: int) -> int:
    with open(sys.argv[2], "a") as effects:
        effects.write(f"{run} {number}\\n")
    return number

@workflow.defn
class Ledger:
    def __init__(self):
        self.noted = []
        self.closing = False

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: self.closing and workflow.all_handlers_finished())
        await workflow.sleep(0.001)
        return sorted(self.noted)

    @workflow.signal
    async def enter(self, number: int) -> None:
        self.noted.append(await workflow.execute_activity(note, "ledger", number))

    @workflow.signal
    def close(self) -> None:
        self.closing = True

runtime = Runtime(sys.argv[1]).open()
use = WorkflowIDConflictPolicy.USE_EXISTING
ledger = runtime.start_workflow(Ledger.run, id="ledger", id_conflict_policy=use).get(timeout=30)
if sys.argv[3] == "end":
    ledger.signal(Ledger.close).get(timeout=30)
    print("result", *ledger.result().get(timeout=30), flush=True)
    recorded = [event.facts["result"] for event in ledger.fetch_history().get(timeout=30).events
                if event.kind == "ActivityCompleted"]
    print("recorded", *sorted(recorded), flush=True)
    runtime.close()
else:
    number = int(sys.argv[3])
    while True:
        ledger.signal(Ledger.enter, number).get(timeout=30)
        print("acknowledged", number, flush=True)
        number += 1
"""


@pytest.fixture
def effects(tmp_path: Path) -> Path:
    path = tmp_path / "effects"
    path.touch()
    return path


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_keeps_what_it_acknowledged(tmp_path: Path, effects: Path) -> None:
    journal = str(tmp_path / "journal")
    acknowledged: list[int] = []
    sent = 0
    for lines in (1, 7, 40, 3):
        process = python(KILLED, journal, str(effects), str(sent))
        assert process.stdout is not None
        for _ in range(lines):
            acknowledged.append(int(process.stdout.readline().split()[1]))
        process.kill()
        # Not communicate() alone: it passes over the lines that readline() has read ahead.
        rest = process.stdout.read()
        process.communicate(timeout=WAIT)
        acknowledged += [int(line.split()[1]) for line in rest.splitlines() if line.startswith("acknowledged")]
        # One more may have been taken whose answer did not get out.
        sent = acknowledged[-1] + 2

    out, err = python(KILLED, journal, str(effects), "end").communicate(timeout=WAIT)

    result = [int(number) for number in out.splitlines()[0].split()[1:]]
    recorded = [int(number) for number in out.splitlines()[1].split()[1:]]
    performances = [int(line.split()[1]) for line in effects.read_text().splitlines()]
    assert err == ""
    assert set(acknowledged) <= set(result)
    assert result == recorded == sorted(set(performances))
    # An attempt is repeated only if its end was not recorded when the process died: at most those under way then.
    assert len(performances) - len(result) <= 4 * 2


@pytest.mark.slow
def test_a_journal_is_taken_over_when_its_owner_is_dead_and_not_before(tmp_path: Path, effects: Path) -> None:
    journal = tmp_path / "journal"
    process = python(KILLED, str(journal), str(effects), "0")
    assert process.stdout is not None
    process.stdout.readline()

    with pytest.raises(JournalInUseError) as caught:
        opened(journal).open()
    process.kill()
    process.communicate(timeout=WAIT)

    assert caught.value.pid == process.pid
    assert "which is this one" not in str(caught.value)
    assert process.pid != os.getpid()
    with Runtime(journal, workflows=[], activities=[]) as runtime:
        assert runtime.get_workflow_handle("ledger").describe().get(timeout=WAIT).workflow_type == "Ledger"
