"""Queries: a run in memory answers them itself; of one that has ended or is suspended the history does.

A history is replayed for that a slice at a time, beside all other work, and is forgotten once everybody who waited for
it has an answer. Nothing is written, and what goes wrong on the way is the caller's to know and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from ...actors import Dispatcher, TurnExceeded
from ...storage import RunHeader, StorageError
from ..core.execution import Execution
from ..model.errors import (
    GreenroomError,
    RuntimeClosedError,
    TurnDeadlineError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from ..model.options import WorkflowExecutionStatus
from ..model.values import Value
from .bringing_back import BringingBack
from .delivery import Query
from .journal_seam import public_error
from .outcomes import give
from .overdue import LEFT_BEHIND, Owner, overdue
from .putting_away import put_away
from .query_failures import query_failure
from .run_state import RunState
from .sweep import fail_if_pending
from .tools import Tools

__all__ = ["Asking"]

NO_TURN = "the run has not taken a turn yet"


class _Asked(Value, frozen=True):
    """A query that is asked of a history."""

    query: Query
    back: BringingBack


class Asking:
    """Has queries answered; used on the dispatcher's thread only."""

    __slots__ = ("_behind", "_dispatcher", "_tools", "_waiting")

    def __init__(self, dispatcher: Dispatcher, tools: Tools) -> None:
        self._dispatcher = dispatcher
        self._tools = tools
        # Run number → who waits for its history to be replayed.
        self._waiting: dict[int, list[Query]] = {}
        # Who is to be asked after the one that is asked now.
        self._behind: list[Query] = []

    def ask(self, query: Query, run: RunState, execution: Execution | None, owner: Owner) -> None:
        """Have a query answered in the turn of its run.

        Args:
            owner: told if the code blocks.
            execution: that of the run, if its code is in memory. What the answer shows may still be in the open sweep.
        """
        sweep = self._tools.sweep
        if execution is None:
            # How the run ended, or what suspended it, may not be on disk yet.
            sweep.after(self.ask_history, query, run.run_no)
        else:
            sweep.after(self._answer(query, run.header, execution, owner, query))
        sweep.undo(fail_if_pending, query.future)

    def waiting(self, run_no: int) -> int:
        """How many queries wait for a history to be replayed."""
        return len(self._waiting.get(run_no, ()))

    def ask_history(self, query: Query, run_no: int) -> None:
        """Have a query answered by what the disk has of a run."""
        waiting = self._waiting.setdefault(run_no, [])
        waiting.append(query)
        if len(waiting) == 1:
            self._dispatcher.call_soon(self._begin, run_no)

    def refuse(self, run_no: int, error: GreenroomError) -> None:
        """Nothing more is told of a run by its history; of one that is being replayed the end is not asked."""
        self._fail(run_no, error)

    def _begin(self, run_no: int) -> None:
        tools = self._tools
        if run_no not in self._waiting:
            return
        try:
            header = tools.journal.header(run_no)
        except StorageError as error:
            self._fail(run_no, public_error(error, tools.path))
            return
        if header is None:
            # It was deleted, and whoever had asked before was told.
            return
        # Who is not to ask is told before anything is replayed.
        waiting = [query for query in self._waiting[run_no] if not self._reject(query, header)]
        if waiting:
            self._waiting[run_no] = waiting
            self._replay(BringingBack(RunState(run_no, header, is_stored=True), tools))
        else:
            del self._waiting[run_no]

    def _replay(self, back: BringingBack) -> None:
        run_no = back.run.run_no
        try:
            if self._dispatcher.is_closed:
                self._fail(run_no, RuntimeClosedError())
            elif not back.replay_slice(self) and back.failed is None:
                self._dispatcher.call_soon(self._replay, back)
                return
        except StorageError as error:
            self._fail(run_no, public_error(error, self._tools.path))
        except Exception as error:
            # The outermost step, as for an actor: a turn of a kind that only a newer release knows, or a bug of ours.
            back.failed = error
        self._answer_all(back)

    def _answer_all(self, back: BringingBack) -> None:
        header, execution = back.run.header, back.execution
        waiting = self._waiting.pop(back.run.run_no, [])
        for place, query in enumerate(waiting, 1):
            # If it blocks, these are to be asked by another replay.
            self._behind = waiting[place:]
            if back.failed is not None:
                fail_if_pending(query.future, query_failure(query, header, back.failed, self._tools.converter))
            elif execution is None:
                fail_if_pending(query.future, WorkflowQueryFailedError(header.workflow_id, query.name, NO_TURN))
            else:
                self._answer(query, header, execution, self, _Asked(query, back))()
                if execution.is_marred:
                    # It has changed what it may only read: the others get a history of their own.
                    self._ask_again(back.run.run_no)
                    break
        if execution is not None:
            whose = f"run {header.run_id}, which was replayed to be asked,"
            put_away(self._tools, self._dispatcher, whose, execution)

    def _ask_again(self, run_no: int) -> None:
        behind, self._behind = self._behind, []
        for query in behind:
            self.ask_history(query, run_no)

    def _fail(self, run_no: int, error: GreenroomError) -> None:
        for query in self._waiting.pop(run_no, []):
            fail_if_pending(query.future, error)

    def _reject(self, query: Query, header: RunHeader) -> bool:
        """Whether a query is not to be asked; who has asked is told."""
        status = WorkflowExecutionStatus(header.status)
        is_rejected = query.condition.rejects(status)
        if is_rejected:
            error = WorkflowQueryRejectedError(header.workflow_id, query.name, status.name)
            fail_if_pending(query.future, error)
        return is_rejected

    def _answer(
        self, query: Query, header: RunHeader, execution: Execution, owner: Owner, what: object
    ) -> Callable[[], None]:
        """Ask the code; gives what tells the caller.

        Args:
            owner: told of ``what`` if the code blocks.
        """
        deadline = self._tools.deadline
        try:
            deadline.begin(owner, what)
            try:
                data = execution.query(query.name, query.args)
            finally:
                deadline.end()
        except TurnExceeded as error:
            execution.mar()
            late = overdue(deadline, error, self._tools.turn_seconds)
            failure = query_failure(query, header, late, self._tools.converter)
            return lambda: fail_if_pending(query.future, failure)
        except Exception as error:
            # Whatever goes wrong is for who has asked, and is nothing to the run.
            failure = query_failure(query, header, error, self._tools.converter)
            return lambda: fail_if_pending(query.future, failure)
        return lambda: None if query.future.done() else give(query.future, self._tools.converter, data)

    def cut(self, what: object) -> None:
        """The code of a run that is replayed is to come to its end; called on the watchdog's thread."""
        if isinstance(what, BringingBack) and what.execution is not None:
            what.execution.cut()

    def stuck(self, what: object, error: TurnDeadlineError) -> None:
        """The code of a run that was replayed to be asked is blocked, on a thread that was left behind."""
        if isinstance(what, BringingBack):
            LEFT_BEHIND.append(what.execution)
            what.failed, what.execution = error, None
            self._answer_all(what)
        elif isinstance(what, _Asked):
            LEFT_BEHIND.append(what.back.execution)
            header = what.back.run.header
            fail_if_pending(what.query.future, query_failure(what.query, header, error, self._tools.converter))
            self._ask_again(what.back.run.run_no)
