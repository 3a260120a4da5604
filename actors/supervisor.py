"""An actor that keeps others alive: what it can be asked, and how it ends them in order."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pykka
from pykka import ActorRef

from .articles import with_article
from .children import Call, Child
from .dispatcher import Dispatcher
from .durations import limit_ns
from .keeping import Keeping
from .pykka_seam import ActorStop, Envelope
from .restarts import RestartWindow
from .supervision import Backoff, ChildSpec, Directive, Strategy

__all__ = ["Supervisor"]

logger = logging.getLogger("greenroom.actors")

_AT_ONCE = Backoff(0)


class Supervisor(Keeping):
    """An actor that keeps other actors.

    What it can be asked, by other threads through its proxy and by itself: ``start_child``, ``stop_child``,
    ``restart_child``, ``child``, ``children``. A supervisor may itself be a child: that makes a tree.

    Args:
        children: what it keeps from its beginning, in the order in which they are started.
        strategy: who is restarted with a child.
        max_restarts: how many restarts there may be within the period; one more, and the supervisor fails itself.
        period: how far back restarts are counted (seconds or timedelta).
        backoff: how long a child waits before it is restarted; None for no time at all.
        decide: what becomes of a child that has failed of this exception; None restarts each.
        dispatcher: what runs the tree (default: the one all plain actors share).

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range, or two children have one name.
    """

    __slots__ = ("_actor_stop",)

    def __init__(
        self,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        max_restarts: int = 3,
        period: timedelta | float = 5.0,
        backoff: Backoff | None = None,
        decide: Callable[[BaseException], Directive] | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        specs = _specs_of(children)
        for name, times in Counter(spec.name for spec in specs).items():
            if times > 1:
                raise ValueError(
                    f"{times} children are called {name!r}; children of one supervisor have different names"
                )
        if max_restarts < 0:
            raise ValueError(f"max_restarts is {max_restarts}; give 0 for none, or more")
        super().__init__(
            specs,
            strategy=Strategy(strategy),
            window=RestartWindow(max_restarts, limit_ns(period, "period")),
            backoff=_AT_ONCE if backoff is None else backoff,
            decide=decide,
            dispatcher=dispatcher,
        )
        # What has told it to stop, while the children end.
        self._actor_stop: Envelope[Any] | None = None

    def start_child(self, spec: ChildSpec) -> ActorRef[Any]:
        """Start one more child, after all others; gives the reference to speak to it by, which outlives restarts.

        Raises:
            ValueError: there is a child of that name, be it one that is ending.
            RuntimeError: the supervisor is ending.
            BaseException: what its ``__init__`` raises; then there is no such child. What ``on_start`` raises is a
                failure of the child, like any later one.
        """
        if self._actor_is_ending:
            raise RuntimeError(f"{self} is ending and starts no more children")
        if spec.name in self._actor_children:
            if self._actor_children[spec.name].leaving is None:
                raise ValueError(f"{self} has a child called {spec.name!r}; stop it first, or give another name")
            raise ValueError(
                f"child {spec.name!r} of {self} is ending; watch it, and start the other one when Terminated comes"
            )
        child = self._actor_add(spec)
        child.is_added = True
        self._actor_start([child])
        return child.actor.actor_ref

    def stop_child(self, name: str) -> None:
        """Have a child end, in the time that its spec gives it, and keep it no longer.

        It does not wait for that: until then the child is among ``children``, and its name is taken. ``watch`` tells.

        Raises:
            KeyError: there is no such child.
        """
        child = self._actor_child(name)
        if child.leaving is None:
            self._actor_let_go(child, _nothing)

    def restart_child(self, name: str) -> None:
        """Put a new instance in the place of a child; that does not count among the restarts that it may have.

        Raises:
            KeyError: there is no such child.
            RuntimeError: it is ending.
        """
        child = self._actor_child(name)
        if child.leaving is not None:
            raise RuntimeError(f"child {name!r} is ending and cannot be restarted")
        self._actor_down(child)
        child.failures = 0
        self._actor_start([child])

    def child(self, name: str) -> ActorRef[Any]:
        """The reference to speak to a child by.

        Raises:
            KeyError: there is no such child.
        """
        return self._actor_child(name).actor.actor_ref

    def children(self) -> dict[str, ActorRef[Any]]:
        """The children: name → reference, in the order in which they were started."""
        return {name: child.actor.actor_ref for name, child in self._actor_children.items()}

    def _actor_child(self, name: str) -> Child:
        child = self._actor_children.get(name)
        if child is None:
            known = ", ".join(map(repr, list(self._actor_children)[:10])) or "none"
            raise KeyError(f"{self} has no child called {name!r} (children: {known})")
        return child

    # Ending.

    def _actor_end(self, reply_to: pykka.Future[Any] | None) -> None:
        """Told to stop: the children end first, the last one first, each in the time that it has."""
        self._actor_is_ending, self._actor_stop = True, Envelope(ActorStop(), reply_to=reply_to)
        # What comes now is answered once this has ended; the children are heard.
        self.actor_inbox.hold(True)
        self._actor_end_next()

    def _actor_end_next(self) -> None:
        while self._actor_children:
            # The last one of a dict is found by a look at all that were behind it, unless it is taken out.
            name, child = self._actor_children.popitem()
            self._actor_children[name] = child
            if child.leaving is not None:
                # It was told to already: go on when it has ended.
                child.leaving = self._actor_end_next
                return
            self._actor_let_go(child, self._actor_end_next)
            if name in self._actor_children:
                return
        stop, self._actor_stop = self._actor_stop, None
        super()._actor_end(None if stop is None else stop.reply_to)

    # A stop under way is a message that was not handled: the next instance takes it, or it is answered with all that is
    # left in the mailbox.

    def _actor_fail(self, reply_to: pykka.Future[Any] | None, error: BaseException) -> None:
        self._actor_put_stop_back()
        super()._actor_fail(reply_to, error)

    def retire_instance(self) -> None:
        """End the children, the last one first, then this instance."""
        super().retire_instance()
        self._actor_put_stop_back()

    def abandon(self, reason: str, error: BaseException | None = None) -> None:
        """Stop for good, and the children before it, the last one first; whoever has told it to stop is answered.

        Args:
            reason: what is left in the mailboxes fails with it.
            error: what it stops of.
        """
        self._actor_put_stop_back()
        super().abandon(reason, error)

    def _actor_put_stop_back(self) -> None:
        stop, self._actor_stop = self._actor_stop, None
        if stop is not None:
            self.actor_inbox.put_back([stop])

    def _actor_let_go(self, child: Child, then: Callable[[], None]) -> None:
        """Have a child end in the time that it has, then go on."""
        shutdown_ns = child.spec.shutdown_ns
        if child.is_down or shutdown_ns == 0:
            self._actor_down(child)
            self._actor_drop(child, "its supervisor has ended it", None)
            return
        child.leaving = then
        child.actor.actor_inbox.put(Envelope(ActorStop()))
        if shutdown_ns is not None:
            call = Call(lambda: self._actor_is_overdue(child))
            child.overdue = self.dispatcher.call_after(shutdown_ns, self.post_to_instance, call)

    def _actor_is_overdue(self, child: Child) -> None:
        if child.leaving is not None and self._actor_children.get(child.spec.name) is child:
            logger.warning("%s ends %s, whose time for its mail is over", self, child.actor)
            self._actor_down(child)
            self._actor_has_left(child, None if child.over is None else child.over.error)


def _nothing() -> None:
    """Nobody waits for the end of a child."""


def _specs_of(children: Sequence[ChildSpec]) -> list[ChildSpec]:
    if isinstance(children, Iterator):
        raise TypeError(
            f"the children are {with_article(type(children).__name__)}, which gives them once, and a supervisor that "
            "is restarted asks again; give a list or a tuple"
        )
    for spec in children:
        if not isinstance(spec, ChildSpec):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
            name = getattr(spec, "__name__", repr(spec))
            raise TypeError(
                f"{name} is no ChildSpec; say what it is called and how it is made: ChildSpec('name', {name})"
            )
    return list(children)
