"""One child of a supervisor: the instance that is there, and what is to come after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from .actor import Actor
from .articles import with_article
from .deadlines import Deadline
from .dispatcher import Dispatcher
from .supervision import ChildSpec, Directive

__all__ = ["Again", "Call", "Child", "Ended"]


class Parent(Protocol):
    """Whose child it is."""

    @property
    def dispatcher(self) -> Dispatcher: ...

    def judge_for_instance(self, error: BaseException) -> tuple[Directive, BaseException]:
        """What is to become of a child that has failed of ``error``, and of what."""
        ...

    def post_to_instance(self, message: Ended | Call) -> None:
        """Have something seen to in a turn of the supervisor, before its mail."""
        ...


class Child:
    """One child.

    Attributes:
        actor: the instance that is there, or the last one that was.
        is_down: whether that one has ended, and another is to take its place.
        again: the beginning at which the next one is to come, once that is settled.
        begun_ns: when the instance began, in elapsed time.
        failures: how many restarts there were in a row.
        is_added: whether it was started later, and is none of those that its supervisor begins with.
        leaving: how to go on once it has ended, if it was told to.
        over: how the instance has ended of itself, which the supervisor has not seen to yet.
    """

    __slots__ = (
        "_parent",
        "actor",
        "again",
        "begun_ns",
        "failures",
        "is_added",
        "is_down",
        "leaving",
        "over",
        "overdue",
        "spec",
    )

    def __init__(self, parent: Parent, spec: ChildSpec) -> None:
        self._parent = parent
        self.spec = spec
        self.actor = self.make()
        self.is_down = True
        self.is_added = False
        self.again: Again | None = None
        self.begun_ns = 0
        self.failures = 0
        self.leaving: Callable[[], None] | None = None
        self.over: Ended | None = None
        self.overdue: Deadline | None = None

    def make(self) -> Actor:
        """One more instance."""
        actor = self.spec.make(*self.spec.args, **self.spec.kwargs)
        if not isinstance(actor, Actor):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
            raise TypeError(
                f"child {self.spec.name!r} is {with_article(type(actor).__name__)}, and only actors of greenroom can "
                "be kept; derive it from greenroom.actors.Actor"
            )
        actor.keep_instance(self, self._parent.dispatcher)
        return actor

    def move(self, parent: Parent, spec: ChildSpec) -> None:
        """Another supervisor keeps it, whose instances are to come."""
        self._parent, self.spec, self.failures = parent, spec, 0

    def begin_no_more(self) -> None:
        """No next one is to come, as far as is settled."""
        again, self.again = self.again, None
        if again is not None:
            again.leave()

    # As the keeper of its actor: in the turns of that, which takes them on the same thread.

    def failed(self, actor: Actor, error: BaseException) -> bool:
        """An instance has failed; whether it goes on all the same."""
        directive, of = self._parent.judge_for_instance(error)
        if directive is Directive.RESUME and actor.instance_can_go_on:
            return True
        self._is_over(Ended(self, actor, of, directive))
        return False

    def ended(self, actor: Actor) -> None:
        """An instance has ended, since it was told to."""
        self._is_over(Ended(self, actor))

    def _is_over(self, end: Ended) -> None:
        self.over = end
        self._parent.post_to_instance(end)


class Again:
    """Children that are to begin together, in their order; whoever is to do something else by then leaves.

    Attributes:
        deadline: when, if they wait.
    """

    __slots__ = ("_children", "_left", "deadline")

    def __init__(self, children: Iterable[Child]) -> None:
        self.deadline: Deadline | None = None
        self._children = list(children)
        self._left = len(self._children)
        for child in self._children:
            child.again = self

    def leave(self) -> None:
        """One of them does not begin; nothing waits for the last of them."""
        self._left -= 1
        if not self._left and self.deadline is not None:
            self.deadline.cancel()

    def take(self) -> list[Child]:
        """Who is still to begin, and does now."""
        due = [child for child in self._children if child.again is self]
        for child in due:
            child.again = None
        return due


class Ended(NamedTuple):
    """An instance of a child has ended; what of, and what is to become of that, unless it was told to stop."""

    child: Child
    actor: Actor
    error: BaseException | None = None
    directive: Directive = Directive.RESTART


class Call(NamedTuple):
    """Something is to be done in a turn of the supervisor."""

    do: Callable[[], None]
