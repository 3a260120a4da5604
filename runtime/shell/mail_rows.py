"""Messages between runs: a row in the mailbox of the receiver, in the same transaction as the turn of the sender."""

from __future__ import annotations

from ..core.messages import Message, encode_message
from ..model.errors import GreenroomError
from .run_state import RunState
from .tools import Peer, Tools

__all__ = ["leave_row", "put_row"]


def leave_row(tools: Tools, target: Peer, message: Message, time_ns: int) -> None:
    """Put a message in a run's mailbox on disk; the run hears of it once it is there."""
    seq = put_row(tools, target.run, message, time_ns)
    tools.sweep.after(target.accept_row, seq, message)
    tools.sweep.undo(_forget_row, target.run, seq)


def put_row(tools: Tools, run: RunState, message: Message, time_ns: int) -> int:
    """Write a message into a run's mailbox on disk, in the open sweep; gives the number of its row."""
    data = encode_message(message)
    seq = tools.sweep.batch.put_mail(run.run_no, time_ns, data)
    run.add_row(seq, data)
    return seq


def _forget_row(run: RunState, seq: int, error: GreenroomError) -> None:
    run.take_row(seq)
