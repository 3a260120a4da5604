"""How runs stand, in a line each, for people: what each of them waits for, or how it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..runtime.model.description import PendingActivity, WorkflowExecutionDescription
from ..runtime.model.options import WorkflowExecutionStatus
from ..runtime.shell.outcomes import Outcome
from ..storage import Journal, RunHeader, StorageError
from .recorded import run_headers

__all__ = ["MOST_RUNS", "all_runs", "open_runs", "waits_for"]

MOST_RUNS = 5
MOST_IN_ALL = 20
MOST_ACTIVITIES = 3


Describe = Callable[[RunHeader], WorkflowExecutionDescription | None]


def open_runs(journal: Journal, describe: Describe) -> list[str]:
    """The open runs, oldest first; of many only the first are told.

    Args:
        journal: what it does not hold yet is left out.
        describe: what is known of a run, or None.
    """
    headers = [header for header in _headers(journal) if header.closed_ns is None]
    return _lines(headers, MOST_RUNS, lambda header: _open_run(describe(header)))


def all_runs(journal: Journal, describe: Describe) -> list[str]:
    """All runs, oldest first, and why those that have failed or stopped did so; the arguments are those of
    ``open_runs``."""

    def line(header: RunHeader) -> str:
        if header.closed_ns is not None:
            return _closed_run(header)
        described = describe(header)
        why = "" if described is None else described.suspended_error or ""
        return _open_run(described) + (why and f"\n{why.rstrip()}")

    return _lines(_headers(journal), MOST_IN_ALL, line)


def _headers(journal: Journal) -> list[RunHeader]:
    try:
        return [header for _, header in run_headers(journal)]
    except StorageError:
        # Whoever is told so has another complaint, and this one must not hide it.
        return []


def _lines(headers: list[RunHeader], most: int, rest: Callable[[RunHeader], str]) -> list[str]:
    lines = [f"workflow {header.workflow_id!r} ({header.workflow_type}) {rest(header)}" for header in headers[:most]]
    return lines if len(headers) <= most else [*lines, f"and {len(headers) - most} more"]


def _open_run(described: WorkflowExecutionDescription | None) -> str:
    return "is open" if described is None else waits_for(described)


def _closed_run(header: RunHeader) -> str:
    status = WorkflowExecutionStatus(header.status).name.lower().replace("_", " ")
    why = Outcome.decode(header.outcome).failure
    reasons: list[str] = []
    while why is not None:
        reasons.append(why.headline)
        why = why.cause
    return "has ended: " + ", ".join([status, " <- ".join(reasons)] if reasons else [status])


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
