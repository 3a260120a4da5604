"""What an attempt says of itself: written by its own threads, read by the dispatcher's, without a lock between them."""

from __future__ import annotations

__all__ = ["Pulse"]


class Pulse:
    """The last heartbeat of one attempt.

    Who beats sets ``details`` and ``at_ns``, then looks whether somebody has been called; who reads says that nobody is
    called, then looks once more. So one of the two always sees the other.

    Attributes:
        at_ns: when it came.
        details: payload of what it said; b"" for nothing.
        kept: the details that are written down, or None if that is not known.
        is_noticed: whether the dispatcher is going to look at it.
    """

    __slots__ = ("at_ns", "details", "is_noticed", "kept")

    def __init__(self, at_ns: int, details: bytes, kept: bytes) -> None:
        self.at_ns = at_ns
        self.details = details
        self.kept: bytes | None = kept
        self.is_noticed = False
