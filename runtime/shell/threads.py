"""Daemon threads that grow with the work and die with the process: they never keep the interpreter from exiting."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["DaemonThreads"]

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class DaemonThreads(Generic[T]):
    """Up to ``limit`` threads that each take the next item and work on it.

    Who takes an item and leaves others behind calls one more thread, a new one if none is idle: so items that wait for
    each other cannot starve below the limit. One thread at a time is on its way: if each item called one, most would
    come too late to find any, and short items would cost more in changes of thread than in work. A thread without work
    waits for a lock and uses no CPU. ``concurrent.futures.ThreadPoolExecutor`` will not do: it joins its threads when
    the interpreter exits, and one stuck activity would hang the process.

    Args:
        work: what is done with an item; it records its own failures.
        limit: most threads there may be.
        name: threads are called ``name-1``, ``name-2``…
    """

    __slots__ = ("_closed", "_idle", "_is_calling", "_items", "_limit", "_lock", "_name", "_threads", "_work")

    def __init__(self, work: Callable[[T], object], *, limit: int, name: str) -> None:
        self._work = work
        self._limit = limit
        self._name = name
        self._items: deque[T] = deque()
        # The lock that each idle thread waits for; the last to become idle is called first.
        self._idle: list[threading.Lock] = []
        self._is_calling = False
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._lock = threading.Lock()

    def put(self, item: T) -> None:
        """Hand over an item; never blocks. After ``close`` nothing happens.

        Raises:
            RuntimeError: there is no thread at all and the system grants none.
        """
        if self._closed:
            return
        # No lock on this path: a thread that loses the interpreter while it holds one stops all the others. What is
        # called looks for items after it has said that it is here, so what is put meanwhile needs no call.
        self._items.append(item)
        if not self._is_calling:
            try:
                self._call()
            except RuntimeError:
                self._items.remove(item)
                raise

    def close(self, timeout: float) -> None:
        """Let every thread end once it has nothing left to do, and wait up to ``timeout`` seconds in all for that."""
        with self._lock:
            self._closed = True
        while (waiting := self._take_idle()) is not None:
            waiting.release()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _call(self) -> None:
        """Have one more thread look for items."""
        while True:
            self._is_calling = True
            waiting = self._take_idle()
            if waiting is not None:
                waiting.release()
                return
            if self._grow():
                return
            # All are busy, and take the next item when they have done with theirs.
            self._is_calling = False
            # One may have become idle since, and an item may have come that called nobody.
            if not (self._items and self._idle):
                return

    def _take_idle(self) -> threading.Lock | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _grow(self) -> bool:
        """Start one more thread, if there may be one."""
        with self._lock:
            if self._closed or len(self._threads) >= self._limit:
                return False
            thread = threading.Thread(target=self._serve, name=f"{self._name}-{len(self._threads) + 1}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The system's limit is lower than ours: the threads there are will do.
                self._limit = max(1, len(self._threads))
                if not self._threads:
                    self._is_calling = False
                    raise
                return False
            self._threads.append(thread)
            return True

    def _serve(self) -> None:
        mine = threading.Lock()
        mine.acquire()
        is_called = True
        while True:
            if is_called:
                self._is_calling = False
            self._work_off()
            self._idle.append(mine)
            # Only now: who puts an item either finds this thread idle or is seen here.
            is_called = not (self._items or self._closed) or not self._is_back(mine)
            if is_called:
                mine.acquire()
            elif self._closed and not self._items:
                return

    def _work_off(self) -> None:
        """Work until there is nothing left."""
        items, work = self._items, self._work
        while True:
            try:
                item = items.popleft()
            except IndexError:
                return
            if items and not self._is_calling:
                self._call()
            try:
                work(item)
            except BaseException:
                _logger.exception("a fault in %s, which goes on", threading.current_thread().name)
            # An idle thread must not keep the last item's arguments alive.
            del item

    def _is_back(self, mine: threading.Lock) -> bool:
        """Be idle no more; False if this thread has been called since."""
        try:
            self._idle.remove(mine)
        except ValueError:
            return False
        return True
