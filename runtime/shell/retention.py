"""Runs that have ended are deleted when their time has come, a few a sweep.

Each has a row in the journal at the time when it is to be deleted, which its header knows too. Where the policy is not
the one that these rows follow from, all runs are looked at once, beside other work; until then a row that comes due is
held against the policy of now, so that none goes too early.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...actors import Deadline, Dispatcher
from ...storage import CorruptError, FormatError, Journal, RunHeader, StorageError
from ..model.definitions import WorkflowDefinition
from ..model.errors import GreenroomError, JournalCorruptError, JournalFormatError
from ..model.registry import Registry
from ..model.retention import RetentionPolicy
from .retries import AGAIN_AFTER_NS
from .sweep import Sweep

__all__ = ["Retention", "forget_policy", "policy_among"]

# As many as a sweep takes turns: runs are deleted as fast as they can end.
PAGE = 256
# Fewer, if they have long histories.
MOST_ROWS = 1000
# Runs that end one after the other are deleted together: an idle runtime wakes no more often than this for them.
GRAIN_NS = 1_000_000_000
_END_OF_TIME = 2**64 - 2

logger = logging.getLogger("greenroom")

Delete = Callable[[int, RunHeader], int]


class Retention:
    """Keeps a policy; used on the dispatcher's thread only.

    Args:
        header: gives what is known of a run.
        is_at_rest: whether the disk has all that is to be said of a run.
    """

    def __init__(
        self,
        policy: RetentionPolicy,
        *,
        journal: Journal,
        dispatcher: Dispatcher,
        header: Callable[[int], RunHeader | None],
        is_at_rest: Callable[[int], bool],
        sweep: Sweep,
    ) -> None:
        self._policy = policy
        self._journal = journal
        self._dispatcher = dispatcher
        self._header = header
        self._is_at_rest = is_at_rest
        self._sweep = sweep
        self._delete: Delete | None = None
        self._next: Deadline | None = None
        self._is_looking = False
        # Which runs are still to be looked at, since the policy has changed: these and those before ``stop``.
        self._first = 1
        self._stop = 0

    def start(self, delete: Delete) -> None:
        """Look what has come due, and at all runs if the policy is a new one.

        Args:
            delete: deletes a run that has ended, in the open sweep; gives how many rows that sweep deletes of it.
        """
        self._delete = delete
        try:
            is_new = self._journal.retention() != self._policy.text
        except (CorruptError, FormatError) as error:
            logger.error("%s; all runs are looked at", error)
            is_new = True
        except StorageError as error:
            logger.error("how long runs are kept cannot be looked for, which is tried again: %s", error)
            self._dispatcher.call_at(self._again_ns(), self.start, delete)
            return
        if is_new:
            self._stop = self._journal.next_run_no
            self._scan()
        self._look()

    def keep(self, run_no: int, workflow_type: str, closed_ns: int) -> int | None:
        """A run ends, in the open sweep: when it is to be deleted, or None."""
        expires_ns = self._policy.expires_ns(workflow_type, closed_ns)
        if expires_ns is not None:
            self._sweep.batch.put_expiry(run_no, expires_ns)
            self._sweep.after(self._wake_at, expires_ns)
        return expires_ns

    # What has come due.

    def _look(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._go_on()

    def _go_on(self) -> None:
        try:
            is_more = self._take_page()
            following = [] if is_more else self._journal.expiring(until_ns=_END_OF_TIME, limit=1, damaged=[])
        except (StorageError, GreenroomError) as error:
            logger.error("ended runs cannot be deleted now, which is tried again: %s", error)
            self._go_on_later()
            return
        if is_more:
            self._sweep.after(self._dispatcher.call_soon, self._go_on)
            self._sweep.undo(self._go_on_later)
            return
        self._is_looking = False
        if following:
            self._wake_at(following[0][0])

    def _take_page(self) -> bool:
        """See to the first of what has come due; whether there was any."""
        now_ns = self._dispatcher.clock.now_ns()
        page = self._journal.expiring(until_ns=now_ns, limit=PAGE, damaged=[])
        rows = 0
        for at_ns, run_no in page:
            rows += self._settle(run_no, at_ns, now_ns)
            if rows >= MOST_ROWS:
                break
        return bool(page)

    def _settle(self, run_no: int, at_ns: int, now_ns: int) -> int:
        """Delete a run, or have it come due when the policy of now says so; how many rows that deletes."""
        try:
            header = self._header(run_no)
            expires_ns = None if header is None else self._expires_ns(header)
            if header is not None and expires_ns is not None and expires_ns <= now_ns and self._delete is not None:
                rows = self._delete(run_no, header)
                # The row may be another than the one that its header knows.
                self._sweep.batch.drop_expiry(run_no, at_ns)
                return rows
        except (JournalCorruptError, JournalFormatError) as error:
            # One damaged run stops nothing but its own end.
            logger.error("run %d cannot be deleted, and is kept: %s", run_no, error)
            header = None
        self._sweep.batch.drop_expiry(run_no, at_ns)
        if header is not None:
            self._note(run_no, header)
        return 1

    def _wake_at(self, at_ns: int) -> None:
        """Look again when something comes due then; what comes due soon after is seen to with it."""
        if self._next is not None and self._next.is_pending:
            if self._next.at_ns <= at_ns + GRAIN_NS:
                return
            self._next.cancel()
        soonest_ns = self._dispatcher.clock.now_ns() + GRAIN_NS
        self._next = self._dispatcher.call_at(max(at_ns, soonest_ns), self._look)

    def _go_on_later(self, error: GreenroomError | None = None) -> None:
        self._dispatcher.call_at(self._again_ns(), self._go_on)

    # All runs, once.

    def _scan(self) -> None:
        """Look at the next runs, and have those that have ended come due when the policy says so."""
        try:
            page = self._journal.headers(first=self._first, stop=self._stop, limit=PAGE)
        except StorageError as error:
            logger.error("ended runs cannot be looked at, which is tried again: %s", error)
            self._scan_later()
            return
        for run_no, header in page:
            # One that is in memory, or has been deleted since, is another by now.
            if header is not None and self._is_at_rest(run_no):
                self._note(run_no, self._sweep.batch.header(run_no) or header)
        first = self._first
        if len(page) < PAGE:
            self._sweep.batch.set_retention(self._policy.text)
            self._sweep.after(self._look)
        else:
            self._first = page[-1][0] + 1
            self._sweep.after(self._dispatcher.call_soon, self._scan)
        self._sweep.undo(self._scan_again, first)

    def _scan_again(self, first: int, error: GreenroomError) -> None:
        self._first = first
        self._scan_later()

    def _scan_later(self) -> None:
        self._dispatcher.call_at(self._again_ns(), self._scan)

    def _note(self, run_no: int, header: RunHeader) -> None:
        """Have the disk say when a run that has ended comes due."""
        expires_ns = self._expires_ns(header)
        if header.closed_ns is None or expires_ns == header.expires_ns:
            return
        batch = self._sweep.batch
        if header.expires_ns is not None:
            batch.drop_expiry(run_no, header.expires_ns)
        if expires_ns is not None:
            batch.put_expiry(run_no, expires_ns)
        batch.put_header(run_no, header._replace(expires_ns=expires_ns))

    def _expires_ns(self, header: RunHeader) -> int | None:
        return None if header.closed_ns is None else self._policy.expires_ns(header.workflow_type, header.closed_ns)

    def _again_ns(self) -> int:
        return self._dispatcher.clock.now_ns() + AGAIN_AFTER_NS


def forget_policy(journal: Journal, sweep: Sweep) -> None:
    """Every run that ends from now on is kept: what the journal knows of an earlier policy is not all any more."""
    try:
        is_known = bool(journal.retention())
    except (CorruptError, FormatError):
        is_known = True
    except StorageError as error:
        logger.error("how long runs were kept cannot be looked for: %s", error)
        is_known = True
    if is_known:
        sweep.batch.set_retention("")


def policy_among(policy: RetentionPolicy, workflows: Registry[WorkflowDefinition]) -> RetentionPolicy:
    """The policy for the names that these workflows have and had. What no workflow goes by is said in the log and not
    refused: the journal may hold runs of code that is gone."""
    for name in policy.strangers(workflows):
        logger.warning(
            "retention_by_type has %r, which no workflow of this runtime is named%s; it holds for runs of that type "
            "that older code has left, and for no others",
            name,
            _meant(name, workflows.names()),
        )
    return policy.among(workflows)


def _meant(name: str, known: list[str]) -> str:
    # Few come here, and it takes a while to import.
    from difflib import get_close_matches

    near = [each for each in known if each.endswith(f".{name}")] or get_close_matches(name, known)
    if near:
        return f" (did you mean {' or '.join(map(repr, near))}?)"
    return f" (declared: {', '.join(map(repr, known)) or 'none'})"
