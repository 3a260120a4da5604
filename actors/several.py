"""Waiting for several futures: what comes of it is a future again, for threads and for asyncio alike."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Literal, TypeVar, overload

from .future import Driver, Future

__all__ = ["wait_all", "wait_first"]

T = TypeVar("T")


def wait_first(futures: Iterable[Future[T]]) -> Future[Future[T]]:
    """Give the first of several futures that has an outcome, a result or a failure; the others go on.

    ``wait_first(futures).get(timeout=5)`` on a thread, ``await wait_first(futures)`` in asyncio.

    Args:
        futures: those to wait for. If several are done already, the first of them counts.

    Returns:
        A future of that future: ``get()`` or ``await`` it for what came of it.

    Raises:
        TypeError: something else than a future of this library was given.
        ValueError: nothing was given.
    """
    sources = _given("wait_first", futures)
    if not sources:
        raise ValueError("wait_first was given nothing to wait for, and would wait for ever")
    first: _Several[Future[T]] = _Several()

    def hear(source: Future[T]) -> None:
        with suppress(queue.Full):
            first.set(source)

    first.listen(sources, hear)
    return first


@overload
def wait_all(futures: Iterable[Future[T]], *, return_exceptions: Literal[False] = False) -> Future[list[T]]: ...
@overload
def wait_all(futures: Iterable[Future[T]], *, return_exceptions: bool) -> Future[list[T | BaseException]]: ...
def wait_all(futures: Iterable[Future[Any]], *, return_exceptions: bool = False) -> Future[Any]:
    """Give the results of several futures, once all are there; if one fails, its failure, at once. The others go on.

    Args:
        futures: those to wait for; none are done at once.
        return_exceptions: whether failures are waited for too, and stand among the results.

    Returns:
        A future of the list of what came of each, in the order given.

    Raises:
        TypeError: something else than a future of this library was given.
    """
    sources = _given("wait_all", futures)
    whole: _Several[list[Any]] = _Several()
    # One is taken by each that is done: taking is atomic, counting would need a lock.
    left = list(sources)

    def hear(source: Future[Any]) -> None:
        left.pop()
        error = None if return_exceptions else source.exception()
        # Two may come at once, and each see that nothing is left.
        with suppress(queue.Full):
            if error is not None:
                whole.fail(error)
            elif not left:
                settle()

    def settle() -> None:
        try:
            outcomes = _outcomes(sources, are_failures_kept=return_exceptions)
        except BaseException as error:
            whole.fail(error)
        else:
            whole.set(outcomes)

    whole.listen(sources, hear)
    if not sources:
        settle()
    return whole


def _given(asked: str, futures: Iterable[Future[Any]]) -> list[Future[Any]]:
    sources = list(futures)
    for each in sources:
        if not isinstance(each, Future):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
            raise TypeError(f"{asked} waits for futures, such as handle.result() gives, and this is {each!r}")
    return sources


class _Several(Future[T]):
    """What comes of others; once that is known it leaves nothing behind in those that go on."""

    __slots__ = ()

    def listen(self, sources: list[Future[Any]], hear: Callable[[Future[Any]], None]) -> None:
        """Have ``hear(source)`` called by each that is done, until this one is."""
        self._driver = self._found_driver(sources)

        def leave(_: Future[Any]) -> None:
            for source in sources:
                source._forget(hear)

        for source in sources:
            source.add_done_callback(hear)
        self.add_done_callback(leave)

    def _found_driver(self, sources: Iterable[Future[Any]]) -> Driver | None:
        for source in sources:
            hook = source._hook
            found = source._driver or (None if hook is None else self._found_driver(hook.sources or ()))
            if found is not None:
                return found
        return None


def _outcomes(sources: list[Future[Any]], *, are_failures_kept: bool) -> list[Any]:
    """What has come of each.

    Raises:
        BaseException: the first failure, unless failures are kept.
    """
    outcomes: list[Any] = []
    for source in sources:
        error = source.exception()
        if error is None:
            try:
                # What is derived from others is computed only now.
                outcomes.append(source.get(timeout=0))
                continue
            except Exception as failure:
                error = failure
        if not are_failures_kept:
            raise error
        outcomes.append(error)
    return outcomes
