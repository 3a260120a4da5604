"""What a supervisor does about children that fail: who begins, who is restarted, when it gives up.

A tree lives on one dispatcher, so that whatever is done to children is done between their turns: a restart of several
is one step, and nobody ever sees half of it.

**Source:** Erlang/OTP, ``supervisor``; the reference and the mailbox that stay are Akka's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from .actor import Actor
from .articles import with_article
from .children import Again, Call, Child, Ended
from .dispatcher import Dispatcher
from .errors import RestartsExhaustedError
from .mailbox import Lane
from .pykka_seam import Envelope
from .restarts import RestartWindow
from .supervision import Backoff, ChildSpec, Directive, Restart, Strategy

__all__ = ["Keeping"]

logger = logging.getLogger("greenroom.actors")


class Keeping(Actor):
    """An actor with children.

    Args:
        children: those that it has from its beginning, in order.
        strategy: who is restarted with a child.
        window: how many restarts there may be.
        backoff: how long a child waits before it is restarted.
        decide: what becomes of a child that has failed of this exception; None restarts each.
        dispatcher: what runs the tree; None for the one all plain actors share.
    """

    __slots__ = (
        "_actor_backoff",
        "_actor_children",
        "_actor_decide",
        "_actor_error",
        "_actor_is_ending",
        "_actor_specs",
        "_actor_strategy",
        "_actor_window",
    )

    def __init__(
        self,
        children: list[ChildSpec],
        *,
        strategy: Strategy,
        window: RestartWindow,
        backoff: Backoff,
        decide: Callable[[BaseException], Directive] | None,
        dispatcher: Dispatcher | None,
    ) -> None:
        super().__init__(dispatcher=dispatcher)
        self._actor_specs = children
        self._actor_strategy = strategy
        self._actor_window = window
        self._actor_backoff = backoff
        self._actor_decide = decide
        self._actor_children: dict[str, Child] = {}
        # What it has failed of itself.
        self._actor_error: BaseException | None = None
        self._actor_is_ending = False

    _actor_notes: ClassVar[tuple[type, ...]] = (Ended, Call)

    # Its life.

    @property
    def instance_can_go_on(self) -> bool:
        """Not after it has given up: its children have ended."""
        return self._actor_error is None

    def begin_instance(self) -> BaseException | None:
        """Start the children, then call ``on_start``."""
        if self.actor_stopped.is_set():
            return None
        self.dispatcher.call_at_end(self, self._actor_give_up)
        try:
            self._actor_settle_in()
            self._actor_start(list(self._actor_children.values()))
        except BaseException as error:
            # A child that cannot even be made: there is nothing that could be tried again.
            self._actor_log_failure(error)
            self._actor_error = error
        if self._actor_error is None:
            error_of_hook = super().begin_instance()
            self._actor_error = self._actor_error or error_of_hook
        self._actor_is_begun = True
        if self._actor_error is not None:
            self._actor_end_others()
            self._actor_forget_watches()
        return self._actor_error

    def _actor_settle_in(self) -> None:
        """Have a child for each spec, in their order, those that the instance before has left included."""
        left, self._actor_children = self._actor_children, {}
        try:
            for spec in self._actor_specs:
                if spec.name in left:
                    self._actor_children[spec.name] = left.pop(spec.name)
                else:
                    self._actor_add(spec)
        finally:
            self._actor_children |= left

    def _actor_end_others(self) -> None:
        """End the children, the last one first."""
        for child in reversed(list(self._actor_children.values())):
            self._actor_down(child)

    def retire_instance(self) -> None:
        """End the children, the last one first, then this instance."""
        self._actor_end_others()
        super().retire_instance()

    def take_place_of(self, before: Actor) -> None:
        """Take the place of a supervisor that has ended, with the children of its that this one is to have."""
        super().take_place_of(before)
        if isinstance(before, Keeping):
            self.dispatcher.forget_at_end(before)
            names = {spec.name: spec for spec in self._actor_specs}
            for name, child in before._actor_children.items():
                if name in names and child.leaving is None and not child.is_added:
                    child.move(self, names[name])
                    self._actor_children[name] = child
                else:
                    before._actor_forget(child)
                    child.actor.abandon("its supervisor was restarted, and does not know of it any more")
            before._actor_children = {}

    def abandon(self, reason: str, error: BaseException | None = None) -> None:
        """Stop for good, and the children before it, the last one first.

        Args:
            reason: what is left in the mailboxes fails with it.
            error: what it stops of.
        """
        children, self._actor_children = self._actor_children, {}
        for child in reversed(list(children.values())):
            self._actor_forget(child)
            child.actor.abandon(reason, error)
        self.dispatcher.forget_at_end(self)
        super().abandon(reason, error)

    def _actor_give_up(self) -> None:
        """The dispatcher has ended: those that wait to be started again never will be."""
        self.abandon(f"dispatcher {self.dispatcher.name!r} is closed")

    # Turns.

    def _actor_handle(self, envelope: Envelope[Any]) -> None:
        message = envelope.message
        if type(message) is Ended:
            self._actor_guarded(lambda: self._actor_has_ended(message))
        elif type(message) is Call:
            self._actor_guarded(message.do)
        else:
            super()._actor_handle(envelope)

    def _actor_guarded(self, do: Callable[[], None]) -> None:
        try:
            do()
        except BaseException as error:
            # A hook of the user's, or a fault of ours: a supervisor that cannot go on fails, as every actor does.
            self._actor_escalate(error)

    def post_to_instance(self, message: object) -> None:
        """Have something seen to in a turn of this supervisor, before its mail; not if it is no more."""
        if self.actor_inbox.is_dead:
            return
        self.actor_inbox.put(Envelope(message), Lane.SYSTEM)

    def _actor_has_ended(self, end: Ended) -> None:
        child = end.child
        if child.is_down or child.actor is not end.actor:
            # Another instance is there by now, or none is to be.
            return
        child.is_down = True
        if child.leaving is not None:
            self._actor_has_left(child, end.error)
        elif end.error is not None:
            self._actor_has_failed(child, end.error, end.directive)
        elif child.spec.restart is Restart.PERMANENT and not self._actor_is_ending:
            self._actor_restart(child, None)
        else:
            self._actor_drop(child, "its actor stopped before handling it", None)

    def _actor_has_left(self, child: Child, error: BaseException | None) -> None:
        then = child.leaving
        self._actor_drop(child, "its supervisor has ended it", error)
        if then is not None:
            then()

    # Failures.

    def judge_for_instance(self, error: BaseException) -> tuple[Directive, BaseException]:
        """What is to become of a child that has failed of ``error``, and of what."""
        if self._actor_decide is None:
            return Directive.RESTART, error
        try:
            return Directive(self._actor_decide(error)), error
        except BaseException as fault:
            # A supervisor that cannot decide leaves that to its own.
            fault.__context__ = error
            return Directive.ESCALATE, fault

    def _actor_has_failed(self, child: Child, error: BaseException, directive: Directive) -> None:
        if self._actor_is_ending or (child.spec.restart is Restart.TEMPORARY and directive is not Directive.ESCALATE):
            directive = Directive.STOP
        self._actor_do[directive](self, child, error)

    def _actor_restart(self, child: Child, error: BaseException | None) -> None:
        now_ns = self.dispatcher.elapsed_ns()
        if self._actor_window.note(now_ns) is None:
            exhausted = RestartsExhaustedError(child.spec.name, len(self._actor_window))
            exhausted.__cause__ = error
            self._actor_escalate(exhausted)
            return
        if now_ns - child.begun_ns >= self._actor_backoff.reset_after_ns:
            child.failures = 0
        wait_ns = self._actor_backoff.wait_ns(child.failures)
        child.failures += 1
        group = list(self._actor_group(child))
        for other in reversed(group):
            self._actor_down(other)
            if other.spec.restart is Restart.TEMPORARY:
                self._actor_drop(other, "its supervisor has ended it", None)
        logger.warning("%s restarts %s in %g s: %r", self, child.actor, wait_ns / 1e9, error)
        again = Again(other for other in group if other.spec.restart is not Restart.TEMPORARY)
        # Never here: a child that fails whenever it begins would take us deeper and deeper.
        start = Call(lambda: self._actor_start(again.take()))
        if wait_ns:
            again.deadline = self.dispatcher.call_after(wait_ns, self.post_to_instance, start)
        else:
            self.post_to_instance(start)

    def _actor_escalate(self, error: BaseException) -> None:
        """Fail: the children end, the last one first, and whoever keeps this supervisor decides."""
        if self._actor_error is not None:
            return
        self._actor_error = error
        # One that has not begun ends them too, and says so to whoever has it begin.
        if self._actor_is_begun:
            self._actor_fail(None, error)

    _actor_do: ClassVar[dict[Directive, Callable[[Keeping, Child, BaseException], None]]] = {
        # One that goes on has not ended; one that could not even begin has nothing to go on with.
        Directive.RESUME: _actor_restart,
        Directive.RESTART: _actor_restart,
        Directive.STOP: lambda self, child, error: self._actor_drop(
            child, "its actor failed before handling it", error
        ),
        Directive.ESCALATE: lambda self, child, error: self._actor_escalate(error),
    }

    def _actor_group(self, child: Child) -> Iterator[Child]:
        """Who is ended with a child, itself included, in order; whoever leaves anyway is not."""
        if self._actor_strategy is Strategy.ONE_FOR_ONE:
            yield child
            return
        is_in = self._actor_strategy is Strategy.ONE_FOR_ALL
        for other in self._actor_children.values():
            is_in = is_in or other is child
            if other is child or (is_in and other.leaving is None and not self._actor_is_judged_later(other)):
                yield other

    def _actor_is_judged_later(self, child: Child) -> bool:
        """Whether a child has ended of itself already, in a way that is more than a reason to restart it."""
        if child.is_down or child.over is None:
            return False
        if child.spec.restart is Restart.TEMPORARY:
            return True
        if child.over.error is None:
            return child.spec.restart is not Restart.PERMANENT
        return child.over.directive in (Directive.STOP, Directive.ESCALATE)

    # One child.

    def _actor_add(self, spec: ChildSpec) -> Child:
        child = self._actor_children[spec.name] = Child(self, spec)
        return child

    def _actor_start(self, group: list[Child]) -> None:
        """Have instances of children begin, in order; whoever is to begin later, since one of them fails, does not."""
        for child in group:
            if self._actor_error is not None or self._actor_is_ending:
                return
            is_kept = self._actor_children.get(child.spec.name) is child and child.leaving is None
            if not (is_kept and child.is_down and child.again is None):
                continue
            error = self._actor_begin_instance(child)
            if error is not None:
                directive, of = self.judge_for_instance(error)
                self._actor_has_failed(child, of, directive)

    def _actor_begin_instance(self, child: Child) -> BaseException | None:
        before = child.actor
        child.begun_ns = self.dispatcher.elapsed_ns()
        if before.instance_has_begun:
            try:
                actor = child.make()
                if isinstance(before, Keeping) and not isinstance(actor, Keeping):
                    actor.abandon("it cannot take its place")
                    raise TypeError(
                        f"child {child.spec.name!r} was {with_article(type(before).__name__)} and is now "
                        f"{with_article(type(actor).__name__)}, "
                        "which keeps no children; what makes it is to make a supervisor each time"
                    )
            except BaseException as fault:
                # As a failure of the instance that could not be made.
                self._actor_log_failure(fault)
                return fault
            actor.take_place_of(before)
            child.actor = actor
        child.over = None
        error = child.actor.begin_instance()
        if error is None:
            child.is_down = False
            child.actor.actor_inbox.hold(False)
        return error

    def _actor_down(self, child: Child) -> None:
        """See to it that no instance of a child is there."""
        child.begin_no_more()
        if not child.is_down:
            child.is_down = True
            if child.over is None:
                child.actor.retire_instance()

    def _actor_drop(self, child: Child, reason: str, error: BaseException | None) -> None:
        """Keep a child no longer."""
        self._actor_forget(child)
        if self._actor_children.get(child.spec.name) is child:
            del self._actor_children[child.spec.name]
        child.actor.abandon(reason, error)

    def _actor_forget(self, child: Child) -> None:
        child.begin_no_more()
        if child.overdue is not None:
            child.overdue.cancel()
            child.overdue = None
