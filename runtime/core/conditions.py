"""Waits for a predicate: checked in the order they were asked for, whenever the ready queue has drained."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable

from .loop import WorkflowLoop

__all__ = ["Conditions"]


class Conditions:
    """The open ``wait_condition`` calls of one run.

    Args:
        loop: the loop of the run; while a predicate runs, it only lets read.
    """

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: WorkflowLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[Callable[[], object], asyncio.Future[None], contextvars.Context]] = []

    def add(self, predicate: Callable[[], object], future: asyncio.Future[None]) -> None:
        """Resolve ``future`` once ``predicate`` is true; an exception of the predicate goes to its own waiter."""
        self._waiting.append((predicate, future, contextvars.copy_context()))

    def is_met(self, predicate: Callable[[], object]) -> bool:
        """Ask a predicate, which may only read."""
        before = self._loop.read_only
        self._loop.read_only = "a wait condition"
        try:
            return bool(predicate())
        finally:
            self._loop.read_only = before

    def check(self) -> bool:
        """Ask every predicate once.

        Returns:
            Whether any waiter was woken.
        """
        if not self._waiting:
            return False
        left: list[tuple[Callable[[], object], asyncio.Future[None], contextvars.Context]] = []
        woken = False
        for entry in self._waiting:
            predicate, future, context = entry
            if future.done():
                continue
            try:
                met = context.run(self.is_met, predicate)
            except StopIteration as error:
                # A future refuses this one: it would end the coroutine that awaits it, silently.
                future.set_exception(RuntimeError(f"the wait condition raised {error!r}"))
                woken = True
            except BaseException as error:
                future.set_exception(error)
                woken = True
            else:
                if met:
                    future.set_result(None)
                    woken = True
                else:
                    left.append(entry)
        self._waiting = left
        return woken
