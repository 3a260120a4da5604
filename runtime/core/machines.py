"""The life of each thing that a run can wait for, as one table of transitions a kind.

A command creates the thing in state PENDING. Each event moves it by its table; an event with no row is not allowed in
that state and means that history and code do not fit together. A row that leads to the same state says that the event
is known and has no effect: a signal that arrives after the run stopped waiting for the news.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

__all__ = [
    "ABANDONED_ACTIVITY",
    "ACTIVITY",
    "AWAITED_ACTIVITY",
    "AWAITED_CHILD",
    "CHILD",
    "EXTERNAL",
    "Event",
    "State",
    "Table",
]


# IntEnum: the tables are looked up once a turn, and hashing a plain Enum is a call of its own.
class State(IntEnum):
    """Where the thing is in its life."""

    PENDING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELLED = 4
    CANCELLING = 5


class Event(IntEnum):
    """What can happen to it."""

    COMPLETE = 1
    FAIL = 2
    CANCEL = 3
    REQUEST_CANCEL = 4


Table = Mapping[tuple[State, Event], State]

_ENDS: Table = {
    (State.PENDING, Event.COMPLETE): State.COMPLETED,
    (State.PENDING, Event.FAIL): State.FAILED,
    (State.PENDING, Event.CANCEL): State.CANCELLED,
}

_GOES_ON: Table = {
    (State.CANCELLED, Event.COMPLETE): State.CANCELLED,
    (State.CANCELLED, Event.FAIL): State.CANCELLED,
}

ACTIVITY: Table = _ENDS
"""Its cancellation is at once the end of the wait for it, and nothing more is heard of it."""

AWAITED_ACTIVITY: Table = {
    **_ENDS,
    (State.PENDING, Event.REQUEST_CANCEL): State.CANCELLING,
    (State.CANCELLING, Event.REQUEST_CANCEL): State.CANCELLING,
    (State.CANCELLING, Event.COMPLETE): State.COMPLETED,
    (State.CANCELLING, Event.FAIL): State.FAILED,
    (State.CANCELLING, Event.CANCEL): State.CANCELLED,
}
"""Its cancellation is a request, and what it answers is its end. One that nobody has seen yet is taken back."""

ABANDONED_ACTIVITY: Table = {**_ENDS, **_GOES_ON}
"""Its cancellation ends the wait for it, and it goes on: what comes of it is heard and has no effect."""

EXTERNAL: Table = {**_ENDS, **_GOES_ON}
"""What another run is sent, and the start of a child: it happens all the same if it is no longer waited for."""

CHILD: Table = EXTERNAL
"""A child whose cancellation ends the wait for it: what comes of it is heard and has no effect."""

AWAITED_CHILD: Table = AWAITED_ACTIVITY
"""A child whose cancellation is a request, and what it answers is its end."""
