"""The code of a run is put away: its coroutines end, which may run what the user has written to be run at the end."""

from __future__ import annotations

import logging

from ...actors import Dispatcher, DispatcherClosedError, TurnExceeded
from ..core.execution import Execution
from ..model.errors import TurnDeadlineError
from .overdue import LEFT_BEHIND, overdue
from .tools import Tools

__all__ = ["put_away"]

logger = logging.getLogger("greenroom")


def put_away(tools: Tools, dispatcher: Dispatcher, whose: object, execution: Execution) -> None:
    """Put an execution away that is of no further use; nothing that comes of it is anybody else's concern.

    Args:
        whose: the run, for messages.
    """
    if execution.is_finished or not dispatcher.is_current():
        # Nothing of the user's runs, or there is no dispatcher that is held up.
        _tell(tools, whose, execution.close())
        return
    leaving = _PuttingAway(tools, whose, execution)
    tools.leaving[leaving.run] = None
    try:
        # In a step of its own: if it blocks, whoever has asked for this is not in the middle of something.
        dispatcher.call_soon(leaving.run)
    except DispatcherClosedError:
        # This is the last step there is.
        leaving.run()


def _tell(tools: Tools, whose: object, stubborn: list[str]) -> None:
    tools.coroutines_abandoned += len(stubborn)
    for each in stubborn:
        logger.warning("%s would not end when it was put away: %s", whose, each)


class _PuttingAway:
    """One execution on its way."""

    __slots__ = ("_execution", "_tools", "_whose")

    def __init__(self, tools: Tools, whose: object, execution: Execution) -> None:
        self._tools = tools
        self._whose = whose
        self._execution = execution

    def __str__(self) -> str:
        return f"{self._whose} on its way out of memory"

    def run(self) -> None:
        """Put it away, unless that was done."""
        if self.run not in self._tools.leaving:
            return
        del self._tools.leaving[self.run]
        deadline = self._tools.deadline
        try:
            deadline.begin(self, None)
            try:
                stubborn = self._execution.close()
            finally:
                deadline.end()
        except TurnExceeded as error:
            late = overdue(deadline, error, self._tools.turn_seconds)
            LEFT_BEHIND.append(self._execution)
            logger.error("%s took too long to be put away: %s", self._whose, late, exc_info=late)
        else:
            _tell(self._tools, self._whose, stubborn)

    def cut(self, what: object) -> None:
        """It is to come to its end: the exception that it gets is all that helps."""

    def stuck(self, what: object, error: TurnDeadlineError) -> None:
        """It is blocked, on a thread that was left behind."""
        LEFT_BEHIND.append(self._execution)
