"""One attempt of an activity as its own code sees it: the seam between activity code and whoever performs it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

from .model.activity_info import ActivityInfo
from .model.cancellation import ActivityCancellationDetails

__all__ = ["CURRENT", "Attempt", "Notice"]


class Notice:
    """Something that threads and loops wait for, and that happens once."""

    __slots__ = ("_futures", "_gates", "_has_happened", "_lock")

    def __init__(self) -> None:
        self._has_happened = False
        # One for each thread that waits, which a thread may be torn out of at any moment: a ``threading.Event`` has a
        # lock of its own, written in Python, which such a thread could take along.
        self._gates: list[threading.Lock] = []
        self._futures: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """It happens: wake everybody who waits for it."""
        with self._lock:
            self._has_happened = True
            futures, self._futures = self._futures, set()
        for gate in list(self._gates):
            # It may have happened before.
            with contextlib.suppress(RuntimeError):
                gate.release()
        for future in futures:
            try:
                future.get_loop().call_soon_threadsafe(_resolve, future)
            except RuntimeError:
                # Its loop is closed, so nobody waits for it any more.
                continue

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._has_happened

    def wait(self, timeout: float | None) -> bool:
        """Block until it happens or ``timeout`` seconds are over; return whether it has happened."""
        gate = threading.Lock()
        gate.acquire()  # whoever begins it opens it
        self._gates.append(gate)
        try:
            # Only now: whoever begins it either finds the gate or is seen here.
            return self._has_happened or gate.acquire(timeout=-1 if timeout is None else timeout) or self._has_happened
        finally:
            self._gates.remove(gate)

    async def wait_async(self, timeout: float | None) -> bool:
        """Wait until it happens or ``timeout`` seconds are over; return whether it has happened."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._has_happened:
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


# Held while somebody waits for the first time for an attempt to be cancelled: few ever do.
_FIRST_WAIT = threading.Lock()


class Attempt:
    """One attempt; whoever performs activities derives from this.

    A test can stand in for the runtime: ``token = CURRENT.set(Attempt(info, Notice()))``.

    Attributes:
        info: the facts of the attempt, with the instant at which it really began.
        shutdown: the notice that the runtime which performs it is closing.
        cancellation: why it is cancelled, once it is.
        started_at_ns: when its code was called (ns since 1970), once it was.
    """

    __slots__ = ("_info", "_notice", "cancellation", "shutdown", "started_at_ns")

    def __init__(self, info: ActivityInfo, shutdown: Notice) -> None:
        self._info = info
        self._notice: Notice | None = None
        self.shutdown = shutdown
        self.cancellation: ActivityCancellationDetails | None = None
        self.started_at_ns: int | None = None

    @property
    def info(self) -> ActivityInfo:
        """The facts of the attempt, with the instant at which it really began."""
        if self.started_at_ns is not None and self._info.started_at_ns != self.started_at_ns:
            self._info = self._info.started(self.started_at_ns)
        return self._info

    def heartbeat(self, details: tuple[object, ...]) -> None:
        """Say that it goes on; nobody listens here."""

    def cancel(self, why: ActivityCancellationDetails) -> None:
        """Let its code know that it is cancelled, if it looks or waits; the first reason stays."""
        if self.cancellation is None:
            self.cancellation = why
        if self._notice is not None:
            self._notice.begin()

    @property
    def cancelled(self) -> Notice:
        """The notice of its cancellation."""
        with _FIRST_WAIT:
            if self._notice is None:
                self._notice = Notice()
        # Only now: whoever cancels it either sees the notice or is seen here.
        if self.cancellation is not None:
            self._notice.begin()
        return self._notice

    def wait(self, notice: Notice, timeout: float | None) -> bool:
        """Block this thread until something happens; return whether it has happened.

        Args:
            notice: the notice of what is waited for.
            timeout: longest wait, in seconds; None for no limit.
        """
        return notice.wait(timeout)

    def begin(self) -> None:
        """Its code is about to be called, on this thread."""

    def end(self) -> None:
        """Its code has ended, on this thread; calling it again does nothing."""

    def shielded(self) -> AbstractContextManager[object]:
        """Keep the exception of a cancellation out of what stands within; where none is thrown this does nothing."""
        return nullcontext()


CURRENT: ContextVar[Attempt] = ContextVar("greenroom_activity")
"""The attempt running here; set by whoever performs it."""
