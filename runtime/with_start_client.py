"""What goes with a start: a signal or an update, and both are on disk or neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Unpack

from ..actors import Future
from .client import WorkflowHandle
from .model.message_calls import argument_list
from .model.options import WorkflowUpdateStage
from .start_calls import StartOptions, definition_to_start, start_request
from .update_calls import update_request
from .update_handle import WorkflowUpdateHandle
from .workflow_client import WorkflowClient

__all__ = ["WithStartClient"]


class WithStartClient(WorkflowClient):
    """Starts workflows together with the first thing that is said to them."""

    def signal_with_start(
        self,
        workflow: Any,
        /,
        *args: object,
        signal: str | Callable[..., Any],
        signal_args: Sequence[Any] = (),
        **options: Unpack[StartOptions],
    ) -> Future[WorkflowHandle[Any]]:
        """Signal the open run of a workflow id, or start one that gets the signal with its start: both or neither.

        Args:
            workflow, *args, **options: those of ``start_workflow``; an ``id`` there should be.
            signal: the signal's name, or a reference to its handler.
            signal_args: its arguments.

        Raises:
            NotRegisteredError, TypeError, ValueError, PayloadError, RuntimeClosedError: as for ``start_workflow``.

        Raises (from the future):
            WorkflowAlreadyStartedError: the id is taken, and ``id_reuse_policy`` allows no other run.
            MailboxFullError: too many messages wait for the open run; nothing was sent, try again later.
            JournalError: it could not be written; nothing was started or sent.
        """
        options = {**options, "start_signal": signal, "start_signal_args": argument_list(signal_args, "signal_args")}
        return self.start_workflow(workflow, *args, **options)

    def update_with_start(
        self,
        workflow: Any,
        /,
        *args: object,
        update: str | Callable[..., Any],
        update_args: Sequence[Any] = (),
        update_id: str | None = None,
        wait_for_stage: WorkflowUpdateStage = WorkflowUpdateStage.COMPLETED,
        result_type: Any = None,
        **options: Unpack[StartOptions],
    ) -> Future[WorkflowUpdateHandle[Any]]:
        """Ask for an update of a workflow, which is started first if it is not there: both are on disk, or neither.
        Gives the handle of the update once it has come as far as ``wait_for_stage``, or was rejected. The start stands
        whatever becomes of the update.

        An update of that id which the last run has taken is waited for, or its result given, whatever the policies say.

        Args:
            workflow, *args, **options: those of ``start_workflow``; ``id`` and ``id_conflict_policy`` must be given.
            update: the update's name, or a reference to its handler.
            update_args: its arguments.
            update_id: the update's id; made if not given, or the ``request_id`` if there is one.
            wait_for_stage: as for ``start_update`` of a handle.
            result_type: the type of the result, when the update is given by name.

        Raises:
            NotRegisteredError, TypeError, ValueError, PayloadError, RuntimeClosedError: as for ``start_workflow``.

        Raises (from the future):
            WorkflowAlreadyStartedError: the id is taken, and no policy says that its run is to be used or replaced.
            WorkflowSuspendedError: the run is stopped because its code cannot go on; the update is kept.
            MailboxFullError: too many messages wait for the open run; nothing was sent, try again later.
            WorkflowUpdateLimitError: the open run has as many updates under way, or in all, as a run may; nothing was
                sent.
            JournalError: it could not be written; nothing was started or sent.
        """
        hands = self._opened
        for name in ("id", "id_conflict_policy"):
            if options.get(name) is None:
                raise ValueError(f"update_with_start needs {name}=: it may meet a run that is open")
        definition = definition_to_start(workflow, hands.workflows)
        request = start_request(definition, args, options, converter=hands.converter, identity=self._identity)
        # A request that is repeated asks for one update.
        update_id = options.get("request_id") if update_id is None else update_id
        message, waiter = update_request(
            hands.desk,
            hands.converter,
            update,
            argument_list(update_args, "update_args"),
            update_id,
            wait_for_stage,
            result_type,
            identity=request.identity,
        )
        return hands.desk.update_with_start(request, message, waiter)
