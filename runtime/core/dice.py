"""The random generators of one run: what they give follows from its seed alone, and each has a stream of its own."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from inspect import isawaitable, iscoroutine
from weakref import WeakValueDictionary

__all__ = ["Dice", "seed_of"]


class Dice:
    """All of them, and who wants to know of a new seed.

    Args:
        run_id: what the first seed follows from.

    Attributes:
        main: the generator that ``workflow.random()`` gives.
        seed: what all of them follow from now; 64 bits.
    """

    __slots__ = ("_callbacks", "_made", "_others", "main", "seed")

    def __init__(self, run_id: str) -> None:
        self.seed = seed_of(run_id)
        self.main = random.Random(_digest(run_id))
        self._made = 0
        # Number of a generator → it, as long as anybody holds it.
        self._others: WeakValueDictionary[int, random.Random] = WeakValueDictionary()
        self._callbacks: list[Callable[[int], object]] = []

    def new(self) -> random.Random:
        """A further generator: the nth one has the same stream in every replay, whatever is drawn from the others."""
        self._made += 1
        made = self._others[self._made] = random.Random(_stream(self.seed, self._made))
        return made

    def on_reseed(self, callback: Callable[[int], object]) -> None:
        """Have ``callback`` called with each seed to come, after those that were here before."""
        self._callbacks.append(callback)

    def reseed(self, seed: int) -> None:
        """Give every generator that is held the stream that it has under another seed, and tell who wants to know.

        Args:
            seed: 64 bits.

        Raises:
            TypeError: a callback gives something to be awaited.
            Exception: whatever a callback raises; those after it are not called.
        """
        self.seed = seed
        self.main.seed(_stream(seed, 0))
        for number, other in list(self._others.items()):
            other.seed(_stream(seed, number))
        # One that comes while they are told hears of the seeds after this one.
        for callback in list(self._callbacks):
            answer = callback(seed)
            if isawaitable(answer):
                if iscoroutine(answer):
                    answer.close()
                raise TypeError(f"{callback!r} is told of a new seed and cannot wait: write it without async")


def _stream(seed: int, number: int) -> bytes:
    return hashlib.sha256(f"{seed}/{number}".encode()).digest()


def seed_of(run_id: str) -> int:
    """What the generators of a run follow from: 64 bits."""
    return int.from_bytes(_digest(run_id)[:8], "big")


def _digest(run_id: str) -> bytes:
    return hashlib.sha256(run_id.encode()).digest()
