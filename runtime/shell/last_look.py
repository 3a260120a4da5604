"""What a run had not read whose code is not asked how it ends: its history is replayed once more to see."""

from __future__ import annotations

import logging

from ...actors import Dispatcher
from ...storage import StorageError
from ..core.messages import Message, SignalReceived, WorkflowStarted, decode_message
from ..model.errors import TurnDeadlineError
from ..model.run_facts import decode_facts
from .bringing_back import BringingBack
from .journal_seam import is_passing
from .overdue import Owner
from .putting_away import put_away
from .run_state import RunState
from .standing import Standing
from .tools import Tools

__all__ = ["LastLook", "told_with_start"]

logger = logging.getLogger("greenroom")


class LastLook:
    """One look at the history of a run, once all of that is on disk.

    Attributes:
        standing: how the run stood before.
        unread: the signals that it was told of and that nothing in it had read.
        unsure: those of which its code cannot say that any more.
    """

    __slots__ = ("_back", "_dispatcher", "_tools", "standing", "unread", "unsure")

    def __init__(self, run: RunState, standing: Standing, tools: Tools, dispatcher: Dispatcher) -> None:
        self._back = BringingBack(RunState(run.run_no, run.header, is_stored=True), tools)
        self._tools = tools
        self._dispatcher = dispatcher
        self.standing = standing
        self.unread: list[SignalReceived] = []
        self.unsure: list[SignalReceived] = []

    def __str__(self) -> str:
        return f"run {self._back.run.header.run_id}, which is looked at before it ends,"

    def go_on(self, owner: Owner) -> bool:
        """Replay the next slice.

        Args:
            owner: told if its code blocks.

        Returns:
            Whether the end is reached.

        Raises:
            StorageError: the disk does not answer now.
        """
        back = self._back
        try:
            if back.run.turn_no == 0 and not self._signals(first=0, is_any=True):
                return True
            if not back.replay_slice(owner):
                return False
            if back.failed is not None:
                self.unsure = self._signals(first=back.failed_at)
        except (StorageError, ValueError) as damage:
            if is_passing(damage):
                raise
            # It must be possible to end it all the same.
            logger.error("%s has a damaged history, and not all that it had not read is known: %s", self, damage)
        if back.execution is not None:
            self.unread = back.execution.take_unread()
            put_away(self._tools, self._dispatcher, self, back.execution)
        return True

    def _signals(self, *, first: int, is_any: bool = False) -> list[SignalReceived]:
        """The signals of the history.

        Args:
            first: from which turn on.
            is_any: whether one is enough.
        """
        journal, run_no = self._tools.journal, self._back.run.run_no
        found: list[SignalReceived] = []
        while turns := journal.turns(run_no, first=first):
            # To decode the others would take long if there are many.
            for message in (decode_message(turn.message) for turn in turns if _SAYS_SIGNAL in turn.message):
                found += _signals_in(message)
            if is_any and found:
                break
            first = turns[-1].turn_no + 1
        return found

    def stuck(self, error: TurnDeadlineError) -> None:
        """The code is blocked, on a thread that was left behind."""
        self._back.failed, self._back.execution = error, None


_SAYS_SIGNAL = b"signal"


def told_with_start(run: RunState) -> list[SignalReceived]:
    """The signals that went with the start of a run which has not taken it."""
    waiting = [decode_facts(run.header.facts).delayed, *run.rows.values()]
    messages = [decode_message(data) for data in waiting if data]
    return [signal for each in messages if isinstance(each, WorkflowStarted) for signal in _signals_in(each)]


def _signals_in(message: Message) -> list[SignalReceived]:
    if isinstance(message, SignalReceived):
        return [message]
    if not isinstance(message, WorkflowStarted) or message.origin is None:
        return []
    told = map(decode_message, message.origin.signals)
    return [signal for signal in told if isinstance(signal, SignalReceived)]
