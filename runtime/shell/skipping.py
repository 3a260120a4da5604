"""A stopped run is to go on without the message that it stopped at: its history gets a marker in that place."""

from __future__ import annotations

import logging

from ...storage import DueKind
from ..core.messages import (
    ActivityCompleted,
    ActivityFailed,
    Message,
    MessageSkipped,
    SignalReceivedOnce,
    TimerFired,
    WorkflowStarted,
    encode_message,
)
from .encoding import encode_turn
from .headers import put_header
from .once import hear_once
from .run_state import RunState
from .stopping import message_at, told
from .tools import Peer, Tools

__all__ = ["skip"]

logger = logging.getLogger("greenroom")


def skip(tools: Tools, peer: Peer) -> None:
    """Write in the open sweep that the message is a dead letter, and that the run has seen it off.

    What waited for it, such as for the outcome of an activity, waits on.

    Raises:
        ValueError: the run has not stopped at a message, or that message is its start.
    """
    run, batch = peer.run, tools.sweep.batch
    message = _stopped_at(run)
    if not run.knows_its_end:
        run.go_to_end(tools.journal.last_turn(run.run_no))
    data = encode_message(message)
    time_ns = max(tools.clock.now_ns(), run.last_ns)
    run.crc = batch.append_turn(run.run_no, run.turn_no, time_ns, *encode_turn(MessageSkipped(data), []), run.crc)
    run.turn_no, run.last_ns = run.turn_no + 1, time_ns
    batch.put_dead_letter(run.run_no, time_ns, "skipped: the code of its run could not take it", data)
    if isinstance(message, TimerFired):
        batch.drop_timer(run.run_no, DueKind.TIMER, message.id, run.timers.pop(message.id))
        tools.sweep.after(tools.timekeeper.disarm, run.run_no, DueKind.TIMER, message.id)
    else:
        batch.take_mail(run.run_no, run.header.stopped_at)
        run.take_row(run.header.stopped_at)
    if isinstance(message, SignalReceivedOnce):
        hear_once(tools, run, message.key)
    if isinstance(message, (ActivityCompleted, ActivityFailed)):
        tools.attempts.drop_row(run.run_no, message.id)
    put_header(tools.sweep, run, run.header._replace(stopped_at=0))
    what = told(message)
    tools.sweep.after(logger.warning, "%s goes on without a message (%s); what waits for it waits on", peer, what)


def _stopped_at(run: RunState) -> Message:
    workflow_id, message = run.header.workflow_id, message_at(run)
    if message is None:
        raise ValueError(f"workflow {workflow_id!r} has not stopped at a message, and there is none to skip")
    if isinstance(message, WorkflowStarted):
        raise ValueError(f"workflow {workflow_id!r} cannot skip its start; mend its code, or terminate it")
    return message
