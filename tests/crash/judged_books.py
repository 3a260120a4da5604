"""Holds books against each other: what a reset or a fork has of another run and what it was told itself, that nothing
told to a workflow is lost when it is reset, and that what was deleted has left nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from greenroom.runtime.core.commands import CompleteWorkflow
from greenroom.runtime.core.messages import HistoryCopied, RunReset, RunTerminated, SignalReceived
from greenroom.runtime.model.copied_run import CopiedRun
from greenroom.runtime.model.ids import run_no_of
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.storage import Journal

from .books import FORK, KEPT_S, SLIP, is_book
from .evidence import Evidence
from .lineage import told_of
from .runs import Run, Step, message_of, result_of, token_of

__all__ = ["judge_books"]

COMPLETED = WorkflowExecutionStatus.COMPLETED
KEPT_NS = round(KEPT_S * 1_000_000_000)


def judge_books(runs: Sequence[Run], journal: Journal, evidence: Evidence) -> list[str]:
    """Every broken promise."""
    shelf = _Shelf(runs, journal, evidence)
    findings = [f"{run.name}: {what}" for run in runs for what in shelf.judge(run)]
    for judged in (shelf.judge_copies(), shelf.judge_starts(), shelf.judge_signals(), shelf.judge_deleted()):
        findings += judged
    return findings


class _Shelf:
    """All books of a journal, and what is known of them."""

    def __init__(self, runs: Sequence[Run], journal: Journal, evidence: Evidence) -> None:
        self._runs = runs
        self._journal = journal
        self._evidence = evidence
        self._by_id = {run.header.run_id: run for run in runs}
        self._last = {run.header.workflow_id: run for run in runs}
        self._facts = {run.run_no: decode_facts(run.header.facts) for run in runs}
        self._deleting = {workflow_id for workflow_id, _ in evidence.deleting}

    def judge(self, run: Run) -> Iterator[str]:
        """What is wrong with one run."""
        ends = [number for number, step in enumerate(run.steps) if _is_end(step)]
        if ends != ([] if run.status.is_open else [len(run.steps) - 1]):
            yield f"it is {run.status} and its turns {ends} of {len(run.steps)} end it"
        if not run.status.is_open and (run.items.mail or run.items.timers or run.items.delayed):
            yield f"it has ended, and the journal has {run.items} for it"
        if run.header.workflow_id.startswith(SLIP):
            yield from _judge_slip(run)
            return
        copied = self._facts[run.run_no].copied
        first = 0
        if copied is not None:
            first = copied.turn + 1
            yield from self._judge_copied(run, copied)
        yield from self._judge_link(run)
        yield from self._judge_entries(run, first)

    def _judge_copied(self, run: Run, copied: CopiedRun) -> Iterator[str]:
        """It has the turns that somebody wanted it to have, as they are in the run that they come from."""
        asked = self._evidence.copying.get(copied.reason)
        if asked is None or copied.reason in self._evidence.uncopied:
            yield f"nobody has asked for a copy because of {copied.reason!r}, or was refused"
            return
        workflow_id, fork_id, to = asked
        if (copied.workflow_id, run.header.workflow_id) != (workflow_id, fork_id or workflow_id):
            yield f"it is a copy of {copied.workflow_id}, and {asked} was asked for"
        if (copied.turn == -1) is not (to == "start") or (isinstance(to, int) and copied.turn != to):
            yield f"it was to be copied up to turn {to}, and has those up to {copied.turn}"
        source = self._by_id.get(copied.run_id)
        if source is None and copied.workflow_id not in self._deleting:
            yield f"it is a copy of run {copied.run_id}, which is not there"
        if source is not None and run.steps[: copied.turn + 1] != source.steps[: copied.turn + 1]:
            yield f"its turns up to {copied.turn} are not those of {source.name}"
        marks = [number for number, step in enumerate(run.steps) if isinstance(step.message, HistoryCopied)]
        if copied.turn >= 0 and marks[-1:] != [copied.turn + 1]:
            yield f"its turns {marks} say that those before are copied, and {copied.turn + 1} should"

    def _judge_link(self, run: Run) -> Iterator[str]:
        """A run that was reset has one run in its place, which has its turns."""
        heirs = [
            each.header.run_id
            for each in self._runs
            if (copied := self._facts[each.run_no].copied) is not None
            and (copied.run_id, each.header.workflow_id) == (run.header.run_id, run.header.workflow_id)
        ]
        next_run_id = self._facts[run.run_no].next_run_id
        if heirs != ([next_run_id] if next_run_id else []):
            yield f"it goes on as run {next_run_id!r}, and runs {heirs} were made of it"
        last = run.steps[-1].message if run.steps else None
        if isinstance(last, RunReset) and last.next_run_id != next_run_id:
            yield f"it was reset to {last.next_run_id}, and goes on as run {next_run_id!r}"
        if heirs and run.status.is_open:
            yield f"it was reset and is {run.status}"

    def _judge_entries(self, run: Run, first: int) -> Iterator[str]:
        """It has each entry once, in order; behind the turns that it has of another run its own alone."""
        tokens = told_of(run)
        twice = [token for token, times in Counter(tokens).items() if times > 1]
        if twice:
            yield f"it was told {twice} twice"
        # What a fork had of its origin comes again to a run that goes on from an earlier turn of it.
        known_as = {run.header.workflow_id, *self._origins(run)}
        for step in run.steps[first:]:
            if isinstance(step.message, SignalReceived):
                token = token_of(step.message.args)
                if self._evidence.sending.get(token) not in known_as:
                    yield f"signal {token} is there and no client has sent it"
                elif token in self._evidence.refused:
                    yield f"signal {token} is there although its sender was told that it is not"
        newest: dict[str, int] = {}
        # What was sent to one that was deleted, and is sent again, comes to whoever has its id by then.
        is_heir = run.header.workflow_id in self._deleting
        for token in tokens:
            if is_heir and token in self._evidence.keyed:
                continue
            sender, number = token.split(".")
            if int(number) <= newest.get(sender, -1):
                yield f"it has {token} behind a later one of the same sender"
            newest[sender] = int(number)
        if run.status is COMPLETED and result_of(run) != tokens:
            yield f"it returned {result_of(run)} and had taken {tokens}"

    def _origins(self, run: Run | None) -> Iterator[str]:
        """The workflows whose turns a run has, or had."""
        while run is not None and (copied := self._facts[run.run_no].copied) is not None:
            yield copied.workflow_id
            run = self._by_id.get(copied.run_id)

    def judge_copies(self) -> Iterator[str]:
        """Each copy that somebody asked for was made once at most, and is there if that was said."""
        reasons = [(copied.reason, run) for run in self._runs if (copied := self._facts[run.run_no].copied) is not None]
        for reason, times in Counter(reason for reason, _ in reasons).items():
            if times > 1:
                yield f"the copy {reason} was made {times} times"
        made = {reason: run.header for reason, run in reasons}
        for reason, (workflow_id, run_id) in self._evidence.copied.items():
            header = made.get(reason)
            is_there = header is not None and (header.workflow_id, header.run_id) == (workflow_id, run_id)
            if not is_there and workflow_id not in self._deleting:
                yield f"the copy {reason} ({workflow_id}) was acknowledged and is not there"

    def judge_starts(self) -> Iterator[str]:
        """What was started is there, was performed and is gone, or is being deleted; the last run has the id."""
        performers = {run_id for run_id, _ in self._evidence.effects}
        for workflow_id, run_id in self._evidence.started:
            if not is_book(workflow_id) or run_id in self._by_id:
                continue
            thrown_ns = self._evidence.thrown.get(workflow_id)
            if thrown_ns is None and (workflow_id, run_id) not in self._evidence.deleting:
                yield f"the start of {workflow_id} was acknowledged and is not there"
            elif thrown_ns is not None and run_id not in performers:
                yield f"{workflow_id} is deleted and was never performed"
            elif thrown_ns is not None and time.time_ns() < thrown_ns + KEPT_NS:
                yield f"{workflow_id} was deleted too early"
        for workflow_id, run in self._last.items():
            if self._journal.current_run(workflow_id) != run.run_no:
                yield f"{run.name} is the last one of its workflow, and not its current run"
            known = workflow_id in self._evidence.starting or workflow_id.startswith(FORK)
            if not known and workflow_id not in self._evidence.thrown:
                yield f"{run.name} is there and no client has started it"

    def judge_signals(self) -> Iterator[str]:
        """What a workflow was told is in its last run once, however often that was reset, or is a dead letter."""
        lost: dict[str, set[str]] = {}
        names = {run.run_no: run.header.workflow_id for run in self._runs}
        for letter in self._journal.dead_letters(limit=1 << 30):
            if letter.run_no in names and isinstance(message := message_of(letter.message), SignalReceived):
                lost.setdefault(names[letter.run_no], set()).add(token_of(message.args))
        kept = {workflow_id: _kept(run) for workflow_id, run in self._last.items()}
        for token, workflow_id in self._evidence.signalled.items():
            if not is_book(workflow_id) or workflow_id in self._deleting:
                continue
            is_lost = token in lost.get(workflow_id, ())
            if token not in kept.get(workflow_id, ()) and not is_lost:
                yield f"signal {token} to {workflow_id} was acknowledged and is not in its last run"
            elif is_lost and token not in self._evidence.keyed and token in told_of(self._last[workflow_id]):
                yield f"signal {token} is a dead letter, and {workflow_id} has heard it"
        for (workflow_id, _), value in self._evidence.results.items():
            if is_book(workflow_id) and workflow_id not in self._deleting and workflow_id not in self._evidence.thrown:
                runs = [run for run in self._runs if run.header.workflow_id == workflow_id]
                if not any(run.status is COMPLETED and result_of(run) == value for run in runs):
                    yield f"the result of {workflow_id} was given out and is not there"

    def judge_deleted(self) -> Iterator[str]:
        """Nothing finds a run that was deleted, and its dead letters go with the last of its rows."""
        letters = {letter.run_no for letter in self._journal.dead_letters(limit=1 << 30)}
        letters -= set(self._journal.being_deleted(limit=1 << 30))
        for workflow_id, run_id in self._evidence.deleted:
            run_no = run_no_of(run_id)
            if run_id in self._by_id:
                yield f"run {run_no} ({workflow_id}) was deleted and is there"
            if self._journal.current_run(workflow_id) == run_no:
                yield f"run {run_no} was deleted and is the current one of {workflow_id}"
            if run_no in letters:
                yield f"run {run_no} ({workflow_id}) was deleted and has dead letters"


def _is_end(step: Step) -> bool:
    is_forced = isinstance(step.message, (RunReset, RunTerminated))
    return is_forced or any(isinstance(command, CompleteWorkflow) for command in step.commands)


def _judge_slip(run: Run) -> Iterator[str]:
    """It is to be deleted so long after its end, and not before."""
    closed_ns = run.header.closed_ns
    expires_ns = None if closed_ns is None else closed_ns + KEPT_NS
    if run.header.expires_ns != expires_ns:
        yield f"it is to be deleted at {run.header.expires_ns}, and should be at {expires_ns}"


def _kept(run: Run) -> set[str]:
    """The tokens that a run was told, or is to be told."""
    rows = (*(mail.message for mail in run.items.mail), *(mail.message for mail in run.items.delayed))
    waiting = (message for row in rows if isinstance(message := message_of(row), SignalReceived))
    return {*told_of(run), *(token_of(message.args) for message in waiting)}
