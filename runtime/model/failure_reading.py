"""Exceptions of failures: what was stored, as its kind of exception again."""

from __future__ import annotations

from collections.abc import Callable

from .durations import to_timedelta
from .failures import ArgumentConverter, Facts, Failure, FailureKind
from .texts import clipped, text_of
from .work_errors import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    RetryState,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)

__all__ = ["to_exception"]

_STACK_NOTE = "Where it was raised:\n"
_CATEGORIES = frozenset(map(int, ApplicationErrorCategory))


def to_exception(failure: Failure, converter: ArgumentConverter) -> FailureError:
    """The exception of a failure; a user's class comes back as an `ApplicationError` with its name as ``type``.

    It never fails: a fact that this release does not know is left out.
    """
    first = exc = _alone_again(failure, converter)
    while failure.cause is not None:
        failure = failure.cause
        exc.__cause__ = exc = _alone_again(failure, converter)
    return first


def _alone_again(failure: Failure, converter: ArgumentConverter) -> FailureError:
    exc = _MAKERS[failure.kind](failure, converter)
    exc.types = failure.types
    if failure.stack:
        exc.stack = failure.stack
        exc.add_note(_STACK_NOTE + failure.stack.rstrip("\n"))
    return exc


_RETRY_STATES = frozenset(map(int, RetryState))


def _decoded(failure: Failure, converter: ArgumentConverter) -> list[object]:
    if not failure.details:
        return []
    try:
        return converter.decode_args(failure.details, None)
    except BaseException as err:  # a user's converter may raise anything, and the outcome must not be lost
        return [f"(details that cannot be decoded: {clipped(text_of(err), 500)})"]


def _application(failure: Failure, converter: ArgumentConverter) -> FailureError:
    delay = failure.next_retry_delay_ns
    return ApplicationError(
        failure.message,
        *_decoded(failure, converter),
        type=failure.type or None,
        non_retryable=failure.non_retryable,
        next_retry_delay=None if delay is None or not 0 <= delay < 2**62 else to_timedelta(delay),
        category=ApplicationErrorCategory(failure.category if failure.category in _CATEGORIES else 0),
    )


def _activity(failure: Failure, converter: ArgumentConverter) -> FailureError:
    facts = failure.facts
    return ActivityError(
        failure.message,
        activity_type=_str(facts, "activity_type"),
        activity_id=_str(facts, "activity_id"),
        attempt=_int(facts, "attempt"),
        retry_state=_retry_state(facts),
    )


def _child(failure: Failure, converter: ArgumentConverter) -> FailureError:
    facts = failure.facts
    return ChildWorkflowError(
        failure.message,
        workflow_type=_str(facts, "workflow_type"),
        workflow_id=_str(facts, "workflow_id"),
        run_id=_str(facts, "run_id") or None,
        attempt=_int(facts, "attempt"),
        retry_state=_retry_state(facts),
    )


def _timeout(failure: Failure, converter: ArgumentConverter) -> FailureError:
    details = _decoded(failure, converter)
    return TimeoutError(failure.message, type=failure.timeout_type, last_heartbeat_details=details)


def _already_started(failure: Failure, converter: ArgumentConverter) -> FailureError:
    facts = failure.facts
    return WorkflowAlreadyStartedError(
        _str(facts, "workflow_id"), _str(facts, "run_id") or None, _str(facts, "workflow_type") or None
    )


def _cancelled(failure: Failure, converter: ArgumentConverter) -> FailureError:
    return CancelledError(failure.message or "cancelled", *_decoded(failure, converter))


def _terminated(failure: Failure, converter: ArgumentConverter) -> FailureError:
    return TerminatedError(failure.message, *_decoded(failure, converter))


_MAKERS: dict[FailureKind, Callable[[Failure, ArgumentConverter], FailureError]] = {
    FailureKind.APPLICATION: _application,
    FailureKind.ACTIVITY: _activity,
    FailureKind.CHILD_WORKFLOW: _child,
    FailureKind.CANCELLED: _cancelled,
    FailureKind.TERMINATED: _terminated,
    FailureKind.TIMEOUT: _timeout,
    FailureKind.ALREADY_STARTED: _already_started,
}


def _str(facts: Facts, name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _int(facts: Facts, name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 1


def _retry_state(facts: Facts) -> RetryState | None:
    value = facts.get("retry_state")
    return RetryState(value) if isinstance(value, int) and value in _RETRY_STATES else None
