"""What the world outside knows: acknowledgements and effects, gathered from lines that no journal can change."""

from __future__ import annotations

import json
from typing import Any

from .fates import Limits
from .told import Told

__all__ = ["Evidence"]


class Evidence:
    """Everything that was said to somebody outside, in the order it came.

    Attributes:
        starting: ids of workflows that a client wanted to start.
        started: (workflow id, run id) of each acknowledged start.
        sending: token of each signal that a client wanted to send → the workflow it is for.
        not_before: token of each signal that was sent for later → when it may come at the earliest; 0 for now.
        keyed: token of each signal that has it for its key → (workflow id, name).
        too_late: those of them that were refused as their run had ended.
        requested: workflow id → type of each start that has a request id.
        signalled: tokens of acknowledged signals.
        refused: tokens of signals, and reasons of requests to end, that were refused: they must be nowhere.
        results: (workflow id, run id or None) → the result that was given out.
        limits: workflow id → how long its run was to take at most.
        updates: update id → what those who have asked for it were told.
        ending: workflow id → (kind, reason) of each request to end it, kind being ``cancel`` or ``terminate``.
        ended: (workflow id, kind, reason) of each acknowledged one.
        endings: (workflow id, run id or None) → how a run without a result ended: status, which limit or reason, when
            that was told.
        copying: reason of each reset or fork that a client wanted → (workflow id, id of the fork or "", up to where).
        copied: reason of each acknowledged one → (workflow id, run id).
        uncopied: reasons of those that were refused.
        thrown: workflow id of a slip → when a client wanted to start it, at the earliest.
        deleting: (workflow id, run id) of each run that a client wanted to be gone.
        deleted: those of which it heard that they are.
        effects: (run id, activity) → the attempts that left an effect.
        performed_for: the same → the token that they left.
        errors: what should not have happened at all.
        progress: how far the child came: opening, open, closed.
    """

    def __init__(self) -> None:
        self.starting: set[str] = set()
        self.started: set[tuple[str, str]] = set()
        self.sending: dict[str, str] = {}
        self.not_before: dict[str, int] = {}
        self.keyed: dict[str, tuple[str, str]] = {}
        self.too_late: set[str] = set()
        self.requested: dict[str, str] = {}
        self.signalled: dict[str, str] = {}
        self.refused: set[str] = set()
        self.results: dict[tuple[str, str | None], Any] = {}
        self.limits: dict[str, Limits] = {}
        self.updates: dict[str, Told] = {}
        self.ending: dict[str, set[tuple[str, str]]] = {}
        self.ended: set[tuple[str, str, str]] = set()
        self.endings: dict[tuple[str, str | None], tuple[str, str, int]] = {}
        self.copying: dict[str, tuple[str, str, int | str]] = {}
        self.copied: dict[str, tuple[str, str]] = {}
        self.uncopied: set[str] = set()
        self.thrown: dict[str, int] = {}
        self.deleting: set[tuple[str, str]] = set()
        self.deleted: set[tuple[str, str]] = set()
        self.effects: dict[tuple[str, int], list[int]] = {}
        self.performed_for: dict[tuple[str, int], str] = {}
        self.errors: list[str] = []
        self.progress: list[str] = []
        self._rest = b""

    @property
    def acknowledgements(self) -> int:
        """How many promises there are to be kept."""
        return (
            len(self.started)
            + len(self.signalled)
            + len(self.results)
            + len(self.ended)
            + len(self.endings)
            + len(self.copied)
            + len(self.deleted)
            + sum(told.promises for told in self.updates.values())
        )

    def take(self, chunk: bytes) -> None:
        """Take note of what a pipe or a file gave; half a line waits for its other half."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def end(self) -> None:
        """Nothing more comes: half a line was never said."""
        self._rest = b""

    def _note(self, line: list[Any]) -> None:
        match line:
            case ["starting", workflow_id]:
                self.starting.add(workflow_id)
            case ["starting", workflow_id, run_ns, execution_ns, *requested]:
                self.starting.add(workflow_id)
                self.limits[workflow_id] = Limits(run_ns, execution_ns)
                self.requested.update((workflow_id, kind) for kind in requested)
            case ["start", workflow_id, run_id]:
                self.started.add((workflow_id, run_id))
            case ["sending", token, workflow_id, *how]:
                self.sending[token] = workflow_id
                self._note_way(token, how)
            case ["too late", token]:
                self.too_late.add(token)
            case ["signal", token, workflow_id]:
                self.signalled[token] = workflow_id
            case ["refused", "signal", token, _] | ["refused", "cancel" | "terminate", _, token]:
                self.refused.add(token)
            case ["result", workflow_id, run_id, value]:
                self.results[workflow_id, run_id] = value
            case ["effect", run_id, activity_id, attempt, token]:
                self.performed_for[run_id, activity_id] = token
                self.effects.setdefault((run_id, activity_id), []).append(attempt)
            case ["opening" | "open" | "closed" as progress]:
                self.progress.append(progress)
            case ["update", update_id, *rest]:
                self._note_update(update_id, rest)
            case _:
                self._note_end(line)

    def _note_way(self, token: str, how: list[Any]) -> None:
        if how:
            not_before_ns, keyed_name = how
            # Whichever of those that were sent comes first.
            self.not_before[token] = min(not_before_ns, self.not_before.get(token, not_before_ns))
            if keyed_name:
                self.keyed[token] = (self.sending[token], keyed_name)

    def _note_update(self, update_id: str, line: list[Any]) -> None:
        match line:
            case ["asking", workflow_id, token, way]:
                self.updates.setdefault(update_id, Told(update_id, workflow_id)).ask(token, way)
            case ["reached", stage]:
                self.updates[update_id].reach(stage)
            case ["outcome", outcome]:
                self.updates[update_id].end(outcome)
            case ["denied", how]:
                self.updates[update_id].deny(how)
            case _:
                self.errors.append(f"update {update_id}: {line}")

    def _note_end(self, line: list[Any]) -> None:
        match line:
            case ["ending", "cancel" | "terminate" as kind, workflow_id, reason]:
                self.ending.setdefault(workflow_id, set()).add((kind, reason))
            case ["cancel" | "terminate" as kind, workflow_id, reason]:
                self.ended.add((workflow_id, kind, reason))
            case ["ended", workflow_id, run_id, status, detail, told_ns]:
                # Whoever is told first is told earliest.
                self.endings.setdefault((workflow_id, run_id), (status, detail, told_ns))
            case _:
                self._note_book(line)

    def _note_book(self, line: list[Any]) -> None:
        match line:
            case ["copying", reason, workflow_id, fork_id, to]:
                self.copying[reason] = (workflow_id, fork_id, to)
            case ["copied", reason, workflow_id, run_id]:
                self.copied[reason] = (workflow_id, run_id)
            case ["uncopied", reason]:
                self.uncopied.add(reason)
            case ["throwing", workflow_id, now_ns]:
                self.thrown[workflow_id] = now_ns
            case ["deleting", workflow_id, run_id]:
                self.deleting.add((workflow_id, run_id))
            case ["deleted", workflow_id, run_id]:
                self.deleted.add((workflow_id, run_id))
            case _:
                self.errors.append(str(line))
