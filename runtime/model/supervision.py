"""How often a run whose code has raised a bug is restarted before it is suspended."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr

from .durations import to_ns, to_timedelta

__all__ = ["Supervision"]

Duration = timedelta | float


class Supervision(msgspec.Struct, frozen=True):
    """What the supervisor of workflow runs does about bugs: it restarts the run, which is to replay it, and then gives
    it the message again; a run that needs this too often is suspended.

    Args:
        max_restarts: how many restarts a run gets within the period; 0 suspends it at its first bug.
        period: how far back restarts are counted (seconds if a number).
        initial_interval: wait before the first restart (likewise).
        backoff_coefficient: each wait is this many times the one before; at least 1.
        maximum_interval: no wait is longer.

    Raises:
        TypeError, ValueError: a field is of the wrong kind or out of range, or the waits alone take longer than the
            period, so that no run would ever be suspended.

    **Source:** Erlang/OTP, supervisors: intensity and period.
    """

    max_restarts: int = 3
    period: timedelta = timedelta(seconds=60)
    initial_interval: timedelta = timedelta(milliseconds=200)
    backoff_coefficient: float = 2.0
    maximum_interval: timedelta = timedelta(seconds=10)

    if TYPE_CHECKING:  # what a caller may pass is wider than what the fields hold

        def __init__(
            self,
            max_restarts: int = 3,
            period: Duration = ...,
            initial_interval: Duration = ...,
            backoff_coefficient: float = 2.0,
            maximum_interval: Duration = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        if type(self.max_restarts) is not int:
            raise TypeError(f"max_restarts is {self.max_restarts!r}; give a whole number, 0 for none")
        if not 0 <= self.max_restarts <= 1000:
            raise ValueError(f"max_restarts is {self.max_restarts}; give 0 to 1000")
        if type(self.backoff_coefficient) not in (int, float):
            raise TypeError(f"backoff_coefficient is {self.backoff_coefficient!r}; give a number of 1 or more")
        if not 1 <= self.backoff_coefficient < float("inf"):
            raise ValueError(f"backoff_coefficient is {self.backoff_coefficient}; give a finite number of 1 or more")
        for name in ("period", "initial_interval", "maximum_interval"):
            nanoseconds = to_ns(getattr(self, name), name)
            if nanoseconds is None:
                raise TypeError(f"{name} is None; give a timedelta or a number of seconds")
            force_setattr(self, name, to_timedelta(nanoseconds))
        waits = timedelta(microseconds=sum(map(self.wait_ns, range(self.max_restarts))) // 1000)
        if self.max_restarts and waits >= self.period:
            raise ValueError(
                f"{self.max_restarts} restarts wait {waits} in all, which is longer than the period of {self.period}: "
                "no run would ever be suspended; give a longer period, or shorter waits"
            )

    def wait_ns(self, restarts: int) -> int:
        """Nanoseconds before the next restart, after so many of them."""
        first, most = to_ns(self.initial_interval, "") or 0, to_ns(self.maximum_interval, "") or 0
        try:
            return min(round(first * float(self.backoff_coefficient) ** restarts), most)
        except OverflowError:
            return most
