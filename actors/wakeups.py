"""How asyncio loops are woken from other threads: one call a loop for all that a dispatcher releases together."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from asyncio import Future as LoopFuture

__all__ = ["hold_wakeups", "wake"]


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


@contextmanager
def hold_wakeups() -> Generator[None, None, None]:
    """Collect the wake-ups that this thread causes and deliver them at the end, with one call a loop."""
    if _here.held is not None:
        yield
        return
    held = _here.held = {}
    try:
        yield
    finally:
        _here.held = None
        for loop, waiters in held.items():
            _deliver(loop, waiters)


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
