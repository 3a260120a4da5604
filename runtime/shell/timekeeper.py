"""What is due: the next in memory, all others only on disk, and one deadline at which the next page is read.

A journal may have any number of timers that are due within a minute, or were due while nobody looked. So there is a
*place* in the order of time: what is due up to there is in memory or has fired, and the disk is read on from there, a
page at a time. Where too much is in memory the latest of it is left to the disk, and the place goes back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from ...actors import Deadline, Dispatcher
from ...storage import CorruptError, Due, Journal, StorageError
from ..model.errors import GreenroomError, JournalCorruptError, JournalFormatError
from .pace import Pace
from .retries import AGAIN_AFTER_NS

__all__ = ["Timekeeper"]

HORIZON_NS = 60 * 1_000_000_000
PAGE = 1000
MOST_NEAR = 8000
_END_OF_TIME = 2**63 - 1
_LAST = 2**63

logger = logging.getLogger("greenroom")


class Timekeeper:
    """Calls ``fire`` for everything that is due; used on the dispatcher's thread only.

    Args:
        dispatcher: whose deadlines it uses.
        journal: where what is due stands in the order of time.
        pace: says when the runs that were told of a page have had a turn.
        fire: told what is due, at its time or later, at least once.
        damaged: told of rows that cannot be read.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        journal: Journal,
        pace: Pace,
        fire: Callable[[Due], None],
        damaged: Callable[[CorruptError], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._journal = journal
        self._pace = pace
        self._fire = fire
        self._damaged = damaged
        # A row that could not be told of is called later than it stands on disk: both are kept.
        self._near: dict[tuple[int, int, int], tuple[Due, Deadline]] = {}
        self._horizon_ns = 0
        self._place = Due(0, 0, 0, 0)
        self._next: Deadline | None = None

    def __len__(self) -> int:
        """How much of what is due is in memory."""
        return len(self._near)

    def start(self) -> None:
        """Read what is due soon; what was due while nobody looked fires first, in order."""
        self._place = Due(0, 0, 0, 0)
        self._read_page()

    def arm(self, run_no: int, kind: int, item: int, at_ns: int) -> None:
        """Note what stands on disk as due; what is far is left there."""
        key = (run_no, kind, item)
        near = self._near.get(key)
        if near is not None:
            if near[0].at_ns == at_ns:
                # A run that comes back arms what is armed: it keeps its place among what is due at the same instant.
                return
            self.disarm(*key)
        if at_ns > self._horizon_ns:
            self._read_on_for(at_ns)
            return
        self._call_at(at_ns, Due(at_ns, run_no, kind, item))
        if len(self._near) > MOST_NEAR:
            self._leave_the_latest()

    def arm_behind(self, run_no: int, kind: int, item: int, at_ns: int) -> None:
        """The same, once the runs that are awake now have had a turn."""
        self._pace.call_behind(partial(self.arm, run_no, kind, item, at_ns))

    def disarm(self, run_no: int, kind: int, item: int) -> None:
        """Forget what is no longer wanted."""
        near = self._near.pop((run_no, kind, item), None)
        if near is not None:
            near[1].cancel()

    def _call_at(self, at_ns: int, due: Due) -> None:
        self._near[due[1:]] = due, self._dispatcher.call_at(at_ns, self._due, due)

    def _due(self, due: Due) -> None:
        self._near.pop(due[1:], None)
        try:
            self._fire(due)
        except (CorruptError, JournalCorruptError, JournalFormatError) as error:
            # One damaged run stops that run.
            logger.error("run %d cannot be told of what is due: %s", due.run_no, error)
        except (StorageError, GreenroomError) as error:
            logger.error("run %d cannot be told of what is due, which is tried again: %s", due.run_no, error)
            self._call_at(self._again_ns(), due)

    def _again_ns(self) -> int:
        """When what the disk refuses is tried again; nobody else would."""
        return self._dispatcher.clock.now_ns() + AGAIN_AFTER_NS

    def _leave_the_latest(self) -> None:
        """Leave half of what is in memory to the disk, which is read again once half of the rest was called."""
        nearest = sorted(self._near.values(), key=_due_of)
        half = len(nearest) // 2
        for due, _ in nearest[half:]:
            self.disarm(*due[1:])
        last = nearest[half - 1][0]
        if self._place > last:
            self._place = last
            # By when they are called and not by when they are due: while the disk refuses there is no room before that.
            self._read_on_at(sorted(deadline.at_ns for _, deadline in nearest[:half])[half // 2])

    def _read_page(self) -> None:
        """Read on for one page; the next one comes once the runs that this one wakes have had a turn."""
        try:
            self._take_page()
        except StorageError as error:
            logger.error("what is due cannot be looked for, which is tried again: %s", error)
            self._read_on_at(self._again_ns())

    def _take_page(self) -> None:
        damaged: list[CorruptError] = []
        self._horizon_ns = horizon_ns = self._dispatcher.clock.now_ns() + HORIZON_NS
        page = self._journal.due(until_ns=horizon_ns, after=self._place, limit=PAGE, damaged=damaged)
        for error in damaged:
            self._damaged(error)
        last = self._place = page[-1] if len(page) == PAGE else Due(horizon_ns, _LAST, 0, 0)
        for due in page:
            if due[1:] not in self._near:
                self.arm(due.run_no, due.kind, due.item, due.at_ns)
        if len(page) < PAGE:
            if rest := self._journal.due(until_ns=_END_OF_TIME, after=last, limit=1, damaged=[]):
                self._read_on_for(max(rest[0].at_ns, horizon_ns))
        elif self._place == last:
            # What of this page is overdue fires before it is waited for.
            self._dispatcher.call_soon(self._pace.call_behind, self._read_page)

    def _read_on_for(self, at_ns: int) -> None:
        """See to it that what is due at ``at_ns`` is in memory before that; nothing is looked at until then."""
        self._read_on_at(at_ns - HORIZON_NS // 2)

    def _read_on_at(self, wake_ns: int) -> None:
        if self._next is not None and self._next.is_pending:
            if self._next.at_ns <= wake_ns:
                return
            self._next.cancel()
        self._next = self._dispatcher.call_at(wake_ns, self._read_page)


def _due_of(near: tuple[Due, Deadline]) -> Due:
    return near[0]
