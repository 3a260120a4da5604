"""What is due: near instants in memory, far ones only on disk, and one deadline at which the next page is read."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...actors import Deadline, Dispatcher
from ...storage import CorruptError, Due, Journal, StorageError
from ..model.errors import GreenroomError, JournalCorruptError, JournalFormatError
from .retries import AGAIN_AFTER_NS

__all__ = ["Timekeeper"]

HORIZON_NS = 60 * 1_000_000_000
PAGE = 1000
_END_OF_TIME = 2**63 - 1

logger = logging.getLogger("greenroom")


class Timekeeper:
    """Calls ``fire`` for everything that is due; used on the dispatcher's thread only.

    Args:
        dispatcher: whose deadlines it uses.
        journal: where what is due stands in the order of time.
        fire: told what is due, at its time or later, at least once.
        damaged: told of rows that cannot be read.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        journal: Journal,
        fire: Callable[[Due], None],
        damaged: Callable[[CorruptError], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._journal = journal
        self._fire = fire
        self._damaged = damaged
        self._near: dict[tuple[int, int, int], Deadline] = {}
        self._read_until_ns = 0
        self._after = b""
        self._next: Deadline | None = None

    def start(self) -> None:
        """Read what is due soon; what was due while nobody looked fires first, in order."""
        self._read_until_ns = self._dispatcher.clock.now_ns() + HORIZON_NS
        self._after = b""
        self._read_page()

    def arm(self, run_no: int, kind: int, item: int, at_ns: int) -> None:
        """Note what was just written as due; what is far is left to the disk."""
        key = (run_no, kind, item)
        if at_ns > self._read_until_ns:
            self._read_again_for(at_ns)
            return
        deadline = self._near.get(key)
        if deadline is not None:
            if deadline.at_ns == at_ns:
                # A run that comes back arms what is armed: it keeps its place among what is due at the same instant.
                return
            deadline.cancel()
        self._near[key] = self._dispatcher.call_at(at_ns, self._due, Due(at_ns, run_no, kind, item))

    def disarm(self, run_no: int, kind: int, item: int) -> None:
        """Forget what is no longer wanted."""
        deadline = self._near.pop((run_no, kind, item), None)
        if deadline is not None:
            deadline.cancel()

    def _due(self, due: Due) -> None:
        key = (due.run_no, due.kind, due.item)
        self._near.pop(key, None)
        try:
            self._fire(due)
        except (CorruptError, JournalCorruptError, JournalFormatError) as error:
            # One damaged run stops that run.
            logger.error("run %d cannot be told of what is due: %s", due.run_no, error)
        except (StorageError, GreenroomError) as error:
            logger.error("run %d cannot be told of what is due, which is tried again: %s", due.run_no, error)
            self._near[key] = self._again(self._due, due)

    def _again(self, action: Callable[..., object], *args: Due) -> Deadline:
        """The disk may be read again soon; nobody else would look."""
        return self._dispatcher.call_at(self._dispatcher.clock.now_ns() + AGAIN_AFTER_NS, action, *args)

    def _read_page(self) -> None:
        """Read one page, then let a sweep go by before the next."""
        try:
            self._take_page()
        except StorageError as error:
            logger.error("what is due cannot be looked for, which is tried again: %s", error)
            self._again(self._read_page)

    def _take_page(self) -> None:
        damaged: list[CorruptError] = []
        page = self._journal.due(until_ns=self._read_until_ns, after=self._after, limit=PAGE, damaged=damaged)
        for error in damaged:
            self._damaged(error)
        for key, due in page:
            self._after = key
            if (due.run_no, due.kind, due.item) not in self._near:
                self.arm(due.run_no, due.kind, due.item, due.at_ns)
        if len(page) == PAGE:
            self._dispatcher.call_soon(self._read_page)
        elif rest := self._journal.due(until_ns=_END_OF_TIME, after=self._after, limit=1, damaged=[]):
            self._read_again_for(max(rest[0][1].at_ns, self._read_until_ns))

    def _read_again_for(self, at_ns: int) -> None:
        """See to it that what is due at ``at_ns`` is in memory before that; nothing is looked at until then."""
        wake_ns = at_ns - HORIZON_NS // 2
        if self._next is not None and self._next.is_pending:
            if self._next.at_ns <= wake_ns:
                return
            self._next.cancel()
        self._next = self._dispatcher.call_at(wake_ns, self._read_on)

    def _read_on(self) -> None:
        self._read_until_ns = self._dispatcher.clock.now_ns() + HORIZON_NS
        self._read_page()
