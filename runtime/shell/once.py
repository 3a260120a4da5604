"""Signals that a client sends again until it hears that they are there: the run takes the first of each key alone."""

from __future__ import annotations

from ...storage import StorageError
from ..core.messages import Message, SignalReceivedOnce
from .journal_seam import public_error
from .run_state import RunState
from .tools import Tools

__all__ = ["hear_once", "was_heard"]


def hear_once(tools: Tools, run: RunState, key: str) -> None:
    """Write in the open sweep that a run has taken a signal with that key, or has been told to go on without."""
    run.hear(key)
    tools.sweep.batch.put_signal_key(run.run_no, key)


def was_heard(tools: Tools, run_no: int, message: Message) -> bool:
    """Whether a run that has ended had taken a signal with the key of this one.

    Raises:
        JournalError: that cannot be read.
    """
    if not isinstance(message, SignalReceivedOnce):
        return False
    try:
        return tools.journal.has_signal_key(run_no, message.key)
    except StorageError as error:
        raise public_error(error, tools.path) from error
