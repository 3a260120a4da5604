"""Signals that nobody has taken yet: one order over all names, and a queue for each name.

A handler and a channel take from here by name. Taking is O(1) whatever lies here; order is kept however it is taken.
"""

from __future__ import annotations

import heapq
from collections import deque

from .messages import SignalReceived

__all__ = ["Mailbag"]


class Mailbag:
    """The unread signals of one run."""

    __slots__ = ("_by_name", "_order")

    def __init__(self) -> None:
        self._by_name: dict[str, deque[tuple[int, SignalReceived]]] = {}
        self._order = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def put(self, signal: SignalReceived) -> None:
        """Keep a signal behind all that lie here."""
        self._order += 1
        queue = self._by_name.get(signal.name)
        if queue is None:
            queue = self._by_name[signal.name] = deque()
        queue.append((self._order, signal))

    def has(self, name: str) -> bool:
        """Whether a signal of that name lies here."""
        return name in self._by_name

    def take(self, name: str) -> SignalReceived | None:
        """The oldest signal of that name, or None."""
        queue = self._by_name.get(name)
        if queue is None:
            return None
        _, signal = queue.popleft()
        if not queue:
            del self._by_name[name]
        return signal

    def take_all(self, name: str | None = None) -> list[SignalReceived]:
        """All signals of one name, or of every name in the order they came; oldest first."""
        if not self._by_name:
            return []
        if name is not None:
            queues = [self._by_name.pop(name, deque[tuple[int, SignalReceived]]())]
        else:
            queues = list(self._by_name.values())
            self._by_name = {}
        return [signal for _, signal in heapq.merge(*queues, key=_first)]


def _first(entry: tuple[int, SignalReceived]) -> int:
    return entry[0]
