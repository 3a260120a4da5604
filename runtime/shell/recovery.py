"""On opening: what was under way goes into the normal path, page by page, while the runtime already works."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...actors import Dispatcher
from ...storage import CorruptError, Journal, StorageError
from ..model.errors import GreenroomError, JournalCorruptError, JournalFormatError
from .directory import Directory
from .pace import Pace
from .retries import AGAIN_AFTER_NS
from .sweep import Sweep

__all__ = ["Recovery"]

PAGE = 250

logger = logging.getLogger("greenroom")

ReadPage = Callable[..., list[tuple[bytes, int]]]


class Recovery:
    """Wakes the runs that have activities to perform or mail on disk; cost grows with what is due, not with what
    exists."""

    def __init__(
        self, *, journal: Journal, dispatcher: Dispatcher, pace: Pace, directory: Directory, sweep: Sweep
    ) -> None:
        self._queues: list[ReadPage] = [journal.active, journal.waiting]
        self._sweep = sweep
        self._dispatcher = dispatcher
        self._pace = pace
        self._directory = directory
        self._after = b""
        directory.is_recovering = True

    def start(self) -> None:
        """Wake the first page; each page asks for the next once its runs have had a turn."""
        if self._directory.closed_by is not None:
            # The journal is lost: no run can be brought back, and nothing may be concluded from that.
            return
        try:
            is_last = self._take_page()
        except (StorageError, GreenroomError) as error:
            # The disk may be read again soon; nobody else would bring these runs back.
            logger.error("runs that were under way cannot be looked for, which is tried again: %s", error)
            self._dispatcher.call_at(self._dispatcher.clock.now_ns() + AGAIN_AFTER_NS, self.start)
            return
        if not is_last:
            self._pace.call_behind(self.start)
            return
        del self._queues[0]
        self._after = b""
        if self._queues:
            self._dispatcher.call_soon(self.start)
        else:
            self._directory.is_recovering = False

    def _take_page(self) -> bool:
        """Wake one page of runs; whether it was the last of its queue."""
        damaged: list[CorruptError] = []
        page = self._queues[0](after=self._after, limit=PAGE, damaged=damaged)
        for each in damaged:
            logger.error("%s", each)
        last = self._after
        for key, run_no in page:
            if key != last:
                # All runs that the key before stands for have been seen to.
                self._after = last
                last = key
            try:
                self._bring_back(run_no)
            except (JournalCorruptError, JournalFormatError) as error:
                # One damaged run stops that run.
                logger.error("run %d cannot be brought back: %s", run_no, error)
        self._after = last
        return len(page) < PAGE

    def _bring_back(self, run_no: int) -> None:
        actor = self._directory.of_run(run_no)
        if actor is not None:
            actor.recover()
            return
        header = self._directory.header(run_no)
        if header is None or header.closed_ns is not None:
            # A damaged row of marks stands for every run that it can have told of.
            self._sweep.batch.clear_active(run_no)
