"""Waiting in workflow code for several things: lists go in and come out in their order, and no set decides anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from typing import Any, Literal, TypeVar, overload

from .core.awaitables import as_futures, check_awaitable, close_unstarted
from .core.channels import wait_ns
from .core.context import current
from .model.articles import with_article
from .workflow_timeouts import Duration

__all__ = ["as_completed", "gather", "race", "rejected", "resolved", "wait"]

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
F = TypeVar("F", bound=asyncio.Future[Any])

_Future = asyncio.Future[Any]


async def wait(
    awaitables: Iterable[F], *, timeout: Duration | None = None, return_when: str = asyncio.ALL_COMPLETED
) -> tuple[list[F], list[F]]:
    """Wait for tasks and futures; none is cancelled, and no failure is raised.

    Args:
        awaitables: tasks, or futures such as handles of activities, in an order that a replay can repeat. A coroutine
            is refused: one could not tell which of the futures that come back it was.
        timeout: seconds or timedelta, as a durable timer; None waits for ever, zero or less does not wait.
        return_when: ``asyncio.ALL_COMPLETED``, ``FIRST_COMPLETED`` or ``FIRST_EXCEPTION``.

    Returns:
        Those that are done and those that are not, each in the order given.

    Raises:
        TypeError: a set was given, or something that is no future of this workflow.
        ValueError: nothing was given, or ``return_when`` is something else.
    """
    if return_when not in _IS_LAST:
        raise ValueError(f"return_when is {return_when!r}; choose one of {', '.join(map(repr, _IS_LAST))}")
    timeout_ns = wait_ns(timeout)
    futures = _unique(_only_futures(_in_order("wait", awaitables)))
    if not futures:
        raise ValueError("wait was given nothing to wait for")
    await _settle(futures, _IS_LAST[return_when], timeout_ns)
    return [each for each in futures if each.done()], [each for each in futures if not each.done()]


def as_completed(awaitables: Iterable[Awaitable[T]], *, timeout: Duration | None = None) -> Iterator[Awaitable[T]]:
    """Begin several things and give an awaitable for each, the first of which has the result that is there first.

    Args:
        awaitables: in an order that a replay can repeat; coroutines become tasks in that order.
        timeout: seconds or timedelta for all of them, as a durable timer; None waits for ever, zero or less does not
            wait.

    Returns:
        As many awaitables as there are things to wait for. Each raises what failed, or ``TimeoutError`` if the time
        has passed; what is late then goes on.

    Raises:
        TypeError: a set was given, or something that cannot be awaited in this workflow.
    """
    timeout_ns = wait_ns(timeout)
    given = _in_order("as_completed", awaitables)
    futures = _unique(as_futures("as_completed", given, current().raise_bug))
    arrivals = _Arrivals(futures, timeout_ns, f"{{}} of {len(futures)} were not there within {timeout}")
    return iter([_Arrival(arrivals) for _ in futures])


@overload
def gather(  # pyright: ignore[reportOverlappingOverload]  # as asyncio's: lists of any length stand behind it
    a: Awaitable[T1], b: Awaitable[T2], /, *, return_exceptions: Literal[False] = False
) -> asyncio.Future[tuple[T1, T2]]: ...
@overload
def gather(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /, *, return_exceptions: Literal[False] = False
) -> asyncio.Future[tuple[T1, T2, T3]]: ...
@overload
def gather(
    a: Awaitable[T1],
    b: Awaitable[T2],
    c: Awaitable[T3],
    d: Awaitable[T4],
    /,
    *,
    return_exceptions: Literal[False] = False,
) -> asyncio.Future[tuple[T1, T2, T3, T4]]: ...
@overload
def gather(
    a: Awaitable[T1],
    b: Awaitable[T2],
    c: Awaitable[T3],
    d: Awaitable[T4],
    e: Awaitable[T5],
    /,
    *,
    return_exceptions: Literal[False] = False,
) -> asyncio.Future[tuple[T1, T2, T3, T4, T5]]: ...
@overload
def gather(*awaitables: Awaitable[T], return_exceptions: Literal[False] = False) -> asyncio.Future[list[T]]: ...
@overload
def gather(  # pyright: ignore[reportOverlappingOverload]  # as asyncio's: lists of any length stand behind it
    a: Awaitable[T1], b: Awaitable[T2], /, *, return_exceptions: Literal[True]
) -> asyncio.Future[tuple[T1 | BaseException, T2 | BaseException]]: ...
@overload
def gather(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /, *, return_exceptions: Literal[True]
) -> asyncio.Future[tuple[T1 | BaseException, T2 | BaseException, T3 | BaseException]]: ...
@overload
def gather(*awaitables: Awaitable[T], return_exceptions: Literal[True]) -> asyncio.Future[list[T | BaseException]]: ...
@overload
def gather(*awaitables: Awaitable[Any], return_exceptions: bool) -> asyncio.Future[Any]: ...
def gather(*awaitables: Awaitable[Any], return_exceptions: bool = False) -> asyncio.Future[Any]:
    """Begin several things at once, in their order, and wait for all of them.

    The first failure is raised at once (the first of the list, if there are several by then), and the others go on, as
    with asyncio; a ``TaskGroup`` cancels them instead. If the wait is cancelled, all are, and their cleaning up is
    waited for.

    Args:
        *awaitables: begun when this is called, whether it is awaited or not.
        return_exceptions: wait for all in any case, and give failures as results.

    Returns:
        A future of the results, a list in the order given (to type checkers a tuple, so that it can be unpacked).

    Raises:
        TypeError: one of them cannot be awaited in this workflow; nothing is begun then.
    """
    futures = as_futures("gather", awaitables, current().raise_bug)
    return asyncio.get_running_loop().create_task(_gather(futures, return_exceptions), name="gather")


@overload
def race(a: Awaitable[T1], b: Awaitable[T2], /) -> asyncio.Future[T1 | T2]: ...
@overload
def race(a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /) -> asyncio.Future[T1 | T2 | T3]: ...
@overload
def race(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], d: Awaitable[T4], /
) -> asyncio.Future[T1 | T2 | T3 | T4]: ...
@overload
def race(*awaitables: Awaitable[T]) -> asyncio.Future[T]: ...
def race(*awaitables: Awaitable[Any]) -> asyncio.Future[Any]:
    """Begin several things at once, in their order, and wait for the first that is done: its result, or its failure.

    If several are done by then, the first of the list has won. The others are cancelled; their cleaning up is not
    waited for. What is to go on stands in ``asyncio.shield``. If the wait is cancelled, all are.

    Args:
        *awaitables: begun when this is called, whether it is awaited or not.

    Returns:
        A future of what the winner gives.

    Raises:
        TypeError: one of them cannot be awaited in this workflow; nothing is begun then.
        ValueError: there are none, and nobody would ever win.
    """
    if not awaitables:
        raise ValueError("race was given nothing to wait for")
    futures = as_futures("race", awaitables, current().raise_bug)
    return asyncio.get_running_loop().create_task(_race(futures), name="race")


def resolved(value: T) -> asyncio.Future[T]:
    """A future that is done: awaiting it gives ``value`` at once."""
    current()
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future


def rejected(error: BaseException) -> asyncio.Future[Any]:
    """A future that has failed: awaiting it raises ``error`` at once. Nothing is said if nobody does.

    Raises:
        TypeError: it is no exception, or ``StopIteration``, which cannot be raised by an ``await``.
    """
    current()
    if not isinstance(error, BaseException):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
        raise TypeError(
            f"rejected needs an exception, such as ValueError('…'), not {with_article(type(error).__name__)}"
        )
    if isinstance(error, StopIteration):
        raise TypeError("rejected was given StopIteration, which would end a coroutine instead of failing it")
    future: _Future = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    _look_at(future)
    return future


async def _gather(futures: list[_Future], return_exceptions: bool) -> list[Any]:
    await _settle_or_cancel(futures, _is_nothing if return_exceptions else _has_failed)
    if return_exceptions:
        return [_outcome(each) for each in futures]
    try:
        # The first of the list that has failed, before one that is not done.
        for each in futures:
            if each.done():
                each.result()
        return [each.result() for each in futures]
    except BaseException:
        # Of what fails later nobody would ask, and asyncio would complain.
        for each in futures:
            each.add_done_callback(_look_at)
        raise


async def _race(futures: list[_Future]) -> Any:
    await _settle_or_cancel(futures, _is_anything)
    winner = next(each for each in futures if each.done())
    for each in futures:
        each.cancel()
    return winner.result()


async def _settle_or_cancel(futures: list[_Future], is_last: Callable[[_Future], bool]) -> None:
    try:
        await _settle(futures, is_last)
    except asyncio.CancelledError:
        for each in futures:
            each.cancel()
        await _settle(futures, _is_nothing)
        for each in futures:
            _look_at(each)
        raise


async def _settle(futures: list[_Future], is_last: Callable[[_Future], bool], timeout_ns: int | None = None) -> None:
    """Wait until all are done, or one of which ``is_last`` is true, or so long."""
    pending = _unique([each for each in futures if not each.done()])
    if not pending or timeout_ns == 0 or any(each.done() and is_last(each) for each in futures):
        return
    context = current()
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = len(pending)

    def heard(future: _Future) -> None:
        nonlocal left
        left -= 1
        if not left or is_last(future):
            _wake(waiter)

    for each in pending:
        each.add_done_callback(heard)
    timer = None if timeout_ns is None else context.start_timer(context.now_ns() + timeout_ns, _wake, waiter)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
        for each in pending:
            each.remove_done_callback(heard)


class _Arrivals:
    """Futures in the order in which they are done, for those who wait for the next one."""

    def __init__(self, futures: list[_Future], timeout_ns: int | None, told: str) -> None:
        self._queue: asyncio.Queue[_Future | None] = asyncio.Queue()
        self._told = told
        self._left = sum([not each.done() for each in futures])
        self._timer: asyncio.TimerHandle | None = None
        for each in futures:
            if each.done():
                self._queue.put_nowait(each)
            elif timeout_ns != 0:
                each.add_done_callback(self._put)
        if timeout_ns == 0:
            self._end()
        elif timeout_ns is not None and self._left:
            context = current()
            self._timer = context.start_timer(context.now_ns() + timeout_ns, self._end)

    async def next(self) -> Any:
        future = await self._queue.get()
        if future is None:
            raise TimeoutError(self._told)
        return future.result()

    def _put(self, future: _Future) -> None:
        if self._left:
            self._left -= 1
            self._queue.put_nowait(future)
            if not self._left and self._timer is not None:
                self._timer.cancel()

    def _end(self) -> None:
        self._told = self._told.format(self._left)
        for _ in range(self._left):
            self._queue.put_nowait(None)
        self._left = 0


class _Arrival:
    """The next of them, whichever that is; unlike a coroutine nobody has to await it."""

    __slots__ = ("_arrivals",)

    def __init__(self, arrivals: _Arrivals) -> None:
        self._arrivals = arrivals

    def __await__(self) -> Generator[Any, None, Any]:
        return self._arrivals.next().__await__()


def _in_order(call: str, awaitables: Iterable[Any]) -> list[Any]:
    """What was given as a list.

    Raises:
        TypeError: it has no order, or is no collection.
    """
    if isinstance(awaitables, (set, frozenset)):
        for each in awaitables:
            close_unstarted(each)
        raise TypeError(
            f"{call} was given {with_article(type(awaitables).__name__)}, whose order differs from one process to "
            "the next; give a list"
        )
    if isinstance(awaitables, Awaitable) or not isinstance(awaitables, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
        close_unstarted(awaitables)
        raise TypeError(f"{call} needs a list of what to wait for, not a single {type(awaitables).__name__}")
    return list(awaitables)


def _only_futures(given: list[Any]) -> list[Any]:
    refuse = current().raise_bug
    try:
        for place, each in enumerate(given, 1):
            check_awaitable("wait", each, refuse, place)
            if not asyncio.isfuture(each):
                raise TypeError(
                    f"wait cannot wait for argument {place}, {with_article(type(each).__name__)}: give it the task "
                    "that asyncio.create_task(…) makes of it, so that it can be told from the others"
                )
    except BaseException:
        for each in given:
            close_unstarted(each)
        raise
    return given


def _unique(futures: list[Any]) -> list[Any]:
    return list(dict.fromkeys(futures))


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _look_at(future: _Future) -> None:
    """See what a future failed with: asyncio complains of failures that nobody has seen."""
    if not future.cancelled():
        future.exception()


def _outcome(future: _Future) -> Any:
    if future.cancelled():
        return asyncio.CancelledError()
    error = future.exception()
    return future.result() if error is None else error


def _is_nothing(future: _Future) -> bool:
    return False


def _is_anything(future: _Future) -> bool:
    return True


def _has_failed(future: _Future) -> bool:
    return future.cancelled() or future.exception() is not None


def _has_raised(future: _Future) -> bool:
    return not future.cancelled() and future.exception() is not None


_IS_LAST: dict[str, Callable[[_Future], bool]] = {
    asyncio.ALL_COMPLETED: _is_nothing,
    asyncio.FIRST_COMPLETED: _is_anything,
    asyncio.FIRST_EXCEPTION: _has_raised,
}
