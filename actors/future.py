"""A pykka future that threads can wait for and asyncio can await, without ever blocking a loop or a dispatcher.

A future has one outcome, set once. Nothing is allocated for waiting until somebody waits. The locks are shared by all
futures.
"""

from __future__ import annotations

import functools
import logging
import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import pykka

from .articles import with_article
from .dispatcher_threads import refuse_to_block
from .errors import BlockingCallError, WaitTimeoutError
from .shared_locks import shared_locks
from .wakeups import hold_wakeups, wake

if TYPE_CHECKING:
    from .pykka_seam import OptExcInfo

__all__ = ["Future", "hold_wakeups"]

T = TypeVar("T")
J = TypeVar("J")
M = TypeVar("M")
R = TypeVar("R")

_PENDING: Any = object()
_LOCKS = shared_locks(64)

logger = logging.getLogger("greenroom.actors")


Driver = Callable[["Future[Any]", float | None], None]


def _seconds(timeout: timedelta | float | None) -> float | None:
    """How long somebody waits, in seconds: what is passed on to drivers, hooks and other futures."""
    if isinstance(timeout, timedelta):
        return timeout.total_seconds()
    if timeout is None or isinstance(timeout, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
        return timeout
    raise TypeError(f"the timeout is {with_article(type(timeout).__name__)}; give a timedelta or a number of seconds")


class _Hook:
    """How to compute the outcome of a future that is derived from others (pykka's get hook)."""

    __slots__ = ("compute", "is_watched", "lock", "sources")

    def __init__(self, compute: Callable[[float | None], Any]) -> None:
        self.compute = compute
        self.lock = threading.RLock()
        # The futures it is computed from; None if nobody but the hook knows.
        self.sources: tuple[Future[Any], ...] | None = None
        self.is_watched = False


class Future(pykka.Future[T]):
    """A handle to a value which is there now or later: ``get()`` it on a thread, ``await`` it in asyncio."""

    __slots__ = ("_driver", "_error", "_hook", "_value", "_waiters")

    def __init__(self) -> None:
        self._value: T = _PENDING
        self._error: tuple[BaseException, Any] | None = None
        # By their ids: thousands may wait for one future, and each gives up by itself.
        self._waiters: dict[object, Callable[[Future[T]], object]] | None = None
        self._hook: _Hook | None = None
        self._driver: Driver | None = None

    def __repr__(self) -> str:
        if not self.done():
            return "<greenroom.Future pending>"
        return "<greenroom.Future done>" if self._error is None else f"<greenroom.Future failed: {self._error[0]!r}>"

    def get(self, *, timeout: timedelta | float | None = None) -> T:
        """Return the value, waiting for it if need be.

        Args:
            timeout: how long to wait at most (seconds or timedelta); None waits until there is an outcome.

        Raises:
            BlockingCallError: there is no outcome yet and this is a dispatcher thread.
            TypeError: there is no outcome yet and ``timeout`` is no length of time.
            WaitTimeoutError: there was no outcome within ``timeout``; it is a ``pykka.Timeout`` and a ``TimeoutError``.
            BaseException: what the future failed with.
        """
        value = self._value
        if value is _PENDING:
            seconds = _seconds(timeout)
            if self._hook is not None:
                return self._compute(self._hook, seconds)
            self._wait(seconds)
            if self._hook is not None:
                # It was given a get hook while this thread was waiting.
                return self._compute(self._hook, seconds)
            value = self._value
        if self._error is None:
            return value
        error, traceback = self._error
        try:
            # With its first traceback: a future may be read many times, and each reading would add a frame.
            raise error.with_traceback(traceback)
        finally:
            # The traceback refers to this frame: without this, each failed get() would leave a cycle.
            del error, traceback, self

    def set(self, value: T | None = None) -> None:
        """Set the value and wake who waits for it.

        Raises:
            queue.Full: the future has an outcome or a get hook already.
        """
        with _LOCKS[id(self) >> 6 & 63]:
            if self._value is not _PENDING or self._hook is not None:
                raise queue.Full
            self._value = value  # type: ignore[assignment]  # pykka: set() without a value sets None, whatever T is
            waiters = self._waiters
            self._waiters = None
        if waiters is not None:
            self._call(waiters.values())

    def set_exception(self, exc_info: OptExcInfo | None = None) -> None:
        """Set an exception that ``get()`` will raise, by default the one being handled now.

        Args:
            exc_info: (type, value or None, traceback) as from ``sys.exc_info()``.

        Raises:
            queue.Full: the future has an outcome or a get hook already.
            ValueError: no exception is given and none is being handled.
        """
        kind, error, traceback = sys.exc_info() if exc_info is None else exc_info
        if error is None:
            if kind is None:
                raise ValueError("no exception is being handled; use fail(error) or set_exception(exc_info)")
            error = kind()
        self._fail(error, traceback)

    def fail(self, error: BaseException) -> None:
        """Set an exception that ``get()`` will raise.

        Raises:
            queue.Full: the future has an outcome or a get hook already.
        """
        self._fail(error, error.__traceback__)

    def done(self) -> bool:
        """Whether ``get()`` would return or raise at once."""
        if self._value is not _PENDING:
            return True
        hook = self._hook
        return hook is not None and hook.sources is not None and all(source.done() for source in hook.sources)

    def exception(self) -> BaseException | None:
        """Return what the future failed with, or None if it has a value or no outcome yet."""
        return None if self._error is None else self._error[0]

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Have ``fn(future)`` called once there is an outcome: on the setting thread, or at once if it is there.

        What ``fn`` raises is logged.
        """
        with _LOCKS[id(self) >> 6 & 63]:
            is_pending = self._value is _PENDING
            if is_pending:
                if self._waiters is None:
                    self._waiters = {id(fn): fn}
                else:
                    # One that is added twice is called twice.
                    self._waiters[object() if id(fn) in self._waiters else id(fn)] = fn
        if not is_pending:
            self._call([fn])
        elif self._hook is not None:
            self._watch(self._hook)

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Have the value computed by ``func(timeout)`` when somebody asks for it.

        Raises:
            queue.Full: the future has an outcome already.
        """
        hook = _Hook(func)
        with _LOCKS[id(self) >> 6 & 63]:
            if self._value is not _PENDING:
                raise queue.Full
            self._hook = hook
            waiters = self._waiters
        if waiters is not None:
            self._watch(hook)

    def drive_with(self, driver: Driver) -> None:
        """Have whoever waits for the outcome bring it about, instead of waiting for another thread to do so.

        Args:
            driver: ``driver(future, timeout)`` returns once the future is done, or raises: in ``get()`` on the thread
                that waits, in asyncio on the loop that awaits. It may return before where nobody can drive; ``get()``
                is refused there, ``await`` waits for whoever can.
        """
        self._driver = driver

    def filter(self: Future[Iterable[J]], func: Callable[[J], bool]) -> Future[Iterable[J]]:
        """Return a future with only the items for which ``func(item)`` is true."""
        return Future._derived(lambda timeout: [item for item in self.get(timeout=timeout) if func(item)], self)

    def join(self: Future[Any], *futures: pykka.Future[Any]) -> Future[Iterable[Any]]:
        """Return a future with the list of this future's value and the others'."""
        sources = (self, *futures)
        return Future._derived(lambda timeout: [source.get(timeout=timeout) for source in sources], *sources)

    def map(self, func: Callable[[T], M]) -> Future[M]:
        """Return a future with ``func(value)``."""
        return Future._derived(lambda timeout: func(self.get(timeout=timeout)), self)

    def reduce(self: Future[Iterable[J]], func: Callable[[R, J], R], *args: R) -> Future[R]:
        """Return a future with the items brought down to one, as ``functools.reduce`` does.

        Args:
            func: called with what there is so far and the next item.
            *args: what it begins with; the first item if not given.
        """
        return Future._derived(lambda timeout: functools.reduce(func, self.get(timeout=timeout), *args), self)

    def __await__(self) -> Generator[Any, None, T]:
        """Wait in asyncio without blocking the loop; a cancelled waiter leaves the future alone.

        Raises:
            BlockingCallError: this is a dispatcher thread, whose coroutines (those of workflows) wait for nothing else.
        """
        refuse_to_block()
        if self._driver is not None and not self.done():
            self._driver(self, None)
        if not self.done():
            from asyncio import get_running_loop  # costs 50 ms to import: paid by those who use it

            loop = get_running_loop()
            waiter: Any = loop.create_future()
            callback = functools.partial(wake, loop, waiter)
            self.add_done_callback(callback)
            try:
                yield from waiter
            finally:
                self._forget(callback)
        return self.get()

    __iter__ = __await__

    @staticmethod
    def _derived(compute: Callable[[float | None], M], *sources: pykka.Future[Any]) -> Future[M]:
        """Return a future computed from others, which it knows, so that it can be awaited without a thread."""
        future: Future[M] = Future()
        hook = future._hook = _Hook(compute)
        own = tuple(source for source in sources if isinstance(source, Future))
        if len(own) == len(sources):
            hook.sources = own
        return future

    def _fail(self, error: BaseException, traceback: Any) -> None:
        with _LOCKS[id(self) >> 6 & 63]:
            if self._value is not _PENDING or self._hook is not None:
                raise queue.Full
            self._error = (error, traceback)
            self._value = None  # type: ignore[assignment]  # never returned: get() raises
            waiters = self._waiters
            self._waiters = None
        if waiters is not None:
            self._call(waiters.values())

    def _wait(self, timeout: float | None) -> None:
        """Block this thread until there is an outcome."""
        if timeout is not None and timeout <= 0:
            raise WaitTimeoutError(timeout or 0.0)
        refuse_to_block()
        if self._driver is not None:
            self._driver(self, timeout)
            if not self.done():
                raise BlockingCallError(threading.current_thread().name)
            return
        gate = threading.Lock()
        gate.acquire()

        def open_gate(_: Future[T]) -> None:
            gate.release()

        self.add_done_callback(open_gate)
        try:
            # A signal handler that raises (Ctrl-C) ends this wait.
            if not gate.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX)):
                raise WaitTimeoutError(timeout or 0.0)
        finally:
            self._forget(open_gate)

    def _forget(self, fn: Callable[[Future[T]], object]) -> None:
        with _LOCKS[id(self) >> 6 & 63]:
            if self._waiters is not None:
                self._waiters.pop(id(fn), None)

    def _call(self, waiters: Iterable[Callable[[Future[T]], object]]) -> None:
        interrupt: BaseException | None = None
        for fn in waiters:
            try:
                fn(self)
            except Exception:
                # A callback has no caller to tell, and the other waiters must hear of the outcome.
                logger.exception("A done callback of a future raised")
            except BaseException as error:
                # Ctrl-C and the like go on to the setter, after every waiter has been told.
                interrupt = interrupt or error
        if interrupt is not None:
            raise interrupt

    def _compute(self, hook: _Hook, timeout: float | None) -> T:
        """Compute the value of a derived future: once, though several threads may ask."""
        until = None if timeout is None else monotonic() + timeout
        if not hook.lock.acquire(blocking=False):
            refuse_to_block()
            if not hook.lock.acquire(timeout=-1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX)):
                raise WaitTimeoutError(timeout or 0.0)
        try:
            if self._value is _PENDING:
                left = None if until is None else max(0.0, until - monotonic())
                # An exception is not kept: it may be a Timeout, and the next get() may wait longer.
                self._settle(hook.compute(left), None)
        finally:
            hook.lock.release()
        return self.get()

    def _settle(self, value: Any, error: tuple[BaseException, Any] | None) -> None:
        """Give a derived future its outcome, unless it has one."""
        with _LOCKS[id(self) >> 6 & 63]:
            if self._value is not _PENDING:
                return
            self._error = error
            self._value = value
            waiters = self._waiters
            self._waiters = None
        if waiters is not None:
            self._call(waiters.values())

    def _watch(self, hook: _Hook) -> None:
        """See to it that the waiters of a derived future are called."""
        with _LOCKS[id(self) >> 6 & 63]:
            is_watched, hook.is_watched = hook.is_watched, True
        if is_watched:
            if self.done():
                # The watch may be over already: then nobody else calls the waiter that came just now.
                self._call_waiters()
            return
        if hook.sources is None:
            # Only the hook knows what it waits for, so a thread waits in it.
            threading.Thread(
                target=self._compute_for_waiters, args=(hook,), name="greenroom-future", daemon=True
            ).start()
            return
        pending = list(hook.sources)

        def next_source(_: Future[Any] | None = None) -> None:
            while pending:
                source = pending.pop()
                if not source.done():
                    source.add_done_callback(next_source)
                    return
            self._call_waiters()

        next_source()

    def _compute_for_waiters(self, hook: _Hook) -> None:
        try:
            self._compute(hook, None)
        except BaseException as error:
            # It waited without a limit, so this is the outcome; whoever awaits it will see it.
            self._settle(None, (error, error.__traceback__))

    def _call_waiters(self) -> None:
        with _LOCKS[id(self) >> 6 & 63]:
            waiters = self._waiters
            self._waiters = None
        if waiters is not None:
            self._call(waiters.values())
