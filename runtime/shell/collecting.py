"""How often Python looks for cyclic garbage while runtimes are open: one setting of the process, shared by all of them.

What a sweep makes lives until its commit is on disk. With Python's own threshold the collector looks at it several
times on the way, finds nothing, and keeps what will be gone a moment later among the objects that last.
"""

from __future__ import annotations

import gc
import os
import threading
from typing import ClassVar

__all__ = ["CollectorThreshold"]


class CollectorThreshold:
    """The first number of ``gc.get_threshold()``: the largest that an open runtime asks for, and what it was once none
    is open. A collector that is turned off stays so, and what somebody else sets meanwhile is left alone."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _asked: ClassVar[list[int]] = []
    _before: ClassVar[int] = 0
    _set: ClassVar[int] = 0

    @classmethod
    def hold(cls, objects: int) -> None:
        """A runtime opens that asks for a look after ``objects`` new ones; it never makes the threshold smaller."""
        with cls._lock:
            if not cls._asked:
                cls._before = cls._set = gc.get_threshold()[0]
            cls._asked.append(objects)
            cls._apply()

    @classmethod
    def release(cls, objects: int) -> None:
        """A runtime that asked for ``objects`` has closed."""
        with cls._lock:
            cls._asked.remove(objects)
            cls._apply()

    @classmethod
    def forget(cls) -> None:
        """In a forked child nothing holds the threshold: the runtimes are the parent's, and the lock may be held."""
        cls._lock = threading.Lock()
        cls._asked = []
        cls._apply()

    @classmethod
    def _apply(cls) -> None:
        now, *others = gc.get_threshold()
        if now == cls._set != 0:
            cls._set = max([cls._before, *cls._asked])
            gc.set_threshold(cls._set, *others)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CollectorThreshold.forget)
