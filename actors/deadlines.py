"""What is to be called at which time: a heap that forgets lazily.

A cancelled deadline stays in the heap until it comes to the top or until more than half of the heap is forgotten.
One thread uses a heap at a time; it has no lock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from math import inf

__all__ = ["Deadline", "Deadlines"]


class Deadline:
    """One call to be made at a time, unless it is cancelled before; ``Deadlines.add`` makes it.

    Attributes:
        at_ns: when, in nanoseconds since the epoch, UTC; of ``Dispatcher.call_after`` in nanoseconds of elapsed time.
    """

    __slots__ = ("_callback", "_owner", "at_ns")

    def __init__(self, owner: Deadlines, at_ns: int, callback: Callable[[], object]) -> None:
        self.at_ns = at_ns
        self._owner: Deadlines | None = owner
        self._callback: Callable[[], object] | None = callback

    def __repr__(self) -> str:
        return f"<Deadline at_ns={self.at_ns}{'' if self.is_pending else ' over'}>"

    @property
    def is_pending(self) -> bool:
        """Whether the call is still to be made."""
        return self._callback is not None

    def cancel(self) -> None:
        """Make sure that the call is never made; a deadline that is over is left alone."""
        if self._callback is None:
            return
        self._callback = None
        if (owner := self._owner) is not None:
            self._owner = None
            owner.forget_one()

    def leave(self) -> None:
        """Note that the deadline is no longer in its heap."""
        self._owner = None

    def run(self) -> None:
        """Make the call, once; does nothing if the deadline was cancelled meanwhile."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Deadlines:
    """Deadlines in the order of their time, and of their addition where times are equal.

    Attributes:
        earliest_ns: before this nothing is due. What was cancelled may keep it earlier than the first one that is left.
    """

    # An attribute, since it is looked at in every sweep.
    __slots__ = ("_forgotten", "_heap", "_order", "earliest_ns")

    def __init__(self) -> None:
        self.earliest_ns: float = inf
        self._heap: list[tuple[int, int, Deadline]] = []
        self._order = count()
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._heap) - self._forgotten

    def add(self, at_ns: int, callback: Callable[[], object]) -> Deadline:
        """Have ``callback`` due at a time.

        Args:
            at_ns: nanoseconds since the epoch, UTC.
            callback: what :meth:`pop_due` hands out at that time.
        """
        deadline = Deadline(self, at_ns, callback)
        self.earliest_ns = min(self.earliest_ns, at_ns)
        heapq.heappush(self._heap, (at_ns, next(self._order), deadline))
        return deadline

    def next_ns(self) -> int | None:
        """Return when the next deadline is due (nanoseconds since the epoch), or None if there is none."""
        heap = self._heap
        while heap:
            at_ns, _, deadline = heap[0]
            if deadline.is_pending:
                return at_ns
            heapq.heappop(heap)
            self._forgotten -= 1
        return None

    def pop_due(self, now_ns: int) -> list[Callable[[], None]]:
        """Take out what is due.

        Args:
            now_ns: the wall time, nanoseconds since the epoch.

        Returns:
            The calls to make, in the order they are due; one that is cancelled before its turn does nothing.
        """
        due: list[Callable[[], None]] = []
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            deadline = heapq.heappop(heap)[2]
            if deadline.is_pending:
                deadline.leave()
                due.append(deadline.run)
            else:
                self._forgotten -= 1
        self.earliest_ns = heap[0][0] if heap else inf
        return due

    def forget_one(self) -> None:
        """Count one more cancelled deadline in the heap, and throw them all out once they are the majority."""
        self._forgotten += 1
        if self._forgotten * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapq.heapify(self._heap)
            self._forgotten = 0
