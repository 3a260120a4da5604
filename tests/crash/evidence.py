"""What the world outside knows: acknowledgements and effects, gathered from lines that no journal can change."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["Evidence"]


class Evidence:
    """Everything that was said to somebody outside, in the order it came.

    Attributes:
        starting: ids of workflows that a client wanted to start.
        started: (workflow id, run id) of each acknowledged start.
        sending: token of each signal that a client wanted to send → the workflow it is for.
        signalled: tokens of acknowledged signals.
        refused: tokens of signals that were refused: they must be nowhere.
        results: (workflow id, run id or None) → the result that was given out.
        effects: (run id, activity) → the attempts that left an effect.
        errors: what should not have happened at all.
        progress: how far the child came: opening, open, closed.
    """

    def __init__(self) -> None:
        self.starting: set[str] = set()
        self.started: set[tuple[str, str]] = set()
        self.sending: dict[str, str] = {}
        self.signalled: dict[str, str] = {}
        self.refused: set[str] = set()
        self.results: dict[tuple[str, str | None], Any] = {}
        self.effects: dict[tuple[str, int], list[int]] = {}
        self.errors: list[str] = []
        self.progress: list[str] = []
        self._rest = b""

    @property
    def acknowledgements(self) -> int:
        """How many promises there are to be kept."""
        return len(self.started) + len(self.signalled) + len(self.results)

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
            case ["start", workflow_id, run_id]:
                self.started.add((workflow_id, run_id))
            case ["sending", token, workflow_id]:
                self.sending[token] = workflow_id
            case ["signal", token, workflow_id]:
                self.signalled[token] = workflow_id
            case ["refused", "signal", token, _]:
                self.refused.add(token)
            case ["result", workflow_id, run_id, value]:
                self.results[workflow_id, run_id] = value
            case ["effect", run_id, activity_id, attempt, _]:
                self.effects.setdefault((run_id, activity_id), []).append(attempt)
            case ["opening" | "open" | "closed" as progress]:
                self.progress.append(progress)
            case _:
                self.errors.append(str(line))
