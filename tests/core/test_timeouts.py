"""A limit of time: never early, a durable timer, and what it ends is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CancelActivity, CancelTimer, ScheduleActivity, StartTimer
from greenroom.runtime.core.messages import CancelRequested
from greenroom.runtime.model.instants import instant
from tests.core.driving import SECOND, STARTED_NS, Drive

Start = Callable[..., Drive]


async def do(name: str) -> Any:
    return await workflow.execute_activity(name)


@workflow.defn
async def limited(delay: timedelta | None) -> list[Any]:
    limit = workflow.timeout(delay)
    try:
        async with limit:
            return [await do("slow"), limit.expired()]
    except TimeoutError as error:
        return [str(error), limit.expired()]


def test_a_limit_that_passes_cancels_what_is_waited_for_and_says_so(drive: Start) -> None:
    run = drive(limited, timedelta(minutes=1))

    run.fire()

    assert run.result == ["the time limit of 0:01:00 has passed", True]
    assert [each.id for each in run.all_of(CancelActivity)] == [2]


def test_a_limit_that_is_not_needed_is_taken_back(drive: Start) -> None:
    run = drive(limited, timedelta(minutes=1))

    run.complete(2, "quick")

    assert run.result == ["quick", False]
    assert [each.id for each in run.all_of(CancelTimer)] == [1]


def test_no_limit_needs_no_timer(drive: Start) -> None:
    run = drive(limited, None)

    run.complete(1, "at last")

    assert run.result == ["at last", False]
    assert run.all_of(StartTimer) == []


@pytest.mark.parametrize("delay", [timedelta(0), timedelta(days=-1)])
def test_a_limit_of_zero_or_less_ends_the_block_where_it_first_waits(drive: Start, delay: timedelta) -> None:
    run = drive(limited, delay)

    assert run.result[1] is True
    assert run.all_of(StartTimer) == []
    assert run.all_of(ScheduleActivity) == []


@workflow.defn
async def limited_late() -> int:
    await workflow.signal_channel().receive("go")
    async with workflow.timeout(0.000_000_003):
        await do("slow")
    return 0


def test_a_limit_is_exact_to_the_nanosecond_however_old_the_run_is(drive: Start) -> None:
    run = drive(limited_late)

    run.now_ns += 200 * 365 * 86_400 * SECOND + 1
    run.signal("go")

    assert [each.at_ns for each in run.all_of(StartTimer)] == [run.now_ns + 3]


@workflow.defn
async def limited_until(when: datetime) -> list[str]:
    limit = workflow.timeout_at(when)
    try:
        async with limit:
            await do("slow")
    except TimeoutError as error:
        return [str(error), str(limit.when())]
    return []


def test_a_limit_may_be_an_instant(drive: Start) -> None:
    when = instant(STARTED_NS) + timedelta(hours=1)
    run = drive(limited_until, when)

    run.fire()

    assert [each.at_ns for each in run.all_of(StartTimer)] == [STARTED_NS + 3600 * SECOND]
    assert run.result == [f"the time limit, {when}, has passed", str(when)]


def test_an_instant_that_has_passed_ends_the_block_where_it_first_waits(drive: Start) -> None:
    run = drive(limited_until, datetime(2000, 1, 1, tzinfo=UTC))

    assert run.result[0].startswith("the time limit, 2000-01-01")
    assert run.all_of(StartTimer) == []
    assert run.all_of(ScheduleActivity) == []


@workflow.defn
async def moving(seconds: float | None) -> list[Any]:
    limit = workflow.timeout(5)
    try:
        async with limit:
            limit.reschedule(None if seconds is None else workflow.now() + timedelta(seconds=seconds))
            return [await do("slow"), limit.when()]
    except TimeoutError:
        return ["too slow", workflow.time_ns() - STARTED_NS]


def test_a_limit_that_is_moved_in_its_turn_asks_for_one_timer(drive: Start) -> None:
    run = drive(moving, 50)

    run.fire()

    assert [each.at_ns for each in run.all_of(StartTimer)] == [STARTED_NS + 50 * SECOND]
    assert run.result == ["too slow", 50 * SECOND]


def test_a_limit_can_be_lifted(drive: Start) -> None:
    run = drive(moving, None)

    run.complete(2, "at last")

    assert run.result == ["at last", None]
    assert run.all_of(StartTimer) == []


@workflow.defn
async def misused(how: str) -> str:
    limit = workflow.timeout(5)
    try:
        if how == "moved before":
            limit.reschedule(None)
        async with limit:
            if how == "entered twice":
                async with limit:
                    pass
            if how == "seconds":
                limit.reschedule(5)  # type: ignore[arg-type]
        limit.reschedule(None)
    except (RuntimeError, TypeError) as error:
        return str(error)
    return "allowed"


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("moved before", "cannot be moved"),
        ("moved after", "cannot be moved"),
        ("entered twice", "can be entered once"),
        ("seconds", "reschedule needs an aware datetime, not an int: workflow.now() + timedelta(…)"),
    ],
)
def test_a_limit_that_is_used_wrongly_says_so(drive: Start, how: str, complaint: str) -> None:
    assert complaint in drive(misused, how).result


@workflow.defn
async def nested(inner: float, outer: float) -> list[str]:
    seen: list[str] = []
    try:
        async with workflow.timeout(outer):
            try:
                async with workflow.timeout(inner):
                    await do("slow")
            except TimeoutError:
                seen.append("inner")
            await do("more")
    except TimeoutError:
        seen.append("outer")
    return seen


@pytest.mark.parametrize(("inner", "outer", "seen"), [(1, 2, ["inner", "outer"]), (2, 1, ["outer"]), (0, 0, None)])
def test_nested_limits_tell_their_own_passing_from_another(
    drive: Start, inner: float, outer: float, seen: list[str] | None
) -> None:
    run = drive(nested, inner, outer)

    while not run.execution.is_closed:
        run.fire()

    assert run.result == (["outer"] if seen is None else seen)


@workflow.defn
async def cancelled_inside() -> str:
    limit = workflow.timeout(5)
    try:
        async with limit:
            await do("slow")
    except asyncio.CancelledError:
        return f"cancelled, expired: {limit.expired()}"
    return ""


def test_a_cancellation_from_outside_is_not_taken_for_the_limit(drive: Start) -> None:
    run = drive(cancelled_inside)

    run.send(CancelRequested("enough"))

    assert run.result == "cancelled, expired: False"


@workflow.defn
async def raising_inside() -> str:
    try:
        async with workflow.timeout(5):
            raise KeyError("own")
    except KeyError:
        return "own"


def test_what_the_block_raises_comes_out_of_it(drive: Start) -> None:
    run = drive(raising_inside)

    assert run.result == "own"
    assert run.all_of(StartTimer) == []


# wait_for


@workflow.defn
async def waiting_for(seconds: float | None, started: bool) -> Any:
    awaitable = workflow.start_activity("a") if started else do("a")
    try:
        return await workflow.wait_for(awaitable, seconds)
    except TimeoutError as error:
        return str(error)


@pytest.mark.parametrize("started", [True, False])
def test_wait_for_gives_the_result_and_takes_its_timer_back(drive: Start, started: bool) -> None:
    run = drive(waiting_for, 5, started)

    run.complete(1 if started else 2, "A")

    assert run.result == "A"
    assert len(run.all_of(CancelTimer)) == 1


@pytest.mark.parametrize("started", [True, False])
def test_wait_for_cancels_what_is_late(drive: Start, started: bool) -> None:
    run = drive(waiting_for, 5, started)

    run.fire()

    assert run.result == "what was waited for was not there within 5.0"
    assert len(run.all_of(CancelActivity)) == 1


def test_wait_for_without_a_timeout_waits_for_ever(drive: Start) -> None:
    run = drive(waiting_for, None, False)

    run.complete(1, "A")

    assert run.result == "A"
    assert run.all_of(StartTimer) == []


@pytest.mark.parametrize("started", [True, False])
def test_wait_for_with_a_timeout_of_zero_begins_nothing_and_cancels_what_is_not_there(
    drive: Start, started: bool
) -> None:
    run = drive(waiting_for, 0, started)

    assert run.result == "what was waited for was not there within 0.0"
    assert run.names() == [""]


@workflow.defn
async def waiting_for_what_is_there() -> list[Any]:
    return [await workflow.wait_for(workflow.resolved(1), 0), await workflow.wait_for(workflow.resolved(2), -5)]


def test_wait_for_with_a_timeout_of_zero_takes_what_is_there(drive: Start) -> None:
    assert drive(waiting_for_what_is_there).result == [1, 2]


@workflow.defn
async def steps_of_wait_for() -> None:
    await workflow.gather(workflow.wait_for(do("a"), 5), do("b"))


def test_wait_for_begins_its_coroutine_at_once(drive: Start) -> None:
    # What asyncio's does only from Python 3.12 on: before, b would begin first.
    run = drive(steps_of_wait_for)

    assert [each.name for each in run.last] == ["", "a", "b"]


@workflow.defn
async def waiting_for_a_bad_time() -> None:
    await workflow.wait_for(do("a"), "5 s")  # type: ignore[arg-type]


def test_wait_for_a_time_that_is_none_is_a_bug(drive: Start) -> None:
    run = drive(waiting_for_a_bad_time, start=False)

    with pytest.raises(WorkflowBugError, match="timeout is a str; give a timedelta or a number of seconds"):
        run.send(run.started)


@workflow.defn
class Booked:
    def __init__(self) -> None:
        self.lock = workflow.new_lock()
        self.left = 0

    @workflow.signal
    async def book(self, name: str) -> None:
        async with self.lock:
            await do(f"book {name}")
        self.left += 1

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.left == 3)


def test_a_new_lock_lets_handlers_in_one_by_one_in_their_order(drive: Start) -> None:
    run = drive(Booked)
    for name in "abc":
        run.signal("book", name)

    for number in (1, 2, 3):
        run.complete(number)

    assert [turn.commands[0].name for turn in run.turns if turn.commands][:3] == ["book a", "book b", "book c"]
