"""Coroutines performed on an event loop by a thread that is not the loop's: one wake-up for many of them."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

__all__ = ["LoopTasks"]

T = TypeVar("T", bound=Hashable)
_logger = logging.getLogger(__name__)


class LoopTasks(Generic[T]):
    """Items that are each worked on by a task of one loop: the application's, or a loop of our own on a daemon thread.

    Each task gets a copy of the context variables that stood where ``use`` was called, as ``asyncio.create_task`` would
    give it; on our own loop it starts with none.

    Args:
        work: makes the coroutine for an item; it records its own failures.
        ended: called on the loop when the task of an item is over, also when it was cancelled before it began.
        name: what our own thread is called.
    """

    __slots__ = (
        "_closed",
        "_context",
        "_ended",
        "_lock",
        "_loop",
        "_name",
        "_over",
        "_own",
        "_tasks",
        "_waiting",
        "_woken",
        "_work",
    )

    def __init__(
        self, work: Callable[[T], Coroutine[Any, Any, None]], ended: Callable[[T], object], *, name: str
    ) -> None:
        self._work = work
        self._ended = ended
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own: threading.Thread | None = None
        self._context = contextvars.Context()
        self._waiting: deque[T] = deque()
        self._woken = False
        self._over = False
        self._closed = False
        self._lock = threading.Lock()
        # Changed by the loop's thread alone.
        self._tasks: dict[T, asyncio.Task[None]] = {}

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on the loop, and would keep the tasks from going on by waiting for them."""
        return self._loop is not None and asyncio._get_running_loop() is self._loop

    def use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Work on the application's loop from now on, with the caller's context variables.

        Raises:
            RuntimeError: items are worked on by a loop of our own already; tasks cannot change loops.
        """
        if self._own is not None:
            raise RuntimeError(f"a loop of its own was begun for {self._name}; give it the loop before the first item")
        self._loop = loop
        self._context = contextvars.copy_context()

    def put(self, item: T) -> None:
        """Hand over an item; never blocks. After ``close`` nothing happens.

        Raises:
            RuntimeError: the loop is closed.
        """
        loop = self._loop or self._start_own_loop()
        if loop is None:
            return
        if loop.is_closed():
            raise RuntimeError("the event loop is closed")
        self._waiting.append(item)
        if not self._woken:
            self._woken = True
            try:
                loop.call_soon_threadsafe(self._begin)
            except RuntimeError:
                self._woken = False
                self._waiting.remove(item)
                raise

    def cancel(self, item: T) -> None:
        """Cancel the task of an item, whether it has begun or not."""
        self._call(self._cancel, item)

    def close(self, timeout: float) -> None:
        """Give cancelled tasks up to ``timeout`` seconds to unwind, and end our own loop when none is left.

        A task that will not end keeps our own thread, a daemon, until it does.
        """
        with self._lock:
            self._closed = True
        if not self.is_here:
            over = threading.Event()
            if self._call(self._when_idle, over.set):
                over.wait(timeout)
        if self._own is not None and not self._tasks:
            self._own.join(timeout)

    def _call(self, callback: Callable[..., object], *args: Any) -> bool:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback, *args)
                return True
        except RuntimeError:
            # The loop is closed, and every task of it with it.
            pass
        return False

    def _start_own_loop(self) -> asyncio.AbstractEventLoop | None:
        """A loop of our own, or None if nobody would end it any more."""
        with self._lock:
            if self._closed:
                return None
            loop = self._loop = asyncio.new_event_loop()
            self._own = threading.Thread(target=self._serve, args=(loop,), name=self._name, daemon=True)
            self._own.start()
            return loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while not self._over:
            try:
                loop.run_forever()
            except BaseException:
                # A task that user code started may let SystemExit through; the loop itself is sound and goes on.
                _logger.exception("a fault on %s, which goes on", self._name)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _begin(self) -> None:
        # Before the queue is emptied: whoever adds to it from now on wakes the loop again.
        self._woken = False
        waiting, tasks, loop = self._waiting, self._tasks, asyncio.get_running_loop()
        while waiting:
            item = waiting.popleft()
            task = loop.create_task(self._work(item), context=self._context.copy())
            tasks[item] = task
            task.add_done_callback(functools.partial(self._end, item))

    def _end(self, item: T, task: asyncio.Task[None]) -> None:
        del self._tasks[item]
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": f"a fault in the task of {item!r}", "exception": error, "task": task}
            asyncio.get_running_loop().call_exception_handler(context)
        self._ended(item)

    def _cancel(self, item: T) -> None:
        task = self._tasks.get(item)
        if task is not None:
            task.cancel()
        elif item in self._waiting:
            self._waiting.remove(item)

    def _when_idle(self, then: Callable[[], object]) -> None:
        if self._tasks:
            next(iter(self._tasks.values())).add_done_callback(lambda _: self._when_idle(then))
            return
        then()
        if threading.current_thread() is self._own:
            # Only ours: the application's loop goes on.
            self._over = True
            asyncio.get_running_loop().stop()
