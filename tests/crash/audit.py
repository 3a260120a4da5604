"""Holds a journal against what the world outside knows, and names every promise that is broken.

It reads the journal by itself: no live runtime is asked, and no workflow code decides what is right.
"""

from __future__ import annotations

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
    Message,
    RunTerminated,
    SignalReceived,
    TimerFired,
    UpdateReceived,
    WorkflowStarted,
)
from greenroom.runtime.model.ids import run_no_of
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.shell.writing import UNREAD, UNSURE
from greenroom.storage import DueKind, Journal

from .evidence import Evidence
from .judged_chains import judge_chains, judge_starts
from .judged_endings import judge_endings
from .judged_families import judge_families
from .judged_notes import judge_notes
from .judged_updates import judge_updates
from .lineage import Lineage, started_of, told_of
from .load import ATTEMPTS
from .runs import Run, Step, message_of, read_runs, result_of, token_of

__all__ = ["audit"]


def audit(journal: Journal, evidence: Evidence) -> list[str]:
    """Return every broken promise; an empty list means that nothing was lost, doubled or made up."""
    runs = read_runs(journal)
    active = {run_no for _, run_no in journal.active(limit=1 << 30)}
    findings: list[str] = [f"a child complained: {error}" for error in evidence.errors]
    lineage = Lineage(runs)
    places = _Places(lineage)
    for run in runs:
        findings += _Judge(run, evidence, active).findings()
        places.visit(run)
    for letter in journal.dead_letters(limit=1 << 30):
        # A signal that its run was told of and never read stands in the history too.
        if not letter.reason.endswith((UNREAD, UNSURE)):
            places.put(message_of(letter.message), letter.run_no)
    findings += places.findings(evidence)
    findings += _judge_promises(lineage, places, evidence)
    findings += judge_updates(runs, evidence)
    findings += judge_notes(runs, journal)
    due = journal.due(until_ns=2**63 - 1, limit=1 << 30)
    findings += judge_endings(lineage, due, evidence)
    findings += judge_chains(lineage, journal)
    findings += judge_starts(runs, due)
    findings += judge_families(lineage)
    return findings


class _Places:
    """Where each token lies: every signal must lie in exactly one place."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._chains = {run.header.run_id: run.header.first_run_id for run in lineage.runs.values()}
        self._newest: dict[tuple[str, str], tuple[int, int]] = {}
        self._doubled: list[str] = []
        self._requested: dict[str, str] = {}
        self._unsent: set[str] = set()
        self._unheard: set[str] = set()
        self.run_of: dict[str, int] = {}

    def visit(self, run: Run) -> None:
        """Take note of the signals that a run has taken, has waiting, and has sent."""
        sent: dict[int, str] = {}
        waiting = [message_of(mail.message) for mail in run.items.mail]
        # What it did not read, the last of them, lies in the run that goes on, which is held against this one.
        to_read = len(told_of(run)) + len(waiting) - len(self._lineage.unread_of(run))
        for step in run.steps:
            for command in step.commands:
                if isinstance(command, SignalExternal):
                    sent[command.id] = token = token_of(command.args)
                    self._requested[token] = run.name
        for message in [*(step.message for step in run.steps), *waiting]:
            if isinstance(message, ExternalSignalResolved) and message.failure is not None:
                self._unsent.add(sent.pop(message.id))
            elif isinstance(message, ExternalSignalResolved):
                del sent[message.id]
            elif isinstance(message, SignalReceived) and to_read:
                to_read -= 1
                self._put_in_order(message, run)
        if not run.status.is_open:
            # It was ended before it heard whether they could be sent.
            self._unheard.update(sent.values())

    def _put_in_order(self, message: SignalReceived, run: Run) -> None:
        """The signals of one chain to another one, or of a client, come in the order in which they were sent."""
        token = self.put(message, run.run_no)
        sender, number = token.split("/" if "/" in token else ".")
        ordinal = run_no_of(sender) or 0, int(number)
        way = self._chains.get(sender, sender), run.header.first_run_id
        if ordinal <= self._newest.get(way, (0, -1)):
            self._doubled.append(f"{run.name} has {token} behind a later one of the same sender")
        self._newest[way] = ordinal

    def put(self, message: Message, run_no: int) -> str:
        """Note one place of a signal, and give its token."""
        if not isinstance(message, SignalReceived):
            return ""
        token = token_of(message.args)
        if token in self.run_of:
            self._doubled.append(f"signal {token} is there twice: in run {self.run_of[token]} and in run {run_no}")
        self.run_of[token] = run_no
        return token

    def findings(self, evidence: Evidence) -> list[str]:
        """What is doubled, made up or lost between runs."""
        findings = self._doubled
        for token in self.run_of:
            if "/" in token and token not in self._requested:
                findings.append(f"signal {token} is there and no run has sent it")
            elif "/" not in token and token not in evidence.sending:
                findings.append(f"signal {token} is there and no client has sent it")
            elif token in evidence.refused or token in self._unsent:
                findings.append(f"signal {token} is there although its sender was told that it is not")
        for token, sender in self._requested.items():
            if token not in self.run_of and token not in self._unsent | self._unheard:
                findings.append(f"{sender} has sent signal {token} and it is nowhere")
        return findings


class _Judge:
    """Judges the history of one run by itself."""

    def __init__(self, run: Run, evidence: Evidence, active: set[int]) -> None:
        self._run = run
        self._evidence = evidence
        self._active = active
        self._found: list[str] = []
        self._activities: dict[int, ScheduleActivity] = {}
        self._timers: dict[int, int] = {}
        self._signals: set[int] = set()
        self._last_ns = 0

    def findings(self) -> list[str]:
        """Walk the history."""
        run = self._run
        for number, step in enumerate(run.steps):
            # One that was to begin later may be ended before it does.
            is_first = number == 0 and not (isinstance(step.message, RunTerminated) and len(run.steps) == 1)
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

    def _effect(self, item: int) -> list[int] | None:
        return self._evidence.effects.get((self._run.header.run_id, item))

    def _take(self, step: Step) -> None:
        """Each outcome answers something that was asked for, once."""
        match step.message:
            case ActivityCompleted(id=item) | ActivityFailed(id=item):
                if self._activities.pop(item, None) is None:
                    self._say(f"an outcome of activity {item} that is not waited for (any more)")
                elif isinstance(step.message, ActivityCompleted) and self._effect(item) is None:
                    self._say(f"activity {item} has a result and was never performed")
            case TimerFired(id=item):
                at_ns = self._timers.pop(item, None)
                if at_ns is None:
                    self._say(f"timer {item} fired and is not waited for (any more)")
                elif step.time_ns < at_ns:
                    self._say(f"timer {item} fired {at_ns - step.time_ns} ns early")
            case ExternalSignalResolved(id=item):
                if item not in self._signals:
                    self._say(f"signal {item} is resolved and was not sent (or twice)")
                self._signals.discard(item)
            case _:
                pass

    def _want(self, command: Command) -> None:
        match command:
            case ScheduleActivity():
                self._activities[command.id] = command
                attempts = self._effect(command.id) or ()
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
        coming = {
            message.id
            for mail in run.items.mail
            if isinstance(message := message_of(mail.message), ExternalSignalResolved)
        }
        if coming != self._signals:
            self._say(f"it waits for signals {self._signals} to be resolved, and {coming} are on their way")


def _judge_promises(lineage: Lineage, places: _Places, evidence: Evidence) -> list[str]:
    """What was acknowledged is there, and what happened outside was asked for."""
    runs = list(lineage.runs.values())
    by_id = {run.header.run_id: run for run in runs}
    numbers = {run.run_no: run.header.workflow_id for run in runs}
    findings: list[str] = []
    for workflow_id, run_id in evidence.started:
        if run_id not in by_id or by_id[run_id].header.workflow_id != workflow_id:
            findings.append(f"the start of {workflow_id} was acknowledged and is not there")
    for token, workflow_id in evidence.signalled.items():
        if numbers.get(places.run_of.get(token, 0)) != workflow_id:
            findings.append(f"signal {token} to {workflow_id} was acknowledged and is not there")
    for (workflow_id, asked), value in evidence.results.items():
        run = lineage.meant(workflow_id, asked)
        if run is None or run.status is not WorkflowExecutionStatus.COMPLETED or result_of(run) != value:
            findings.append(f"the result of {workflow_id} was given out and is not there")
    wanted = {
        (run.header.run_id, command.id)
        for run in runs
        for step in run.steps
        for command in step.commands
        if isinstance(command, ScheduleActivity)
    }
    for performer, item in evidence.effects.keys() - wanted:
        findings.append(f"activity {item} of run {performer} was performed and nobody asked for it")
    for run in runs:
        if run.header.workflow_id not in evidence.starting and lineage.parent_of(run) is None:
            findings.append(f"{run.name} is there and neither a client nor a parent has started it")
        if run.header.workflow_type == "Order" and run.status is WorkflowExecutionStatus.COMPLETED:
            taken = [
                token_of(step.message.args)
                for step in run.steps
                if isinstance(step.message, (SignalReceived, UpdateReceived))
            ]
            if result_of(run) != taken:
                findings.append(f"{run.name} returned {result_of(run)} and had taken {taken}")
    return findings
