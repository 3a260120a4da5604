"""The handle of one update: how a program asks what has become of it, now or after a restart."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ..actors import Future
from .model.options import WorkflowUpdateStage
from .model.payload_converter import PayloadConverter
from .shell.desk import Desk
from .shell.outcomes import Outcome, ResultFuture
from .shell.targets import Target
from .shell.updating import UpdateWaiter, tell_outcome

__all__ = ["WorkflowUpdateHandle"]

R = TypeVar("R")


class WorkflowUpdateHandle(Generic[R]):
    """One update of one run, by id.

    ``start_update``, ``get_update_handle`` and ``get_update_handle_for`` of a `WorkflowHandle` make it; it may be kept,
    and be used from any thread.
    """

    __slots__ = ("_converter", "_desk", "_name", "_outcome", "_result_type", "_target", "_update_id")

    def __init__(
        self,
        desk: Desk,
        converter: PayloadConverter,
        target: Target,
        update_id: str,
        *,
        name: str = "",
        result_type: Any = Any,
        outcome: Outcome | None = None,
    ) -> None:
        self._desk = desk
        self._converter = converter
        self._target = target
        self._update_id = update_id
        self._name = name
        self._result_type = result_type
        # Of an update that was rejected the journal knows nothing.
        self._outcome = outcome

    @property
    def id(self) -> str:
        """The update id: within its run, asking again with it does nothing anew."""
        return self._update_id

    @property
    def workflow_id(self) -> str:
        """The workflow that was asked."""
        return self._target.workflow_id

    @property
    def run_id(self) -> str | None:
        """The run that was asked, or None for the current one."""
        return self._target.run_id or None

    def __repr__(self) -> str:
        return f"<WorkflowUpdateHandle {self._update_id!r} of {self.workflow_id!r}>"

    def result(self) -> Future[R]:
        """What the handler of the update returned, once it has.

        Where a reset has had another run go on with the update, that is what it returned there.

        Raises (from the future):
            WorkflowUpdateFailedError: the update was rejected, its handler failed, or the run ended before it had
                finished; the ``cause`` says which.
            WorkflowSuspendedError: the run is stopped because its code cannot go on; the update is kept, and the handle
                may be asked again.
            WorkflowUpdateNotFoundError: the run has no such update.
            WorkflowNotFoundError: there is no such run.
            PayloadDecodeError: the result is not of the type asked for.
        """
        future = ResultFuture(self._result_type)
        if self._outcome is not None:
            outcome = self._outcome
            tell_outcome(future, self._converter, self.workflow_id, self._name, self._update_id, outcome)
            return future
        waiter = UpdateWaiter(future, WorkflowUpdateStage.COMPLETED, self._name)
        return self._desk.find_update(self._target, self._update_id, waiter)
