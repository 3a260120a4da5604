"""Many at once: simultaneous starts, starts beside recovery, long backlogs, what a signal costs after many others."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenroom import Runtime, workflow
from greenroom.actors import Future
from greenroom.runtime.model.errors import JournalWriteError, WorkflowAlreadyStartedError
from greenroom.runtime.model.options import WorkflowIDConflictPolicy as Conflict
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT, FaultyStore, runtime_on


@workflow.defn
class Tally:
    def __init__(self) -> None:
        self.sum = 0
        self.count = 0
        self.goal: int | None = None

    @workflow.run
    async def run(self) -> tuple[int, int]:
        await workflow.wait_condition(lambda: self.goal is not None and self.count >= self.goal)
        return self.count, self.sum

    @workflow.signal
    def add(self, number: int) -> None:
        self.count += 1
        self.sum += number

    @workflow.signal
    def finish(self, goal: int) -> None:
        self.goal = goal


@workflow.defn
async def reads_late(numbers: int) -> int:
    """Reads nothing before it is told to, then everything."""
    channel = workflow.signal_channel()
    await channel.receive("now")
    total = 0
    for _ in range(numbers):
        total += await channel.receive("number")
    return total


WORKFLOWS = [Tally, reads_late]


def from_threads(number: int, work: Callable[[int], Future[Any]]) -> list[Any]:
    """What ``work`` gives or raises in as many threads, all let go at the same moment."""
    barrier = threading.Barrier(number, timeout=WAIT)
    results: list[Any] = [None] * number

    def one(place: int) -> None:
        barrier.wait()
        try:
            results[place] = work(place).get(timeout=WAIT)
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=one, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    return results


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_of_100_simultaneous_first_starts_of_one_id_one_wins(path: Path) -> None:
    with Runtime(path, workflows=WORKFLOWS) as runtime:
        results = from_threads(100, lambda place: runtime.start_workflow(Tally.run, id="one"))

        started = [result for result in results if not isinstance(result, Exception)]
        assert len(started) == 1
        refused = [result for result in results if isinstance(result, WorkflowAlreadyStartedError)]
        assert len(refused) == 99
        assert {error.run_id for error in refused} == {started[0].run_id}


def test_100_simultaneous_starts_that_use_the_existing_run_share_one(path: Path) -> None:
    with Runtime(path, workflows=WORKFLOWS) as runtime:
        results = from_threads(
            100, lambda place: runtime.start_workflow(Tally.run, id="one", id_conflict_policy=Conflict.USE_EXISTING)
        )

        assert len({handle.run_id for handle in results}) == 1


def test_100_simultaneous_starts_that_terminate_the_existing_run_leave_one_open(path: Path) -> None:
    with Runtime(path, workflows=WORKFLOWS) as runtime:
        results = from_threads(
            100,
            lambda place: runtime.start_workflow(Tally.run, id="one", id_conflict_policy=Conflict.TERMINATE_EXISTING),
        )

        assert len({handle.run_id for handle in results}) == 100
        statuses = [handle.describe().get(timeout=WAIT).status.name for handle in results]
        assert sorted(set(statuses)) == ["RUNNING", "TERMINATED"]
        assert statuses.count("RUNNING") == 1


def test_a_run_that_is_replaced_in_the_sweep_of_its_start_was_started_all_the_same() -> None:
    with TestRuntime(workflows=WORKFLOWS) as runtime:
        starts = [
            runtime.start_workflow(Tally.run, id="one", id_conflict_policy=Conflict.TERMINATE_EXISTING)
            for _ in range(10)
        ]

        while runtime.hands.dispatcher.sweep():
            pass

        statuses = [runtime.wait(start.get().describe()).status.name for start in starts]
        assert sorted(statuses) == ["RUNNING", *["TERMINATED"] * 9]


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_is_not_told_of_before_its_start_is_on_disk(fails: bool) -> None:
    with TestRuntime(workflows=WORKFLOWS, check_leaks=False) as runtime:
        # More than one sweep takes.
        starts = [runtime.start_workflow(Tally.run, id=f"tally-{n}") for n in range(300)]
        existing = runtime.start_workflow(Tally.run, id="tally-299", id_conflict_policy=Conflict.USE_EXISTING)

        runtime.hands.dispatcher.sweep()

        assert starts[0].done()
        assert runtime.hands.journal.current_run("tally-299") is None
        assert not existing.done()
        if fails:
            runtime.store.fail_commit(1)
            runtime.hands.dispatcher.sweep()
            with pytest.raises(JournalWriteError):
                runtime.wait(existing)
        else:
            assert runtime.wait(existing).run_id == runtime.wait(starts[299]).run_id


def test_100_simultaneous_first_starts_of_one_type_all_run(path: Path) -> None:
    with Runtime(path, workflows=WORKFLOWS) as runtime:
        handles = from_threads(100, lambda place: runtime.start_workflow(Tally.run, id=f"tally-{place}"))
        sums = from_threads(100, lambda place: handles[place].signal(Tally.add, place))
        ends = from_threads(100, lambda place: handles[place].signal(Tally.finish, 1))

        assert sums == ends == [None] * 100
        assert [handle.result().get(timeout=WAIT) for handle in handles] == [(1, place) for place in range(100)]


def test_signals_of_50_threads_to_one_run_all_count(path: Path) -> None:
    with Runtime(path, workflows=WORKFLOWS) as runtime:
        tally = runtime.start_workflow(Tally.run, id="tally").get(timeout=WAIT)

        def send(place: int) -> Future[None]:
            for number in range(39):
                tally.signal(Tally.add, number).get(timeout=WAIT)
            return tally.signal(Tally.add, 39)

        assert from_threads(50, send) == [None] * 50
        tally.signal(Tally.finish, 2000).get(timeout=WAIT)
        assert tally.result().get(timeout=WAIT) == (2000, 50 * sum(range(40)))


@pytest.mark.parametrize("rounds", range(5))
def test_a_start_beside_recovery_meets_the_run_that_was_there(path: Path, rounds: int) -> None:
    with Runtime(path, workflows=WORKFLOWS) as runtime:
        first = runtime.start_workflow(Tally.run, id="tally").get(timeout=WAIT)
        for place in range(300):
            runtime.start_workflow(Tally.run, id=f"other-{place}")

    with Runtime(path, workflows=WORKFLOWS) as runtime:
        # Not waited for: these meet the opening.
        again = runtime.start_workflow(Tally.run, id="tally", id_conflict_policy=Conflict.USE_EXISTING)
        signals = [again.get(timeout=WAIT).signal(Tally.add, number) for number in range(10)]
        refused = runtime.start_workflow(Tally.run, id="other-299")

        with pytest.raises(WorkflowAlreadyStartedError):
            refused.get(timeout=WAIT)
        for signal in signals:
            signal.get(timeout=WAIT)
        again.get().signal(Tally.finish, 10).get(timeout=WAIT)
        assert again.get().run_id == first.run_id
        assert again.get().result().get(timeout=WAIT) == (10, 45)


def backlog(runtime: Runtime, numbers: int) -> int:
    handle = runtime.start_workflow(reads_late, numbers, id="late").get(timeout=WAIT)
    for first in range(0, numbers, 5000):
        last = None
        for number in range(first, min(first + 5000, numbers)):
            last = handle.signal("number", number)
        assert last is not None
        last.get(timeout=WAIT)
    assert handle.describe().get(timeout=WAIT).buffered_signals == numbers
    handle.signal("now").get(timeout=WAIT)
    return int(handle.result().get(timeout=10 * WAIT))


def test_a_backlog_before_the_reader_is_read_whole_and_in_order() -> None:
    with runtime_on(MemoryStore(), workflows=WORKFLOWS) as runtime:
        assert backlog(runtime, 3_000) == sum(range(3_000))


@pytest.mark.slow
@pytest.mark.aside
def test_a_backlog_of_100_000_signals_before_the_reader_is_read_whole() -> None:
    with runtime_on(MemoryStore(), workflows=WORKFLOWS) as runtime:
        assert backlog(runtime, 100_000) == sum(range(100_000))


def calls_of(work: Callable[[], object]) -> int:
    """How many Python functions are called, a measure of work that does not depend on the machine."""
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.slow
def test_what_a_signal_costs_does_not_depend_on_the_signals_before_it() -> None:
    store = FaultyStore()
    with TestRuntime(store, workflows=WORKFLOWS, check_leaks=False) as runtime:
        tally = runtime.wait(runtime.start_workflow(Tally.run, id="tally"))

        def signal() -> None:
            runtime.wait(tally.signal(Tally.add, 1))

        def cost() -> tuple[int, int, int, int]:
            signal()
            before = store.commits, store.puts, store.put_bytes
            calls = calls_of(signal)
            return calls, store.commits - before[0], store.puts - before[1], store.put_bytes - before[2]

        early = cost()
        for _ in range(3000):
            signal()
        late = cost()

    calls, commits, puts, put_bytes = early
    assert late[0] <= calls * 1.05
    assert late[1:3] == (commits, puts) == (1, 2)
    assert late[3] <= put_bytes + 16
