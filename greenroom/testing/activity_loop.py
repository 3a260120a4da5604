"""An asyncio loop for async activities that is driven by hand, and whose time is that of the test's clock."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple

__all__ = ["ActivityLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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


class ActivityLoop(asyncio.BaseEventLoop):
    """Tasks, futures, timeouts and sleeps; whatever needs a socket, a process or another thread is not there.

    Args:
        now_ns: the time, in ns since 1970 UTC.
        origin_ns: where the loop's own time begins.
    """

    _is_open = False

    def __init__(self, now_ns: Callable[[], int], origin_ns: int) -> None:
        super().__init__()
        self._now_ns = now_ns
        self._origin_ns = origin_ns
        self._waiting: deque[_Call | _TimedCall] = deque()
        self._timed: list[tuple[int, int, _TimedCall]] = []
        self._count = 0
        self._is_open = True

    # Driving.

    def spin(self) -> bool:
        """Run what is ready and due, one round; False if there was nothing."""
        timed, waiting = self._timed, self._waiting
        now_ns = self._now_ns()
        while timed and timed[0][0] <= now_ns:
            waiting.append(heapq.heappop(timed)[2])
        if not waiting:
            return False
        with self.running():
            for _ in range(len(waiting)):
                waiting.popleft().perform()
        return True

    def hasten(self) -> bool:
        """Make ready what is not due yet, though no time has passed; False if there was nothing."""
        timed, self._timed = self._timed, []
        self._waiting.extend(call for *_, call in sorted(timed, key=lambda each: each[:2]) if not call.cancelled())
        return bool(self._waiting)

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Make this the thread's running loop, even inside that of an asyncio test."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)

    def is_current(self) -> bool:
        """Whether the caller is a task of this loop."""
        return asyncio._get_running_loop() is self

    def end(self) -> None:
        """Close: what has not run never will."""
        self._waiting.clear()
        self._timed.clear()
        self._is_open = False
        self.close()

    def next_ns(self) -> int | None:
        """When the next timer is due (ns since 1970), or None."""
        while self._timed and self._timed[0][2].cancelled():
            heapq.heappop(self._timed)
        return self._timed[0][0] if self._timed else None

    # What asyncio asks of a loop.

    def time(self) -> float:
        return (self._now_ns() - self._origin_ns) / 1e9

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        call = _Call(callback, args, self, context)
        self._waiting.append(call)
        return call

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        call = _TimedCall(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timed, (self._origin_ns + math.ceil(when * 1e9), self._count, call))
        return call

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Call at once, here: with no threads there is nobody to call it meanwhile."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            # It belongs to the future, as with every executor.
            future.set_exception(error)
        return future

    def is_running(self) -> bool:
        return self._is_open
