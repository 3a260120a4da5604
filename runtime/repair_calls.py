"""What an operator does to a run that has gone astray: another one goes on from a turn of it, in its place or not."""

from __future__ import annotations

from typing import Literal, Self

from ..actors import Future
from .model.ids import check_id
from .model.options import ResetReapplyType
from .model.texts import reason_line
from .run_controls import RunControls
from .shell.targets import Target

__all__ = ["RepairCalls"]

_WORDS = ("start", "last")


class RepairCalls(RunControls):
    """The part of a handle that makes another run of a run's history."""

    __slots__ = ()

    def reset(
        self,
        *,
        to: int | Literal["start", "last"],
        reason: str = "",
        reapply: ResetReapplyType = ResetReapplyType.SIGNAL,
    ) -> Future[Self]:
        """Have the workflow go on from an earlier turn of its run, with the code that is registered now; gives the
        handle of the run that does.

        The present run is terminated, if it has not ended, and another one of the workflow id begins with a copy of its
        turns up to ``to``. What activities had answered by then is not asked again; those whose answer came later are
        performed anew, and limits of time count from now. Timers are due when they were. Children that had begun by
        then become children of the new run, which is told of their end. What no run has read yet goes on to it.

        Args:
            to: the last turn that is kept, as ``fetch_history()`` numbers them; "last": the last one, or the one before
                a run ended; "start": none, the workflow begins anew with its arguments.
            reason: a line for people.
            reapply: what of the mail that the run took behind that turn the new run gets, in its order.

        Raises:
            TypeError: an argument is none that it can be.
            ValueError: ``to`` is a word that is not known here, or less than 0; or the reason has more than 20,000
                characters.

        Raises (from the future):
            ValueError: the run has no such turn, ended in it, has not begun, or another run has come after it.
            WorkflowNotFoundError: there is no such run.
            JournalError: it cannot be read or written; nothing has changed.
        """
        if reapply.__class__ is not ResetReapplyType:
            raise TypeError(f"reapply is {reapply!r}; give a member of ResetReapplyType")
        _check_turn("to", to)
        from .shell.resetting import CopyRequest

        request = CopyRequest(to, reason_line(reason), self._handle_of, reapply, identity=self._identity)
        return self._desk.copy(self._target, request)

    def fork(self, *, at: int | Literal["start", "last"], id: str | None = None, reason: str = "") -> Future[Self]:
        """Begin another workflow with a copy of the run's turns up to ``at``; gives its handle. The run itself goes on
        and does not hear of it.

        What is shared with the run is not taken along: its mail, and the activities that had no answer by then, which
        the fork performs anew. Memo and search attributes are those of that turn.

        Args:
            at: the last turn that is copied, as for ``reset``.
            id: the workflow id of the fork; made if not given.
            reason: a line for people.

        Raises:
            TypeError: an argument is none that it can be.
            ValueError: ``at`` is a word that is not known here, or less than 0; the id cannot be one; or the reason has
                more than 20,000 characters.

        Raises (from the future):
            ValueError: the run has no such turn, ended in it, has not begun, or a child that had begun by then has not
                ended.
            WorkflowAlreadyStartedError: a run with that id is open.
            WorkflowNotFoundError: there is no such run.
            JournalError: it cannot be read or written; nothing has changed.
        """
        _check_turn("at", at)
        fork_id = "" if id is None else check_id(id, "workflow id")
        line, identity = reason_line(reason), self._identity
        from .shell.resetting import CopyRequest

        request = CopyRequest(at, line, self._handle_of, fork_id=fork_id, identity=identity)
        return self._desk.copy(self._target, request)

    def _handle_of(self, workflow_id: str, run_id: str, first_run_id: str) -> Self:
        target = Target(workflow_id, first_run_id=first_run_id)
        return self.__class__(
            self._desk, self._converter, self._history, target, run_id, self._result_type, self._identity
        )


def _check_turn(name: str, turn: object) -> None:
    if isinstance(turn, bool) or not isinstance(turn, (int, str)):
        raise TypeError(f"{name} is {turn!r}; give the number of a turn, 'start' or 'last'")
    if (turn < 0) if isinstance(turn, int) else (turn not in _WORDS):
        raise ValueError(f"{name} is {turn!r}; give the number of a turn, from 0 on, 'start' or 'last'")
