"""Timers are durable, and what is taken back in the turn that asked for it never reaches the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CancelTimer, ScheduleActivity, StartTimer
from greenroom.runtime.core.messages import TimerFired
from tests.core.driving import SECOND, STARTED_NS, Drive

Start = Callable[..., Drive]


@workflow.defn
async def sleeping(seconds: float) -> int:
    await workflow.sleep(seconds, summary="nap")
    return workflow.time_ns()


def test_a_sleep_is_a_timer_at_an_instant(drive: Start) -> None:
    run = drive(sleeping, 2.5)

    asked = run.last
    run.fire()

    assert [(type(each), each.name) for each in asked] == [(StartTimer, "nap")]
    assert run.all_of(StartTimer)[0].at_ns == STARTED_NS + 2_500_000_000
    assert run.result == STARTED_NS + 2_500_000_000


@workflow.defn
async def odd_lines() -> None:
    workflow.start_activity("plain", summary="not \udcff text")
    await workflow.sleep(1, summary="\ud800")


@workflow.defn
async def no_line() -> None:
    await workflow.sleep(1, summary=cast("Any", 5))


def test_a_line_for_people_is_made_one_that_can_be_written(drive: Start) -> None:
    run = drive(odd_lines)

    assert run.all_of(ScheduleActivity)[0].options.summary == r"not \udcff text"
    assert run.all_of(StartTimer)[0].name == r"\ud800"
    with pytest.raises(WorkflowBugError) as caught:
        drive(no_line)
    assert str(caught.value.__cause__) == "summary is an int; give a string"


def test_a_sleep_of_zero_is_a_timer_too(drive: Start) -> None:
    run = drive(sleeping, 0)

    assert [each.at_ns for each in run.all_of(StartTimer)] == [STARTED_NS]
    assert not run.execution.is_closed
    run.fire()
    assert run.execution.is_closed


@workflow.defn
async def sleeping_badly(seconds: float) -> None:
    await workflow.sleep(seconds)


def test_a_negative_sleep_is_a_bug(drive: Start) -> None:
    run = drive(sleeping_badly, -1, start=False)

    with pytest.raises(WorkflowBugError, match="duration is -1"):
        run.send(run.started)


@workflow.defn
async def sleeping_until(when: datetime) -> datetime:
    await workflow.sleep_until(when)
    return workflow.now()


def test_sleep_until_waits_for_the_instant(drive: Start) -> None:
    when = datetime.fromtimestamp(STARTED_NS / SECOND, UTC) + timedelta(days=3650, microseconds=1)

    run = drive(sleeping_until, when)
    run.fire()

    assert run.converter.decode(run.converter.encode(when)) == run.result


def test_sleep_until_an_instant_that_has_passed_is_due_at_once(drive: Start) -> None:
    run = drive(sleeping_until, datetime(2000, 1, 1, tzinfo=UTC))

    assert run.all_of(StartTimer)[0].at_ns == STARTED_NS


def test_sleep_until_refuses_an_instant_without_a_time_zone(drive: Start) -> None:
    run = drive(sleeping_until, datetime(2030, 1, 1), start=False)

    with pytest.raises(WorkflowBugError, match="which time zone"):
        run.send(run.started)


@workflow.defn
async def sleeping_until_what_is_no_instant(seconds: Any) -> None:
    await workflow.sleep_until(seconds)


def test_sleep_until_refuses_what_is_no_instant(drive: Start) -> None:
    run = drive(sleeping_until_what_is_no_instant, 5, start=False)

    with pytest.raises(WorkflowBugError, match="sleep_until needs an aware datetime, not an int"):
        run.send(run.started)


@workflow.defn
async def cancelling_at_once() -> str:
    task = asyncio.create_task(workflow.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    return "slept"


def test_a_timer_that_is_cancelled_in_its_turn_is_never_recorded(drive: Start) -> None:
    run = drive(cancelling_at_once)

    assert [type(each).__name__ for each in run.last] == ["CompleteWorkflow"]
    assert run.result == "cancelled"


@workflow.defn
class CancelledLater:
    @workflow.run
    async def run(self) -> str:
        self.task = asyncio.create_task(workflow.sleep(10))
        try:
            await self.task
        except asyncio.CancelledError:
            pass
        await workflow.sleep(50)
        return "woke"

    @workflow.signal
    def stop(self) -> None:
        self.task.cancel()


def test_a_timer_that_is_cancelled_later_is_taken_back(drive: Start) -> None:
    run = drive(CancelledLater)

    asked = run.signal("stop")

    assert [(type(each), each.id) for each in asked] == [(CancelTimer, 1), (StartTimer, 2)]


def test_a_timer_that_fires_after_it_was_cancelled_is_ignored(drive: Start) -> None:
    run = drive(CancelledLater)
    run.signal("stop")

    late = run.send(TimerFired(1))
    run.fire()

    assert late == []
    assert run.result == "woke"


@workflow.defn
class CancelledWhileFiring:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        loop = asyncio.get_running_loop()
        second = loop.call_later(5, self.seen.append, "second")
        loop.call_later(5, second.cancel)
        await workflow.sleep(10)
        return self.seen


def test_a_timer_is_cancelled_by_another_of_the_same_instant(drive: Start) -> None:
    run = drive(CancelledWhileFiring)

    run.fire(2)
    run.fire(3)

    assert run.result == []
    assert [each.id for each in run.all_of(CancelTimer)] == [1]


@workflow.defn
async def watching_the_clock() -> list[int]:
    seen = [workflow.time_ns()]
    for _ in range(3):
        await workflow.signal_channel().receive("tick")
        seen.append(workflow.time_ns())
    return seen


def test_the_clock_stands_during_a_turn_and_never_goes_back(drive: Start) -> None:
    run = drive(watching_the_clock)

    for after in (5, -3, 10):
        run.now_ns += after * SECOND
        run.signal("tick")

    assert [each - STARTED_NS for each in run.result] == [0, 5 * SECOND, 5 * SECOND, 12 * SECOND]


@workflow.defn
async def telling_every_clock() -> list[list[float]]:
    loop, began, began_ns = asyncio.get_running_loop(), workflow.now(), workflow.time_ns()
    seen: list[list[float]] = []
    for _ in range(2):
        for _ in range(3):
            seen.append([(workflow.now() - began).total_seconds(), workflow.time_ns() - began_ns, loop.time()])
            await asyncio.sleep(0)
        await workflow.signal_channel().receive("tick")
    return seen


def test_every_clock_of_a_run_tells_the_time_of_the_turn_and_stands_while_its_code_runs(drive: Start) -> None:
    run = drive(telling_every_clock)

    for _ in range(2):
        run.now_ns += 5 * SECOND
        run.signal("tick")

    assert run.result == [[0.0, 0, 0.0]] * 3 + [[5.0, 5 * SECOND, 5.0]] * 3
