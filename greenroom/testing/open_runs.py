"""Which runs are open and what each waits for, in a line each, for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..runtime.model.description import PendingActivity, WorkflowExecutionDescription
from ..runtime.model.options import WorkflowExecutionStatus
from ..storage import Journal, RunHeader, StorageError
from .recorded import run_headers

__all__ = ["MOST_RUNS", "open_runs", "waits_for"]

MOST_RUNS = 5
MOST_ACTIVITIES = 3


def open_runs(journal: Journal, describe: Callable[[RunHeader], WorkflowExecutionDescription | None]) -> list[str]:
    """The open runs, oldest first; of many only the first are told.

    Args:
        journal: what it does not hold yet is left out.
        describe: what is known of a run, or None.
    """
    try:
        headers = [header for _, header in run_headers(journal) if header.closed_ns is None]
    except StorageError:
        # Whoever is told so has another complaint, and this one must not hide it.
        return []
    lines: list[str] = []
    for header in headers[:MOST_RUNS]:
        described = describe(header)
        waits = "" if described is None else f" {waits_for(described)}"
        lines.append(f"workflow {header.workflow_id!r} ({header.workflow_type}){waits}")
    if len(headers) > MOST_RUNS:
        lines.append(f"and {len(headers) - MOST_RUNS} more")
    return lines


def waits_for(described: WorkflowExecutionDescription) -> str:
    """What a run waits for, as far as that is known."""
    if described.status is WorkflowExecutionStatus.SUSPENDED:
        return "is suspended; describe() has the traceback"
    waits = _activities(described.pending_activities)
    if described.pending_timers:
        waits.append(_count(len(described.pending_timers), "timer"))
    if not waits:
        waits.append("a signal or a condition, since it has no activity and no timer")
    unread = described.buffered_signals
    untaken = f"; it has {_count(unread, 'signal')} that nothing has taken" if unread else ""
    return f"waits for {', '.join(waits)}{untaken}"


def _activities(pending: Sequence[PendingActivity]) -> list[str]:
    told = [f"activity {each.activity_type!r} at attempt {each.attempt}" for each in pending[:MOST_ACTIVITIES]]
    more = len(pending) - len(told)
    return told if more == 0 else [*told, f"{more} more"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
