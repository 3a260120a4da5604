"""Locks that many objects share, held for a few instructions each.

They are re-entrant: a finalizer that runs just then on the same thread may need the same lock. A child that is forked
while another thread holds some of them gets them free: no thread of its own would ever release them there.
"""

from __future__ import annotations

import os
import threading
from typing import Any

__all__ = ["free_in_children", "shared_locks"]

_ALL: list[Any] = []


def shared_locks(count: int) -> tuple[threading.RLock, ...]:
    """Locks for all objects of a kind; called once a kind, when its module is loaded."""
    locks = tuple(threading.RLock() for _ in range(count))
    for lock in locks:
        free_in_children(lock)
    return locks


def free_in_children(lock: threading.RLock) -> None:
    """Have a lock that lives as long as the process be free in every child that is forked from now on."""
    _ALL.append(lock)


def _free_all() -> None:
    for lock in _ALL:
        # In place, since objects have it; the standard library does so with its own locks.
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_all)
