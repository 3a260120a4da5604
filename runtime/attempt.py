"""One attempt of an activity as its own code sees it: the seam between activity code and whoever performs it."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

from .model.activity_info import ActivityInfo

__all__ = ["CURRENT", "Attempt", "Shutdown"]


class Shutdown:
    """The notice that the activities of a runtime get when it closes."""

    __slots__ = ("_event", "_futures", "_lock")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._futures: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Give notice, and wake everybody who waits for it."""
        with self._lock:
            self._event.set()
            futures, self._futures = self._futures, set()
        for future in futures:
            try:
                future.get_loop().call_soon_threadsafe(_resolve, future)
            except RuntimeError:
                # Its loop is closed, so nobody waits for it any more.
                continue

    def is_set(self) -> bool:
        """Whether notice was given."""
        return self._event.is_set()

    def wait(self, timeout: float | None) -> bool:
        """Block until notice is given or ``timeout`` seconds are over; return whether it was given."""
        return self._event.wait(timeout)

    async def wait_async(self, timeout: float | None) -> bool:
        """Wait until notice is given or ``timeout`` seconds are over; return whether it was given."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._event.is_set():
                return True
            self._futures.add(future)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._futures.discard(future)
        return True


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Attempt:
    """One attempt; whoever performs activities derives from this.

    A test can stand in for the runtime: ``token = CURRENT.set(Attempt(info, Shutdown()))``.

    Attributes:
        is_cancelled: whether nobody waits for the outcome any more.
        shutdown: the notice of the runtime that performs it.
    """

    __slots__ = ("_info", "is_cancelled", "shutdown", "started_at_ns")

    def __init__(self, info: ActivityInfo, shutdown: Shutdown) -> None:
        self._info = info
        self.shutdown = shutdown
        self.is_cancelled = False
        self.started_at_ns: int | None = None

    @property
    def info(self) -> ActivityInfo:
        """The facts of the attempt, with the instant at which it really began."""
        if self.started_at_ns is not None and self._info.started_at_ns != self.started_at_ns:
            self._info = self._info.started(self.started_at_ns)
        return self._info

    def heartbeat(self, details: tuple[object, ...]) -> None:
        """Say that it goes on; nobody listens here."""


CURRENT: ContextVar[Attempt] = ContextVar("greenroom_activity")
"""The attempt running here; set by whoever performs it."""
