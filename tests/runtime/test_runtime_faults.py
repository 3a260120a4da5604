"""Commits that fail: nothing acknowledged is lost, no outcome of an activity either, and the runtime goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from greenroom import workflow
from greenroom.actors import Future
from greenroom.runtime.activity import defn as activity_defn
from greenroom.runtime.client import WorkflowHandle
from greenroom.runtime.model.errors import (
    InternalError,
    JournalError,
    JournalFullError,
    JournalWriteError,
    RuntimeClosedError,
    WorkflowFailureError,
    WorkflowNotFoundError,
)
from greenroom.runtime.model.options import WorkflowIDConflictPolicy
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.runtime.shell.targets import Target
from greenroom.storage import FullError, StorageError, WriteError
from greenroom.testing import TestRuntime

T = TypeVar("T")

performed: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    performed.clear()


@activity_defn
def brew(cup: str) -> str:
    performed[cup] += 1
    return f"{cup} brewed"


@activity_defn(retry_policy=RetryPolicy(initial_interval=10, maximum_attempts=3))
def flaky(cup: str) -> str:
    performed[cup] += 1
    if performed[cup] < 3:
        raise OSError("the kettle leaks")
    return f"{cup} at last"


@workflow.defn
class Bar:
    """Serves whoever signals, and tells them so."""

    def __init__(self) -> None:
        self.served: list[str] = []

    @workflow.run
    async def run(self, guests: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.served) >= guests)
        await workflow.sleep(60)
        return self.served

    @workflow.signal
    async def order(self, guest: str, cup: str) -> None:
        drink = await workflow.execute_activity(brew, cup)
        self.served.append(cup)
        if guest:
            await workflow.get_external_workflow_handle(guest).signal("drink", drink)


@workflow.defn
class Guest:
    @workflow.run
    async def run(self, cup: str) -> str:
        drinks = workflow.signal_channel()
        me = workflow.info().workflow_id
        await workflow.get_external_workflow_handle("bar").signal(Bar.order, me, cup)
        return str(await drinks.receive("drink")) + ", " + await workflow.execute_activity(flaky, "second " + cup)


@workflow.defn
class Collector:
    """Keeps every number it is sent, until it is told to stop."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.stopped = False

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: self.stopped)
        return self.numbers

    @workflow.signal
    def add(self, number: int) -> None:
        self.numbers.append(number)

    @workflow.signal
    def stop(self) -> None:
        self.stopped = True


@workflow.defn
class Burst:
    """Sends many signals in one turn."""

    @workflow.run
    async def run(self, to: str, numbers: int) -> None:
        target = workflow.get_external_workflow_handle(to)
        await asyncio.gather(*(target.signal(Collector.add, number) for number in range(numbers)))


@workflow.defn
class Impatient:
    """Waits for its cup until it is told to stop."""

    def __init__(self) -> None:
        self.stopped = False

    @workflow.run
    async def run(self, cancels: bool) -> str:
        cup = workflow.start_activity(brew, "cup")
        await workflow.wait_condition(lambda: self.stopped or cup.done())
        if not self.stopped:
            return await cup
        if cancels:
            cup.cancel()
            await workflow.sleep(3600)
        return "stopped"

    @workflow.signal
    def stop(self) -> None:
        self.stopped = True


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Bar, Guest, Collector, Burst, Impatient], activities=[brew, flaky], **options)


def insist(runtime: TestRuntime, ask: Callable[[], Future[T]]) -> tuple[T, int]:
    """Ask again for as long as the journal refuses; gives the answer and how often it was refused."""
    refusals = 0
    while True:
        try:
            return runtime.wait(ask()), refusals
        except JournalError:
            refusals += 1


def evening(runtime: TestRuntime) -> tuple[list[str], str, int]:
    """Two orders, one from a client and one from another run; gives the results and how often a client was refused."""

    def start(target: Any, *args: Any, id: str) -> tuple[WorkflowHandle[Any], int]:
        use = WorkflowIDConflictPolicy.USE_EXISTING
        return insist(runtime, lambda: runtime.start_workflow(target, *args, id=id, id_conflict_policy=use))

    bar, refused = start(Bar.run, 2, id="bar")
    guest, again = start(Guest.run, "tea", id="guest")
    _, more = insist(runtime, lambda: bar.signal(Bar.order, "", "water"))
    results = insist(runtime, bar.result), insist(runtime, guest.result)
    return sorted(results[0][0]), results[1][0], refused + again + more + results[0][1] + results[1][1]


EXPECTED = (["tea", "water"], "tea brewed, second tea at last")


def commits_of_an_evening() -> int:
    with make() as runtime:
        evening(runtime)
        return runtime.store.commits


FAULTS: list[Callable[[], StorageError]] = [lambda: FullError("here", "no room"), lambda: WriteError("here", "EIO")]


@pytest.mark.parametrize("fault", FAULTS, ids=["full", "write"])
def test_a_commit_that_fails_anywhere_costs_the_client_a_refusal_at_most(fault: Callable[[], StorageError]) -> None:
    commits = commits_of_an_evening()
    assert commits > 10
    for number in range(2, commits + 1):
        performed.clear()
        with make() as runtime:
            # The commit of the opening is over.
            runtime.store.fail_commit(number - 1, fault())

            *results, refusals = evening(runtime)

            assert tuple(results) == EXPECTED, number
            assert refusals <= 1, number
            assert performed == {"tea": 1, "water": 1, "second tea": 3}, number


def test_a_read_that_fails_anywhere_costs_the_client_a_refusal_at_most_that_says_to_ask_again() -> None:
    refused = 0
    for number in range(1, 50):
        performed.clear()
        with make(evict_after_every_turn=True) as runtime:
            runtime.store.fail_read(number)

            # Whatever else it is refused with is no error of the journal, and nobody would ask again.
            *results, refusals = evening(runtime)
            runtime.store.revive()

            assert tuple(results) == EXPECTED, number
            assert refusals <= 1, number
            refused += refusals

    assert refused


@pytest.mark.parametrize("max_residents", [1, 2, 3])
def test_failing_commits_and_eviction_together_lose_nothing(max_residents: int) -> None:
    commits = commits_of_an_evening()
    for number in range(1, commits):
        performed.clear()
        with make(max_residents=max_residents) as runtime:
            runtime.store.fail_commit(number)
            runtime.store.fail_commit(number + 2)

            *results, _ = evening(runtime)

            assert tuple(results) == EXPECTED, number
            assert performed == {"tea": 1, "water": 1, "second tea": 3}, number


def test_a_disk_that_stays_full_refuses_clients_and_keeps_what_it_acknowledged() -> None:
    with make() as runtime:
        collector = runtime.wait(runtime.start_workflow(Collector.run, id="collector"))
        for number in range(5):
            runtime.wait(collector.signal(Collector.add, number))
        for n in range(1, 4):
            runtime.store.fail_commit(n, FullError("here", "no room"))

        refused: list[JournalFullError] = []
        for number in range(100, 103):
            with pytest.raises(JournalFullError, match="make room") as caught:
                runtime.wait(collector.signal(Collector.add, number))
            refused.append(caught.value)
        runtime.wait(collector.signal(Collector.add, 5))
        runtime.wait(collector.signal(Collector.stop))

        assert len(refused) == 3
        assert runtime.wait(collector.result()) == [0, 1, 2, 3, 4, 5]


def test_the_outcome_of_an_activity_waits_for_as_long_as_the_disk_is_full() -> None:
    with make() as runtime:
        guest = runtime.wait(runtime.start_workflow(Bar.run, 1, id="bar"))
        runtime.wait(guest.signal(Bar.order, "", "milk"))
        for n in range(1, 30):
            runtime.store.fail_commit(n, FullError("here", "no room"))

        result = runtime.wait(guest.result())

        assert result == ["milk"]
        assert performed == {"milk": 1}


def test_a_start_that_could_not_be_written_started_nothing() -> None:
    with make() as runtime:
        runtime.store.fail_commit(1)

        with pytest.raises(JournalWriteError):
            runtime.wait(runtime.start_workflow(Collector.run, id="collector"))

        with pytest.raises(WorkflowNotFoundError):
            runtime.wait(runtime.get_workflow_handle("collector").describe())
        runtime.wait(runtime.start_workflow(Collector.run, id="collector"))


def test_mail_behind_a_start_that_could_not_be_written_is_refused_for_that_reason() -> None:
    with make() as runtime:
        runtime.store.fail_commit(1)
        start = runtime.start_workflow(Collector.run, id="collector")
        handle = runtime.get_workflow_handle("collector")
        signals = [handle.signal(Collector.add, number) for number in range(3)]
        result = handle.result()

        refused: list[Future[Any]] = [start, *signals, result]
        for future in refused:
            with pytest.raises(JournalWriteError):
                runtime.wait(future)


def test_who_asks_what_nobody_can_see_to_is_told_so_and_nothing_of_it_is_written() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Collector.run, id="collector"))
        commits = runtime.store.commits
        nonsense: Any = 5

        answer = runtime.hands.desk.describe(Target("collector", nonsense))

        with pytest.raises(TypeError):
            runtime.wait(answer)
        assert isinstance(answer.exception(), InternalError)
        assert runtime.store.commits == commits
        assert runtime.wait(handle.describe()).status.name == "RUNNING"


def test_an_answer_about_what_could_not_be_written_is_not_given() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Collector.run, id="collector"))
        runtime.store.fail_commit(1)
        ended = handle.terminate()
        late = handle.signal(Collector.add, 1)
        described = handle.describe()

        runtime.hands.dispatcher.sweep()

        refused: list[Future[Any]] = [ended, late, described]
        for future in refused:
            with pytest.raises(JournalWriteError):
                runtime.wait(future)
        assert runtime.wait(handle.describe()).status.name == "RUNNING"


@pytest.mark.parametrize("n", range(1, 10))
def test_mail_of_other_runs_is_taken_once_though_the_commit_of_some_of_it_fails(n: int) -> None:
    numbers = 700  # more than one sweep takes
    with make() as runtime:
        collector = runtime.wait(runtime.start_workflow(Collector.run, id="collector"))
        runtime.wait(runtime.start_workflow(Burst.run, "collector", numbers, id="burst"))
        runtime.store.fail_commit(n)

        while runtime.hands.dispatcher.sweep():
            pass
        runtime.advance(10)
        runtime.store.revive()
        runtime.wait(collector.signal(Collector.stop))

        assert runtime.wait(collector.result()) == list(range(numbers))


def test_mail_that_did_not_get_to_disk_is_not_kept_in_memory_by_the_run_that_it_was_for() -> None:
    with make() as runtime:
        collector = runtime.wait(runtime.start_workflow(Collector.run, id="collector"))
        sender = runtime.start_workflow(Burst.run, "collector", 3, id="burst")
        runtime.store.fail_commit()

        runtime.run_until_idle()

        assert isinstance(sender.exception(), JournalWriteError)
        assert runtime.wait(collector.describe()).waiting_messages == 0


def test_what_waits_for_a_run_that_could_not_be_written_is_heard_when_the_runtime_closes() -> None:
    runtime = make(auto_skip=False, check_leaks=False).open()
    handle = runtime.wait(runtime.start_workflow(Collector.run, id="collector"))
    runtime.store.fail_commit(1)
    with pytest.raises(JournalWriteError):
        runtime.wait(handle.signal(Collector.add, 1))
    signalled, described, result = handle.signal(Collector.add, 2), handle.describe(), handle.result()
    runtime.run_until_idle()
    assert [future.done() for future in (signalled, described, result)] == [False] * 3

    runtime.close()

    assert signalled.get(timeout=0) is None
    assert described.exception() is None
    with pytest.raises(RuntimeClosedError):
        result.get(timeout=0)


def test_what_waits_is_told_so_when_the_runtime_closes_and_the_disk_still_refuses() -> None:
    runtime = make(auto_skip=False, check_leaks=False).open()
    handle = runtime.wait(runtime.start_workflow(Collector.run, id="collector"))
    for n in range(1, 9):
        runtime.store.fail_commit(n)
    with pytest.raises(JournalWriteError):
        runtime.wait(handle.signal(Collector.add, 1))
    signalled = handle.signal(Collector.add, 2)
    runtime.run_until_idle()

    runtime.close()

    with pytest.raises((JournalWriteError, RuntimeClosedError)):
        signalled.get(timeout=0)


@pytest.mark.parametrize("cancels", [False, True])
def test_an_outcome_behind_a_turn_that_made_it_unwanted_is_wanted_again_if_that_turn_is_lost(cancels: bool) -> None:
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Impatient.run, cancels, id="impatient"))
        while runtime.step():
            pass
        stopped = handle.signal(Impatient.stop)
        while not performed:
            assert runtime.perform_activity()
        runtime.store.fail_commit()
        # One sweep takes both.
        runtime.hands.dispatcher.sweep()
        with pytest.raises(JournalWriteError):
            stopped.get(timeout=0)

        runtime.advance(5)

        assert runtime.wait(handle.result()) == "cup brewed"
    assert performed == {"cup": 1}


def test_a_timeout_behind_an_end_that_is_lost_ends_the_run_all_the_same() -> None:
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Collector.run, id="collector", run_timeout=10))
        terminated, result = handle.terminate(reason="enough"), handle.result()
        runtime.clock.advance(10.5)
        runtime.store.fail_commit()
        runtime.hands.dispatcher.sweep()
        with pytest.raises(JournalWriteError):
            terminated.get(timeout=0)

        runtime.advance(5)

        assert isinstance(result.exception(), WorkflowFailureError)
