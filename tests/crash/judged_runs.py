"""Judges the history of one run by itself: what it asked for, what it heard of that, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from greenroom.runtime.core.commands import (
    CancelActivity,
    CancelTimer,
    Command,
    ScheduleActivity,
    SignalExternal,
    StartTimer,
)
from greenroom.runtime.core.messages import (
    ActivityCompleted,
    ActivityFailed,
    ExternalSignalResolved,
    RunTerminated,
    RunTimedOut,
    SignalReceived,
    TimerFired,
    WorkflowStarted,
)
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.storage import DueKind

from .evidence import Evidence
from .lineage import started_of
from .load import ATTEMPTS
from .runs import Run, Step, message_of, token_of

__all__ = ["judge_run"]

ENDS = RunTerminated, RunTimedOut


def judge_run(run: Run, runs: Mapping[str, Run], evidence: Evidence, active: set[int]) -> list[str]:
    """Every broken promise.

    Args:
        runs: all runs by their ids.
        active: the runs that opening the journal brings back for their activities.
    """
    return _Judge(run, list(_performers(run, runs)), evidence, active).findings()


def _performers(run: Run | None, runs: Mapping[str, Run]) -> Iterator[str]:
    """The ids of the runs that have performed activities of a run: it, and those whose turns it has or had."""
    while run is not None:
        yield run.header.run_id
        copied = decode_facts(run.header.facts).copied
        run = None
        if copied is not None:
            yield copied.run_id
            run = runs.get(copied.run_id)


class _Judge:
    """Walks one history."""

    def __init__(self, run: Run, performers: Sequence[str], evidence: Evidence, active: set[int]) -> None:
        self._run = run
        self._evidence = evidence
        self._active = active
        self._found: list[str] = []
        self._activities: dict[int, ScheduleActivity] = {}
        self._timers: dict[int, int] = {}
        self._signals: set[int] = set()
        self._last_ns = 0
        self._performers = performers

    def findings(self) -> list[str]:
        """Walk the history."""
        run = self._run
        for number, step in enumerate(run.steps):
            # One that was to begin later, or whose start waits for its turn, may be ended before it does.
            is_first = number == 0 and not (isinstance(step.message, ENDS) and len(run.steps) == 1)
            if is_first is not isinstance(step.message, WorkflowStarted):
                self._say(f"turn {number} is {step.message!r}")
            if step.time_ns < self._last_ns:
                self._say(f"time goes back in turn {number}")
            self._last_ns = step.time_ns
            self._take(step)
            for command in step.commands:
                self._want(command)
        if not run.steps and started_of(run) is None:
            self._say("it has no turn, and no first message waits for it")
        if run.status is WorkflowExecutionStatus.SUSPENDED:
            self._say(f"it is suspended: {run.header.note}")
        elif run.status.is_open:
            self._judge_open()
        return self._found

    def _say(self, what: str) -> None:
        self._found.append(f"{self._run.name}: {what}")

    def _is_performed(self, item: int) -> bool:
        """Whether an activity left an effect, for this run or for those whose turns it has."""
        return any((performer, item) in self._evidence.effects for performer in self._performers)

    def _take(self, step: Step) -> None:
        """Each outcome answers something that was asked for, once."""
        match step.message:
            case ActivityCompleted(id=item) | ActivityFailed(id=item):
                if self._activities.pop(item, None) is None:
                    self._say(f"an outcome of activity {item} that is not waited for (any more)")
                elif isinstance(step.message, ActivityCompleted) and not self._is_performed(item):
                    self._say(f"activity {item} has a result and was never performed")
            case TimerFired(id=item):
                at_ns = self._timers.pop(item, None)
                if at_ns is None:
                    self._say(f"timer {item} fired and is not waited for (any more)")
                elif step.time_ns < at_ns:
                    self._say(f"timer {item} fired {at_ns - step.time_ns} ns early")
            case SignalReceived(args=args):
                self._judge_time(args, step.time_ns, "came")
            case ExternalSignalResolved(id=item):
                if item not in self._signals:
                    self._say(f"signal {item} is resolved and was not sent (or twice)")
                self._signals.discard(item)
            case _:
                pass

    def _judge_time(self, args: bytes, time_ns: int, what: str) -> None:
        """A signal that was sent for later comes no earlier."""
        early_ns = self._evidence.not_before.get(token_of(args), 0) - time_ns
        if early_ns > 0:
            self._say(f"signal {token_of(args)} {what} {early_ns} ns too soon")

    def _want(self, command: Command) -> None:
        match command:
            case ScheduleActivity():
                self._activities[command.id] = command
                attempts = self._evidence.effects.get((self._run.header.run_id, command.id), ())
                if command.name == "counted" and len(attempts) > ATTEMPTS:
                    self._say(f"activity {command.id} was begun {len(attempts)} times, {ATTEMPTS} are allowed")
            case CancelActivity():
                self._activities.pop(command.id, None)
            case StartTimer():
                self._timers[command.id] = command.at_ns
            case CancelTimer():
                self._timers.pop(command.id, None)
            case SignalExternal():
                self._signals.add(command.id)
            case _:
                pass

    def _judge_open(self) -> None:
        """Everything that an open run waits for must have something that brings it."""
        run = self._run
        is_marked = run.run_no in self._active
        if self._activities and not is_marked:
            self._say(f"activities {sorted(self._activities)} have no outcome, and it is not among the active runs")
        if is_marked and not self._activities and run.status is not WorkflowExecutionStatus.SUSPENDED:
            self._say("it is among the active runs, and has no activity without an outcome")
        timers = {timer.item: timer.at_ns for timer in run.items.timers if timer.kind == DueKind.TIMER}
        if timers != self._timers:
            self._say(f"it waits for timers {self._timers} and the journal has {timers}")
        for mail in run.items.mail:
            if isinstance(waiting := message_of(mail.message), SignalReceived):
                self._judge_time(waiting.args, mail.time_ns, "came")
        for delayed in run.items.delayed:
            if isinstance(signal := message_of(delayed.message), SignalReceived):
                self._judge_time(signal.args, delayed.at_ns, "is to come")
        coming = {
            message.id
            for mail in run.items.mail
            if isinstance(message := message_of(mail.message), ExternalSignalResolved)
        }
        if coming != self._signals:
            self._say(f"it waits for signals {self._signals} to be resolved, and {coming} are on their way")
