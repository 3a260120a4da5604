"""Signals that a client sends again until it hears that they are there: the run takes the first of each key alone."""

from __future__ import annotations

from collections.abc import Iterable

from ...storage import SignalKey, StorageError
from ..core.messages import Message, SignalReceivedOnce
from .journal_seam import public_error
from .run_state import RunState
from .tools import Tools

__all__ = ["MOST_CARRIED", "carry_keys", "hear_once", "know_keys", "was_heard"]

MOST_CARRIED = 1000
"""Of so many signals, those taken last, the next run of a chain knows the keys."""


def hear_once(tools: Tools, run: RunState, key: str) -> None:
    """Write in the open sweep that a run has taken a signal with that key, or has been told to go on without."""
    know_keys(tools, run, (SignalKey(key, run.last_ns),))


def carry_keys(tools: Tools, run: RunState, successor: RunState, unread: Iterable[Message]) -> None:
    """The run that goes on takes no signal with a key that this one has heard; those that are to be read there it
    takes themselves.

    Args:
        unread: what this run was told of and has not read, and the next one gets.
    """
    again = {signal.key for signal in unread if isinstance(signal, SignalReceivedOnce)}
    heard = [row for row in run.heard if row.key not in again]
    know_keys(tools, successor, (row._replace(is_carried=True) for row in heard[-MOST_CARRIED:]))


def know_keys(tools: Tools, run: RunState, rows: Iterable[SignalKey]) -> None:
    """Write in the open sweep that a run takes no signal with one of these keys."""
    for row in rows:
        run.hear(row)
        tools.sweep.batch.put_signal_key(run.run_no, row)


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
