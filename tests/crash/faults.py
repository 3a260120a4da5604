"""The controls: ways to break the library in a child. A harness that does not notice them proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lmdb

from greenroom.actors import Future
from greenroom.runtime.core.messages import CancelRequested, Message
from greenroom.runtime.shell.run_state import RunState
from greenroom.runtime.shell.sweep import Sweep
from greenroom.runtime.shell.timekeeper import Timekeeper
from greenroom.runtime.shell.updating import Updating
from greenroom.storage import Items

from .points import wrap

__all__ = ["FAULTS", "plant"]

EARLY_NS = 2_000_000


def _is_reply(action: Callable[..., object]) -> bool:
    return isinstance(getattr(action, "__self__", None), Future)


def _hasten(is_hasty: Callable[[Callable[..., object]], bool]) -> None:
    """Let go of some things before the commit instead of after it."""
    hasty: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def make_after(after: Callable[..., None]) -> Callable[..., None]:
        def wrapped(sweep: Sweep, action: Callable[..., object], *args: Any) -> None:
            if is_hasty(action):
                hasty.append((action, args))
            else:
                after(sweep, action, *args)

        return wrapped

    def make_close(close: Callable[[Sweep], None]) -> Callable[[Sweep], None]:
        def wrapped(sweep: Sweep) -> None:
            while hasty:
                action, args = hasty.pop(0)
                action(*args)
            close(sweep)

        return wrapped

    wrap(Sweep, "after", make_after)
    wrap(Sweep, "close", make_close)


def _acknowledge_early() -> None:
    _hasten(_is_reply)


def _release_early() -> None:
    _hasten(lambda action: not _is_reply(action))


def _never_sync() -> None:
    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: function(*args, **{**kwargs, "sync": False})

    wrap(lmdb, "open", make)


def _tell_updates_early() -> None:
    _hasten(lambda action: isinstance(getattr(action, "__self__", None), Updating))


def _forget_updates() -> None:
    """What a run has taken before it was brought back it takes again."""

    def make(load: Callable[[RunState, Items], None]) -> Callable[[RunState, Items], None]:
        return lambda run, items: load(run, items._replace(updates=[]))

    wrap(RunState, "load", make)


def _count_every_request() -> None:
    def make(is_stale: Callable[[RunState, Message], bool]) -> Callable[[RunState, Message], bool]:
        return lambda run, message: not isinstance(message, CancelRequested) and is_stale(run, message)

    wrap(RunState, "is_stale", make)


def _ring_early() -> None:
    def make(arm: Callable[..., None]) -> Callable[..., None]:
        def wrapped(timekeeper: Timekeeper, run_no: int, kind: int, item: int, at_ns: int) -> None:
            arm(timekeeper, run_no, kind, item, at_ns - EARLY_NS)

        return wrapped

    wrap(Timekeeper, "arm", make)


FAULTS: dict[str, tuple[Callable[[], None], str]] = {
    "acknowledge before commit": (_acknowledge_early, "was acknowledged and is not there"),
    "release before commit": (_release_early, "was performed and nobody asked for it"),
    "updates told before commit": (_tell_updates_early, "was acknowledged, and order"),
    "update ids forgotten": (_forget_updates, "is in the history twice"),
    "every request to end counts": (_count_every_request, "it was asked to end"),
    "timers ring early": (_ring_early, "ns early"),
    "sync=False": (_never_sync, "was acknowledged and is not there"),
}
"""Name of each control → what plants it in this process, and the finding that must bring it to light."""


def plant(fault: str) -> None:
    """Break the library of this process."""
    FAULTS[fault][0]()
