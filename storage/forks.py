"""What must not be used in a forked child is told so there, before anything else runs in it."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["forget", "watch"]


class _Owned(Protocol):
    def poison(self) -> None: ...


_WATCHED: WeakSet[_Owned] = WeakSet()


def watch(owned: _Owned) -> None:
    """Have an object's ``poison`` called in every child forked from now on."""
    _WATCHED.add(owned)


def forget(owned: _Owned) -> None:
    """Stop watching an object."""
    _WATCHED.discard(owned)


def _poison_all() -> None:
    for owned in list(_WATCHED):
        owned.poison()


os.register_at_fork(after_in_child=_poison_all)
