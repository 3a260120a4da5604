"""A gate that many readers pass at once, and that somebody can shut after they have all left."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from threading import Condition, Lock

__all__ = ["Gate"]


class Gate:
    """Readers enter with ``with gate:``; ``with gate.shut():`` waits until nobody is inside and lets nobody in."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._inside = 0
        self._is_shut = False

    def __enter__(self) -> None:
        with self._lock:
            while self._is_shut:
                self._changed.wait()
            self._inside += 1

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._is_shut and not self._inside:
                self._changed.notify_all()

    @contextmanager
    def shut(self) -> Generator[None]:
        """Keep readers out for the length of the block."""
        with self._lock:
            while self._is_shut:
                self._changed.wait()
            self._is_shut = True
            while self._inside:
                self._changed.wait()
        try:
            yield
        finally:
            with self._lock:
                self._is_shut = False
                self._changed.notify_all()
