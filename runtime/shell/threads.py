"""Daemon threads that grow with the work and die with the process: they never keep the interpreter from exiting."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import Generic, TypeVar

__all__ = ["DaemonThreads"]

T = TypeVar("T", bound=Hashable)
_logger = logging.getLogger(__name__)


class DaemonThreads(Generic[T]):
    """Up to ``limit`` threads that each take the next item and work on it.

    There is a thread for every item in hand until the limit is reached, so items that wait for each other cannot starve
    below it. A thread without work blocks in a queue and uses no CPU. ``concurrent.futures.ThreadPoolExecutor`` will
    not do: it joins its threads when the interpreter exits, and one stuck activity would hang the process.

    Args:
        work: what is done with an item; it records its own failures.
        limit: most threads there may be.
        name: threads are called ``name-1``, ``name-2``…
    """

    __slots__ = ("_closed", "_in_hand", "_limit", "_lock", "_name", "_queue", "_threads", "_work")

    def __init__(self, work: Callable[[T], object], *, limit: int, name: str) -> None:
        self._work = work
        self._limit = limit
        self._name = name
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._in_hand: set[T] = set()
        self._closed = False
        self._lock = threading.Lock()

    def put(self, item: T) -> None:
        """Hand over an item; never blocks. After ``close`` nothing happens.

        Raises:
            RuntimeError: there is no thread at all and the system grants none.
        """
        # No lock on this path: a set is atomic by itself, and `_grow` counts again under the lock.
        in_hand = self._in_hand
        in_hand.add(item)
        if len(in_hand) > len(self._threads) < self._limit:
            self._grow(item)
        self._queue.put(item)

    def close(self, timeout: float) -> None:
        """Let every thread end once it has nothing left to do, and wait up to ``timeout`` seconds in all for that."""
        with self._lock:
            self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _grow(self, item: T) -> None:
        with self._lock:
            if self._closed or not len(self._in_hand) > len(self._threads) < self._limit:
                return
            thread = threading.Thread(target=self._serve, name=f"{self._name}-{len(self._threads) + 1}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The system's limit is lower than ours: the threads there are will do.
                self._limit = len(self._threads)
                if not self._threads:
                    self._limit = 1
                    self._in_hand.discard(item)
                    raise
                return
            self._threads.append(thread)

    def _serve(self) -> None:
        take, work, put_down = self._queue.get, self._work, self._in_hand.discard
        while (item := take()) is not None:
            try:
                work(item)
            except BaseException:
                _logger.exception("a fault in %s, which goes on", threading.current_thread().name)
            put_down(item)
            # An idle thread must not keep the last item's arguments alive.
            del item
