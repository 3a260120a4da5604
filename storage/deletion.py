"""How a run leaves the journal: first its header and all that leads to it, then its rows, a slice at a time.

From the first commit on nothing finds the run. What is left of it has a mark in the due tree until the last slice, so
that the next opening goes on with it.
"""

from __future__ import annotations

from . import keys
from .attribute_rows import unpack_prefixes
from .batch import Batch
from .codec import sealed
from .errors import CorruptError
from .journal import Journal
from .keys import Kind
from .records import RunHeader
from .store import Tree

__all__ = ["SLICE", "delete_more", "delete_run"]

SLICE = 256
"""How many rows of a run one commit deletes at most, about: as many as a sweep takes turns."""

# Rows beside a history may be large, and to find their keys is to read them.
_READ = 16


def delete_run(journal: Journal, batch: Batch, run_no: int, header: RunHeader) -> tuple[int, bool]:
    """Delete a run that has ended, in a batch: all of it, or so much that it is gone and ``delete_more`` has the rest.

    If it raises, nothing of the run stands in the batch.

    Args:
        header: what the disk has, or will have with what stands in the batch.

    Returns:
        How many rows the batch deletes, and whether that is all of the run.

    Raises:
        CorruptError: it cannot be seen what leads to the run.
        StorageError: the journal cannot be read.
    """
    try:
        unpack_prefixes(header.indexed)
    except ValueError as error:
        raise CorruptError(f"the header of run {run_no}", str(error), run_no) from error
    is_current = journal.current_run(header.workflow_id) == run_no
    count, is_whole = _drop_rows(journal, batch, run_no, 0, header.turns)
    # From here on nothing is read: a header that goes alone would leave rows to nobody.
    batch.drop_header(run_no)
    if header.indexed:
        batch.put_attributes(run_no, header.indexed, b"")
    if is_current:
        batch.clear_current(header.workflow_id)
    if header.expires_ns is not None:
        batch.drop_expiry(run_no, header.expires_ns)
    batch.clear_active(run_no)
    if not is_whole:
        batch.set_deleted(run_no)
    return count + 1, is_whole


def delete_more(journal: Journal, batch: Batch, run_no: int) -> int:
    """Delete the next slice of a run that is being deleted, and its mark with the last one.

    Returns:
        How many rows the batch deletes.
    """
    start, stop = keys.kind_range(run_no, Kind.TURN, Kind.TURN)
    left = journal.store.scan(Tree.RUNS, start, stop, limit=1)
    last = journal.last_turn(run_no) if left else None
    first: int = keys.TURN_KEY.unpack(left[0][0])[2] if left else 0
    count, is_whole = _drop_rows(journal, batch, run_no, first, first if last is None else last.turn_no + 1)
    if is_whole:
        batch.clear_deleted(run_no)
    return count + is_whole


def _drop_rows(journal: Journal, batch: Batch, run_no: int, first: int, stop: int) -> tuple[int, bool]:
    """Drop a slice of what stands under a run, once it has been read: how many rows, and whether that is all of it.

    Args:
        first, stop: which turns it still has.
    """
    until = min(stop, first + SLICE)
    rows, is_whole = _rows_from(journal, run_no, until, SLICE - until + first)
    batch.drop_turns(run_no, first, until)
    for key, is_note in rows:
        batch.drop_row(key, is_note=is_note)
    return until - first + len(rows), is_whole


def _rows_from(journal: Journal, run_no: int, turn_no: int, most: int) -> tuple[list[tuple[bytes, bool]], bool]:
    """The keys of about ``most`` rows behind the turns, each with whether it is the note of a dead letter; and whether
    there are no more."""
    found: list[tuple[bytes, bool]] = []
    # From the turns on, though none is left: a header that is wrong must not leave rows behind.
    start, end = keys.TURN_KEY.pack(run_no, Kind.TURN, turn_no), keys.run_range(run_no)[1]
    while len(found) < most:
        rows = journal.store.scan(Tree.RUNS, start, end, limit=_READ)
        # A note that is damaged may name the letter of another run.
        found += [(key, key[8] == Kind.LETTER and sealed(key, row)) for key, row in rows]
        if len(rows) < _READ:
            return found, True
        start = keys.after(rows[-1][0])
    return found, False
