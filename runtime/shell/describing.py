"""How a run stands, for people: from its actor while it is in memory, from its header once it has ended."""

from __future__ import annotations

from collections.abc import Iterable

from ...storage import Attempt
from ..core.commands import ScheduleActivity
from ..model.description import PendingActivity, PendingTimer, WorkflowExecutionDescription
from ..model.instants import instant
from ..model.options import WorkflowExecutionStatus
from .attempts import Attempts
from .flights import ActivityState
from .run_state import RunState
from .stopping import message_at, told

__all__ = ["describe"]


def describe(
    run: RunState,
    attempts: Attempts,
    *,
    rows: Iterable[Attempt] = (),
    waiting_messages: int = 0,
    buffered_signals: int = 0,
    restarts: int = 0,
) -> WorkflowExecutionDescription:
    """What is known of a run.

    Args:
        rows: what the journal says of its activities, if it could not be brought back.
    """
    header = run.header
    message = message_at(run)
    known = {row.item: row for row in rows}
    return WorkflowExecutionDescription(
        id=header.workflow_id,
        run_id=header.run_id,
        workflow_type=header.workflow_type,
        status=WorkflowExecutionStatus(header.status),
        start_time=instant(header.started_ns),
        close_time=None if header.closed_ns is None else instant(header.closed_ns),
        deadline=None if header.deadline_ns is None else instant(header.deadline_ns),
        first_run_id=header.first_run_id,
        history_length=run.turn_no or header.turns,
        pending_activities=[
            _activity(command, scheduled_ns, attempts.state(run.run_no, item, known.get(item)))
            for item, (command, scheduled_ns) in sorted(run.activities.items())
        ],
        pending_timers=[PendingTimer(str(item), instant(at_ns)) for item, at_ns in sorted(run.timers.items())],
        waiting_messages=waiting_messages,
        buffered_signals=buffered_signals,
        suspended_error=header.note or None,
        stopped_at=None if message is None else told(message),
        restarts=restarts,
        python=header.python,
        first_turn_time=None if run.starts_ns is None else instant(run.starts_ns),
    )


def _activity(command: ScheduleActivity, scheduled_ns: int, state: ActivityState) -> PendingActivity:
    return PendingActivity(
        activity_id=str(command.id),
        activity_type=command.name,
        attempt=state.attempt,
        is_running=state.started_ns is not None,
        started_time=None if state.started_ns is None else instant(state.started_ns),
        next_attempt_time=None if state.next_ns is None else instant(state.next_ns),
        last_failure=None if state.last_failure is None else state.last_failure.headline,
        scheduled_time=instant(scheduled_ns),
        summary=command.options.summary,
    )
