"""Ends turns that take too long: a thread of its own watches, and raises an exception in the one that takes the turn.

A turn that hears of nothing, because it is blocked outside Python, has its thread left behind. Whoever runs the turn
says when user code begins and ends; the exception never reaches any other code.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from .async_exceptions import async_exception_setter, frame_of, is_delicate
from .turn_progress import TICKS, Progress, processor_clock

__all__ = ["ThreadAbandoned", "TurnDeadline", "TurnExceeded", "Watchdog"]

_MOST_HITS = 3


class TurnExceeded(BaseException):
    """The turn has taken too long; ``stack`` is where it was.

    Derives from BaseException so that ``except Exception`` in user code lets it pass.
    """

    def __init__(self, stack: str = "") -> None:
        super().__init__("the turn has taken too long")
        self.stack = stack


class ThreadAbandoned(BaseException):
    """Another thread has taken over: this one must not touch anything any more."""


class TurnDeadline:
    """The turns of one thread.

    Attributes:
        number: counts the stretches of user code.
        owner: whose code runs now, or None.
        what: what it was called for.
        thread: ident of the thread that runs it.
        stack: where the code was when its time was over.
    """

    __slots__ = ("_is_abandoned", "_is_hit", "_lock", "_wake", "number", "owner", "stack", "thread", "what")

    def __init__(self) -> None:
        self.number = 0
        self.owner: Any = None
        self.what: Any = None
        self.thread = 0
        self.stack = ""
        self._is_hit = False
        self._is_abandoned = False
        self._lock = threading.Lock()
        # Set by a watchdog that sleeps until there is something to watch.
        self._wake: Callable[[], None] | None = None

    def begin(self, owner: object, what: object) -> None:
        """User code begins.

        Args:
            owner: told by ``cut(what)`` that the code is to come to its end, on the watchdog's thread; and by whoever
                takes over that it will not.
            what: what the code was called for.
        """
        self.number += 1
        self.what = what
        self.owner = owner
        if self._wake is not None:
            self._wake()

    def end(self) -> None:
        """User code has ended; may be called again.

        Raises:
            TurnExceeded: it has taken too long, whatever came of it.
            ThreadAbandoned: another thread has taken over.
        """
        self.owner = None
        if self._is_hit:
            self._settle()

    def _settle(self) -> None:
        was_hit = False
        while True:
            try:
                with self._lock:
                    self.owner = None
                    if self._is_abandoned:
                        raise ThreadAbandoned
                    # The watchdog may have seen in time that the turn was over.
                    was_hit, self._is_hit = was_hit or self._is_hit, False
                # What it has sent comes at the next jump backwards, if it has not come yet. It is not taken back:
                # Python 3.11 would go on looking for it in every thread, and a thread that is traced would hang there.
                for _ in range(8):
                    pass
                break
            except TurnExceeded:
                was_hit = True
        if was_hit:
            raise TurnExceeded(self.stack)

    # For the watchdog.

    def hit(self, number: int) -> bool:
        """End a turn if it is still the one of that number, unless that would be delicate just now.

        Returns:
            Whether it is still the one.
        """
        return self._mark(number, self._send)

    def abandon(self, number: int) -> bool:
        """Leave the thread of a turn behind if it is still the one of that number; whether it was."""
        return self._mark(number, self._leave_behind)

    def _mark(self, number: int, then: Callable[[Any, Any], object]) -> bool:
        with self._lock:
            stack = _stack_of(self.thread)
            # First the mark, then the look: the turn clears its owner first and then looks for the mark.
            was_hit, self._is_hit = self._is_hit, True
            owner, what = self.owner, self.what
            if owner is None or self.number != number:
                self._is_hit = was_hit
                return False
            if not was_hit:
                self.stack = stack
            # The turn may come to its end meanwhile, and then waits for the lock.
            then(owner, what)
            return True

    def _leave_behind(self, owner: Any, what: Any) -> None:
        self._is_abandoned = True

    def _send(self, owner: Any, what: Any) -> None:
        owner.cut(what)
        set_async_exc = async_exception_setter()
        # With the interpreter just got back, nobody else gets it between the look and the sending.
        time.sleep(0)
        if not is_delicate(frame_of(self.thread)):
            set_async_exc(self.thread, TurnExceeded)

    def sleep_until_begun(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when user code begins."""
        self._wake = wake

    def woken(self) -> None:
        """Nobody need be woken."""
        self._wake = None


class Watchdog:
    """Watches the turns of one dispatcher.

    Args:
        deadline: the turns.
        seconds: how long a turn may take: processor time of its thread, or time in which that thread is blocked.
        most_abandoned: threads that may be left behind; then nothing helps against a turn that blocks.
        abandoned: told on the watchdog's thread of a turn whose thread is left behind, with its deadline: whoever takes
            over gives ``watch`` the turns of the new thread.
        stuck: told if a thread cannot be left behind.
    """

    def __init__(
        self,
        deadline: TurnDeadline,
        seconds: float,
        *,
        most_abandoned: int,
        abandoned: Callable[[TurnDeadline], TurnDeadline],
        stuck: Callable[[TurnDeadline], None],
    ) -> None:
        self._deadline = deadline
        self._seconds = seconds
        self._most_abandoned = most_abandoned
        self._abandoned = abandoned
        self._stuck = stuck
        self._is_stopping = False
        self._event = threading.Event()
        self._thread: threading.Thread | None = None
        self.threads_abandoned = 0

    def start(self, name: str) -> None:
        """Start to watch."""
        self._thread = thread = threading.Thread(target=self._run, name=name, daemon=True)
        thread.start()

    def stop(self) -> None:
        """Watch no more; returns when the thread has ended."""
        self._is_stopping = True
        self._event.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        tick = self._seconds / TICKS
        while not self._is_stopping:
            deadline = self._deadline
            number = deadline.number
            if deadline.owner is None:
                if self._pause(tick) and deadline.number == number:
                    self._sleep(deadline, number)
            elif deadline.thread:
                self._watch(deadline, number, tick)
            else:
                # Whoever takes over has not said yet on which thread.
                self._pause(tick)

    def _pause(self, seconds: float) -> bool:
        """Wait; False if it was interrupted."""
        if self._event.wait(seconds):
            self._event.clear()
            return False
        return True

    def _sleep(self, deadline: TurnDeadline, number: int) -> None:
        """Nothing is going on: wait, without a limit, until something is."""
        deadline.sleep_until_begun(self._event.set)
        # A turn that began meanwhile has not seen that somebody wants to be woken.
        if deadline.number == number and not self._is_stopping:
            self._event.wait()
        deadline.woken()
        self._event.clear()

    def _watch(self, deadline: TurnDeadline, number: int, tick: float) -> None:
        """Watch one turn until it is over, or its thread is left behind."""
        progress = Progress(processor_clock(deadline.thread), self._seconds)
        hits = 0
        while deadline.number == number and deadline.owner is not None and not self._is_stopping:
            self._pause(tick)
            progress.look()
            if progress.is_blocked or hits >= _MOST_HITS:
                # To send it anything would be for nothing.
                if self._leave_behind(deadline, number):
                    return
            elif progress.is_over:
                if not deadline.hit(number):
                    return
                hits += 1

    def _leave_behind(self, deadline: TurnDeadline, number: int) -> bool:
        if self.threads_abandoned >= self._most_abandoned:
            self._stuck(deadline)
            return False
        if not deadline.abandon(number):
            return True
        self.threads_abandoned += 1
        self._deadline = self._abandoned(deadline)
        return True


def _stack_of(thread: int) -> str:
    """Where a thread is, without what has called the code that it runs."""
    theirs = [each for each in traceback.walk_stack(frame_of(thread)) if not _is_own(each[0].f_globals.get("__name__"))]
    return "".join(traceback.StackSummary.extract(reversed(theirs)).format())


def _is_own(module: object) -> bool:
    return str(module).startswith((_PACKAGE, "threading"))


_PACKAGE = __name__.partition(".")[0] + "."
