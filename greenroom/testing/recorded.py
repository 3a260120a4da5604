"""What a journal holds of each run, read for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..runtime.core.commands import Command, decode_commands
from ..runtime.core.messages import Message, decode_message
from ..storage import Journal, Meta, RunHeader, Tree, Turn
from ..storage.codec import decode
from ..storage.store import META_KEY

__all__ = ["RecordedRun", "recorded_run", "recorded_runs", "run_headers", "turns_of"]

SLICE = 1000


class RecordedRun(NamedTuple):
    """One run as the journal has it.

    Attributes:
        run_no: its number in the journal; the first is 1.
        header: what stands at its ends: ids, status, options, outcome.
        turns: its turns, oldest first.
    """

    run_no: int
    header: RunHeader
    turns: list[Turn]

    def messages(self) -> list[Message]:
        """What the run was told, in order."""
        return [decode_message(turn.message) for turn in self.turns]

    def commands(self) -> list[list[Command]]:
        """What the run asked for, turn by turn."""
        return [decode_commands(turn.commands) for turn in self.turns]

    def bytes(self) -> bytes:
        """The whole history as bytes, times of turns included: equal histories have equal bytes."""
        rows = (turn.time_ns.to_bytes(8, "big") + turn.message + turn.commands for turn in self.turns)
        return b"".join(rows) + self.header.outcome


def recorded_runs(journal: Journal, *, open_only: bool = False) -> list[RecordedRun]:
    """Every run of a journal, the first one first.

    Args:
        journal: may be opened with ``read_only=True``.
        open_only: leave out those that have ended. They meet changed code only if somebody queries, resets or forks
            them.
    """
    return [
        recorded_run(journal, run_no, header)
        for run_no, header in run_headers(journal)
        if header.closed_ns is None or not open_only
    ]


def recorded_run(journal: Journal, run_no: int, header: RunHeader) -> RecordedRun:
    """One run of a journal."""
    return RecordedRun(run_no, header, turns_of(journal, run_no))


def run_headers(journal: Journal) -> Iterator[tuple[int, RunHeader]]:
    """The number and the header of every run of a journal, the first one first."""
    row = journal.store.get(Tree.META, META_KEY)
    if row is None:
        return
    for run_no in range(1, decode(Meta, META_KEY, row).next_run_no):
        header = journal.header(run_no)
        if header is not None:
            yield run_no, header


def turns_of(journal: Journal, run_no: int) -> list[Turn]:
    """The turns of a run, oldest first."""
    turns: list[Turn] = []
    while True:
        page = journal.turns(run_no, first=len(turns), limit=SLICE)
        turns += page
        if len(page) < SLICE:
            return turns
