"""Activities that are cancelled: they hear of it at once and why, and the workflow gets what it has asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from greenroom import (
    ActivityCancellationType,
    ActivityError,
    CancelledError,
    Runtime,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    activity,
    workflow,
)
from greenroom.runtime.model.errors import RetryState
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.storage import MemoryStore
from greenroom.testing import Crash, TestRuntime
from tests.runtime.rig import WAIT, Gate, runtime_on

TRY = ActivityCancellationType.TRY_CANCEL
ANSWER = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
ABANDON = ActivityCancellationType.ABANDON

heard: list[Any] = []
plays: dict[str, Callable[[], Any]] = {}
gates: dict[str, Gate] = {}


@pytest.fixture(autouse=True)
def _forget() -> None:
    heard.clear()
    plays.clear()
    gates.clear()


@activity.defn
async def on_loop(name: str) -> Any:
    try:
        return await plays[name]()
    except asyncio.CancelledError:
        heard.append(activity.cancellation_details())
        raise


@activity.defn
def in_thread(name: str) -> Any:
    try:
        return plays[name]()
    except CancelledError:
        heard.append(activity.cancellation_details())
        raise


ACTIVITIES: dict[str, Any] = {each.__name__: each for each in (on_loop, in_thread)}


@workflow.defn
async def waits_for(which: str, name: str, kind: ActivityCancellationType, attempts: int = 0) -> str:
    handle = workflow.start_activity(
        ACTIVITIES[which],
        name,
        cancellation_type=kind,
        retry_policy=RetryPolicy(initial_interval=100, maximum_attempts=attempts),
        start_to_close_timeout=50,
    )
    task = asyncio.ensure_future(handle)
    await workflow.sleep(5)
    task.cancel()
    try:
        return f"result {await task}"
    except asyncio.CancelledError:
        return "cancelled"
    except ActivityError as error:
        return f"failed: {error.cause} ({error.retry_state.name if error.retry_state else None})"


@workflow.defn
async def performs(which: str, name: str, seconds: float = 1000) -> Any:
    policy = RetryPolicy(maximum_attempts=1)
    return await workflow.execute_activity(ACTIVITIES[which], name, start_to_close_timeout=seconds, retry_policy=policy)


OPTIONS: dict[str, Any] = {"workflows": [waits_for, performs], "activities": [*ACTIVITIES.values()]}


def make(store: Any = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, **OPTIONS, **options)


async def hang() -> None:
    await asyncio.Event().wait()


def spin() -> None:
    gates["spin"].open()
    while True:
        pass


# What the activity hears.


def end_of(runtime: Runtime, how: str, which: str) -> None:
    seconds = 0.05 if how == "timeout" else 1000
    limit = timedelta(seconds=0.1) if how == "run timeout" else None
    handle = runtime.start_workflow(performs, which, "x", seconds, id="x", run_timeout=limit).get(timeout=WAIT)
    if how in ("cancel", "terminate"):
        gates["spin"].pass_through()
        (handle.cancel("enough") if how == "cancel" else handle.terminate(reason="enough")).get(timeout=WAIT)
    with pytest.raises(WorkflowFailureError):
        handle.result().get(timeout=WAIT)


@pytest.mark.parametrize("which", ["in_thread", "on_loop"])
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cancel", activity.ActivityCancellationDetails(cancel_requested=True)),
        ("terminate", activity.ActivityCancellationDetails(not_found=True)),
        ("run timeout", activity.ActivityCancellationDetails(not_found=True)),
        ("timeout", activity.ActivityCancellationDetails(timed_out=True)),
    ],
)
def test_a_running_attempt_hears_at_once_that_it_is_cancelled_and_why(how: str, reason: Any, which: str) -> None:
    async def hang_on_loop() -> None:
        gates["spin"].open()
        await hang()

    gates["spin"] = Gate()
    plays["x"] = spin if which == "in_thread" else hang_on_loop
    with runtime_on(MemoryStore(), **OPTIONS) as runtime:
        end_of(runtime, how, which)
    assert heard == [reason]


def test_closing_cancels_what_goes_on_after_the_grace_period() -> None:
    gates["spin"] = Gate()
    plays["x"] = spin
    with runtime_on(MemoryStore(), **OPTIONS, shutdown_grace=0) as runtime:
        runtime.start_workflow(performs, "in_thread", "x", id="x").get(timeout=WAIT)
        gates["spin"].pass_through()
    assert heard == [activity.ActivityCancellationDetails(worker_shutdown=True)]


def test_an_activity_that_is_cancelled_while_it_asks_the_runtime_leaves_it_whole() -> None:
    def ask_on() -> None:
        gates["spin"].open()
        while True:
            runtime.get_workflow_handle("x").describe().get(timeout=WAIT)
            activity.heartbeat("again")

    plays["x"] = ask_on
    with runtime_on(MemoryStore(), **OPTIONS) as runtime:
        for _ in range(20):
            gates["spin"] = Gate()
            handle = runtime.start_workflow(performs, "in_thread", "x", id="x").get(timeout=WAIT)
            gates["spin"].pass_through()
            handle.cancel().get(timeout=WAIT)
            with pytest.raises(WorkflowFailureError):
                handle.result().get(timeout=WAIT)
        assert runtime.get_workflow_handle("x").describe().get(timeout=WAIT).status is WorkflowExecutionStatus.CANCELLED
    assert len(heard) == 20


# What the workflow gets.


async def clean_up() -> str:
    try:
        await hang()
    finally:
        await asyncio.sleep(10)
    return "never"


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize(("kind", "seconds"), [(TRY, 5), (ANSWER, 15), (ABANDON, 5)])
def test_the_workflow_waits_for_the_answer_if_it_has_asked_for_it(
    kind: ActivityCancellationType, seconds: int, evict: bool
) -> None:
    plays["timed"] = clean_up
    with make(evict_after_every_turn=evict) as runtime:
        begun_ns = runtime.clock.now_ns()
        result = runtime.wait(runtime.execute_workflow(waits_for, "on_loop", "timed", kind, id="x"))
        assert result.startswith("cancelled")
        assert runtime.clock.now_ns() - begun_ns == seconds * 10**9
        runtime.advance(20)


@pytest.mark.parametrize("evict", [False, True])
def test_an_activity_that_is_asked_to_end_may_complete(evict: bool) -> None:
    async def complete() -> str:
        with suppress(asyncio.CancelledError):
            await hang()
        return "all the same"

    plays["x"] = complete
    with make(evict_after_every_turn=evict) as runtime:
        result = runtime.wait(runtime.execute_workflow(waits_for, "on_loop", "x", ANSWER))
    assert result == "result all the same"


@pytest.mark.parametrize("kind", list(ActivityCancellationType))
@pytest.mark.parametrize("seconds", [4.999, 5, 5.001])
def test_an_outcome_and_a_cancellation_at_the_same_time_are_one_answer(kind: Any, seconds: float) -> None:
    async def end() -> str:
        await asyncio.sleep(seconds)
        return "done"

    plays["x"] = end
    with make() as runtime:
        result = runtime.wait(runtime.execute_workflow(waits_for, "on_loop", "x", kind, id="x"))
        runtime.advance(100)
        kinds = [event.kind for event in runtime.wait(runtime.get_workflow_handle("x").fetch_history()).events]
    assert result in ("result done", "cancelled")
    assert kinds.count("ActivityCompleted") + kinds.count("ActivityFailed") <= 1
    assert kinds.count("WorkflowCompleted") == 1


def test_one_that_fails_instead_is_not_repeated() -> None:
    async def stumble() -> None:
        try:
            await hang()
        finally:
            raise OSError("while cleaning up")

    plays["x"] = stumble
    with make() as runtime:
        result = runtime.wait(runtime.execute_workflow(waits_for, "on_loop", "x", ANSWER))
    assert result == f"failed: OSError: while cleaning up ({RetryState.CANCEL_REQUESTED.name})"


def test_one_that_never_answers_times_out_and_is_not_repeated() -> None:
    async def stay() -> None:
        while True:
            try:
                await hang()
            except asyncio.CancelledError:
                if activity.cancellation_details() != activity.ActivityCancellationDetails(cancel_requested=True):
                    raise
                if heard:
                    raise
                heard.append("stays")

    plays["x"] = stay
    with make() as runtime:
        result = runtime.wait(runtime.execute_workflow(waits_for, "on_loop", "x", ANSWER))
    assert result == "failed: start-to-close timeout passed (CANCEL_REQUESTED)"


@pytest.mark.parametrize("attempts", [0, 5])
def test_one_that_waits_for_its_next_attempt_is_cancelled_at_once(attempts: int) -> None:
    async def fail() -> None:
        heard.append("performed")
        raise OSError("no")

    plays["x"] = fail
    with make() as runtime:
        begun_ns = runtime.clock.now_ns()
        result = runtime.wait(runtime.execute_workflow(waits_for, "on_loop", "x", ANSWER, attempts))
        assert runtime.clock.now_ns() - begun_ns == 5 * 10**9
        runtime.advance(200)
    assert (result, heard) == ("cancelled", ["performed"])


def test_one_that_is_left_alone_goes_on_and_is_repeated_while_its_run_is_open() -> None:
    @workflow.defn
    async def leaves() -> int:
        handle = workflow.start_activity(
            "on_loop", "x", cancellation_type=ABANDON, retry_policy=RetryPolicy(initial_interval=5)
        )
        await workflow.sleep(1)
        handle.cancel()
        await workflow.sleep(100)
        return len(heard)

    async def fail_once() -> str:
        await asyncio.sleep(2)
        heard.append(activity.info().attempt)
        if len(heard) == 1:
            raise OSError("no")
        return "done"

    plays["x"] = fail_once
    with TestRuntime(workflows=[leaves], activities=[on_loop]) as runtime:
        assert runtime.wait(runtime.execute_workflow(leaves)) == 2
    assert heard == [1, 2]


@pytest.mark.parametrize("attempts", [0, 3])
def test_after_a_crash_one_that_was_asked_to_end_does_not_begin_again(attempts: int) -> None:
    async def begin() -> str:
        heard.append("begun")
        return str(await clean_up())

    plays["x"] = begin
    with make(auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(waits_for, "on_loop", "x", ANSWER, attempts, id="x"))
        runtime.advance(6)

        runtime.crash()
        runtime.run_until_idle()

        assert runtime.wait(runtime.get_workflow_handle("x").result()) == "cancelled"
    assert heard.count("begun") == 1


def test_a_cancellation_that_the_disk_refuses_reaches_nobody() -> None:
    async def count() -> None:
        await asyncio.sleep(30)
        heard.append("undisturbed")

    plays["x"] = count
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(performs, "on_loop", "x", id="x"))
        runtime.run_until_idle()
        runtime.store.fail_commit()
        refused = handle.cancel()
        runtime.run_until_idle()
        assert refused.exception() is not None

        runtime.advance(31)
        assert runtime.wait(handle.result()) is None
    assert heard == ["undisturbed"]


@pytest.mark.parametrize("at", range(1, 4))
@pytest.mark.parametrize("when", ["before", "after"])
def test_wherever_a_crash_comes_the_answer_is_given_once(at: int, when: Any) -> None:
    plays["x"] = clean_up
    with make() as runtime:
        runtime.wait(runtime.start_workflow(waits_for, "on_loop", "x", ANSWER, id="x"))
        runtime.store.crash_at_commit(at, when)
        try:
            runtime.advance(60)
        except Crash:
            runtime.crash()
            runtime.advance(60)
        assert runtime.wait(runtime.get_workflow_handle("x").result()) == "cancelled"


# Under the test runtime.


def test_a_sync_activity_of_a_test_runtime_is_cancelled_where_it_waits() -> None:
    def wait() -> str:
        gates["x"].open()
        activity.wait_for_cancelled_sync()
        return "never"

    gates["x"] = Gate()
    plays["x"] = wait
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(waits_for, "in_thread", "x", ANSWER)) == "cancelled"
    assert heard == [activity.ActivityCancellationDetails(cancel_requested=True)]


def test_a_sync_activity_of_a_test_runtime_sleeps_in_the_time_of_the_test() -> None:
    def wait() -> str:
        return str(activity.wait_for_cancelled_sync(3)) + str(activity.wait_for_worker_shutdown_sync(1))

    plays["x"] = wait
    with make() as runtime:
        begun_ns = runtime.clock.now_ns()
        assert runtime.wait(runtime.execute_workflow(performs, "in_thread", "x")) == "FalseFalse"
        assert runtime.clock.now_ns() - begun_ns == 4 * 10**9
