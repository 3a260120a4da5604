"""What a workflow holds of a child that it has started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple, overload

from .context import current
from .handles import PendingHandle
from .loop import WorkflowLoop
from .machines import Event, Table

__all__ = ["ChildWorkflowHandle"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ChildWorkflowHandle(PendingHandle[T]):
    """A child that was started: await it for its result, signal it, or cancel it.

    Args:
        loop, number, table, result_type, on_cancel: those of ``PendingHandle``.
        workflow_id: the child's id.
        request_cancel: called when it is to be cancelled and its answer is waited for; gives whether it has been asked
            to end. None if the wait ends at once.

    Attributes:
        workflow_id: the child's id.
        first_execution_run_id: the first run of the child; None until it has started.
    """

    __slots__ = ("_request_cancel", "first_execution_run_id", "workflow_id")

    def __init__(
        self,
        loop: WorkflowLoop,
        number: int,
        table: Table,
        result_type: Any,
        on_cancel: Callable[[PendingHandle[Any]], None],
        workflow_id: str,
        request_cancel: Callable[[PendingHandle[Any]], bool] | None,
    ) -> None:
        super().__init__(loop, number, table, result_type, on_cancel)
        self.workflow_id = workflow_id
        self.first_execution_run_id: str | None = None
        self._request_cancel = request_cancel

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the child, as the cancellation type that it was started with says.

        Args:
            msg: for who awaits the handle.
        """
        if self._request_cancel is None:
            return super().cancel(msg)
        if self.done():
            return False
        if not self._request_cancel(self):
            return super().cancel(msg)
        self.move(Event.REQUEST_CANCEL)
        # A task that waits for it is told that it is cancelled, and goes on waiting.
        return True

    @overload
    async def signal(self, signal: Callable[[Any, *Ts], Awaitable[None] | None], /, *args: *Ts) -> None: ...
    @overload
    async def signal(self, signal: str, /, *args: Any) -> None: ...
    async def signal(self, signal: Any, /, *args: object) -> None:
        """Put a signal in the child's mailbox; returns when it is there. It is delivered exactly once.

        Args:
            signal: the signal's name, or a reference to its handler.
            *args: its arguments.

        Raises:
            ApplicationError: type ``ExternalWorkflowExecutionNotFound``: the child has ended, whoever has its id now.
            TypeError: what is referred to is no signal handler, or the arguments do not fit it.
            ValueError: the name cannot be one.
            PayloadError: an argument cannot be stored, or is not of the type that the handler's annotation allows.
            ReadOnlyContextError: the caller is in a place that may only read, such as a wait condition.
        """
        await current().signal_external(self.workflow_id, "", signal, args, self.id)
