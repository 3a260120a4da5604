"""What a run was begun as: its first message, or the one behind the turns that were copied from another run."""

from __future__ import annotations

from ...storage import Journal
from ..core.messages import HistoryCopied, Message, decode_message
from ..model.run_facts import decode_facts
from .run_state import RunState

__all__ = ["begun_as"]


def begun_as(journal: Journal, run: RunState) -> Message | None:
    """The message that says it; that is no start if the run was ended before it began.

    Returns:
        None if there is none on disk yet.

    Raises:
        StorageError: the journal cannot be read.
        ValueError: the message is of a kind that this release does not know.
    """
    facts = decode_facts(run.header.facts)
    turns = journal.turns(run.run_no, first=0 if facts.copied is None else facts.copied.turn + 1, limit=1)
    data = turns[0].message if turns else facts.delayed
    message = decode_message(data) if data else None
    return message.started if isinstance(message, HistoryCopied) else message
