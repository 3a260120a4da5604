"""What the actor of a run has of it: what it does with a turn of the dispatcher depends on that alone."""

from __future__ import annotations

from enum import Enum

__all__ = ["Standing"]


class Standing(Enum):
    """One of six."""

    NEW = "new"
    DORMANT = "dormant"
    REPLAYING = "replaying"
    LIVE = "live"
    SUSPENDED = "suspended"
    CLOSED = "closed"
