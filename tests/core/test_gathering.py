"""Waiting for several things: lists in the order given, and the same winner and the same order in every replay."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.commands import CancelActivity, CancelTimer, StartTimer
from greenroom.runtime.core.messages import TimerFired
from greenroom.runtime.model.errors import ActivityError, ApplicationError, ReadOnlyContextError
from tests.core.driving import Drive

Start = Callable[..., Drive]


def step(name: str) -> workflow.ActivityHandle[Any]:
    return workflow.start_activity(name)


async def do(name: str) -> Any:
    return await workflow.execute_activity(name)


async def refuse(call: Callable[[], Any]) -> str:
    """What a call that cannot be says, whether it says so at once or when it is awaited."""
    try:
        await call()
    except (TypeError, ValueError) as error:
        return str(error)
    return "allowed"


# wait


@workflow.defn
async def waiting(return_when: str, timeout: float | None) -> list[list[str]]:
    tasks = [asyncio.create_task(do(name), name=name) for name in "hgfedcba"]
    done, pending = await workflow.wait(tasks, timeout=timeout, return_when=return_when)
    for task in pending:
        task.cancel()
    return [[task.get_name() for task in done], [task.get_name() for task in pending]]


def test_wait_gives_lists_in_the_order_given(drive: Start) -> None:
    run = drive(waiting, asyncio.FIRST_COMPLETED, None)

    run.complete(3)

    assert run.result == [["f"], list("hgedcba")]
    assert [each.id for each in run.all_of(CancelActivity)] == [1, 2, 4, 5, 6, 7, 8]


def test_wait_waits_for_all_whether_they_fail_or_not(drive: Start) -> None:
    run = drive(waiting, asyncio.ALL_COMPLETED, None)

    run.fail(8, ApplicationError("broken"))
    for number in (2, 1, 3, 7, 6, 5):
        run.complete(number)
    before = run.execution.is_closed
    run.complete(4)

    assert not before
    assert run.result == [list("hgfedcba"), []]


def test_wait_for_the_first_exception_ends_with_the_first_failure(drive: Start) -> None:
    run = drive(waiting, asyncio.FIRST_EXCEPTION, None)

    run.complete(2)
    run.complete(7)
    before = run.execution.is_closed
    run.fail(5, ApplicationError("broken"))

    assert not before
    assert run.result == [list("gdb"), list("hfeca")]


def test_wait_with_a_timeout_gives_what_is_there_by_then(drive: Start) -> None:
    run = drive(waiting, asyncio.ALL_COMPLETED, 5)

    run.complete(4)
    run.complete(2)
    run.fire()

    assert run.result == [["h", "f"], list("gedcba")]


def test_wait_that_ends_in_time_takes_its_timer_back(drive: Start) -> None:
    run = drive(waiting, asyncio.FIRST_COMPLETED, 5)

    run.complete(2)

    assert [each.id for each in run.all_of(CancelTimer)] == [each.id for each in run.all_of(StartTimer)]


def test_wait_with_a_timeout_of_zero_only_looks(drive: Start) -> None:
    run = drive(waiting, asyncio.ALL_COMPLETED, 0)

    assert run.result == [[], list("hgfedcba")]
    assert run.all_of(StartTimer) == []


@workflow.defn
async def waiting_for_the_same() -> list[int]:
    handle = step("a")
    done, pending = await workflow.wait((handle, handle, workflow.resolved(2)))
    return [len(done), len(pending), await done[1]]


def test_wait_takes_futures_of_every_kind_and_each_once(drive: Start) -> None:
    run = drive(waiting_for_the_same)

    run.complete(1, 1)

    assert run.result == [2, 0, 2]


# What type checkers would refuse.
unchecked: Any = workflow

WRONG_WAITS: dict[str, Callable[[], Any]] = {
    "set": lambda: unchecked.wait({step("a"), step("b")}),
    "frozenset": lambda: unchecked.wait(frozenset([step("a")])),
    "nothing": lambda: unchecked.wait([]),
    "coroutines": lambda: unchecked.wait([do("a"), do("b")]),
    "one": lambda: unchecked.wait(step("a")),
    "one coroutine": lambda: unchecked.wait(do("a")),
    "number": lambda: unchecked.wait(7),
    "word": lambda: unchecked.wait([step("a")], return_when="ALL"),
    "time": lambda: unchecked.wait([step("a")], timeout="1 s"),
    "set as completed": lambda: unchecked.as_completed({do("a")}),
    "nothing of a race": lambda: unchecked.race(),
}


@workflow.defn
async def waiting_wrongly(what: str) -> str:
    return await refuse(WRONG_WAITS[what])


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("set", "wait was given a set, whose order differs from one process to the next; give a list"),
        ("frozenset", "wait was given a frozenset, whose order differs from one process to the next; give a list"),
        ("nothing", "wait was given nothing to wait for"),
        ("coroutines", "wait cannot wait for argument 1, a coroutine: give it the task that asyncio.create_task(…)"),
        ("one", "wait needs a list of what to wait for, not a single ActivityHandle"),
        ("one coroutine", "wait needs a list of what to wait for, not a single coroutine"),
        ("number", "wait needs a list of what to wait for, not a single int"),
        ("word", "return_when is 'ALL'; choose one of 'ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION'"),
        ("time", "timeout is a str"),
        ("set as completed", "as_completed was given a set, whose order differs from one process to the next"),
        ("nothing of a race", "race was given nothing to wait for"),
    ],
)
def test_what_has_no_order_or_cannot_be_told_apart_is_refused_at_once(drive: Start, what: str, complaint: str) -> None:
    run = drive(waiting_wrongly, what)
    # A coroutine that was left alone would warn now, which fails the test.
    gc.collect()

    assert run.result.startswith(complaint)


# as_completed


@workflow.defn
async def as_they_come(timeout: float | None) -> list[Any]:
    seen: list[Any] = []
    for each in workflow.as_completed([do("a"), step("b"), do("c"), workflow.resolved("at once")], timeout=timeout):
        try:
            seen.append(await each)
        except (TimeoutError, ActivityError, ApplicationError) as error:
            seen.append(str(error))
    return seen


def test_as_completed_gives_results_and_failures_in_the_order_in_which_they_come(drive: Start) -> None:
    # The handle was there before the tasks, which have not yet begun.
    run = drive(as_they_come, None)

    run.complete(3, "C")
    run.fail(1, ApplicationError("broken"))
    run.complete(2, "A")

    assert run.names()[:3] == ["b", "a", "c"]
    assert run.result == ["at once", "C", "broken", "A"]


def test_as_completed_with_a_timeout_says_how_many_were_late(drive: Start) -> None:
    run = drive(as_they_come, 5)

    run.complete(3, "A")
    run.fire()

    assert run.result == ["at once", "A", *["2 of 4 were not there within 5.0"] * 2]


def test_as_completed_takes_its_timer_back_when_all_are_there(drive: Start) -> None:
    run = drive(as_they_come, 5)

    for number in (1, 3, 4):
        run.complete(number, number)

    assert run.result == ["at once", 1, 3, 4]
    assert [each.id for each in run.all_of(CancelTimer)] == [2]


def test_as_completed_with_a_timeout_of_zero_does_not_wait(drive: Start) -> None:
    run = drive(as_they_come, 0)

    assert run.result == ["at once", *["3 of 4 were not there within 0.0"] * 3]
    assert run.all_of(StartTimer) == []


@workflow.defn
async def leaving_early() -> Any:
    for each in workflow.as_completed([step(name) for name in "abc"]):
        return await each
    return None


def test_as_completed_may_be_left_before_its_end(drive: Start) -> None:
    run = drive(leaving_early)

    run.complete(2, "B")
    gc.collect()

    assert run.result == "B"


@workflow.defn
async def served_in_order() -> list[str]:
    first, second = workflow.as_completed([step("a"), step("b")])
    seen: list[str] = []

    async def take(each: Any, name: str) -> None:
        seen.append(f"{name} {await each}")

    await workflow.gather(take(second, "second"), take(first, "first"))
    return seen


def test_who_waits_first_of_as_completed_gets_what_comes_first(drive: Start) -> None:
    run = drive(served_in_order)

    run.complete(2, "B")
    run.complete(1, "A")

    assert run.result == ["second B", "first A"]


# gather


@workflow.defn
async def gathering(return_exceptions: bool) -> Any:
    try:
        results = await workflow.gather(do("a"), step("b"), do("c"), return_exceptions=return_exceptions)
    except ApplicationError as error:
        return str(error)
    return [str(each) if isinstance(each, ApplicationError) else each for each in results]


def test_gather_begins_in_the_order_given_and_gives_a_list_in_that_order(drive: Start) -> None:
    run = drive(gathering, False)

    for number, result in ((3, "C"), (1, "B"), (2, "A")):
        run.complete(number, result)

    assert run.names()[:3] == ["b", "a", "c"]
    assert run.result == ["A", "B", "C"]


def test_gather_raises_the_first_failure_at_once(drive: Start) -> None:
    run = drive(gathering, False)

    run.fail(3, ApplicationError("broken"))

    assert run.result == "broken"


def test_gather_with_return_exceptions_waits_for_all_and_gives_failures_as_results(drive: Start) -> None:
    run = drive(gathering, True)

    run.fail(3, ApplicationError("broken"))
    run.complete(1, "B")
    run.complete(2, "A")

    assert run.result == ["A", "B", "broken"]


@workflow.defn
async def gathering_on() -> list[Any]:
    others, text = asyncio.create_task(do("a")), ""
    try:
        await workflow.gather(step("b"), others, fails_with("late", step("c")))
    except ApplicationError as error:
        text = str(error)
    # It goes on, and so does the one that fails later, of which nobody hears.
    return [text, others.done(), await others]


async def fails_with(text: str, handle: workflow.ActivityHandle[Any]) -> None:
    await handle
    raise ApplicationError(text)


def test_what_is_gathered_with_a_failure_goes_on(drive: Start) -> None:
    run = drive(gathering_on)

    run.fail(1, ApplicationError("broken"))
    run.complete(2)
    run.complete(3, "A")

    assert run.all_of(CancelActivity) == []
    assert run.result == ["broken", False, "A"]


@workflow.defn
async def cleaning_up(limit: float) -> list[Any]:
    seen: list[Any] = []

    async def careful(name: str) -> None:
        try:
            await do(name)
        finally:
            await do(f"undo {name}")
            seen.append(name)

    try:
        async with workflow.timeout(limit):
            await workflow.gather(careful("a"), careful("b"), return_exceptions=True)
    except TimeoutError as error:
        seen.append(str(error))
    return seen


def test_a_cancelled_gather_cancels_all_and_waits_for_their_cleaning_up(drive: Start) -> None:
    run = drive(cleaning_up, 5)

    run.fire()
    run.complete(5)
    before = run.execution.is_closed
    run.complete(4)

    assert not before
    assert run.result == ["b", "a", "the time limit of 5.0 has passed"]


@workflow.defn
async def gathering_little() -> list[Any]:
    cancelled = asyncio.create_task(workflow.sleep(5))
    await asyncio.sleep(0)
    cancelled.cancel()
    same = do("a")
    nothing: list[workflow.ActivityHandle[Any]] = []
    settled = await workflow.gather(cancelled, same, same, workflow.rejected(KeyError("b")), return_exceptions=True)
    return [await workflow.gather(*nothing), [type(each).__name__ for each in settled], settled[1] == settled[2]]


def test_gather_takes_nothing_and_the_same_thing_twice_and_tells_of_what_was_cancelled(drive: Start) -> None:
    run = drive(gathering_little)

    run.complete(2, "A")

    assert run.result == [[], ["CancelledError", "str", "str", "KeyError"], True]


@workflow.defn
async def gathering_the_cancelled() -> str:
    task = asyncio.create_task(workflow.sleep(5))
    both = workflow.gather(step("a"), task)
    await asyncio.sleep(0)
    task.cancel()
    try:
        await both
    except asyncio.CancelledError:
        return "cancelled"
    return ""


def test_gather_of_what_is_cancelled_is_cancelled_as_with_asyncio(drive: Start) -> None:
    assert drive(gathering_the_cancelled).result == "cancelled"


@workflow.defn
async def gathering_two_failures() -> str:
    try:
        await workflow.gather(workflow.rejected(ApplicationError("first")), workflow.rejected(KeyError("second")))
    except ApplicationError as error:
        return str(error)
    return ""


def test_of_several_failures_the_first_of_the_list_is_raised(drive: Start) -> None:
    assert drive(gathering_two_failures).result == "first"


# race


@workflow.defn
async def racing() -> str:
    try:
        return str(await workflow.race(do("a"), step("b"), workflow.sleep(5)))
    except ApplicationError as error:
        return str(error)


def test_a_race_gives_the_first_result_and_cancels_the_losers(drive: Start) -> None:
    run = drive(racing)

    run.complete(2, "A")

    assert run.result == "A"
    assert [each.id for each in run.all_of(CancelActivity)] == [1]


def test_a_race_that_a_failure_wins_raises_it(drive: Start) -> None:
    run = drive(racing)

    run.fail(1, ApplicationError("broken"))

    assert run.result == "broken"


@workflow.defn
async def racing_in_a_turn() -> list[Any]:
    async def at_once(name: str) -> str:
        return name

    first = await workflow.race(do("a"), workflow.resolved("b"), workflow.resolved("c"))
    second = await workflow.race(at_once("d"), at_once("e"))
    cancelled = asyncio.create_task(workflow.sleep(9))
    waits = workflow.race(cancelled, do("f"))
    await asyncio.sleep(0)
    waits.cancel()
    try:
        await waits
    except asyncio.CancelledError:
        pass
    return [first, second, cancelled.cancelled()]


def test_of_several_that_are_done_the_first_of_the_list_has_won(drive: Start) -> None:
    run = drive(racing_in_a_turn)

    assert run.result == ["b", "d", True]
    assert run.names() == [""]


@workflow.defn
async def racing_a_shield() -> list[Any]:
    kept = asyncio.create_task(do("kept"))
    won = await workflow.race(asyncio.shield(kept), workflow.sleep(5))
    return [won, await kept]


def test_what_is_shielded_from_a_race_goes_on(drive: Start) -> None:
    run = drive(racing_a_shield)

    run.fire()
    run.complete(1 if run.turns[0].commands[0].name == "kept" else 2, "done")

    assert run.result == [None, "done"]


@workflow.defn
async def racing_over_cleaning_up() -> list[Any]:
    async def careful() -> None:
        try:
            await do("slow")
        finally:
            await do("undo")

    return [await workflow.race(careful(), workflow.sleep(5)), workflow.time_ns() - begun_ns()]


def begun_ns() -> int:
    return round(workflow.info().start_time.timestamp()) * 1_000_000_000


def test_a_race_does_not_wait_for_its_losers(drive: Start) -> None:
    run = drive(racing_over_cleaning_up)

    run.send(TimerFired(2), after=5)

    assert run.result == [None, 5_000_000_000]


# resolved, rejected


@workflow.defn
async def settled_already() -> list[Any]:
    good, bad = workflow.resolved([1]), workflow.rejected(ApplicationError("no"))
    try:
        await bad
    except ApplicationError as error:
        return [await good, await good, str(error), bad.done()]
    return []


def test_what_is_resolved_or_rejected_can_be_awaited_at_once_and_again(drive: Start) -> None:
    run = drive(settled_already)

    assert run.result == [[1], [1], "no", True]


@workflow.defn
async def rejecting_for_nobody() -> None:
    workflow.rejected(ApplicationError("nobody asks"))


def test_a_rejection_that_nobody_awaits_says_nothing(drive: Start) -> None:
    # The fixture fails if anything is logged.
    assert drive(rejecting_for_nobody).execution.is_closed


@workflow.defn
async def rejecting_with(what: str) -> str:
    made: dict[str, Any] = {"text": "no", "class": ValueError, "stop": StopIteration()}
    try:
        workflow.rejected(made[what])
    except TypeError as error:
        return str(error)
    return "allowed"


@pytest.mark.parametrize(
    ("what", "complaint"), [("text", "not a str"), ("class", "not a type"), ("stop", "StopIteration")]
)
def test_a_rejection_needs_an_exception(drive: Start, what: str, complaint: str) -> None:
    assert complaint in drive(rejecting_with, what).result


# All of it together.


@workflow.defn
async def step_by_step() -> list[str]:
    steps: list[str] = []

    async def walk(name: str, awaitable: Any) -> str:
        steps.append(f"{name} begins")
        try:
            await awaitable
        except asyncio.CancelledError:
            steps.append(f"{name} is cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            steps.append(f"{name} ends")
        return name

    async def limited(name: str, awaitable: Any) -> None:
        async with workflow.timeout(5):
            await walk(name, awaitable)

    outcomes = await workflow.gather(
        workflow.wait_for(walk("waited for", workflow.sleep(9)), 3),
        walk("plain", workflow.sleep(1)),
        limited("limited", workflow.race(walk("first", workflow.sleep(7)), walk("second", workflow.sleep(2)))),
        return_exceptions=True,
    )
    steps += [type(each).__name__ for each in outcomes]
    tasks = [asyncio.create_task(walk(name, workflow.sleep(5))) for name in ("x", "y")]
    for each in workflow.as_completed(tasks, timeout=50):
        steps.append(await each)
    return steps


def test_the_steps_of_waiting_are_the_same_in_every_version_of_python(drive: Start) -> None:
    run = drive(step_by_step)

    while not run.execution.is_closed:
        run.fire()

    begun = ["first begins", "second begins", "waited for begins", "plain begins", "limited begins"]
    after_a_second = ["plain ends"]
    after_two = ["second ends", "first is cancelled", "first ends", "limited ends"]
    after_three = ["waited for is cancelled", "waited for ends", "TimeoutError", "str", "NoneType"]
    afterwards = ["x begins", "y begins", "x ends", "x", "y ends", "y"]
    assert run.result == [*begun, *after_a_second, *after_two, *after_three, *afterwards]


# Where nothing may be begun.


@workflow.defn
async def gathering_in_a_condition(what: str) -> str:
    begins: dict[str, Callable[[], Any]] = {
        "gather": lambda: workflow.gather(do("a"), do("b")),
        "race": lambda: workflow.race(do("a"), do("b")),
        "as_completed": lambda: workflow.as_completed([do("a"), do("b")]),
    }
    try:
        await workflow.wait_condition(begins[what])
    except ReadOnlyContextError as error:
        return error.context
    return "allowed"


@pytest.mark.parametrize("what", ["gather", "race", "as_completed"])
def test_nothing_can_be_begun_where_only_reading_is_allowed(drive: Start, what: str) -> None:
    run = drive(gathering_in_a_condition, what)
    gc.collect()

    assert run.result == "a wait condition"
