"""Which runs opening the journal must bring back: those with activities to perform, and those that are suspended.

A mark is put with the turn that makes it needed. It is taken away later, a few with each commit: every removal gives up
the interpreter's lock once, and beside a thread that computes that costs more than all the rest of a turn. A mark that
is still there costs the next opening one look.
"""

from __future__ import annotations

from ..model.errors import GreenroomError
from .run_state import RunState
from .sweep import Sweep

__all__ = ["ActiveMarks"]

A_FEW = 2
MANY = 64
MOST_KEPT = 2000


class ActiveMarks:
    """The marks of one journal; used on the dispatcher's thread only."""

    __slots__ = ("_found", "_stale", "_sweep")

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        # Marks on disk that nobody needs any more, oldest first.
        self._stale: dict[int, None] = {}
        # Marks found on opening whose runs have not been looked at.
        self._found: set[int] = set()
        sweep.before_commit = self._take_a_few_away

    def put(self, run: RunState) -> None:
        """The run must be brought back from here on."""
        run.is_active = True
        if run.run_no in self._stale:
            del self._stale[run.run_no]
            self._sweep.undo(self._forget, run)
        else:
            self._sweep.batch.set_active(run.run_no)

    def drop(self, run: RunState) -> None:
        """The run need not be brought back any longer."""
        run.is_active = False
        self._sweep.after(self._note, run)

    def find(self, run_no: int, *, is_open: bool) -> None:
        """A mark was found on opening."""
        if is_open:
            self._found.add(run_no)
        else:
            self._stale[run_no] = None

    def settle(self, run: RunState) -> None:
        """A run has been brought back: if it has nothing to do, the mark that was found is not needed."""
        if run.run_no in self._found:
            self._found.discard(run.run_no)
            if not run.is_active:
                self._stale[run.run_no] = None

    def take_all_away(self) -> None:
        """Before closing: leave no mark that is not needed."""
        self._take_away(len(self._stale))

    def _take_a_few_away(self) -> None:
        if self._stale:
            self._take_away(A_FEW if len(self._stale) <= MOST_KEPT else MANY)

    def _take_away(self, count: int) -> None:
        for run_no in [run_no for run_no, _ in zip(self._stale, range(count), strict=False)]:
            del self._stale[run_no]
            self._sweep.batch.clear_active(run_no)
            self._sweep.undo(self._keep, run_no)

    def _note(self, run: RunState) -> None:
        # A later turn of the same sweep may have put it again.
        if not run.is_active:
            self._stale[run.run_no] = None

    def _keep(self, run_no: int, error: GreenroomError) -> None:
        self._stale[run_no] = None

    def _forget(self, run: RunState, error: GreenroomError) -> None:
        self._stale[run.run_no] = None
