"""What a run's loop hands out: callbacks in a queue, and tasks and futures whose hash is a counter.

asyncio keeps tasks in sets; with hashes from addresses their order would differ from one process to the next.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from types import FunctionType
from typing import Any, Self, TypeVar

__all__ = ["BareFuture", "Future", "Handle", "RunPutAway", "Task", "TimerHandle"]

T = TypeVar("T")

_add_done_callback: Any = asyncio.Future[Any].add_done_callback

# What asyncio.wrap_future gives to the future that it makes, to be told if that is cancelled.
_CHAINED = "_chain_future.<locals>._call_check_cancel"


class RunPutAway(BaseException):
    """The run is being put away: it cannot ask for anything.

    Derives from BaseException so that ``except Exception`` lets it pass.
    """


class Handle(asyncio.Handle):
    """A callback that waits for its turn; lighter than asyncio's own."""

    __slots__ = ()
    _callback: Callable[..., object]
    _context: contextvars.Context

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> None:
        self._callback = callback
        self._args = args
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._args = ()

    def __repr__(self) -> str:
        return f"<Handle {self._callback!r}{' cancelled' if self._cancelled else ''}>"


class TimerHandle(asyncio.TimerHandle):
    """A callback that waits for a durable timer; cancelling it takes the timer back."""

    # Most timers have no summary, and nothing is set then.
    __slots__ = ("on_cancel", "summary")
    summary: str
    _callback: Callable[..., object]
    _context: contextvars.Context
    _when: float

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self._callback = callback
        self._args = args
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False
        self._when = when
        self._scheduled = True
        self.on_cancel: Callable[[], None] | None = None

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._args = ()
            if self.on_cancel is not None:
                self.on_cancel()

    def __repr__(self) -> str:
        return f"<TimerHandle when={self._when}{' cancelled' if self._cancelled else ''}>"


class Task(asyncio.Task[T]):
    """A task whose hash is a counter: asyncio keeps tasks in sets, whose order must not depend on addresses."""

    __slots__ = ("order",)
    _log_destroy_pending: bool
    _fut_waiter: asyncio.Future[Any] | None

    def __init__(
        self,
        order: int,
        coro: Coroutine[Any, Any, T],
        *,
        loop: asyncio.AbstractEventLoop,
        name: str,
        context: contextvars.Context | None,
    ) -> None:
        # asyncio puts the task into a set while it makes it.
        self.order = order
        super().__init__(coro, loop=loop, name=name, context=context)

    def unseen_failure(self) -> BaseException | None:
        """What it has let out, if nobody has asked for its outcome; told once."""
        if not self._log_traceback:
            return None
        # To ask is to have seen it.
        return self.exception()

    def be_quiet(self) -> None:
        """Let asyncio say nothing when this is dropped while it waits."""
        self._log_destroy_pending = False

    def let_go(self) -> None:
        """Wake nobody, and be woken by nobody: a task and what it waits for refer to each other."""
        for callback, _ in self._callbacks or ():
            self.remove_done_callback(callback)
        if (waiter := self._fut_waiter) is not None:
            for wake, _ in waiter._callbacks or ():
                waiter.remove_done_callback(wake)

    def __hash__(self) -> int:
        return self.order

    def __eq__(self, other: object) -> bool:
        return self is other


class Future(asyncio.Future[T]):
    """A future whose hash is a counter, for the same reason."""

    __slots__ = ("order",)
    order: int

    def __hash__(self) -> int:
        return self.order

    def __eq__(self, other: object) -> bool:
        return self is other


class BareFuture(Future[T]):
    """A future that a loop makes for whoever asks it for one."""

    __slots__ = ()

    def add_done_callback(self, fn: Callable[[Self], object], /, *, context: contextvars.Context | None = None) -> None:
        # Another thread would have to wake the workflow, which cannot be: without this it would wait for ever.
        if fn.__class__ is FunctionType and fn.__qualname__ == _CHAINED:
            raise RuntimeError(
                "asyncio.wrap_future cannot be used in a workflow: a replay could not repeat it; do it in an activity"
            )
        _add_done_callback(self, fn, context=context)
