"""On opening: what was under way goes into the normal path, page by page, while the runtime already works."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...actors import Dispatcher
from ...storage import CorruptError, Journal
from ..model.errors import GreenroomError
from .active_marks import ActiveMarks
from .directory import Directory

__all__ = ["Recovery"]

PAGE = 250

logger = logging.getLogger("greenroom")

ReadPage = Callable[..., list[tuple[bytes, int]]]


class Recovery:
    """Wakes the runs that have activities to perform or mail on disk; cost grows with what is due, not with what
    exists."""

    def __init__(self, *, journal: Journal, dispatcher: Dispatcher, directory: Directory, marks: ActiveMarks) -> None:
        self._queues: list[ReadPage] = [journal.active, journal.waiting]
        self._marks = marks
        self._is_marks = True
        self._dispatcher = dispatcher
        self._directory = directory
        self._after = b""

    def start(self) -> None:
        """Wake the first page; each page asks for the next once its runs have had a turn."""
        damaged: list[CorruptError] = []
        page = self._queues[0](after=self._after, limit=PAGE, damaged=damaged)
        for error in damaged:
            logger.error("%s", error)
        for key, run_no in page:
            self._after = key
            try:
                actor = self._directory.of_run(run_no)
            except GreenroomError as error:
                # One damaged run stops that run.
                logger.error("run %d cannot be brought back: %s", run_no, error)
                continue
            if self._is_marks:
                self._marks.find(run_no, is_open=actor is not None)
            if actor is not None:
                actor.resume()
        if len(page) < PAGE:
            del self._queues[0]
            self._is_marks = False
            self._after = b""
        if self._queues:
            self._dispatcher.call_soon(self.start)
