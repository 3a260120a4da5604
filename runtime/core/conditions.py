"""Waits for a predicate: checked in the order they were asked for, whenever the ready queue has drained."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from inspect import CORO_CREATED, getcoroutinestate, isawaitable, iscoroutine

from ..model.articles import with_article
from .loop import WorkflowLoop

__all__ = ["Conditions", "check_predicate"]

_WANTED = "the condition must be a function without arguments that returns true or false"


def check_predicate(predicate: object) -> None:
    """Refuse what cannot be asked.

    Raises:
        TypeError: it is no function.
    """
    if callable(predicate):
        return
    if isawaitable(predicate):
        raise _no_answer("is", predicate)
    raise TypeError(f"{_WANTED}; it is {with_article(type(predicate).__name__)}: write wait_condition(lambda: …)")


def _no_answer(verb: str, found: object) -> TypeError:
    """What is to be awaited is always true, so it answers nothing."""
    if iscoroutine(found):
        if getcoroutinestate(found) == CORO_CREATED:
            # Otherwise Python warns, wherever the collector happens to run, that it was never awaited.
            found.close()
        cure = "write it without async" if verb == "returned" else "pass the function itself, written without async"
        return TypeError(f"{_WANTED}; it {verb} a coroutine: {cure}")
    return TypeError(
        f"{_WANTED}; it {verb} {with_article(type(found).__name__)}: await that instead, or ask whether it is done()"
    )


class Conditions:
    """The open ``wait_condition`` calls of one run.

    Args:
        loop: the loop of the run; while a predicate runs, it only lets read.

    Attributes:
        waiting: the predicates that were not true when they were last asked, each with who waits for it.
    """

    __slots__ = ("_loop", "waiting")

    def __init__(self, loop: WorkflowLoop) -> None:
        self._loop = loop
        self.waiting: list[tuple[Callable[[], object], asyncio.Future[None], contextvars.Context]] = []

    def add(self, predicate: Callable[[], object], future: asyncio.Future[None]) -> None:
        """Resolve ``future`` once ``predicate`` is true; an exception of the predicate goes to its own waiter."""
        self.waiting.append((predicate, future, contextvars.copy_context()))

    def is_met(self, predicate: Callable[[], object]) -> bool:
        """Ask a predicate, which may only read.

        Raises:
            TypeError: it answers with something to be awaited, which would always count as true.
        """
        before = self._loop.read_only
        self._loop.read_only = "a wait condition"
        try:
            answer = predicate()
            if type(answer) is bool:
                return answer
            if isawaitable(answer):
                raise _no_answer("returned", answer)
            return bool(answer)
        finally:
            self._loop.read_only = before

    def check(self) -> bool:
        """Ask every predicate once.

        Returns:
            Whether any waiter was woken.
        """
        left: list[tuple[Callable[[], object], asyncio.Future[None], contextvars.Context]] = []
        woken = False
        for entry in self.waiting:
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
        self.waiting = left
        return woken
