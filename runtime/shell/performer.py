"""Performs attempts of activities, on threads and on an event loop, and reports how each one ended.

It decides nothing: retries, timeouts and what is written down are the caller's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from ..attempt import Notice
from ..model.cancellation import WORKER_SHUTDOWN, ActivityCancellationDetails
from ..model.errors import ApplicationError, InternalError
from ..model.payload_converter import PayloadConverter
from .calling import Caller
from .interrupts import Interrupts
from .loop_tasks import LoopTasks
from .performance import Performance
from .pulse import Pulse
from .task import Completed, Failed, Key, NeverBegan, Outcome, Permit, Task, nowhere_to_run
from .threads import DaemonThreads

if TYPE_CHECKING:
    from .processes import Processes

__all__ = ["Completed", "Failed", "Key", "NeverBegan", "Outcome", "Performer", "Task"]

DEFAULT_THREADS = 32
QUIET_SECONDS = 1.0  # of a grace period, until it is told what is waited for
MOST_NAMED = 5
JOIN_SECONDS = 0.1  # idle threads end at once; one that is stuck is not waited for
UNWIND_SECONDS = 1.0  # what cancelled async activities get for their `finally` blocks once the grace period is over


logger = logging.getLogger("greenroom")


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
        processes: most activities at a time that are performed in processes; None for the number of processors.
        executor: performs sync activities instead; its threads, its limits, and shutting it down is its owner's.
        clock: now, in ns since 1970 UTC.

    Raises:
        ValueError: no threads or no processes, or an executor of processes, which cannot share what an activity sees.
    """

    __slots__ = (
        "_caller",
        "_closed",
        "_closing",
        "_executor",
        "_has_ended",
        "_idle",
        "_interrupts",
        "_left",
        "_loop_tasks",
        "_most_processes",
        "_performing",
        "_processes",
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
        processes: int | None = None,
        executor: Executor | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads is {threads}; sync activities need at least one")
        if processes is not None and processes < 1:
            raise ValueError(f"processes is {processes}; activities in processes need at least one")
        if any(base.__module__ == "concurrent.futures.process" for base in type(executor).__mro__):
            raise ValueError("activities cannot be performed by a ProcessPoolExecutor; pass an executor of threads")
        self._caller = Caller(converter, clock)
        self._report = report
        self._executor = executor
        self._shutdown = Notice()
        self._interrupts = Interrupts()
        self._threads = DaemonThreads(self._perform_on_thread, limit=threads, name="greenroom-activity")
        self._most_processes = processes
        self._processes: Processes | None = None
        self._loop_tasks = LoopTasks(self._perform_on_loop, self._lost, name="greenroom-activity-loop")
        self._closing = threading.Lock()
        # No lock on the path of an attempt: a thread that loses the interpreter while it holds one stops all others.
        # To take something out of these two is atomic, and who takes an attempt out alone may go on with it: to end
        # it, by a report or by dropping it; to begin it.
        self._performing: dict[Key, Performance] = {}
        self._unbegun: set[Performance] = set()
        # Closing waits for these too: what was reported must be in the last commit.
        self._reporting: set[Performance] = set()
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
        attempt = Performance(task, self._caller, self._shutdown, self._interrupts)
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
            elif task.definition.in_process:
                self._put_in_process(attempt)
            elif self._executor is None:
                self._threads.put(attempt)
            else:
                handed = self._executor.submit(self._perform_on_thread, attempt)
                handed.add_done_callback(functools.partial(self._ended_in_executor, attempt))
        except RuntimeError as error:
            # The application closed its loop or executor, or the system grants no thread: a failed attempt like others.
            self._unbegun.discard(attempt)
            self._settle(attempt, self._caller.failed(nowhere_to_run(task, error)))

    def performing(self, key: Key) -> bool:
        """Whether an attempt was handed over, and neither reported nor abandoned."""
        return key in self._performing

    def started_at_ns(self, key: Key) -> int | None:
        """When an attempt began; None while it waits for a thread, or if it is not being performed."""
        attempt = self._performing.get(key)
        return None if attempt is None else attempt.started_at_ns

    def pulse(self, key: Key) -> Pulse | None:
        """The heartbeats of an attempt; None if there was none, or if it is not being performed."""
        attempt = self._performing.get(key)
        return None if attempt is None else attempt.pulse

    def cancel(self, key: Key, why: ActivityCancellationDetails) -> bool:
        """Have an attempt end, and wait for what it says to that: it may take its time, and may complete all the same.

        Returns:
            Whether it had not begun: then it never will, and nothing is reported of it.
        """
        attempt = self._performing.get(key)
        # One that is not being performed has been reported at this moment.
        if attempt is None:
            return False
        if self._claim(attempt):
            self._take_out(attempt)
            self._drop(attempt, why)
            self._wake_if_idle()
            return True
        self._tell(attempt, why)
        return False

    def abandon(self, key: Key, why: ActivityCancellationDetails) -> None:
        """Have an attempt end, and wait for it no longer: what comes of it is dropped.

        One that has not begun never will. Nothing happens if it is not being performed.
        """
        attempt = self._performing.pop(key, None)
        if attempt is not None:
            self._drop(attempt, why)
            self._wake_if_idle()

    def close(self, *, grace: float) -> int:
        """Stop taking attempts, wait for those that run, and leave behind what does not end in time.

        What had not begun never will, and nothing is reported of it or of what is left behind: the next opening
        performs it. Call it from another thread than the loop's; from the loop itself, async activities cannot go on
        while it waits and are cancelled at once.

        Args:
            grace: seconds to wait before what goes on is cancelled; ``activity.is_worker_shutdown()`` is true from the
                beginning, and who waits for the shutdown is woken.

        Returns:
            How many attempts had begun and were left behind; the same number if it is called again.
        """
        with self._closing:
            if self._has_ended:
                return self._left
            # One that was interrupted goes through all of it again: each step is done once, whoever does it.
            self._closed = self._caller.is_closing = True
            for attempt in list(self._performing.values()):
                unbegun = self._claim(attempt)
                must_end = unbegun or (attempt.task.definition.is_async and self._loop_tasks.is_here)
                if unbegun:
                    # Before it is taken out: an interrupt in between must not lose it.
                    self.never_begun.append(attempt.task)
                # It may have ended meanwhile, and `perform` may see that we close.
                if must_end and self._take_out(attempt):
                    self._left += not unbegun
                    self._drop(attempt, WORKER_SHUTDOWN)
        self._shutdown.begin()
        if self._processes is not None:
            self._processes.shut_down()
        self._wake_if_idle()
        self._wait_for_the_rest(grace)
        for attempt in list(self._performing.values()):
            if self._take_out(attempt):
                self._left += 1
                self._drop(attempt, WORKER_SHUTDOWN)
        # What is being reported at this moment is heard.
        self._wake_if_idle()
        self._idle.wait(JOIN_SECONDS)
        self._threads.close(JOIN_SECONDS)
        if self._processes is not None:
            self._processes.close(JOIN_SECONDS)
        self._loop_tasks.close(UNWIND_SECONDS)
        self._has_ended = True
        return self._left

    def _wait_for_the_rest(self, grace: float) -> None:
        """Wait until nothing is performed any more; a program that seems to hang at its end says what it waits for."""
        if self._idle.wait(min(grace, QUIET_SECONDS)) or grace <= QUIET_SECONDS:
            return
        infos = [attempt.task.info for attempt in list(self._performing.values())]
        # None if what there was is being reported at this moment.
        if infos:
            logger.warning(
                "closing waits up to %g s more for what goes on (%d activities): %s",
                grace - QUIET_SECONDS,
                len(infos),
                ", ".join(f"{info.activity_type!r} of workflow {info.workflow_id!r}" for info in infos[:MOST_NAMED]),
            )
        self._idle.wait(grace - QUIET_SECONDS)

    def _leave_behind(self, attempt: Performance) -> None:
        """An attempt has ended early since this is being closed, and says so by ``asyncio.CancelledError``: there is no
        outcome, and the next opening begins it again."""
        with self._closing:
            if self._take_out(attempt):
                self._left += 1
        self._wake_if_idle()

    def _drop(self, attempt: Performance, why: ActivityCancellationDetails) -> None:
        self._unbegun.discard(attempt)
        self._tell(attempt, why)
        if attempt.refuse is not None:
            attempt.refuse()

    def _tell(self, attempt: Performance, why: ActivityCancellationDetails) -> None:
        """Let an attempt know that it is cancelled: by its flag, and where it can be interrupted by an exception."""
        attempt.cancel(why)
        if attempt.task.definition.is_async:
            self._loop_tasks.cancel(attempt)
        elif attempt.task.definition.in_process and self._processes is not None:
            self._processes.cancel(attempt, why)
        else:
            self._interrupts.strike(attempt)

    def _claim(self, attempt: Performance) -> bool:
        try:
            self._unbegun.remove(attempt)
        except KeyError:
            return False
        return True

    def _perform_on_thread(self, attempt: Performance) -> None:
        # The permit first: an attempt that waits for it has not begun, whatever becomes of it.
        if (attempt.task.permit is None or self._permitted(attempt, attempt.task.permit)) and self._claim(attempt):
            # A fresh context is cheap, and keeps what one activity sets from the next one on this thread.
            self._settle(attempt, contextvars.Context().run(self._caller.call, attempt, attempt.task))

    def _put_in_process(self, attempt: Performance) -> None:
        if self._processes is None:
            # Few programs need it, and multiprocessing takes its time to load.
            from .processes import Processes

            self._processes = Processes(
                self._caller, limit=self._most_processes or os.cpu_count() or 1, work=self._perform_in_process
            )
        self._processes.put(attempt)

    def _perform_in_process(self, processes: Processes, attempt: Performance) -> None:
        if attempt not in self._unbegun:
            return
        try:
            # The process first: to start one takes time, which is not the attempt's.
            worker = processes.worker()
        except ApplicationError as error:
            if self._claim(attempt):
                self._settle(attempt, self._caller.failed(error))
            return
        if (attempt.task.permit is None or self._permitted(attempt, attempt.task.permit)) and self._claim(attempt):
            self._settle(attempt, processes.perform(worker, attempt))

    def _permitted(self, attempt: Performance, permit: Permit) -> bool:
        return attempt.is_permitted(permit) or self._forget(attempt)

    async def _permitted_on_loop(self, attempt: Performance, permit: Permit) -> bool:
        return await attempt.is_permitted_on_loop(permit) or self._forget(attempt)

    def _forget(self, attempt: Performance) -> bool:
        self._unbegun.discard(attempt)
        self._take_out(attempt)
        self._wake_if_idle()
        return False

    def _take_out(self, attempt: Performance) -> bool:
        """Whether it is the caller's to end the attempt, and nobody else's."""
        # An attempt that never began may be handed over again, with the same key.
        return self._performing.get(attempt.key) is attempt and self._performing.pop(attempt.key, None) is attempt

    async def _perform_on_loop(self, attempt: Performance) -> None:
        if attempt.task.permit is not None and not await self._permitted_on_loop(attempt, attempt.task.permit):
            return
        if self._claim(attempt):
            self._settle(attempt, await self._caller.call_on_loop(attempt, attempt.task))

    def _lost(self, attempt: Performance) -> None:
        """Report an attempt whose task or place in a queue the application cancelled before it began; any other has
        settled itself."""
        if self._claim(attempt):
            self._settle(attempt, NeverBegan())

    def _ended_in_executor(self, attempt: Performance, handed: concurrent.futures.Future[None]) -> None:
        # An executor that breaks before it begins an item ends it with an exception.
        if handed.cancelled() or handed.exception() is not None:
            self._lost(attempt)

    def _settle(self, attempt: Performance, outcome: Outcome | None) -> None:
        """Report an attempt that has ended; one that has no outcome is left behind."""
        if outcome is None:
            self._leave_behind(attempt)
            return
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
