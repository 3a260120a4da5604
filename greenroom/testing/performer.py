"""Performs activities on the test's own thread, one at a time, and only when the test's driver asks for it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from typing import Any

from ..runtime.model.cancellation import ActivityCancellationDetails
from ..runtime.shell.performance import Performance
from ..runtime.shell.performer import Key, Outcome, Performer, Task
from ..runtime.shell.task import Permit
from .activity_loop import ActivityLoop
from .escapes import Escaped, WatchedCaller
from .executor import ManualExecutor

__all__ = ["ManualPerformer"]

UNWIND_ROUNDS = 1000


class ManualPerformer(Performer):
    """A performer without threads.

    An attempt that needs a permit asks for it first and is queued again once it has it: on one thread nobody can wait
    for the commit that grants it.

    Args:
        queue: where sync attempts wait.
        drive: goes on with everything else until something has happened that a sync one waits for.
        escaped: told what an attempt has raised that is meant for the test.

    Attributes:
        last: the attempt that was handed over last.
    """

    def __init__(
        self,
        *,
        converter: Any,
        report: Callable[[Task, Outcome], object],
        threads: int,
        processes: int | None,
        executor: Executor | None,
        clock: Callable[[], int],
        queue: ManualExecutor,
        drive: Callable[[Callable[[], bool], float | None], object],
        escaped: Escaped,
    ) -> None:
        super().__init__(
            converter=converter,
            report=report,
            threads=threads,
            processes=processes,
            executor=executor or queue,
            clock=clock,
        )
        self.queue = queue
        self._clock = clock
        # Made for the first async attempt, as if it were made now: most runtimes have none.
        self._loop: ActivityLoop | None = None
        self._context = contextvars.copy_context()
        self._began_ns = clock()
        self.last: Task | None = None
        self._asking: dict[Key, Task] = {}
        self._caller = WatchedCaller(converter, clock, escaped)
        self._caller.drive = drive

    def perform(self, task: Task) -> None:
        """Queue an attempt."""
        self.last = task
        if task.definition.is_async and self._loop is None and not self._closed:
            self._loop = ActivityLoop(self._clock, self._began_ns)
            self._context.run(self.use_loop, self._loop)
        if task.permit is None:
            super().perform(task)
            return
        self._asking[task.key] = task
        self.queue.submit(self._ask, task)

    def _ask(self, task: Task) -> None:
        key = task.key
        if task.permit is None or self._asking.get(key) is not task:
            return

        def answered(is_granted: bool) -> None:
            if self._asking.get(key) is task:
                del self._asking[key]
                if is_granted:
                    Performer.perform(self, task)

        task.permit(task, answered)

    def _put_in_process(self, attempt: Performance) -> None:
        # One process is enough for a test.
        self.queue.submit(self._perform_on_thread, attempt)

    def _permitted(self, attempt: Performance, permit: Permit) -> bool:
        return True

    async def _permitted_on_loop(self, attempt: Performance, permit: Permit) -> bool:
        return True

    def performing(self, key: Key) -> bool:
        """Whether an attempt was handed over, and neither reported nor abandoned."""
        return key in self._asking or super().performing(key)

    def cancel(self, key: Key, why: ActivityCancellationDetails) -> bool:
        """Have an attempt end, and wait for its answer; whether it had not begun."""
        return self._asking.pop(key, None) is not None or super().cancel(key, why)

    def abandon(self, key: Key, why: ActivityCancellationDetails) -> None:
        """Have an attempt end, and wait for it no longer."""
        self._asking.pop(key, None)
        super().abandon(key, why)

    def spin(self) -> bool:
        """Go on with async attempts, one round; False if there was nothing to do."""
        return self._loop is not None and self._loop.spin()

    def next_ns(self) -> int | None:
        """When an async attempt waits for no longer (ns since 1970), or None."""
        return None if self._loop is None else self._loop.next_ns()

    def is_on_loop(self) -> bool:
        """Whether the caller is an async attempt."""
        return self._loop is not None and self._loop.is_current()

    def close(self, *, grace: float) -> int:
        """Stop: what is queued is forgotten, async activities are cancelled and unwind; no time passes."""
        self._asking.clear()
        loop = self._loop
        # Closed from its own loop, the performer cancels at once and waits for nothing.
        with nullcontext() if loop is None else loop.running():
            left = super().close(grace=0.0)
        # Only now: what is in the queue was never begun, and nobody has cancelled it.
        self.queue.clear()
        if loop is not None:
            _unwind(loop)
        return left


def _unwind(loop: ActivityLoop) -> None:
    for _ in range(UNWIND_ROUNDS):
        # Cleaning up may take its time, which nobody has any more.
        if not loop.spin() and not loop.hasten():
            break
    loop.end()
