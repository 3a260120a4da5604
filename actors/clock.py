"""Where the time comes from: the system, or a clock that moves only when it is told to.

Times are wall-clock nanoseconds since 1970-01-01 UTC. Somebody may set the wall clock back, so what is a length of time
goes by nanoseconds that only ever grow, since no moment in particular.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from .durations import duration_ns

__all__ = ["Clock", "ManualClock", "SystemClock", "stopwatch"]

_NS_PER_SECOND = 1_000_000_000
_DEFAULT_START_NS = 1_700_000_000 * _NS_PER_SECOND
# What eight bytes hold: a time beyond it could not be stored.
_LAST_NS = 2**63 - 1

logger = logging.getLogger("greenroom.actors")


class Clock(Protocol):
    """Tells the wall time."""

    def now_ns(self) -> int:
        """Return the wall time in nanoseconds since the epoch, UTC."""
        ...


class SystemClock:
    """The wall time of this machine."""

    __slots__ = ()

    # No method around it: it is asked several times a turn.
    now_ns = staticmethod(time.time_ns)
    """Return the wall time in nanoseconds since the epoch, UTC."""

    elapsed_ns = staticmethod(time.monotonic_ns)
    """Return nanoseconds that have passed since some moment, whatever becomes of the wall time."""


def stopwatch(clock: Clock) -> Callable[[], int]:
    """What tells lengths of time beside ``clock``: its ``elapsed_ns``, or the wall time if it has none."""
    elapsed_ns: Callable[[], int] = getattr(clock, "elapsed_ns", clock.now_ns)
    return elapsed_ns


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        start_ns: first wall time, nanoseconds since the epoch (default: 2023-11-14T22:13:20Z).

    Raises:
        ValueError: it is to show a time before 1970 or after 2262-04-11, when it is made or when it is moved; a clock
            that was not moved stands where it stood.
    """

    __slots__ = ("_elapsed_ns", "_lock", "_now_ns", "_subscribers")

    def __init__(self, start_ns: int = _DEFAULT_START_NS) -> None:
        self._lock = threading.RLock()
        self._now_ns = _checked(start_ns)
        self._elapsed_ns = 0
        self._subscribers: list[Callable[[], None]] = []

    def now_ns(self) -> int:
        """Return the wall time in nanoseconds since the epoch, UTC."""
        return self._now_ns

    def elapsed_ns(self) -> int:
        """Return the nanoseconds by which the clock was moved forward, steps not counted."""
        return self._elapsed_ns

    def advance(self, by: float | timedelta) -> None:
        """Move the clock forward.

        Args:
            by: seconds, or a timedelta; not negative.

        Raises:
            ValueError: ``by`` is negative; use :meth:`jump` to step a clock back. Or it is too far.
        """
        by_ns = duration_ns(by)
        if by_ns < 0:
            raise ValueError(f"cannot advance a clock by {by!r}; use jump() to step it back")
        self._move(lambda now_ns: now_ns + by_ns, is_passing=True)

    def advance_to(self, at_ns: int) -> None:
        """Move the clock forward to a time; a time that has passed leaves it where it is.

        Args:
            at_ns: nanoseconds since the epoch.

        Raises:
            ValueError: it is too far.
        """
        self._move(lambda now_ns: max(now_ns, at_ns), is_passing=True)

    def jump(self, by: float | timedelta) -> None:
        """Step the clock as an operator or a time server may do, backwards too; no time passes.

        Args:
            by: seconds, or a timedelta; may be negative.

        Raises:
            ValueError: it is too far.
        """
        by_ns = duration_ns(by)
        self._move(lambda now_ns: now_ns + by_ns, is_passing=False)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called, on the mover's thread, after each move.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    def _move(self, to: Callable[[int], int], *, is_passing: bool) -> None:
        with self._lock:
            before_ns, self._now_ns = self._now_ns, _checked(to(self._now_ns))
            if is_passing:
                self._elapsed_ns += self._now_ns - before_ns
            subscribers = list(self._subscribers)
        for callback in subscribers:
            try:
                callback()
            except Exception:
                # One subscriber's fault must not keep the others from hearing of the move.
                logger.exception("A subscriber of the clock raised")


def _checked(at_ns: int) -> int:
    if not 0 <= at_ns <= _LAST_NS:
        raise ValueError(
            f"a clock cannot show {at_ns} nanoseconds since the epoch; keep to times from 1970-01-01 to 2262-04-11"
        )
    return at_ns
