"""``workflow.unsafe``: what opens the guard, and what only a logger or a metric should ask.

Nothing here is recorded, and a decision that rests on it is one that a replay may not repeat.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from .core.context import UNRESTRICTED, current

__all__ = [
    "imports_passed_through",
    "is_read_only",
    "is_replaying",
    "is_replaying_history_events",
    "sandbox_unrestricted",
]


def is_replaying() -> bool:
    """Whether the code is being replayed: what it does now it has done before. A query, and a validator, of a run that
    has come back are not."""
    return current().is_replaying()


def is_replaying_history_events() -> bool:
    """The same, under the name that Temporal has for it."""
    return current().is_replaying()


def is_read_only() -> bool:
    """Whether the caller may only read: it is a query, a wait condition or a side effect."""
    return current().is_read_only()


@contextmanager
def sandbox_unrestricted() -> Generator[None]:
    """Around code that the guard is to leave alone: neither the static check nor the strict net looks at it.

    It holds for this task alone, also across an ``await``. Whatever is read there differs in a replay, so it must not
    decide what the workflow asks for.
    """
    token = UNRESTRICTED.set(True)
    try:
        yield
    finally:
        UNRESTRICTED.reset(token)


@contextmanager
def imports_passed_through() -> Generator[None]:
    """Around imports, as Temporal's sandbox wants it; here modules are never imported twice, and it changes nothing."""
    yield
