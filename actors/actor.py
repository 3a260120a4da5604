"""A pykka actor without a thread of its own: it shares a dispatcher, and nothing is made before it is asked for.

What pykka promises about an actor holds, with two exceptions: a blocking wait on a dispatcher thread raises
`BlockingCallError`, and a ``BaseException`` in user code stops that actor only.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, Self, cast

import pykka
from pykka import ActorDeadError, ActorRef, ActorRegistry

from .bounds import Overflow
from .dispatcher import Dispatcher
from .future import Future
from .mailbox import Mailbox
from .pykka_seam import ActorStop, Envelope, follow, handle_receive, redirect
from .reference import Reference
from .stopped_flag import StoppedFlag
from .watching import Terminated, flag_of

__all__ = ["Actor", "Keeper"]

logger = logging.getLogger("greenroom.actors")


_URN = "A universally unique name, made when it is first asked for."


class Keeper(Protocol):
    """Who decides what becomes of an actor that has ended."""

    def failed(self, actor: Actor, error: BaseException) -> bool:
        """Hear of a failure, and say whether the actor goes on all the same. Otherwise its mailbox is held until it is
        decided whether another one takes its place.

        Args:
            actor: the one that has failed.
            error: what it has raised.
        """
        ...

    def ended(self, actor: Actor) -> None:
        """``actor`` has ended because it was told to stop; its mailbox is held likewise."""
        ...


class Actor(pykka.Actor):
    """An actor that takes its turns on a shared dispatcher.

    Args:
        *args, **kwargs: not looked at; a class of one's own may pass on all that ``start`` was given.
        dispatcher: what runs it (default: the one all plain actors share).
    """

    __slots__ = (
        "_actor_dispatcher",
        "_actor_is_begun",
        "_actor_is_registered",
        "_actor_keeper",
        "_actor_own_ref",
        "_actor_urn",
        "_actor_watches",
        "actor_inbox",
        "actor_stopped",
    )

    mailbox_limit: ClassVar[int | None] = None
    """How many messages may wait; None for no limit."""

    mailbox_overflow: ClassVar[Overflow] = Overflow.REFUSE
    """What becomes of a message that comes when so many wait."""

    mailbox_patience: ClassVar[float | None] = None
    """Seconds that a sender waits for room if the overflow is WAIT; None for as long as it takes."""

    _actor_notes: ClassVar[tuple[type, ...]] = ()
    # The kinds of messages that it puts into its mailbox for itself, and that nobody misses when it has stopped.

    # pykka declares an attribute, which a property does not override for type checkers.
    actor_urn: str = cast("str", property(lambda self: self._actor_make_urn(), doc=_URN))

    def __init__(self, *args: Any, dispatcher: Dispatcher | None = None, **kwargs: Any) -> None:
        self.actor_inbox: Mailbox = self._actor_make_inbox()  # pyright: ignore[reportIncompatibleVariableOverride]  # by one of its kind alone
        self.actor_stopped: StoppedFlag = StoppedFlag()  # pyright: ignore[reportIncompatibleVariableOverride]  # likewise
        self._actor_dispatcher = dispatcher
        self._actor_own_ref: Reference[Any] | None = None
        self._actor_urn: str | None = None
        self._actor_keeper: Keeper | None = None
        self._actor_watches: dict[StoppedFlag, Callable[[], object]] | None = None
        self._actor_is_begun = self._actor_is_registered = False

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        return Mailbox()

    def _actor_make_inbox(self) -> Mailbox:
        if self.mailbox_limit is None:
            return self._create_actor_inbox()
        # Loaded here, as below: a runtime of workflows has no need of it.
        from .bounded_mailbox import BoundedMailbox

        return BoundedMailbox(self.mailbox_limit, self.mailbox_overflow, self.mailbox_patience)

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    def _start_actor_loop(self) -> None:
        self._actor_is_registered = True
        self.launch()

    @property
    def actor_ref(self) -> Reference[Self]:  # pyright: ignore[reportIncompatibleMethodOverride]  # it is the same type
        """A reference for others to speak to this actor by."""
        try:
            ref = self._actor_own_ref
        except AttributeError:
            _refuse_unmade(self)
            raise
        if ref is None:
            ref = self._actor_own_ref = Reference(self)
        return ref

    @property
    def instance_can_go_on(self) -> bool:
        """Whether it could go on after a failure, with the state that it has."""
        return True

    @property
    def instance_has_begun(self) -> bool:
        """Whether ``on_start`` was called."""
        return self._actor_is_begun

    @property
    def dispatcher(self) -> Dispatcher:
        """What runs this actor."""
        if self._actor_dispatcher is None:
            from .shared_dispatcher import default_dispatcher

            self._actor_dispatcher = default_dispatcher()
        return self._actor_dispatcher

    def _actor_make_urn(self) -> str:
        if self._actor_urn is None:
            self._actor_urn = uuid.uuid4().urn
        return self._actor_urn

    def launch(self) -> None:
        """Begin taking turns, without an entry in pykka's registry.

        Raises:
            RuntimeError: the actor has been launched already.
            TypeError: its ``__init__`` has not called that of its superclass.
        """
        _refuse_unmade(self)
        self.actor_inbox.attach(self.dispatcher, self)

    # Watching others.

    def watch(self, ref: ActorRef[Any]) -> None:
        """Have ``Terminated(ref, error)`` put into this actor's mailbox once the actor of ``ref`` has stopped; at once
        if it has. That a supervisor puts another one in its place is no such end. Watching twice is watching once.

        Raises:
            TypeError: it is an actor of another kind, which tells nobody.
        """
        flag = flag_of(ref)
        watches = self._actor_watches = self._actor_watches or {}
        if flag in watches:
            return

        def tell() -> None:
            # Whoever takes the entry out has the say: this, or one that watches no longer, on another thread.
            if watches.pop(flag, None) is not None:
                self.actor_inbox.put(Envelope(Terminated(ref, flag.error)))

        watches[flag] = tell
        flag.call_when_set(tell)

    def unwatch(self, ref: ActorRef[Any]) -> None:
        """Watch the actor of ``ref`` no longer; a message that is in the mailbox already stays."""
        flag = flag_of(ref)
        callback = None if self._actor_watches is None else self._actor_watches.pop(flag, None)
        if callback is not None:
            flag.forget(callback)

    # Turns.

    def run_turn(self) -> bool:
        """Take at most one message and handle it; called by the dispatcher.

        Returns:
            True if there is more to do though nothing came into the mailbox.
        """
        if not self._actor_is_begun:
            error = self.begin_instance()
            if error is not None:
                self.abandon(f"{self} failed to start", error)
                _pass_on_interrupt(error)
            return False
        envelope = self.actor_inbox.take()
        if envelope is not None:
            self._actor_handle(envelope)
        return False

    def _actor_handle(self, envelope: Envelope[Any]) -> None:
        message, reply_to = envelope.message, envelope.reply_to
        if type(message) is ActorStop:
            self._actor_end(reply_to)
            return
        try:
            response = handle_receive(self, message)
        except BaseException as error:
            # Whatever user code raises stays with this actor: it is one of many on the thread.
            self._actor_fail(reply_to, error)
        else:
            if reply_to is not None:
                reply_to.set(response)

    def begin_instance(self) -> BaseException | None:
        """Call ``on_start``, before the first message is taken; gives what that has raised."""
        self._actor_is_begun = True
        if self.actor_stopped.is_set():
            return None
        try:
            self.on_start()
        except BaseException as error:
            # As for messages: it stops this actor and nothing else.
            self._actor_log_failure(error)
            self._actor_forget_watches()
            return error
        return None

    def _actor_end(self, reply_to: pykka.Future[Any] | None) -> None:
        """It was told to stop, and this is the turn of that."""
        if self._actor_keeper is None:
            self._actor_mark_stopped(None)
        interrupt = self._actor_call_on_stop()
        if reply_to is not None:
            reply_to.set(None)
        if self._actor_keeper is None:
            self.abandon("its actor stopped before handling it")
        else:
            self.actor_inbox.hold(True, all_lanes=True)
            self._actor_forget_watches()
            self._actor_keeper.ended(self)
        _pass_on_interrupt(interrupt)

    def _actor_call_on_stop(self) -> BaseException | None:
        try:
            self.on_stop()
        except BaseException as error:
            # The actor is stopping anyway; whoever asked for it is answered all the same.
            self._actor_log_failure(error)
            return error
        return None

    def _actor_fail(self, reply_to: pykka.Future[Any] | None, error: BaseException) -> None:
        """Answer for what user code raised: an Exception goes to who asked, anything else ends the actor."""
        if reply_to is not None and isinstance(error, Exception):
            logger.info("Exception returned from %s to caller:", self, exc_info=error)
            reply_to.set_exception((type(error), error, error.__traceback__))
            return
        self._actor_log_failure(error)
        goes_on = self._actor_keeper is not None and self._actor_keeper.failed(self, error)
        if not goes_on:
            self._actor_end_others()
        if self._actor_keeper is None:
            self._actor_mark_stopped(error)
        elif not goes_on:
            self.actor_inbox.hold(True, all_lanes=True)
            self._actor_forget_watches()
        if reply_to is not None:
            end = "has gone on without an answer after" if goes_on else "was stopped by"
            dead = ActorDeadError(f"{self} {end} {error!r} while handling the message")
            dead.__cause__ = error
            reply_to.set_exception((ActorDeadError, dead, None))
        if goes_on:
            _pass_on_interrupt(error)
            return
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException as another:
            # The actor has ended; what its last hook raises can only be recorded.
            self._actor_log_failure(another)
        if self._actor_keeper is None:
            self.abandon("its actor failed before handling it", error)
        _pass_on_interrupt(error)

    def _actor_end_others(self) -> None:
        """End those that live no longer than this instance; a plain actor has none."""

    # What keepers do; on the thread of the dispatcher, between turns of this actor.

    def keep_instance(self, keeper: Keeper, dispatcher: Dispatcher) -> None:
        """Have somebody else decide when this actor begins, and what becomes of it when it ends; its mail waits.

        Args:
            keeper: who decides.
            dispatcher: the keeper's, which runs this actor too.

        Raises:
            ValueError: it has chosen another dispatcher.
            RuntimeError: it has been launched already.
            TypeError: its ``__init__`` has not called that of its superclass.
        """
        _refuse_unmade(self)
        if self._actor_dispatcher not in (None, dispatcher):
            raise ValueError(
                f"{self} is to be kept by an actor of dispatcher {dispatcher.name!r}, and was made for another one: a "
                "tree of actors lives on one dispatcher; leave dispatcher= out, or start a tree of its own there"
            )
        self.actor_inbox.attach(dispatcher, self, is_held=True)
        self._actor_keeper, self._actor_dispatcher = keeper, dispatcher

    def retire_instance(self) -> None:
        """End this instance in an orderly way, with its mailbox held: another one may take its place."""
        self.actor_inbox.hold(True, all_lanes=True)
        self._actor_call_on_stop()
        self._actor_forget_watches()

    def take_place_of(self, before: Actor) -> None:
        """Take the place of an instance that has ended: its mailbox, its name, and everybody's reference to it.

        Source: Akka, restart: the reference and the mailbox stay.
        """
        own_inbox, own_ref, own_flag = self.actor_inbox, self._actor_own_ref, self.actor_stopped
        self.actor_inbox = before.actor_inbox  # pyright: ignore[reportIncompatibleVariableOverride]  # as above
        self.actor_stopped = before.actor_stopped  # pyright: ignore[reportIncompatibleVariableOverride]  # as above
        # Whatever the one before still does, it does to nobody but itself.
        before.actor_inbox, before.actor_stopped = own_inbox, own_flag
        self._actor_dispatcher, self._actor_is_registered = before._actor_dispatcher, before._actor_is_registered
        self._actor_own_ref, self._actor_urn = before.actor_ref, before._actor_make_urn()
        redirect(self._actor_own_ref, self)
        self.actor_inbox.hand_over(self, own_inbox)
        if own_ref is not None:
            # Its own __init__ has given it away, or told itself something by it.
            follow(own_ref, self._actor_own_ref)
        own_flag.set()

    def abandon(self, reason: str, error: BaseException | None = None) -> None:
        """Stop for good, without ``on_stop``.

        Args:
            reason: what is left in the mailbox fails with it.
            error: what it stops of.
        """
        self._actor_mark_stopped(error)
        self.actor_inbox.discard(reason, self._actor_notes)

    def _actor_log_failure(self, error: BaseException) -> None:
        logger.error("Unhandled exception in %s:", self, exc_info=error)

    def _actor_mark_stopped(self, error: BaseException | None) -> None:
        try:
            if self._actor_is_registered:
                self._actor_is_registered = False
                ActorRegistry.unregister(self.actor_ref)
            self._actor_forget_watches()
        finally:
            # Whatever goes wrong: who waits for its end, waits for this.
            self.actor_stopped.set(error)

    def _actor_forget_watches(self) -> None:
        watches, self._actor_watches = self._actor_watches, None
        while watches:
            try:
                flag, callback = watches.popitem()
            except KeyError:
                # Just now the last of them has stopped, on another thread.
                return
            flag.forget(callback)


def _refuse_unmade(actor: Actor) -> None:
    if not hasattr(actor, "_actor_is_begun"):
        kind = type(actor).__name__
        raise TypeError(f"{kind}.__init__() has not called super().__init__(), so it has no mailbox; call it first")


def _pass_on_interrupt(error: BaseException | None) -> None:
    """Pass Ctrl-C on when actors are run by hand on the main thread, the only one that it reaches."""
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        raise error
