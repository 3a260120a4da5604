"""In which order things happen in a run: messages as they came, and in a turn what was asked for first."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.commands import CancelTimer, StartTimer
from greenroom.runtime.core.messages import ActivityCompleted, CancelRequested, Message, SignalReceived, TimerFired
from tests.core.driving import SECOND, Drive

Start = Callable[..., Drive]


@workflow.defn
class Listening:
    """Notes what it hears, in order, from a signal, an activity, a timer and a cancellation."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def note(self, awaitable: Any, name: str) -> None:
        await awaitable
        self.heard.append(name)

    @workflow.signal
    async def signal(self) -> None:
        self.heard.append("signal")
        await asyncio.sleep(0)
        self.heard.append("signal, later")

    @workflow.run
    async def run(self) -> list[str]:
        both = workflow.gather(
            self.note(workflow.start_activity("a"), "activity"), self.note(workflow.sleep(5), "timer")
        )
        try:
            await asyncio.shield(both)
            await workflow.sleep(100)
        except asyncio.CancelledError:
            self.heard.append("cancel")
        await workflow.wait_condition(lambda: len(self.heard) == 5)
        return self.heard


HEARD = {"signal": ["signal", "signal, later"], "activity": ["activity"], "timer": ["timer"], "cancel": ["cancel"]}


@pytest.mark.parametrize("order", list(itertools.permutations(HEARD)), ids=" ".join)
def test_messages_are_taken_one_at_a_time_in_the_order_in_which_they_came(drive: Start, order: tuple[str, ...]) -> None:
    run = drive(Listening)
    mail: dict[str, Message] = {
        "signal": SignalReceived("signal", run.converter.encode_args(())),
        "activity": ActivityCompleted(1, run.converter.encode(None)),
        "timer": TimerFired(2),
        "cancel": CancelRequested("enough"),
    }

    for name in order:
        run.send(mail[name])

    assert run.result == [each for name in order for each in HEARD[name]]


@workflow.defn
class Initialised:
    @workflow.init
    def __init__(self, greeting: str) -> None:
        self.log = [f"init {greeting}"]

    @workflow.run
    async def run(self, greeting: str) -> list[str]:
        self.log.append("run")
        await workflow.wait_condition(lambda: len(self.log) == 4)
        return self.log

    @workflow.signal
    async def note(self, text: str) -> None:
        self.log.append(f"{self.log[0]}, {text}")


def test_init_has_run_with_the_input_and_run_has_begun_before_any_handler(drive: Start) -> None:
    run = drive(Initialised, "hello")

    run.signal("note", "one")
    run.signal("note", "two")

    assert run.result == ["init hello", "run", "init hello, one", "init hello, two"]


@workflow.defn
class Watching:
    """Waits for an hour of the clock by a condition, without a timer."""

    @workflow.run
    async def run(self) -> int:
        begun = workflow.time_ns()
        await workflow.wait_condition(lambda: workflow.time_ns() - begun >= 3600 * SECOND)
        return workflow.time_ns() - begun

    @workflow.signal
    def knock(self) -> None:
        """Changes nothing and wakes nobody."""


def test_a_condition_on_the_clock_is_asked_again_by_a_message_that_wakes_nobody(drive: Start) -> None:
    run = drive(Watching)

    run.now_ns += 1800 * SECOND
    run.signal("knock")
    before = run.execution.is_closed
    run.now_ns += 1800 * SECOND
    run.signal("unheard")

    assert not before
    assert run.result == 3600 * SECOND
    assert run.all_of(StartTimer) == []


@workflow.defn
async def waking_in_order() -> list[str]:
    gate, seen = asyncio.Event(), list[str]()

    async def wait(name: str) -> None:
        await gate.wait()
        seen.append(name)

    waiters = workflow.gather(wait("a"), wait("b"), wait("c"))
    await asyncio.sleep(0)
    gate.set()
    await waiters
    return seen


def test_those_who_wait_for_the_same_wake_in_the_order_in_which_they_came(drive: Start) -> None:
    assert drive(waking_in_order).result == ["a", "b", "c"]


@workflow.defn
class Slept:
    """A timer that is cancelled by a signal of the same instant, which comes first."""

    @workflow.run
    async def run(self) -> str:
        self.nap = asyncio.create_task(workflow.sleep(5))
        try:
            await self.nap
        except asyncio.CancelledError:
            await workflow.sleep(1)
            return "woken"
        return "slept"

    @workflow.signal
    def wake(self) -> None:
        self.nap.cancel()


def test_a_timer_that_a_signal_of_the_same_instant_cancels_first_is_ignored(drive: Start) -> None:
    run = drive(Slept)

    run.now_ns += 5 * SECOND
    run.signal("wake")
    late = run.send(TimerFired(1))
    run.fire()

    assert late == []
    assert [each.id for each in run.all_of(CancelTimer)] == [1]
    assert run.result == "woken"


@workflow.defn
async def forgetting_to_await() -> str:
    workflow.execute_activity("a")  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]  # greenroom: allow
    return "done"


def test_a_call_that_nobody_awaits_does_nothing_and_python_warns_of_it(drive: Start) -> None:
    with pytest.warns(RuntimeWarning, match="'execute_activity' was never awaited"):
        run = drive(forgetting_to_await)
    # A replay would warn again.
    run.is_replayed = False

    assert run.names() == [""]
    assert run.result == "done"
