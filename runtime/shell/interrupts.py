"""Raises ``CancelledError`` in the thread of an attempt: at most once, never when its code has ended, never in another.

Python lets one thread raise an exception in another, which meets it between two of its bytecodes, or when the call into
C that it waits in returns. Until then the exception is *pending*, and a thread that goes on to the next attempt would
take it along. So the thread of an attempt stands in a table while its code runs, and whoever takes it out of there,
which happens once, alone says what follows: the attempt itself, that none comes any more; the striker, that one comes,
and the attempt waits for it before it ends.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
import traceback
from threading import get_ident
from types import FrameType, TracebackType
from typing import Any, NoReturn, Protocol, Self

from ...actors.async_exceptions import async_exception_setter, frame_of, is_delicate, module_of
from ..model.errors import CancelledError
from ..model.values import Value

__all__ = ["Interrupts", "Shield"]


class Target(Protocol):
    """What may be interrupted.

    Attributes:
        cancellation: why it is cancelled, once it is; set before it is struck.
        depth: how many shields are around what its code does.
        is_due: whether its own thread is still to raise the exception.
        is_struck: whether there was an exception, raised or pending or due.
        thread: where its code runs, while that may be interrupted.
    """

    cancellation: Any
    depth: int
    is_due: bool
    is_struck: bool
    thread: int | None


class Interrupts:
    """The threads that may be interrupted now."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[Target, int] = {}

    def open(self, target: Target) -> None:
        """The code of ``target`` begins, on this thread.

        Raises:
            CancelledError: it was cancelled before.
        """
        target.thread = thread = get_ident()
        self._open[target] = thread
        # Only now: whoever strikes either finds the thread or has said before that it is cancelled.
        if target.cancellation is not None:
            self._refuse(target, thread)

    def strike(self, target: Target) -> None:
        """Raise the exception in the thread of ``target``, unless its code is shielded or has ended."""
        # First, since whoever is struck must find it loaded.
        async_exception_setter()
        thread = self._open.pop(target, None)
        if thread is None:
            return
        if thread == get_ident():
            # Its own thread asks, which is in the middle of something else: it raises it at its next chance.
            target.is_due = target.is_struck = True
        elif not _strike_unless_delicate(target, thread) or _LOWERS_FLAG:
            try:
                threading.Thread(target=_follow, args=(target, thread), name="greenroom-nudge", daemon=True).start()
            except RuntimeError:
                # The system grants none: what cannot be left undone is done here.
                _insist(target, thread)

    def calm(self, target: Target) -> None:
        """The code of ``target`` has ended on this thread: from here on nothing is raised, and nothing is pending."""
        try:
            thread = target.thread
            # Within a shield nothing is pending either.
            if thread is not None and not target.depth and self._open.pop(target, None) is None:
                _meet(target, thread)
        except CancelledError:
            # It came too late to interrupt anything.
            pass
        target.thread = None

    def close(self, target: Target) -> None:
        """The code of ``target`` is not to be interrupted for a while; one that is under way comes before that."""
        if self._open.pop(target, None) is None and target.thread is not None:
            _meet(target, target.thread)

    def reopen(self, target: Target) -> None:
        """The code of ``target`` may be interrupted again.

        Raises:
            CancelledError: it was cancelled meanwhile.
        """
        thread = target.thread
        if target.is_struck or thread is None:
            return
        self._open[target] = thread
        # As above.
        if target.cancellation is not None:
            self._refuse(target, thread)

    def _refuse(self, target: Target, thread: int) -> NoReturn:
        """Have the exception raised on this thread, whose code must not go on."""
        if self._open.pop(target, None) is None:
            _meet(target, thread)
        target.is_struck = True
        raise CancelledError


class Shield:
    """Around what must not be interrupted on the thread of an attempt; shields may stand within each other."""

    __slots__ = ("_interrupts", "_target")

    def __init__(self, interrupts: Interrupts, target: Target) -> None:
        self._interrupts = interrupts
        self._target = target

    def __enter__(self) -> Self:
        target = self._target
        target.depth += 1
        if target.depth == 1 and not target.is_struck:
            try:
                self._interrupts.close(target)
            except BaseException:
                target.depth -= 1
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        target = self._target
        target.depth -= 1
        if target.depth == 0:
            self._interrupts.reopen(target)


# As long as an exception is pending for one thread, Python 3.11 has every thread look for one, and one that is traced
# or profiled never gets beyond its next call then.
_LOWERS_FLAG = sys.version_info < (3, 12)


class _Received(BaseException):
    """Raised in the thread that has sent an exception to another: to receive one is what takes the flag down."""


def _leave_pending(thread: int) -> None:
    """Have the exception raised in a thread that may hear of nothing for a long time."""
    here, set_async_exc = get_ident(), async_exception_setter()
    try:
        set_async_exc(thread, CancelledError)
        if _LOWERS_FLAG:
            # No call of a Python function in between: this thread may be traced too.
            set_async_exc(here, _Received)
            for _ in range(8):
                pass
    except _Received:
        pass


# This module drops what is raised in some of the functions that it calls: as deep as it calls them.
_DROPS, _DEPTH = "logging", 4

# Here a thread may be for a long time, and may leave then, whatever module that is.
_WAITS = ("wait", "_wait_for_tstate_lock")


class _Place(Value, frozen=True):
    """Where a thread is."""

    frame: FrameType
    instruction: int


def _delicate_place(thread: int) -> _Place | None:
    """Where a thread is, if that is no place to be torn out of."""
    frame = frame_of(thread)
    if frame is None:
        return None
    nearest = itertools.islice(traceback.walk_stack(frame), _DEPTH)
    if is_delicate(frame) or any(module_of(each) == _DROPS for each, _ in nearest):
        return _Place(frame, frame.f_lasti)
    return None


def _strike_unless_delicate(target: Target, thread: int, before: _Place | None = None) -> bool:
    """Leave the exception pending, unless its thread is in a delicate place; return whether it is.

    Args:
        before: the delicate place in which it was at the last look: who waits there is not about to leave it.
    """
    # With the interpreter just got back, nobody else gets it between the look and the sending.
    time.sleep(0)
    place = _delicate_place(thread)
    if place is not None and (place != before or place.frame.f_code.co_name not in _WAITS):
        return False
    try:
        _leave_pending(thread)
    finally:
        target.is_struck = True
    return True


def _insist(target: Target, thread: int) -> None:
    """Strike as soon as its thread is out of a delicate place."""
    place = None
    while not target.is_struck and not _strike_unless_delicate(target, thread, place):
        place = _delicate_place(thread)
        time.sleep(_LOOK_SECONDS)


_LOOK_SECONDS = 0.002


def _follow(target: Target, thread: int) -> None:
    """See to it that a strike comes, and comes soon."""
    _insist(target, thread)
    if _LOWERS_FLAG:
        _nudge(target)


def _nudge(target: Target) -> None:
    """With the flag down a thread looks for its exception only when another wants the interpreter: want it."""
    seconds = 0.01
    while target.thread is not None:
        time.sleep(seconds)
        seconds = min(1.5 * seconds, 0.5)


def _meet(target: Target, thread: int) -> NoReturn:
    """Wait for a strike that is under way on this thread, and have the exception raised here.

    It may be pending or have been raised already: one more takes the place of one that is pending. To take it back
    instead (by setting none) leaves Python's flag for it set, for good: every thread looks for one at each turn then,
    and under a profiler or a tracer Python 3.11 never gets any further.

    Raises:
        CancelledError: always.
    """
    # No lock: the exception could come while it is held. The striker needs a few instructions.
    while not target.is_struck:
        time.sleep(0)
    set_async_exc = async_exception_setter()
    while True:
        set_async_exc(thread, CancelledError)
        time.sleep(0)
