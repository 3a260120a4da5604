"""One thread, many actors: sweep, then wait until there is more.

A started dispatcher does so on its own daemon thread; one that is never started is driven by hand with ``step()`` and
``sweep()``, through the same code.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, NoReturn

from .clock import Clock, ManualClock
from .dead_letters import DeadLetters
from .deadlines import Deadline
from .dispatcher_threads import running_actors
from .errors import DispatcherClosedError
from .gate import Gate
from .sweeping import Runnable, Sweeping
from .turn_deadline import ThreadAbandoned
from .wakeups import hold_wakeups

__all__ = ["Dispatcher"]

# A suspended machine or a stepped system clock is noticed after this long.
_LONGEST_WAIT_SECONDS = 60.0

logger = logging.getLogger("greenroom.actors")


class Dispatcher(Sweeping):
    """Runs actors one turn at a time on one thread.

    Args:
        name: of the thread, and in messages.
        clock: what deadlines go by (default: the system's).
        max_turns: turns a sweep takes at most.
        max_seconds: time a sweep's turns take at most, or twice what ending the last sweep took, up to 20 ms, if that
            is more; a sweep driven by hand has no such limit.
        on_sweep: called at the end of each sweep in which anything ran.
        is_full: asked after each turn; True ends the sweep.
        on_idle: called on the dispatcher's thread just before it waits.
        on_end: called once, on the dispatcher's thread, when it has come to its end.
        on_error: told what escapes an actor, a callback or a hook (default: it is logged as critical).
        dead_letters: where mail to nobody goes (default: its own).
    """

    def __init__(
        self,
        *,
        name: str = "greenroom",
        clock: Clock | None = None,
        max_turns: int = 256,
        max_seconds: float = 0.005,
        on_sweep: Callable[[], None] | None = None,
        is_full: Callable[[], bool] | None = None,
        on_idle: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
        on_error: Callable[[BaseException], None] | None = None,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        super().__init__(
            name=name,
            clock=clock,
            max_turns=max_turns,
            max_seconds=max_seconds,
            on_sweep=on_sweep,
            is_full=is_full,
            on_error=on_error,
        )
        self.dead_letters = DeadLetters() if dead_letters is None else dead_letters
        self._on_idle = on_idle
        self._on_end = on_end
        self._lock = threading.RLock()
        self._is_closing = False
        self._is_ended = False
        self._give_up_at = inf
        self._thread: threading.Thread | None = None
        self._runner: int | None = None
        self._over = threading.Event()
        self._at_end: dict[object, Callable[[], None]] = {}
        self._gate = Gate()

    def __repr__(self) -> str:
        state = (
            "ended" if self._is_ended else "closing" if self._is_closing else "started" if self._thread else "manual"
        )
        return f"<Dispatcher {self.name!r} {state}>"

    @property
    def is_closed(self) -> bool:
        """Whether the dispatcher has been asked to close."""
        return self._is_closing

    @property
    def is_started(self) -> bool:
        """Whether it has a thread of its own, or has had one."""
        return self._thread is not None

    def is_current(self) -> bool:
        """Whether the caller is being run by this dispatcher."""
        return self._runner == threading.get_ident()

    def start(self) -> None:
        """Start the dispatcher's own daemon thread.

        Raises:
            DispatcherClosedError: it has been closed.
            RuntimeError: it has been started already.
        """
        with self._lock:
            if self._is_closing:
                raise DispatcherClosedError(self.name)
            if self._thread is not None:
                raise RuntimeError(f"dispatcher {self.name!r} has been started already; start() is called once")
            # Known before it runs: an interrupt while it is being started must not lose it.
            self._thread = thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._thread = None
                raise

    def close(self, *, timeout: float | None = None) -> bool:
        """Take no more from outside, finish what is queued, then end.

        On the dispatcher's own thread it only asks. What is queued by the work being finished is finished too; what
        is still left after ``timeout`` is abandoned: its actors stop and their mail fails. A supervisor is abandoned
        with its tree, without ``on_stop``; an actor that has nothing to do is not seen to, and stops when mail comes.

        Args:
            timeout: seconds to wait at most; None waits until all is done.

        Returns:
            Whether the dispatcher has ended.
        """
        with self._lock:
            self._is_closing = True
            if timeout is not None:
                self._give_up_at = min(self._give_up_at, perf_counter() + timeout)
            thread = self._thread
        if self.is_current():
            return False
        if thread is None:
            if self._runner is not None:
                self._refuse_to_be_run()
            self._runner = threading.get_ident()
            try:
                with running_actors():
                    self._finish()
            finally:
                self._runner = None
            return True
        self._gate.open()
        # Not the thread: another one may take over.
        if self._over.wait(timeout) and self._thread is not None:
            self._thread.join(timeout)
        return self._over.is_set()

    def take_over(self, first: Callable[[], object], actor: Runnable | None) -> None:
        """Go on, on a new thread, with the sweep whose thread is blocked for good in a turn or a callback.

        Args:
            first: called on the new thread before anything else.
            actor: whose turn it was, or None.
        """
        with self._lock:
            arguments = (first, actor)
            self._thread = thread = threading.Thread(target=self._run_on, args=arguments, name=self.name, daemon=True)
            thread.start()

    def submit(self, actor: Runnable) -> None:
        """Put an actor whose mailbox was just marked scheduled into the run queue."""
        self._ready.append(actor)
        if self._gate.is_waiting:
            self._gate.open()
        elif self._is_ended and not self.is_current():
            self._abandon_late(actor)

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Have ``fn(*args)`` called on the dispatcher's thread at the start of the next sweep, in order; thread-safe.

        Args:
            fn: what is called.
            *args: its arguments.

        Raises:
            DispatcherClosedError: the dispatcher has been closed; its own work may go on calling until it has ended.
        """
        if self._is_closing and (self._is_ended or not self.is_current()):
            raise DispatcherClosedError(self.name)
        call = fn, args
        # No lock: a thread that loses the interpreter while it holds one stops all the others.
        self._intake.append(call)
        if self._gate.is_waiting:
            self._gate.open()
        elif self._is_ended:
            self._take_back(call)

    def call_at(self, at_ns: int, fn: Callable[..., object], *args: Any) -> Deadline:
        """Have ``fn(*args)`` called at a wall time; on the dispatcher's thread, or before it is started.

        Args:
            at_ns: nanoseconds since the epoch, UTC.
            fn: what is called.
            *args: its arguments.

        Raises:
            RuntimeError: called from another thread; use ``call_soon(dispatcher.call_at, ...)`` there.
        """
        self._refuse_other_threads("call_at", "at_ns")
        return self._deadlines.add(at_ns, partial(fn, *args) if args else fn)

    def call_after(self, delay_ns: int, fn: Callable[..., object], *args: Any) -> Deadline:
        """Have ``fn(*args)`` called after a length of time, even if the clock is set back meanwhile; as ``call_at``.

        Args:
            delay_ns: nanoseconds from now; by wall time if the clock has no ``elapsed_ns``.
            fn: what is called.
            *args: its arguments.

        Raises:
            RuntimeError: called from another thread; use ``call_soon(dispatcher.call_after, ...)`` there.
        """
        self._refuse_other_threads("call_after", "delay_ns")
        return self._waits.add(self._elapsed_ns() + delay_ns, partial(fn, *args) if args else fn)

    def _refuse_other_threads(self, name: str, when: str) -> None:
        if self._thread is not None and not self.is_current():
            raise RuntimeError(
                f"{name}() of dispatcher {self.name!r} called on thread {threading.current_thread().name!r}; "
                f"from other threads use call_soon(dispatcher.{name}, {when}, fn)"
            )

    def call_at_end(self, who: object, fn: Callable[[], None]) -> None:
        """Have ``fn()`` called on the dispatcher's thread when it has come to its end.

        Args:
            who: for whom; ``forget_at_end(who)`` takes it back.
            fn: what is called.
        """
        self._at_end[who] = fn

    def forget_at_end(self, who: object) -> None:
        """Call nothing for ``who`` at the end."""
        self._at_end.pop(who, None)

    def step(self) -> bool:
        """Run what was handed in, what is due and exactly one turn; False if there was nothing to do.

        Raises:
            RuntimeError: the dispatcher runs on its own thread.
        """
        return self._by_hand(1)

    def sweep(self) -> bool:
        """Run one whole sweep; False if there was nothing to do.

        Raises:
            RuntimeError: the dispatcher runs on its own thread.
        """
        return self._by_hand(self._max_turns)

    def _by_hand(self, max_turns: int) -> bool:
        """Run a sweep on the calling thread."""
        if self._runner is not None or self._thread is not None:
            self._refuse_to_be_run()
        self._runner = threading.get_ident()
        try:
            with running_actors():
                return self._sweep(max_turns, inf)
        finally:
            self._runner = None

    def _refuse_to_be_run(self) -> NoReturn:
        raise RuntimeError(f"dispatcher {self.name!r} is being run already; it can be driven by hand by one caller")

    def _run(self) -> None:
        self._runner = threading.get_ident()
        unsubscribe = self.clock.subscribe(self._gate.open_if_waiting) if isinstance(self.clock, ManualClock) else None
        is_abandoned = False
        try:
            with running_actors():
                self._go_on()
        except ThreadAbandoned:
            is_abandoned = True
            logger.info("a thread of dispatcher %r that was left behind has come to its end", self.name)
        finally:
            if unsubscribe is not None:
                unsubscribe()
            if not is_abandoned:
                # The system gives the number of a thread that has ended to another one.
                self._runner = None
                self._over.set()

    def _run_on(self, first: Callable[[], object], actor: Runnable | None) -> None:
        """Go on where another thread was left behind, in the middle of a sweep."""
        self._runner = threading.get_ident()
        holding = self._holding
        with running_actors(), hold_wakeups():
            self._guarded(first)
            if actor is not None and actor.actor_inbox.settle():
                self._ready.append(actor)
            if self._on_sweep is not None:
                self._guarded(self._on_sweep)
        if holding is not None:
            holding.deliver()
        self._run()

    def _go_on(self) -> None:
        while not self._is_closing:
            try:
                self._sweep(self._max_turns, self._seconds)
            except ThreadAbandoned:
                raise
            except BaseException as error:
                # Our own fault; whatever it is, this is the thread that runs every actor.
                self._report(error)
            if not self._ready and not self._intake:
                if self._on_idle is not None:
                    self._guarded(self._on_idle)
                self._gate.wait(self._patience)
        self._finish()

    def _patience(self) -> float:
        """Return the seconds to wait for more work, 0 if there is some."""
        if self._ready or self._intake or self._is_closing:
            return 0.0
        at_ns = self.next_deadline_ns()
        if at_ns is None:
            return _LONGEST_WAIT_SECONDS
        left_ns = at_ns - self.clock.now_ns()
        if left_ns > 0 and isinstance(self.clock, ManualClock):
            # It tells when it moves; its nanoseconds are not ours.
            return _LONGEST_WAIT_SECONDS
        return min(_LONGEST_WAIT_SECONDS, max(0.0, left_ns / 1e9))

    def _finish(self) -> None:
        """Do what is queued, and what that queues, then end."""
        while (self._ready or self._intake) and perf_counter() < self._give_up_at:
            self._sweep(self._max_turns, self._max_seconds)
        # First the mark, then a last look: who hands something in does so first and then looks for the mark.
        self._is_ended = True
        while self._intake or (self._ready and perf_counter() < self._give_up_at):
            self._sweep(self._max_turns, self._max_seconds)
        self._abandon_ready()
        while self._at_end:
            self._guarded(self._at_end.popitem()[1])
        # Who was told of that, and cannot see to it any more.
        self._abandon_ready()
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            self._guarded(on_end)

    def _take_back(self, call: tuple[Callable[..., object], tuple[Any, ...]]) -> None:
        """It ended while ``call`` was being handed in: if the last look did not see it, nobody will."""
        try:
            self._intake.remove(call)
        except ValueError:
            return
        raise DispatcherClosedError(self.name)

    def _abandon_ready(self) -> None:
        while True:
            try:
                actor = self._ready.popleft()
            except IndexError:
                return
            self._abandon(actor)

    def _abandon_late(self, actor: Runnable) -> None:
        """It ended while ``actor`` was being put into the run queue: if nobody took it, nobody will."""
        try:
            self._ready.remove(actor)
        except ValueError:
            return
        self._abandon(actor)

    def _abandon(self, actor: Runnable) -> None:
        try:
            actor.abandon(f"dispatcher {self.name!r} is closed")
        except BaseException as error:
            # The remaining actors have senders waiting for an answer too.
            self._report(error)
