"""Chance that a replay repeats: the run's random generators, and uuids from them."""

from __future__ import annotations

import uuid as _uuid
from collections.abc import Callable
from random import Random

from .core.context import current

__all__ = ["new_random", "random", "random_seed", "register_random_seed_callback", "uuid4", "uuid7"]


def random() -> Random:
    """The run's own random generator, the same in each replay."""
    return current().random()


def new_random() -> Random:
    """A further random generator, whose numbers do not depend on what is drawn from others: those of the nth one that a
    run makes are the same in each replay. Keep it: each call makes another one."""
    return current().new_random()


def random_seed() -> int:
    """What the run's generators follow from, a number of 64 bits: for generators that you seed yourself.

    Such a generator is to be seeded anew when the run's seed changes: ``register_random_seed_callback`` tells when.
    """
    return current().random_seed()


def register_random_seed_callback(callback: Callable[[int], None]) -> None:
    """Have a function called with the new seed whenever that of the run changes. ``random()`` and generators of
    ``new_random()`` have theirs by then.

    Args:
        callback: called with the seed; it cannot wait.

    Raises:
        TypeError: it is no function, or an async one.
        ReadOnlyContextError: the caller may only read, such as a query.
    """
    current().register_random_seed_callback(callback)


def uuid4() -> _uuid.UUID:
    """A random UUID from the run's own generator."""
    return _uuid.UUID(int=current().random().getrandbits(128), version=4)


def uuid7() -> _uuid.UUID:
    """A UUID that sorts by the run's time.

    **Source:** RFC 9562, section 5.7.
    """
    context = current()
    milliseconds = context.now_ns() // 1_000_000 & (1 << 48) - 1
    bits = context.random().getrandbits(74)
    high, low = bits >> 62, bits & (1 << 62) - 1
    return _uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
