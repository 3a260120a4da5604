"""What a runtime sets of the whole process while it is open, and takes back when it closes."""

from __future__ import annotations

from .collecting import CollectorThreshold
from .switching import SwitchInterval

__all__ = ["ProcessSettings"]

LONGEST_SWITCH_INTERVAL = 60.0
LARGEST_GC_THRESHOLD = 1_000_000


class ProcessSettings:
    """The settings that one runtime asks for.

    Args:
        switch_interval: how often threads take turns, in seconds; None to leave that alone.
        gc_threshold: after how many new objects Python looks for cyclic garbage; None to leave that alone.

    Raises:
        ValueError: no such setting can be.
    """

    __slots__ = ("_gc_threshold", "_is_held", "_switch_interval")

    def __init__(self, *, switch_interval: float | None, gc_threshold: int | None) -> None:
        if switch_interval is not None and not 0 < switch_interval <= LONGEST_SWITCH_INTERVAL:
            raise ValueError(
                f"switch_interval is {switch_interval!r}; give seconds above 0 and up to "
                f"{LONGEST_SWITCH_INTERVAL:g}, or None to leave Python's own alone"
            )
        if gc_threshold is not None and (type(gc_threshold) is not int or not 0 < gc_threshold <= LARGEST_GC_THRESHOLD):
            raise ValueError(
                f"gc_threshold is {gc_threshold!r}; give a whole number of objects above 0 and up to "
                f"{LARGEST_GC_THRESHOLD:,}, or None to leave Python's own alone"
            )
        self._switch_interval = switch_interval
        self._gc_threshold = gc_threshold
        self._is_held = False

    def hold(self) -> None:
        """The runtime opens."""
        if self._is_held:
            return
        self._is_held = True
        if self._switch_interval is not None:
            SwitchInterval.hold(self._switch_interval)
        if self._gc_threshold is not None:
            CollectorThreshold.hold(self._gc_threshold)

    def forget(self) -> None:
        """In a forked child nothing is held: what the parent set has been taken back."""
        self._is_held = False

    def release(self) -> None:
        """It has closed, or could not be opened."""
        if not self._is_held:
            return
        self._is_held = False
        if self._switch_interval is not None:
            SwitchInterval.release(self._switch_interval)
        if self._gc_threshold is not None:
            CollectorThreshold.release(self._gc_threshold)
