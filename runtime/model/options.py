"""Options of workflows and activities as stored values; a field is only ever added at the end, with a default."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from enum import IntEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from .durations import to_ns
from .retry import RetryPolicy

__all__ = [
    "ActivityCancellationType",
    "ActivityOptions",
    "ChildWorkflowCancellationType",
    "HandlerUnfinishedPolicy",
    "ParentClosePolicy",
    "ResetReapplyType",
    "WorkflowExecutionStatus",
    "WorkflowIDConflictPolicy",
    "WorkflowIDReusePolicy",
    "WorkflowOptions",
    "WorkflowUpdateStage",
    "change_options",
    "decode_workflow_options",
    "encode_workflow_options",
    "to_ns",
]


class ResetReapplyType(IntEnum):
    """What of the mail that a run took behind the turn it is reset to is given to the run that goes on."""

    SIGNAL = 1
    NONE = 2
    ALL_ELIGIBLE = 3
    """Signals and updates."""


class WorkflowIDConflictPolicy(IntEnum):
    """What a start does if a run with the same workflow id is open."""

    FAIL = 1
    USE_EXISTING = 2
    TERMINATE_EXISTING = 3


class WorkflowIDReusePolicy(IntEnum):
    """What a start does if the last run with the same workflow id is closed."""

    ALLOW_DUPLICATE = 1
    ALLOW_DUPLICATE_FAILED_ONLY = 2
    REJECT_DUPLICATE = 3
    TERMINATE_IF_RUNNING = 4


class WorkflowExecutionStatus(IntEnum):
    """Where a run stands; the numbers are stored."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELLED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7
    SUSPENDED = 9

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        """Whether the run can still take messages; a suspended run can."""
        return self in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.SUSPENDED)


class QueryRejectCondition(IntEnum):
    """When a query is refused because of how its run stands; a suspended run is open."""

    NONE = 1
    NOT_OPEN = 2
    NOT_COMPLETED_CLEANLY = 3

    def rejects(self, status: WorkflowExecutionStatus) -> bool:
        """Whether a run that stands so is not to be asked."""
        if self is QueryRejectCondition.NONE or status.is_open:
            return False
        return self is QueryRejectCondition.NOT_OPEN or status is not WorkflowExecutionStatus.COMPLETED


class WorkflowUpdateStage(IntEnum):
    """How far an update has come: durable in the mailbox, accepted by its validator, completed by its handler."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3


class ParentClosePolicy(IntEnum):
    """What becomes of a child when its parent closes."""

    TERMINATE = 1
    ABANDON = 2
    REQUEST_CANCEL = 3


class ActivityCancellationType(IntEnum):
    """What a workflow does when it cancels an activity that is running."""

    TRY_CANCEL = 0
    WAIT_CANCELLATION_COMPLETED = 1
    ABANDON = 2


class ChildWorkflowCancellationType(IntEnum):
    """What a workflow does when it cancels a child that is running."""

    ABANDON = 0
    TRY_CANCEL = 1
    WAIT_CANCELLATION_COMPLETED = 2
    WAIT_CANCELLATION_REQUESTED = 3


class HandlerUnfinishedPolicy(IntEnum):
    """Whether a handler that is still running when its run closes is warned about."""

    WARN_AND_ABANDON = 1
    ABANDON = 2


class ActivityOptions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How one activity is to be run; times are nanoseconds, None is no limit.

    Args:
        schedule_to_close_timeout_ns: all attempts and the waits between them together.
        schedule_to_start_timeout_ns: how long an attempt may wait in its queue.
        start_to_close_timeout_ns: one attempt.
        heartbeat_timeout_ns: the longest silence of a running attempt.
        retry_policy: None stands for the default policy.
        cancellation_type: whether the workflow waits for an activity that it cancels.
        task_queue: None for the queue of the runtime.
        priority: 1 is first; None for the middle.
        summary: a line for people.
    """

    schedule_to_close_timeout_ns: int | None = None
    schedule_to_start_timeout_ns: int | None = None
    start_to_close_timeout_ns: int | None = None
    heartbeat_timeout_ns: int | None = None
    retry_policy: RetryPolicy | None = None
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL
    task_queue: str | None = None
    priority: int | None = None
    summary: str | None = None


class WorkflowOptions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How one workflow is to be run; times are nanoseconds, None is no limit.

    Args:
        execution_timeout_ns: the whole chain of runs.
        run_timeout_ns: one run.
        retry_policy: None means that a failed run is not repeated.
        memo: notes that are shown but not searched, as ``memos`` stores them.
        search_attributes: as ``attribute_values`` stores them.
        start_delay_ns: how long after the start the run takes its first turn.
        parent_close_policy: what becomes of it when its parent closes; without a parent it means nothing.
        cancellation_type: whether its parent waits for it after cancelling it.
        summary: a line for people.
        details: more for people, of several lines.
    """

    execution_timeout_ns: int | None = None
    run_timeout_ns: int | None = None
    retry_policy: RetryPolicy | None = None
    memo: bytes | None = None
    search_attributes: bytes | None = None
    start_delay_ns: int = 0
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE
    cancellation_type: ChildWorkflowCancellationType = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
    summary: str | None = None
    details: str | None = None


def change_options(options: WorkflowOptions, **changes: Any) -> WorkflowOptions:
    """The options with other values in the fields that are named."""
    return replace(options, **changes)


encode_workflow_options = msgspec.msgpack.Encoder().encode
_decode_workflow_options = msgspec.msgpack.Decoder(WorkflowOptions).decode


def decode_workflow_options(data: bytes) -> WorkflowOptions:
    """Read stored options.

    Raises:
        ValueError: the bytes are not options of a workflow.
    """
    try:
        return _decode_workflow_options(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not the options of a workflow: {error}") from error
