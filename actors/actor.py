"""A pykka actor without a thread of its own: it shares a dispatcher, and nothing is made before it is asked for.

What pykka promises about an actor holds, with two exceptions: a blocking wait on a dispatcher thread raises
`BlockingCallError`, and a ``BaseException`` in user code stops that actor only.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from typing import Any, ClassVar, Self, cast

import pykka
from pykka import ActorDeadError, ActorRef, ActorRegistry

from .dispatcher import Dispatcher
from .dispatcher_threads import refuse_to_block
from .future import Future
from .mailbox import Mailbox
from .pykka_seam import ActorStop, handle_receive

__all__ = ["Actor", "StoppedFlag", "default_dispatcher"]

logger = logging.getLogger("greenroom.actors")


class StoppedFlag(threading.Event):
    """An event of a few bytes: what is needed for waiting is made when somebody waits."""

    __slots__ = ("_event", "_is_set_now")
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._is_set_now = False
        self._event: threading.Event | None = None

    def __repr__(self) -> str:
        return f"<StoppedFlag {'set' if self._is_set_now else 'unset'}>"

    def is_set(self) -> bool:
        """Whether the actor has stopped."""
        return self._is_set_now

    def set(self) -> None:
        """Note that the actor has stopped."""
        self._is_set_now = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        """Refuse: a stopped actor stays stopped."""
        raise RuntimeError("a stopped actor cannot be started again; start a new one")

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the actor has stopped.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether it has stopped.

        Raises:
            BlockingCallError: it has not stopped yet and this is a dispatcher thread.
        """
        if self._is_set_now:
            return True
        refuse_to_block()
        with self._making:
            if self._event is None:
                self._event = threading.Event()
        return self._is_set_now or self._event.wait(timeout)


class _Default:
    """The dispatcher of actors that name none: made when the first of them starts."""

    lock = threading.Lock()
    dispatcher: Dispatcher | None = None

    @classmethod
    def forget(cls) -> None:
        # In a forked child the thread is gone, and the lock may have been held.
        cls.lock = threading.Lock()
        cls.dispatcher = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Default.forget)


def default_dispatcher() -> Dispatcher:
    """Return the started dispatcher that actors without one of their own share."""
    with _Default.lock:
        if _Default.dispatcher is None or _Default.dispatcher.is_closed:
            _Default.dispatcher = Dispatcher(name="greenroom-actors")
            _Default.dispatcher.start()
        return _Default.dispatcher


class Actor(pykka.Actor):
    """An actor that takes its turns on a shared dispatcher.

    Args:
        dispatcher: what runs it (default: the one all plain actors share).
    """

    __slots__ = ("_dispatcher", "_is_begun", "_is_registered", "_ref", "_urn", "actor_inbox", "actor_stopped")

    mailbox_limit: ClassVar[int | None] = None
    """How many messages may wait; None for no limit."""

    # pykka declares an attribute, which a property does not override for type checkers.
    actor_urn: str = cast("str", property(lambda self: self._make_urn()))
    """A universally unique name, made when it is first asked for."""

    def __init__(self, *args: Any, dispatcher: Dispatcher | None = None, **kwargs: Any) -> None:
        inbox = self._create_actor_inbox()
        inbox.limit = self.mailbox_limit
        self.actor_inbox: Mailbox = inbox  # pyright: ignore[reportIncompatibleVariableOverride]  # never replaced
        self.actor_stopped = StoppedFlag()
        self._dispatcher = dispatcher
        self._ref: ActorRef[Any] | None = None
        self._urn: str | None = None
        self._is_begun = self._is_registered = False

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        return Mailbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    def _start_actor_loop(self) -> None:
        self._is_registered = True
        self.launch()

    @property
    def actor_ref(self) -> ActorRef[Self]:  # pyright: ignore[reportIncompatibleMethodOverride]  # it is the same type
        """A reference for others to speak to this actor by."""
        if self._ref is None:
            self._ref = ActorRef(self)
        return self._ref

    @property
    def dispatcher(self) -> Dispatcher:
        """What runs this actor."""
        if self._dispatcher is None:
            self._dispatcher = default_dispatcher()
        return self._dispatcher

    def _make_urn(self) -> str:
        if self._urn is None:
            self._urn = uuid.uuid4().urn
        return self._urn

    def launch(self) -> None:
        """Begin taking turns, without an entry in pykka's registry.

        Raises:
            RuntimeError: the actor has been launched already.
        """
        self.actor_inbox.attach(self.dispatcher, self)

    def run_turn(self) -> bool:
        """Take at most one message and handle it; called by the dispatcher.

        Returns:
            True if there is more to do though nothing came into the mailbox.
        """
        if not self._is_begun:
            self._begin()
            return False
        envelope = self.actor_inbox.take()
        if envelope is None:
            return False
        message, reply_to = envelope.message, envelope.reply_to
        if type(message) is ActorStop:
            self._end(reply_to)
            return False
        try:
            response = handle_receive(self, message)
        except BaseException as error:
            # Whatever user code raises stays with this actor: it is one of many on the thread.
            self._fail(reply_to, error)
        else:
            if reply_to is not None:
                reply_to.set(response)
        return False

    def abandon(self, reason: str) -> None:
        """Stop at once, without ``on_stop``; what is left in the mailbox fails with ``reason``."""
        self._mark_stopped()
        self.actor_inbox.discard(reason)

    def _begin(self) -> None:
        self._is_begun = True
        if self.actor_stopped.is_set():
            return
        try:
            self.on_start()
        except BaseException as error:
            # As for messages: it stops this actor and nothing else.
            self._log_failure(error)
            self.abandon(f"{self} failed to start")
            _pass_on_interrupt(error)

    def _end(self, reply_to: pykka.Future[Any] | None) -> None:
        self._mark_stopped()
        interrupt: BaseException | None = None
        try:
            self.on_stop()
        except BaseException as error:
            # The actor is stopping anyway; whoever asked for it is answered below.
            self._log_failure(error)
            interrupt = error
        if reply_to is not None:
            reply_to.set(None)
        self.actor_inbox.discard("its actor stopped before handling it")
        _pass_on_interrupt(interrupt)

    def _fail(self, reply_to: pykka.Future[Any] | None, error: BaseException) -> None:
        """Answer for what user code raised: an Exception goes to who asked, anything else stops the actor."""
        if reply_to is not None and isinstance(error, Exception):
            logger.info("Exception returned from %s to caller:", self, exc_info=error)
            reply_to.set_exception((type(error), error, error.__traceback__))
            return
        self._log_failure(error)
        self._mark_stopped()
        if reply_to is not None:
            dead = ActorDeadError(f"{self} was stopped by {error!r} while handling the message")
            dead.__cause__ = error
            reply_to.set_exception((ActorDeadError, dead, None))
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException as another:
            # The actor has stopped; what its last hook raises can only be recorded.
            self._log_failure(another)
        self.actor_inbox.discard("its actor failed before handling it")
        _pass_on_interrupt(error)

    def _log_failure(self, error: BaseException) -> None:
        logger.error("Unhandled exception in %s:", self, exc_info=error)

    def _mark_stopped(self) -> None:
        if self._is_registered:
            self._is_registered = False
            ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()


def _pass_on_interrupt(error: BaseException | None) -> None:
    """Pass Ctrl-C on when actors are run by hand on the main thread, the only one that it reaches."""
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        raise error
