"""Damaged bytes: each has its own clear error, one damaged run stops that run, and the others go on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from greenroom import Runtime, activity, workflow
from greenroom.actors import Future
from greenroom.runtime.client import WorkflowHandle
from greenroom.runtime.model.errors import (
    ApplicationError,
    GreenroomError,
    JournalCorruptError,
    JournalError,
    JournalForkedError,
    JournalFormatError,
    JournalLocationError,
    WorkflowAlreadyStartedError,
    WorkflowSuspendedError,
)
from greenroom.storage import MemoryStore, Meta, Tree, codec
from greenroom.storage.environment import Environment
from greenroom.storage.store import META_KEY
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT, error_of


@activity.defn
def shout(text: str) -> str:
    return text.upper()


@workflow.defn
class Steady:
    """Has something of every kind under way: an activity done, a timer, a signal, and more to come."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @workflow.run
    async def run(self) -> str:
        text = await workflow.execute_activity(shout, "hello")
        await workflow.wait_condition(lambda: len(self.names) >= 2)
        await workflow.sleep(3600)
        return f"{text} {' '.join(self.names)}"

    @workflow.signal
    def name(self, name: str) -> None:
        self.names.append(name)


@workflow.defn
async def tell(to: str) -> str:
    try:
        await workflow.get_external_workflow_handle(to).signal("name", "from a run")
    except ApplicationError as error:
        return f"not told: {error.type}"
    return "told"


@workflow.defn
async def begins(how: str, to: str) -> str:
    try:
        if how == "a child":
            await workflow.start_child_workflow(Steady.run, id=to)
        else:
            await workflow.signal_with_start(Steady.run, id=to, signal="name", signal_args=["from a run"])
    except ApplicationError as error:
        return str(error.type)
    except WorkflowAlreadyStartedError as error:
        return error.message
    return "begun"


def make(store: MemoryStore) -> TestRuntime:
    """A runtime on a damaged store, which the check at its end would complain of."""
    return TestRuntime(store, check_leaks=False, workflows=[Steady, tell, begins], activities=[shout])


@pytest.fixture
def store() -> MemoryStore:
    """A journal with three runs in the same standing: number 2 is the one that is damaged."""
    store = MemoryStore()
    with make(store) as runtime:
        for number in (1, 2, 3):
            handle = runtime.wait(runtime.start_workflow(Steady.run, id=f"steady-{number}"))
            runtime.wait(handle.signal(Steady.name, "first"))
            runtime.run_until_idle()
        # The activities of these have not begun, so that opening the journal finds active runs too.
        for number in (4, 5, 6):
            handle = runtime.wait(runtime.start_workflow(Steady.run, id=f"steady-{number}"))
            runtime.wait(handle.signal(Steady.name, "first"))
    return store


def rows(store: MemoryStore, run_no: int) -> list[tuple[bytes, bytes]]:
    return store.scan(Tree.RUNS, run_no.to_bytes(8, "big"), (run_no + 1).to_bytes(8, "big"), limit=1000)


def copy_of(store: MemoryStore) -> MemoryStore:
    copy = MemoryStore()
    for tree in Tree:
        copy.commit({tree: dict(store.scan(tree, b"", b"\xff" * 64, limit=10_000))})
    return copy


def flipped(value: bytes, place: int) -> bytes:
    return value[:place] + bytes([value[place] ^ 4]) + value[place + 1 :]


def finish(runtime: TestRuntime, number: int) -> str:
    """How a run ends, or what is said instead."""
    handle = runtime.get_workflow_handle(f"steady-{number}")
    try:
        runtime.wait(handle.signal("name", "second"))
        result: str = runtime.wait(handle.result())
    except GreenroomError as error:
        return type(error).__name__
    return result


WHOLE = "HELLO first second"
STOPPED = {"WorkflowSuspendedError", "JournalCorruptError"}


@pytest.mark.parametrize("victim", [2, 5])
def test_a_flipped_bit_in_any_row_of_a_run_stops_that_run_at_most(store: MemoryStore, victim: int) -> None:
    stopped = 0
    for key, value in rows(store, victim):
        for place in {0, len(value) // 2, len(value) - 1}:
            copy = copy_of(store)
            copy.commit({Tree.RUNS: {key: flipped(value, place)}})
            runtime = make(copy).open()

            ends = {number: finish(runtime, number) for number in (victim, 1, 3, 4, 6)}

            runtime.close()
            end = ends.pop(victim)
            assert end in {WHOLE, *STOPPED}, (key, place)
            assert set(ends.values()) == {WHOLE}, (key, place, ends)
            stopped += end != WHOLE
    assert stopped > 5


def test_a_damaged_history_is_told_to_whoever_asks(store: MemoryStore) -> None:
    key, value = rows(store, 2)[1]
    store.commit({Tree.RUNS: {key: flipped(value, len(value) // 2)}})

    with make(store) as runtime:
        handle = runtime.get_workflow_handle("steady-2")
        runtime.wait(handle.signal(Steady.name, "kept"))
        with pytest.raises(WorkflowSuspendedError, match="damaged") as caught:
            runtime.wait(handle.result())
        with pytest.raises(JournalCorruptError, match="run the journal check"):
            runtime.wait(handle.fetch_history())

        described = runtime.wait(handle.describe())
        assert "JournalCorruptError" in caught.value.stack
        assert described.status.name == "SUSPENDED"
        assert described.waiting_messages == 1
        runtime.wait(handle.terminate(reason="beyond repair"))
        assert runtime.wait(handle.describe()).status.name == "TERMINATED"


def test_a_damaged_header_is_told_to_whoever_asks_and_to_a_run_that_signals(store: MemoryStore) -> None:
    key, value = rows(store, 2)[0]
    store.commit({Tree.RUNS: {key: flipped(value, len(value) // 2)}})

    with make(store) as runtime:
        handle = runtime.get_workflow_handle("steady-2")
        requests: list[Future[Any]] = [
            handle.signal(Steady.name, "lost"),
            handle.result(),
            handle.describe(),
            handle.terminate(),
            handle.fetch_history(),
            runtime.start_workflow(Steady.run, id="steady-2"),
        ]
        for future in requests:
            with pytest.raises(JournalCorruptError, match="damaged"):
                runtime.wait(future)
        assert runtime.wait(runtime.execute_workflow(tell, "steady-2")).startswith("not told")
        assert runtime.wait(runtime.execute_workflow(tell, "steady-1")) == "told"


@pytest.mark.parametrize(
    ("how", "told"), [("a child", "workflow id 'steady-2' is taken"), ("with a signal", "JournalError")]
)
def test_a_damaged_header_is_told_to_a_run_that_starts_another_of_its_id(
    store: MemoryStore, how: str, told: str
) -> None:
    key, value = rows(store, 2)[0]
    store.commit({Tree.RUNS: {key: flipped(value, len(value) // 2)}})

    with make(store) as runtime:
        assert runtime.wait(runtime.execute_workflow(begins, how, "steady-2")) == told
        assert runtime.wait(runtime.execute_workflow(begins, how, "steady-9")) == "begun"


def test_opening_goes_on_with_the_runs_behind_a_damaged_one() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        for number in (1, 2, 3):
            runtime.wait(runtime.start_workflow(Steady.run, id=f"steady-{number}"))
        assert not runtime.performed
    key, value = rows(store, 2)[0]
    store.commit({Tree.RUNS: {key: flipped(value, len(value) // 2)}})

    with make(store) as runtime:
        runtime.run_until_idle()

        assert runtime.performed == 2
        for number in (1, 3):
            handle = runtime.get_workflow_handle(f"steady-{number}")
            assert "ActivityCompleted" in runtime.wait(handle.fetch_history()).kinds()


# On disk.


@workflow.defn
async def nothing() -> str:
    return "done"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    with Runtime(path, workflows=[nothing]) as runtime:
        for number in range(200):
            runtime.start_workflow(nothing, id=f"nothing-{number}")
        runtime.execute_workflow(nothing).get(timeout=WAIT)
    return path


def opened(path: Path) -> Runtime:
    return Runtime(path, workflows=[nothing]).open()


def test_a_truncated_file_is_damage(path: Path) -> None:
    data = path / "journal" / "data.mdb"
    os.truncate(data, data.stat().st_size // 2)

    with pytest.raises(JournalCorruptError, match="restore a backup"):
        opened(path)


def test_a_newer_format_is_refused_with_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Environment.open(path)
    row = store.get(Tree.META, META_KEY)
    assert row is not None
    meta = codec.decode(Meta, META_KEY, row)
    with monkeypatch.context() as later:
        later.setattr(codec, "FORMAT", codec.FORMAT + 1)
        newer = codec.encode(META_KEY, meta)
    store.commit({Tree.META: {META_KEY: newer}})
    store.close()

    with pytest.raises(JournalFormatError, match="open it with the version that wrote it"):
        opened(path)


def test_something_else_than_a_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir(mode=0o700)
    (tmp_path / "journal" / "data.mdb").touch(mode=0o600)
    (tmp_path / "journal" / "data.mdb").write_bytes(b"not a journal" * 1000)

    with pytest.raises((JournalFormatError, JournalCorruptError)):
        opened(tmp_path)


def test_a_place_where_no_journal_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")

    with pytest.raises(JournalLocationError, match="choose a local directory"):
        opened(tmp_path / "file")


def test_files_that_are_taken_away_under_the_owner_are_an_error_and_not_a_loss(path: Path) -> None:
    with Runtime(path, workflows=[nothing]) as runtime:
        (path / "journal" / "data.mdb").rename(path / "elsewhere")
        error = error_of(runtime.start_workflow(nothing, id="late"))
        (path / "elsewhere").rename(path / "journal" / "data.mdb")
        again = runtime.execute_workflow(nothing, id="late").get(timeout=WAIT)

    assert isinstance(error, JournalError)
    assert "moved, removed or replaced" in str(error)
    assert again == "done"


def in_a_child(work: Any) -> int:
    """Run something in a forked child; gives its exit status: 0 for an assertion that held."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_is_told_that_the_journal_is_not_its_own(path: Path) -> None:
    with Runtime(path, workflows=[nothing]) as runtime:
        handle: WorkflowHandle[Any] = runtime.get_workflow_handle("nothing-1")

        def use() -> None:
            for call in (
                lambda: runtime.start_workflow(nothing),
                lambda: runtime.execute_workflow(nothing),
                handle.result,
                handle.describe,
                handle.fetch_history,
                lambda: handle.signal("anything"),
            ):
                assert isinstance(error_of(call()), JournalForkedError)
            assert runtime.close() == 0

        assert in_a_child(use) == 0
        assert runtime.execute_workflow(nothing).get(timeout=WAIT) == "done"


def test_a_forked_child_may_open_a_journal_of_its_own(path: Path, tmp_path: Path) -> None:
    with Runtime(path, workflows=[nothing]) as runtime:

        def open_another() -> None:
            with Runtime(tmp_path / "another", workflows=[nothing]) as other:
                assert other.execute_workflow(nothing).get(timeout=WAIT) == "done"

        assert in_a_child(open_another) == 0
        assert runtime.execute_workflow(nothing).get(timeout=WAIT) == "done"
