"""How units of work end: the failures that a workflow can catch, and the root of every exception."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum

__all__ = [
    "ActivityError",
    "ApplicationError",
    "ApplicationErrorCategory",
    "CancelledError",
    "ChildWorkflowError",
    "FailureError",
    "GreenroomError",
    "RetryState",
    "TerminatedError",
    "TimeoutError",
    "TimeoutType",
    "WorkflowAlreadyStartedError",
    "is_cancelled_exception",
]


class RetryState(IntEnum):
    """Why there was no further attempt.

    **Source:** Temporal, whose numbers these are.
    """

    IN_PROGRESS = 1
    NON_RETRYABLE_FAILURE = 2
    TIMEOUT = 3
    MAXIMUM_ATTEMPTS_REACHED = 4
    RETRY_POLICY_NOT_SET = 5
    CANCEL_REQUESTED = 7


class TimeoutType(IntEnum):
    """Which time limit passed."""

    START_TO_CLOSE = 1
    SCHEDULE_TO_START = 2
    SCHEDULE_TO_CLOSE = 3
    HEARTBEAT = 4
    RUN = 5
    EXECUTION = 6


class ApplicationErrorCategory(IntEnum):
    """How much attention an application error deserves; a benign one is not logged as an error."""

    UNSPECIFIED = 0
    BENIGN = 1


class GreenroomError(Exception):
    """The root of every exception that greenroom raises on purpose."""

    # Exceptions with keyword-only facts cannot be pickled by the default protocol, and activities run in process pools.
    def __reduce__(self) -> tuple[object, ...]:
        cause = self.__cause__ if isinstance(self.__cause__, GreenroomError) else None
        return _rebuilt, (type(self), self.args, dict(self.__dict__), cause)


def _rebuilt(
    cls: type[GreenroomError], args: tuple[object, ...], facts: dict[str, object], cause: GreenroomError | None
) -> GreenroomError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(facts)
    error.__cause__ = cause
    return error


class FailureError(GreenroomError):
    """How a unit of work ended; raised out of a workflow's run it closes the run as failed.

    Attributes:
        message: what happened.
        stack: traceback text from the place where it happened first, or "" if it happened here.
        types: class names of the original exception and its bases, nearest first; empty if it happened here.
    """

    stack: str = ""
    types: tuple[str, ...] = ()

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message

    @property
    def cause(self) -> BaseException | None:
        """The exception that led to this one."""
        return self.__cause__


class ApplicationError(FailureError):
    """Failure of user code: raise it to say how retries treat it and to carry structured details.

    Args:
        message: what happened.
        *details: any values that payloads can carry.
        type: a name to match on; for an exception of a user's class it is the class name.
        non_retryable: no further attempt, whatever the retry policy says.
        next_retry_delay: wait this long before the next attempt instead of what the policy says (seconds if a number).
        category: a benign error is not logged as an error.
    """

    def __init__(
        self,
        message: str,
        *details: object,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: timedelta | float | None = None,
        category: ApplicationErrorCategory = ApplicationErrorCategory.UNSPECIFIED,
    ) -> None:
        super().__init__(message)
        self.details = details
        self.type = type
        self.non_retryable = non_retryable
        if isinstance(next_retry_delay, (int, float)):
            next_retry_delay = timedelta(seconds=next_retry_delay)
        self.next_retry_delay = next_retry_delay
        self.category = category

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.type else self.message

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


class ActivityError(FailureError):
    """An activity did not complete; ``cause`` says why.

    Attributes:
        message: what happened.
        activity_type: the activity's name.
        activity_id: the activity's id in its run.
        attempt: the number of its last attempt, counted from 1.
        retry_state: why there was no further attempt.
    """

    def __init__(
        self,
        message: str = "activity failed",
        *,
        activity_type: str = "",
        activity_id: str = "",
        attempt: int = 1,
        retry_state: RetryState | None = None,
    ) -> None:
        super().__init__(message)
        self.activity_type = activity_type
        self.activity_id = activity_id
        self.attempt = attempt
        self.retry_state = retry_state

    def __str__(self) -> str:
        return f"activity {self.activity_type!r} ({self.activity_id}) {_ending(self)}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


class ChildWorkflowError(FailureError):
    """A child workflow did not complete; ``cause`` says why.

    Attributes:
        message: what happened.
        workflow_type: the child's name.
        workflow_id: the child's id.
        run_id: the child's run.
        attempt: the number of its last attempt, counted from 1.
        retry_state: why there was no further attempt.
    """

    def __init__(
        self,
        message: str = "child workflow failed",
        *,
        workflow_type: str = "",
        workflow_id: str = "",
        run_id: str | None = None,
        attempt: int = 1,
        retry_state: RetryState | None = None,
    ) -> None:
        super().__init__(message)
        self.workflow_type = workflow_type
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.attempt = attempt
        self.retry_state = retry_state

    def __str__(self) -> str:
        return f"child workflow {self.workflow_type!r} ({self.workflow_id}) {_ending(self)}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


def _ending(error: ActivityError | ChildWorkflowError) -> str:
    state = "" if error.retry_state is None else f", {error.retry_state.name}"
    cause = "" if error.cause is None else f": {error.cause}"
    return f"at attempt {error.attempt}{state}: {error.message}{cause}"


class CancelledError(FailureError):
    """Work was cancelled on request.

    Args:
        message: what happened.
        *details: any values that payloads can carry.
    """

    def __init__(self, message: str = "cancelled", *details: object) -> None:
        super().__init__(message)
        self.details = details


class TerminatedError(FailureError):
    """Work was ended by force, without running any of its code.

    Args:
        message: the reason that was given.
        *details: any values that payloads can carry.
    """

    def __init__(self, message: str = "", *details: object) -> None:
        super().__init__(message or "terminated, no reason was given")
        self.details = details


class TimeoutError(FailureError):
    """A time limit passed.

    Args:
        message: what happened.
        type: which limit it was.
        last_heartbeat_details: of an activity: what its last attempt told of itself last.
    """

    def __init__(
        self, message: str = "", *, type: TimeoutType | None = None, last_heartbeat_details: Sequence[object] = ()
    ) -> None:
        limit = "time limit" if type is None else type.name.lower().replace("_", "-") + " timeout"
        super().__init__(message or f"{limit} passed")
        self.type = type
        self.last_heartbeat_details = tuple(last_heartbeat_details)


class WorkflowAlreadyStartedError(FailureError):
    """The workflow id is taken by a run that the id policies do not allow to be replaced.

    Attributes:
        workflow_id: the id.
        run_id: the run that has it.
        workflow_type: the name of that run's workflow.
        advice: what to do.
    """

    def __init__(
        self,
        workflow_id: str,
        run_id: str | None = None,
        workflow_type: str | None = None,
        *,
        advice: str = "use another id, or say what to do with id_conflict_policy= or id_reuse_policy=",
    ) -> None:
        super().__init__(f"workflow id {workflow_id!r} is taken")
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.workflow_type = workflow_type
        self.advice = advice

    def __str__(self) -> str:
        kind = "" if self.workflow_type is None else f" of {self.workflow_type!r}"
        run = "" if self.run_id is None else f" by run {self.run_id}{kind}"
        return f"{self.message}{run}; {self.advice}"


def is_cancelled_exception(exc: BaseException | None) -> bool:
    """Whether this is a cancellation, or the failure of an activity or child that was cancelled."""
    if isinstance(exc, (ActivityError, ChildWorkflowError)):
        exc = exc.cause
    return isinstance(exc, (asyncio.CancelledError, CancelledError))
