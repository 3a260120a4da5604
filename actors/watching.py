"""Hearing that another actor has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .articles import with_article
from .stopped_flag import StoppedFlag

if TYPE_CHECKING:
    from pykka import ActorRef

__all__ = ["Terminated", "flag_of"]


class Terminated(NamedTuple):
    """The message that an actor gets when one that it watches has stopped.

    Attributes:
        ref: the one that has stopped.
        error: what it has stopped of; None if it was told to stop.
    """

    ref: ActorRef[Any]
    error: BaseException | None


def flag_of(ref: ActorRef[Any]) -> StoppedFlag:
    """What tells that the actor of ``ref`` has stopped.

    Raises:
        TypeError: it is an actor of another kind, which tells nobody.
    """
    flag = ref.actor_stopped
    if isinstance(flag, StoppedFlag):
        return flag
    raise TypeError(
        f"{ref} cannot be watched: it is {with_article(ref.actor_class.__name__)}, and only actors of greenroom say "
        "that they have stopped; have its on_stop() and on_failure() tell whoever wants to know"
    )
