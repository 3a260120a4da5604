"""What the actor of a run has of it: what it does with a turn of the dispatcher depends on that alone."""

from __future__ import annotations

from enum import Enum

__all__ = ["Standing"]


class Standing(Enum):
    """How a run stands.

    Attributes:
        NEW: its first message is on its way; there is no code of it yet.
        DELAYED: it begins later; until then what comes is kept on disk.
        DORMANT: all of it is on disk, and only there.
        REPLAYING: it is being brought back, a slice at a time.
        LIVE: its code is in memory and takes messages.
        RESTARTING: its code has raised a bug, and is tried again a little later; until then what comes is kept on disk.
        SUSPENDED: its code cannot go on; what comes for it is kept on disk.
        ENDING: it is to end without its code being asked, and its history is looked at a last time.
        CLOSED: it has ended, or the runtime has.
    """

    NEW = "new"
    DELAYED = "delayed"
    DORMANT = "dormant"
    REPLAYING = "replaying"
    LIVE = "live"
    RESTARTING = "restarting"
    SUSPENDED = "suspended"
    ENDING = "ending"
    CLOSED = "closed"
