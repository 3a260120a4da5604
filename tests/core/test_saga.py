"""A saga undoes what was done, last first, when a later step fails or the run is asked to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from greenroom import ActivityError, ApplicationError, activity, workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CancelWorkflow, ContinueAsNew, ScheduleActivity
from greenroom.runtime.core.messages import CancelRequested
from tests.core.driving import Drive, driving

Start = Callable[..., Drive]


def said(text: str) -> ActivityError:
    error = ActivityError("activity failed")
    error.__cause__ = ApplicationError(text)
    return error


@activity.defn(name="saga.refund", start_to_close_timeout=5)
def refund(order: str, cents: int = 1) -> None:
    """Gives money back."""


@workflow.defn
async def booking(parallel: bool = False) -> str:
    async with workflow.Saga(parallel=parallel) as saga:
        saga.add(refund, "order", 300, summary="back")
        await workflow.execute_activity("charge")
        saga.add("unreserve", 7)
        await workflow.execute_activity("reserve")
    return "booked"


def test_a_block_that_ends_well_undoes_nothing(drive: Start) -> None:
    run = drive(booking)
    run.complete(1)
    run.complete(2)

    assert (run.result, run.names()) == ("booked", ["charge", "reserve", ""])


def test_a_failure_undoes_the_steps_last_first_and_is_raised_again(drive: Start) -> None:
    run = drive(booking)
    run.complete(1)
    run.fail(2, said("no seat"))

    assert run.names() == ["charge", "reserve", "unreserve"]
    run.complete(3)
    assert run.names()[3:] == ["saga.refund"]
    run.complete(4)
    assert isinstance(run.failure, ActivityError)
    assert str(run.failure.__cause__) == "no seat"
    asked = run.all_of(ScheduleActivity)
    assert [run.converter.decode(each.args) for each in asked[2:]] == [[7], ["order", 300]]
    assert (asked[3].options.start_to_close_timeout_ns, asked[3].options.summary) == (5_000_000_000, "back")


def test_only_what_was_added_before_the_failure_is_undone(drive: Start) -> None:
    run = drive(booking)
    run.fail(1, said("no money"))
    run.complete(2)

    assert run.names() == ["charge", "saga.refund", ""]
    assert str(run.failure.__cause__) == "no money"


def test_parallel_compensations_begin_together_last_first(drive: Start) -> None:
    run = drive(booking, True)
    run.complete(1)
    run.fail(2, said("no seat"))

    assert run.names()[2:] == ["unreserve", "saga.refund"]
    run.complete(4)
    assert not run.execution.is_closed
    run.complete(3)
    assert str(run.failure.__cause__) == "no seat"


@pytest.mark.parametrize("parallel", [False, True])
def test_a_run_that_is_cancelled_undoes_its_steps_and_is_cancelled(drive: Start, parallel: bool) -> None:
    run = drive(booking, parallel)
    run.complete(1)
    run.send(CancelRequested("enough"))
    for number in [each.id for each in run.all_of(ScheduleActivity)][2:3]:
        run.complete(number)
    run.complete(run.all_of(ScheduleActivity)[3].id)

    assert [each.name for each in run.all_of(ScheduleActivity)][2:] == ["unreserve", "saga.refund"]
    assert isinstance(run.execution.closing, CancelWorkflow)


@pytest.mark.parametrize("parallel", [False, True])
def test_a_cancellation_does_not_stop_what_is_being_undone(drive: Start, parallel: bool) -> None:
    run = drive(booking, parallel)
    run.complete(1)
    run.fail(2, said("no seat"))
    run.send(CancelRequested("enough"))
    assert not run.execution.is_closed
    run.complete(3)
    run.complete(4)

    assert str(run.failure.__cause__) == "no seat"


def said_by(caplog: pytest.LogCaptureFixture) -> set[str]:
    """What the log was told, which is told again when the prefixes are gone through."""
    return {record.getMessage().partition(" (")[0] for record in caplog.records}


@pytest.mark.parametrize("parallel", [False, True])
def test_a_compensation_that_fails_keeps_no_other_from_being_done(
    caplog: pytest.LogCaptureFixture, parallel: bool
) -> None:
    with driving() as drive:
        run = drive(booking, parallel)
        run.complete(1)
        run.fail(2, said("no seat"))
        run.fail(3, said("no such seat"))
        run.complete(4)

        assert str(run.failure.__cause__) == "no seat"
        told = "the compensation 'unreserve' failed: ActivityError: activity ''"
        assert told in str(vars(run.failure)["stack"])
        assert said_by(caplog) == {told}


@workflow.defn
class ByHand:
    """Undoes by functions of its own, and when it likes."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def note(self, what: str) -> None:
        self.done.append(what)

    async def later(self, what: str) -> None:
        await workflow.sleep(1)
        self.done.append(what)
        if what == "fails":
            raise ApplicationError("it does")

    @workflow.run
    async def run(self, last: str) -> list[str]:
        saga = workflow.Saga()
        saga.add(self.note, "first")
        saga.add(self.later, last)
        try:
            await saga.compensate()
        except ExceptionGroup as group:
            self.done.append(f"{group.message}: {group.exceptions[0]}")
        await saga.compensate()
        return [*self.done, *map(str, saga.failures)]


def test_functions_of_the_workflow_compensate_too_and_each_once(drive: Start) -> None:
    run = drive(ByHand, "second")
    run.fire()

    assert run.result == ["second", "first"]


def test_by_hand_what_fails_is_raised_once_all_is_done(caplog: pytest.LogCaptureFixture) -> None:
    with driving() as drive:
        run = drive(ByHand, "fails")
        run.fire()

        assert run.result == ["fails", "first", "1 of the compensations failed: it does", "it does"]
        assert said_by(caplog) == {"the compensation 'ByHand.later' failed: ApplicationError: it does"}


def test_by_hand_a_cancellation_comes_once_all_is_done(drive: Start) -> None:
    run = drive(ByHand, "second")
    run.send(CancelRequested("enough"))
    assert not run.execution.is_closed
    run.fire()

    assert isinstance(run.execution.closing, CancelWorkflow)


@workflow.defn
async def within_a_limit() -> str:
    try:
        async with workflow.timeout(5), workflow.Saga() as saga:
            saga.add("undo")
            await workflow.execute_activity("do")
    except TimeoutError:
        return "late, and undone"
    return "in time"


def test_a_timeout_around_the_block_undoes_its_steps(drive: Start) -> None:
    run = drive(within_a_limit)
    run.fire()
    run.complete(run.all_of(ScheduleActivity)[1].id)

    assert run.result == "late, and undone"


@workflow.defn
async def buggy() -> None:
    async with workflow.Saga() as saga:
        saga.add("undo")
        await workflow.execute_activity("do")
        raise KeyError("a bug")


def test_a_bug_undoes_nothing(drive: Start) -> None:
    run = drive(buggy)

    with pytest.raises(WorkflowBugError, match="a bug"):
        run.complete(1)
    assert run.execution.asked() == []


@workflow.defn
async def undone_by_a_bug(parallel: bool) -> None:
    def bug() -> None:
        raise KeyError("a bug")

    async with workflow.Saga(parallel=parallel) as saga:
        saga.add(bug)
        saga.add("undo")
        raise ApplicationError("no")


def test_a_bug_in_a_compensation_is_a_bug_of_the_run_and_waits_for_no_other(drive: Start) -> None:
    with pytest.raises(WorkflowBugError, match="a bug"):
        drive(undone_by_a_bug, True)

    run = drive(undone_by_a_bug, False)
    with pytest.raises(WorkflowBugError, match="a bug"):
        run.complete(1)


def test_what_is_no_compensation_is_refused() -> None:
    saga = workflow.Saga()
    wrong: Any = 5
    call: Any = ByHand().later("second")

    with pytest.raises(TypeError, match="a compensation is an activity or a function, and this is 5"):
        saga.add(wrong)
    with pytest.raises(TypeError, match=r"this is a call of ByHand.later\(\); pass later itself"):
        saga.add(call)
    with pytest.raises(TypeError, match=r"print is no activity and takes no options \(summary\)"):
        saga.add(print, summary="a line")


@workflow.defn
async def booking_again(number: int, parallel: bool = False) -> str:
    async with workflow.Saga(parallel=parallel) as saga:
        saga.add("unreserve", number)
        await workflow.execute_activity("reserve")
        if number < 2:
            workflow.continue_as_new(number + 1, parallel)
    return "booked"


@pytest.mark.parametrize("parallel", [False, True])
def test_a_block_that_is_left_to_go_on_as_a_new_run_undoes_nothing(drive: Start, parallel: bool) -> None:
    run = drive(booking_again, 1, parallel)
    run.complete(1)

    (command,) = run.all_of(ContinueAsNew)
    assert run.converter.decode_args(command.args, None) == [2, parallel]
    assert run.names() == ["reserve", command.name]
