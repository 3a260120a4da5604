"""How far a turn has come: what its thread gets of the processor, as a watchdog sees it look by look."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["TICKS", "Progress", "processor_clock"]

TICKS = 8
"""How often a turn is looked at before its time is over."""

_STARVED = 20
"""A turn that gets less than this share of the time is asleep, unless other threads of the process compute."""

_AT_THE_LATEST = 30
"""After so many times its time a turn is ended whatever its thread gets."""


class Progress:
    """What the thread of a turn gets of the processor.

    Time is counted as the watchdog gets it: a look that comes late, because the machine has too much to do or the
    process was stopped, counts as one that came in time. What kept the watchdog waiting may have kept the turn, too.

    Attributes:
        is_over: whether the turn has had its time.
        is_blocked: whether the thread has had nothing at all for that long: it waits outside Python.

    Args:
        clock: processor time of the thread, in seconds.
        seconds: how long a turn may take.
        now: time, in seconds.
        process: processor time of the process, in seconds.
    """

    __slots__ = (
        "_began_process",
        "_began_thread",
        "_clock",
        "_last",
        "_looked_at",
        "_moved_at",
        "_now",
        "_process",
        "_seconds",
        "_spent",
        "is_blocked",
        "is_over",
    )

    def __init__(
        self,
        clock: Callable[[], float],
        seconds: float,
        now: Callable[[], float] = time.monotonic,
        process: Callable[[], float] = time.process_time,
    ) -> None:
        self._seconds = seconds
        self._clock, self._now, self._process = clock, now, process
        self._spent = self._moved_at = 0.0
        self._looked_at = now()
        self._began_process = process()
        self._began_thread = clock()
        self._last: float = self._began_thread
        self.is_over = self.is_blocked = False

    def look(self) -> None:
        """See how far it has come."""
        now, used_now = self._now(), self._clock()
        self._spent += min(now - self._looked_at, self._seconds / TICKS)
        self._looked_at = now
        if used_now != self._last:
            self._last, self._moved_at = used_now, self._spent
        spent, used = self._spent, used_now - self._began_thread
        others = self._process() - self._began_process - used
        is_asleep = spent >= self._seconds and used * _STARVED < spent and others < spent / 2
        self.is_blocked = spent - self._moved_at >= self._seconds
        self.is_over = used >= self._seconds or is_asleep or spent >= _AT_THE_LATEST * self._seconds


def processor_clock(thread: int) -> Callable[[], float]:
    """The processor time of a thread in seconds; where the system does not tell, the time itself."""
    try:
        clock = time.pthread_getcpuclockid(thread)
        time.clock_gettime(clock)
    except (AttributeError, OSError):
        return time.monotonic

    def read() -> float:
        try:
            return time.clock_gettime(clock)
        except OSError:
            # The thread has ended, and its turn with it.
            return 0.0

    return read
