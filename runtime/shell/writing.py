"""What the life of a run becomes in the open sweep: its birth, its turns, a message that must wait.

Nothing here decides: the actor says what happens to its run, and this says which rows that is.
"""

from __future__ import annotations

from ...storage import DueKind
from ..core.commands import Command
from ..core.messages import (
    ActivityCompleted,
    ActivityFailed,
    SignalReceivedOnce,
    TimerFired,
    UpdateReceived,
    encode_message,
)
from .delivery import Delivery
from .effects import TOOK, WANTS
from .headers import went_on
from .run_state import RunState
from .tools import Peer, Tools

__all__ = [
    "acknowledge",
    "keep_message",
    "take_row",
    "write_birth",
    "write_turn",
]


def write_birth(tools: Tools, run: RunState) -> None:
    """The rows that make a new run known."""
    header, batch = run.header, tools.sweep.batch
    batch.put_header(run.run_no, header)
    if header.indexed:
        batch.put_attributes(run.run_no, b"", header.indexed)
    if header.workflow_id != header.run_id:
        batch.set_current(header.workflow_id, run.run_no)
    if header.deadline_ns is not None:
        batch.put_timer(run.run_no, DueKind.RUN_TIMEOUT, 0, header.deadline_ns)
        tools.sweep.after(tools.timekeeper.arm, run.run_no, DueKind.RUN_TIMEOUT, 0, header.deadline_ns)
    if run.starts_ns is not None:
        batch.put_timer(run.run_no, DueKind.START, 0, run.starts_ns)
        tools.sweep.after(tools.timekeeper.arm, run.run_no, DueKind.START, 0, run.starts_ns)


def write_turn(
    tools: Tools,
    peer: Peer,
    delivery: Delivery,
    record: tuple[bytes, bytes],
    commands: list[Command],
    time_ns: int,
) -> None:
    """A turn: its record, and what its message and its commands mean."""
    run, sweep, message = peer.run, tools.sweep, delivery.message
    batch = sweep.batch
    told, asked = record
    run.crc = batch.append_turn(run.run_no, run.turn_no, time_ns, told, asked, run.crc)
    run.turn_no += 1
    run.last_ns = time_ns
    if delivery.seq is not None:
        take_row(tools, run, delivery)
    effect = TOOK.get(message.__class__)
    if effect is not None:
        effect(tools, run, message)
    for command in commands:
        WANTS[command.__class__](tools, peer, command, time_ns)
    if bool(run.activities) is not run.is_active:
        run.is_active = not run.is_active
        (batch.set_active if run.is_active else batch.clear_active)(run.run_no)
    acknowledge(tools, run, delivery)


def acknowledge(tools: Tools, run: RunState, delivery: Delivery) -> None:
    """The run has taken a message: tell who has sent it, if anybody waits, once the open sweep is on disk."""
    if delivery.reply_to is not None:
        tools.sweep.after(delivery.reply_to.set, delivery.answer)
    elif type(delivery.message) is UpdateReceived:
        tools.updating.taken(run, delivery.message)


def take_row(tools: Tools, run: RunState, delivery: Delivery) -> None:
    """A message need not stand in the mailbox on disk any longer, if it does."""
    if delivery.seq is not None:
        tools.sweep.batch.take_mail(run.run_no, delivery.seq)
        run.take_row(delivery.seq)
        went_on(tools, run, delivery.seq)


def keep_message(tools: Tools, run: RunState, delivery: Delivery) -> int:
    """A message that cannot be taken now waits on disk: its sender is acknowledged, and it is not lost.

    Returns:
        Where it waits, as the header says what a run has stopped at: the number of its row, or minus that of its timer;
        0 if it need not wait.
    """
    sweep = tools.sweep
    message = delivery.message
    is_known = False
    if isinstance(message, UpdateReceived):
        tools.updating.kept(run, message)
        is_known = run.is_stale(message) or run.has_admitted(message.update_id)
    else:
        acknowledge(tools, run, delivery)
    if isinstance(message, SignalReceivedOnce):
        is_known = run.is_stale(message) or run.has_admitted_signal(message.key)
    if isinstance(message, TimerFired):
        # It has its own row and fires again.
        return -message.id
    if delivery.seq is not None or is_known:
        return delivery.seq or 0
    data = encode_message(message)
    seq = sweep.batch.put_mail(run.run_no, tools.clock.now_ns(), data)
    run.add_row(seq, data)
    if isinstance(message, (ActivityCompleted, ActivityFailed)):
        # The activity is over, and its next attempt must not become due any more.
        tools.attempts.drop_row(run.run_no, message.id)
    return seq
