"""When a failed attempt is followed by another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.runtime.model.errors import (
    ActivityError,
    ApplicationError,
    CancelledError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
)
from greenroom.runtime.model.failure_writing import to_failure
from greenroom.runtime.model.failures import Failure
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.retry import Retry, RetryPolicy, Stop, decide

SECOND = 1_000_000_000
DEFAULT = RetryPolicy()


class OutOfStock(LookupError):
    pass


def failure_of(exc: BaseException) -> Failure:
    return to_failure(exc, Converter())


def stored(policy: RetryPolicy) -> RetryPolicy:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(policy), type=RetryPolicy)


BUG = failure_of(ValueError("x"))


def test_waits_double_up_to_a_hundred_times_the_first() -> None:
    waits = [decide(DEFAULT, attempt, BUG) for attempt in range(1, 10)]

    assert waits == [Retry(seconds * SECOND) for seconds in (1, 2, 4, 8, 16, 32, 64, 100, 100)]


@given(
    st.integers(1, 10**6),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=100_000)),
    st.floats(1, 1e300),
    st.none() | st.timedeltas(timedelta(days=100_000), timedelta(days=106_000)),
)
def test_a_wait_is_never_longer_than_the_maximum(
    attempt: int, first: timedelta, factor: float, most: timedelta | None
) -> None:
    policy = RetryPolicy(first, factor, most)

    wait = policy.interval_ns(attempt)

    limit = first * 100 if most is None else most
    assert first.total_seconds() * 10**9 * 0.999 <= wait <= limit // timedelta(microseconds=1) * 1_000
    assert wait <= policy.interval_ns(attempt + 1)


def test_maximum_attempts_counts_the_first() -> None:
    policy = RetryPolicy(maximum_attempts=3)

    assert isinstance(decide(policy, 2, BUG), Retry)
    assert decide(policy, 3, BUG) == Stop(RetryState.MAXIMUM_ATTEMPTS_REACHED)


def test_without_a_limit_there_is_no_last_attempt() -> None:
    assert decide(RetryPolicy(maximum_attempts=0), 10**9, BUG) == Retry(100 * SECOND)


@pytest.mark.parametrize(
    "waits",
    [
        {"initial_interval": 0},
        {"initial_interval": -1},
        {"backoff_coefficient": 0.5},
        {"backoff_coefficient": float("nan")},
        {"maximum_interval": -1},
        {"initial_interval": 60, "maximum_interval": 1},
    ],
    ids=str,
)
def test_one_attempt_skips_validation_of_the_waits(waits: dict[str, Any]) -> None:
    policy = RetryPolicy(**waits, maximum_attempts=1)

    assert decide(stored(policy), 1, BUG) == Stop(RetryState.MAXIMUM_ATTEMPTS_REACHED)


@pytest.mark.parametrize("waits", [{"backoff_coefficient": "2"}, {"initial_interval": "1s"}, {"maximum_interval": [1]}])
def test_one_attempt_does_not_let_be_what_could_not_be_read_again(waits: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(waits))):
        RetryPolicy(**waits, maximum_attempts=1)


@pytest.mark.parametrize("name", [OutOfStock, "OutOfStock", LookupError, "LookupError", Exception])
def test_a_class_or_a_base_class_of_the_exception_stops_retries(name: Any) -> None:
    policy = RetryPolicy(non_retryable_error_types=["Other", name])

    assert decide(policy, 1, failure_of(OutOfStock())) == Stop(RetryState.NON_RETRYABLE_FAILURE)
    assert (decide(policy, 1, BUG) == Stop(RetryState.NON_RETRYABLE_FAILURE)) is (name is Exception)


def test_the_type_of_an_application_error_stops_retries() -> None:
    policy = RetryPolicy(non_retryable_error_types=["Declined"])

    assert isinstance(decide(policy, 1, failure_of(ApplicationError("x", type="Declined"))), Stop)


@pytest.mark.parametrize("kind", [TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT])
def test_a_time_limit_that_has_passed_is_found_by_its_class_too(kind: TimeoutType) -> None:
    policy = RetryPolicy(non_retryable_error_types=[TimeoutError])

    assert decide(policy, 1, failure_of(TimeoutError(type=kind))) == Stop(RetryState.NON_RETRYABLE_FAILURE)


@pytest.mark.parametrize("outer", [ValueError("outer"), ApplicationError("outer"), ActivityError("outer")], ids=repr)
def test_only_the_outermost_failure_counts(outer: BaseException) -> None:
    outer.__cause__ = ApplicationError("inner", non_retryable=True, next_retry_delay=60, type="Inner")

    assert isinstance(decide(RetryPolicy(non_retryable_error_types=["Inner"]), 1, failure_of(outer)), Retry)


@pytest.mark.parametrize(
    ("exc", "state"),
    [
        (CancelledError(), RetryState.CANCEL_REQUESTED),
        (TerminatedError(), RetryState.NON_RETRYABLE_FAILURE),
        (TimeoutError(type=TimeoutType.SCHEDULE_TO_START), RetryState.TIMEOUT),
        (TimeoutError(type=TimeoutType.SCHEDULE_TO_CLOSE), RetryState.TIMEOUT),
        (ApplicationError("x", non_retryable=True), RetryState.NON_RETRYABLE_FAILURE),
        (TimeoutError(type=TimeoutType.START_TO_CLOSE), None),
        (TimeoutError(type=TimeoutType.HEARTBEAT), None),
        (ApplicationError("x"), None),
    ],
    ids=repr,
)
def test_which_failures_are_retried(exc: BaseException, state: RetryState | None) -> None:
    decision = decide(DEFAULT, 1, failure_of(exc))

    assert decision == (Retry(SECOND) if state is None else Stop(state))


def test_without_a_policy_nothing_is_retried() -> None:
    assert decide(None, 1, BUG) == Stop(RetryState.RETRY_POLICY_NOT_SET)


@pytest.mark.parametrize("seconds", [0, 7, 100_000])
def test_the_delay_of_a_failure_is_taken_whatever_the_policy_says_of_waits(seconds: int) -> None:
    policy = RetryPolicy(initial_interval=10, maximum_interval=20)

    assert decide(policy, 5, failure_of(ApplicationError("x", next_retry_delay=seconds))) == Retry(seconds * SECOND)


def test_a_delay_that_would_pass_schedule_to_close_is_not_begun_either() -> None:
    slow_down = failure_of(ApplicationError("slow down", next_retry_delay=7))

    assert decide(DEFAULT, 1, slow_down, 3 * SECOND, 10 * SECOND) == Stop(RetryState.TIMEOUT)
    assert decide(DEFAULT, 1, slow_down, 2 * SECOND, 10 * SECOND) == Retry(7 * SECOND)


def test_a_wait_that_would_pass_schedule_to_close_is_not_begun() -> None:
    assert decide(DEFAULT, 3, BUG, 6 * SECOND, 10 * SECOND) == Stop(RetryState.TIMEOUT)
    assert decide(DEFAULT, 3, BUG, 5 * SECOND, 10 * SECOND) == Retry(4 * SECOND)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_interval": 0}, "initial_interval is zero"),
        ({"initial_interval": -1}, "zero or more"),
        ({"initial_interval": None}, "initial_interval is None"),
        ({"initial_interval": "1s"}, "initial_interval is a str"),
        ({"backoff_coefficient": 0.5}, "1 or more"),
        ({"backoff_coefficient": float("nan")}, "1 or more"),
        ({"backoff_coefficient": True}, "give a number"),
        ({"maximum_interval": 0.5}, "shorter than initial_interval"),
        ({"backoff_coefficient": 10**400}, "a finite number"),
        ({"maximum_attempts": -1}, "maximum_attempts is -1"),
        ({"maximum_attempts": 2**63}, "give 0 for no limit"),
        ({"maximum_attempts": 1.5}, "whole number"),
        ({"non_retryable_error_types": "ValueError"}, "give a list"),
        ({"non_retryable_error_types": [3]}, "has 3"),
    ],
    ids=str,
)
def test_a_policy_that_cannot_work_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        RetryPolicy(**options)


def test_a_policy_is_stored_as_it_is() -> None:
    policy = RetryPolicy(0.5, 3.0, 60, 7, [OutOfStock, "Other"], 0.25)

    assert policy.initial_interval == timedelta(seconds=0.5)
    assert policy.non_retryable_error_types == ("OutOfStock", "Other")
    assert stored(policy) == policy
    assert stored(RetryPolicy(backoff_coefficient=2**70)).backoff_coefficient == 2.0**70


@given(st.floats(0, 1), st.integers(1, 200), st.text(max_size=20))
def test_jitter_makes_a_wait_shorter_by_up_to_its_share(jitter: float, attempt: int, what: str) -> None:
    policy, plain = RetryPolicy(jitter=jitter), DEFAULT.interval_ns(attempt)

    wait = policy.interval_ns(attempt, what)
    assert max(1, (1 - jitter) * plain - 1) <= wait <= plain
    assert policy.interval_ns(attempt, what) == wait


def test_jitter_differs_from_activity_to_activity_and_from_attempt_to_attempt() -> None:
    policy = RetryPolicy(backoff_coefficient=1, jitter=1)
    waits = {
        policy.interval_ns(attempt, what) for attempt in range(1, 101) for what in ("run-1 1", "run-1 2", "run-2 1")
    }

    assert len(waits) == 300
    assert 0.4 * SECOND < sum(waits) / 300 < 0.6 * SECOND


def test_a_drawn_wait_never_changes_from_release_to_release() -> None:
    assert RetryPolicy(jitter=0.5).interval_ns(3, "run-1 7") == 3_150_685_905


def test_a_wait_that_the_failure_chooses_has_no_jitter() -> None:
    chosen = failure_of(ApplicationError("later", next_retry_delay=60))

    assert decide(RetryPolicy(jitter=1), 1, chosen, what="run-1 1") == Retry(60 * SECOND)


@pytest.mark.parametrize(
    ("jitter", "error"), [(-0.1, ValueError), (1.1, ValueError), ("1", TypeError), (True, TypeError)]
)
def test_jitter_is_a_share(jitter: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"give .*0 to 1"):
        RetryPolicy(jitter=jitter)


def test_a_policy_that_was_stored_before_there_was_jitter_has_none() -> None:
    old = msgspec.msgpack.encode(msgspec.structs.astuple(RetryPolicy(5))[:-1])

    assert msgspec.msgpack.decode(old, type=RetryPolicy) == RetryPolicy(5)
