"""What somebody has sent and a run has not read or not taken when it ends: it is kept, and the log says so."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..core.messages import SignalReceived, UpdateReceived, decode_message, encode_message
from ..model.options import WorkflowExecutionStatus
from ..model.values import Value
from .run_state import RunState
from .tools import Tools

__all__ = ["NOT_DUE", "NOT_TAKEN", "UNREAD", "UNSURE", "keep_unread", "keep_untaken"]

logger = logging.getLogger("greenroom")


class Fate(Value, frozen=True):
    """Why nobody will read what was sent.

    Attributes:
        reason: what a dead letter says of it, behind how the run has ended.
        told: the line in the log; gets the workflow id, how that has ended, how many there are, and their names.
    """

    reason: str
    told: str


_KEPT = "they are dead letters, kept as long as the run is"

UNREAD = Fate(
    ", and nothing in it had read the signal",
    f"workflow %r has ended (%s) with %d signals that nothing in it had read: %s; {_KEPT}. Is there a handler of that "
    "name, or a channel that is read?",
)
UNSURE = Fate(
    ", and its code cannot say whether it had read the signal",
    "workflow %r has ended (%s), and its code, which cannot be replayed, does not say which of %d signals it had read: "
    f"%s; {_KEPT}",
)
NOT_TAKEN = Fate("", f"workflow %r has ended (%s) with %d signals or updates that it had not taken: %s; {_KEPT}")
NOT_DUE = Fate(
    " before its time had come",
    f"workflow %r has ended (%s) before the time of %d delayed signals had come: %s; {_KEPT}",
)


def keep_unread(
    tools: Tools, run: RunState, signals: Iterable[SignalReceived], time_ns: int, fate: Fate = UNREAD
) -> None:
    """Write in the open sweep what a run that has ended was told of and has not read."""
    _keep(tools, run, [(each.name, encode_message(each)) for each in signals], run.status, time_ns, fate)


def keep_untaken(
    tools: Tools,
    run: RunState,
    records: Iterable[bytes],
    status: WorkflowExecutionStatus,
    time_ns: int,
    fate: Fate = NOT_TAKEN,
) -> None:
    """Write in the open sweep what a run that ends as ``status`` was never told of.

    Args:
        records: messages; what nobody has sent, such as a timer, comes to nothing, and so does what it had taken
            before.
    """
    lost: list[tuple[str, bytes]] = []
    for data in records:
        message = decode_message(data)
        if isinstance(message, (SignalReceived, UpdateReceived)) and not run.has_heard_of(message):
            lost.append((message.name, data))
    _keep(tools, run, lost, status, time_ns, fate)


def _keep(
    tools: Tools,
    run: RunState,
    lost: list[tuple[str, bytes]],
    status: WorkflowExecutionStatus,
    time_ns: int,
    fate: Fate,
) -> None:
    if not lost:
        return
    workflow_id, sweep = run.header.workflow_id, tools.sweep
    names = ", ".join(sorted({repr(name) for name, _ in lost}))
    sweep.after(logger.warning, fate.told, workflow_id, status.name, len(lost), names)
    reason = f"workflow {workflow_id!r} has ended ({status.name}){fate.reason}"
    for _, data in lost:
        sweep.batch.put_dead_letter(run.run_no, time_ns, reason, data)
