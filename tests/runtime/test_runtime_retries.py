"""Retries and time limits of activities as a workflow and its caller see them: when another attempt begins, and why
none does."""

from __future__ import annotations

import asyncio
import builtins
import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from greenroom import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    InvalidActivityError,
    RetryPolicy,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    activity,
    workflow,
)
from greenroom.actors import ManualClock
from greenroom.runtime.model.durations import to_ns
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime
from tests.runtime.rig import error_of, runtime_on

S = 1_000_000_000

begun: list[tuple[int, float]] = []
"""Which attempts began, and how many seconds after the start."""

plays: dict[str, Callable[[int], Any]] = {}
"""What an activity does in each of its attempts."""

clocks: list[ManualClock] = []
lives: list[str] = []

NOT_YET = "not yet"

asked: list[BaseException] = []
"""What the predicate of an activity was asked about."""


@pytest.fixture(autouse=True)
def _forget() -> None:
    begun.clear()
    plays.clear()
    clocks[:] = [ManualClock()]
    lives.clear()
    asked.clear()


def note() -> int:
    info = activity.info()
    began_ns = round(info.scheduled_time.timestamp() * 1e9)
    begun.append((info.attempt, round((clocks[0].now_ns() - began_ns) / 1e9, 3)))
    return info.attempt


@activity.defn(name="retries.in_thread")
def in_thread() -> Any:
    return plays["x"](note())


@activity.defn(name="retries.on_loop")
async def on_loop() -> Any:
    return await plays["x"](note())


def is_passing(error: BaseException) -> bool:
    asked.append(error)
    if str(error) == "strange":
        raise LookupError("no such error")
    return str(error) == NOT_YET


@activity.defn(name="retries.judged", is_retryable=is_passing)
def judged() -> Any:
    return plays["x"](note())


@activity.defn(name="retries.judged_on_loop", is_retryable=is_passing)
async def judged_on_loop() -> Any:
    return plays["x"](note())


@workflow.defn(name="retries.perform")
async def perform(which: str, policy: dict[str, Any] | None, limits: dict[str, float]) -> Any:
    options: dict[str, Any] = dict(limits)
    if policy is not None:
        options["retry_policy"] = RetryPolicy(**policy)
    return await workflow.execute_activity(which, **options)


@workflow.defn(name="retries.fails")
async def fails() -> None:
    lives.append("began")
    raise ApplicationError("no")


OPTIONS: dict[str, Any] = {"workflows": [perform, fails], "activities": [in_thread, on_loop, judged, judged_on_loop]}


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, clock=clocks[0], **OPTIONS, **options)


def run(which: str = "in_thread", policy: dict[str, Any] | None = None, **limits: float) -> Any:
    """What comes of it, live."""
    with make() as runtime:
        return runtime.wait(runtime.execute_workflow(perform, f"retries.{which}", policy, limits))


def failure(which: str = "in_thread", policy: dict[str, Any] | None = None, **limits: float) -> ActivityError:
    """How the activity failed for good."""
    with pytest.raises(WorkflowFailureError) as caught:
        run(which, policy, **limits)
    assert isinstance(caught.value.cause, ActivityError)
    return caught.value.cause


def raising(*errors: BaseException) -> Callable[[int], str]:
    """One of them in each attempt, then a result."""

    def play(attempt: int) -> str:
        if attempt <= len(errors):
            raise errors[attempt - 1]
        return f"done at {attempt}"

    return play


def times() -> list[float]:
    return [seconds for _, seconds in begun]


def waits() -> list[float]:
    return [later - sooner for sooner, later in zip(times(), times()[1:], strict=False)]


# By the policy.


def test_without_a_policy_whatever_is_raised_is_tried_again_for_ever_with_waits_up_to_a_hundred_seconds() -> None:
    raised = [
        ValueError("no"),
        builtins.TimeoutError("slow"),
        GeneratorExit(),
        BaseException("of the user's"),
        MemoryError(),
        ExceptionGroup("both", [OSError("no")]),
        ApplicationError("no"),
        ActivityError("no"),
        TimeoutError(type=TimeoutType.START_TO_CLOSE),
        *[KeyError(number) for number in range(40)],
    ]
    plays["x"] = raising(*raised)

    assert run() == "done at 50"
    assert waits() == [1, 2, 4, 8, 16, 32, 64] + [100] * 42


def test_a_workflow_that_fails_is_not_tried_again() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(fails))
        runtime.advance(7 * 86_400)

        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.FAILED
    assert lives == ["began"]


@pytest.mark.parametrize("which", ["judged", "judged_on_loop"])
def test_a_predicate_of_the_activity_ends_it(which: str) -> None:
    plays["x"] = raising(OSError(NOT_YET), OSError(NOT_YET), OSError("never"))

    error = failure(which)

    assert (error.attempt, error.retry_state) == (3, RetryState.NON_RETRYABLE_FAILURE)
    assert isinstance(error.cause, ApplicationError)
    assert (error.cause.type, error.cause.non_retryable) == ("OSError", True)
    assert [str(each) for each in asked] == [NOT_YET, NOT_YET, "never"]
    assert all(type(each) is OSError for each in asked)


def test_a_predicate_gives_no_attempt_that_the_policy_does_not(caplog: pytest.LogCaptureFixture) -> None:
    plays["x"] = raising(*[OSError(NOT_YET)] * 3)

    assert failure("judged", {"maximum_attempts": 2}).retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED
    begun.clear()
    plays["x"] = raising(OSError(NOT_YET))
    assert failure("judged", {"non_retryable_error_types": ["OSError"]}).attempt == 1


def test_a_predicate_that_fails_is_told_of_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    plays["x"] = raising(OSError("strange"))

    assert run("judged") == "done at 2"

    [told] = [record for record in caplog.records if record.exc_info]
    assert told.getMessage() == "is_retryable of activity 'retries.judged' failed; it may be tried again"


def test_a_predicate_is_not_asked_about_what_is_over_anyway() -> None:
    plays["x"] = raising(ApplicationError(NOT_YET, non_retryable=True))
    assert failure("judged").attempt == 1
    plays["x"] = raising(CancelledError(NOT_YET))
    assert failure("judged").attempt == 1

    assert asked == []


@pytest.mark.parametrize("predicate", [True, OSError("no"), on_loop])
def test_what_cannot_be_a_predicate_is_refused_where_it_is_declared(predicate: Any) -> None:
    with pytest.raises(InvalidActivityError, match="give a plain function of what an attempt has raised"):
        activity.defn(is_retryable=predicate)(lambda: None)


def test_one_attempt_is_one_attempt_whatever_its_policy_says_of_waits() -> None:
    plays["x"] = raising(OSError("no"))

    error = failure(policy={"maximum_attempts": 1, "initial_interval": -1, "backoff_coefficient": 0})

    assert (error.attempt, error.retry_state) == (1, RetryState.MAXIMUM_ATTEMPTS_REACHED)
    assert len(begun) == 1


@pytest.mark.parametrize("how", ["from it", "while it is handled"])
def test_what_is_raised_from_a_failure_that_is_not_retryable_is_tried_again(how: str) -> None:
    def play(attempt: int) -> str:
        if attempt == 1:
            try:
                raise ApplicationError("inner", non_retryable=True, next_retry_delay=60, type="Inner")
            except ApplicationError as error:
                if how == "from it":
                    raise OSError("outer") from error
                raise OSError("outer")  # noqa: B904  # the context is the point
        return "done"

    plays["x"] = play

    assert run(policy={"non_retryable_error_types": ["Inner"]}) == "done"
    assert times() == [0, 1]


@pytest.mark.parametrize(
    ("raised", "state"),
    [
        (CancelledError(), RetryState.CANCEL_REQUESTED),
        (asyncio.CancelledError(), RetryState.CANCEL_REQUESTED),
        (TerminatedError(), RetryState.NON_RETRYABLE_FAILURE),
        (TimeoutError(type=TimeoutType.SCHEDULE_TO_START), RetryState.TIMEOUT),
        (TimeoutError(type=TimeoutType.SCHEDULE_TO_CLOSE), RetryState.TIMEOUT),
        (ApplicationError("no", non_retryable=True), RetryState.NON_RETRYABLE_FAILURE),
    ],
    ids=repr,
)
def test_what_says_that_it_is_over_is_never_tried_again(raised: BaseException, state: RetryState) -> None:
    plays["x"] = raising(raised)

    error = failure(policy={"maximum_attempts": 5})

    assert (error.attempt, error.retry_state, len(begun)) == (1, state, 1)


def test_a_failure_chooses_its_own_wait_and_no_other() -> None:
    plays["x"] = raising(
        OSError("no"),
        ApplicationError("slow down", next_retry_delay=500),
        OSError("no"),
        ApplicationError("at once", next_retry_delay=0),
        OSError("no"),
    )

    assert run(policy={"maximum_interval": 100}) == "done at 6"
    assert waits() == [1, 500, 4, 0, 16]


JITTER: dict[str, Any] = {"initial_interval": 100, "backoff_coefficient": 1, "jitter": 0.5}


def test_activities_that_failed_together_come_again_apart() -> None:
    plays["x"] = raising(OSError("no"))
    with make() as runtime:
        handles = [
            runtime.wait(
                runtime.start_workflow(perform, "retries.in_thread", JITTER, dict[str, float](), id=f"flow-{number}")
            )
            for number in range(20)
        ]
        runtime.run_until_idle()
        began_again = {runtime.wait(each.describe()).pending_activities[0].next_attempt_time for each in handles}

        assert len(began_again) == 20
        assert [runtime.wait(each.result()) for each in handles] == ["done at 2"] * 20


def test_the_wait_with_jitter_is_the_same_after_a_crash() -> None:
    plays["x"] = raising(OSError("no"), OSError("no"))
    store = MemoryStore()
    with make(store) as runtime:
        handle = runtime.wait(
            runtime.start_workflow(perform, "retries.in_thread", JITTER, dict[str, float](), id="flow")
        )
        runtime.run_until_idle()
        [before] = runtime.wait(handle.describe()).pending_activities
        run_id = handle.run_id
        runtime.crash()
    with make(store) as runtime:
        handle = runtime.get_workflow_handle("flow")
        [after] = runtime.wait(handle.describe()).pending_activities

        assert after.next_attempt_time == before.next_attempt_time
        assert runtime.wait(handle.result()) == "done at 3"
    expected = [RetryPolicy(**JITTER).interval_ns(attempt, f"{run_id} 1") / 1e9 for attempt in (1, 2)]
    assert waits() == pytest.approx(expected, abs=0.002)
    assert all(50 <= wait < 100 for wait in expected)


# By time limits.


def test_without_a_limit_an_activity_may_take_a_month() -> None:
    async def play(attempt: int) -> str:
        await asyncio.sleep(30 * 86_400)
        return "done"

    plays["x"] = play

    assert run("on_loop") == "done"
    assert len(begun) == 1


@pytest.mark.parametrize("delay", [None, 20.0], ids=["of the policy", "of the failure"])
def test_a_wait_that_would_pass_schedule_to_close_ends_it_at_once_with_the_failure(delay: float | None) -> None:
    plays["x"] = raising(OSError("first"), ApplicationError("second", type="Second", next_retry_delay=delay))

    error = failure(policy={"initial_interval": 10}, schedule_to_close_timeout=30)

    assert clocks[0].now_ns() == ManualClock().now_ns() + 10 * 10**9
    assert (error.attempt, error.retry_state, times()) == (2, RetryState.TIMEOUT, [0, 10])
    assert isinstance(error.cause, ApplicationError)
    assert error.cause.type == "Second"


def test_start_to_close_limits_each_attempt_and_schedule_to_close_all_of_them() -> None:
    async def play(attempt: int) -> str:
        await asyncio.sleep(4 if attempt < 3 else 1)
        if attempt < 3:
            raise OSError(NOT_YET)
        return "done"

    plays["x"] = play

    # 0 to 4, 5 to 9, 11 to 12.
    assert run("on_loop", start_to_close_timeout=5, schedule_to_close_timeout=13) == "done"
    error = failure("on_loop", start_to_close_timeout=5, schedule_to_close_timeout=8)
    assert (error.attempt, error.retry_state) == (2, RetryState.TIMEOUT)
    assert isinstance(error.cause, TimeoutError)
    assert error.cause.type is TimeoutType.SCHEDULE_TO_CLOSE


def test_an_attempt_that_was_over_start_to_close_is_tried_again_until_none_is_left() -> None:
    async def play(attempt: int) -> None:
        await asyncio.sleep(600)

    plays["x"] = play

    error = failure("on_loop", policy={"maximum_attempts": 3}, start_to_close_timeout=5)

    assert (error.attempt, error.retry_state) == (3, RetryState.MAXIMUM_ATTEMPTS_REACHED)
    assert isinstance(error.cause, TimeoutError)
    assert error.cause.type is TimeoutType.START_TO_CLOSE
    assert times() == [0, 6, 13]


def wait_in_line(runtime: TestRuntime, seconds: float) -> None:
    """Let time pass while all threads are busy."""
    while runtime.step():
        pass
    runtime.clock.advance(seconds)
    while runtime.step():
        pass


def test_schedule_to_start_counts_only_what_each_attempt_waits_for_its_thread() -> None:
    plays["x"] = raising(OSError(NOT_YET), OSError(NOT_YET))
    with make() as runtime:
        limits = {"schedule_to_start_timeout": 5.0}
        result = runtime.execute_workflow(perform, "retries.in_thread", {"initial_interval": 60}, limits)
        wait_in_line(runtime, 4)
        assert runtime.perform_activity()
        wait_in_line(runtime, 60)
        wait_in_line(runtime, 4)
        assert runtime.perform_activity()
        wait_in_line(runtime, 120)
        wait_in_line(runtime, 5)

        error = error_of(result)

    assert isinstance(error, WorkflowFailureError)
    assert isinstance(error.cause, ActivityError)
    assert isinstance(error.cause.cause, TimeoutError)
    assert error.cause.cause.type is TimeoutType.SCHEDULE_TO_START
    assert (error.cause.attempt, error.cause.retry_state) == (3, RetryState.TIMEOUT)
    assert times() == [4, 68]


def test_schedule_to_start_does_not_count_what_an_attempt_takes() -> None:
    async def play(attempt: int) -> str:
        await asyncio.sleep(600)
        return "done"

    plays["x"] = play

    assert run("on_loop", schedule_to_start_timeout=5) == "done"


def test_start_to_close_does_not_count_what_an_attempt_waits_for_its_thread() -> None:
    plays["x"] = raising()
    with make() as runtime:
        limits = {"start_to_close_timeout": 5.0}
        result = runtime.execute_workflow(perform, "retries.in_thread", None, limits)
        wait_in_line(runtime, 600)

        assert runtime.wait(result) == "done at 1"
    assert begun == [(1, 600)]


class AtOnce(Executor):
    """Performs what it is given where it is given it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_no_attempt_begins_when_schedule_to_close_has_passed_while_no_process_had_the_journal() -> None:
    store = MemoryStore()
    plays["x"] = raising(OSError("no"))
    with make(store) as runtime:
        limits = {"schedule_to_close_timeout": 60.0}
        runtime.wait(runtime.start_workflow(perform, "retries.in_thread", {"initial_interval": 30}, limits, id="x"))
        runtime.run_until_idle()
    clocks[0].advance(60)

    with runtime_on(store, clock=clocks[0], activity_executor=AtOnce(), **OPTIONS) as again:
        error = error_of(again.get_workflow_handle("x").result())

    assert isinstance(error, WorkflowFailureError)
    assert isinstance(error.cause, ActivityError)
    assert isinstance(error.cause.cause, TimeoutError)
    assert error.cause.cause.type is TimeoutType.SCHEDULE_TO_CLOSE
    assert begun == [(1, 0)]


def test_a_limit_of_nothing_in_an_old_history_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenroom.runtime.activity_calls.to_limit", to_ns)
    plays["x"] = raising()

    error = failure(schedule_to_close_timeout=0)

    assert isinstance(error.cause, TimeoutError)
    assert (error.cause.type, begun) == (TimeoutType.SCHEDULE_TO_CLOSE, [])


@pytest.mark.parametrize("limit", ["start_to_close_timeout", "schedule_to_close_timeout", "heartbeat_timeout"])
def test_whichever_limit_passes_the_failure_has_what_any_attempt_said_last(limit: str) -> None:
    async def play(attempt: int) -> None:
        if attempt == 1:
            activity.heartbeat("page", 3)
            raise OSError(NOT_YET)
        await asyncio.sleep(600)

    plays["x"] = play

    error = failure("on_loop", policy={"maximum_attempts": 2}, **{limit: 10})

    assert isinstance(error.cause, TimeoutError)
    assert error.cause.type is TimeoutType[limit.removesuffix("_timeout").upper()]
    assert error.cause.last_heartbeat_details == ("page", 3)
    assert error.attempt == 2


# What the log has of it.


def test_the_log_has_each_attempt_that_failed_and_where_in_its_code(caplog: pytest.LogCaptureFixture) -> None:
    plays["x"] = raising(
        OSError("no"), ApplicationError("busy", type="Busy", category=ApplicationErrorCategory.BENIGN), KeyError("k")
    )
    with caplog.at_level(logging.DEBUG, "greenroom"):
        failure(policy={"maximum_attempts": 3})

    told = [record for record in caplog.records if "failed at attempt" in record.getMessage()]
    lines = [record.getMessage() for record in told if not record.getMessage().startswith("where")]
    assert [line.partition("failed at ")[2] for line in lines] == [
        "attempt 1: OSError: no; the next is in 1 s",
        "attempt 2: Busy: busy; the next is in 2 s",
        "attempt 3: KeyError: 'k'; it was the last",
    ]
    stacks = [record.getMessage() for record in told if record.getMessage().startswith("where")]
    assert ["in in_thread" in stack and "in play" in stack for stack in stacks] == [True] * 3
    assert [record.levelno for record in told if record.getMessage() in lines] == [
        logging.WARNING,
        logging.DEBUG,
        logging.WARNING,
    ]


def test_runs_that_failed_together_come_again_apart() -> None:
    with make() as runtime:
        policy = RetryPolicy(initial_interval=100, jitter=0.5)
        for number in range(20):
            runtime.wait(runtime.start_workflow(fails, id=f"flow-{number}", retry_policy=policy))
        begun_ns = clocks[0].now_ns()
        runtime.run_until_idle()
        begins = {due.at_ns - begun_ns for due in runtime.hands.journal.due(until_ns=2**62)}

    assert len(begins) == 20
    assert all(50 * S <= wait <= 101 * S for wait in begins)
