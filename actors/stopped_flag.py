"""Whether an actor has stopped: an event of a few bytes, with callbacks for whoever watches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from .dispatcher_threads import refuse_to_block
from .shared_locks import shared_locks

__all__ = ["StoppedFlag"]

logger = logging.getLogger("greenroom.actors")


class StoppedFlag(threading.Event):
    """Set once, when an actor has stopped. What is needed for waiting is made when somebody waits.

    Attributes:
        error: what the actor has stopped of; None if it was told to stop, or runs.
    """

    __slots__ = ("_callbacks", "_is_set_now", "error")

    # One for all.
    (_lock,) = shared_locks(1)

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._is_set_now = False
        # As keys: thousands may watch one actor, and each forgets it by itself.
        self._callbacks: dict[Callable[[], object], None] | None = None

    def __repr__(self) -> str:
        return f"<StoppedFlag {'set' if self._is_set_now else 'unset'}>"

    def is_set(self) -> bool:
        """Whether the actor has stopped."""
        return self._is_set_now

    def set(self, error: BaseException | None = None) -> None:
        """Note that the actor has stopped, and tell whoever watches; only the first time counts.

        Args:
            error: what it has stopped of.
        """
        with self._lock:
            if self._is_set_now:
                return
            self.error = error
            self._is_set_now = True
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            _tell(callback)

    def clear(self) -> None:
        """Refuse: a stopped actor stays stopped.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a stopped actor cannot be started again; start a new one")

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the actor has stopped.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether it has stopped.

        Raises:
            BlockingCallError: it has not stopped yet and this is a dispatcher thread.
        """
        if self._is_set_now:
            return True
        refuse_to_block()
        gate = threading.Lock()
        gate.acquire()
        self.call_when_set(gate.release)
        try:
            gate.acquire(timeout=-1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX))
        finally:
            self.forget(gate.release)
        return self._is_set_now

    def call_when_set(self, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once, when the actor stops, on the thread where it does; at once if it has."""
        with self._lock:
            if not self._is_set_now:
                self._callbacks = self._callbacks or {}
                self._callbacks[callback] = None
                return
        _tell(callback)

    def forget(self, callback: Callable[[], object]) -> None:
        """Do not call ``callback`` any more."""
        with self._lock:
            if self._callbacks is not None:
                self._callbacks.pop(callback, None)


def _tell(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        # Who watches has no say in how the other one stops, and the rest must hear of it.
        logger.exception("A callback of a stopped actor raised")
