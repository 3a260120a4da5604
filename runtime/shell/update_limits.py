"""How many updates a run may have: under way at a time, and in all. What is above is refused, its code not asked."""

from __future__ import annotations

from ..core.messages import UpdateReceived, is_pinned
from ..model.errors import WorkflowUpdateLimitError
from ..model.values import Value
from .run_state import RunState

__all__ = ["UpdateLimits"]


class UpdateLimits(Value, frozen=True):
    """The limits of each run.

    Attributes:
        in_flight: updates without an outcome, those on disk that wait to be taken included.
        in_all: updates that a run has ever accepted, or that wait on disk.
    """

    in_flight: int
    in_all: int

    def refusal(self, run: RunState, update: UpdateReceived) -> WorkflowUpdateLimitError | None:
        """Why a run has no room for an update; None if it has, or has that very one."""
        if run.is_stale(update) or run.has_admitted(update.update_id):
            return None
        ids = run.header.workflow_id, run.header.run_id
        if run.updates_in_all >= self.in_all:
            # A run that is to go on as new lets them end first; what is for it alone never reaches the next one.
            may_go_on = run.updates_in_flight > 0 and not is_pinned(update)
            return WorkflowUpdateLimitError(*ids, self.in_all, is_retryable=may_go_on, is_total=True)
        if run.updates_in_flight >= self.in_flight:
            return WorkflowUpdateLimitError(*ids, self.in_flight)
        return None

    def marked(self, run: RunState, update: UpdateReceived) -> UpdateReceived:
        """The update as the run is told of it: when it has taken nine tenths of all that it may, it is told so.

        That stands in the history, since the limit may be another one when that is replayed.
        """
        if len(run.updates) + 1 < self.in_all * 9 // 10:
            return update
        return update.near_limit()
