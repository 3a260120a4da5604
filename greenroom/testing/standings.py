"""How runs stand, in a line each, for people: what each of them waits for, or how it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from ..runtime.core.commands import StartTimer
from ..runtime.model.description import PendingActivity, PendingChild, PendingTimer, WorkflowExecutionDescription
from ..runtime.model.options import WorkflowExecutionStatus
from ..runtime.model.payload_converter import PayloadConverter
from ..runtime.shell.outcomes import Outcome
from ..runtime.shell.standing_errors import BY_REQUEST
from ..storage import Journal, RunHeader, StorageError
from .payload_text import payload_text
from .recorded import RecordedRun, recorded_run, run_headers

__all__ = ["MOST_RUNS", "Standings"]

T = TypeVar("T")

MOST_RUNS = 5
MOST_IN_ALL = 20
MOST_OF_A_KIND = 3
MOST_LETTERS = 300

_WRONG = frozenset(
    {WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.TIMED_OUT, WorkflowExecutionStatus.SUSPENDED}
)

Describe = Callable[[RunHeader], WorkflowExecutionDescription | None]
Header = tuple[int, RunHeader]


class Standings:
    """Looks at the runs of one journal; what it does not hold yet is left out.

    Args:
        describe: what is known of a run, or None.
        now: what time it is.
        converter: reads results.
    """

    def __init__(self, journal: Journal, describe: Describe, now: datetime, converter: PayloadConverter) -> None:
        self._journal = journal
        self._describe = describe
        self._now = now
        self._converter = converter

    def open_runs(self) -> list[str]:
        """The open runs, oldest first; of many only the first are told."""
        found = [(run_no, header) for run_no, header in self._headers() if header.closed_ns is None]
        return _lines(found, MOST_RUNS, lambda run_no, header: self._open_run(run_no, header, self._describe(header)))

    def all_runs(self) -> list[str]:
        """All runs, oldest first, and why those that have failed or stopped did so; of many those first, then the
        newest. What cannot be looked at has a line that says so."""

        def line(run_no: int, header: RunHeader) -> str:
            try:
                if header.closed_ns is not None:
                    return self._closed_run(header)
                described = self._describe(header)
                why = "" if described is None else described.suspended_error or ""
                return self._open_run(run_no, header, described) + (why and f"\n{why.rstrip()}")
            except Exception as error:
                # A damaged journal, or code of the user's: the other runs are told of all the same.
                return f"could not be looked at: {error!r}"

        try:
            headers = list(run_headers(self._journal))
        except StorageError as error:
            return [f"the journal could not be looked at: {error}"]
        return _lines(headers if len(headers) <= MOST_IN_ALL else _most_telling(headers), MOST_IN_ALL, line)

    def _headers(self) -> list[Header]:
        try:
            return list(run_headers(self._journal))
        except StorageError:
            # Whoever is told so has another complaint, and this one must not hide it.
            return []

    def _open_run(self, run_no: int, header: RunHeader, described: WorkflowExecutionDescription | None) -> str:
        if described is None:
            return "is open"
        summaries: dict[str, str] = {}
        if described.pending_timers:
            try:
                summaries = _summaries(recorded_run(self._journal, run_no, header))
            except StorageError:
                # As for headers.
                summaries = {}
        return waits_for(described, self._now, summaries)

    def _closed_run(self, header: RunHeader) -> str:
        told = WorkflowExecutionStatus(header.status).name.lower().replace("_", " ")
        outcome = Outcome.decode(header.outcome)
        why = outcome.failure
        reasons: list[str] = []
        while why is not None:
            reasons.append(why.headline)
            why = why.cause
        if reasons:
            told += f", {' <- '.join(reasons)}"
        elif outcome.result:
            told += f" with {payload_text(outcome.result, self._converter)}"
        return f"has ended: {told}"


def _most_telling(headers: list[Header]) -> list[Header]:
    """Those that have gone wrong first, oldest first; then the others, newest first."""
    wrong = [each for each in headers if each[1].status in _WRONG or each[1].note]
    others = [each for each in headers if not (each[1].status in _WRONG or each[1].note)]
    return wrong + others[::-1]


def _lines(headers: Sequence[Header], most: int, rest: Callable[[int, RunHeader], str]) -> list[str]:
    lines = [
        f"workflow {header.workflow_id!r} ({header.workflow_type}) {rest(run_no, header)}"
        for run_no, header in headers[:most]
    ]
    return lines if len(headers) <= most else [*lines, f"and {len(headers) - most} more"]


def waits_for(described: WorkflowExecutionDescription, now: datetime, summaries: dict[str, str]) -> str:
    """What a run waits for, as far as that is known.

    Args:
        now: what time it is.
        summaries: id of a timer → its line for people.
    """
    if described.status is WorkflowExecutionStatus.SUSPENDED:
        told = described.suspended_error or ""
        return f"is {told}" if told.startswith(BY_REQUEST) else "is suspended; describe() has the traceback"
    timers = sorted(described.pending_timers, key=lambda timer: timer.due_time)
    waits = _first(described.pending_activities, _activity, "more")
    waits += _first(timers, lambda timer: _timer(timer, now, summaries), "more timers")
    waits += _first(described.pending_children, _child, "more children")
    if not waits:
        waits.append("a signal or a condition, since it has no activity, no timer and no child")
    unread, untaken = described.buffered_signals, described.waiting_messages
    left = f"; it has {_count(unread, 'signal')} that nothing has taken" if unread else ""
    left += f"; {_count(untaken, 'message')} it has not taken yet" if untaken else ""
    return f"waits for {', '.join(waits)}{left}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _first(things: Sequence[T], told: Callable[[T], str], more: str) -> list[str]:
    left = len(things) - MOST_OF_A_KIND
    return [*map(told, things[:MOST_OF_A_KIND]), *([f"{left} {more}"] if left > 0 else [])]


def _activity(pending: PendingActivity) -> str:
    told = f"activity {pending.activity_type!r} at attempt {pending.attempt}"
    if not pending.last_failure:
        return told
    failure = pending.last_failure.strip().partition("\n")[0]
    cut = failure if len(failure) <= MOST_LETTERS else f"{failure[:MOST_LETTERS]}…"
    return f"{told} (last failure: {cut})"


def _timer(pending: PendingTimer, now: datetime, summaries: dict[str, str]) -> str:
    summary = summaries.get(pending.timer_id, "")
    due = pending.due_time
    fraction = f".{due.microsecond:06}".rstrip("0") if due.microsecond else ""
    name = f"timer {summary!r}" if summary else "a timer"
    return f"{name} until {due:%Y-%m-%dT%H:%M:%S}{fraction}Z (in {_length(due - now)})"


def _child(pending: PendingChild) -> str:
    return f"child {pending.workflow_id!r} ({pending.workflow_type})"


def _length(time: timedelta) -> str:
    seconds = time.total_seconds()
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:g} s"


def _summaries(run: RecordedRun) -> dict[str, str]:
    """Id of each timer that was started with a line for people → that line."""
    asked = (command for commands in run.commands() for command in commands)
    return {str(command.id): command.name for command in asked if isinstance(command, StartTimer) and command.name}
