"""Heartbeats: an attempt that goes on is left alone, a silent one is given up, and the next knows what it said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from greenroom import PayloadError, activity, workflow
from greenroom.actors import ManualClock
from greenroom.runtime.model.errors import ActivityError, ApplicationError, TimeoutType, WorkflowFailureError
from greenroom.runtime.model.errors import TimeoutError as GreenroomTimeoutError
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT, Gate, runtime_on

found: list[tuple[int, tuple[Any, ...]]] = []
"""Which attempt began, and what it found of those before it."""

plays: dict[str, Callable[[int], Any]] = {}
"""What an activity does in each of its attempts."""


@pytest.fixture(autouse=True)
def _forget() -> None:
    found.clear()
    plays.clear()


def note() -> int:
    info = activity.info()
    found.append((info.attempt, info.heartbeat_details))
    return info.attempt


@activity.defn
async def on_loop(name: str) -> Any:
    return await plays[name](note())


@activity.defn(no_thread_cancel_exception=True)
def in_thread(name: str) -> Any:
    return plays[name](note())


@activity.defn(heartbeat_timeout=timedelta(seconds=10))
async def as_declared(name: str) -> Any:
    assert activity.info().heartbeat_timeout == timedelta(seconds=10)
    return await plays[name](note())


ACTIVITIES: dict[str, Any] = {each.__name__: each for each in (on_loop, in_thread, as_declared)}


@workflow.defn
async def perform(which: str, name: str, seconds: float | None, attempts: int = 0) -> Any:
    policy = RetryPolicy(initial_interval=5, maximum_attempts=attempts)
    return await workflow.execute_activity(
        ACTIVITIES[which], name, heartbeat_timeout=seconds, start_to_close_timeout=1000, retry_policy=policy
    )


@workflow.defn
async def perform_until_told(which: str, name: str, seconds: float) -> Any:
    policy = RetryPolicy(maximum_attempts=1)
    task = asyncio.ensure_future(
        workflow.execute_activity(ACTIVITIES[which], name, heartbeat_timeout=seconds, retry_policy=policy)
    )
    await workflow.signal_channel().receive("stop")
    task.cancel()
    return "stopped"


def make(store: Any = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[perform, perform_until_told], activities=[*ACTIVITIES.values()], **options)


def cause_of(error: WorkflowFailureError) -> BaseException | None:
    assert isinstance(error.cause, ActivityError)
    return error.cause.cause


def rows_of(runtime: TestRuntime) -> list[Any]:
    return runtime.hands.journal.attempts(1)


def test_the_clock_starts_anew_with_each_heartbeat() -> None:
    async def beat_on(attempt: int) -> str:
        for _ in range(5):
            await asyncio.sleep(9)
            activity.heartbeat()
        await asyncio.sleep(9)
        return "done"

    plays["x"] = beat_on
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(perform, "on_loop", "x", 10.0)) == "done"
    assert [attempt for attempt, _ in found] == [1]


def test_an_attempt_that_is_silent_is_given_up_with_what_it_said_last() -> None:
    async def fall_silent(attempt: int) -> None:
        activity.heartbeat("first")
        await asyncio.sleep(6)
        activity.heartbeat("last", 2)
        await asyncio.sleep(600)

    plays["x"] = fall_silent
    with make() as runtime:
        begun_ns = runtime.clock.now_ns()
        with pytest.raises(WorkflowFailureError) as caught:
            runtime.wait(runtime.execute_workflow(perform, "on_loop", "x", 10.0, 1))
        assert runtime.clock.now_ns() - begun_ns == 16 * 10**9

    cause = cause_of(caught.value)
    assert isinstance(cause, GreenroomTimeoutError)
    assert cause.type is TimeoutType.HEARTBEAT
    assert cause.last_heartbeat_details == ("last", 2)


def test_one_that_never_beats_is_given_up_after_one_timeout_and_repeated() -> None:
    async def first_hangs(attempt: int) -> int:
        if attempt == 1:
            await asyncio.sleep(600)
        return attempt

    plays["x"] = first_hangs
    with make(auto_skip=False) as runtime:
        result = runtime.execute_workflow(perform, "on_loop", "x", 10.0)
        runtime.advance(9.999)
        assert [attempt for attempt, _ in found] == [1]
        runtime.advance(0.001 + 5)
        assert runtime.wait(result) == 2


def test_a_timeout_can_stand_on_the_declaration() -> None:
    async def hang(attempt: int) -> None:
        await asyncio.sleep(600)

    plays["x"] = hang
    with make() as runtime, pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(runtime.execute_workflow(perform, "as_declared", "x", None, 1))

    cause = cause_of(caught.value)
    assert isinstance(cause, GreenroomTimeoutError)
    assert cause.type is TimeoutType.HEARTBEAT


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize("ending", ["an error", "silence", "start to close"])
def test_the_next_attempt_finds_what_was_said_last_whatever_the_one_before_failed_of(ending: str, evict: bool) -> None:
    async def first_fails(attempt: int) -> str:
        if attempt > 1:
            return "done"
        activity.heartbeat("page", 1)
        activity.heartbeat("page", 2)
        if ending == "an error":
            raise OSError("no")
        while ending == "start to close":
            await asyncio.sleep(8)
            activity.heartbeat("page", 2)
        await asyncio.sleep(600)
        return "too late"

    plays["x"] = first_fails
    with make(evict_after_every_turn=evict) as runtime:
        assert runtime.wait(runtime.execute_workflow(perform, "on_loop", "x", 10.0)) == "done"
    assert found == [(1, ()), (2, ("page", 2))]


def test_what_was_said_stays_until_a_later_attempt_says_something_else() -> None:
    async def third_speaks(attempt: int) -> str:
        if attempt == 1:
            activity.heartbeat("one")
        if attempt == 3:
            activity.heartbeat()
        if attempt < 5:
            raise OSError("no")
        return "done"

    plays["x"] = third_speaks
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(perform, "on_loop", "x", 10.0)) == "done"
    assert found == [(1, ()), (2, ("one",)), (3, ("one",)), (4, ()), (5, ())]


@dataclass
class Place:
    """Where an activity is."""

    page: int


def test_details_come_back_as_plain_data_and_as_they_were_when_they_were_said() -> None:
    said: list[Any] = [1]

    def speak(attempt: int) -> str:
        if attempt == 1:
            activity.heartbeat(said, Place(3), {1, 2}, timedelta(1))
            said.append(2)
            raise OSError("no")
        return "done"

    plays["x"] = speak
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(perform, "in_thread", "x", None)) == "done"
    assert found[1] == (2, ([1], {"page": 3}, {1, 2}, timedelta(1)))


def test_what_cannot_be_stored_is_the_activitys_error_and_nothing_is_said() -> None:
    def speak(attempt: int) -> str:
        activity.heartbeat("well")
        with pytest.raises(PayloadError):
            activity.heartbeat(object())
        if attempt == 1:
            raise OSError("no")
        return "done"

    plays["x"] = speak
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(perform, "in_thread", "x", None)) == "done"
    assert found[1] == (2, ("well",))


# What is written, and when.


def test_heartbeats_are_written_at_once_and_then_seldom() -> None:
    async def beat_on(attempt: int) -> str:
        for number in range(1000):
            activity.heartbeat(number)
            await asyncio.sleep(0.1)
        return "done"

    plays["x"] = beat_on
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(perform, "on_loop", "x", 10.0)) == "done"
        # The opening, the start, the end; and in 100 s of heartbeats one at once and one each 8 s.
        assert runtime.store.commits <= 3 + 1 + 13
        assert rows_of(runtime) == []


@pytest.mark.parametrize("details", [(), ("the same",)])
def test_heartbeats_that_say_nothing_new_are_not_written(details: tuple[str, ...]) -> None:
    async def beat_on(attempt: int) -> str:
        for _ in range(100):
            activity.heartbeat(*details)
            await asyncio.sleep(1)
        return "done"

    plays["x"] = beat_on
    with make() as runtime:
        runtime.wait(runtime.start_workflow(perform, "on_loop", "x", 10.0))
        before = runtime.store.commits
        runtime.advance(90)

        assert runtime.store.commits - before == len(details)


@pytest.mark.parametrize(("timeout", "interval"), [(10.0, 8), (None, 30), (100.0, 60)])
def test_a_crash_forgets_at_most_what_was_said_in_the_last_interval(timeout: float | None, interval: int) -> None:
    async def count(attempt: int) -> None:
        for second in range(1000):
            activity.heartbeat(second)
            await asyncio.sleep(1)

    plays["x"] = count
    with make(auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(perform, "on_loop", "x", timeout))
        runtime.advance(interval - 0.5)
        runtime.crash()
        runtime.run_until_idle()
        assert found[-1] == (1, (0,))

        # It counts anew: 0 is no news, 1 is written at once, and then what is said when the interval is over.
        runtime.advance(1 + interval + 0.5)
        runtime.crash()
        runtime.run_until_idle()
        assert found[-1][1][0] in (interval, interval + 1)


def test_a_counted_attempt_that_a_crash_has_ended_leaves_what_it_said_to_the_next() -> None:
    async def speak(attempt: int) -> str:
        if attempt == 1:
            activity.heartbeat("halfway")
            await asyncio.sleep(600)
        return "done"

    plays["x"] = speak
    with make(auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(perform, "on_loop", "x", None, 3, id="x"))
        runtime.advance(1)
        (row,) = rows_of(runtime)
        assert (row.started, row.next_ns, row.attempt) == (True, None, 1)

        runtime.crash()
        runtime.advance(60)

        assert runtime.wait(runtime.get_workflow_handle("x").result()) == "done"
    assert found == [(1, ()), (2, ("halfway",))]


def test_closing_writes_down_what_was_said_last() -> None:
    store = MemoryStore()

    async def count(attempt: int) -> None:
        for second in range(1000):
            activity.heartbeat(second)
            await asyncio.sleep(1)

    plays["x"] = count
    with make(store, auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(perform, "on_loop", "x", None, id="x"))
        runtime.advance(5.5)
    with make(store, clock=runtime.clock, auto_skip=False) as again:
        again.run_until_idle()

    assert found == [(1, ()), (1, (5,))]


def test_what_the_disk_refuses_is_written_a_little_later() -> None:
    async def speak(attempt: int) -> None:
        activity.heartbeat("said")
        await asyncio.sleep(600)

    plays["x"] = speak
    with make(auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(perform, "on_loop", "x", None, id="x"))
        runtime.store.fail_commit()
        runtime.run_until_idle()
        assert rows_of(runtime) == []

        runtime.advance(1)
        runtime.crash()
        runtime.run_until_idle()

    assert found == [(1, ()), (1, ("said",))]


# Heartbeats against everything else.


def test_an_attempt_that_was_given_up_no_longer_speaks_for_the_next() -> None:
    clock = ManualClock()
    silent, beaten = Gate(), Gate()
    old: list[int] = []

    def play(attempt: int) -> str:
        if attempt > 1:
            beaten.pass_through()
            return "done"
        silent.pass_through()
        old.append(attempt)
        activity.heartbeat("from the grave")
        beaten.open()
        return "too late"

    plays["x"] = play
    options: dict[str, Any] = {"workflows": [perform], "activities": [*ACTIVITIES.values()], "clock": clock}
    with runtime_on(MemoryStore(), **options) as runtime:
        handle = runtime.start_workflow(perform, "in_thread", "x", 10.0, 2).get(timeout=WAIT)
        silent.arrived()
        clock.advance(11)
        handle.describe().get(timeout=WAIT)
        clock.advance(5)
        beaten.arrived()
        silent.open()
        assert handle.result().get(timeout=WAIT) == "done"
    assert old == [1]
    assert found == [(1, ()), (2, ())]


def test_a_cancellation_that_the_disk_refuses_leaves_the_heartbeats_as_they_were() -> None:
    async def beat_on(attempt: int) -> str:
        for second in range(40):
            activity.heartbeat(second)
            await asyncio.sleep(1)
        return "done"

    plays["x"] = beat_on
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(perform_until_told, "on_loop", "x", 10.0, id="x"))
        runtime.advance(3)
        runtime.store.fail_commit()
        refused = handle.signal("stop")
        runtime.run_until_idle()
        assert refused.exception() is not None

        runtime.advance(30)

        (pending,) = runtime.wait(handle.describe()).pending_activities
        assert (pending.attempt, pending.is_running) == (1, True)
        assert found == [(1, ())]
        runtime.wait(handle.signal("stop"))
        assert runtime.wait(handle.result()) == "stopped"


def test_an_attempt_that_ends_as_its_time_is_over_has_ended_once() -> None:
    async def end_late(attempt: int) -> int:
        await asyncio.sleep(10 if attempt == 1 else 1)
        return attempt

    plays["x"] = end_late
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(perform, "on_loop", "x", 10.0)) == 2
    assert [attempt for attempt, _ in found] == [1, 2]


def test_a_sync_activity_drives_the_test_runtime_past_its_own_timeout() -> None:
    def play(attempt: int) -> str:
        if attempt == 1:
            activity.heartbeat("before")
            runtime.advance(11)
            activity.heartbeat("after")
        return f"attempt {attempt}"

    plays["x"] = play
    with make(auto_skip=False) as runtime:
        result = runtime.execute_workflow(perform, "in_thread", "x", 10.0)
        runtime.advance(20)
        assert runtime.wait(result) == "attempt 2"
    assert found == [(1, ()), (2, ("before",))]


def test_a_failure_that_is_final_keeps_the_order_of_things() -> None:
    def play(attempt: int) -> None:
        activity.heartbeat("x")
        raise ApplicationError("no use", non_retryable=True)

    plays["x"] = play
    with make() as runtime:
        with pytest.raises(WorkflowFailureError) as caught:
            runtime.wait(runtime.execute_workflow(perform, "in_thread", "x", 10.0))
        assert rows_of(runtime) == []
    assert cast("ApplicationError", cause_of(caught.value)).message == "no use"
