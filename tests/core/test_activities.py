"""Activities are scheduled when they are called, in the order of the calls; a handle is a future of the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from greenroom.runtime import activity, workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CancelActivity, ScheduleActivity
from greenroom.runtime.model.errors import ApplicationError, PayloadDecodeError
from greenroom.runtime.model.options import ActivityOptions
from greenroom.runtime.model.retry import RetryPolicy
from tests.core.driving import Drive

Start = Callable[..., Drive]


@dataclass
class Order:
    """Something to pay for."""

    item: str
    price: int = 1


@activity.defn(name="core tests: charge", start_to_close_timeout=5, summary="its own")
def charge(order: Order) -> Order:
    return order


@activity.defn(name="core tests: ship")
async def ship(item: str, count: int = 1) -> int:
    return len(item) * count


class Shop:
    """A class with activities."""

    @activity.defn(name="core tests: pack")
    def pack(self, item: str) -> str:
        return item


@workflow.defn
async def calling() -> list[Any]:
    workflow.start_activity("never awaited")
    order = await workflow.execute_activity(charge, Order("book"))
    return [type(order).__name__, order.price, await workflow.execute_activity(ship, "book", 2)]


def test_an_activity_is_scheduled_when_it_is_called_even_if_nobody_awaits_it(drive: Start) -> None:
    run = drive(calling)

    run.complete(2, Order("book", 7))
    run.complete(3, 8)

    assert run.names()[:3] == ["never awaited", "core tests: charge", "core tests: ship"]
    assert run.result == ["Order", 7, 8]


def test_every_command_says_where_in_the_code_it_was_asked_for(drive: Start) -> None:
    run = drive(calling)

    assert all(each.site.startswith("tests/core/test_activities.py:") for each in run.all_of(ScheduleActivity))


@workflow.defn
async def calling_methods() -> str:
    handle = workflow.start_activity_method(Shop.pack, "one")
    return str(await handle) + str(await workflow.execute_activity_method(Shop.pack, "two"))


def test_a_method_is_called_by_its_class(drive: Start) -> None:
    run = drive(calling_methods)

    run.complete(1, "1")
    run.complete(2, "2")

    assert run.result == "12"


@workflow.defn
async def with_options() -> None:
    workflow.start_activity(charge, Order("x"))
    workflow.start_activity(
        charge,
        Order("x"),
        start_to_close_timeout=timedelta(seconds=1),
        schedule_to_close_timeout=2,
        schedule_to_start_timeout=0.5,
        retry_policy=RetryPolicy(maximum_attempts=3),
        summary="given",
    )
    workflow.start_activity("plain", start_to_close_timeout=None)


def test_options_given_go_before_those_of_the_declaration(drive: Start) -> None:
    own, given, plain = drive(with_options).all_of(ScheduleActivity)

    assert own.options == ActivityOptions(start_to_close_timeout_ns=5_000_000_000, summary="its own")
    assert given.options.start_to_close_timeout_ns == 1_000_000_000
    assert given.options.schedule_to_close_timeout_ns == 2_000_000_000
    assert given.options.schedule_to_start_timeout_ns == 500_000_000
    assert given.options.retry_policy == RetryPolicy(maximum_attempts=3)
    assert given.options.summary == "given"
    assert plain.options == ActivityOptions()


def undeclared(item: str) -> str:
    return item


start_anything: Any = workflow.start_activity
start_any_method: Any = workflow.start_activity_method

WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "undeclared": (lambda: start_anything(undeclared, "x"), "is not an activity; declare it with @activity.defn"),
    "too few": (lambda: start_anything(ship), "activity 'core tests: ship' misses item"),
    "too many": (lambda: start_anything(ship, 1, 2, 3), "takes 2 arguments, 3 were given"),
    "unknown option": (
        lambda: start_anything(ship, "x", timeout=1),
        "no activity option 'timeout' (there are: cancellation_type, heartbeat_timeout, retry_policy, "
        "schedule_to_close_timeout, schedule_to_start_timeout, start_to_close_timeout, summary)",
    ),
    "bad length": (lambda: start_anything(ship, "x", start_to_close_timeout="1"), "start_to_close_timeout is a str"),
    "no cancellation type": (
        lambda: start_anything(ship, "x", cancellation_type=1),
        "cancellation_type is 1; give an ActivityCancellationType",
    ),
    "no policy": (lambda: start_anything(ship, "x", retry_policy=RetryPolicy), "; give a RetryPolicy"),
    "no text": (lambda: start_anything(ship, "x", summary=5), "summary is an int; give a string"),
    "no name": (lambda: start_anything("ship\ud800"), "activity name has '\\ud800' at place 4; leave out"),
    "cannot be stored": (lambda: start_anything(ship, object()), "args"),
    "another type": (
        lambda: start_anything(ship, "x", "2"),
        "args[1]: activity 'core tests: ship' cannot take its argument 'count': a str where int is annotated",
    ),
    "another type inside": (
        lambda: start_anything(charge, Order("x", cast("Any", "1"))),
        "args[0].price: activity 'core tests: charge' cannot take its argument 'order': a str where int is annotated",
    ),
    "another type for a method": (
        lambda: workflow.start_activity_method(Shop.pack, cast("Any", 1)),
        "args[0]: activity 'core tests: pack' cannot take its argument 'item': an int where str is annotated",
    ),
    "an instance as an argument": (
        lambda: start_anything(Shop.pack, Shop(), "x"),
        "Shop.pack was given an instance of Shop as its first argument; pass the method of the instance, or use "
        "start_activity_method or execute_activity_method, without an instance",
    ),
    "a function for a method": (
        lambda: workflow.start_activity_method(ship, cast("Any", "x")),
        "activity 'core tests: ship' is a function and no method that is named by its class, such as Shop.charge; use "
        "start_activity",
    ),
    "a function for a method, awaited": (
        lambda: workflow.execute_activity_method(ship, cast("Any", "x")).send(None),
        "activity 'core tests: ship' is a function and no method that is named by its class, such as Shop.charge; use "
        "execute_activity",
    ),
    "a method of an instance for one of a class": (
        lambda: start_any_method(Shop().pack, "x"),
        "activity 'core tests: pack' is a method that has its instance already",
    ),
    "a name for a method": (lambda: start_any_method("ship", "x"), "'ship' is the name of an activity"),
    "what is no activity for a method": (lambda: start_any_method(undeclared, "x"), "is not an activity; declare it"),
}


@workflow.defn
async def calling_wrongly(what: str) -> str:
    try:
        WRONG[what][0]()
    except Exception as error:
        return str(error)
    return "allowed"


@pytest.mark.parametrize("what", sorted(WRONG))
def test_a_call_that_cannot_work_is_refused_where_it_is_made(drive: Start, what: str) -> None:
    run = drive(calling_wrongly, what)

    assert WRONG[what][1] in run.result
    assert run.all_of(ScheduleActivity) == []


@workflow.defn
async def calling_with_another_type() -> None:
    await start_anything(ship, "x", "2")


def test_a_call_with_arguments_of_another_type_is_a_bug_of_the_workflow(drive: Start) -> None:
    run = drive(calling_with_another_type, start=False)

    with pytest.raises(WorkflowBugError, match="'core tests: ship' cannot take its argument 'count'") as caught:
        run.send(run.started)

    assert isinstance(caught.value.__cause__, PayloadDecodeError)


@workflow.defn
async def calling_another_type_by_name() -> None:
    await workflow.execute_activity("core tests: ship", "x", "2")


def test_a_call_by_name_is_not_held_against_any_annotation(drive: Start) -> None:
    run = drive(calling_another_type_by_name)

    assert len(run.all_of(ScheduleActivity)) == 1


def test_a_call_that_the_history_has_is_repeated_though_its_arguments_do_not_fit(drive: Start) -> None:
    run = drive(calling_another_type_by_name)

    again = run.replayed(target=calling_with_another_type)

    assert sorted(again.pending) == [1]
    run.put_away(again)


@activity.defn(name="core tests: label")
def label(item: Any, *parts: Any) -> str:
    return f"{item} {parts}"


@workflow.defn
async def calling_what_has_no_annotations() -> None:
    start_anything(label, "x", "y")
    start_anything(label, 1)
    start_anything(nothing)


@activity.defn(name="core tests: nothing")
def nothing() -> None:
    """Takes no arguments."""


def test_an_argument_without_an_annotation_may_be_anything(drive: Start) -> None:
    run = drive(calling_what_has_no_annotations)

    assert len(run.all_of(ScheduleActivity)) == 3


@workflow.defn
async def calling_wrongly_after_the_end() -> None:
    def late() -> None:
        start_anything(ship, "x", "2")

    asyncio.get_running_loop().call_soon(late)


def test_a_call_after_the_end_is_dropped_whatever_its_arguments_are(drive: Start) -> None:
    run = drive(calling_wrongly_after_the_end)

    assert run.result is None


@workflow.defn
async def cancelling_at_once() -> list[Any]:
    handle = workflow.start_activity("taken back")
    first, again = handle.cancel(), handle.cancel()
    try:
        await handle
    except asyncio.CancelledError:
        return [first, again, handle.cancelled()]
    return []


def test_an_activity_that_is_cancelled_in_its_turn_is_never_recorded(drive: Start) -> None:
    run = drive(cancelling_at_once)

    assert [type(each).__name__ for each in run.last] == ["CompleteWorkflow"]
    assert run.result == [True, False, True]


@workflow.defn
class CancelledLater:
    @workflow.signal
    def stop(self) -> None:
        self.handle.cancel("enough")

    @workflow.run
    async def run(self) -> str:
        self.handle = workflow.start_activity("slow")
        try:
            await self.handle
        except asyncio.CancelledError:
            await workflow.sleep(60)
            return f"cancelled {self.handle!r}"
        return "done"


def test_cancelling_a_handle_ends_the_wait_at_once_and_takes_the_activity_back(drive: Start) -> None:
    run = drive(CancelledLater)

    asked = run.signal("stop")

    assert [(type(each).__name__, each.id) for each in asked] == [("CancelActivity", 1), ("StartTimer", 2)]
    assert run.execution.pending == {}


def test_an_outcome_after_the_cancel_is_ignored(drive: Start) -> None:
    run = drive(CancelledLater)
    run.signal("stop")

    late = run.complete(1, "late"), run.fail(1, ApplicationError("late"))
    run.fire()

    assert late == ([], [])
    assert run.result == "cancelled <ActivityHandle cancelled>"


@workflow.defn
async def cancelled_before_its_start() -> str:
    task = asyncio.create_task(workflow.execute_activity("never"))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    return "done"


def test_a_call_that_is_cancelled_before_it_begins_asks_for_nothing(drive: Start) -> None:
    assert drive(cancelled_before_its_start).all_of(ScheduleActivity) == []


@workflow.defn
async def shown() -> str:
    handle = workflow.start_activity("a")
    return repr(handle)


def test_a_handle_can_be_shown(drive: Start) -> None:
    assert drive(shown).result == "<ActivityHandle pending>"


@workflow.defn
async def typed_wrongly() -> str:
    try:
        return str(await workflow.execute_activity("a", result_type=int))
    except PayloadDecodeError as error:
        return f"{error}"


def test_a_result_of_another_type_is_an_error_of_the_wait(drive: Start) -> None:
    run = drive(typed_wrongly)

    run.complete(1, "text")

    assert "int" in run.result


@workflow.defn
async def failing() -> str:
    await workflow.execute_activity("a")
    return "done"


def test_a_failure_closes_the_run_unless_it_is_caught(drive: Start) -> None:
    run = drive(failing)

    run.fail(1, ApplicationError("no money", 5, type="Poor", non_retryable=True))

    failure = run.failure
    assert isinstance(failure, ApplicationError)
    assert (failure.message, failure.details, failure.type) == ("no money", (5,), "Poor")


def test_the_failure_of_an_activity_is_thrown_where_it_is_awaited(drive: Start) -> None:
    run = drive(failing)

    run.fail(1, ApplicationError("no money"))

    assert "in failing" in getattr(run.failure, "stack", "")


def test_an_outcome_of_something_never_asked_for_is_ignored(drive: Start) -> None:
    run = drive(failing)

    assert run.complete(17) == []
    assert run.all_of(CancelActivity) == []


@workflow.defn
async def bare(what: str) -> None:
    if what == "number":
        await Yields(5)


class Yields:
    """Awaiting it gives the loop something that it does not know."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Any:
        yield self.value


def test_awaiting_what_is_no_future_is_a_bug_at_once(drive: Start) -> None:
    run = drive(bare, "number", start=False)

    with pytest.raises(WorkflowBugError, match="bad yield"):
        run.send(run.started)
