"""A mailbox that holds so many messages, and no more."""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import Any

from .bounds import Bounds, Overflow
from .dispatcher_threads import on_dispatcher_thread
from .errors import MailboxFullError
from .mailbox import Lane, Mailbox
from .pykka_seam import ActorStop, Envelope
from .watching import Terminated

__all__ = ["BoundedMailbox"]

# There is always room for these: to lose one would leave an actor that never stops, or that waits for ever.
_ALWAYS_TAKEN = (ActorStop, Terminated)


class BoundedMailbox(Mailbox):
    """A mailbox with a limit. A stop, and what is for the lane SYSTEM, is always taken.

    Args:
        limit: how many messages of the lanes MAIL and QUERY it may hold.
        overflow: what becomes of one more.
        patience: seconds that a sender waits, if overflow is WAIT; None for as long as it takes.

    Raises:
        ValueError: there could never be a message.
    """

    __slots__ = ("_bounds",)

    def __init__(self, limit: int, overflow: Overflow = Overflow.REFUSE, patience: float | None = None) -> None:
        super().__init__()
        self._bounds = Bounds(limit, Overflow(overflow), patience)

    def put(self, envelope: Envelope[Any], lane: Lane = Lane.MAIL) -> None:
        """Put a message as into any mailbox, if there is room.

        Args:
            envelope: the message, and who waits for a reply to it.
            lane: where it waits.

        Raises:
            MailboxFullError: the mailbox is full, and its senders are to be told; or they have waited long enough.
        """
        if lane is Lane.SYSTEM or type(envelope.message) in _ALWAYS_TAKEN:
            super().put(envelope, lane)
        else:
            self._put_within(envelope, lane)

    def take(self) -> Envelope[Any] | None:
        """Take the next message, as from any mailbox; who waits for room is let in."""
        with self._lock:
            before = self._waiting()
            envelope = super().take()
            if self._waiting() < before:
                self._bounds.has_room()
        return envelope

    def close(self) -> list[Envelope[Any]]:
        """Mark the mailbox dead and return what is left in it; nobody waits for room any more."""
        with self._lock:
            self._bounds.close()
            return super().close()

    def _waiting(self) -> int:
        """How many messages there are that the limit is for."""
        return len(self._mail or ()) + len(self._queries or ())

    def _put_within(self, envelope: Envelope[Any], lane: Lane) -> None:
        """Put a message for which there may be no room."""
        bounds = self._bounds
        until: float | None = None
        while True:
            gate: threading.Lock | None = None
            refused: Envelope[Any] | None = None
            is_woken = False
            with self._lock:
                if is_dead := self._is_dead:
                    pass
                elif self._waiting() < bounds.limit:
                    self._put_aside(envelope, lane)
                    is_woken = self._wake_if_takeable()
                elif bounds.overflow is Overflow.WAIT and not on_dispatcher_thread():
                    gate = bounds.queue()
                else:
                    refused = self._make_room(envelope)
                    if refused is not envelope:
                        self._put_aside(envelope, lane)
                        is_woken = self._wake_if_takeable()
            if is_woken:
                self._submit()
            elif is_dead:
                self._put_to_dead(envelope, lane)
            if refused is not None:
                self._refuse(refused, "the mailbox of its actor is full", MailboxFullError(bounds.limit))
            if gate is None:
                return
            until = monotonic() + bounds.patience if until is None and bounds.patience is not None else until
            self._wait_for_room(gate, until)

    def _make_room(self, envelope: Envelope[Any]) -> Envelope[Any]:
        """What is not to be handled, of all that waits and what comes now.

        Raises:
            MailboxFullError: that is for the sender to decide.
        """
        bounds = self._bounds
        if bounds.overflow in (Overflow.REFUSE, Overflow.WAIT):
            raise MailboxFullError(bounds.limit)
        if bounds.overflow is Overflow.DROP_OLDEST:
            for place, oldest in enumerate(self._mail or ()):
                if type(oldest.message) not in _ALWAYS_TAKEN and self._mail is not None:
                    del self._mail[place]
                    # A query waits for what was there before it: that is one less for those behind this message.
                    if place == 0:
                        self._taken += 1
                    elif self._queries:
                        number = self._taken + place
                        self._queries = deque((at - (at > number), query) for at, query in self._queries)
                    return oldest
        return envelope

    def _wait_for_room(self, gate: threading.Lock, until: float | None) -> None:
        is_let_in = False
        try:
            seconds = -1 if until is None else min(max(0.0, until - monotonic()), threading.TIMEOUT_MAX)
            is_let_in = gate.acquire(timeout=seconds)
        finally:
            if not is_let_in:
                with self._lock:
                    self._bounds.leave(gate)
        if not is_let_in:
            raise MailboxFullError(self._bounds.limit)
