"""What somebody has sent and a run has not taken when it ends: it is kept, and the log says so."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..core.messages import SignalReceived, UpdateReceived, decode_message
from ..model.options import WorkflowExecutionStatus
from .run_state import RunState
from .tools import Tools

__all__ = ["NOT_DUE", "NOT_TAKEN", "keep_dead"]

NOT_DUE = " before its time had come"
NOT_TAKEN = ""

_TOLD = {
    NOT_DUE: "workflow %r has ended (%s) before the time of %d delayed signals had come: %s; they are kept as dead "
    "letters",
    NOT_TAKEN: "workflow %r has ended (%s) with %d signals or updates that it had not taken: %s; they are kept as dead "
    "letters",
}

logger = logging.getLogger("greenroom")


def keep_dead(
    tools: Tools,
    run: RunState,
    records: Iterable[bytes],
    status: WorkflowExecutionStatus,
    time_ns: int,
    why: str = NOT_TAKEN,
) -> None:
    """Write in the open sweep what nobody will read.

    Args:
        records: what it has not taken; what nobody has sent, such as a timer, comes to nothing, and so does what it
            had taken before.
        status: how the run has ended.
        why: one of the constants of this module.
    """
    names: list[str] = []
    workflow_id = run.header.workflow_id
    reason = f"workflow {workflow_id!r} has ended ({status.name}){why}"
    for data in records:
        message = decode_message(data)
        if isinstance(message, (SignalReceived, UpdateReceived)) and not run.has_heard_of(message):
            tools.sweep.batch.put_dead_letter(run.run_no, time_ns, reason, data)
            names.append(repr(message.name))
    if names:
        told = ", ".join(sorted(set(names)))
        tools.sweep.after(logger.warning, _TOLD[why], workflow_id, status.name, len(names), told)
