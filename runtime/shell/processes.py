"""Processes that perform activities: each is kept by a thread here, which hands it one attempt at a time.

A process is started when an attempt needs one, and is used again. One that dies takes its own attempt along and no
other; the next attempt of its thread starts another. With processes of a pool that share their queues a dead one would
end all of them.
"""

from __future__ import annotations

import functools
import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..model.cancellation import ActivityCancellationDetails
from ..model.errors import ApplicationError
from .attempt_rows import failure_in
from .calling import Caller
from .performance import Performance
from .process_child import Beaten, Cancel, Ended, Perform, ShutDown, serve
from .task import Completed, Failed, Outcome
from .threads import DaemonThreads

__all__ = ["Processes", "Worker"]

DIED_SECONDS = 5.0  # the system reaps a process whose pipe is closed at once
END_SECONDS = 1.0  # what processes get to end by themselves, and one that is killed to be gone
LOOK_SECONDS = 1.0  # how often it is looked whether a process that says nothing is there

# One thread starts a process at a time: what multiprocessing keeps of all of them is not safe otherwise.
_STARTING = threading.Lock()


class Worker:
    """One process.

    Raises:
        ApplicationError: it could not be started.
    """

    def __init__(self, caller: Caller) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._sending = threading.Lock()
        # What is to be told it by whoever cannot wait until it takes something.
        self._unsent: deque[Cancel | ShutDown] = deque()
        self._caller = caller
        try:
            with _STARTING:
                self._process = context.Process(
                    target=serve, args=(theirs, caller.converter), name="greenroom-activity", daemon=True
                )
                self._process.start()
        except Exception as error:
            raise ApplicationError(f"no process can be started: {error}", type="ProcessNotStarted") from error
        finally:
            # If we kept it, nobody would notice that the process is gone.
            theirs.close()

    def wait_until_ready(self) -> None:
        """Wait until it has loaded the program.

        Raises:
            ApplicationError: it has ended instead.
        """
        try:
            self._receive()
        except (EOFError, OSError) as error:
            raise ApplicationError(
                f"a process for activities has ended before it was ready ({self._how_it_died()}), and has printed why; "
                "a script that is run keeps what it does under if __name__ == '__main__':",
                type="ProcessNotStarted",
            ) from error

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def perform(self, attempt: Performance) -> Outcome | None:
        """Have it perform an attempt, and wait for the end; None if it is left to the next opening."""
        task = attempt.task
        fn: Any = task.definition.fn
        attempt.started_at_ns = self._caller.clock()
        try:
            with self._sending:
                self._connection.send(
                    Perform(
                        *(task.key, fn.__module__, fn.__qualname__, task.args),
                        *(task.info.started(attempt.started_at_ns), task.details, attempt.cancellation),
                    )
                )
            self._send_unsent()
            while not isinstance(message := self._receive(), Ended):
                if isinstance(message, Beaten) and message.key == task.key:
                    attempt.beat(message.details)
        except (EOFError, OSError):
            died = f"the process that performed it has died ({self._how_it_died()}); what it did is not known"
            return self._caller.failed(ApplicationError(died, type="ProcessDied"))
        if message.result is not None:
            return Completed(message.result)
        failure = failure_in(message.failure or b"")
        return None if failure is None else Failed(failure)

    def tell(self, message: Cancel | ShutDown) -> None:
        """Send it something, if it is there; does not wait while it takes nothing."""
        self._unsent.append(message)
        self._send_unsent()

    def end(self, seconds: float) -> None:
        """Wait until it has ended, and have it end by force if it has not after so many seconds."""
        self._process.join(seconds)
        if self._process.is_alive():
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join(END_SECONDS)

    def _send_unsent(self) -> None:
        # Whoever sends now looks again afterwards, so nothing stays.
        while self._unsent and self._sending.acquire(blocking=False):
            try:
                while self._unsent:
                    self._connection.send(self._unsent.popleft())
            except OSError:
                # Whoever waits for it hears that it has died.
                self._unsent.clear()
            finally:
                self._sending.release()

    def _receive(self) -> object:
        # A process that it has forked has the pipe too, and keeps it open when it is gone.
        while not self._connection.poll(LOOK_SECONDS):
            if not self._process.is_alive() and not self._connection.poll():
                raise EOFError
        return self._connection.recv()

    def _how_it_died(self) -> str:
        self._process.join(DIED_SECONDS)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"killed by {_SIGNALS.get(-code, f'signal {-code}')}"
        return f"exit code {code}"


_SIGNALS = {each.value: each.name for each in signal.Signals}


class Processes:
    """Up to ``limit`` processes.

    Args:
        caller: whose converter and clock they have.
        limit: most processes at a time.
        work: what is done with an attempt, on the thread that keeps a process: ``work(self, attempt)``.
    """

    __slots__ = ("_busy", "_caller", "_is_closed", "_keepers", "_starting", "_workers")

    def __init__(self, caller: Caller, *, limit: int, work: Callable[[Processes, Performance], object]) -> None:
        self._caller = caller
        self._keepers: DaemonThreads[Performance] = DaemonThreads(
            functools.partial(work, self), limit=limit, name="greenroom-process"
        )
        # By the thread that keeps it.
        self._workers: dict[int, Worker] = {}
        self._busy: dict[Performance, Worker] = {}
        self._is_closed = False
        self._starting = threading.Lock()

    def put(self, attempt: Performance) -> None:
        """Have an attempt performed as soon as a process is free; never blocks."""
        self._keepers.put(attempt)

    def worker(self) -> Worker:
        """The process that this thread keeps, started if need be.

        Raises:
            ApplicationError: it cannot be started, or these are closed.
        """
        mine = threading.get_ident()
        worker = self._workers.get(mine)
        if worker is None or not worker.is_alive:
            with self._starting:
                if self._is_closed:
                    raise ApplicationError("the runtime closes", type="ProcessNotStarted")
                worker = self._workers[mine] = Worker(self._caller)
            worker.wait_until_ready()
        return worker

    def perform(self, worker: Worker, attempt: Performance) -> Outcome | None:
        """Have an attempt performed, which can be cancelled meanwhile."""
        # Before it is sent: whoever cancels it either finds the process or is seen when it is sent.
        self._busy[attempt] = worker
        try:
            return worker.perform(attempt)
        except Exception as error:
            # What it says cannot be read, say: it is of no use any more, and the attempt must end all the same.
            worker.kill()
            broken = ApplicationError(f"the process that performs it cannot be used: {error!r}", type="ProcessDied")
            return self._caller.failed(broken)
        finally:
            del self._busy[attempt]

    def cancel(self, attempt: Performance, why: ActivityCancellationDetails) -> None:
        """Tell an attempt that it is cancelled; it has to ask."""
        worker = self._busy.get(attempt)
        if worker is not None:
            worker.tell(Cancel(attempt.key, why))

    def shut_down(self) -> None:
        """Tell all of them that the runtime closes."""
        for worker in list(self._workers.values()):
            worker.tell(ShutDown(is_over=False))

    def close(self, timeout: float) -> None:
        """End all of them."""
        # One that is being started is waited for.
        with self._starting:
            self._is_closed = True
        workers = list(self._workers.values())
        for worker in workers:
            worker.tell(ShutDown(is_over=True))
        ends_at = time.monotonic() + END_SECONDS
        for worker in workers:
            worker.end(max(0.0, ends_at - time.monotonic()))
        self._keepers.close(timeout)
