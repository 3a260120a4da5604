"""The actors and futures that the suite is run on: pykka's own, and ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pykka

from greenroom.actors import Actor, Future

__all__ = ["FUTURES", "KINDS", "Behaviour", "Shared", "Threaded", "do", "stopped"]


class Behaviour:
    """What the actors of these tests do, whichever kind they are."""

    attribute: int
    shared_by_all: ClassVar[str] = "of the class"

    def begin(self, log: list[Any]) -> None:
        self.log = log
        self.attribute = 1
        self.gone = threading.Event()

    def on_start(self) -> None:
        self.log.append("start")

    def on_stop(self) -> None:
        self.log.append("stop")
        self.gone.set()

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.log.append(("failure", exception_type, str(exception_value), traceback is not None))
        self.gone.set()

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message(self)
        self.log.append(message)
        return ("received", message)

    def add(self, number: int, *, times: int = 1) -> int:
        self.attribute += number * times
        return self.attribute


class Threaded(Behaviour, pykka.ThreadingActor):
    def __init__(self, log: list[Any]) -> None:
        super().__init__()
        self.begin(log)


class Shared(Behaviour, Actor):
    def __init__(self, log: list[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.begin(log)


KINDS: list[Any] = [Threaded, Shared]
FUTURES: list[type[pykka.Future[Any]]] = [pykka.ThreadingFuture, Future]


def do(fn: Callable[[Any], object]) -> Callable[[Any], object]:
    """A message that has the actor call ``fn`` with itself."""
    return fn


def stopped(ref: pykka.ActorRef[Any]) -> bool:
    """Wait until the actor has stopped."""
    return ref.actor_stopped.wait(30)
