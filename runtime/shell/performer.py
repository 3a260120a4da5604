"""Performs attempts of activities, on threads and on an event loop, and reports how each one ended.

It decides nothing: retries, timeouts and what is written down are the caller's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from queue import SimpleQueue
from typing import Any

from ..activity import CURRENT, Attempt, Shutdown
from ..model.errors import ApplicationError, InternalError
from ..model.failures import to_failure
from ..model.payload_converter import PayloadConverter
from .loop_tasks import LoopTasks
from .task import Completed, Failed, Key, NeverBegan, Outcome, Permit, Task, explained, nowhere_to_run, unfit
from .threads import DaemonThreads

__all__ = ["Completed", "Failed", "Key", "NeverBegan", "Outcome", "Performer", "Task"]

DEFAULT_THREADS = 32
JOIN_SECONDS = 0.1  # idle threads end at once; one that is stuck is not waited for
UNWIND_SECONDS = 1.0  # what cancelled async activities get for their `finally` blocks once the grace period is over


class _Performance(Attempt):
    """One attempt that was handed over: what its own code sees, and what the performer knows of it."""

    __slots__ = ("key", "refuse", "task")

    def __init__(self, task: Task, shutdown: Shutdown) -> None:
        Attempt.__init__(self, task.info, shutdown)
        self.task = task
        self.key = task.key
        self.refuse: Callable[[], None] | None = None


class Performer:
    """Performs activities; ``perform``, ``performing`` and ``abandon`` are called on one thread, the dispatcher's.

    Sync activities run on daemon threads of its own, or on the executor given; async ones on the loop given to
    ``use_loop``, or on a loop of its own. A thread's activities start without context variables, and cannot change them
    for each other.

    Attributes:
        never_begun: what had been handed over and had not begun when it was closed.

    Args:
        converter: turns payloads into arguments and results into payloads.
        report: told each outcome, once an attempt and from any thread; it must be quick.
        threads: most sync activities at a time.
        executor: performs sync activities instead; its threads, its limits, and shutting it down is its owner's.
        clock: now, in ns since 1970 UTC.

    Raises:
        ValueError: no threads, or an executor of processes, which cannot share what an activity sees.
    """

    __slots__ = (
        "_clock",
        "_closed",
        "_closing",
        "_converter",
        "_decode",
        "_encode",
        "_executor",
        "_has_ended",
        "_idle",
        "_left",
        "_loop_tasks",
        "_performing",
        "_report",
        "_reporting",
        "_shutdown",
        "_threads",
        "_unbegun",
        "never_begun",
    )

    def __init__(
        self,
        *,
        converter: PayloadConverter,
        report: Callable[[Task, Outcome], object],
        threads: int = DEFAULT_THREADS,
        executor: Executor | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads is {threads}; sync activities need at least one")
        if any(base.__module__ == "concurrent.futures.process" for base in type(executor).__mro__):
            raise ValueError("activities cannot be performed by a ProcessPoolExecutor; pass an executor of threads")
        self._converter = converter
        self._decode = converter.decode_args
        self._encode = converter.encode
        self._report = report
        self._executor = executor
        self._clock = clock
        self._shutdown = Shutdown()
        self._threads = DaemonThreads(self._perform_on_thread, limit=threads, name="greenroom-activity")
        self._loop_tasks = LoopTasks(self._perform_on_loop, self._lost, name="greenroom-activity-loop")
        self._closing = threading.Lock()
        # No lock on the path of an attempt: a thread that loses the interpreter while it holds one stops all others.
        # To take something out of these two is atomic, and who takes an attempt out alone may go on with it: to end
        # it, by a report or by dropping it; to begin it.
        self._performing: dict[Key, _Performance] = {}
        self._unbegun: set[_Performance] = set()
        # Closing waits for these too: what was reported must be in the last commit.
        self._reporting: set[_Performance] = set()
        self._idle = threading.Event()
        self._closed = False
        self._has_ended = False
        self._left = 0
        self.never_begun: list[Task] = []

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Perform async activities on this loop, where the application's sessions and pools live, from now on."""
        self._loop_tasks.use(loop)

    def perform(self, task: Task) -> None:
        """Begin an attempt as soon as there is a thread for it; never blocks.

        After ``close`` nothing is taken: the attempt stays what the journal says, for the next opening to perform.

        Raises:
            InternalError: an attempt of the same activity is still being performed and was not abandoned.
        """
        attempt = _Performance(task, self._shutdown)
        if attempt.key in self._performing:
            raise InternalError(
                f"activity {task.info.activity_id} of run {task.info.run_id} is already being performed"
            )
        self._unbegun.add(attempt)
        self._performing[attempt.key] = attempt
        # Only now: whatever closes this performer either sees the attempt or is seen here.
        if self._closed:
            self._unbegun.discard(attempt)
            self._take_out(attempt)
            return
        try:
            if task.definition.is_async:
                self._loop_tasks.put(attempt)
            elif self._executor is None:
                self._threads.put(attempt)
            else:
                handed = self._executor.submit(self._perform_on_thread, attempt)
                handed.add_done_callback(functools.partial(self._ended_in_executor, attempt))
        except RuntimeError as error:
            # The application closed its loop or executor, or the system grants no thread: a failed attempt like others.
            self._unbegun.discard(attempt)
            self._settle(attempt, self._failed(nowhere_to_run(task, error)))

    def performing(self, key: Key) -> bool:
        """Whether an attempt was handed over, and neither reported nor abandoned."""
        return key in self._performing

    def started_at_ns(self, key: Key) -> int | None:
        """When an attempt began; None while it waits for a thread, or if it is not being performed."""
        attempt = self._performing.get(key)
        return None if attempt is None else attempt.started_at_ns

    def abandon(self, key: Key) -> None:
        """Stop waiting for an attempt: what comes of it is dropped.

        An async activity is cancelled; a sync one sees ``activity.is_cancelled()``; one that has not begun never will.

        Nothing happens if it is not being performed.
        """
        attempt = self._performing.pop(key, None)
        if attempt is not None:
            self._drop(attempt)
            self._wake_if_idle()

    def close(self, *, grace: float) -> int:
        """Stop taking attempts, wait for those that run, and leave behind what does not end in time.

        What had not begun never will, and nothing is reported of it or of what is left behind: the next opening
        performs it. Call it from another thread than the loop's; from the loop itself, async activities cannot go on
        while it waits and are cancelled at once.

        Args:
            grace: seconds to wait; ``activity.is_shutting_down()`` is true meanwhile, and who waits for the shutdown is
                woken.

        Returns:
            How many attempts had begun and were left behind; the same number if it is called again.
        """
        with self._closing:
            if self._has_ended:
                return self._left
            # One that was interrupted goes through all of it again: each step is done once, whoever does it.
            self._closed = True
            for attempt in list(self._performing.values()):
                unbegun = self._claim(attempt)
                must_end = unbegun or (attempt.task.definition.is_async and self._loop_tasks.is_here)
                if unbegun:
                    # Before it is taken out: an interrupt in between must not lose it.
                    self.never_begun.append(attempt.task)
                # It may have ended meanwhile, and `perform` may see that we close.
                if must_end and self._take_out(attempt):
                    self._left += not unbegun
                    self._drop(attempt)
        self._shutdown.begin()
        self._wake_if_idle()
        self._idle.wait(grace)
        for attempt in list(self._performing.values()):
            if self._take_out(attempt):
                self._left += 1
                self._drop(attempt)
        # What is being reported at this moment is heard.
        self._wake_if_idle()
        self._idle.wait(JOIN_SECONDS)
        self._threads.close(JOIN_SECONDS)
        self._loop_tasks.close(UNWIND_SECONDS)
        self._has_ended = True
        return self._left

    def _leave_behind(self, attempt: _Performance) -> None:
        """An attempt has ended early since this is being closed, and says so by ``asyncio.CancelledError``: there is no
        outcome, and the next opening begins it again."""
        with self._closing:
            if self._take_out(attempt):
                self._left += 1
        self._wake_if_idle()

    def _drop(self, attempt: _Performance) -> None:
        attempt.is_cancelled = True
        self._unbegun.discard(attempt)
        if attempt.refuse is not None:
            attempt.refuse()
        if attempt.task.definition.is_async:
            self._loop_tasks.cancel(attempt)

    def _claim(self, attempt: _Performance) -> bool:
        try:
            self._unbegun.remove(attempt)
        except KeyError:
            return False
        return True

    def _perform_on_thread(self, attempt: _Performance) -> None:
        # The permit first: an attempt that waits for it has not begun, whatever becomes of it.
        if (attempt.task.permit is None or self._permitted(attempt, attempt.task.permit)) and self._claim(attempt):
            # A fresh context is cheap, and keeps what one activity sets from the next one on this thread.
            contextvars.Context().run(self._call, attempt)

    def _permitted(self, attempt: _Performance, permit: Permit) -> bool:
        answers: SimpleQueue[bool] = SimpleQueue()
        attempt.refuse = functools.partial(answers.put, False)
        # Only now: whoever drops the attempt either sees how to refuse or is seen here.
        if attempt.is_cancelled:
            return False
        permit(attempt.task, answers.put)
        return answers.get() or self._forget(attempt)

    async def _permitted_on_loop(self, attempt: _Performance, permit: Permit) -> bool:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def granted(is_granted: bool) -> None:
            # A closed loop needs no answer.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: None if answer.done() else answer.set_result(is_granted))

        permit(attempt.task, granted)
        return await answer or self._forget(attempt)

    def _forget(self, attempt: _Performance) -> bool:
        self._unbegun.discard(attempt)
        self._take_out(attempt)
        self._wake_if_idle()
        return False

    def _take_out(self, attempt: _Performance) -> bool:
        """Whether it is the caller's to end the attempt, and nobody else's."""
        # An attempt that never began may be handed over again, with the same key.
        return self._performing.get(attempt.key) is attempt and self._performing.pop(attempt.key, None) is attempt

    def _call(self, attempt: _Performance) -> None:
        args: list[Any] | None = None
        result: object = None
        outcome: Outcome
        try:
            args = self._begin(attempt)
            result = attempt.task.definition.fn(*args)
            outcome = self._returned(attempt.task, result)
        except BaseException as error:
            if self._closed and isinstance(error, asyncio.CancelledError):
                self._leave_behind(attempt)
                return
            # Whatever user code raises, SystemExit included, is how this attempt ended and nothing more.
            outcome = self._failed(explained(error, attempt.task, args, result))
        self._settle(attempt, outcome)

    async def _perform_on_loop(self, attempt: _Performance) -> None:
        if attempt.task.permit is not None and not await self._permitted_on_loop(attempt, attempt.task.permit):
            return
        if not self._claim(attempt):
            return
        args: list[Any] | None = None
        result: object = None
        outcome: Outcome
        try:
            args = self._begin(attempt)
            result = await attempt.task.definition.fn(*args)
            outcome = self._returned(attempt.task, result)
        except asyncio.CancelledError:
            # Not by the workflow, whose attempt would be abandoned: by an application that ends its loop, mostly.
            if self._closed:
                self._leave_behind(attempt)
                return
            outcome = self._failed(_cancelled_outside())
        except BaseException as error:
            outcome = self._failed(explained(error, attempt.task, args, result))
        self._settle(attempt, outcome)

    def _begin(self, attempt: _Performance) -> list[Any]:
        """Make it the attempt that its own code sees from here on; gives the arguments."""
        CURRENT.set(attempt)
        attempt.started_at_ns = self._clock()
        task = attempt.task
        return self._decode(task.args, task.definition.arg_types)

    def _returned(self, task: Task, result: object) -> Outcome:
        """How an attempt ended that returned. A result that does not fit its annotation would stop the workflow for
        good, since what is recorded is never performed again: it is a failure, and the next attempt may do better."""
        data = self._encode(result)
        try:
            self._converter.check(result, data, task.definition.result_type)
        except Exception as error:  # a user's converter may raise anything
            return self._failed(unfit(task, result, error))
        return Completed(data)

    def _lost(self, attempt: _Performance) -> None:
        """Report an attempt whose task or place in a queue the application cancelled before it began; any other has
        settled itself."""
        if self._claim(attempt):
            self._settle(attempt, NeverBegan())

    def _ended_in_executor(self, attempt: _Performance, handed: concurrent.futures.Future[None]) -> None:
        # An executor that breaks before it begins an item ends it with an exception.
        if handed.cancelled() or handed.exception() is not None:
            self._lost(attempt)

    def _failed(self, error: BaseException) -> Failed:
        try:
            return Failed(to_failure(error, self._converter))
        except BaseException as fault:
            # Some exceptions cannot be described; the workflow must still hear that the attempt is over.
            reason = f"it raised {type(error).__name__}, which cannot be described ({type(fault).__name__})"
            return Failed(to_failure(ApplicationError(reason, type=type(error).__name__), self._converter))

    def _settle(self, attempt: _Performance, outcome: Outcome) -> None:
        # In this order: at no moment does nothing seem to be left.
        self._reporting.add(attempt)
        try:
            if self._take_out(attempt):
                self._report(attempt.task, outcome)
        finally:
            self._reporting.discard(attempt)
            if self._closed:
                self._wake_if_idle()

    def _wake_if_idle(self) -> None:
        if self._closed and not self._performing and not self._reporting:
            self._idle.set()


def _cancelled_outside() -> ApplicationError:
    """The attempt has failed and may be repeated: nobody who waits for it has cancelled it."""
    return ApplicationError("it was cancelled by the application, not by its workflow", type="CancelledError")
