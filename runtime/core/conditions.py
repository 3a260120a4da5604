"""Waits for a predicate: checked in the order they were asked for, whenever the ready queue has drained."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Conditions"]


class Conditions:
    """The open ``wait_condition`` calls of one run."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], object], asyncio.Future[None]]] = []

    def add(self, predicate: Callable[[], object], future: asyncio.Future[None]) -> None:
        """Resolve ``future`` once ``predicate`` is true; an exception of the predicate goes to its own waiter."""
        self._waiting.append((predicate, future))

    def check(self) -> bool:
        """Ask every predicate once.

        Returns:
            Whether any waiter was woken.
        """
        if not self._waiting:
            return False
        left: list[tuple[Callable[[], object], asyncio.Future[None]]] = []
        woken = False
        for entry in self._waiting:
            predicate, future = entry
            if future.done():
                continue
            try:
                met = predicate()
            except BaseException as error:
                future.set_exception(error)
                woken = True
                continue
            if met:
                future.set_result(None)
                woken = True
            else:
                left.append(entry)
        self._waiting = left
        return woken
