"""Runs are deleted: gone with one commit, and their rows a slice a sweep, beside all other work."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...actors import Dispatcher, Future
from ...storage import Journal, RunHeader, StorageError, delete_more, delete_run
from ..core.messages import RunTerminated
from ..model.errors import GreenroomError, WorkflowClosedError, WorkflowNotFoundError, WorkflowStillRunningError
from ..model.run_facts import decode_facts
from .asking import Asking
from .delivery import Delivery
from .directory import Directory
from .journal_seam import translated
from .last_words import tell_more_children
from .retries import AGAIN_AFTER_NS, Retries
from .sweep import Sweep, fail_if_pending
from .targets import Target

__all__ = ["Deleting"]

_TERMINATED = "it is deleted"

logger = logging.getLogger("greenroom")

Known = Callable[[Target], tuple[int, RunHeader]]
Again = Callable[[Target], None]


class Deleting:
    """Deletes runs that have ended; used on the dispatcher's thread only."""

    def __init__(
        self,
        *,
        path: str,
        journal: Journal,
        dispatcher: Dispatcher,
        directory: Directory,
        sweep: Sweep,
        asking: Asking,
        retries: Retries,
    ) -> None:
        self._path = path
        self._journal = journal
        self._dispatcher = dispatcher
        self._directory = directory
        self._sweep = sweep
        self._asking = asking
        self._retries = retries
        self._is_under_way = False

    def start(self) -> None:
        """Go on with what an earlier opening has begun."""
        self._is_under_way = True
        self._go_on()

    def ask(self, future: Future[None], run_no: int, target: Target, again: Again, *, terminate: bool) -> None:
        """Delete a run that somebody wants to be gone.

        Args:
            future: done once that is on disk.
            target: the run that was asked for.
            again: asks for the deletion once more, of a target, when the run has ended.
            terminate: whether to end a run that is open.

        Raises:
            WorkflowStillRunningError: it is open, and is not to be ended.
            GreenroomError: the journal cannot be read.
        """
        actor = self._directory.of_run(run_no)
        if actor is None:
            header = self._directory.header(run_no)
            assert header is not None, "it was found a moment ago"
            self.delete(run_no, header)
            self._sweep.answer(future, None)
            return
        header = actor.run.header
        if not actor.is_open:
            # How it has ended is on disk with the open sweep, and its rows can be found then.
            self._sweep.after(self._dispatcher.call_soon, again, target)
            self._sweep.undo(fail_if_pending, future)
            return
        if not terminate:
            raise WorkflowStillRunningError(header.workflow_id, header.run_id)
        # Of the chain that the run is of, whichever run is there by then; a later start of the id is not meant.
        again_of = target if target.run_id else Target(header.workflow_id, first_run_id=header.first_run_id)
        ended: Future[None] = Future()
        ended.add_done_callback(lambda done: self._go_on_asking(done, future, again, again_of))
        actor.accept(Delivery(RunTerminated(_TERMINATED, is_pinned=bool(target.run_id)), ended))

    def _go_on_asking(self, ended: Future[None], future: Future[None], again: Again, target: Target) -> None:
        error = ended.exception()
        if error is not None and not isinstance(error, WorkflowClosedError):
            fail_if_pending(future, error)
        else:
            self._dispatcher.call_soon(again, target)

    def delete(self, run_no: int, header: RunHeader) -> int:
        """Delete a run that has ended and is not in memory, in the open sweep; nobody finds it from now on.

        Args:
            header: what the disk has, or will have with the open sweep.

        Returns:
            How many rows of it the open sweep deletes; a longer run has more, which later ones delete.

        Raises:
            GreenroomError: the journal cannot be read.
        """
        with translated(self._path):
            if header.facts and decode_facts(header.facts).untold:
                # Nobody could tell them any more.
                tell_more_children(self._directory.tools, run_no, all_of_them=True)
            count, is_whole = delete_run(self._journal, self._sweep.batch, run_no, header)
        self._directory.hide(run_no)
        self._sweep.after(self._directory.show, run_no)
        self._sweep.undo(self._directory.show, run_no)
        self._sweep.after(self._asking.refuse, run_no, WorkflowNotFoundError(header.workflow_id, header.run_id))
        if not is_whole:
            self._sweep.after(self._begin)
        return count

    def _begin(self) -> None:
        if not self._is_under_way:
            self._is_under_way = True
            self._dispatcher.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Delete the next slice of whatever is left; the one after it with the next sweep."""
        try:
            left = self._journal.being_deleted()
            if left:
                delete_more(self._journal, self._sweep.batch, left[0])
        except StorageError as error:
            logger.error("what is left of deleted runs cannot be looked for, which is tried again: %s", error)
            self._again_later()
            return
        if not left:
            self._is_under_way = False
            return
        self._sweep.after(self._dispatcher.call_soon, self._go_on)
        self._sweep.undo(self._again_later)

    def _again_later(self, error: GreenroomError | None = None) -> None:
        self._retries.later(AGAIN_AFTER_NS, self._go_on)
