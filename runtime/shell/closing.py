"""The end of a run."""

from __future__ import annotations

from typing import Any

from ...storage import DueKind
from ..core.messages import UpdateReceived, decode_message
from ..model.cancellation import NOT_FOUND
from ..model.errors import RetryState
from ..model.options import WorkflowExecutionStatus
from ..model.run_facts import change_facts, decode_facts
from .dead_letters import keep_untaken
from .headers import put_header
from .last_words import close_children
from .later import come_to_nothing
from .outcomes import Outcome, release_outcome
from .relatives import tell_parent
from .run_state import RunState
from .tools import Tools
from .update_outcomes import leave_update

__all__ = ["close_run", "forget_start", "lose_mail"]


def close_run(
    tools: Tools,
    run: RunState,
    status: WorkflowExecutionStatus,
    outcome: Outcome,
    time_ns: int,
    next_run_id: str = "",
    retry_state: RetryState | None = None,
) -> None:
    """End a run: what it waited for is dropped, unread mail becomes dead letters, whoever waits for the outcome is
    told.

    Args:
        next_run_id: the run that goes on in its place, which gets the mail, and whoever waits.
        retry_state: why none repeats it, if it has ended without a result.
    """
    batch, run_no = tools.sweep.batch, run.run_no
    for item, at_ns in run.timers.items():
        batch.drop_timer(run_no, DueKind.TIMER, item, at_ns)
        tools.sweep.after(tools.timekeeper.disarm, run_no, DueKind.TIMER, item)
    for item in run.activities:
        tools.attempts.forget(run_no, item, NOT_FOUND)
    batch.clear_active(run_no)
    run.is_active = False
    tools.supervisor.forget(run_no)
    if run.header.deadline_ns is not None:
        batch.drop_timer(run_no, DueKind.RUN_TIMEOUT, 0, run.header.deadline_ns)
        tools.sweep.after(tools.timekeeper.disarm, run_no, DueKind.RUN_TIMEOUT, 0)
    forget_start(tools, run)
    for update_id in [update_id for update_id, is_finished in run.updates.items() if not is_finished]:
        leave_update(tools, run, update_id, status, is_accepted=True)
    run.timers, run.activities = {}, {}
    facts = run.header.facts
    changes: dict[str, Any] = {}
    if facts:
        is_told = retry_state is not None and decode_facts(facts).parent_run_no
        changes = {"delayed": b"", "retry_state": int(retry_state or 0) if is_told else 0}
    if next_run_id:
        changes["next_run_id"] = next_run_id
    elif run.rows:
        for seq in run.rows:
            batch.take_mail(run_no, seq)
        lose_mail(tools, run, list(run.rows.values()), status, time_ns)
        run.clear_rows()
    if run.children:
        changes["untold"] = close_children(tools, run, time_ns)
    if changes:
        facts = change_facts(facts, **changes)
    if run.delayed:
        come_to_nothing(tools, run, next_run_id, status, time_ns)
    retention, header = tools.retention, run.header
    expires_ns = None if retention is None else retention.keep(run_no, header.workflow_type, time_ns)
    closed = header._replace(
        status=int(status),
        closed_ns=time_ns,
        turns=run.turn_no,
        crc=run.crc,
        outcome=outcome.encode(),
        note="",
        stopped_at=0,
        facts=facts,
        expires_ns=expires_ns,
    )
    put_header(tools.sweep, run, closed)
    if facts and not next_run_id:
        tell_parent(tools, run, outcome, time_ns)
    tools.sweep.after(release_outcome, tools.waiters, tools.converter, tools.workflows, run_no, run.header, outcome)


def forget_start(tools: Tools, run: RunState) -> None:
    """A run whose start is delayed begins now, or never."""
    if run.starts_ns is not None:
        tools.sweep.batch.drop_timer(run.run_no, DueKind.START, 0, run.starts_ns)
        tools.sweep.after(tools.timekeeper.disarm, run.run_no, DueKind.START, 0)
        run.starts_ns = None


def lose_mail(tools: Tools, run: RunState, records: list[bytes], status: WorkflowExecutionStatus, time_ns: int) -> None:
    """Messages still wait on disk when their run ends: what somebody has sent is kept as dead letters."""
    for message in map(decode_message, records):
        if isinstance(message, UpdateReceived) and message.update_id not in run.updates:
            leave_update(tools, run, message.update_id, status, is_accepted=False)
    keep_untaken(tools, run, records, status, time_ns)
