"""A runtime that somebody drives: nothing happens but what is asked for, and time passes only when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from ..actors import Future, ManualClock, WaitTimeoutError
from ..runtime.attempt import CURRENT
from ..runtime.model.description import WorkflowExecutionDescription
from ..runtime.model.durations import to_ns
from ..runtime.model.instants import instant
from ..runtime.runtime import Runtime
from ..runtime.shell.performance import Performance
from ..runtime.shell.targets import Target
from ..storage import RunHeader
from .errors import StuckError
from .performer import ManualPerformer
from .repetition import repeated_alone
from .standings import Standings

__all__ = ["DrivenRuntime"]

T = TypeVar("T")

Duration = timedelta | float

LIMIT_NS = 36525 * 24 * 3600 * 1_000_000_000
MOST_SKIPS = 10_000


class DrivenRuntime(Runtime):
    """The driving of a ``TestRuntime``, which has the attributes explained."""

    clock: ManualClock
    auto_skip: bool
    evictions: int
    crashes: int
    performed: int
    _evicts: bool
    _escaped: list[BaseException]
    _performer: ManualPerformer | None

    def step(self) -> bool:
        """Take exactly one turn, then its commit; False if there was nothing to do.

        Raises:
            Crash: the commit was to crash; ``crash`` goes on from what the disk has.
        """
        hands = self._opened
        has_run = hands.dispatcher.step()
        if self._escaped:
            self._raise_escaped()
        if has_run and self._evicts:
            self.evictions += hands.directory.evict()
        return has_run

    def perform_activity(self) -> bool:
        """Perform one waiting attempt, or one round of the async ones; False if there is nothing to perform."""
        performer = self._performer
        if performer is None:
            return False
        has_performed = performer.queue.perform_next()
        self.performed += has_performed
        has_run = has_performed or performer.spin()
        if self._escaped:
            self._raise_escaped()
        return has_run

    def run_until_idle(self) -> None:
        """Go on, activities included, until nothing can happen before some time has passed."""
        while self.step() or self.perform_activity():
            pass

    def advance(self, by: Duration) -> None:
        """Let time pass, and let everything happen that becomes due meanwhile, at its own time and in its order.

        Args:
            by: seconds or timedelta.
        """
        until_ns = self.clock.now_ns() + (to_ns(by, "by") or 0)
        self.run_until_idle()
        while self._skip(until_ns):
            self.run_until_idle()
        self.clock.advance_to(until_ns)
        self.run_until_idle()

    def wait(self, future: Future[T], *, limit: Duration | None = None, most_skips: int | None = None) -> T:
        """Drive until a future is done, and give its value.

        Args:
            future: of any call of this runtime or of a handle.
            limit: how far the clock may be moved for it (seconds or timedelta); None for a hundred years.
            most_skips: how often the clock may be moved for it; None for 10,000 times. With neither given it ends
                earlier if all that can happen is an activity that has failed a hundred times and is tried for ever.

        Raises:
            StuckError: it cannot be done: nothing is left to do, or ``limit`` is over, or the same is tried for ever.
            BaseException: what the future failed with.
        """
        why = self._drive_until(future.done, self._until(limit, "limit"), most_skips, is_bounded=limit is not None)
        if why:
            raise self._stuck(why)
        return future.get()

    def _drive(self, future: Future[Any], timeout: float | None) -> None:
        """Somebody waits for a future of this runtime by ``get(timeout=…)`` or ``await``: the clock is the runtime's.

        Raises:
            StuckError: it cannot be done.
            WaitTimeoutError: it is not done within ``timeout`` seconds of the runtime's clock, which have passed then.
        """
        performer = self._performer
        if performer is not None and performer.is_on_loop():
            # An async activity asks: whoever drives this runtime drives the activity too.
            return
        until_ns = self._until(timeout, "timeout")
        why = self._drive_until(future.done, until_ns, is_bounded=timeout is not None)
        attempt = CURRENT.get(None)
        if isinstance(attempt, Performance):
            # A sync activity has waited here, and was cancelled meanwhile.
            attempt.raise_if_due()
        if why:
            next_ns = self.next_deadline_ns
            if timeout is None or not self.auto_skip or next_ns is None or next_ns <= until_ns:
                raise self._stuck(why)
            self.clock.advance_to(until_ns)
            raise WaitTimeoutError(timeout)

    def _drive_for_activity(self, is_there: Callable[[], bool], timeout: float | None) -> None:
        """A sync activity waits for something to happen, and stands in the way of everything else.

        Raises:
            StuckError: it waits without a limit for what cannot happen.
        """
        until_ns = self._until(timeout, "timeout")
        why = self._drive_until(is_there, until_ns, is_bounded=timeout is not None)
        if why and timeout is None:
            raise self._stuck(why)
        if why:
            self.clock.advance_to(max(until_ns, self.clock.now_ns()))

    def _until(self, limit: Duration | None, name: str) -> int:
        length_ns = LIMIT_NS if limit is None else to_ns(limit, name)
        return self.clock.now_ns() + (length_ns or 0)

    def _drive_until(
        self, is_there: Callable[[], bool], until_ns: int, most_skips: int | None = None, *, is_bounded: bool
    ) -> str:
        """Go on until something is there; "" then, or why it cannot be.

        Args:
            is_bounded: whether ``until_ns`` was chosen by somebody, who wants to see what happens until then.
        """
        skips, may_be_alone = 0, not is_bounded and most_skips is None
        most_skips = MOST_SKIPS if most_skips is None else most_skips
        while not is_there():
            if self.step() or self.perform_activity():
                continue
            if skips == most_skips:
                return f"the clock was moved {skips} times for it; is something repeated for ever?"
            if may_be_alone and (why := self._repeated()):
                return why
            if not (self.auto_skip and self._skip(until_ns)):
                return self._why_stuck(until_ns)
            skips += 1
        return ""

    def _stuck(self, why: str) -> StuckError:
        hands = self._opened
        standings = Standings(hands.journal, self._describe, instant(self.clock.now_ns()), hands.converter)
        return StuckError(why, standings.open_runs())

    def _describe(self, header: RunHeader) -> WorkflowExecutionDescription | None:
        future = self._opened.desk.describe(Target(header.workflow_id, header.run_id))
        while not future.done() and self.step():
            pass
        return future.get() if future.done() and future.exception() is None else None

    @property
    def next_deadline_ns(self) -> int | None:
        """When something is due next (ns since 1970), or None."""
        deadlines = [self._opened.dispatcher.next_deadline_ns()]
        if self._performer is not None:
            deadlines.append(self._performer.next_ns())
        return min((each for each in deadlines if each is not None), default=None)

    def _skip(self, until_ns: int) -> bool:
        """Move the clock to the next deadline, if that is not after ``until_ns``."""
        next_ns = self.next_deadline_ns
        if next_ns is None or next_ns > until_ns:
            return False
        self.clock.advance_to(next_ns)
        return True

    def _repeated(self) -> str:
        performer = self._performer
        if performer is None or performer.last is None or performer.next_ns() is not None:
            return ""
        return repeated_alone(performer.last, self._opened.journal)

    def _why_stuck(self, until_ns: int) -> str:
        next_ns = self.next_deadline_ns
        if next_ns is None:
            why = "no message, no activity and no timer is left"
            return f"{why}; a future from before a crash is never done" if self.crashes else why
        if next_ns > until_ns:
            return "the next thing is due after the limit"
        return f"the next thing is due in {(next_ns - self.clock.now_ns()) / 1e9} s and auto_skip is off; use advance()"

    def _raise_escaped(self) -> None:
        if self._escaped:
            error = self._escaped[0]
            self._escaped.clear()
            raise error
