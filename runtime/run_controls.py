"""How a run is steered and looked at from outside, whatever its code says: the half of a handle that needs no types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..actors import Future
from .core.messages import CancelRequested, RunTerminated
from .model.description import WorkflowExecutionDescription
from .model.handler_definitions import STACK_TRACE_QUERY
from .model.history import WorkflowHistory
from .model.options import QueryRejectCondition
from .model.payload_converter import PayloadConverter
from .model.texts import reason_line
from .shell.desk import Desk
from .shell.outcomes import AS_DECLARED
from .shell.targets import Target

__all__ = ["RunControls"]


class RunControls:
    """What any run can be told, and what can be known of it; whatever makes a handle makes it.

    Args:
        target: whom it speaks to.
        run_id: the run that it was made of, if not the one that is meant.
        result_type: what the result is to be read as.
        identity: on whose behalf; empty for nobody's.
    """

    __slots__ = ("_converter", "_desk", "_history", "_identity", "_result_type", "_run_id", "_target")

    def __init__(
        self,
        desk: Desk,
        converter: PayloadConverter,
        history: Callable[[Target], Future[WorkflowHistory]],
        target: Target,
        run_id: str = "",
        result_type: Any = AS_DECLARED,
        identity: str = "",
    ) -> None:
        self._desk = desk
        self._converter = converter
        self._history = history
        self._target = target
        self._run_id = run_id or target.run_id
        self._result_type = result_type
        self._identity = identity

    def cancel(self, reason: str = "") -> Future[None]:
        """Ask the run to end by itself: its main function gets ``asyncio.CancelledError`` where it waits. It may clean
        up, wait for that, and return or go on; handlers of signals are left alone.

        The run is cancelled if a cancellation is what its main function lets out. Only the first request counts.

        Args:
            reason: a line for people, and for ``workflow.cancellation_reason()``.

        Raises:
            TypeError: the reason is no string.
            ValueError: the reason has more than 20,000 characters.

        Raises (from the future):
            WorkflowNotFoundError: there is no such run; ``WorkflowClosedError`` if it has ended.
            MailboxFullError: too many messages wait for it; nothing was sent, try again later.
            JournalError: it could not be written; nothing was sent.
        """
        return self._desk.send(self._target, CancelRequested(reason_line(reason), self._identity))

    def terminate(self, *details: object, reason: str = "") -> Future[None]:
        """End the run at once, without asking its code.

        Args:
            *details: any values that payloads can carry, kept in the history; whoever waits for the result finds them
                in ``TerminatedError.details``, as plain data.
            reason: a line for people; whoever waits for the result is told.

        Raises:
            TypeError: the reason is no string.
            ValueError: the reason has more than 20,000 characters.
            PayloadError: a detail cannot be stored.

        Raises (from the future):
            WorkflowNotFoundError: there is no such run; ``WorkflowClosedError`` if it has ended.
        """
        line = reason_line(reason)
        data = self._converter.encode_args(details) if details else b""
        message = RunTerminated(line, data, identity=self._identity)
        return self._desk.send(self._target, message)

    def delete(self, *, terminate: bool = False) -> Future[None]:
        """Delete the run: its history, its result, its updates, its search attributes and its dead letters; done once
        that is on disk.

        From then on nothing finds it, as if it had never been, and its workflow id is free. A long history leaves the
        disk a little later, which a crash only puts off. Of a chain of runs this is the run that the handle is for, the
        last one if it is for none alone; the others stay.

        Args:
            terminate: whether a run that is open is terminated first; without it that is refused, since it cannot be
                undone.

        Raises (from the future):
            WorkflowStillRunningError: the run has not ended, and is not to be terminated.
            WorkflowNotFoundError: there is no such run.
            JournalError: it could not be written, and nothing is deleted.
        """
        return self._desk.delete(self._target, terminate=terminate)

    def suspend(self, reason: str = "") -> Future[None]:
        """Have the run make no progress until ``resume()``: what comes for it is kept on disk, timers that are due
        wait, activities that are under way end and tell the run later. Opening the journal again does not resume it.

        Whoever waits for its result is told with ``WorkflowSuspendedError``, as of a run whose code has a bug. It can
        be asked, described and terminated, and its time limits count on.

        Args:
            reason: a line for people.

        Raises:
            TypeError: the reason is no string.
            ValueError: the reason has more than 20,000 characters.

        Raises (from the future):
            ValueError: it has not begun yet, or is suspended.
            WorkflowNotFoundError: there is no such run; ``WorkflowClosedError`` if it has ended.
            JournalError: it could not be written; the run goes on.
        """
        return self._desk.suspend(self._target, reason_line(reason), self._identity)

    def resume(self, *, skip: bool = False) -> Future[None]:
        """Try a suspended run again, with the code that is registered now; one that is not suspended goes on as it is.

        Args:
            skip: go on without the message that the run stopped at. It is kept as a dead letter, and its history gets a
                marker; what waited for it, such as for the outcome of an activity, waits on.

        Raises (from the future):
            ValueError: there is no message to skip, or it is the start of the run.
            WorkflowNotFoundError: there is no such run; ``WorkflowClosedError`` if it has ended.
        """
        if skip:
            return self._desk.skip(self._target, self._identity)
        return self._desk.resume(self._target, self._identity)

    def describe(self) -> Future[WorkflowExecutionDescription]:
        """How the run stands: status, times, what it waits for."""
        return self._desk.describe(self._target)

    def fetch_history(self) -> Future[WorkflowHistory]:
        """The run's history so far."""
        return self._history(self._target)

    def stack_trace(self) -> Future[str]:
        """Where each task of the run waits, as text: its name, and file, line and source of the workflow code in it.

        This is the query ``__stack_trace``, which ``__enhanced_stack_trace`` gives as data: ``sources`` and ``stacks``.
        Nothing of it is written. A run that has ended has no tasks, and says so.

        Raises (from the future):
            WorkflowQueryFailedError: the run has not begun, or its code no longer has the history.
            WorkflowNotFoundError: there is no such run.
            MailboxFullError: too much waits for it; try again later.
            JournalError: the history is damaged, or cannot be read.
        """
        no_args = self._converter.encode_args(())
        return self._desk.query(self._target, STACK_TRACE_QUERY, no_args, QueryRejectCondition.NONE, str)
