"""pykka's reference to an actor, whose stop can be awaited as everything else can."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, cast, overload

import pykka
from pykka import ActorDeadError, ActorRef

from .future import Future
from .pykka_seam import ActorStop

__all__ = ["Reference"]

A = TypeVar("A", bound=pykka.Actor)


class Reference(ActorRef[A]):
    """A reference to an actor of ours."""

    @overload
    def stop(self, *, block: Literal[True] = True, timeout: float | None = None) -> bool: ...

    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None) -> Future[bool]: ...

    @overload
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | Future[bool]: ...

    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | Future[bool]:
        """Tell the actor to stop, after the mail that is there before.

        Unlike pykka's, the outcome is there by itself, so that it can be awaited without a thread that waits for it.

        Args:
            block: wait until it has stopped; otherwise a future is given.
            timeout: seconds to wait at most.

        Returns:
            Whether it was alive; or a future of that.
        """
        asked = cast("Future[Any]", self.ask(ActorStop(), block=False))
        stopped: Future[bool] = Future()

        def settle(_: Future[Any]) -> None:
            error = asked.exception()
            if error is None or isinstance(error, ActorDeadError):
                stopped.set(error is None)
            else:
                stopped.fail(error)

        asked.add_done_callback(settle)
        return stopped.get(timeout=timeout) if block else stopped
