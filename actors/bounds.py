"""How much may wait in a mailbox, and what becomes of a message for which there is no room."""

from __future__ import annotations

import threading
from collections import deque
from enum import Enum

__all__ = ["Bounds", "Overflow"]


class Overflow(Enum):
    """What becomes of a message that comes when the mailbox is full."""

    REFUSE = "refuse"
    """Its sender gets ``MailboxFullError`` and may send it again later."""

    WAIT = "wait"
    """Its sender's thread waits until there is room; a thread that runs actors never waits, and gets the error."""

    DROP_NEWEST = "drop newest"
    """It becomes a dead letter; who asks gets ``MailboxFullError`` as the answer."""

    DROP_OLDEST = "drop oldest"
    """What has waited longest makes room, and becomes a dead letter likewise."""


class Bounds:
    """The bounds of one mailbox; its lock is held whenever anything here is called.

    Attributes:
        limit: how many messages may wait.
        overflow: what becomes of one more.
        patience: seconds that a sender waits for room; None for as long as it takes.
    """

    __slots__ = ("_gates", "limit", "overflow", "patience")

    def __init__(self, limit: int, overflow: Overflow, patience: float | None) -> None:
        if limit < 1:
            raise ValueError(f"a mailbox limit must be at least 1 or None, not {limit}")
        self.limit = limit
        self.overflow = overflow
        self.patience = patience
        self._gates: deque[threading.Lock] = deque()

    def queue(self) -> threading.Lock:
        """A gate that opens when there may be room, for one more sender who waits."""
        gate = threading.Lock()
        gate.acquire()
        self._gates.append(gate)
        return gate

    def leave(self, gate: threading.Lock) -> None:
        """A sender waits no more; if it was just let in, the next one is."""
        if gate in self._gates:
            self._gates.remove(gate)
        else:
            self.has_room()

    def has_room(self) -> None:
        """There is room for one more: let in who has waited longest."""
        if self._gates:
            self._gates.popleft().release()

    def close(self) -> None:
        """Nobody need wait any more."""
        while self._gates:
            self._gates.popleft().release()
