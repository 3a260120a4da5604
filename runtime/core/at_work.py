"""Which handlers of a run are at work, in the order they began."""

from __future__ import annotations

from ..model.handler_definitions import HandlerDefinition
from ..model.options import HandlerUnfinishedPolicy

__all__ = ["AtWork"]


class AtWork:
    """The signal and update handlers of one run that have begun and not ended."""

    __slots__ = ("_last", "_running")

    def __init__(self) -> None:
        self._last = 0
        self._running: dict[int, tuple[HandlerDefinition, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._running)

    def begin(self, handler: HandlerDefinition, what: str) -> int:
        """Note that a handler begins; returns what ``end`` needs.

        Args:
            what: what it handles, for people.
        """
        self._last += 1
        self._running[self._last] = handler, what
        return self._last

    def end(self, number: int) -> None:
        """Note that a handler has ended."""
        del self._running[number]

    def unfinished(self) -> list[str]:
        """What the handlers at work handle, but for those whose author does not want to be told."""
        return [
            what
            for handler, what in self._running.values()
            if handler.unfinished_policy is HandlerUnfinishedPolicy.WARN_AND_ABANDON
        ]
