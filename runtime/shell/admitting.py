"""An update that waits on disk for its run, which is all that its sender wants to know: if there is room for it."""

from __future__ import annotations

from ...storage import StorageError
from ..core.messages import UpdateReceived
from .delivery import Delivery
from .journal_seam import public_error
from .mail_rows import leave_row
from .run_state import RunState
from .standing import Standing
from .tools import Tools
from .workflow_actor import WorkflowActor

__all__ = ["admit"]


def admit(tools: Tools, actor: WorkflowActor, update: UpdateReceived) -> None:
    """Have an update wait in the mailbox on disk of an open run, if there is room."""
    run, updating = actor.run, tools.updating
    try:
        counted = run if actor.standing is not Standing.DORMANT else _as_stored(tools, run)
    except StorageError as error:
        updating.turn_away(run, Delivery(update), update, public_error(error, tools.path))
        return
    refusal = tools.update_limits.refusal(counted, update)
    if refusal is not None:
        updating.turn_away(run, Delivery(update), update, refusal)
        return
    leave_row(tools, actor, update, tools.clock.now_ns())
    tools.sweep.after(updating.admitted, run, update.update_id)
    tools.sweep.undo(updating.fail, run.run_no, update.update_id)


def _as_stored(tools: Tools, run: RunState) -> RunState:
    """A run that is not in memory, with what the disk and the open sweep have for it."""
    stored = RunState(run.run_no, run.header, is_stored=True)
    for seq, data in run.rows.items():
        stored.add_row(seq, data)
    stored.load(tools.journal.items(run.run_no))
    return stored
