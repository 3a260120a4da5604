"""A tree of actors on a dispatcher that the test drives, and what its actors noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any

from pykka import ActorRef

from greenroom.actors import Actor, ChildSpec, Dispatcher, ManualClock, Supervisor

__all__ = ["Log", "Member", "Tree"]


class Log(list[str]):
    """What was noted.

    Attributes:
        made: how many of each name were made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()


class Member(Actor):
    """Notes its life, and does what it is told.

    Args:
        name: as which it notes.
        log: where.
        ill: instances whose number is in here cannot start; the first one is 1.
    """

    def __init__(self, name: str, log: Log, ill: Container[int] = (), **options: Any) -> None:
        super().__init__(**options)
        self.name = name
        self.log = log
        self.ill = ill
        self.state = 0
        log.made[name] += 1
        self.number = log.made[name]
        log.append(f"make {name}{self.number}")

    def __str__(self) -> str:
        return f"{self.name}{self.number}"

    def on_start(self) -> None:
        if self.number in self.ill:
            self.log.append(f"ill {self}")
            raise OSError(f"{self} cannot start")
        self.log.append(f"start {self}")

    def on_stop(self) -> None:
        self.log.append(f"stop {self}")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.log.append(f"fail {self}")

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message(self)
        self.state += 1
        self.log.append(f"{self} {message}")
        return str(self), self.state


class Tree:
    """One supervisor and its children, driven by hand.

    Attributes:
        log: what the members noted since it was last taken.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.errors: list[BaseException] = []
        self.dispatcher = Dispatcher(clock=self.clock, on_error=self.errors.append)
        self.log = Log()
        self._taken = 0

    def spec(self, name: str, **options: Any) -> ChildSpec:
        """A member of that name."""
        ill = options.pop("ill", ())
        return ChildSpec(name, Member, (name, self.log, ill), **options)

    def grow(self, *children: ChildSpec | str, **options: Any) -> ActorRef[Supervisor]:
        """A supervisor that has begun."""
        specs = [self.spec(child) if isinstance(child, str) else child for child in children]
        actor = Supervisor(specs, dispatcher=self.dispatcher, **options)
        actor.launch()
        # Held by its mailbox from here on.
        self.run()
        return actor.actor_ref

    def run(self) -> None:
        """Go on until nothing is to be done before some time has passed."""
        while self.dispatcher.sweep():
            pass
        assert self.errors == []

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what becomes due."""
        self.clock.advance(seconds)
        self.run()

    def call(self, ref: ActorRef[Any], name: str, *args: Any) -> Any:
        """What a method of an actor gives."""
        future = getattr(ref.proxy(), name)(*args)
        self.run()
        return future.get(timeout=0)

    def ask(self, ref: ActorRef[Any], message: Any) -> Any:
        """What an actor answers."""
        future = ref.ask(message, block=False)
        self.run()
        return future.get(timeout=0)

    def notes(self) -> list[str]:
        """What was noted since this was last called."""
        new = self.log[self._taken :]
        self._taken = len(self.log)
        return new
