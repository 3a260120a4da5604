"""The message that a run has stopped at, which its code could not take."""

from __future__ import annotations

from ..core.messages import Message, TimerFired, decode_message
from .run_state import RunState

__all__ = ["message_at", "told"]


def message_at(run: RunState) -> Message | None:
    """What a run has stopped at; None if it was no message, as with a history that its code does not fit."""
    where = run.header.stopped_at
    if -where in run.timers:
        return TimerFired(-where)
    data = run.rows.get(where)
    return None if data is None else decode_message(data)


def told(message: Message) -> str:
    """A message for people: its kind as in a history, and which of that kind, such as ``SignalReceived 'add'``."""
    kind, name, number = type(message).__name__, getattr(message, "name", None), getattr(message, "id", None)
    if name is not None:
        return f"{kind} {name!r}"
    return kind if number is None else f"{kind} #{number}"
