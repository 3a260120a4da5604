"""What ``await`` gives: one handle for each thing that a run waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .loop import Future, WorkflowLoop
from .machines import Event, State, Table

__all__ = ["ActivityHandle", "PendingHandle"]

T = TypeVar("T")


class PendingHandle(Future[T]):
    """A future for the outcome of one command; cancelling it takes the command back.

    Cancelling ends the wait at once: whoever awaits the handle gets ``asyncio.CancelledError``, whatever comes later is ignored.
    """

    __slots__ = ("_on_cancel", "_state", "_table", "id", "result_type")
    id: int
    result_type: Any
    _state: State
    _table: Table
    _on_cancel: Callable[[PendingHandle[Any]], None] | None

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self._state = self._table[self._state, Event.CANCEL]
        if self._on_cancel is not None:
            self._on_cancel(self)
        return True

    def move(self, event: Event) -> bool:
        """Take ``event`` through the handle's table.

        Returns:
            Whether the state changed; False for an event that comes too late to matter.

        Raises:
            KeyError: the table has no such transition.
        """
        before = self._state
        self._state = self._table[before, event]
        return self._state is not before


class ActivityHandle(PendingHandle[T]):
    """The handle of a started activity: await it for the result, or cancel it."""

    __slots__ = ()


def pending(
    kind: type[PendingHandle[Any]],
    loop: WorkflowLoop,
    number: int,
    table: Table,
    result_type: Any,
    on_cancel: Callable[[PendingHandle[Any]], None] | None,
) -> PendingHandle[Any]:
    """A new handle in state PENDING."""
    handle = kind(loop=loop)
    handle._order = loop.next_order()
    handle.id = number
    handle.result_type = result_type
    handle._state = State.PENDING
    handle._table = table
    handle._on_cancel = on_cancel
    return handle
