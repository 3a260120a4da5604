"""A message on its way into a run, with what the journal and the sender expect of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...actors import Envelope, Future
from ..core.messages import Message

__all__ = ["Delivery", "Question"]


class Delivery(Envelope[Message]):
    """One message in a mailbox.

    Args:
        message: what the run is told.
        reply_to: resolved with ``answer`` once the turn is durable, or failed; None if nobody waits.
        answer: what the sender gets.
        seq: the number of the mailbox row that holds the message on disk, if it has one; its turn takes the row away.
        is_lasting: whether the message must survive a commit that fails because what it tells has happened (an
            activity's outcome, a timer), unlike a client's request, which is then refused.
    """

    __slots__ = ("answer", "is_lasting", "seq")

    def __init__(
        self,
        message: Message,
        reply_to: Future[Any] | None = None,
        *,
        answer: Any = None,
        seq: int | None = None,
        is_lasting: bool = False,
    ) -> None:
        # Not by way of the envelope's own: one is made for every message.
        self.message = message
        self.reply_to = reply_to
        self.answer = answer
        self.seq = seq
        self.is_lasting = is_lasting


class Question(Delivery):
    """Something that is answered by the actor of a run, and never written.

    Args:
        ask: called with the actor in its turn; gives the answer.
        reply_to: gets the answer once all that it may show is on disk; None if nobody waits.
    """

    __slots__ = ("ask",)

    def __init__(self, ask: Callable[[Any], Any], reply_to: Future[Any] | None) -> None:
        super().__init__(_NO_MESSAGE, reply_to)
        self.ask = ask


_NO_MESSAGE = Message()
