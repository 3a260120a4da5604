"""Handles: how a program outside speaks to its workflows. Every call gives a future: ``get()`` it on a thread, or
``await`` it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, Generic, TypeVar, TypeVarTuple, overload

from ..actors import Future
from .model.durations import to_ns
from .model.handler_definitions import handler_asked_for
from .model.ids import check_id
from .model.message_calls import checked_call
from .model.mistakes import refuse_unknown
from .model.options import QueryRejectCondition, WorkflowUpdateStage
from .repair_calls import RepairCalls
from .shell.outcomes import ResultFuture
from .shell.targets import Target
from .shell.updating import UpdateWaiter
from .signal_calls import signal_message
from .update_calls import update_message, update_request
from .update_handle import WorkflowUpdateHandle

__all__ = ["WorkflowHandle"]

R = TypeVar("R")
Q = TypeVar("Q")
Ts = TypeVarTuple("Ts")


class WorkflowHandle(RepairCalls, Generic[R]):
    """One workflow, by id: its current run, one run of it, or the chain of runs that goes on from one.

    ``Runtime.start_workflow`` and ``Runtime.get_workflow_handle`` make it. It holds nothing: it may be made for an id
    that is not there yet, be kept, and be used from any thread.
    """

    __slots__ = ()

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._target.workflow_id

    @property
    def run_id(self) -> str | None:
        """The run that is meant, or the one that was started or found; None for the current one."""
        return self._run_id or None

    @property
    def first_execution_run_id(self) -> str | None:
        """The first run of the chain that the handle is for: it speaks to whichever run of that chain is there, and to
        no other workflow of the same id. None if it is not for one chain alone."""
        return self._target.first_run_id or None

    def __repr__(self) -> str:
        return f"<WorkflowHandle {self.id!r}{' run ' + self._run_id if self._run_id else ''}>"

    def result(self, *, follow_runs: bool = True) -> Future[R]:
        """What the workflow returned, once it has ended.

        Args:
            follow_runs: whether the result is that of the run which goes on, where a run continues as new, is
                repeated after a failure or was reset. Without it the run that the handle is for counts alone.

        Raises (from the future):
            WorkflowContinuedAsNewError: the run goes on as another one, and ``follow_runs`` is False.
            WorkflowFailureError: it ended otherwise; the ``cause`` says how.
            WorkflowSuspendedError: it is stopped because its code cannot go on.
            WorkflowNotFoundError: there is no such run.
        """
        target = self._target
        if self._run_id and not (follow_runs and target.first_run_id):
            target = Target(self.id, self._run_id)
        return self._desk.result(target, self._result_type, follow_runs=follow_runs)

    @overload
    def signal(
        self,
        signal: Callable[[Any, *Ts], Awaitable[None] | None],
        /,
        *args: *Ts,
        idempotency_key: str | None = None,
        delay: timedelta | float | None = None,
    ) -> Future[None]: ...
    @overload
    def signal(
        self, signal: str, /, *args: Any, idempotency_key: str | None = None, delay: timedelta | float | None = None
    ) -> Future[None]: ...
    def signal(
        self,
        signal: Any,
        /,
        *args: object,
        idempotency_key: str | None = None,
        delay: timedelta | float | None = None,
        **unknown: object,
    ) -> Future[None]:
        """Send a signal; done once it is on disk, as part of the run's history or in its mailbox.

        Args:
            signal: the signal's name, or a reference to its handler.
            *args: its arguments.
            idempotency_key: the sender's own name for this signal, up to 480 bytes: another one with it to the same run
                is acknowledged and not delivered, whatever it says.
            delay: how long after the call it comes to the run (seconds or timedelta); until then it waits on disk, and
                goes on to the next run of a chain. If the workflow has ended by then it becomes a dead letter.
            **unknown: refused, in words that say where it belongs.

        Raises:
            TypeError: the arguments do not fit the handler that is referred to, the key is no string, or the delay no
                length of time.
            ValueError: the key cannot be one, or the delay is less than none.
            PayloadError: an argument cannot be stored, or is not of the type that the handler's annotation allows.

        Raises (from the future):
            WorkflowNotFoundError: there is no such run; ``WorkflowClosedError`` if it has ended.
            MailboxFullError: too many messages wait for it; nothing was sent, try again later.
            JournalError: it could not be written; nothing was sent.
        """
        if unknown:
            refuse_unknown("signal()", unknown)
        # The run would put the signal aside as a dead letter: better to say so here.
        name, data, _ = checked_call(self._converter, "signal", signal, args)
        message = signal_message(name, data, key=idempotency_key, identity=self._identity)
        delay_ns = to_ns(delay, "delay")
        if delay_ns:
            return self._desk.send_later(self._target, message, delay_ns)
        return self._desk.send(self._target, message)

    @overload
    def query(
        self, query: Callable[[Any, *Ts], Q], /, *args: *Ts, reject_condition: QueryRejectCondition = ...
    ) -> Future[Q]: ...
    @overload
    def query(
        self, query: str, /, *args: Any, result_type: type[Q], reject_condition: QueryRejectCondition = ...
    ) -> Future[Q]: ...
    @overload
    def query(self, query: str, /, *args: Any, reject_condition: QueryRejectCondition = ...) -> Future[Any]: ...
    def query(
        self,
        query: Any,
        /,
        *args: object,
        result_type: Any = None,
        reject_condition: QueryRejectCondition = QueryRejectCondition.NONE,
    ) -> Future[Any]:
        """Ask the code of the run, which answers from what it is once it has taken all mail that was there before.

        Nothing of it is written. A run that has ended, or is suspended, is asked as its history leaves it: that is
        replayed for it, each time anew.

        Args:
            query: the query's name, or a reference to its handler.
            *args: its arguments.
            result_type: the type of the answer, when the query is given by name.
            reject_condition: how the run must not stand for it to be asked.

        Raises:
            TypeError: the arguments do not fit the handler that is referred to, or the condition is none.
            ValueError: the name cannot be one.
            PayloadError: an argument cannot be stored, or is not of the type that the handler's annotation allows.

        Raises (from the future):
            WorkflowQueryFailedError: nobody answers it, its handler failed or would have changed the run, or the code
                no longer has the history; the ``__cause__`` says why.
            PayloadDecodeError: the answer is not of the ``result_type``.
            JournalError: the history is damaged, or cannot be read.
            WorkflowQueryRejectedError: the run stands as the condition excludes.
            WorkflowNotFoundError: there is no such run.
            MailboxFullError: too much waits for it; try again later.
        """
        if reject_condition.__class__ is not QueryRejectCondition:
            raise TypeError(f"reject_condition is {reject_condition!r}; give a member of QueryRejectCondition")
        name, data, signature = checked_call(self._converter, "query", query, args)
        if result_type is None:
            result_type = Any if signature is None else signature.result_type
        return self._desk.query(self._target, name, data, reject_condition, result_type)

    @overload
    def execute_update(
        self, update: Callable[[Any, *Ts], Coroutine[Any, Any, Q]], /, *args: *Ts, id: str | None = ...
    ) -> Future[Q]: ...
    @overload
    def execute_update(self, update: Callable[[Any, *Ts], Q], /, *args: *Ts, id: str | None = ...) -> Future[Q]: ...
    @overload
    def execute_update(self, update: str, /, *args: Any, id: str | None = ..., result_type: type[Q]) -> Future[Q]: ...
    @overload
    def execute_update(self, update: str, /, *args: Any, id: str | None = ...) -> Future[Any]: ...
    def execute_update(
        self, update: Any, /, *args: object, id: str | None = None, result_type: Any = None, **unknown: object
    ) -> Future[Any]:
        """Ask the run to take an update, and give what its handler returns: ``start_update`` and ``result`` in one.

        Args:
            update, *args, id, result_type, **unknown: those of ``start_update``.

        Raises:
            TypeError, ValueError, PayloadError: as for ``start_update``.

        Raises (from the future):
            WorkflowUpdateFailedError: it was rejected, its handler failed, or the run ended before it had finished.
            WorkflowUpdateLimitError, WorkflowSuspendedError, WorkflowNotFoundError, MailboxFullError: as for
                ``start_update``.
            JournalError: it could not be written; nothing was sent.
            PayloadDecodeError: the result is not of the type asked for.
        """
        if unknown:
            refuse_unknown("execute_update()", unknown)
        message, hint = update_message(self._converter, update, args, id, result_type, identity=self._identity)
        waiter = UpdateWaiter(ResultFuture(hint), WorkflowUpdateStage.COMPLETED, message.name)
        return self._desk.update(self._target, message, waiter)

    @overload
    def start_update(
        self,
        update: Callable[[Any, *Ts], Coroutine[Any, Any, Q]],
        /,
        *args: *Ts,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
    ) -> Future[WorkflowUpdateHandle[Q]]: ...
    @overload
    def start_update(
        self,
        update: Callable[[Any, *Ts], Q],
        /,
        *args: *Ts,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
    ) -> Future[WorkflowUpdateHandle[Q]]: ...
    @overload
    def start_update(
        self,
        update: str,
        /,
        *args: Any,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
        result_type: type[Q],
    ) -> Future[WorkflowUpdateHandle[Q]]: ...
    @overload
    def start_update(
        self, update: str, /, *args: Any, wait_for_stage: WorkflowUpdateStage, id: str | None = ...
    ) -> Future[WorkflowUpdateHandle[Any]]: ...
    def start_update(
        self,
        update: Any,
        /,
        *args: object,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = None,
        result_type: Any = None,
        **unknown: object,
    ) -> Future[WorkflowUpdateHandle[Any]]:
        """Ask the run to take an update; gives the handle of it once it has come as far as ``wait_for_stage``, or was
        rejected, which its ``result()`` tells.

        Args:
            update: the update's name, or a reference to its handler.
            *args: its arguments.
            wait_for_stage: ``ADMITTED``: on disk, in the run's mailbox; ``ACCEPTED``: its validator lets it pass, and
                its handler has begun; ``COMPLETED``: its handler has ended.
            id: the update's id; made if not given. A second update of that id to the same run does nothing, and has the
                outcome of the first one, as long as the run is kept; when the workflow has gone on as new it is another
                one. One that was rejected may be sent again, unless it was admitted.
            result_type: the type of the result, when the update is given by name.
            **unknown: refused, in words that say where it belongs.

        Raises:
            TypeError: the arguments do not fit the handler that is referred to, or the stage is none.
            ValueError: the name or the id cannot be one.
            PayloadError: an argument cannot be stored, or is not of the type that the handler's annotation allows.

        Raises (from the future):
            WorkflowNotFoundError: there is no such run; ``WorkflowClosedError`` if it has ended.
            WorkflowSuspendedError: the run is stopped because its code cannot go on; the update is kept. It does not
                come if only ``ADMITTED`` is waited for.
            MailboxFullError: too many messages wait for it; nothing was sent, try again later.
            WorkflowUpdateLimitError: it has as many updates under way, or in all, as a run may; nothing was sent.
            JournalError: it could not be written; nothing was sent.
        """
        if unknown:
            refuse_unknown("start_update()", unknown)
        message, waiter = update_request(
            *(self._desk, self._converter, update, args, id, wait_for_stage, result_type),
            identity=self._identity,
        )
        return self._desk.update(self._target, message, waiter)

    @overload
    def get_update_handle(self, id: str, *, result_type: type[Q]) -> WorkflowUpdateHandle[Q]: ...
    @overload
    def get_update_handle(self, id: str) -> WorkflowUpdateHandle[Any]: ...
    def get_update_handle(self, id: str, *, result_type: Any = Any) -> WorkflowUpdateHandle[Any]:
        """The handle of an update that was sent before, by its id. Whether there is one is seen when it is used.

        Args:
            id: the update's id.
            result_type: the type of its result; plain data if not given.

        Raises:
            TypeError: the id is no string.
            ValueError: the id cannot be one.
        """
        check_id(id, "update id")
        return WorkflowUpdateHandle(self._desk, self._converter, self._target, id, result_type=result_type)

    @overload
    def get_update_handle_for(
        self, update: Callable[..., Coroutine[Any, Any, Q]], /, id: str
    ) -> WorkflowUpdateHandle[Q]: ...
    @overload
    def get_update_handle_for(self, update: Callable[..., Q], /, id: str) -> WorkflowUpdateHandle[Q]: ...
    def get_update_handle_for(self, update: Callable[..., Any], /, id: str) -> WorkflowUpdateHandle[Any]:
        """As ``get_update_handle``, with the result of the type that a handler is annotated with.

        Args:
            update: a reference to the handler, such as ``Booking.reserve``.
            id: the update's id.

        Raises:
            TypeError: it is no reference to an update handler, or the id is no string.
            ValueError: the id cannot be one.
        """
        if isinstance(update, str):
            raise TypeError(f"{update!r} is no reference to a handler; by name there is get_update_handle({id!r})")
        name, signature = handler_asked_for("update", update)
        return WorkflowUpdateHandle(
            self._desk,
            self._converter,
            self._target,
            check_id(id, "update id"),
            name=name,
            result_type=signature.result_type,
        )
