"""What becomes of a token, an update, and a run that is asked to end: it follows from their names alone."""

from __future__ import annotations

import zlib
from enum import IntEnum
from typing import NamedTuple

__all__ = [
    "ADMITTED_ONLY",
    "ENDING",
    "RELAY",
    "UNFINISHED",
    "Change",
    "Delivery",
    "Errand",
    "Limits",
    "Parting",
    "change_of",
    "delivery_of",
    "dice",
    "errand_of",
    "outcome_of",
    "parting_of",
]

UNFINISHED = "AcceptedUpdateCompletedWorkflow"
"""The type of the outcome of an update whose run ended before its handler."""

ADMITTED_ONLY = "AdmittedUpdateCompletedWorkflow"
"""The type of the outcome of an update whose run ended before it took it."""


RELAY = "relay"
"""How the workflow ids of relays begin."""

ENDING = "e"
"""The first letter of the tokens that end a relay."""


class Change(IntEnum):
    """What becomes of an update."""

    REFUSED = 0
    REFUSED_BY_A_BUG = 1
    AT_ONCE = 2
    AFTER_AN_ACTIVITY = 3
    AFTER_A_SLEEP = 4
    FAILS_AT_ONCE = 5
    FAILS_AFTER_AN_ACTIVITY = 6

    @property
    def is_refused(self) -> bool:
        """Whether no run ever takes it."""
        return self <= Change.REFUSED_BY_A_BUG

    @property
    def is_failure(self) -> bool:
        """Whether its handler fails."""
        return self >= Change.FAILS_AT_ONCE


class Parting(IntEnum):
    """What a run does that is asked to end."""

    ENDS = 0
    CLEANS_UP = 1
    GOES_ON = 2


class Errand(IntEnum):
    """What a relay does with a parcel."""

    NOTHING = 0
    EFFECT = 1
    CHILD = 2
    CHILD_LEFT = 3
    GOES_ON = 4
    GOES_ON_LATER = 5
    FAILS = 6
    SENDS = 7
    ENDS = 8


class Delivery(IntEnum):
    """What a child does with its parcel, if it may."""

    FAILS = 0
    GOES_ON = 1
    SLEEPS = 2
    PLAIN = 3
    PLAIN_TOO = 4


class Limits(NamedTuple):
    """How long a run may take, in nanoseconds; None is no limit."""

    run_ns: int | None = None
    execution_ns: int | None = None


def dice(token: str) -> int:
    """A number that follows from the token."""
    return zlib.crc32(token.encode())


def change_of(update_id: str) -> Change:
    """What becomes of an update, by its id or by the token of one who has asked for it (``id:ask``)."""
    return Change(dice(update_id.partition(":")[0]) % len(Change))


def outcome_of(token: str) -> str:
    """What is told of an update once it is over, if it is the ask with this token that its run has heard."""
    update_id = token.partition(":")[0]
    match change_of(update_id):
        case Change.REFUSED:
            return f"Refused: {update_id}"
        case Change.REFUSED_BY_A_BUG:
            return f"RuntimeError: {update_id}"
        case change:
            return f"Failed: {token}" if change.is_failure else f"done: {token}"


def errand_of(token: str) -> Errand:
    """What a relay does with a parcel; a parcel from another relay is not sent on."""
    if token.startswith(ENDING):
        return Errand.ENDS
    errand = Errand(dice(token) % Errand.ENDS)
    return Errand.NOTHING if errand is Errand.SENDS and "/" in token else errand


def delivery_of(token: str) -> Delivery:
    """What the child does that has the parcel with this token."""
    return Delivery(dice(token) // 32 % len(Delivery))


def parting_of(workflow_id: str) -> Parting:
    """What an order does that is asked to end."""
    return Parting(dice(workflow_id) % len(Parting))
