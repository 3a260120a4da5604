"""The mail of a run's actor, in memory and on disk: whatever stands behind it, it comes in here."""

from __future__ import annotations

from ...actors import Actor, Dispatcher, Lane
from ..core.messages import Message, RunTerminated, RunTimedOut
from .delivery import Delivery, Query, Question
from .mail_rows import put_row
from .run_state import RunState
from .standing import Standing
from .tools import Tools

__all__ = ["ENDS", "MailedActor"]

ENDS = (RunTimedOut, RunTerminated)
"""Messages that end a run without asking its code."""


class MailedActor(Actor):
    """What is told, asked and left for a run.

    Args:
        run: what is known of it.
        standing: how it stands.
        tools: what the hands share.
    """

    def __init__(self, run: RunState, standing: Standing, tools: Tools, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher=dispatcher)
        # The same again, without a call.
        self._dispatcher = dispatcher
        self.run = run
        self.standing = standing
        self._tools = tools

    def __str__(self) -> str:
        return f"workflow {self.run.header.workflow_id!r} (run {self.run.header.run_id})"

    @property
    def is_open(self) -> bool:
        """Whether the run can still take messages."""
        return self.standing is not Standing.CLOSED

    @property
    def waiting_messages(self) -> int:
        """How many messages wait for the run.

        What waits on disk waits in memory too while the run is awake, so the two are not added up.
        """
        return max(len(self.actor_inbox), len(self.run.rows))

    def accept(self, delivery: Delivery) -> None:
        """Put a message behind the mail that is there; one that ends the run goes before it."""
        # Nothing goes before the start of a run: without it there is nothing to end.
        if isinstance(delivery.message, ENDS) and self.standing is not Standing.NEW:
            self.actor_inbox.put(delivery, Lane.SYSTEM)
        else:
            self.actor_inbox.put(delivery)

    def accept_row(self, seq: int, message: Message) -> None:
        """A message for this run is on disk now. What is not awake finds it there when it wakes."""
        if self._dispatcher.is_closed:
            # The next opening takes it: runs that write to each other would never come to an end.
            return
        if self.standing is Standing.DORMANT:
            self.wake()
        elif seq in self.run.rows:
            self.accept(Delivery(message, seq=seq))

    def ask(self, question: Question | Query) -> None:
        """Put a question behind the mail that is there."""
        self.actor_inbox.put(question, Lane.QUERY)

    def leave(self, message: Message, time_ns: int) -> None:
        """Put a message into the mailbox, on disk as well, in the open sweep."""
        seq = put_row(self._tools, self.run, message, time_ns)
        if self.standing is not Standing.DORMANT:
            # It finds it there when it wakes.
            self.actor_inbox.put(Delivery(message, seq=seq))

    def wake(self) -> None:
        """Have a dormant run brought back though no mail has come."""
        if self.standing is Standing.DORMANT and not self.actor_inbox.is_scheduled:
            self.actor_inbox.put(Question(_nothing, None), Lane.SYSTEM)


def _nothing(actor: MailedActor) -> None:
    """To wake a run is all that is asked."""
