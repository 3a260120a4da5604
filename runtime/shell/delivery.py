"""A message on its way into a run, with what the journal and the sender expect of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...actors import Envelope, Future
from ..core.execution import Execution
from ..core.messages import Message
from ..model.options import QueryRejectCondition
from .run_state import RunState

__all__ = ["Delivery", "Query", "Question"]


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
        answers_itself: whether ``ask`` sees to the answer; then ``reply_to`` is only told if nobody is asked.
    """

    __slots__ = ("answers_itself", "ask")

    def __init__(
        self, ask: Callable[[Any], Any], reply_to: Future[Any] | None, *, answers_itself: bool = False
    ) -> None:
        super().__init__(_NO_MESSAGE, reply_to)
        self.ask = ask
        self.answers_itself = answers_itself


class Query(Delivery):
    """A question that is answered by the code of a run, and never written.

    Args:
        ask: called in the run's turn with the query, what is known of the run, its execution if that is in memory, and
            its actor; sees to the answer.
        name: the query's.
        args: the payload of its arguments.
        condition: how the run must not stand for it to be asked.
        future: gets the answer, decoded, once all that it may show is on disk.
    """

    __slots__ = ("args", "ask", "condition", "future", "name")

    def __init__(
        self,
        ask: Callable[[Query, RunState, Execution | None, Any], None],
        name: str,
        args: bytes,
        condition: QueryRejectCondition,
        future: Future[Any],
    ) -> None:
        super().__init__(_NO_MESSAGE, future)
        self.future = future
        self.ask = ask
        self.name = name
        self.args = args
        self.condition = condition


_NO_MESSAGE = Message()
