"""How asyncio loops are woken from other threads: one call a loop for all that a dispatcher releases together."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from asyncio import Future as LoopFuture

__all__ = ["hold_wakeups", "wake"]


logger = logging.getLogger("greenroom.actors")


class _Here(threading.local):
    held: dict[AbstractEventLoop, list[LoopFuture[None]]] | None = None


_here = _Here()


def wake(loop: AbstractEventLoop, waiter: LoopFuture[None], _: object = None) -> None:
    """Finish ``waiter`` on its loop, from any thread."""
    held = _here.held
    if held is None:
        _deliver(loop, [waiter])
    elif loop in held:
        held[loop].append(waiter)
    else:
        held[loop] = [waiter]


class hold_wakeups:
    """Collect the wake-ups that this thread causes in a ``with`` block, and deliver them at its end with one call a
    loop; a block inside another one leaves that to it."""

    # Not a generator: entered for every sweep.

    __slots__ = ("_held", "_is_outermost")

    def __enter__(self) -> Self:
        self._held: dict[AbstractEventLoop, list[LoopFuture[None]]] = {}
        self._is_outermost = _here.held is None
        if self._is_outermost:
            _here.held = self._held
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_outermost:
            _here.held = None
            if self._held:
                self.deliver()

    def deliver(self) -> None:
        """Deliver what was collected; on another thread, if the one that collected it does nothing any more."""
        held, self._held = self._held, {}
        for loop, waiters in held.items():
            try:
                _deliver(loop, waiters)
            except Exception:
                # A loop that cannot be woken has nobody to tell, and the others must be.
                logger.exception("A loop could not be told of %d outcomes", len(waiters))


def _deliver(loop: AbstractEventLoop, waiters: list[LoopFuture[None]]) -> None:
    try:
        loop.call_soon_threadsafe(_finish, waiters)
    except RuntimeError:
        # The loop is closed: nobody waits there any more.
        if not loop.is_closed():
            raise


def _finish(waiters: list[Any]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
