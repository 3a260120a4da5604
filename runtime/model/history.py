"""A run's history as people read it: numbered events. A turn is one message and what the run asked for in answer."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

__all__ = ["HistoryEvent", "WorkflowHistory"]


class HistoryEvent(msgspec.Struct, frozen=True):
    """One event.

    Attributes:
        number: place in the history; the first is 1.
        turn: the turn that it belongs to; the first is 0.
        time: when the turn was taken (aware, UTC).
        kind: what happened (``SignalReceived``) or was asked for (``ActivityScheduled``).
        facts: its particulars, by name.
    """

    number: int
    turn: int
    time: datetime
    kind: str
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        facts = "  ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return f"{self.number:>4}  {self.turn:>4}  {self.time:%H:%M:%S.%f}  {self.kind:<24}  {facts}".rstrip()


class WorkflowHistory(msgspec.Struct, frozen=True):
    """The events of one run; ``str()`` of it is a table, with the date where the day changes.

    Attributes:
        workflow_id: the workflow.
        run_id: the run.
        events: what happened and was asked for, oldest first.
    """

    workflow_id: str
    run_id: str
    events: tuple[HistoryEvent, ...]

    def kinds(self) -> list[str]:
        """The kind of each event."""
        return [event.kind for event in self.events]

    def __str__(self) -> str:
        head = f"workflow {self.workflow_id}, run {self.run_id}\n   #  turn  time             event"
        lines = [head]
        days = {event.time.date() for event in self.events}
        day = None
        for event in self.events:
            if len(days) > 1 and event.time.date() != day:
                day = event.time.date()
                lines.append(f"{day:%Y-%m-%d}")
            lines.append(str(event))
        return "\n".join(lines)
