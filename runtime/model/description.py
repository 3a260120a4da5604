"""What ``describe()`` tells of a run."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from .copied_run import CopiedRun
from .options import ParentClosePolicy, WorkflowExecutionStatus
from .search_attributes import TypedSearchAttributes

__all__ = ["DelayedSignal", "PendingActivity", "PendingChild", "PendingTimer", "WorkflowExecutionDescription"]


class PendingActivity(msgspec.Struct, frozen=True):
    """An activity that has no outcome yet.

    Attributes:
        activity_id: its number in the run, as text.
        activity_type: the registered name.
        attempt: the attempt that runs or comes next; the first is 1.
        is_running: whether that attempt has begun.
        started_time: when it began.
        next_attempt_time: when it is due, while it waits between attempts.
        last_failure: how the attempt before failed, in a line.
        scheduled_time: when the workflow asked for the activity.
        summary: the line for people given at the call.
    """

    activity_id: str
    activity_type: str
    attempt: int
    is_running: bool
    started_time: datetime | None
    next_attempt_time: datetime | None
    last_failure: str | None
    scheduled_time: datetime
    summary: str | None


class PendingChild(msgspec.Struct, frozen=True):
    """A child workflow of whose end the run has not heard.

    Source: Temporal, pending children of a description.

    Attributes:
        initiated_id: the number that its start has in the run, as text.
        workflow_id: the child's id.
        run_id: its first run; None until the workflow has heard of its start.
        workflow_type: the registered name.
        parent_close_policy: what becomes of it if the run ends first.
    """

    initiated_id: str
    workflow_id: str
    run_id: str | None
    workflow_type: str
    parent_close_policy: ParentClosePolicy


class PendingTimer(msgspec.Struct, frozen=True):
    """A timer that has not fired.

    Attributes:
        timer_id: its number in the run, as text.
        due_time: when it is due (aware, UTC).
        summary: the line for people given where it was asked for; None as well if the run's code is not in memory.
    """

    timer_id: str
    due_time: datetime
    summary: str | None


class DelayedSignal(msgspec.Struct, frozen=True):
    """A signal that comes later.

    Attributes:
        name: the signal's.
        due_time: when it comes (aware, UTC).
        sender: the id of the workflow that has sent it; None for a client.
        idempotency_key: the key that it was sent with, if it was with one.
        identity: on whose behalf it was sent, if that was said.
    """

    name: str
    due_time: datetime
    sender: str | None = None
    idempotency_key: str | None = None
    identity: str | None = None


class WorkflowExecutionDescription(msgspec.Struct, frozen=True):
    """A run as it stands on disk.

    Attributes:
        id: the workflow id.
        run_id: the run.
        workflow_type: the registered name.
        status: where it stands.
        start_time: when it began.
        close_time: when it ended.
        deadline: when it times out.
        first_run_id: the first run of its chain.
        history_length: turns in its history.
        pending_activities: activities without an outcome, oldest first.
        pending_children: child workflows of whose end it has not heard, oldest first.
        pending_timers: timers that have not fired, oldest first.
        waiting_messages: messages that wait in its mailbox.
        buffered_signals: signals it has received and that no handler or channel has taken.
        suspended_error: traceback of what stopped it, if it is suspended or waits for a restart.
        stopped_at: the message that it could not take then, such as ``SignalReceived 'add'``; None if it was none.
        restarts: how often it was restarted of late because its code has raised a bug.
        python: the Python version that began it, such as "3.11".
        first_turn_time: when it begins, if its start is delayed.
        delayed_signals: signals that come later, the next one first.
        copied_from: where its history comes from, if it was reset or forked.
        request_id: that of the request which has started it, if it was given one.
        memo: its notes by name, as plain data.
        typed_search_attributes: what it is found by.
        static_summary: the line for people given at its start.
        static_details: more of that.
        current_details: what its code has said last with ``workflow.set_current_details``. Only code that is in memory
            can be asked for it, as that of open runs is; of a run that has ended or is suspended it is None here, and
            the query ``__temporal_workflow_metadata`` replays its history for it.
    """

    id: str
    run_id: str
    workflow_type: str
    status: WorkflowExecutionStatus
    start_time: datetime
    close_time: datetime | None
    deadline: datetime | None
    first_run_id: str
    history_length: int
    pending_activities: list[PendingActivity]
    pending_timers: list[PendingTimer]
    waiting_messages: int
    buffered_signals: int
    suspended_error: str | None
    stopped_at: str | None
    restarts: int
    python: str
    memo: Mapping[str, Any]
    typed_search_attributes: TypedSearchAttributes
    static_summary: str | None
    static_details: str | None
    current_details: str | None
    first_turn_time: datetime | None = None
    delayed_signals: list[DelayedSignal] = []
    copied_from: CopiedRun | None = None
    pending_children: list[PendingChild] = []
    request_id: str | None = None
