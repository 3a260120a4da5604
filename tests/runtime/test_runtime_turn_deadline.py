"""A turn that computes for ever or blocks is ended, its run is stopped with its stack, and all other runs go on."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greenroom import Runtime, Supervision, WorkflowSuspendedError, workflow
from greenroom.runtime.model.errors import WorkflowQueryFailedError, WorkflowUpdateFailedError
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import check
from tests.runtime.rig import WAIT, error_of

DEADLINE = 0.4

locks: dict[str, threading.Lock] = {}
"""Held by the test: whoever takes one in a workflow is blocked outside Python."""

broken: list[str] = []


def misbehave(how: str) -> None:
    """What no workflow may do."""
    match how:
        case "spin":
            while broken:
                pass
        case "spin and swallow":
            tries = 0
            while broken and tries < 2:
                try:
                    while broken:
                        pass
                except BaseException:
                    tries += 1
        case "sleep":
            while broken:
                time.sleep(0.01)
        case "lock" if broken:
            with locks["held"]:
                pass
        case _:
            pass


@workflow.defn(static_check=False, name="deadline.patient")
class Patient:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self, how: str = "") -> list[str]:
        misbehave(how)
        await workflow.wait_condition(lambda: "end" in self.seen)
        return self.seen

    @workflow.signal
    def do(self, how: str) -> None:
        misbehave(how)
        self.seen.append(how)

    @workflow.signal
    async def later(self, how: str) -> None:
        if how == "gather":
            await asyncio.gather(self.misbehaving("lock"), self.misbehaving("lock"), return_exceptions=True)
        self.seen.append(how)

    async def misbehaving(self, how: str) -> None:
        misbehave(how)

    @workflow.signal
    async def many(self, count: int) -> None:
        await asyncio.gather(*(self.misbehaving("spin") for _ in range(count)), return_exceptions=True)

    @workflow.signal
    def fail(self) -> None:
        raise LookupError("a bug")

    @workflow.update
    def work(self, seconds: float) -> int:
        began = time.thread_time()
        while time.thread_time() - began < seconds:
            pass
        return 1

    @workflow.update
    def ask(self, how: str) -> int:
        misbehave(how)
        self.seen.append(how)
        return len(self.seen)

    @workflow.query
    def look(self, how: str) -> list[str]:
        misbehave(how)
        return list(self.seen)


@workflow.defn(static_check=False, name="deadline.untidy")
async def untidy(how: str) -> None:
    try:
        await workflow.signal_channel().receive("end")
    finally:
        misbehave(how)


@pytest.fixture(autouse=True)
def held() -> Iterator[None]:
    locks["held"] = lock = threading.Lock()
    lock.acquire()
    broken[:] = ["yes"]
    yield
    broken.clear()
    lock.release()


def opened(path: Path | None = None, **options: Any) -> Runtime:
    options = {
        "workflows": [Patient, untidy],
        "turn_deadline": DEADLINE,
        "supervision": Supervision(max_restarts=0),
        **options,
    }
    return Runtime.in_memory(**options) if path is None else Runtime(path, **options)


def start(runtime: Runtime, name: str, how: str = "") -> Any:
    return runtime.start_workflow(Patient.run, how, id=name).get(timeout=WAIT)


def suspended(handle: Any) -> WorkflowSuspendedError:
    error = error_of(handle.result())
    assert isinstance(error, WorkflowSuspendedError)
    return error


@pytest.mark.parametrize("how", ["spin", "spin and swallow", "sleep"])
def test_a_turn_that_spins_is_ended_and_its_run_is_suspended_with_its_stack(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with opened() as runtime:
        sick, sound = start(runtime, "sick"), start(runtime, "sound")
        sick.signal(Patient.do, how)
        error = suspended(sick)

        assert "TurnDeadlineError: a turn took longer than 0.4 s" in error.reason
        assert "in misbehave" in error.stack
        assert caplog.text.count("a turn took longer than 0.4 s") == 1
        assert sound.execute_update(Patient.ask, "go on").get(timeout=WAIT) == 1
        assert runtime.threads_abandoned == 0
        broken.clear()
        sick.resume().get(timeout=WAIT)
        sick.signal(Patient.do, "end").get(timeout=WAIT)
        assert sick.result().get(timeout=WAIT) == [how, "end"]


def test_a_turn_that_blocks_on_a_lock_held_elsewhere_costs_one_thread_and_the_others_go_on() -> None:
    with opened() as runtime:
        sick, sound = start(runtime, "sick"), start(runtime, "sound")
        sick.signal(Patient.do, "lock")
        behind = sick.signal(Patient.do, "behind")

        assert "in misbehave" in suspended(sick).stack
        assert runtime.threads_abandoned == 1
        behind.get(timeout=WAIT)
        assert sound.execute_update(Patient.ask, "go on").get(timeout=WAIT) == 1
        assert sick.describe().get(timeout=WAIT).status is WorkflowExecutionStatus.SUSPENDED
        broken.clear()
        sick.resume().get(timeout=WAIT)
        sick.signal(Patient.do, "end").get(timeout=WAIT)
        assert sick.result().get(timeout=WAIT) == ["lock", "behind", "end"]


def test_a_thread_that_was_left_behind_touches_nothing_when_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "greenroom"), opened() as runtime:
        sick, sound = start(runtime, "sick"), start(runtime, "sound")
        sick.signal(Patient.do, "lock")
        suspended(sick)
        left = [thread for thread in threading.enumerate() if thread.name == "greenroom"]
        assert len(left) == 2
        locks["held"].release()
        left[0].join(timeout=WAIT)

        assert not left[0].is_alive()
        assert any("left behind has come to its end" in record.getMessage() for record in caplog.records)
        assert sound.execute_update(Patient.ask, "go on").get(timeout=WAIT) == 1
        assert sick.query(Patient.look, "").get(timeout=WAIT) == []
        locks["held"].acquire()


def test_what_was_decided_in_the_sweep_of_a_turn_that_blocks_is_written_and_told() -> None:
    with opened() as runtime:
        sick, sound = start(runtime, "sick"), start(runtime, "sound")
        for _ in range(20):
            told = [
                sound.signal(Patient.do, "first"),
                sick.signal(Patient.do, "lock"),
                sound.signal(Patient.do, "last"),
            ]
            for future in (told[0], told[2]):
                future.get(timeout=WAIT)
            suspended(sick)
            break
        assert sound.query(Patient.look, "").get(timeout=WAIT) == ["first", "last"]


@pytest.mark.parametrize("how", ["spin", "lock"])
def test_an_update_whose_first_turn_takes_too_long_is_rejected_and_its_run_goes_on(how: str) -> None:
    with opened() as runtime:
        handle = start(runtime, "run")
        error = error_of(handle.execute_update(Patient.ask, how))

        assert isinstance(error, WorkflowUpdateFailedError)
        assert "a turn took longer than" in str(error)
        assert handle.execute_update(Patient.ask, "again").get(timeout=WAIT) == 1


@pytest.mark.parametrize("how", ["spin", "lock"])
@pytest.mark.parametrize("has_ended", [False, True])
def test_a_query_that_takes_too_long_fails_and_its_run_goes_on(how: str, has_ended: bool) -> None:
    with opened() as runtime:
        handle = start(runtime, "run")
        if has_ended:
            handle.signal(Patient.do, "end").get(timeout=WAIT)
            handle.result().get(timeout=WAIT)
        error = error_of(handle.query(Patient.look, how))

        assert isinstance(error, WorkflowQueryFailedError)
        assert "a turn took longer than" in str(error)
        assert handle.query(Patient.look, "").get(timeout=WAIT) == (["end"] if has_ended else [])


@pytest.mark.parametrize("how", ["spin", "lock"])
def test_a_start_and_a_replay_that_take_too_long_stop_their_run_alone(how: str, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    broken.clear()
    with opened(path) as runtime:
        start(runtime, "sick", how)
        start(runtime, "sound").signal(Patient.do, "before").get(timeout=WAIT)
    broken[:] = ["yes"]
    with opened(path) as runtime:
        sick, sound = runtime.get_workflow_handle("sick"), runtime.get_workflow_handle("sound")
        sick.signal(Patient.do, "x")
        assert sound.query(Patient.look, "").get(timeout=WAIT) == ["before"]
        assert "in misbehave" in suspended(sick).stack
        other = runtime.start_workflow(Patient.run, how, id="other").get(timeout=WAIT)
        assert "in misbehave" in suspended(other).stack
    broken.clear()


def test_a_replay_that_blocks_and_wakes_later_moves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    broken.clear()
    with opened(path) as runtime:
        handle = start(runtime, "run")
        for how in ("gather", "a", "b"):
            handle.signal(Patient.later, how).get(timeout=WAIT)
    broken[:] = ["yes"]
    with opened(path) as runtime:
        handle = runtime.get_workflow_handle("run")
        handle.signal(Patient.later, "wake").get(timeout=WAIT)
        suspended(handle)
        assert runtime.threads_abandoned == 1
        left = [thread for thread in threading.enumerate() if thread.name == "greenroom"]
        broken.clear()
        handle.resume().get(timeout=WAIT)
        for how in ("c", "d"):
            handle.signal(Patient.later, how).get(timeout=WAIT)
        locks["held"].release()
        left[0].join(timeout=WAIT)
        assert not left[0].is_alive()
        handle.signal(Patient.do, "end").get(timeout=WAIT)
        assert handle.result().get(timeout=WAIT) == ["gather", "a", "b", "wake", "c", "d", "end"]
        locks["held"].acquire()
    assert check(path) == []


@pytest.mark.parametrize(("how", "threads"), [("spin", 0), ("lock", 1)])
def test_a_suspended_run_that_cannot_be_replayed_in_time_ends_all_the_same(
    how: str, threads: int, caplog: pytest.LogCaptureFixture
) -> None:
    broken.clear()
    with opened() as runtime:
        handle = start(runtime, "run")
        handle.signal(Patient.do, how).get(timeout=WAIT)
        handle.suspend().get(timeout=WAIT)
        broken[:] = ["yes"]
        handle.terminate().get(timeout=WAIT)

        assert handle.describe().get(timeout=WAIT).status is WorkflowExecutionStatus.TERMINATED
        assert runtime.threads_abandoned == threads
        assert "does not say which of 1 signals it had read: 'do'" in caplog.text
        if threads:
            locks["held"].release()
            locks["held"].acquire()


def test_queries_behind_one_that_blocks_are_answered() -> None:
    with opened() as runtime:
        handle = start(runtime, "run")
        handle.signal(Patient.do, "end").get(timeout=WAIT)
        handle.result().get(timeout=WAIT)
        first, *others = [handle.query(Patient.look, how) for how in ("lock", "", "")]

        assert isinstance(error_of(first), WorkflowQueryFailedError)
        assert [other.get(timeout=WAIT) for other in others] == [["end"]] * 2


def test_a_turn_with_many_tasks_that_spin_is_ended_as_one() -> None:
    with opened() as runtime:
        handle = start(runtime, "run")
        handle.signal(Patient.many, 6)

        suspended(handle)
        assert runtime.threads_abandoned == 0


def test_a_replay_that_spins_when_the_journal_is_opened_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with opened(path) as runtime:
        handle = start(runtime, "run")
        handle.signal(Patient.do, "spin").get(timeout=WAIT)
        suspended(handle)
        broken.clear()
        handle.resume().get(timeout=WAIT)
        handle.query(Patient.look, "").get(timeout=WAIT)
        handle.signal(Patient.fail).get(timeout=WAIT)
        suspended(handle)
    broken[:] = ["yes"]
    with opened(path) as runtime:
        assert "in misbehave" in suspended(runtime.get_workflow_handle("run")).stack
        assert runtime.threads_abandoned == 0


def test_closing_does_not_wait_for_a_finally_that_blocks() -> None:
    with opened() as runtime:
        runtime.start_workflow(untidy, "lock", id="sick").get(timeout=WAIT)

    assert runtime.threads_abandoned == 0


def test_threads_that_compute_beside_it_do_not_use_up_the_time_of_a_turn() -> None:
    broken.clear()
    is_over = threading.Event()

    def burn() -> None:
        while not is_over.is_set():
            pass

    threads = [threading.Thread(target=burn) for _ in range(24)]
    for thread in threads:
        thread.start()
    try:
        with opened(turn_deadline=0.3) as runtime:
            handle = start(runtime, "run")
            assert handle.execute_update(Patient.work, 0.05).get(timeout=WAIT) == 1
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("how", ["spin", "lock"])
def test_code_that_takes_too_long_to_be_put_away_holds_nobody_up_for_good(how: str) -> None:
    with opened() as runtime:
        sick = runtime.start_workflow(untidy, how, id="sick").get(timeout=WAIT)
        sound = start(runtime, "sound")
        sick.terminate().get(timeout=WAIT)

        assert sound.execute_update(Patient.ask, "go on").get(timeout=WAIT) == 1
        assert sick.describe().get(timeout=WAIT).status is WorkflowExecutionStatus.TERMINATED


def test_a_long_replay_of_short_turns_is_not_ended() -> None:
    with opened(max_residents=1, turn_deadline=0.1) as runtime:
        handle = start(runtime, "long")
        futures = [handle.signal(Patient.do, "x") for _ in range(4000)]
        futures[-1].get(timeout=WAIT)
        for other in range(3):
            start(runtime, f"other-{other}")

        assert len(handle.query(Patient.look, "").get(timeout=WAIT)) == 4000


def test_without_a_deadline_nobody_watches() -> None:
    with opened(turn_deadline=None) as runtime:
        before = {thread.name for thread in threading.enumerate()}
        broken.clear()
        assert start(runtime, "run").execute_update(Patient.ask, "x").get(timeout=WAIT) == 1
        assert "greenroom-watchdog" not in before


def test_an_idle_watchdog_does_not_run() -> None:
    with opened(turn_deadline=0.05) as runtime:
        broken.clear()
        handle = start(runtime, "run")
        [watchdog] = [thread for thread in threading.enumerate() if thread.name == "greenroom-watchdog"]
        assert watchdog.ident is not None
        clock = time.pthread_getcpuclockid(watchdog.ident)
        threading.Event().wait(0.3)
        before = time.clock_gettime(clock)
        threading.Event().wait(0.5)
        assert time.clock_gettime(clock) == before
        assert handle.execute_update(Patient.ask, "x").get(timeout=WAIT) == 1


@pytest.mark.parametrize("deadline", [0, -1, "2"])
def test_a_deadline_that_makes_no_sense_is_refused(deadline: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Runtime("journal", turn_deadline=deadline)
