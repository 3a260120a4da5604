"""An asyncio loop for async activities that is driven by hand, and whose time is that of the test's clock."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["ActivityLoop"]

T = TypeVar("T")

logger = logging.getLogger("greenroom.testing")


class _Call(asyncio.Handle):
    """A callback that waits for its turn."""

    def perform(self) -> None:
        if not self._cancelled:
            self._run()


class _TimedCall(asyncio.TimerHandle):
    """A callback that waits for its time."""

    def perform(self) -> None:
        if not self._cancelled:
            self._run()


class ActivityLoop(asyncio.AbstractEventLoop):
    """Tasks, futures, timeouts and sleeps; whatever needs a socket, a process or another thread is not there.

    Args:
        now_ns: the time, in ns since 1970 UTC.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._origin_ns = now_ns()
        self._ready: deque[_Call | _TimedCall] = deque()
        self._timed: list[tuple[int, int, _TimedCall]] = []
        self._count = 0
        self._is_closed = False

    # Driving.

    def spin(self) -> bool:
        """Run what is ready and due, one round; False if there was nothing."""
        timed, ready = self._timed, self._ready
        now_ns = self._now_ns()
        while timed and timed[0][0] <= now_ns:
            ready.append(heapq.heappop(timed)[2])
        if not ready:
            return False
        with self.running():
            for _ in range(len(ready)):
                ready.popleft().perform()
        return True

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Make this the thread's running loop, even inside that of an asyncio test."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)

    def next_ns(self) -> int | None:
        """When the next timer is due (ns since 1970), or None."""
        while self._timed and self._timed[0][2].cancelled():
            heapq.heappop(self._timed)
        return self._timed[0][0] if self._timed else None

    # What asyncio asks of a loop.

    def time(self) -> float:
        return (self._now_ns() - self._origin_ns) / 1e9

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        call = _Call(callback, args, self, context)
        self._ready.append(call)
        return call

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        call = _TimedCall(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timed, (self._origin_ns + math.ceil(when * 1e9), self._count, call))
        return call

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Call at once, here: with no threads there is nobody to call it meanwhile."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            # It belongs to the future, as with every executor.
            future.set_exception(error)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._is_closed

    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """Take no more; what has not run never will."""
        self._is_closed = True
        self._ready.clear()
        self._timed.clear()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._is_closed:
            error = context.get("exception")
            logger.error("%s", context.get("message"), exc_info=error if isinstance(error, BaseException) else None)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are left in the heap until their time comes."""
