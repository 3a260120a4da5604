"""Where mail to nobody goes: the last letters, a count of all, one log line now and then, and whoever subscribed."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from .articles import with_article

__all__ = ["DeadLetter", "DeadLetters"]

_SECONDS_BETWEEN_LOG_LINES = 5.0

logger = logging.getLogger("greenroom.actors")


class DeadLetter(NamedTuple):
    """A message that reached nobody.

    Attributes:
        reason: why, and whom it was for, for people.
        message: the message.
    """

    reason: str
    message: object


class DeadLetters:
    """The messages that reached nobody.

    Args:
        limit: how many of the latest letters are kept.
    """

    __slots__ = ("_count", "_hooks", "_letters", "_lock", "_quiet_until", "_unlogged")

    def __init__(self, limit: int = 1000) -> None:
        self._lock = threading.RLock()
        self._letters: deque[DeadLetter] = deque(maxlen=limit)
        self._hooks: list[Callable[[DeadLetter], None]] = []
        self._count = 0
        self._unlogged = 0
        self._quiet_until = 0.0

    @property
    def count(self) -> int:
        """How many letters have come in since the beginning."""
        return self._count

    def latest(self) -> list[DeadLetter]:
        """Return the letters that are kept, oldest first."""
        with self._lock:
            return list(self._letters)

    def put(self, reason: str, message: object) -> None:
        """Keep a message that reached nobody.

        Args:
            reason: why, and whom it was for, for people.
            message: the message; logs name its type only, since its content may be private.
        """
        letter = DeadLetter(reason, message)
        now = time.monotonic()
        with self._lock:
            self._count += 1
            self._letters.append(letter)
            hooks = list(self._hooks)
            if is_logged := now >= self._quiet_until:
                self._quiet_until = now + _SECONDS_BETWEEN_LOG_LINES
                unlogged, self._unlogged = self._unlogged, 0
            else:
                unlogged = self._unlogged = self._unlogged + 1
        if is_logged:
            more = f" ({unlogged} more since the last line)" if unlogged else ""
            logger.warning("Dead letter: %s, %s%s", with_article(type(message).__qualname__), reason, more)
        for hook in hooks:
            try:
                hook(letter)
            except Exception:
                # A hook is told of what is lost; its own fault must not be the sender's.
                logger.exception("A subscriber of the dead letters raised")

    def subscribe(self, hook: Callable[[DeadLetter], None]) -> Callable[[], None]:
        """Have ``hook`` called with each letter, on the thread that puts it.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._hooks.append(hook)

        def unsubscribe() -> None:
            with self._lock:
                if hook in self._hooks:
                    self._hooks.remove(hook)

        return unsubscribe
