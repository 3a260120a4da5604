"""Runs between being asked for and being on disk: nobody is told of one that may never be, and none is there twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom import workflow
from greenroom.actors import Future
from greenroom.runtime.model.errors import (
    JournalInUseError,
    JournalWriteError,
    MailboxFullError,
    RuntimeClosedError,
    WorkflowAlreadyStartedError,
    WorkflowNotFoundError,
)
from greenroom.runtime.model.options import WorkflowIDConflictPolicy
from greenroom.runtime.shell.targets import Target
from greenroom.storage import FencedError, check
from greenroom.testing import TestRuntime

USE = WorkflowIDConflictPolicy.USE_EXISTING
REPLACE = WorkflowIDConflictPolicy.TERMINATE_EXISTING


@workflow.defn
class Counter:
    def __init__(self) -> None:
        self.count = 0

    @workflow.run
    async def run(self, goal: int) -> int:
        await workflow.wait_condition(lambda: self.count >= goal)
        return self.count

    @workflow.signal
    def add(self) -> None:
        self.count += 1


@workflow.defn(name="Counter")
class BrokenCounter:
    """The counter as it was before it was mended."""

    @workflow.run
    async def run(self, goal: int) -> int:
        raise ZeroDivisionError(goal)


@workflow.defn
async def adds(to: str, times: int) -> str:
    """Signals another run, all in one turn, and gives what became of it."""
    target = workflow.get_external_workflow_handle(to)
    try:
        await asyncio.gather(*(target.signal(Counter.add) for _ in range(times)))
    except Exception as error:
        return str(getattr(error, "type", error))
    return "delivered"


@workflow.defn
class AddsWhenTold:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.run
    async def run(self, to: str) -> str:
        await workflow.wait_condition(lambda: self.is_told)
        return await adds(to, 1)

    @workflow.signal
    def go(self) -> None:
        self.is_told = True


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Counter, adds, AddsWhenTold], **options)


def unborn(runtime: TestRuntime) -> dict[str, object]:
    """The actors that the directory keeps because the journal does not have their runs, by workflow id."""
    kept: dict[str, object] = vars(runtime.hands.directory)["_unborn"]
    return kept


def statuses(futures: list[Future[Any]]) -> list[type[BaseException] | None]:
    """Of each future the class of its error, or None if it has none."""
    return [None if error is None else type(error) for error in (future.exception() for future in futures)]


# Once the start is on disk.


def test_nothing_keeps_the_actor_of_a_run_that_is_on_disk() -> None:
    with make() as runtime:
        runtime.wait(runtime.start_workflow(Counter.run, 1, id="counter"))

        kept = dict(unborn(runtime))
        runtime.hands.directory.evict()

        assert kept == {}
        assert len(runtime.hands.directory) == 0


def test_nothing_keeps_the_actor_of_a_run_that_could_not_be_written() -> None:
    with make() as runtime:
        runtime.store.fail_commit(1)
        start = runtime.start_workflow(Counter.run, 1, id="counter")
        runtime.run_until_idle()

        assert statuses([start]) == [JournalWriteError]
        assert unborn(runtime) == {}
        assert len(runtime.hands.directory) == 0


def test_a_start_that_uses_a_run_which_was_put_away_wakes_no_second_actor() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Counter.run, 3, id="counter"))
        runtime.hands.directory.evict()
        sender = runtime.start_workflow(adds, "counter", 1, id="sender")
        runtime.step()
        again = runtime.start_workflow(Counter.run, 3, id="counter", id_conflict_policy=USE)

        signals = [handle.signal(Counter.add) for _ in range(2)]
        runtime.run_until_idle()

        assert statuses([*signals]) == [None, None]
        assert runtime.wait(again).run_id == runtime.recorded()[0].header.run_id
        assert runtime.wait(runtime.wait(sender).result()) == "delivered"
        assert runtime.wait(handle.result()) == 3
        assert check(runtime.hands.journal) == []


# Before it.


def test_a_signal_to_a_run_whose_start_is_only_queued_finds_nobody() -> None:
    with make() as runtime:
        sending = runtime.start_workflow(adds, "counter", 1, id="sender")
        queued = runtime.start_workflow(Counter.run, 1, id="counter")
        runtime.step()

        assert (sending.done(), queued.done()) == (True, False)
        assert check(runtime.hands.journal) == []
        runtime.crash()
        sender = runtime.get_workflow_handle("sender")
        assert runtime.wait(sender.result()) == "ExternalWorkflowExecutionNotFound"
        with pytest.raises(WorkflowNotFoundError):
            runtime.wait(runtime.get_workflow_handle("counter").describe())


def test_a_signal_to_a_run_whose_start_stands_in_the_same_sweep_goes_to_disk_with_it() -> None:
    with make() as runtime:
        counter = runtime.start_workflow(Counter.run, 1, id="counter")
        sender = runtime.start_workflow(adds, "counter", 1, id="sender")
        commits = runtime.store.commits

        runtime.hands.dispatcher.sweep()

        assert runtime.store.commits == commits + 1
        assert runtime.wait(runtime.wait(sender).result()) == "delivered"
        assert runtime.wait(runtime.wait(counter).result()) == 1


def test_a_signal_to_a_run_that_is_tried_again_from_its_start_is_delivered() -> None:
    broken = TestRuntime(workflows=[BrokenCounter, adds])
    with broken as runtime:
        # It is suspended before its first turn.
        runtime.wait(runtime.start_workflow(BrokenCounter.run, 1, id="counter"))

    with make(store=broken.store.inner, clock=broken.clock) as runtime:
        sender = runtime.start_workflow(adds, "counter", 1, id="sender")

        assert runtime.wait(runtime.wait(sender).result()) == "delivered"
        assert runtime.wait(runtime.get_workflow_handle("counter").result()) == 1


@pytest.mark.parametrize("is_written", [True, False])
def test_what_is_said_of_a_run_is_said_after_its_start_or_fails_with_it(is_written: bool) -> None:
    with make() as runtime:
        other = runtime.start_workflow(Counter.run, 1, id="other")
        start = runtime.start_workflow(Counter.run, 1, id="counter")
        handle = runtime.get_workflow_handle("counter")
        told: list[Future[Any]] = [
            runtime.start_workflow(Counter.run, 1, id="counter"),
            runtime.start_workflow(Counter.run, 1, id="counter", id_conflict_policy=USE),
            runtime.hands.desk.find(Target("counter", "")),
            handle.describe(),
            handle.resume(),
        ]
        # All of it is asked, and the turn of another run is written: nothing is known of this one yet.
        runtime.step()
        assert other.done()
        assert not any(future.done() for future in (start, *told))

        if not is_written:
            runtime.store.fail_commit(1)
        while runtime.step():
            pass

        if is_written:
            assert statuses([start, *told]) == [None, WorkflowAlreadyStartedError, None, None, None, None]
        else:
            assert statuses([start, *told]) == [JournalWriteError] * 6
            assert runtime.hands.journal.current_run("counter") is None


@pytest.mark.parametrize("is_written", [True, False])
def test_what_is_said_of_a_run_that_began_in_the_open_sweep_waits_for_the_disk(is_written: bool) -> None:
    with make() as runtime:
        start = runtime.start_workflow(Counter.run, 1, id="counter")
        again = runtime.start_workflow(Counter.run, 1, id="counter")
        if not is_written:
            runtime.store.fail_commit(1)

        runtime.hands.dispatcher.sweep()

        expected = [None, WorkflowAlreadyStartedError] if is_written else [JournalWriteError] * 2
        assert statuses([start, again]) == expected


@pytest.mark.parametrize("is_written", [True, False])
def test_a_start_that_replaces_a_queued_one_fares_as_that_does(is_written: bool) -> None:
    with make() as runtime:
        other = runtime.start_workflow(Counter.run, 1, id="other")
        first = runtime.start_workflow(Counter.run, 1, id="counter")
        second = runtime.start_workflow(Counter.run, 1, id="counter", id_conflict_policy=REPLACE)
        runtime.step()
        assert other.done()
        if not is_written:
            runtime.store.fail_commit(1)

        runtime.run_until_idle()

        if is_written:
            assert runtime.wait(first).run_id != runtime.wait(second).run_id
            assert runtime.wait(runtime.get_workflow_handle("counter").describe()).run_id == second.get().run_id
        else:
            assert statuses([first, second]) == [JournalWriteError] * 2
        assert unborn(runtime) == {}


# When the journal is lost, and when the runtime closes.


def test_what_was_asked_while_the_journal_was_being_lost_is_refused_with_the_reason() -> None:
    with make(check_leaks=False) as runtime:
        one, other, ended = (
            runtime.wait(runtime.start_workflow(Counter.run, goal, id=f"counter-{goal}")) for goal in (9, 8, 0)
        )
        runtime.wait(ended.result())
        error = FencedError("the journal")
        runtime.store.fail_commit(1, error)
        asked: list[Future[Any]] = []

        def ask(done: Future[None]) -> None:
            asked.extend(
                [
                    one.result(),
                    other.signal(Counter.add),
                    other.describe(),
                    ended.result(),
                    runtime.hands.desk.find(Target("counter-8", "")),
                    other.resume(),
                    runtime.start_workflow(Counter.run, 1, id="new"),
                    runtime.execute_workflow(Counter.run, 1, id="newer"),
                ]
            )

        lost = one.signal(Counter.add)
        lost.add_done_callback(ask)
        runtime.run_until_idle()

        reason = lost.exception()
        assert reason is not None
        assert statuses(asked) == [type(reason)] * 8


def test_a_replacement_that_waits_while_the_journal_is_lost_is_refused_with_the_reason() -> None:
    with make(check_leaks=False) as runtime:
        first = runtime.wait(runtime.start_workflow(Counter.run, 1, id="counter"))
        other = runtime.wait(runtime.start_workflow(Counter.run, 1, id="other"))
        # One commit ends the first run. More is asked than a sweep takes, so that the next, which is the last, comes
        # before the new run can begin.
        runtime.store.fail_commit(2, FencedError("the journal"))
        replacement = runtime.start_workflow(Counter.run, 1, id="counter", id_conflict_policy=REPLACE)
        for _ in range(1500):
            runtime.hands.desk.find(Target("other", ""))
        lost = other.signal(Counter.add)
        for _ in range(1500):
            runtime.hands.desk.find(Target("other", ""))

        while runtime.hands.dispatcher.sweep():
            pass

        assert statuses([lost, replacement]) == [JournalInUseError] * 2
        assert [run.header.run_id for run in runtime.recorded() if run.header.closed_ns] == [first.run_id]
        assert len(runtime.recorded()) == 2


def test_a_run_that_was_queued_when_the_journal_was_lost_takes_no_turn(caplog: pytest.LogCaptureFixture) -> None:
    with make(check_leaks=False) as runtime:
        first = runtime.start_workflow(Counter.run, 1, id="first")
        second = runtime.start_workflow(Counter.run, 1, id="second")
        runtime.store.fail_commit(1, FencedError("the journal"))
        commits = runtime.store.commits

        runtime.run_until_idle()

        assert statuses([first, second]) == [JournalInUseError] * 2
        assert runtime.store.commits == commits + 1
        assert [run.header.workflow_id for run in runtime.recorded()] == []
        assert "suspended" not in caplog.text


def test_what_was_asked_before_closing_is_still_done() -> None:
    runtime = make().open()
    handle = runtime.wait(runtime.start_workflow(Counter.run, 1, id="counter"))
    signal = handle.signal(Counter.add)
    result = handle.result()

    runtime.close()

    assert statuses([signal]) == [None]
    assert result.get(timeout=0) == 1
    assert statuses([handle.describe()]) == [RuntimeClosedError]


# What waits for a run.


def test_signals_between_runs_count_once_against_the_limit_of_a_mailbox() -> None:
    with make(mailbox_limit=4) as runtime:
        counter = runtime.wait(runtime.start_workflow(Counter.run, 4, id="counter"))
        runtime.start_workflow(adds, "counter", 3, id="sender")
        runtime.step()

        # Three wait, in memory and on disk.
        fits, does_not = counter.signal(Counter.add), counter.signal(Counter.add)
        runtime.run_until_idle()

        assert statuses([fits, does_not]) == [None, MailboxFullError]
        assert runtime.wait(counter.result()) == 4


def test_a_signal_of_a_run_finds_a_mailbox_full_that_clients_have_filled() -> None:
    with make(mailbox_limit=4) as runtime:
        counter = runtime.wait(runtime.start_workflow(Counter.run, 4, id="counter"))
        sender = runtime.wait(runtime.start_workflow(AddsWhenTold.run, "counter", id="sender"))
        sender.signal(AddsWhenTold.go)
        for _ in range(4):
            counter.signal(Counter.add)
        # One turn, that of the sender; the four are still to be taken.
        runtime.step()

        assert runtime.wait(sender.result()) == "MailboxFull"
        assert runtime.wait(counter.result()) == 4
