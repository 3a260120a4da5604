"""What callers of a run are told: not before the disk has what it may show, and always something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...actors import Envelope, Future
from ..core.messages import SignalReceivedOnce, UpdateReceived
from ..model.errors import GreenroomError
from .delivery import Delivery, Question
from .run_state import RunState
from .standing_errors import closed_error
from .sweep import Sweep, TurnTaker, fail_if_pending
from .tools import Tools

__all__ = ["answer", "refuse", "refuse_all"]


def answer(sweep: Sweep, actor: object, question: Question) -> None:
    """Ask the actor what somebody wants to know."""
    reply = question.reply_to
    if reply is None:
        question.ask(actor)
        return
    sweep.undo(fail_if_pending, reply)
    if question.answers_itself:
        question.ask(actor)
        return
    try:
        found = question.ask(actor)
    except Exception as error:
        sweep.after(reply.set_exception, (type(error), error, error.__traceback__))
    else:
        sweep.after(reply.set, found)


def refuse(tools: Tools, actor: TurnTaker, run: RunState, delivery: Delivery) -> None:
    """The run has ended. If that does not get to disk, the run goes on and hears what has happened after all."""
    tools.sweep.took_turn(actor, delivery)
    message, reply = delivery.message, delivery.reply_to
    if isinstance(message, UpdateReceived):
        tools.updating.arrived(run, delivery, message)
        tools.updating.refused(run, message)
    elif reply is not None and isinstance(message, SignalReceivedOnce) and run.has_heard(message.key):
        tools.sweep.after(reply.set, delivery.answer)
    elif reply is not None:
        tools.sweep.after(fail_if_pending, reply, closed_error(run.header))


def refuse_all(envelopes: Iterable[Envelope[Any]], error: GreenroomError) -> None:
    """Nobody will take these any more."""
    for envelope in envelopes:
        if isinstance(envelope.reply_to, Future):
            fail_if_pending(envelope.reply_to, error)
