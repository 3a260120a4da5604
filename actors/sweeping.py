"""One sweep over what there is to do, by whichever thread: what was handed in from other threads, then what is due,
then one turn of each scheduled actor, round and round, up to its limits; then ``on_sweep`` is called, once."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import Any, Protocol

from .clock import Clock, SystemClock, stopwatch
from .deadlines import Deadlines
from .mailbox import Mailbox
from .turn_deadline import ThreadAbandoned
from .wakeups import hold_wakeups

__all__ = ["Runnable", "Sweeping"]

# What is handed in is taken this much at a time, so that a flood of it holds up nobody who has a turn to take.
_MAX_INTAKE = 1000

_LONGEST_SWEEP_SECONDS = 0.02

logger = logging.getLogger("greenroom.actors")


class Runnable(Protocol):
    """What a dispatcher runs: something with a mailbox that takes turns."""

    @property
    def actor_inbox(self) -> Mailbox:
        """Its mailbox."""
        ...

    def run_turn(self) -> bool:
        """Take one turn; True if there is more to do though nothing came into the mailbox."""
        ...

    def abandon(self, reason: str) -> None:
        """Stop for good; what is left in the mailbox fails with ``reason``."""
        ...


class Sweeping:
    """What there is to do, and a sweep over it; the arguments are those of ``Dispatcher``."""

    def __init__(
        self,
        *,
        name: str,
        clock: Clock | None,
        max_turns: int,
        max_seconds: float,
        on_sweep: Callable[[], None] | None,
        is_full: Callable[[], bool] | None,
        on_error: Callable[[BaseException], None] | None,
    ) -> None:
        self.name = name
        self.clock: Clock = SystemClock() if clock is None else clock
        self._elapsed_ns = stopwatch(self.clock)
        self._max_turns = max_turns
        self._max_seconds = self._seconds = max_seconds
        self._on_sweep = on_sweep
        self._is_full = is_full
        self._on_error = on_error
        self._ready: deque[Runnable] = deque()
        self._intake: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._deadlines = Deadlines()
        # By elapsed time.
        self._waits = Deadlines()
        self._holding: hold_wakeups | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is queued; a deadline that is not due yet does not count."""
        return not self._ready and not self._intake

    def handed_in(self) -> list[tuple[Callable[..., object], tuple[Any, ...]]]:
        """Return the calls that were handed in and are still to be made, with their arguments, the oldest first."""
        return list(self._intake)

    def next_deadline_ns(self) -> int | None:
        """Return when the next deadline is due (nanoseconds since the epoch), or None."""
        at_ns, wait_ns = self._deadlines.next_ns(), self._waits.next_ns()
        if wait_ns is None:
            return at_ns
        wait_ns += self.clock.now_ns() - self._elapsed_ns()
        return wait_ns if at_ns is None else min(at_ns, wait_ns)

    def elapsed_ns(self) -> int:
        """Return nanoseconds for lengths of time: they only grow, if the clock can tell such ones."""
        return self._elapsed_ns()

    def _sweep(self, max_turns: int, max_seconds: float) -> bool:
        """Run one sweep: this is the hot loop."""
        intake, ready, is_full = self._intake, self._ready, self._is_full
        has_run = False
        with hold_wakeups() as self._holding:
            for _ in range(min(len(intake), _MAX_INTAKE)):
                has_run = True
                fn, args = intake.popleft()
                try:
                    fn(*args)
                except ThreadAbandoned:
                    raise
                except BaseException as error:
                    # Nothing that is called may end the thread that runs every actor.
                    self._report(error)
            if self._deadlines.earliest_ns <= self.clock.now_ns():
                for callback in self._deadlines.pop_due(self.clock.now_ns()):
                    has_run = True
                    self._guarded(callback)
            if self._waits.earliest_ns < inf:
                for callback in self._waits.pop_due(self._elapsed_ns()):
                    has_run = True
                    self._guarded(callback)
            if ready:
                has_run = True
                until = perf_counter() + max_seconds
                while True:
                    actor = ready.popleft()
                    try:
                        has_more = actor.run_turn()
                    except ThreadAbandoned:
                        # Whoever has taken over has seen to the actor.
                        raise
                    except BaseException as error:
                        # Actors contain what user code raises; this is our own fault, and the others go on.
                        has_more = False
                        self._report(error, actor)
                    if has_more or actor.actor_inbox.settle():
                        ready.append(actor)
                    max_turns -= 1
                    if not ready or max_turns <= 0 or perf_counter() >= until or (is_full is not None and is_full()):
                        break
            if has_run and self._on_sweep is not None:
                began = perf_counter()
                self._guarded(self._on_sweep)
                # Where ending a sweep takes long (a slow disk, a thread that computes) a sweep takes more turns, so
                # that most of the time goes into turns.
                self._seconds = min(max(self._max_seconds, 2 * (perf_counter() - began)), _LONGEST_SWEEP_SECONDS)
        return has_run

    def _guarded(self, fn: Callable[[], object]) -> None:
        try:
            fn()
        except ThreadAbandoned:
            raise
        except BaseException as error:
            # Nothing that is called may end the thread that runs every actor.
            self._report(error)

    def _report(self, error: BaseException, actor: Runnable | None = None) -> None:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            # Driven by hand on the main thread: Ctrl-C belongs to the person at the keyboard.
            if actor is not None and actor.actor_inbox.settle():
                self._ready.append(actor)
            raise error
        try:
            if self._on_error is not None:
                self._on_error(error)
                return
        except BaseException:
            # As above; the first error is logged below with this one.
            logger.critical("The on_error hook of dispatcher %r raised", self.name, exc_info=True)
        logger.critical("An exception escaped on dispatcher %r", self.name, exc_info=error)
