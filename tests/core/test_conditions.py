"""A wait for a condition asks its predicate whenever the run has come to rest; the predicate may only read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CancelTimer, ScheduleActivity, StartTimer
from greenroom.runtime.core.handling import UpdateRejectedError
from greenroom.runtime.core.messages import TimerFired, UpdateReceived
from greenroom.runtime.model.errors import ApplicationError, ReadOnlyContextError
from tests.core.driving import Drive

Start = Callable[..., Drive]


@workflow.defn
class Counting:
    def __init__(self) -> None:
        self.count = 0
        self.woken: list[str] = []

    @workflow.signal
    def add(self, number: int = 1) -> None:
        self.count += number

    async def wait(self, name: str, least: int) -> None:
        await workflow.wait_condition(lambda: self.count >= least)
        self.woken.append(name)

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.gather(self.wait("c", 2), self.wait("a", 1), self.wait("b", 2))
        return self.woken


def test_waiters_wake_in_the_order_they_asked(drive: Start) -> None:
    run = drive(Counting)

    run.signal("add", 2)

    assert run.result == ["c", "a", "b"]


def test_only_those_wake_whose_condition_is_met(drive: Start) -> None:
    run = drive(Counting)

    run.signal("add")
    first = run.execution.is_closed
    run.signal("add")

    assert not first
    assert run.result == ["a", "c", "b"]


@workflow.defn
class Chained:
    def __init__(self) -> None:
        self.stage = 0

    async def move(self, stage: int) -> None:
        await workflow.wait_condition(lambda: self.stage == stage)
        self.stage += 1

    @workflow.run
    async def run(self) -> int:
        await asyncio.gather(self.move(3), self.move(2), self.move(1), self.move(0))
        return self.stage


def test_conditions_are_asked_again_until_nothing_wakes(drive: Start) -> None:
    assert drive(Chained).result == 4


@workflow.defn
class WithLimit:
    def __init__(self) -> None:
        self.met = False

    @workflow.signal
    def meet(self) -> None:
        self.met = True

    @workflow.run
    async def run(self, timeout: timedelta | None) -> str:
        try:
            await workflow.wait_condition(lambda: self.met, timeout=timeout)
        except TimeoutError as error:
            return str(error)
        return "met"


def test_a_condition_without_a_timeout_asks_for_no_timer(drive: Start) -> None:
    run = drive(WithLimit, None)

    run.signal("meet")

    assert run.all_of(StartTimer) == []
    assert run.result == "met"


def test_a_condition_that_is_met_in_time_takes_its_timer_back(drive: Start) -> None:
    run = drive(WithLimit, timedelta(seconds=5))

    run.signal("meet")

    assert [each.id for each in run.all_of(CancelTimer)] == [1]
    assert run.result == "met"


def test_a_condition_that_is_not_met_in_time_says_so(drive: Start) -> None:
    run = drive(WithLimit, timedelta(seconds=5))

    run.fire()

    assert run.result == "the condition was not met within 0:00:05"


@workflow.defn
async def asking_once(value: bool, seconds: float) -> str:
    try:
        await workflow.wait_condition(lambda: value, timeout=seconds)
    except TimeoutError as error:
        return str(error)
    return "met"


@pytest.mark.parametrize("seconds", [0, -0.5])
@pytest.mark.parametrize(("value", "outcome"), [(True, "met"), (False, "the condition is not met")])
def test_a_timeout_of_zero_or_less_asks_once(drive: Start, seconds: float, value: bool, outcome: str) -> None:
    run = drive(asking_once, value, seconds)

    assert run.result == outcome
    assert run.all_of(StartTimer) == []


@workflow.defn
class Raising:
    def __init__(self) -> None:
        self.stage = 0

    @workflow.signal
    def go(self) -> None:
        self.stage += 1

    def bad(self) -> bool:
        if self.stage == 1:
            raise ApplicationError("the predicate fails")
        return False

    def timing_out(self) -> bool:
        raise TimeoutError("the predicate's own")

    def stopping(self) -> bool:
        return bool(next(iter(())))

    async def waiting(self, predicate: Callable[[], bool], timeout: float | None = None) -> str:
        try:
            await workflow.wait_condition(predicate, timeout=timeout)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "met"

    @workflow.run
    async def run(self) -> list[str]:
        others = asyncio.create_task(workflow.wait_condition(lambda: self.stage == 2))
        out = list(
            await asyncio.gather(self.waiting(self.bad), self.waiting(self.timing_out, 5), self.waiting(self.stopping))
        )
        await others
        return out


def test_what_a_predicate_raises_goes_to_its_own_waiter(drive: Start) -> None:
    run = drive(Raising)

    run.signal("go")
    run.signal("go")

    bad, own, stopping = run.result
    assert bad == "ApplicationError: the predicate fails"
    assert own == "TimeoutError: the predicate's own"
    assert stopping == "RuntimeError: the wait condition raised StopIteration()"


async def nothing() -> None:
    """Does nothing."""


def takes_a_signal() -> object:
    return workflow.signal_channel().poll("kept")


def sets_a_handler() -> None:
    workflow.set_signal_handler("kept", print)


def creates_a_task() -> object:
    return asyncio.create_task(nothing())


def starts_a_timer() -> object:
    return asyncio.get_running_loop().call_later(5, print)


def waits_inside() -> object:
    waiting = workflow.wait_condition(lambda: True)
    return waiting.send(None)


WRITES: dict[str, Callable[[], object]] = {
    "activity": lambda: workflow.start_activity("a"),
    "timer": starts_a_timer,
    "random": workflow.random,
    "uuid": workflow.uuid4,
    "side effect": lambda: workflow.side_effect(int),
    "task": creates_a_task,
    "signal": takes_a_signal,
    "handler": sets_a_handler,
    "condition": waits_inside,
}


@workflow.defn
async def writing_in_a_predicate(what: str, timeout: float | None) -> str:
    try:
        await workflow.wait_condition(WRITES[what], timeout=timeout)
    except ReadOnlyContextError as error:
        return error.context
    return "allowed"


@pytest.mark.parametrize("timeout", [None, 0])
@pytest.mark.parametrize("what", sorted(WRITES))
def test_a_predicate_may_only_read(drive: Start, what: str, timeout: float | None) -> None:
    run = drive(writing_in_a_predicate, what, timeout)

    assert run.result == "a wait condition"
    assert run.all_of(ScheduleActivity) == []


@workflow.defn
class GivenUp:
    def __init__(self) -> None:
        self.asked = 0

    def ask(self) -> bool:
        self.asked += 1
        return False

    @workflow.run
    async def run(self) -> int:
        waiting = asyncio.create_task(workflow.wait_condition(self.ask))
        await workflow.sleep(1)
        waiting.cancel()
        before = self.asked
        await workflow.sleep(1)
        return self.asked - before


def test_a_condition_that_nobody_waits_for_is_not_asked(drive: Start) -> None:
    run = drive(GivenUp)

    run.fire()
    run.send(TimerFired(2))

    assert run.result == 0


@workflow.defn
async def with_a_bad_timeout(timeout: Any) -> None:
    await workflow.wait_condition(lambda: True, timeout=timeout)


def test_a_timeout_that_is_no_length_of_time_is_a_bug(drive: Start) -> None:
    run = drive(with_a_bad_timeout, True, start=False)

    with pytest.raises(WorkflowBugError, match="timeout is a bool"):
        run.send(run.started)


@workflow.defn
class Misasking:
    """Waits for what gives no answer, and tells what it is told."""

    async def is_done(self) -> bool:
        return False

    @workflow.run
    async def run(self, what: str, timeout: float | None) -> str:
        task = asyncio.current_task()
        asked: dict[str, Any] = {
            "value": lambda: True,
            "coroutine function": lambda: self.is_done,
            "coroutine in a lambda": lambda: lambda: self.is_done(),
            "coroutine": lambda: self.is_done(),
            "task": lambda: lambda: task,
            "nothing": lambda: None,
        }
        try:
            await workflow.wait_condition(asked[what](), timeout=timeout)
        except TypeError as error:
            return str(error)
        return "met"


@pytest.mark.parametrize("timeout", [None, 5, 0])
@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("value", "it is a bool: write wait_condition(lambda: …)"),
        ("nothing", "it is a NoneType: write wait_condition(lambda: …)"),
        ("coroutine function", "it returned a coroutine: write it without async"),
        ("coroutine in a lambda", "it returned a coroutine: write it without async"),
        ("coroutine", "it is a coroutine: pass the function itself, written without async"),
        ("task", "it returned a Task: await that instead, or ask whether it is done()"),
    ],
)
def test_a_condition_that_cannot_answer_is_refused_at_once(
    drive: Start, what: str, complaint: str, timeout: float | None
) -> None:
    run = drive(Misasking, what, timeout)
    # A coroutine that was left alone would warn now, which fails the test.
    gc.collect()

    wanted = "the condition must be a function without arguments that returns true or false"
    assert run.result == f"{wanted}; {complaint}"


ASKED: list[str] = []


@workflow.defn
class Asked:
    """Notes when its condition is asked."""

    def __init__(self) -> None:
        self.is_over = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(self.ask)
        return "over"

    def ask(self) -> bool:
        ASKED.append("asked")
        return self.is_over

    @workflow.signal
    def end(self) -> None:
        self.is_over = True

    @workflow.query
    def look(self) -> str:
        return "looked"

    @workflow.update
    def change(self) -> None:
        """Is never accepted."""

    @change.validator
    def refuse(self) -> None:
        raise ValueError("not now")


def test_neither_a_query_nor_a_validator_has_conditions_asked(drive: Start) -> None:
    run = drive(Asked)
    nothing = run.converter.encode_args(())
    ASKED.clear()

    answer = run.execution.query("look", nothing)
    with pytest.raises(UpdateRejectedError):
        run.execution.validate(UpdateReceived("change", nothing, "update-1"), run.now_ns)
    before = list(ASKED)
    run.signal("end")

    assert run.converter.decode(answer) == "looked"
    assert (before, ASKED[:1]) == ([], ["asked"])
    assert run.result == "over"
