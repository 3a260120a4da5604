"""The life of each thing that a run can wait for, as one table of transitions a kind.

A command creates the thing in state PENDING. Each event moves it by its table; an event with no row is not allowed in
that state and means that history and code do not fit together. A row that leads to the same state says that the event
is known and has no effect: a signal that arrives after the run stopped waiting for the news.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

__all__ = ["ACTIVITY", "EXTERNAL_SIGNAL", "Event", "State", "Table"]


# IntEnum: the tables are looked up once a turn, and hashing a plain Enum is a call of its own.
class State(IntEnum):
    """Where the thing is in its life."""

    PENDING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELLED = 4


class Event(IntEnum):
    """What can happen to it."""

    COMPLETE = 1
    FAIL = 2
    CANCEL = 3


Table = Mapping[tuple[State, Event], State]

ACTIVITY: Table = {
    (State.PENDING, Event.COMPLETE): State.COMPLETED,
    (State.PENDING, Event.FAIL): State.FAILED,
    (State.PENDING, Event.CANCEL): State.CANCELLED,
}

EXTERNAL_SIGNAL: Table = {
    (State.PENDING, Event.COMPLETE): State.COMPLETED,
    (State.PENDING, Event.FAIL): State.FAILED,
    (State.PENDING, Event.CANCEL): State.CANCELLED,
    (State.CANCELLED, Event.COMPLETE): State.CANCELLED,
    (State.CANCELLED, Event.FAIL): State.CANCELLED,
}
