"""What ``await`` gives: one handle for each thing that a run waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .loop import WorkflowLoop
from .machines import Event, State, Table
from .tasks import Future

__all__ = ["ActivityHandle", "AwaitedActivityHandle", "PendingHandle"]

T = TypeVar("T")

# Python 3.11 calls a function to find a member by its class.
_PENDING = State.PENDING


class PendingHandle(Future[T]):
    """A future for the outcome of one command; cancelling it takes the command back.

    Cancelling ends the wait at once: whoever awaits the handle gets ``asyncio.CancelledError``, whatever comes later is
    ignored.

    Args:
        loop: the loop of the run.
        number: the command's id.
        table: the life of what is waited for.
        result_type: what the outcome is decoded to.
        on_cancel: called with the handle when it is cancelled.
    """

    __slots__ = ("_life", "_on_cancel", "_table", "id", "result_type")

    def __init__(
        self,
        loop: WorkflowLoop,
        number: int,
        table: Table,
        result_type: Any,
        on_cancel: Callable[[PendingHandle[Any]], None],
    ) -> None:
        super().__init__(loop=loop)
        self.order = loop.order = loop.order + 1
        self.id = number
        self.result_type = result_type
        self._life = _PENDING
        self._table = table
        self._on_cancel = on_cancel

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self._life = self._table[self._life, Event.CANCEL]
        self._on_cancel(self)
        return True

    @property
    def is_cancelling(self) -> bool:
        """Whether what is waited for has been asked to end, and has not answered."""
        return self._life is State.CANCELLING

    def end_cancelled(self, message: str) -> None:
        """What is waited for has answered that it is cancelled: so is the handle."""
        super().cancel(message)

    def move(self, event: Event) -> bool:
        """Take ``event`` through the handle's table.

        Returns:
            Whether the state changed; False for an event that comes too late to matter.

        Raises:
            KeyError: the table has no such transition.
        """
        before = self._life
        self._life = self._table[before, event]
        return self._life is not before


class ActivityHandle(PendingHandle[T]):
    """The handle of a started activity: await it for the result, or cancel it.

    Attributes:
        name: the activity.
    """

    __slots__ = ("name",)

    name: str


class AwaitedActivityHandle(ActivityHandle[T]):
    """The handle of an activity that answers its cancellation: it is done when the answer is there.

    Args:
        request_cancel: called when it is to be cancelled; gives whether the activity has been asked to end. If not,
            the handle is cancelled at once.
    """

    __slots__ = ("_request_cancel",)

    def __init__(
        self,
        loop: WorkflowLoop,
        number: int,
        table: Table,
        result_type: Any,
        on_cancel: Callable[[PendingHandle[Any]], None],
        request_cancel: Callable[[PendingHandle[Any]], bool],
    ) -> None:
        super().__init__(loop, number, table, result_type, on_cancel)
        self._request_cancel = request_cancel

    def cancel(self, msg: Any | None = None) -> bool:
        if self.done():
            return False
        if not self._request_cancel(self):
            return super().cancel(msg)
        self.move(Event.REQUEST_CANCEL)
        # A task that waits for it is told that it is cancelled, and goes on waiting.
        return True
