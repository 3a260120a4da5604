"""Holds the updates in a journal against what was told of them: each in one turn at most, with one outcome for ever."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.runtime.core.commands import CompleteUpdate
from greenroom.runtime.core.messages import UpdateReceived
from greenroom.runtime.shell.outcomes import Outcome

from .evidence import Evidence
from .fates import ADMITTED_ONLY, UNFINISHED, change_of, outcome_of
from .runs import Run, message_of, outcome_text, token_of
from .told import Told

__all__ = ["judge_updates"]


def judge_updates(runs: Sequence[Run], evidence: Evidence) -> list[str]:
    """Every broken promise."""
    known: dict[str, list[_Updates]] = {}
    for run in runs:
        known.setdefault(run.header.workflow_id, []).append(_Updates(run, evidence))
    findings = [finding for chain in known.values() for updates in chain for finding in updates.findings]
    for told in evidence.updates.values():
        findings += [*told.contradictions, *_judge(told, known.get(told.workflow_id, []))]
    return findings


def _judge(told: Told, chain: Sequence[_Updates]) -> list[str]:
    """What was told of an update is in the journal, in one run of its workflow."""
    update_id = told.update_id
    takers = [updates for updates in chain if update_id in updates.accepted]
    if len(takers) > 1:
        return [f"update {update_id} was taken by several runs of {told.workflow_id}"]
    known = any(update_id in updates.waiting or update_id in updates.rows for updates in chain)
    if told.is_promised and not (takers or (known and not told.is_accepted)):
        return [f"update {update_id} was acknowledged, and {told.workflow_id} does not have that"]
    if told.is_final and not any(updates.rows.get(update_id) == told.outcome for updates in chain):
        return [f"update {update_id} was told to be {told.outcome!r}, and {told.workflow_id} does not have that"]
    return []


class _Updates:
    """The updates of one run, each by its id.

    Attributes:
        accepted: id → the token of the ask that has a turn.
        finished: id → the outcome that the history has.
        waiting: ids of those that wait in the mailbox on disk.
        rows: id → the outcome in the row that answers who asks again; empty if there is none yet.
        findings: what is wrong by itself.
    """

    def __init__(self, run: Run, evidence: Evidence) -> None:
        self._run = run
        self._evidence = evidence
        self.accepted: dict[str, str] = {}
        self.finished: dict[str, str] = {}
        self.findings: list[str] = []
        self.waiting = {
            message.update_id
            for mail in run.items.mail
            if isinstance(message := message_of(mail.message), UpdateReceived)
        }
        self.rows = {
            row.update_id: outcome_text(Outcome.decode(row.outcome)) if row.outcome else "" for row in run.items.updates
        }
        self._read_history()
        for update_id in self.accepted.keys() | self.rows.keys():
            self._judge_row(update_id)

    def _say(self, what: str) -> None:
        self.findings.append(f"{self._run.name}: {what}")

    def _read_history(self) -> None:
        for step in self._run.steps:
            if isinstance(step.message, UpdateReceived):
                self._accept(step.message.update_id, token_of(step.message.args))
            for command in step.commands:
                if isinstance(command, CompleteUpdate):
                    outcome = outcome_text(Outcome(command.result, command.failure))
                    self._finish(command.update_id, outcome)

    def _accept(self, update_id: str, token: str) -> None:
        told = self._evidence.updates.get(update_id)
        if update_id in self.accepted:
            self._say(f"update {update_id} is in the history twice")
        if change_of(update_id).is_refused:
            self._say(f"update {update_id} is in the history, and was to be refused")
        if told is None or told.workflow_id != self._run.header.workflow_id or token not in told.tokens:
            self._say(f"update {token} is there and no client has asked for it")
        self.accepted[update_id] = token

    def _finish(self, update_id: str, outcome: str) -> None:
        if update_id in self.finished:
            self._say(f"update {update_id} has two outcomes in the history")
        elif update_id not in self.accepted:
            self._say(f"update {update_id} has an outcome and was never accepted")
        elif outcome != outcome_of(self.accepted[update_id]):
            self._say(f"the outcome of update {self.accepted[update_id]} is {outcome!r}")
        self.finished[update_id] = outcome

    def _judge_row(self, update_id: str) -> None:
        """The row says what the history says; of an update without a turn it says why it has none."""
        row, is_open = self.rows.get(update_id), self._run.status.is_open
        told = self._evidence.updates.get(update_id)
        if update_id in self.accepted:
            wanted = self.finished.get(update_id, "" if is_open else UNFINISHED)
            is_right = row is not None and (row.startswith(wanted) if wanted == UNFINISHED else row == wanted)
        elif told is None or not told.is_admittable:
            is_right, wanted = False, "none"
        elif row is not None and row.startswith(ADMITTED_ONLY):
            is_right, wanted = not is_open, "none while the run is open"
        else:
            is_right = change_of(update_id).is_refused and row == outcome_of(update_id)
            wanted = "its refusal"
        if not is_right:
            self._say(f"the row of update {update_id} has {row!r} and should have {wanted!r}")
