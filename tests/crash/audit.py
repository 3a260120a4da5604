"""Holds a journal against what the world outside knows, and names every promise that is broken.

It reads the journal by itself: no live runtime is asked, and no workflow code decides what is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.runtime.core.commands import ScheduleActivity, SignalExternal
from greenroom.runtime.core.messages import (
    ExternalSignalResolved,
    Message,
    SignalReceived,
    SignalReceivedOnce,
    UpdateReceived,
)
from greenroom.runtime.model.ids import run_no_of
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.shell.dead_letters import UNREAD, UNSURE
from greenroom.storage import Journal

from .books import is_book
from .evidence import Evidence
from .judged_books import judge_books
from .judged_chains import judge_chains, judge_starts
from .judged_endings import judge_endings
from .judged_families import judge_families
from .judged_notes import judge_notes
from .judged_requests import judge_requests
from .judged_runs import judge_run
from .judged_updates import judge_updates
from .lineage import Lineage, told_of
from .runs import Run, message_of, read_runs, result_of, token_of

__all__ = ["audit"]


def audit(journal: Journal, evidence: Evidence) -> list[str]:
    """Return every broken promise; an empty list means that nothing was lost, doubled or made up."""
    everything = read_runs(journal)
    active = {run_no for _, run_no in journal.active(limit=1 << 30)}
    findings: list[str] = [f"a child complained: {error}" for error in evidence.errors]
    by_id = {run.header.run_id: run for run in everything}
    for run in everything:
        findings += judge_run(run, by_id, evidence, active)
    findings += judge_notes(everything, journal)
    findings += judge_requests(everything, evidence)
    findings += _judge_effects(everything, evidence)
    # Books have turns and signals of each other, and are judged by themselves.
    books = [run for run in everything if is_book(run.header.workflow_id)]
    findings += judge_books(books, journal, evidence)
    return findings + _audit_rest([run for run in everything if run not in books], journal, evidence)


def _audit_rest(runs: Sequence[Run], journal: Journal, evidence: Evidence) -> list[str]:
    findings: list[str] = []
    lineage = Lineage(runs)
    places = _Places(lineage)
    for run in runs:
        places.visit(run)
    for letter in journal.dead_letters(limit=1 << 30):
        # A signal that its run was told of and never read stands in the history too.
        if letter.run_no in lineage.runs and not letter.reason.endswith((UNREAD.reason, UNSURE.reason)):
            places.lose(message_of(letter.message), letter.run_no)
    findings += places.findings(evidence)
    findings += _judge_promises(lineage, places, evidence)
    findings += judge_updates(runs, evidence)
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
        self._heard: set[str] = set()
        self._lost: list[str] = []
        self.run_of: dict[str, int] = {}

    def visit(self, run: Run) -> None:
        """Take note of the signals that a run has taken, has waiting, and has sent."""
        sent: dict[int, str] = {}
        heard = told_of(run)
        later = [message_of(mail.message) for mail in run.items.delayed]
        waiting = [message for mail in run.items.mail if not _is_again(message := message_of(mail.message), heard)]
        # What it did not read, the last of them, lies in the run that goes on, which is held against this one.
        to_read = len(heard) + len(waiting) - len(self._lineage.unread_of(run))
        self._heard.update(heard)
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
        due = heard + [token_of(message.args) for message in waiting if isinstance(message, SignalReceived)]
        for message in later:
            if not _is_again(message, due):
                self.put(message, run.run_no)
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

    def lose(self, message: Message, run_no: int) -> None:
        """A signal is a dead letter; what waited twice under one key is two of them."""
        if not _is_again(message, self._lost):
            self._lost.append(self.put(message, run_no))

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
        for token in sorted(self._heard & evidence.too_late):
            findings.append(f"signal {token} was refused although its run has heard it")
        for token, sender in self._requested.items():
            if token not in self.run_of and token not in self._unsent | self._unheard:
                findings.append(f"{sender} has sent signal {token} and it is nowhere")
        return findings


def _is_again(message: Message, tokens: Sequence[str]) -> bool:
    """Whether a signal is one that was sent again under its key, and will not be taken."""
    return isinstance(message, SignalReceivedOnce) and message.key in tokens


def _judge_promises(lineage: Lineage, places: _Places, evidence: Evidence) -> list[str]:
    """What was acknowledged is there, and what happened outside was asked for."""
    runs = list(lineage.runs.values())
    by_id = {run.header.run_id: run for run in runs}
    numbers = {run.run_no: run.header.workflow_id for run in runs}
    findings: list[str] = []
    for workflow_id, run_id in evidence.started:
        if is_book(workflow_id):
            continue
        if run_id not in by_id or by_id[run_id].header.workflow_id != workflow_id:
            findings.append(f"the start of {workflow_id} was acknowledged and is not there")
    for token, workflow_id in evidence.signalled.items():
        if not is_book(workflow_id) and numbers.get(places.run_of.get(token, 0)) != workflow_id:
            findings.append(f"signal {token} to {workflow_id} was acknowledged and is not there")
    for (workflow_id, asked), value in evidence.results.items():
        if is_book(workflow_id):
            continue
        run = lineage.meant(workflow_id, asked)
        if run is None or run.status is not WorkflowExecutionStatus.COMPLETED or result_of(run) != value:
            findings.append(f"the result of {workflow_id} was given out and is not there")
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


def _judge_effects(runs: Sequence[Run], evidence: Evidence) -> list[str]:
    """What happened outside was asked for, unless whoever has asked for it is deleted."""
    wanted = {
        (run.header.run_id, command.id)
        for run in runs
        for step in run.steps
        for command in step.commands
        if isinstance(command, ScheduleActivity)
    }
    deleting = {workflow_id for workflow_id, _ in evidence.deleting}
    findings: list[str] = []
    for performer, item in evidence.effects.keys() - wanted:
        token = evidence.performed_for[performer, item]
        if token not in evidence.thrown and evidence.sending.get(token) not in deleting:
            findings.append(f"activity {item} of run {performer} was performed and nobody asked for it")
    return findings
