"""Attempts that are counted: the begin of each is on disk before it happens, and no begin stays that never was."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...actors import Dispatcher
from ..model.errors import GreenroomError
from .attempt_rows import row_of_begin, row_of_next
from .attempt_table import AttemptTable
from .flights import Flight, Key
from .performer import Performer
from .retries import AGAIN_AFTER_NS, Retries
from .sweep import Sweep
from .task import Task

__all__ = ["Permits"]


class Permits:
    """Grants the begin of an attempt once the disk has it.

    Args:
        flights: the attempts that are under way.
    """

    __slots__ = ("_dispatcher", "_flights", "_performer", "_retries", "_sweep", "_table")

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        retries: Retries,
        sweep: Sweep,
        performer: Performer,
        table: AttemptTable,
        flights: Mapping[Key, Flight],
    ) -> None:
        self._dispatcher = dispatcher
        self._retries = retries
        self._sweep = sweep
        self._performer = performer
        self._table = table
        self._flights = flights

    def ask(self, task: Task, granted: Callable[[bool], None]) -> None:
        """Asked by the performer, from the thread that is about to begin an attempt."""
        self._dispatcher.call_soon(self._record, task, granted)

    def take_back(self, tasks: list[Task]) -> None:
        """Attempts were dropped before they began: of those that were written down as begun the next opening will know
        that they did not."""
        for task in tasks:
            flight, row = self._awaited(task), self._table.get((task.run_no, task.item))
            if flight is not None and row is not None and row.started:
                self._table.put(flight.key, row_of_next(flight, self._dispatcher.clock.now_ns()))
                self._sweep.undo(self._take_back_again, task)

    def _record(self, task: Task, granted: Callable[[bool], None]) -> None:
        flight = self._awaited(task)
        # An attempt that was given up may still ask, when the next one is under way (which has the same number if it
        # never began) or the runtime is closing.
        if flight is None or flight.task is not task or not self._performer.performing(task.key):
            granted(False)
            return
        self._table.put(flight.key, row_of_begin(flight))
        self._sweep.after(granted, True)
        self._sweep.undo(self._record_again, task, granted)

    def _awaited(self, task: Task) -> Flight | None:
        flight = self._flights.get((task.run_no, task.item))
        return flight if flight is not None and flight.attempt == task.info.attempt else None

    def _record_again(self, task: Task, granted: Callable[[bool], None], error: GreenroomError) -> None:
        self._retries.later(AGAIN_AFTER_NS, self._record, task, granted)

    def _take_back_again(self, task: Task, error: GreenroomError) -> None:
        self._retries.later(AGAIN_AFTER_NS, self.take_back, [task])
