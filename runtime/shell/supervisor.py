"""Says of a run that has raised a bug whether it is restarted, and when."""

from __future__ import annotations

from ...actors import Clock
from ..model.durations import to_ns
from ..model.supervision import Supervision

__all__ = ["Supervisor"]


class Supervisor:
    """The supervisor of every run; used on the dispatcher's thread only."""

    __slots__ = ("_clock", "_period_ns", "_restarts", "_supervision")

    def __init__(self, supervision: Supervision, clock: Clock) -> None:
        self._supervision = supervision
        self._clock = clock
        self._period_ns = to_ns(supervision.period, "period") or 0
        # Run number → when it was restarted, within the period. A run that has no bugs is not here.
        self._restarts: dict[int, list[int]] = {}

    def restart_in(self, run_no: int) -> int | None:
        """Nanoseconds after which a run is to be restarted; None if it has been restarted too often."""
        now_ns = self._clock.now_ns()
        recent = [at_ns for at_ns in self._restarts.get(run_no, ()) if at_ns > now_ns - self._period_ns]
        if len(recent) >= self._supervision.max_restarts:
            self.forget(run_no)
            return None
        wait_ns = self._supervision.wait_ns(len(recent))
        self._restarts[run_no] = [*recent, now_ns]
        return wait_ns

    def restarts(self, run_no: int) -> int:
        """How often a run was restarted of late."""
        return len(self._restarts.get(run_no, ()))

    def forget(self, run_no: int) -> None:
        """The run has ended, or somebody has seen to it."""
        self._restarts.pop(run_no, None)
