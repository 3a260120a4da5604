"""Which threads run actors now: there, nobody may block."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

from .errors import BlockingCallError

__all__ = ["on_dispatcher_thread", "refuse_to_block", "running_actors"]


class _Here(threading.local):
    runs_actors = False


_here = _Here()


def on_dispatcher_thread() -> bool:
    """Whether this thread is running actors now."""
    return _here.runs_actors


def refuse_to_block() -> None:
    """Raise if this thread is running actors now.

    Raises:
        BlockingCallError: blocking here would stop every actor of the dispatcher.
    """
    if _here.runs_actors:
        raise BlockingCallError(threading.current_thread().name)


@contextmanager
def running_actors() -> Generator[None, None, None]:
    """Mark this thread as one that runs actors."""
    before = _here.runs_actors
    _here.runs_actors = True
    try:
        yield
    finally:
        _here.runs_actors = before
