"""Which threads run actors now: there, nobody may block."""

from __future__ import annotations

import threading

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


class running_actors:
    """Mark this thread as one that runs actors, for the length of a ``with`` block."""

    # Not a generator: entered for every sweep.

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _here.runs_actors
        _here.runs_actors = True

    def __exit__(self, *_: object) -> None:
        _here.runs_actors = self._before
