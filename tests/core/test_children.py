"""Children as a run has them: what it asks for, what it hears of them, and what it means to give one up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from greenroom import CancelledError, ChildWorkflowError, workflow
from greenroom import ChildWorkflowCancellationType as Cancel
from greenroom.runtime.core.commands import RequestCancelChild, SignalExternal, StartChild
from greenroom.runtime.core.messages import (
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ExternalSignalResolved,
    Message,
)
from greenroom.runtime.model.failure_writing import to_failure
from greenroom.runtime.model.failures import Failure
from tests.core.driving import Drive

Start = Callable[..., Drive]

KINDS = list(Cancel)
ASKING = [kind for kind in KINDS if kind is not Cancel.ABANDON]


def cancelled_child() -> Failure:
    error = ChildWorkflowError("child workflow failed")
    error.__cause__ = CancelledError("as asked")
    return to_failure(error, Drive(telling).converter)


@workflow.defn
async def telling() -> str:
    child = await workflow.start_child_workflow("kid", id="kid")
    await child.signal("tell", 1)
    return str(await child)


def test_a_signal_to_a_child_is_for_that_child_and_for_nobody_else_of_its_id(drive: Start) -> None:
    run = drive(telling)
    run.send(ChildStarted(1, "run-2"))
    run.send(ExternalSignalResolved(2))
    run.send(ChildCompleted(1, run.converter.encode("done")))

    (signal,) = run.all_of(SignalExternal)
    assert (signal.workflow_id, signal.child) == ("kid", 1)
    assert run.result == "done"


@workflow.defn
async def giving_up(kind: Cancel, at_once: bool) -> str:
    task = asyncio.create_task(workflow.execute_child_workflow("kid", id="kid", cancellation_type=kind))
    await (asyncio.sleep(0) if at_once else workflow.signal_channel().receive("enough"))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        await workflow.signal_channel().receive("end")
        return "given up"
    return "heard"


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_that_is_given_up_in_its_own_turn_is_never_started(drive: Start, kind: Cancel) -> None:
    run = drive(giving_up, kind, True)

    run.signal("end")

    assert run.all_of(StartChild) == []
    assert run.all_of(RequestCancelChild) == []
    assert run.execution.pending == {}
    assert run.result == "given up"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_heard_of_a_child_that_is_given_up_before_it_has_started(
    drive: Start, kind: Cancel, fails: bool
) -> None:
    run = drive(giving_up, kind, False)
    run.signal("enough")

    run.send(ChildStarted(1, "run-2"))
    end: Message = ChildFailed(1, cancelled_child()) if fails else ChildCompleted(1, run.converter.encode(1))
    run.send(end)
    run.signal("end")

    assert [each.id for each in run.all_of(RequestCancelChild)] == ([] if kind is Cancel.ABANDON else [1])
    assert run.execution.pending == {}
    assert run.result == "given up"


@workflow.defn
async def cancelling(kind: Cancel) -> str:
    child = await workflow.start_child_workflow("kid", id="kid", cancellation_type=kind)
    await workflow.signal_channel().receive("enough")
    child.cancel()
    try:
        found = f"result {await child}"
    except asyncio.CancelledError:
        found = "cancelled"
    await workflow.signal_channel().receive("end")
    return found


@pytest.mark.parametrize(
    ("kind", "heard", "result"),
    [
        (Cancel.ABANDON, [], "cancelled"),
        (Cancel.TRY_CANCEL, [], "cancelled"),
        (Cancel.WAIT_CANCELLATION_REQUESTED, [ChildCancelRequested(1)], "cancelled"),
        (Cancel.WAIT_CANCELLATION_COMPLETED, [ChildFailed(1, cancelled_child())], "cancelled"),
        (Cancel.WAIT_CANCELLATION_COMPLETED, [ChildCompleted(1, b"\x01\x07")], "result 7"),
    ],
)
def test_what_a_cancelled_child_is_waited_for_is_as_its_type_says(
    drive: Start, kind: Cancel, heard: list[Message], result: str
) -> None:
    run = drive(cancelling, kind)
    run.send(ChildStarted(1, "run-2"))
    run.signal("enough")
    for message in heard:
        run.signal("early")
        assert not run.execution.is_closed
        run.send(message)

    run.signal("end")

    assert [each.id for each in run.all_of(RequestCancelChild)] == ([1] if kind in ASKING else [])
    assert run.result == result


@workflow.defn
async def naming_none() -> list[str]:
    children = [await workflow.start_child_workflow("kid") for _ in range(2)]
    return [child.workflow_id for child in children]


def test_a_child_without_an_id_gets_one_of_the_runs_own_random_numbers(drive: Start) -> None:
    run, other = drive(naming_none), drive(naming_none, run_id="run-9")
    for each in (run, other):
        each.send(ChildStarted(1, "run-2"))
        each.send(ChildStarted(2, "run-3"))

    # Each turn is taken anew behind a replay of those before it, and must ask for the same.
    assert len({*run.result, *other.result}) == 4


def keeping(kind: Cancel, child_id: str) -> Any:
    @workflow.defn(name="keeping")
    async def keeps() -> list[str]:
        child = await workflow.start_child_workflow("kid", id=child_id, cancellation_type=kind)
        await workflow.signal_channel().receive("enough")
        child.cancel()
        try:
            found = str(await child)
        except asyncio.CancelledError:
            found = "cancelled"
        return [child.workflow_id, found]

    return keeps


def test_a_child_that_was_started_is_replayed_as_it_was_whatever_the_code_says_of_it_now(drive: Start) -> None:
    run = drive(keeping(Cancel.WAIT_CANCELLATION_COMPLETED, "kid"))
    run.send(ChildStarted(1, "run-2"))
    run.signal("enough")
    run.send(ChildCompleted(1, run.converter.encode("done")))
    assert run.result == ["kid", "done"]

    again = run.replayed(target=keeping(Cancel.ABANDON, "another"))

    assert again.closing == run.execution.closing
    run.put_away(again)


@workflow.defn
async def insisting() -> str:
    child = await workflow.start_child_workflow("kid", id="kid")
    for _ in range(3):
        await workflow.signal_channel().receive("enough")
        child.cancel()
        child.cancel()
    return str(await child)


def test_a_child_is_asked_to_end_once_however_often_it_is_cancelled(drive: Start) -> None:
    run = drive(insisting)
    run.send(ChildStarted(1, "run-2"))
    for _ in range(3):
        run.signal("enough")

    run.send(ChildCompleted(1, run.converter.encode("done")))

    assert [each.id for each in run.all_of(RequestCancelChild)] == [1]
    assert run.result == "done"
