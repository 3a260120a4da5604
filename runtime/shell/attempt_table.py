"""The rows of attempts, as the journal will have them once the open sweep is on disk."""

from __future__ import annotations

from collections.abc import Iterator

from ...storage import Attempt, DueKind
from ..model.errors import GreenroomError
from .flights import Key
from .sweep import Sweep
from .timekeeper import Timekeeper

__all__ = ["AttemptTable"]


class AttemptTable:
    """Every row that somebody has asked for or written; used on the dispatcher's thread only.

    What is put or dropped is written with the open sweep; if that is lost, it is here again as it was before.
    """

    __slots__ = ("_rows", "_sweep", "_timekeeper")

    def __init__(self, sweep: Sweep, timekeeper: Timekeeper) -> None:
        self._sweep = sweep
        self._timekeeper = timekeeper
        self._rows: dict[Key, Attempt] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[Key]:
        return iter(self._rows)

    def get(self, key: Key) -> Attempt | None:
        """The row of an activity, or None."""
        return self._rows.get(key)

    def learn(self, key: Key, row: Attempt) -> None:
        """The journal has this row; one that is known here already is newer."""
        self._rows.setdefault(key, row)

    def put(self, key: Key, row: Attempt) -> None:
        """Write a row over the one before."""
        run_no, item = key
        before = self._rows.get(key)
        self._sweep.batch.put_attempt(run_no, row, None if before is None else before.next_ns)
        self._rows[key] = row
        if row.next_ns is not None:
            self._sweep.after(self._timekeeper.arm, run_no, DueKind.ATTEMPT, item, row.next_ns)
        self._sweep.undo(self._restore, key, before)

    def drop(self, key: Key) -> None:
        """Drop a row, if there is one."""
        row = self._rows.pop(key, None)
        if row is not None:
            run_no, item = key
            self._sweep.batch.drop_attempt(run_no, item, row.next_ns)
            self._sweep.after(self._timekeeper.disarm, run_no, DueKind.ATTEMPT, item)
            self._sweep.undo(self._restore, key, row)

    def _restore(self, key: Key, row: Attempt | None, error: GreenroomError) -> None:
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
