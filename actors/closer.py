"""An entry in pykka's registry for something that is open: ``ActorRegistry.stop_all()`` closes it with the actors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
from pykka import ActorDeadError, ActorRegistry

from .future import Future
from .pykka_seam import ActorStop, Envelope

__all__ = ["Closer"]


class _Door:
    """The inbox of a closer: whatever is put into it is answered, and nothing waits."""

    __slots__ = ("closer",)

    closer: Closer

    def put(self, envelope: Envelope[Any]) -> None:
        """Close if it is a stop, refuse a question; what is only told is dropped, since nobody could handle it."""
        if type(envelope.message) is ActorStop:
            self.closer.stop_soon(envelope.reply_to)
        elif envelope.reply_to is not None:
            error = ActorDeadError(f"{self.closer} takes no messages; it can only be stopped")
            envelope.reply_to.set_exception((ActorDeadError, error, None))

    def get(self) -> Envelope[Any]:
        raise RuntimeError("nothing waits in the inbox of a closer")

    def empty(self) -> bool:
        return True


class Closer(pykka.Actor):
    """Stands in the registry until what it closes is closed; to tell it to stop is to close that.

    Args:
        name: of what it closes, for people.
        close: closes it, on a thread of its own; calling it again, or from several threads, must be harmless.
    """

    def __init__(self, name: str, close: Callable[[], object]) -> None:
        super().__init__()
        self._name = name
        self._close = close
        assert isinstance(self.actor_inbox, _Door)
        self.actor_inbox.closer = self

    @staticmethod
    def _create_actor_inbox() -> _Door:
        return _Door()

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    def _start_actor_loop(self) -> None:
        """There is no loop: it acts when it is told to."""

    def __str__(self) -> str:
        return self._name

    def enter(self) -> None:
        """It is open: stand in the registry."""
        ActorRegistry.register(self.actor_ref)

    def leave(self) -> None:
        """It is closed."""
        ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()

    def stop_soon(self, reply_to: pykka.Future[Any] | None) -> None:
        """Close, without holding up whoever asks for it."""
        threading.Thread(target=self._stop_and_tell, args=(reply_to,), name="greenroom-closer", daemon=True).start()

    def _stop_and_tell(self, reply_to: pykka.Future[Any] | None) -> None:
        try:
            self._close()
        except BaseException as error:
            # It goes to whoever waits; without one there is nobody but the thread's own hook.
            if reply_to is None:
                raise
            reply_to.set_exception((type(error), error, error.__traceback__))
        else:
            if reply_to is not None:
                reply_to.set(None)
