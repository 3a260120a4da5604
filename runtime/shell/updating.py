"""Who waits for which update, and what they are told: how far it has come, its outcome, or why neither can be told.

Nothing is told before it is on disk. A request is sent to its run once, however many ask for the same update meanwhile;
what the run makes of it, all of them hear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...actors import Future
from ...storage import Journal, RunHeader, StorageError, Update
from ..core.messages import UpdateReceived
from ..model.errors import GreenroomError, WorkflowUpdateFailedError, WorkflowUpdateNotFoundError
from ..model.failure_reading import to_exception
from ..model.options import WorkflowExecutionStatus, WorkflowUpdateStage
from ..model.payload_converter import PayloadConverter
from ..model.values import Value
from .delivery import Delivery
from .journal_seam import public_error
from .outcomes import Outcome, Refusal, give
from .run_state import RunState
from .standing_errors import closed_error, suspended_error
from .sweep import Sweep, fail_if_pending

__all__ = ["UpdateWaiter", "Updating", "tell_outcome"]

_ADMITTED, _ACCEPTED = WorkflowUpdateStage.ADMITTED, WorkflowUpdateStage.ACCEPTED


class UpdateWaiter(Value, frozen=True):
    """One who waits for an update.

    Attributes:
        future: gets what is told.
        stage: how far the update must have come.
        update: its name, for messages; empty if it is not known.
        answer: makes what the caller gets of the run, and of the outcome if there is one yet; None if the caller gets
            the outcome itself.
    """

    future: Future[Any]
    stage: WorkflowUpdateStage
    update: str
    answer: Callable[[RunHeader, Outcome | None], Any] | None = None


class _Entry:
    """One update that somebody waits for.

    Attributes:
        waiters: those who wait.
        joined: those of them whose request is on its way to the run.
        is_sent: whether a request is in the mailbox of the run, in memory or on disk.
        is_admitted: whether it is there on disk.
    """

    __slots__ = ("is_admitted", "is_sent", "joined", "waiters")

    def __init__(self) -> None:
        self.waiters: list[UpdateWaiter] = []
        self.joined: list[UpdateWaiter] = []
        self.is_sent = False
        self.is_admitted = False


_Entries = dict[str, _Entry]


class Updating:
    """The waiters of one runtime; used on the dispatcher's thread only.

    Args:
        path: where the journal is, for messages.
    """

    __slots__ = ("_by_run", "_converter", "_journal", "_path", "_sweep")

    def __init__(self, journal: Journal, sweep: Sweep, converter: PayloadConverter, path: str) -> None:
        self._journal = journal
        self._sweep = sweep
        self._converter = converter
        self._path = path
        # Run number → update id → who waits.
        self._by_run: dict[int, _Entries] = {}

    # Who waits.

    def ask(self, run: RunState, update_id: str, waiter: UpdateWaiter) -> bool:
        """Note who asks for an update.

        Returns:
            Whether the request must be sent to the run; otherwise it is on its way.
        """
        entry = self._entry(run.run_no, update_id)
        entry.waiters.append(waiter)
        entry.joined.append(waiter)
        if entry.is_admitted:
            self._sweep.after(self.admitted, run, update_id)
        is_new = not entry.is_sent
        entry.is_sent = True
        return is_new

    def find(self, run: RunState, update_id: str, waiter: UpdateWaiter) -> None:
        """Note who waits for an update that the run must have, in the run's turn."""
        entry = self._by_run.get(run.run_no, {}).get(update_id)
        is_waiting = run.has_admitted(update_id) or (entry is not None and entry.is_sent)
        if update_id not in run.updates and not is_waiting:
            error = WorkflowUpdateNotFoundError(run.header.workflow_id, run.header.run_id, update_id)
            self._sweep.refuse(waiter.future, error)
        elif run.updates.get(update_id) or run.status is not WorkflowExecutionStatus.SUSPENDED:
            self._entry(run.run_no, update_id).waiters.append(waiter)
            self._sweep.after(self._tell_standing, run, update_id)
        else:
            self._sweep.refuse(waiter.future, suspended_error(run.header, update_id=update_id))

    def tell_stored(self, run_no: int, header: RunHeader, update_id: str, waiter: UpdateWaiter) -> bool:
        """Tell the outcome that the disk has of an update.

        Returns:
            Whether there is one.

        Raises:
            GreenroomError: the journal cannot be read.
        """
        outcome = self.stored(run_no, update_id)
        if outcome is not None:
            self._tell(waiter, header, update_id, outcome)
        return outcome is not None

    def stored(self, run_no: int, update_id: str) -> Outcome | None:
        """The outcome that the disk has of an update.

        Raises:
            GreenroomError: the journal cannot be read.
        """
        row = self._row(run_no, update_id)
        return Outcome.decode(row.outcome) if row is not None and row.outcome else None

    def _row(self, run_no: int, update_id: str) -> Update | None:
        try:
            return self._journal.update(run_no, update_id)
        except StorageError as error:
            raise public_error(error, self._path) from error

    def is_known(self, run: RunState, update_id: str) -> bool:
        """Whether an open run has taken an update, now or before, or it is on its way there.

        Raises:
            GreenroomError: the journal cannot be read.
        """
        entry = self._by_run.get(run.run_no, {}).get(update_id)
        if update_id in run.updates or (entry is not None and entry.is_sent):
            return True
        return self.is_stored(run.run_no, update_id)

    def is_stored(self, run_no: int, update_id: str) -> bool:
        """Whether the disk has a run take an update, open or not.

        Raises:
            GreenroomError: the journal cannot be read.
        """
        return self._row(run_no, update_id) is not None

    def _entry(self, run_no: int, update_id: str) -> _Entry:
        return self._by_run.setdefault(run_no, {}).setdefault(update_id, _Entry())

    def move(self, run_no: int, to_run_no: int, update_id: str) -> None:
        """A request goes on to another run of its workflow, in the open sweep, and so do those who wait."""
        entries = self._by_run.get(run_no, {})
        entry = entries.pop(update_id, None)
        if entry is not None:
            self._by_run.setdefault(to_run_no, {})[update_id] = entry
            self._sweep.undo(self._move_back, run_no, to_run_no, update_id)
        if not entries:
            self._by_run.pop(run_no, None)

    def _move_back(self, run_no: int, to_run_no: int, update_id: str, error: GreenroomError) -> None:
        entry = self._by_run.get(to_run_no, {}).pop(update_id, None)
        if entry is not None:
            self._by_run.setdefault(run_no, {})[update_id] = entry

    # What the run has made of a request, in the open sweep.

    def arrived(self, run: RunState, delivery: Delivery, update: UpdateReceived) -> None:
        """A request has come to its run; what the run makes of it is told next."""
        entry = self._by_run.get(run.run_no, {}).get(update.update_id)
        if entry is None:
            return
        joined, entry.joined = entry.joined, []
        entry.is_sent = entry.is_admitted = False
        if delivery.seq is None:
            # If the sweep does not get to disk the request is lost. One with a row is taken again.
            is_known = update.update_id in run.updates or run.has_admitted(update.update_id)
            self._sweep.undo(self._lose, run.run_no, update.update_id, joined if is_known else None)

    def taken(self, run: RunState, update: UpdateReceived) -> None:
        """The run has accepted the update, now or before."""
        self._sweep.after(self._tell_standing, run, update.update_id)

    def finished(self, run: RunState, update_id: str, outcome: Outcome) -> None:
        """The update has an outcome."""
        self._sweep.after(self._tell_all, run, update_id, outcome)

    def kept(self, run: RunState, update: UpdateReceived) -> None:
        """The run is stopped: the request waits on disk."""
        self._sweep.after(self._tell_kept, run, update.update_id)

    def refused(self, run: RunState, update: UpdateReceived) -> None:
        """The run has ended, and takes no update any more; it may have taken this one before."""
        if update.update_id in run.updates:
            self._sweep.after(self._tell_standing, run, update.update_id)
        else:
            self._sweep.after(self.fail, run.run_no, update.update_id, closed_error(run.header))

    def turn_away(self, run: RunState, delivery: Delivery, update: UpdateReceived, error: GreenroomError) -> None:
        """There is no room for a request: who has sent this one is told ``error``, and nothing is written."""
        self.arrived(run, delivery, update)
        self._sweep.after(self._lose, run.run_no, update.update_id, None, error)

    # Telling, once it is on disk.

    def admitted(self, run: RunState, update_id: str) -> None:
        """The request waits on disk, unless the run has taken it since."""
        entry = self._by_run.get(run.run_no, {}).get(update_id)
        if entry is not None and entry.is_sent:
            entry.is_admitted = True
            self._reached(run, update_id, _ADMITTED)

    def suspended(self, run: RunState) -> None:
        """The run has stopped: who waits for what it has accepted, or for what waits on disk, is told."""
        for update_id, entry in list(self._by_run.get(run.run_no, {}).items()):
            if not entry.is_sent or run.has_admitted(update_id):
                self.fail(run.run_no, update_id, suspended_error(run.header, update_id=update_id))

    def fail(self, run_no: int, update_id: str, error: GreenroomError) -> None:
        """Nothing more can be told of an update."""
        for waiter in self._take(run_no, update_id):
            fail_if_pending(waiter.future, error)

    def _lose(self, run_no: int, update_id: str, lost: list[UpdateWaiter] | None, error: GreenroomError) -> None:
        """A request is lost.

        Args:
            lost: those who wait for nothing else, since the run has an earlier one; None if it has none, and only who
                has sent another one meanwhile is told anything.
        """
        entry = self._by_run.get(run_no, {}).get(update_id)
        if entry is None:
            return
        waiters, entry.waiters = entry.waiters, []
        for waiter in waiters:
            if waiter in lost if lost is not None else waiter not in entry.joined:
                fail_if_pending(waiter.future, error)
            else:
                entry.waiters.append(waiter)
        if not entry.waiters and not entry.is_sent:
            self._take(run_no, update_id)

    def fail_run(self, run_no: int, error: GreenroomError) -> None:
        """Nothing more can be told of a run."""
        for update_id in list(self._by_run.get(run_no, {})):
            self.fail(run_no, update_id, error)

    def fail_all(self, error: GreenroomError) -> None:
        """Nothing more can be told of anything."""
        for run_no in list(self._by_run):
            self.fail_run(run_no, error)

    def _tell_standing(self, run: RunState, update_id: str) -> None:
        if update_id not in self._by_run.get(run.run_no, {}):
            return
        if not run.updates.get(update_id):
            if update_id in run.updates:
                self._reached(run, update_id, _ACCEPTED)
            return
        try:
            outcome = self.stored(run.run_no, update_id)
        except GreenroomError as error:
            self.fail(run.run_no, update_id, error)
            return
        if outcome is not None:
            self._tell_all(run, update_id, outcome)

    def _tell_kept(self, run: RunState, update_id: str) -> None:
        self._tell_standing(run, update_id)
        self._reached(run, update_id, _ADMITTED)
        if run.status is WorkflowExecutionStatus.SUSPENDED:
            self.fail(run.run_no, update_id, suspended_error(run.header, update_id=update_id))

    def _reached(self, run: RunState, update_id: str, stage: WorkflowUpdateStage) -> None:
        """Tell those who wait for no more than that stage."""
        entry = self._by_run.get(run.run_no, {}).get(update_id)
        if entry is None:
            return
        waiters, entry.waiters = entry.waiters, []
        for waiter in waiters:
            if waiter.stage > stage:
                entry.waiters.append(waiter)
            else:
                self._tell(waiter, run.header, update_id, None)
        if not entry.waiters and not entry.is_sent:
            self._take(run.run_no, update_id)

    def _tell_all(self, run: RunState, update_id: str, outcome: Outcome) -> None:
        for waiter in self._take(run.run_no, update_id):
            self._tell(waiter, run.header, update_id, outcome)

    def _take(self, run_no: int, update_id: str) -> list[UpdateWaiter]:
        """Those who wait for an update, which is then forgotten."""
        entries = self._by_run.get(run_no, {})
        entry = entries.pop(update_id, None)
        if not entries:
            self._by_run.pop(run_no, None)
        return [] if entry is None else entry.waiters

    def _tell(self, waiter: UpdateWaiter, header: RunHeader, update_id: str, outcome: Outcome | None) -> None:
        future = waiter.future
        if future.done():
            return
        if waiter.answer is not None:
            future.set(waiter.answer(header, outcome))
        elif outcome is not None:
            tell_outcome(future, self._converter, header.workflow_id, waiter.update, update_id, outcome)


def tell_outcome(
    future: Future[Any], converter: PayloadConverter, workflow_id: str, update: str, update_id: str, outcome: Outcome
) -> None:
    """Tell one who waits for the outcome of an update."""
    if outcome.failure is None:
        give(future, converter, outcome.result)
        return
    cause = to_exception(outcome.failure, converter)
    refusal = outcome.refusal
    future.fail(
        WorkflowUpdateFailedError(
            workflow_id,
            update,
            update_id,
            cause=cause,
            is_rejected=refusal is not None,
            is_bug=refusal is Refusal.BUG,
        )
    )
