"""How a run ends: failures close it, bugs are not recorded, what comes first counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CompleteWorkflow, FailWorkflow, StartTimer
from greenroom.runtime.core.messages import RunTerminated, RunTimedOut
from greenroom.runtime.model import errors
from greenroom.runtime.model.errors import ApplicationError, PayloadDecodeError, PayloadEncodeError
from tests.core.driving import Drive

Start = Callable[..., Drive]


class Declined(Exception):
    """A failure by declaration."""


class Refused(errors.FailureError):
    """A failure by its base."""


RAISED: dict[str, Callable[[], BaseException]] = {
    "application": lambda: ApplicationError("wrong", type="Wrong"),
    "own timeout": lambda: errors.TimeoutError("late", type=errors.TimeoutType.RUN),
    "activity": lambda: errors.ActivityError(activity_type="a"),
    "child": lambda: errors.ChildWorkflowError(workflow_type="w"),
    "terminated": lambda: errors.TerminatedError("enough"),
    "taken": lambda: errors.WorkflowAlreadyStartedError("w"),
    "of a class of its own": lambda: Refused("no"),
    "timeout": lambda: TimeoutError("late"),
    "cancelled": asyncio.CancelledError,
    "declared": lambda: Declined("no"),
    "told to the runtime": lambda: LookupError("no"),
    "bug": lambda: ValueError("a bug"),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "deep": RecursionError,
}


@workflow.defn(failure_exception_types=(Declined,))
async def raising(what: str) -> None:
    raise RAISED[what]()


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("application", ApplicationError),
        ("own timeout", errors.TimeoutError),
        ("activity", errors.ActivityError),
        ("child", errors.ChildWorkflowError),
        ("terminated", errors.TerminatedError),
        ("taken", errors.WorkflowAlreadyStartedError),
        ("of a class of its own", ApplicationError),
        ("timeout", errors.FailureError),
        ("cancelled", errors.CancelledError),
        ("declared", ApplicationError),
        ("told to the runtime", ApplicationError),
    ],
)
def test_a_failure_closes_the_run(drive: Start, what: str, kind: type[BaseException]) -> None:
    run = drive(raising, what, failure_types=(LookupError,))

    assert isinstance(run.failure, kind)
    assert run.execution.is_closed


@pytest.mark.parametrize("what", ["bug", "told to the runtime", "exit", "interrupt", "deep"])
def test_anything_else_is_a_bug_that_is_not_recorded(drive: Start, what: str) -> None:
    run = drive(raising, what, start=False)

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)

    assert type(caught.value.__cause__) is type(RAISED[what]())
    assert not run.execution.is_closed


@workflow.defn(failure_exception_types=(Declined,))
async def raising_in_a_group(*names: str) -> None:
    async def inner(name: str) -> None:
        raise RAISED[name]()

    async def nested(name: str) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(inner(name))

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(nested(name) if name == "declared" else inner(name))


@pytest.mark.parametrize("what", ["application", "timeout", "declared"])
def test_a_group_of_one_failure_closes_the_run_as_that_failure(drive: Start, what: str) -> None:
    plain, group = drive(raising, what), drive(raising_in_a_group, what)

    assert (type(group.failure), str(group.failure)) == (type(plain.failure), str(plain.failure))


def test_a_group_of_failures_closes_the_run_with_one_that_names_them_all(drive: Start) -> None:
    run = drive(raising_in_a_group, "application", "declared", "own timeout")

    assert (
        str(run.failure)
        == "ExceptionGroup: 3 failures: ApplicationError: Wrong: wrong; TimeoutError: late; Declined: no"
    )
    assert str(run.failure.__cause__) == "Wrong: wrong"


def test_a_group_with_a_bug_in_it_is_a_bug(drive: Start) -> None:
    run = drive(raising_in_a_group, "application", "bug", start=False)

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)

    assert isinstance(caught.value.__cause__, ExceptionGroup)


def test_a_group_with_a_bug_in_it_fails_the_run_if_the_runtime_says_so(drive: Start) -> None:
    run = drive(raising_in_a_group, "application", "bug", failure_types=(ExceptionGroup,))

    assert "unhandled errors in a TaskGroup" in str(run.failure)


@workflow.defn
async def with_two_bugs() -> None:
    asyncio.get_running_loop().call_soon(dict[str, int]().popitem)
    raise ValueError("the first bug")


def test_the_first_of_two_bugs_is_told(drive: Start) -> None:
    run = drive(with_two_bugs, start=False)

    with pytest.raises(WorkflowBugError, match="the first bug"):
        run.send(run.started)


@workflow.defn
async def taking(number: int) -> int:
    return number


@pytest.mark.parametrize("payload", [b"", b"\x01\xc1", b"\x07"])
def test_start_arguments_that_cannot_be_decoded_are_a_bug(drive: Start, payload: bytes) -> None:
    run = drive(taking, start=False, payload=payload)

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)

    assert isinstance(caught.value.__cause__, PayloadDecodeError)


def test_start_arguments_that_cannot_be_decoded_fail_the_run_if_the_runtime_says_so(drive: Start) -> None:
    run = drive(taking, "text", failure_types=(Exception,))

    assert isinstance(run.failure, ApplicationError)
    assert "PayloadDecodeError" in str(run.failure)


def test_too_few_start_arguments_are_a_bug(drive: Start) -> None:
    run = drive(taking, start=False)

    with pytest.raises(WorkflowBugError, match="number"):
        run.send(run.started)


@workflow.defn
async def returning_what_cannot_be_stored() -> object:
    return object()


def test_a_result_that_cannot_be_stored_is_a_bug(drive: Start) -> None:
    run = drive(returning_what_cannot_be_stored, start=False)

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)

    assert isinstance(caught.value.__cause__, PayloadEncodeError)


@workflow.defn(name="core tests: price")
async def price() -> int:
    return cast("int", "3 EUR")


@workflow.defn(name="core tests: price")
async def price_as_text() -> str:
    return "3 EUR"


MISFIT = "workflow 'core tests: price' returned '3 EUR', which does not fit its annotation, int: a str where int is"


def test_a_result_of_another_type_is_a_bug_that_names_the_workflow_and_both_types(drive: Start) -> None:
    run = drive(price, start=False)

    with pytest.raises(WorkflowBugError, match=MISFIT) as caught:
        run.send(run.started)

    assert isinstance(caught.value.__cause__, PayloadDecodeError)
    assert caught.value.__cause__.__cause__ is None
    assert not run.execution.is_closed


def test_a_result_of_another_type_fails_the_run_if_the_runtime_says_so(drive: Start) -> None:
    run = drive(price, failure_types=(Exception,))

    assert MISFIT in str(run.failure)


def test_a_result_that_the_history_has_stands_though_it_does_not_fit(drive: Start) -> None:
    run = drive(price_as_text)

    again = run.replayed(target=price)

    assert isinstance(again.closing, CompleteWorkflow)
    run.put_away(again)


@workflow.defn
class FailingInit:
    @workflow.init
    def __init__(self, number: int) -> None:
        if number:
            raise ApplicationError("not in the mood")
        raise ValueError("a bug in __init__")

    @workflow.run
    async def run(self, number: int) -> None:
        """Never gets here."""


def test_a_failure_in_init_closes_the_run(drive: Start) -> None:
    assert str(drive(FailingInit, 1).failure) == "not in the mood"


def test_a_bug_in_init_is_a_bug(drive: Start) -> None:
    run = drive(FailingInit, 0, start=False)

    with pytest.raises(WorkflowBugError, match="a bug in __init__"):
        run.send(run.started)


@workflow.defn
class First:
    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    async def fail(self) -> None:
        self.go = True
        await asyncio.sleep(0)
        raise ApplicationError("the handler fails")

    @workflow.signal
    def fail_at_once(self) -> None:
        self.go = True
        raise ApplicationError("the handler fails at once")

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.go)
        return "completed"


def test_a_handler_that_fails_before_the_main_function_returns_wins(drive: Start) -> None:
    run = drive(First)

    run.signal("fail_at_once")

    assert str(run.failure) == "the handler fails at once"
    assert [type(each) for each in run.last] == [FailWorkflow]


def test_a_handler_that_fails_in_the_turn_in_which_it_woke_the_main_function_wins(drive: Start) -> None:
    run = drive(First)

    run.signal("fail")

    assert [type(each) for each in run.last] == [FailWorkflow]


@workflow.defn
async def completing_first() -> str:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise ApplicationError("too late")

    async def asking() -> None:
        await asyncio.sleep(0)
        handle = workflow.start_activity("too late")
        timer = asyncio.create_task(workflow.sleep(5))
        await asyncio.sleep(0)
        handle.cancel()
        timer.cancel()
        workflow.side_effect(int)

    asyncio.get_running_loop().call_soon(lambda: None)
    tasks = [asyncio.create_task(failing()), asyncio.create_task(asking())]
    tasks[0].add_done_callback(lambda task: task.exception())
    workflow.start_activity("in time")
    return "first"


def test_what_is_asked_for_after_the_end_is_dropped(drive: Start) -> None:
    run = drive(completing_first)

    assert run.names() == ["in time", ""]
    assert [type(each) for each in run.last][1:] == [CompleteWorkflow]
    assert run.result == "first"


@workflow.defn
class ClosingTwice:
    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    async def fail(self) -> None:
        self.go = True
        await workflow.wait_condition(lambda: True)
        await asyncio.sleep(0)
        raise ApplicationError("second")

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.go)
        return "first"


def test_the_first_of_two_ends_in_a_turn_counts(drive: Start) -> None:
    run = drive(ClosingTwice)

    run.signal("fail")

    assert run.result == "first"


ASKED: list[str] = []


@workflow.defn
async def watching_the_clock() -> None:
    began = workflow.time_ns()

    def is_late() -> bool:
        ASKED.append("asked")
        return workflow.time_ns() > began

    await workflow.wait_condition(is_late)
    await workflow.sleep(1)


@pytest.mark.parametrize("message", [RunTimedOut(), RunTerminated("enough")])
def test_a_run_that_is_ended_from_outside_is_not_asked(drive: Start, message: Any) -> None:
    run = drive(watching_the_clock)
    ASKED.clear()

    asked = run.send(message, after=5)

    assert asked == []
    assert ASKED == []
    assert run.all_of(StartTimer) == []
    assert run.execution.is_closed
