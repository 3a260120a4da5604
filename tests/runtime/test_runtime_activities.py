"""Activities as a workflow and a caller see them: retries, timeouts, and how often each one is begun."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import timedelta
from typing import Any, cast

import pytest

from greenroom import activity, workflow
from greenroom.actors import ManualClock
from greenroom.runtime.model.errors import (
    ActivityError,
    ApplicationError,
    RetryState,
    TimeoutType,
    WorkflowFailureError,
    WorkflowSuspendedError,
)
from greenroom.runtime.model.errors import TimeoutError as GreenroomTimeoutError
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT, Gate, runtime_on

begun: Counter[str] = Counter()
gates: dict[str, Gate] = {}


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    begun.clear()
    gates.clear()


@activity.defn(retry_policy=RetryPolicy(initial_interval=10, backoff_coefficient=2))
def third_time(name: str) -> str:
    begun[name] += 1
    if begun[name] < 3:
        raise OSError(f"attempt {activity.info().attempt} of {name}")
    return f"{name} at attempt {activity.info().attempt}"


@activity.defn(retry_policy=RetryPolicy(initial_interval=10, maximum_attempts=3))
def hopeless(name: str) -> str:
    begun[name] += 1
    raise OSError(f"attempt {activity.info().attempt}")


@activity.defn(retry_policy=RetryPolicy(maximum_attempts=5, non_retryable_error_types=["LookupError"]))
def picky(name: str) -> str:
    begun[name] += 1
    if name == "application":
        raise ApplicationError("no use", non_retryable=True)
    raise KeyError(name)


@activity.defn
async def asynchronous(text: str) -> str:
    await asyncio.sleep(0)
    return f"async {text}"


@activity.defn
def keyed() -> str:
    return activity.info().idempotency_key


@activity.defn
def gated(name: str) -> str:
    begun[name] += 1
    gates[name].pass_through()
    return f"{name} passed"


DECLARED: dict[str, Any] = {each.__name__: each for each in (third_time, hopeless, picky, asynchronous, keyed, gated)}


class Bank:
    """What an activity needs, given as the instance it is a method of."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    @activity.defn(name="charge")
    def charge(self, cents: int) -> str:
        return f"{cents} {self.currency}"

    @activity.defn(name="refund")
    async def refund(self, cents: int) -> str:
        return f"-{cents} {self.currency}"


@workflow.defn
async def performs(name: str, *args: Any) -> Any:
    # A name alone would leave out the options of the declaration.
    return await workflow.execute_activity(DECLARED.get(name, name), *args)


@workflow.defn
async def limited(name: str, limit: str, seconds: float, attempts: int) -> Any:
    options: dict[str, Any] = {limit: seconds}
    policy = RetryPolicy(initial_interval=5, maximum_attempts=attempts)
    return await workflow.execute_activity("gated", name, retry_policy=policy, **options)


@workflow.defn
async def banks(cents: int) -> list[str]:
    charged = await workflow.execute_activity_method(Bank.charge, cents)
    return [charged, await workflow.execute_activity_method(Bank.refund, cents)]


WORKFLOWS = [performs, limited, banks]
ACTIVITIES: list[Any] = [third_time, hopeless, picky, asynchronous, keyed, gated, Bank("EUR")]


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=WORKFLOWS, activities=ACTIVITIES, **options)


def activity_error(error: BaseException) -> ActivityError:
    assert isinstance(error, WorkflowFailureError)
    assert isinstance(error.cause, ActivityError)
    return error.cause


@pytest.mark.parametrize("evict", [False, True])
def test_a_failed_attempt_is_repeated_after_its_backoff(evict: bool) -> None:
    with make(auto_skip=False, evict_after_every_turn=evict) as runtime:
        handle = runtime.wait(runtime.start_workflow(performs, "third_time", "x", id="x"))
        runtime.run_until_idle()
        (pending,) = runtime.wait(handle.describe()).pending_activities
        assert (pending.attempt, pending.is_running) == (2, False)
        assert pending.last_failure is not None
        assert "attempt 1 of x" in pending.last_failure
        assert pending.next_attempt_time == pending.scheduled_time + timedelta(seconds=10)

        runtime.advance(9.999)
        assert begun["x"] == 1
        runtime.advance(0.001)
        assert begun["x"] == 2
        runtime.advance(19.999)
        assert begun["x"] == 2
        runtime.advance(0.001)

        assert runtime.wait(handle.result()) == "x at attempt 3"


def test_a_backoff_goes_on_while_the_runtime_is_closed() -> None:
    store = MemoryStore()
    with make(store, auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(performs, "third_time", "x", id="x"))
        runtime.run_until_idle()
    runtime.clock.advance(5)

    with make(store, clock=runtime.clock, auto_skip=False) as again:
        again.run_until_idle()
        (pending,) = again.wait(again.get_workflow_handle("x").describe()).pending_activities
        assert (pending.attempt, begun["x"]) == (2, 1)
        assert pending.last_failure is not None
        again.advance(5)
        assert begun["x"] == 2
        again.clock.advance(3600)
        again.run_until_idle()
        assert again.wait(again.get_workflow_handle("x").result()) == "x at attempt 3"
    assert begun["x"] == 3


def test_the_last_attempt_ends_it_with_its_failure() -> None:
    with make() as runtime, pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(runtime.execute_workflow(performs, "hopeless", "x"))

    error = activity_error(caught.value)
    assert (error.attempt, error.retry_state) == (3, RetryState.MAXIMUM_ATTEMPTS_REACHED)
    assert isinstance(error.cause, ApplicationError)
    assert (error.cause.type, error.cause.message) == ("OSError", "attempt 3")
    assert "in hopeless" in error.cause.stack
    assert begun["x"] == 3


@pytest.mark.parametrize("name", ["application", "other"])
def test_a_failure_that_is_not_retryable_ends_it_at_once(name: str) -> None:
    with make() as runtime, pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(runtime.execute_workflow(performs, "picky", name))

    assert activity_error(caught.value).retry_state is RetryState.NON_RETRYABLE_FAILURE
    assert begun[name] == 1


def test_an_activity_that_returns_what_it_is_not_annotated_with_may_be_mended_before_its_next_attempt() -> None:
    returned: list[Any] = ["3 EUR", 3]

    @activity.defn(name="price")
    def price() -> int:
        return cast("int", returned.pop(0))

    with TestRuntime(workflows=WORKFLOWS, activities=[price], auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(performs, "price", id="x"))
        runtime.run_until_idle()
        (pending,) = runtime.wait(handle.describe()).pending_activities
        assert pending.last_failure is not None
        assert "activity 'price' returned '3 EUR'" in pending.last_failure

        runtime.advance(1)

        assert runtime.wait(handle.result()) == 3


def test_an_activity_that_is_not_declared_suspends_its_run_at_once_with_the_names_that_are() -> None:
    with make() as runtime, pytest.raises(WorkflowSuspendedError) as caught:
        runtime.wait(runtime.execute_workflow(performs, "thrid_time", "x"), limit=0)

    assert "no activity named 'thrid_time'" in caught.value.reason
    assert "third_time" in caught.value.reason


def test_async_activities_and_methods_of_an_instance_are_performed() -> None:
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(performs, "asynchronous", "text")) == "async text"
        assert runtime.wait(runtime.execute_workflow(banks, 5)) == ["5 EUR", "-5 EUR"]


def test_each_activity_has_an_idempotency_key_of_its_own() -> None:
    with make() as runtime:
        keys = {runtime.wait(runtime.execute_workflow(performs, "keyed")) for _ in range(10)}

    assert len(keys) == 10


def test_the_idempotency_key_is_the_same_for_every_attempt_before_and_after_a_crash() -> None:
    seen: list[tuple[int, str]] = []

    @activity.defn(name="key_of_each", retry_policy=RetryPolicy(initial_interval=10))
    def key_of_each() -> str:
        seen.append((activity.info().attempt, activity.info().idempotency_key))
        if len(seen) < 4:
            raise OSError("no")
        return seen[-1][1]

    with TestRuntime(workflows=WORKFLOWS, activities=[key_of_each], auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(performs, "key_of_each", id="x"))
        # Performed, and lost with its outcome.
        assert runtime.perform_activity()
        runtime.crash()
        runtime.advance(5)
        runtime.crash()
        runtime.advance(60)

        key = runtime.wait(runtime.get_workflow_handle("x").result())
    assert [attempt for attempt, _ in seen] == [1, 1, 2, 3]
    assert {key for _, key in seen} == {key}


def test_a_crash_between_an_effect_and_its_record_repeats_the_attempt_with_the_same_number() -> None:
    gates["x"] = Gate()
    gates["x"].open()
    with make() as runtime:
        runtime.wait(runtime.start_workflow(performs, "gated", "x", id="x"))
        assert runtime.perform_activity()

        runtime.crash()

        assert runtime.wait(runtime.get_workflow_handle("x").result()) == "x passed"
    assert begun["x"] == 2


@pytest.mark.parametrize("crashes", [1, 2, 5])
def test_crashes_included_a_counted_activity_is_never_begun_more_often_than_allowed(crashes: int) -> None:
    with make() as runtime:
        runtime.wait(runtime.start_workflow(performs, "hopeless", "x", id="x"))
        for _ in range(crashes):
            before = begun["x"]
            while begun["x"] == before and (runtime.step() or runtime.perform_activity()):
                pass
            runtime.crash()
            runtime.advance(3600)

        with pytest.raises(WorkflowFailureError) as caught:
            runtime.wait(runtime.get_workflow_handle("x").result())

    assert activity_error(caught.value).attempt == 3
    assert begun["x"] <= 3


@pytest.mark.parametrize(
    ("limit", "kind", "state"),
    [
        ("start_to_close_timeout", TimeoutType.START_TO_CLOSE, RetryState.MAXIMUM_ATTEMPTS_REACHED),
        ("schedule_to_close_timeout", TimeoutType.SCHEDULE_TO_CLOSE, RetryState.TIMEOUT),
    ],
)
def test_an_attempt_that_takes_too_long_is_given_up(limit: str, kind: TimeoutType, state: RetryState) -> None:
    clock = ManualClock()
    gates["x"] = Gate()
    with runtime_on(MemoryStore(), clock=clock, workflows=WORKFLOWS, activities=ACTIVITIES) as runtime:
        result = runtime.execute_workflow(limited, "x", limit, 30.0, 1)
        gates["x"].arrived()

        clock.advance(31)

        with pytest.raises(WorkflowFailureError) as caught:
            result.get(timeout=WAIT)
        gates["x"].open()
    error = activity_error(caught.value)
    assert error.retry_state is state
    assert isinstance(error.cause, GreenroomTimeoutError)
    assert error.cause.type is kind


def test_an_attempt_that_finds_no_thread_in_time_is_given_up() -> None:
    clock = ManualClock()
    gates["first"], gates["second"] = Gate(), Gate()
    options: dict[str, Any] = {"workflows": WORKFLOWS, "activities": ACTIVITIES, "activity_threads": 1}
    with runtime_on(MemoryStore(), clock=clock, **options) as runtime:
        first = runtime.execute_workflow(performs, "gated", "first")
        gates["first"].arrived()
        second = runtime.start_workflow(limited, "second", "schedule_to_start_timeout", 30.0, 3).get(timeout=WAIT)
        # A request behind the start is answered when the start's activity has been handed over.
        (pending,) = second.describe().get(timeout=WAIT).pending_activities

        clock.advance(31)

        with pytest.raises(WorkflowFailureError) as caught:
            second.result().get(timeout=WAIT)
        gates["first"].open()
        assert first.get(timeout=WAIT) == "first passed"
    cause = activity_error(caught.value).cause
    assert isinstance(cause, GreenroomTimeoutError)
    assert cause.type is TimeoutType.SCHEDULE_TO_START
    assert not pending.is_running
    assert begun["second"] == 0


def test_describe_tells_which_attempt_runs_since_when() -> None:
    clock = ManualClock()
    gates["x"] = Gate()
    with runtime_on(MemoryStore(), clock=clock, workflows=WORKFLOWS, activities=ACTIVITIES) as runtime:
        handle = runtime.start_workflow(performs, "gated", "x").get(timeout=WAIT)
        gates["x"].arrived()

        (pending,) = handle.describe().get(timeout=WAIT).pending_activities

        gates["x"].open()
        assert handle.result().get(timeout=WAIT) == "x passed"
    assert (pending.activity_type, pending.attempt, pending.is_running) == ("gated", 1, True)
    assert pending.started_time == pending.scheduled_time
    assert (pending.next_attempt_time, pending.last_failure) == (None, None)


def test_sync_activities_run_side_by_side_up_to_the_number_of_threads() -> None:
    together = threading.Barrier(4, timeout=WAIT)

    @activity.defn(name="meet")
    def meet() -> int:
        return together.wait()

    @workflow.defn(name="meeting")
    async def meeting() -> list[int]:
        return sorted(await asyncio.gather(*(workflow.execute_activity("meet") for _ in range(4))))

    options: dict[str, Any] = {"workflows": [meeting], "activities": [meet], "activity_threads": 4}
    with runtime_on(MemoryStore(), **options) as runtime:
        assert runtime.execute_workflow("meeting").get(timeout=WAIT) == [0, 1, 2, 3]
