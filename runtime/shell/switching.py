"""How often Python's threads take turns while runtimes are open: one setting of the process, shared by all of them.

Every call into the engine lets go of the interpreter's lock, and a thread that computes gives it back only after the
switch interval. A commit is as many calls as it has rows, so while one is written the interval is a fraction of what it
is otherwise.
"""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import ClassVar

__all__ = ["COMMITTING_SECONDS", "Committing", "SwitchInterval"]

COMMITTING_SECONDS = 0.00005


class SwitchInterval:
    """What the interval is: the shortest that an open runtime asks for, and what it was once none is open."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _asked: ClassVar[list[float]] = []
    _commits: ClassVar[int] = 0
    _before: ClassVar[float] = 0.0

    @classmethod
    def hold(cls, seconds: float) -> None:
        """A runtime opens that asks for ``seconds``; it never makes the interval longer than it is."""
        with cls._lock:
            if not cls._asked:
                cls._before = sys.getswitchinterval()
            sys.setswitchinterval(min(seconds, sys.getswitchinterval()))
            cls._asked.append(seconds)

    @classmethod
    def release(cls, seconds: float) -> None:
        """A runtime that asked for ``seconds`` has closed."""
        with cls._lock:
            cls._asked.remove(seconds)
            cls._set()

    @classmethod
    def count_commits(cls, change: int) -> None:
        """One commit more, or one less, is being written."""
        with cls._lock:
            cls._commits += change
            cls._set()

    @classmethod
    def forget(cls) -> None:
        """In a forked child nothing holds the interval: the runtimes are the parent's, and the lock may be held."""
        cls._lock = threading.Lock()
        if cls._asked:
            sys.setswitchinterval(cls._before)
        cls._asked = []
        cls._commits = 0

    @classmethod
    def _set(cls) -> None:
        seconds = min([cls._before, *cls._asked])
        sys.setswitchinterval(min(seconds, COMMITTING_SECONDS) if cls._commits else seconds)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SwitchInterval.forget)


class Committing:
    """The time in which a runtime that holds the interval writes a commit."""

    __slots__ = ()

    def __enter__(self) -> None:
        SwitchInterval.count_commits(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        SwitchInterval.count_commits(-1)
