"""Turns that take too long: what their runs are told, and how another thread goes on where one is blocked."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from ...actors import Actor, Dispatcher, TurnDeadline, TurnExceeded, Watchdog
from ..core.loop import leave_any_loop
from ..model.errors import TurnDeadlineError
from .tools import Tools

__all__ = ["LEFT_BEHIND", "Overdue", "Owner", "overdue"]

MOST_ABANDONED = 8

LEFT_BEHIND: list[object] = []
"""Executions whose code stands in a thread that may never go on: nothing of them may be finalized elsewhere."""

logger = logging.getLogger("greenroom")


class Owner(Protocol):
    """Whose code runs in a turn."""

    def cut(self, what: object) -> None:
        """The code that was called for ``what`` is to come to its end; called on the watchdog's thread."""
        ...

    def stuck(self, what: object, error: TurnDeadlineError) -> None:
        """The code that was called for ``what`` is blocked for good, on a thread that was left behind."""
        ...


def overdue(deadline: TurnDeadline, error: TurnExceeded, seconds: float | None) -> TurnDeadlineError:
    """What a run is told whose turn was ended."""
    try:
        # The exception may have come before the end of the turn was said.
        deadline.end()
    except TurnExceeded as again:
        error = again
    leave_any_loop()
    return TurnDeadlineError(seconds or 0.0, error.stack)


class Overdue:
    """Watches the turns of one runtime.

    Args:
        seconds: how long a turn may take.
    """

    def __init__(self, tools: Tools, dispatcher: Dispatcher, seconds: float) -> None:
        self._tools = tools
        self._dispatcher = dispatcher
        self._seconds = seconds
        self._is_told = False
        self._watchdog = Watchdog(
            tools.deadline, seconds, most_abandoned=MOST_ABANDONED, abandoned=self._hand_over, stuck=self._tell
        )

    @property
    def threads_abandoned(self) -> int:
        """How many threads were left behind in turns that blocked."""
        return self._watchdog.threads_abandoned

    def prepare(self) -> None:
        """Know the thread of the dispatcher before any code runs on it."""
        self._dispatcher.call_soon(self._know_thread, self._tools.deadline)

    def start(self) -> None:
        """Begin to watch."""
        self._watchdog.start(f"{self._dispatcher.name}-watchdog")

    def stop(self) -> None:
        """Watch no more."""
        self._watchdog.stop()

    def _know_thread(self, deadline: TurnDeadline) -> None:
        deadline.thread = threading.get_ident()

    def _hand_over(self, stuck: TurnDeadline) -> TurnDeadline:
        """Have a new thread go on, which says of the run that is blocked that it has stopped."""
        owner, what = stuck.owner, stuck.what
        deadline = TurnDeadline()

        def begin() -> None:
            deadline.thread = threading.get_ident()
            self._tools.deadline = deadline
            logger.error(
                "the thread of %s was left behind: it is blocked, and another one goes on (%d of at most %d)\n%s",
                owner,
                self.threads_abandoned,
                MOST_ABANDONED,
                stuck.stack,
            )
            owner.stuck(what, TurnDeadlineError(self._seconds, stuck.stack))

        self._dispatcher.take_over(begin, owner if isinstance(owner, Actor) else None)
        return deadline

    def _tell(self, stuck: TurnDeadline) -> None:
        if not self._is_told:
            self._is_told = True
            logger.critical(
                "%s is blocked, and %d threads were left behind before: the runtime stands still until it goes on\n%s",
                stuck.owner,
                self.threads_abandoned,
                stuck.stack,
            )
