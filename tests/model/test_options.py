"""Options, lengths of time and ids."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.runtime.model.durations import to_timedelta
from greenroom.runtime.model.ids import check_id, is_run_id_of, run_id_of, run_no_of
from greenroom.runtime.model.options import (
    ActivityCancellationType,
    ActivityOptions,
    WorkflowExecutionStatus,
    WorkflowOptions,
    to_ns,
)
from greenroom.runtime.model.retry import RetryPolicy

STORE = bytes(range(16))


@given(st.timedeltas(timedelta(0), timedelta(days=100_000)))
def test_a_timedelta_is_the_same_length_in_nanoseconds(value: timedelta) -> None:
    ns = to_ns(value, "timeout")

    assert ns is not None
    assert to_timedelta(ns) == value


@pytest.mark.parametrize(("value", "ns"), [(None, None), (0, 0), (2, 2_000_000_000), (0.25, 250_000_000)])
def test_a_number_is_seconds(value: float | None, ns: int | None) -> None:
    assert to_ns(value, "timeout") == ns


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (True, TypeError, "timeout is a bool"),
        ("5s", TypeError, "give a timedelta or a number of seconds"),
        (-1, ValueError, "timeout is -1"),
        (timedelta(seconds=-1), ValueError, "zero or more"),
        (float("nan"), ValueError, "timeout is nan"),
        (float("inf"), ValueError, "finite number of seconds"),
        (10**12, ValueError, "292 years"),
        (10**400, ValueError, "292 years"),
        (timedelta.max, ValueError, "292 years"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_length_of_time_is_refused(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        to_ns(value, "timeout")


def test_options_are_stored_as_they_are() -> None:
    activity = ActivityOptions(
        5, retry_policy=RetryPolicy(maximum_attempts=2), cancellation_type=ActivityCancellationType.ABANDON
    )
    workflow = WorkflowOptions(1, 2, memo=b"\x01\x80", summary="nightly")

    for value in (activity, workflow):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value


def test_options_written_before_a_field_was_added_are_read_with_its_default() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([7]), type=ActivityOptions) == ActivityOptions(7)


def test_the_numbers_of_the_statuses_are_stored_and_never_change() -> None:
    assert {status.name: status.value for status in WorkflowExecutionStatus} == {
        "RUNNING": 1,
        "COMPLETED": 2,
        "FAILED": 3,
        "CANCELLED": 4,
        "TERMINATED": 5,
        "CONTINUED_AS_NEW": 6,
        "TIMED_OUT": 7,
        "SUSPENDED": 9,
    }


def test_running_and_suspended_runs_are_open() -> None:
    assert [status.name for status in WorkflowExecutionStatus if status.is_open] == ["RUNNING", "SUSPENDED"]


@pytest.mark.parametrize("value", ["a", "order/17 (new)", "Grüße", "a" * 480, "é" * 240])
def test_an_id_may_be_any_printable_text(value: str) -> None:
    assert check_id(value, "workflow id") == value


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (7, TypeError, "workflow id is an int"),
        ("", ValueError, "workflow id is empty"),
        ("a" * 481, ValueError, "has 481 bytes"),
        ("é" * 241, ValueError, "has 482 bytes"),
        ("a\nb", ValueError, "at place 1"),
        ("a\x00", ValueError, "at place 1"),
        ("\x9b", ValueError, "control characters"),
        ("\ud800", ValueError, "lone surrogates"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_id_that_cannot_be_a_key_or_be_printed_is_refused(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_id(value, "workflow id")


@given(st.integers(0, 2**64 - 1))
def test_a_run_id_carries_its_number(run_no: int) -> None:
    run_id = run_id_of(STORE, run_no)

    assert run_no_of(run_id) == run_no
    assert is_run_id_of(STORE, run_id)
    assert not is_run_id_of(STORE[::-1], run_id)


@given(st.text() | st.from_regex(r"[0-9a-fA-F_]{16}-[0-9a-f]{16}", fullmatch=True))
def test_a_forged_run_id_is_noticed(text: str) -> None:
    assert not is_run_id_of(STORE, text)
