"""Which runs are in memory, and where the others are: least recently used out first."""

from __future__ import annotations

from ...actors import Dispatcher
from ...storage import Journal, RunHeader, StorageError
from ..core.messages import Message, WorkflowStarted
from ..model.errors import GreenroomError
from ..model.ids import run_no_of
from .delivery import Delivery
from .journal_seam import public_error
from .run_state import RunState
from .standing import Standing
from .tools import Peer, Tools
from .workflow_actor import WorkflowActor

__all__ = ["Directory"]


class Directory:
    """The actors of runs; used on the dispatcher's thread only.

    Attributes:
        patience: how many busy runs in a row end a search for idle ones while there is other work.
        closed_by: what is told to whoever asks for a run from now on, or None while runs can be brought back.

    Args:
        max_residents: runs in memory beyond this number are put away once they are idle.
    """

    # As many as a sweep takes turns: where mail comes faster than it is taken, all behind them are busy too.
    patience = 256

    def __init__(self, *, journal: Journal, path: str, dispatcher: Dispatcher, max_residents: int) -> None:
        self.tools: Tools
        self._journal = journal
        self._path = path
        self._dispatcher = dispatcher
        self._max_residents = max_residents
        # Least recently spoken to first.
        self._residents: dict[int, WorkflowActor] = {}
        self.closed_by: GreenroomError | None = None
        # Opening has not brought back all that was under way.
        self.is_recovering = False
        # Runs whose start is not on disk yet, by workflow id: the journal does not find them.
        self._unborn: dict[str, WorkflowActor] = {}
        # Runs that the open sweep deletes: the journal still finds them.
        self._hidden: set[int] = set()

    def __len__(self) -> int:
        return len(self._residents)

    def residents(self) -> list[WorkflowActor]:
        """The actors in memory, least recently spoken to first."""
        return list(self._residents.values())

    def begin(self, run: RunState, start: Delivery) -> WorkflowActor:
        """Make the actor of a new run; its first message is ``start``."""
        actor = self._make(run, Standing.NEW)
        self._unborn[run.header.workflow_id] = actor
        actor.accept(start)
        return actor

    def begin_beside(self, run: RunState, start: WorkflowStarted) -> WorkflowActor:
        """Make the actor of a run that another run wants; its birth stands in the open sweep."""
        actor = self._make(run, Standing.NEW)
        self._unborn[run.header.workflow_id] = actor
        actor.be_written(start)
        return actor

    def begin_copied(self, run: RunState) -> WorkflowActor:
        """Make the actor of a run that goes on with the history of another one, which stands in the open sweep."""
        actor = self._make(run, Standing.DORMANT)
        self._unborn[run.header.workflow_id] = actor
        actor.be_copied()
        return actor

    def of_run(self, run_no: int) -> WorkflowActor | None:
        """The actor of a run, brought to memory as dormant if need be; None if there is no such run or it has ended."""
        actor = self._residents.pop(run_no, None)
        if actor is not None:
            self._residents[run_no] = actor
            return actor
        header = None if self.closed_by is not None else self.header(run_no)
        if header is None or header.closed_ns is not None:
            return None
        return self._make(RunState(run_no, header, is_stored=True), Standing.DORMANT)

    def is_coming_back(self, run_no: int) -> bool:
        """Whether a suspended run is about to be tried again. If opening may still come to it, it is tried now."""
        actor = self.of_run(run_no) if self.is_recovering else self._residents.get(run_no)
        if actor is None:
            return False
        if self.is_recovering:
            actor.recover()
        return actor.is_coming_back

    def unborn(self, run_no: int) -> WorkflowActor | None:
        """The actor of a run whose start has not been taken yet, or None."""
        actor = self._residents.get(run_no)
        return actor if actor is not None and actor.is_unborn else None

    def header(self, run_no: int) -> RunHeader | None:
        """What is known of a run without replaying it.

        Raises:
            JournalCorruptError: its header cannot be read.
        """
        actor = self._residents.get(run_no)
        if actor is not None:
            return actor.run.header
        if run_no in self._hidden:
            return None
        try:
            # What ended before may have been changed by the open sweep, and must not be changed back.
            return self.tools.sweep.batch.header(run_no) or self._journal.header(run_no)
        except StorageError as error:
            raise public_error(error, self._path) from error

    def find(self, workflow_id: str, run_id: str) -> int | None:
        """The number of a run: that of ``run_id``, or if it is empty the current one of the workflow id; None if
        there is none."""
        if not run_id:
            unborn = self._unborn.get(workflow_id)
            if unborn is not None:
                return unborn.run.run_no
            try:
                current = self._journal.current_run(workflow_id)
            except StorageError as error:
                raise public_error(error, self._path) from error
            if current is not None:
                return current
            # An id that nobody chose is that of the run itself, and has no row.
            run_id = workflow_id
        run_no = run_no_of(run_id)
        header = None if run_no is None else self.header(run_no)
        return run_no if header is not None and (header.workflow_id, header.run_id) == (workflow_id, run_id) else None

    def find_open(self, workflow_id: str, run_id: str) -> WorkflowActor | None:
        """The actor of an open run that is on disk, or will be with the open sweep; None if there is none."""
        actor = self._open(workflow_id, run_id)
        return None if actor is None or actor.is_unborn else actor

    def make_known(self, workflow_id: str) -> WorkflowActor | None:
        """The same, of the current run; one whose start has not been taken yet is on disk with the open sweep, too."""
        actor = self._open(workflow_id, "")
        if actor is not None and actor.is_unborn:
            actor.be_known()
        return actor

    def _open(self, workflow_id: str, run_id: str) -> WorkflowActor | None:
        run_no = self.find(workflow_id, run_id)
        actor = None if run_no is None else self.of_run(run_no)
        return actor if actor is not None and actor.is_open else None

    def deliver(self, run_no: int, message: Message) -> None:
        """Give a run a message that tells of something that has happened; a run that has ended need not know."""
        actor = self.of_run(run_no)
        if actor is not None:
            actor.accept(Delivery(message, is_lasting=True))

    def evict(self, *, keep: int = 0, patience: int | None = None) -> int:
        """Put idle runs away until ``keep`` are in memory, the least recently used first; only between sweeps.

        Args:
            patience: how many busy runs in a row end the search; None to look at all.

        Returns:
            How many were put away.
        """
        excess = len(self._residents) - keep
        victims: list[WorkflowActor] = []
        busy = 0
        for actor in self._residents.values():
            if len(victims) >= excess or busy == patience:
                break
            if actor.is_idle and actor.run.is_stored:
                victims.append(actor)
                busy = 0
            else:
                busy += 1
        for actor in victims:
            del self._residents[actor.run.run_no]
            actor.leave_memory()
        return len(victims)

    def close(self, error: GreenroomError) -> None:
        """Put every run away, whatever it is doing, and bring none back; ``error`` is for whoever waits to be heard."""
        self.closed_by = self.closed_by or error
        for actor in self._residents.values():
            actor.close(error)
        self._residents.clear()
        self._unborn.clear()

    def _make(self, run: RunState, standing: Standing) -> WorkflowActor:
        actor = WorkflowActor(run, standing, self.tools, self._dispatcher)
        self._residents[run.run_no] = actor
        actor.launch()
        return actor

    def keep_to_bound(self) -> None:
        """Put idle runs away if there are more in memory than there may be; only between sweeps."""
        if len(self._residents) > self._max_residents:
            self._shrink(self.patience)

    def keep_to_bound_at_leisure(self) -> None:
        """The same, and look at every run: there is nothing else to do."""
        if len(self._residents) > self._max_residents:
            self._shrink(None)

    def _shrink(self, patience: int | None) -> None:
        # A little more than needed at a time, so that the search is not repeated for each run.
        self.evict(keep=self._max_residents - self._max_residents // 16, patience=patience)

    def born(self, peer: Peer) -> None:
        """The start of a run is on disk now, where the journal finds it."""
        self._forget_unborn(peer)

    def is_at_rest(self, run_no: int) -> bool:
        """Whether the disk has all that is to be said of a run: it is not in memory, nor deleted by the open sweep."""
        return run_no not in self._residents and run_no not in self._hidden

    def hide(self, run_no: int) -> None:
        """The open sweep deletes a run: there is none from now on."""
        self._hidden.add(run_no)

    def show(self, run_no: int, error: GreenroomError | None = None) -> None:
        """The journal says again whether there is a run."""
        self._hidden.discard(run_no)

    def _forget_unborn(self, peer: Peer) -> None:
        if self._unborn.get(peer.run.header.workflow_id) is peer:
            del self._unborn[peer.run.header.workflow_id]

    def gone(self, peer: Peer) -> None:
        """Nothing more is to be done with the run."""
        self._forget_unborn(peer)
        if self._residents.get(peer.run.run_no) is peer:
            del self._residents[peer.run.run_no]
