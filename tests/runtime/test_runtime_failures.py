"""A failure on its way from an activity through a workflow to whoever waits: the same facts everywhere and always."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from greenroom import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    FailureError,
    RetryPolicy,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
    WorkflowFailureError,
    activity,
    workflow,
)
from greenroom.runtime.model.errors import ChildWorkflowError
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.runtime.rig import error_of

seen: list[Any] = []
"""What workflow code saw of a failure, in each of its lives."""

RAISED: dict[str, FailureError] = {
    "application": ApplicationError(
        "slow down",
        {"after": timedelta(seconds=3)},
        (1, 2),
        type="Busy",
        non_retryable=True,
        next_retry_delay=timedelta(seconds=1.5),
        category=ApplicationErrorCategory.BENIGN,
    ),
    "activity": ActivityError(
        "inner", activity_type="a", activity_id="7", attempt=3, retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED
    ),
    "child": ChildWorkflowError(
        "inner", workflow_type="w", workflow_id="c", run_id="r", attempt=2, retry_state=RetryState.RETRY_POLICY_NOT_SET
    ),
    "cancelled": CancelledError("stop", "a reason"),
    "terminated": TerminatedError("enough", 1),
    "timeout": TimeoutError("silent", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[{"page": 3}]),
    "taken": WorkflowAlreadyStartedError("w", "r", "type"),
}


@pytest.fixture(autouse=True)
def _forget() -> None:
    seen.clear()


@dataclass
class Shortage:
    item: str
    missing: int
    since: datetime


SINCE = datetime(2023, 11, 14, tzinfo=UTC)


@activity.defn(name="failures.raise")
def raise_it(what: str) -> None:
    if what == "shortage":
        raise ApplicationError("not enough tea", Shortage("tea", 3, SINCE), (1, 2), type="Shortage", non_retryable=True)
    if what == "missing key":
        raise KeyError("tea")
    raise RAISED[what]


ONCE = RetryPolicy(maximum_attempts=1)


@workflow.defn(name="failures.let_out")
async def let_out(what: str) -> None:
    try:
        await workflow.execute_activity(raise_it, what, retry_policy=ONCE)
    except ActivityError as error:
        seen.append(told(error))
        raise


@workflow.defn(name="failures.order")
async def order() -> None:
    try:
        await workflow.execute_activity(raise_it, "shortage")
    except ActivityError as error:
        match error.cause:
            case ApplicationError(type="Shortage", details=({"item": "tea"} as shortage, pair)):
                seen.append((shortage, pair))
                raise ApplicationError("no tea", Shortage("tea", 1, SINCE), type="OrderFailed") from error
            case _:
                raise


@workflow.defn(name="failures.waits")
async def waits() -> None:
    await workflow.sleep(86_400)


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[let_out, order, waits], activities=[raise_it], **options)


def told(error: BaseException | None) -> list[Any]:
    """Everything that an exception and its causes say, outermost first."""
    chain: list[Any] = []
    while error is not None:
        chain.append((type(error), str(error), {**vars(error), "stack": "", "types": (), "__notes__": ()}))
        error = error.__cause__
    return chain


def asked_everywhere(name: str, *args: Any) -> list[BaseException]:
    """What a run fails with, told at once, to who asks later, and by another process; each prefix is replayed."""
    store = MemoryStore()
    with make(store, evict_after_every_turn=True) as runtime:
        errors = [error_of(runtime.execute_workflow(name, *args, id="x"))]
        errors.append(error_of(runtime.get_workflow_handle("x").result()))
        replay_every_prefix(runtime)
    with make(store) as again:
        errors.append(error_of(again.get_workflow_handle("x").result()))
    return errors


@pytest.mark.parametrize("what", RAISED)
def test_every_class_has_its_facts_live_and_replayed_and_for_whoever_asks_whenever(what: str) -> None:
    errors = asked_everywhere("failures.let_out", what)

    assert len(seen) > 2
    assert all(each == seen[0] for each in seen)
    assert all(told(error)[1:] == seen[0] for error in errors)
    (_, _, outer), (kind, text, facts) = seen[0]
    assert (outer["activity_type"], outer["activity_id"], outer["attempt"]) == ("failures.raise", "1", 1)
    assert (kind, text) == (type(RAISED[what]), str(RAISED[what]))
    raised = {name: value for name, value in vars(RAISED[what]).items() if name != "__notes__"}
    assert {name: facts[name] for name in raised} == raised


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ("application", RetryState.NON_RETRYABLE_FAILURE),
        ("cancelled", RetryState.CANCEL_REQUESTED),
        ("missing key", RetryState.MAXIMUM_ATTEMPTS_REACHED),
    ],
)
def test_why_there_was_no_further_attempt_is_told_as_often_as_it_is_asked(what: str, state: RetryState) -> None:
    asked_everywhere("failures.let_out", what)

    assert {each[0][2]["retry_state"] for each in seen} == {state}


def test_details_are_matched_in_an_except_of_the_workflow_and_by_its_caller() -> None:
    errors = asked_everywhere("failures.order")

    assert len(seen) > 2
    assert all(each == ({"item": "tea", "missing": 3, "since": SINCE}, (1, 2)) for each in seen)
    for error in errors:
        assert isinstance(error, WorkflowFailureError)
        match error.cause:
            case ApplicationError(type="OrderFailed", details=({"missing": 1},), cause=ActivityError() as inner):
                assert isinstance(inner.cause, ApplicationError)
                assert inner.cause.details == ({"item": "tea", "missing": 3, "since": SINCE}, (1, 2))
            case other:
                raise AssertionError(repr(other))


def test_an_exception_of_the_users_is_an_application_error_with_its_name_and_stack_below_the_activitys() -> None:
    for error in asked_everywhere("failures.let_out", "missing key"):
        kinds = [kind for kind, *_ in told(error)]
        assert kinds == [WorkflowFailureError, ActivityError, ApplicationError]
        assert isinstance(error, WorkflowFailureError)
        assert isinstance(error.cause, ActivityError)
        cause = error.cause.cause
        assert isinstance(cause, ApplicationError)
        assert (cause.type, cause.message) == ("KeyError", "'tea'")
        assert "in raise_it" in cause.stack
        assert "in let_out" in error.cause.stack
        assert cause.stack.strip() in cause.__notes__[0]


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("cancel", CancelledError, "cancelled"),
        ("terminate", TerminatedError, "enough"),
        ("run_timeout", TimeoutError, "run timeout passed"),
        ("execution_timeout", TimeoutError, "execution timeout passed"),
    ],
)
def test_how_a_run_was_ended_from_outside_is_told_as_often_as_it_is_asked(
    how: str, kind: type[FailureError], text: str
) -> None:
    store = MemoryStore()
    limits: dict[str, Any] = {how: 5.0} if "timeout" in how else {}
    with make(store) as runtime:
        handle = runtime.wait(runtime.start_workflow(waits, id="x", **limits))
        if not limits:
            runtime.wait(getattr(handle, how)(reason="enough"))
        errors = [error_of(handle.result())]
    with make(store) as again:
        errors.append(error_of(again.get_workflow_handle("x").result()))

    for error in errors:
        assert isinstance(error, WorkflowFailureError)
        assert type(error.cause) is kind
        assert text in str(error.cause)
        if isinstance(error.cause, TimeoutError):
            assert error.cause.type is TimeoutType[how.removesuffix("_timeout").upper()]


def test_a_failure_with_a_name_that_cannot_be_written_ends_its_activity_and_its_run_all_the_same() -> None:
    @activity.defn(name="failures.unwritable")
    def unwritable() -> None:
        raise ApplicationError("no name", type="\ud800", non_retryable=True)

    @workflow.defn(name="failures.unwritable")
    async def fails() -> None:
        await workflow.execute_activity(unwritable)

    with TestRuntime(workflows=[fails], activities=[unwritable]) as runtime:
        handle = runtime.wait(runtime.start_workflow(fails, id="w"))
        error = error_of(handle.result())

        assert isinstance(error, WorkflowFailureError)
        assert isinstance(error.cause, ActivityError)
        assert isinstance(error.cause.cause, ApplicationError)
        assert error.cause.cause.type == "\\ud800"
