"""Says of a run that has raised a bug whether it is restarted, and when."""

from __future__ import annotations

from ...actors import Clock, RestartWindow
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
        # By run number. A run that has no bugs is not here.
        self._restarts: dict[int, RestartWindow] = {}

    def restart_in(self, run_no: int) -> int | None:
        """Nanoseconds after which a run is to be restarted; None if it has been restarted too often."""
        window = self._restarts.get(run_no)
        if window is None:
            window = self._restarts[run_no] = RestartWindow(self._supervision.max_restarts, self._period_ns)
        before = window.note(self._clock.now_ns())
        if before is None:
            self.forget(run_no)
            return None
        return self._supervision.wait_ns(before)

    def restarts(self, run_no: int) -> int:
        """How often a run was restarted of late."""
        return len(self._restarts.get(run_no, ()))

    def forget(self, run_no: int) -> None:
        """The run has ended, or somebody has seen to it."""
        self._restarts.pop(run_no, None)
