"""The contract with pykka's private names: these fail loudly on a pykka that moved."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pykka
from pykka import messages
from pykka.messages import ProxyCall

import greenroom.actors
from greenroom.actors import Actor, ActorStop, Dispatcher, Envelope, Future, Supervisor
from greenroom.actors.pykka_seam import handle_receive


class Counter(Actor):
    count = 1

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    def on_receive(self, message: Any) -> Any:
        return ("received", message)


def test_a_ref_puts_envelopes_with_message_and_reply_to() -> None:
    actor = Counter(dispatcher=Dispatcher())

    actor.actor_ref.tell("told")
    future = actor.actor_ref.ask("asked", block=False)

    told, asked = actor.actor_inbox.get(), actor.actor_inbox.get()
    assert isinstance(told, Envelope)
    assert (told.message, told.reply_to) == ("told", None)
    assert (asked.message, asked.reply_to) == ("asked", future)
    assert isinstance(future, Future)


def test_a_stop_arrives_as_an_actor_stop() -> None:
    actor = Counter(dispatcher=Dispatcher())

    actor.stop()

    assert type(actor.actor_inbox.get().message) is ActorStop


def test_handle_receive_knows_pykkas_messages_and_passes_others_on() -> None:
    actor = Counter(dispatcher=Dispatcher())

    assert handle_receive(actor, ProxyCall(attr_path=("add",), args=(2,), kwargs={})) == 3
    assert handle_receive(actor, "other") == ("received", "other")


def test_a_ref_has_the_documented_attributes_of_its_actor() -> None:
    actor = Counter(dispatcher=Dispatcher())
    ref = actor.actor_ref

    assert ref.actor_inbox is actor.actor_inbox
    assert ref.actor_stopped is actor.actor_stopped
    assert ref.actor_urn == actor.actor_urn
    assert ref.actor_class is Counter
    assert actor.actor_ref is ref


def test_pykka_has_the_hooks_that_the_actor_overrides() -> None:
    hooks = {name for name in HOOKS if name in vars(Actor)}

    assert hooks == getattr(pykka.Actor, "__abstractmethods__")  # noqa: B009  # not known to type checkers
    assert list(inspect.signature(pykka.Actor.on_failure).parameters) == [
        "self",
        "exception_type",
        "exception_value",
        "traceback",
    ]


# What pykka documents for whoever makes a new kind of actor.
HOOKS = {"_create_actor_inbox", "_create_future", "_start_actor_loop"}


def private(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def names_in(source: str) -> set[str]:
    """What stands behind a dot."""
    return {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}


def private_names_of_pykka() -> set[str]:
    """Of the things of pykka that actors have to do with."""
    kinds: list[Any] = [pykka.Actor, pykka.ActorRef, pykka.ActorRegistry, Envelope, messages]
    told: set[str] = set()
    for kind in kinds:
        told |= {*vars(kind), *names_in(inspect.getsource(kind))}
    return private(told) - HOOKS - {"_abc_impl"}


def test_private_names_of_pykka_stand_in_one_file_only() -> None:
    names = private_names_of_pykka()
    assert {"_ActorStop", "_actor_ref", "_actor_refs_lock", "_actor_weakref", "_handle_receive", "_stop"} <= names

    users = {
        path.name
        for path in Path(greenroom.actors.__file__).parent.glob("*.py")
        if names & names_in(path.read_text()) or "pykka._" in path.read_text()
    }

    assert users == {"pykka_seam.py"}


def test_no_private_name_of_an_actor_is_one_of_pykkas() -> None:
    kinds = [kind for kind in Supervisor.__mro__ if kind.__module__.startswith("greenroom.")]
    assert Actor in kinds
    own = {name for kind in kinds for name in vars(kind)}

    assert private(own) & private_names_of_pykka() == set()
