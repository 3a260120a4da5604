"""One attempt that was handed over: what its own code sees, and what the performer knows of it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from queue import SimpleQueue

from ..attempt import Attempt, Notice
from ..model.activity_info import ActivityInfo
from ..model.cancellation import ActivityCancellationDetails
from ..model.errors import CancelledError
from .calling import Caller
from .interrupts import Interrupts, Shield
from .pulse import Pulse
from .task import Permit, Task

__all__ = ["Performance"]

# Held while an attempt beats for the first time: two threads of one must not give it two pulses.
_FIRST_BEAT = threading.Lock()


class Performance(Attempt):
    """One attempt.

    Args:
        caller: who will call it.
        shutdown: the notice of its performer.
        interrupts: what may interrupt its thread.

    Attributes:
        pulse: its heartbeats, once there was one.
        refuse: what makes it stop waiting for its permit, while it does.
        depth, is_due, is_struck, thread: see ``interrupts.Target``.
    """

    __slots__ = (
        "_caller",
        "_interrupts",
        "depth",
        "is_due",
        "is_struck",
        "key",
        "pulse",
        "refuse",
        "task",
        "thread",
    )

    def __init__(self, task: Task, caller: Caller, shutdown: Notice, interrupts: Interrupts) -> None:
        # Not by way of the attempt's own: one is made for every attempt.
        self._info = task.info
        self._notice: Notice | None = None
        self.shutdown = shutdown
        self.cancellation: ActivityCancellationDetails | None = None
        self.started_at_ns: int | None = None
        self.task = task
        self.key = task.key
        self.refuse: Callable[[], None] | None = None
        self.pulse: Pulse | None = None
        self.depth = 0
        self.is_due = False
        self.is_struck = False
        self.thread: int | None = None
        self._caller = caller
        self._interrupts = interrupts

    @property
    def info(self) -> ActivityInfo:
        """The facts of the attempt; what an earlier one has said is decoded when it is first asked for."""
        if self.task.details and not self._info.heartbeat_details:
            said = self._caller.converter.decode_args(self.task.details, None)
            self._info = self._info.with_details(tuple(said))
        return super().info

    # Heartbeats.

    def heartbeat(self, details: tuple[object, ...]) -> None:
        """Say that it goes on."""
        if self.is_due:
            self.raise_if_due()
        self.beat(self._caller.converter.encode_args(details) if details else b"")

    def beat(self, details: bytes) -> None:
        """As ``heartbeat``, with the payload of the details."""
        pulse, at_ns = self.pulse, self._caller.clock()
        if pulse is None:
            with self.shielded(), _FIRST_BEAT:
                pulse = self.pulse
                if pulse is None:
                    pulse = self.pulse = Pulse(at_ns, details, self.task.details)
                    self._tell(pulse)
                    return
        pulse.details = details
        pulse.at_ns = at_ns
        if not pulse.is_noticed and details != pulse.kept:
            with self.shielded():
                self._tell(pulse)

    def _tell(self, pulse: Pulse) -> None:
        pulse.is_noticed = True
        if self.task.beats is not None:
            self.task.beats(self.task, pulse)

    # Its thread, if it has one that may be interrupted.

    def begin(self) -> None:
        """Its code is about to be called, on this thread."""
        if self.task.definition.is_interruptible:
            self._interrupts.open(self)

    def end(self) -> None:
        """Its code has ended, on this thread."""
        self._interrupts.calm(self)

    def wait(self, notice: Notice, timeout: float | None) -> bool:
        """Block this thread until something happens or ``timeout`` seconds are over; return whether it has happened."""
        drive = self._caller.drive
        if drive is None:
            return notice.wait(timeout)
        drive(notice.is_set, timeout)
        self.raise_if_due()
        return notice.is_set()

    def shielded(self) -> AbstractContextManager[object]:
        """Keep the exception of a cancellation out of what stands within."""
        if self.thread == threading.get_ident():
            return Shield(self._interrupts, self)
        return Attempt.shielded(self)

    def raise_if_due(self) -> None:
        """Raise the exception that its own thread is still to raise.

        Raises:
            CancelledError: there is one, and nothing shields from it.
        """
        if self.is_due and not self.depth:
            self.is_due = False
            raise CancelledError

    # The permit of an attempt that is counted.

    def is_permitted(self, permit: Permit) -> bool:
        """Wait for it on the thread that is about to begin."""
        answers: SimpleQueue[bool] = SimpleQueue()
        self.refuse = functools.partial(answers.put, False)
        # Only now: whoever drops the attempt either sees how to refuse or is seen here.
        if self.cancellation is not None:
            return False
        permit(self.task, answers.put)
        return answers.get()

    async def is_permitted_on_loop(self, permit: Permit) -> bool:
        """Wait for it on the loop."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def granted(is_granted: bool) -> None:
            # A closed loop needs no answer.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: None if answer.done() else answer.set_result(is_granted))

        permit(self.task, granted)
        return await answer
