"""The options of what a workflow calls, in one list for type checkers and for calls alike: of activities, of children,
of workflows that are nobody's child, and of the run that goes on."""

# No `from __future__ import annotations`: each annotation of a typed dict would be compiled whenever this is imported.

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypedDict

from .model.options import (
    ActivityCancellationType,
    ChildWorkflowCancellationType,
    ParentClosePolicy,
    WorkflowIDReusePolicy,
)
from .model.retry import RetryPolicy
from .model.search_attributes import TypedSearchAttributes
from .model.start_notes import NoteOptions

__all__ = ["ActivityCallOptions", "ChildOptions", "ContinueOptions", "DetachedOptions"]

Duration = timedelta | float


class ActivityCallOptions(TypedDict, total=False):
    """The options of a call, as ``start_activity`` explains them.

    Lengths of time are ``timedelta`` or seconds. What is left out or None is as the activity was declared.
    """

    start_to_close_timeout: Duration | None
    schedule_to_close_timeout: Duration | None
    schedule_to_start_timeout: Duration | None
    heartbeat_timeout: Duration | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType | None
    summary: str | None


class DetachedOptions(NoteOptions, total=False):
    """The options of ``signal_with_start``, as it explains them.

    Lengths of time are ``timedelta`` or seconds; None is no limit.
    """

    id_reuse_policy: WorkflowIDReusePolicy
    run_timeout: Duration | None
    execution_timeout: Duration | None
    retry_policy: RetryPolicy | None
    start_delay: Duration | None


class ChildOptions(DetachedOptions, total=False):
    """The options of a child, as ``start_child_workflow`` explains them: those of any start by a workflow, and more."""

    id: str | None
    parent_close_policy: ParentClosePolicy
    cancellation_type: ChildWorkflowCancellationType


class ContinueOptions(TypedDict, total=False):
    """The options of the new run, as ``continue_as_new`` explains them.

    Lengths of time are ``timedelta`` or seconds. What is left out is as for this run.
    """

    workflow: str | type | Callable[..., Any] | None
    run_timeout: Duration | None
    retry_policy: RetryPolicy | None
    backoff_start_interval: Duration | None
    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | None
