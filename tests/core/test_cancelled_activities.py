"""What cancelling an activity means, by its type: no longer waiting, waiting for its answer, leaving it alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from greenroom import ActivityCancellationType, ActivityError, CancelledError, NondeterminismError, workflow
from greenroom.runtime.core.commands import CancelActivity, CancelWorkflow, RequestCancelActivity, ScheduleActivity
from greenroom.runtime.core.messages import CancelRequested
from tests.core.driving import Drive

Start = Callable[..., Drive]

TRY = ActivityCancellationType.TRY_CANCEL
WAIT = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
ABANDON = ActivityCancellationType.ABANDON


def cancelled_activity() -> ActivityError:
    error = ActivityError("activity failed")
    error.__cause__ = CancelledError("as asked")
    return error


@workflow.defn
async def cancelling(kind: ActivityCancellationType, times: int = 1) -> str:
    handle = workflow.start_activity("work", cancellation_type=kind)
    await workflow.execute_activity("before")
    for _ in range(times):
        handle.cancel()
    try:
        return f"result {await handle}"
    except asyncio.CancelledError:
        return "cancelled"
    except ActivityError as error:
        return f"failed: {error.cause}"


def test_tried_it_is_cancelled_at_once_and_nothing_is_heard_of_it_any_more(drive: Start) -> None:
    run = drive(cancelling, TRY)

    run.complete(2)

    assert [each.id for each in run.all_of(CancelActivity)] == [1]
    assert run.result == "cancelled"


@pytest.mark.parametrize("times", [1, 2])
def test_waited_for_it_is_asked_once_and_its_answer_counts(drive: Start, times: int) -> None:
    run = drive(cancelling, WAIT, times)

    run.complete(2)
    assert [each.id for each in run.last if isinstance(each, RequestCancelActivity)] == [1]
    assert not run.execution.is_closed
    run.fail(1, cancelled_activity())

    assert run.all_of(CancelActivity) == []
    assert run.result == "cancelled"


def test_waited_for_it_may_complete_all_the_same(drive: Start) -> None:
    run = drive(cancelling, WAIT)

    run.complete(2)
    run.complete(1, "there")

    assert run.result == "result there"


def test_waited_for_it_may_fail_of_something_else(drive: Start) -> None:
    run = drive(cancelling, WAIT)

    run.complete(2)
    error = ActivityError("activity failed")
    error.__cause__ = ValueError("cleaning up went wrong")
    run.fail(1, error)

    assert run.result == "failed: ValueError: cleaning up went wrong"


def test_one_that_answers_that_it_was_cancelled_without_being_asked_has_failed(drive: Start) -> None:
    run = drive(awaiting, WAIT)

    run.fail(1, cancelled_activity())

    assert run.result == "failed"


@workflow.defn
async def awaiting(kind: ActivityCancellationType) -> str:
    try:
        return str(await workflow.execute_activity("work", cancellation_type=kind))
    except ActivityError:
        return "failed"


def test_left_alone_nothing_is_asked_of_it_and_its_outcome_has_no_effect(drive: Start) -> None:
    run = drive(cancelling_and_going_on, ABANDON)

    run.complete(2)
    assert [type(each) for each in run.last] == [ScheduleActivity]
    run.complete(1, "nobody cares")
    run.complete(3)

    assert run.result == "went on"


@pytest.mark.parametrize("kind", [ABANDON, WAIT])
def test_a_failure_of_it_has_no_effect_either_if_nobody_awaits_it(drive: Start, kind: Any) -> None:
    run = drive(cancelling_and_going_on, kind)

    run.complete(2)
    run.fail(1, cancelled_activity())
    run.complete(3)

    assert run.result == "went on"


@workflow.defn
async def cancelling_and_going_on(kind: ActivityCancellationType) -> str:
    handle = workflow.start_activity("work", cancellation_type=kind)
    await workflow.execute_activity("before")
    handle.cancel()
    await workflow.execute_activity("after")
    return "went on"


@workflow.defn
async def taking_back(kind: ActivityCancellationType) -> str:
    handle = workflow.start_activity("work", cancellation_type=kind)
    handle.cancel()
    try:
        await handle
    except asyncio.CancelledError:
        return "cancelled"
    return "?"


@pytest.mark.parametrize("kind", list(ActivityCancellationType))
def test_whatever_the_type_one_that_nobody_has_seen_yet_is_taken_back(drive: Start, kind: Any) -> None:
    run = drive(taking_back, kind)

    assert run.result == "cancelled"
    assert run.all_of(ScheduleActivity) == []


@workflow.defn
async def timing_out(kind: ActivityCancellationType) -> str:
    try:
        async with asyncio.timeout(10):
            return f"result {await workflow.execute_activity('work', cancellation_type=kind)}"
    except TimeoutError:
        return "timed out"


def test_a_timeout_around_one_that_is_waited_for_ends_with_its_answer(drive: Start) -> None:
    run = drive(timing_out, WAIT)

    run.fire()
    assert not run.execution.is_closed
    run.fail(2, cancelled_activity())

    assert run.result == "timed out"


def test_a_timeout_does_not_undo_that_it_completed(drive: Start) -> None:
    run = drive(timing_out, WAIT)

    run.fire()
    run.complete(2, "just in time")

    assert run.result == "result just in time"


@workflow.defn
async def grouping(kind: ActivityCancellationType) -> str:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(workflow.execute_activity("work", cancellation_type=kind))
            group.create_task(workflow.execute_activity("fails"))
    except BaseExceptionGroup as errors:
        return str(len(errors.exceptions))
    return "?"


def test_a_group_waits_for_its_answer_and_fails_of_the_other_alone(drive: Start) -> None:
    run = drive(grouping, WAIT)
    error = ActivityError("activity failed")
    error.__cause__ = ValueError("no")

    run.fail(2, error)
    assert not run.execution.is_closed
    run.fail(1, cancelled_activity())

    assert run.result == "1"


def test_a_run_that_is_asked_to_end_waits_for_the_answer_of_its_activity(drive: Start) -> None:
    run = drive(awaiting, WAIT)

    run.send(CancelRequested("enough"))
    assert [type(each) for each in run.last] == [RequestCancelActivity]
    run.fail(1, cancelled_activity())

    assert isinstance(run.execution.closing, CancelWorkflow)


def test_a_replay_goes_by_the_type_that_was_recorded(drive: Start) -> None:
    kinds = [WAIT]

    @workflow.defn(name="cancelling a kind")
    async def cancelling_a_kind() -> str:
        handle = workflow.start_activity("work", cancellation_type=kinds[0])
        await workflow.execute_activity("before")
        handle.cancel()
        try:
            return str(await handle)
        except asyncio.CancelledError:
            return "cancelled"

    run = drive(cancelling_a_kind)
    run.complete(2)
    run.complete(1, "there")
    assert run.result == "there"

    kinds[0] = TRY
    execution = run.replayed()
    assert execution.closing == run.execution.closing
    run.put_away(execution)
    run.is_replayed = False


def test_code_that_no_longer_cancels_does_not_fit_the_history(drive: Start) -> None:
    run = drive(cancelling, WAIT)
    run.complete(2)

    @workflow.defn(name="cancelling")
    async def not_cancelling(kind: ActivityCancellationType) -> None:
        handle = workflow.start_activity("work", cancellation_type=kind)
        await workflow.execute_activity("before")
        await handle

    with pytest.raises(NondeterminismError, match="request-cancel-activity #1"):
        run.replayed(target=not_cancelling)
