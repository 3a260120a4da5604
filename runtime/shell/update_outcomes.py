"""What becomes of an update: written down where it has to be known later, and told to whoever asked for it."""

from __future__ import annotations

from ...storage import Update
from ..core.messages import UpdateReceived
from ..model.errors import ApplicationError
from ..model.failure_writing import to_failure
from ..model.options import WorkflowExecutionStatus
from .delivery import Delivery
from .outcomes import Outcome, Refusal
from .run_state import RunState
from .tools import Tools

__all__ = ["finish_update", "leave_update", "reject_update", "was_left"]


def finish_update(tools: Tools, run: RunState, update_id: str, outcome: Outcome) -> None:
    """An update that was accepted has its outcome."""
    _keep(tools, run, update_id, outcome)
    tools.updating.finished(run, update_id, outcome)


def reject_update(
    tools: Tools, run: RunState, delivery: Delivery, update: UpdateReceived, reason: BaseException, refusal: Refusal
) -> None:
    """A run does not take an update. That leaves nothing on disk, but where its sender knows that it was there."""
    outcome = Outcome(failure=to_failure(reason, tools.converter), refusal=refusal)
    tools.updating.finished(run, update.update_id, outcome)
    if delivery.seq is not None:
        _keep(tools, run, update.update_id, outcome)


def leave_update(
    tools: Tools, run: RunState, update_id: str, status: WorkflowExecutionStatus, *, is_accepted: bool
) -> None:
    """A run has ended as ``status`` while an update had no outcome: it has one now."""
    kind, when = _ACCEPTED if is_accepted else _ADMITTED
    error = ApplicationError(f"the workflow ended ({status.name}) before the update was {when}", type=kind)
    finish_update(tools, run, update_id, Outcome(failure=to_failure(error, tools.converter)))


def was_left(outcome: Outcome | None) -> bool:
    """Whether it is that of an update whose run has ended before it had finished."""
    return outcome is not None and outcome.failure is not None and outcome.failure.type == _ACCEPTED[0]


# The first as in Temporal, which has no second.
_ACCEPTED = "AcceptedUpdateCompletedWorkflow", "finished"
_ADMITTED = "AdmittedUpdateCompletedWorkflow", "taken"


def _keep(tools: Tools, run: RunState, update_id: str, outcome: Outcome) -> None:
    run.end_update(update_id)
    tools.sweep.batch.put_update(run.run_no, Update(update_id, outcome.encode()))
