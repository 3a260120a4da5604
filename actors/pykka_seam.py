"""Every private name of pykka that this library uses, in one place.

`tests/actors/test_pykka_seam.py` is the contract: it fails loudly on a pykka that moved.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeAlias

import pykka
from pykka import messages
from pykka._envelope import Envelope

from .shared_locks import free_in_children

__all__ = ["ActorStop", "Envelope", "OptExcInfo", "follow", "handle_receive", "redirect"]

OptExcInfo: TypeAlias = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

# The message that stops an actor, in its turn.
ActorStop = messages._ActorStop  # pyright: ignore[reportPrivateUsage]  # pykka has no public name for it

# Dispatches proxy calls to the actor's attributes and everything else to on_receive.
handle_receive: Callable[[pykka.Actor, Any], Any] = pykka.Actor._handle_receive  # pyright: ignore[reportPrivateUsage]  # pykka has no public name for it

# No actor could be started in a child that is forked while another thread holds it.
free_in_children(pykka.ActorRegistry._actor_refs_lock)  # pyright: ignore[reportPrivateUsage]  # likewise


def redirect(ref: pykka.ActorRef[Any], actor: pykka.Actor) -> None:
    """Make a reference one to ``actor``, which has taken the place of the one that it referred to."""
    ref._actor_weakref = weakref.ref(actor)  # pyright: ignore[reportPrivateUsage]  # what proxies look at
    ref.actor_class = type(actor)
    ref.actor_urn = actor.actor_urn
    ref.actor_inbox = actor.actor_inbox
    ref.actor_stopped = actor.actor_stopped


def follow(ref: pykka.ActorRef[Any], other: pykka.ActorRef[Any]) -> None:
    """Make a reference one to whatever ``other`` refers to, now and later."""
    ref._actor_weakref = lambda: other._actor_weakref()  # type: ignore[assignment]  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]  # it is called, and nothing else
    ref.actor_class = other.actor_class
    ref.actor_urn = other.actor_urn
    ref.actor_inbox = other.actor_inbox
    ref.actor_stopped = other.actor_stopped
