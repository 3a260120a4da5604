"""Where a thread waits for work that other threads hand in, without polling and without a lost wake-up.

The waiter says that it waits, *then* looks for work once more, then waits. Whoever hands in work does so first and
*then* looks whether somebody waits. So one of the two always sees the other; the busy path costs one attribute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Gate"]


class Gate:
    """One thread waits before it, any thread opens it."""

    __slots__ = ("_lock", "is_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.is_waiting = False

    def open(self) -> None:
        """Let the waiter go on; opened too often, it lets it through once more for nothing."""
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:
                # Somebody else opened it at the same moment; open is all that is needed.
                pass

    def open_if_waiting(self) -> None:
        """Let the waiter go on, if there is one."""
        if self.is_waiting:
            self.open()

    def wait(self, patience: Callable[[], float]) -> None:
        """Wait until the gate is opened.

        Args:
            patience: asked once the waiter is seen to wait: seconds to wait at most, 0 if there is work after all.
        """
        self.is_waiting = True
        try:
            seconds = patience()
            if seconds > 0:
                self._lock.acquire(timeout=seconds)
        finally:
            self.is_waiting = False
