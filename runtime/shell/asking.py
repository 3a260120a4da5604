"""Queries: a run in memory answers them itself; of one that has ended or is suspended the history does.

A history is replayed for that a slice at a time, beside all other work, and is forgotten once everybody who waited for
it has an answer. Nothing is written, and what goes wrong on the way is the caller's to know and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...actors import Dispatcher
from ...storage import RunHeader, StorageError
from ..core.execution import Execution
from ..model.errors import (
    GreenroomError,
    RuntimeClosedError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from ..model.failures import to_exception, to_failure
from ..model.options import WorkflowExecutionStatus
from .bringing_back import BringingBack
from .delivery import Query
from .effects import Tools
from .journal_seam import public_error
from .outcomes import ResultFuture
from .run_state import RunState
from .sweep import fail_if_pending

__all__ = ["Asking"]

NO_TURN = "the run has not taken a turn yet"


class Asking:
    """Has queries answered; used on the dispatcher's thread only."""

    __slots__ = ("_dispatcher", "_tools", "_waiting")

    def __init__(self, dispatcher: Dispatcher, tools: Tools) -> None:
        self._dispatcher = dispatcher
        self._tools = tools
        # Run number → who waits for its history to be replayed.
        self._waiting: dict[int, list[Query]] = {}

    def ask(self, query: Query, run: RunState, execution: Execution | None) -> None:
        """Have a query answered in the turn of its run.

        Args:
            execution: that of the run, if its code is in memory. What the answer shows may still be in the open sweep.
        """
        sweep = self._tools.sweep
        if execution is None:
            # How the run ended, or what suspended it, may not be on disk yet.
            sweep.after(self.ask_history, query, run.run_no)
        else:
            sweep.after(self._answer(query, run.header, execution))
        sweep.undo(fail_if_pending, query.future)

    def ask_history(self, query: Query, run_no: int) -> None:
        """Have a query answered by what the disk has of a run."""
        waiting = self._waiting.setdefault(run_no, [])
        waiting.append(query)
        if len(waiting) == 1:
            self._dispatcher.call_soon(self._begin, run_no)

    def _begin(self, run_no: int) -> None:
        tools = self._tools
        try:
            header = tools.journal.header(run_no)
        except StorageError as error:
            self._fail(run_no, public_error(error, tools.path))
        else:
            # Nothing takes a run away.
            assert header is not None
            self._replay(BringingBack(RunState(run_no, header, is_stored=True), tools))

    def _replay(self, back: BringingBack) -> None:
        run_no = back.run.run_no
        if self._dispatcher.is_closed:
            self._fail(run_no, RuntimeClosedError())
        else:
            try:
                if not back.replay_slice() and back.failed is None:
                    self._dispatcher.call_soon(self._replay, back)
                    return
            except StorageError as error:
                self._fail(run_no, public_error(error, self._tools.path))
            except ValueError as error:
                # A turn of a kind that only a newer release knows.
                back.failed = error
            self._answer_all(back)
        if back.execution is not None:
            back.execution.close()

    def _answer_all(self, back: BringingBack) -> None:
        header = back.run.header
        for query in self._waiting.pop(back.run.run_no, []):
            if back.failed is not None:
                fail_if_pending(query.future, self._failure(query, header, back.failed))
            elif back.execution is None:
                fail_if_pending(query.future, WorkflowQueryFailedError(header.workflow_id, query.name, NO_TURN))
            else:
                self._answer(query, header, back.execution)()

    def _fail(self, run_no: int, error: GreenroomError) -> None:
        for query in self._waiting.pop(run_no, []):
            fail_if_pending(query.future, error)

    def _answer(self, query: Query, header: RunHeader, execution: Execution) -> Callable[[], None]:
        """Ask the code; gives what tells the caller."""
        status = WorkflowExecutionStatus(header.status)
        error: GreenroomError
        if query.condition.rejects(status):
            error = WorkflowQueryRejectedError(header.workflow_id, query.name, status.name)
        else:
            try:
                data = execution.query(query.name, query.args)
            except Exception as fault:
                # Whatever the handler raises is for who has asked, and is nothing to the run.
                error = self._failure(query, header, fault)
            else:
                return lambda: self._give(query, data)
        return lambda: fail_if_pending(query.future, error)

    def _failure(self, query: Query, header: RunHeader, error: Exception) -> WorkflowQueryFailedError:
        if isinstance(error, GreenroomError):
            # Without the frames of the run, which would be kept by whoever keeps the error.
            cause, reason = error.with_traceback(None), str(error)
        else:
            failure = to_failure(error, self._tools.converter)
            cause, reason = to_exception(failure, self._tools.converter), failure.headline
        failed = WorkflowQueryFailedError(header.workflow_id, query.name, reason)
        failed.__cause__ = cause
        return failed

    def _give(self, query: Query, data: bytes) -> None:
        future = query.future
        if future.done():
            return
        hint = future.result_type if isinstance(future, ResultFuture) else Any
        try:
            answer = self._tools.converter.decode(data, hint)
        except Exception as error:
            # The answer does not fit the type that was asked for, which is told to who has asked.
            future.fail(error)
        else:
            future.set(answer)
