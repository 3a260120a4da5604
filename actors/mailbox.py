"""One actor's mail: who may put, what is taken next, and whether the actor stands in its dispatcher's run queue.

Everything is decided under one lock: whether the mailbox is dead, full, and *scheduled*. The flag is set by the
producer that finds something takeable in an idle mailbox, and cleared by the consumer only if nothing is takeable.
So an actor is in the run queue at most once, is never run by two threads, and no wake-up is lost. The locks are
shared by all mailboxes and re-entrant: they are held for a few instructions, and a finalizer that runs just then on
the same thread may put mail.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Protocol

from pykka import ActorDeadError

from .dead_letters import DeadLetters
from .errors import MailboxFullError
from .pykka_seam import ActorStop, Envelope

__all__ = ["Lane", "Mailbox", "Scheduler"]

_LOCKS = tuple(threading.RLock() for _ in range(64))


class Lane(IntEnum):
    """Which messages go first."""

    SYSTEM = 0
    MAIL = 1
    QUERY = 2


# Of mailboxes that no dispatcher ever ran: they are logged.
_STRAYS = DeadLetters()

_MAIL = Lane.MAIL
_SYSTEM = Lane.SYSTEM


class Scheduler(Protocol):
    """What a mailbox needs of a dispatcher."""

    dead_letters: DeadLetters

    def submit(self, actor: Any) -> None: ...


class Mailbox:
    """pykka's inbox with lanes, a limit, an end, and the *scheduled* flag.

    Args:
        limit: how many messages of the lanes MAIL and QUERY it may hold; None for no limit.
    """

    __slots__ = (
        "_actor",
        "_held",
        "_is_dead",
        "_lock",
        "_mail",
        "_queries",
        "_queries_pass",
        "_scheduled",
        "_scheduler",
        "_shut",
        "_system",
        "_taken",
        "limit",
    )

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"a mailbox limit must be at least 1 or None, not {limit}")
        self._lock = _LOCKS[id(self) >> 6 & 63]
        self.limit = limit
        self._actor: Any = None
        self._scheduler: Scheduler | None = None
        self._scheduled = self._is_dead = self._held = self._queries_pass = self._shut = False
        # An empty deque is 600 bytes, so an idle mailbox has none.
        self._system: deque[Envelope[Any]] | None = None
        self._mail: deque[Envelope[Any]] | None = None
        # (position in the mail that it waits for, envelope)
        self._queries: deque[tuple[int, Envelope[Any]]] | None = None
        self._taken = 0

    def __len__(self) -> int:
        return len(self._system or ()) + len(self._mail or ()) + len(self._queries or ())

    @property
    def is_dead(self) -> bool:
        """Whether the mailbox has been closed."""
        return self._is_dead

    @property
    def is_scheduled(self) -> bool:
        """Whether the actor stands in the run queue or is taking a turn."""
        return self._scheduled

    def put(self, envelope: Envelope[Any], lane: Lane = _MAIL) -> None:
        """Put a message, never waiting; what is put into a dead mailbox fails its reply or becomes a dead letter.

        Raises:
            MailboxFullError: the mailbox holds ``limit`` messages; a stop and what is for SYSTEM is always taken.
        """
        with self._lock:
            if is_dead := self._is_dead:
                is_woken = False
            else:
                if self.limit is not None and lane is not _SYSTEM:
                    self._refuse_if_full(envelope, self.limit)
                if lane is _MAIL:
                    if self._mail is None:
                        self._mail = deque((envelope,))
                    else:
                        self._mail.append(envelope)
                else:
                    self._put_aside(envelope, lane)
                is_woken = not self._scheduled and self._scheduler is not None and self._is_takeable()
                if is_woken:
                    self._scheduled = True
        if is_woken:
            self._submit()
        elif is_dead:
            self._refuse(envelope, "its actor has stopped")

    def take(self) -> Envelope[Any] | None:
        """Take the next message, or None if nothing may be taken now.

        SYSTEM goes first, then MAIL in order; a QUERY goes once the mail that was there before it is gone.
        """
        with self._lock:
            if self._shut:
                return None
            if self._system:
                return self._system.popleft()
            if self._queries and (self._queries[0][0] <= self._taken or self._queries_pass):
                return self._queries.popleft()[1]
            if self._mail and not self._held:
                self._taken += 1
                return self._mail.popleft()
            return None

    def settle(self) -> bool:
        """End a turn: True if more can be taken now, otherwise the actor is no longer scheduled."""
        with self._lock:
            if (self._mail or self._system or self._queries) and self._is_takeable():
                return True
            self._scheduled = False
            if not self._mail:
                self._mail = None
            if not self._queries:
                self._queries = None
            if not self._system:
                self._system = None
            return False

    def put_back(self, envelopes: Iterable[Envelope[Any]]) -> None:
        """Put taken mail back to the front, in the order given; queries that came meanwhile wait behind it."""
        returned = list(envelopes)
        with self._lock:
            if is_dead := self._is_dead:
                is_woken = False
            else:
                if self._mail is None:
                    self._mail = deque()
                self._mail.extendleft(reversed(returned))
                self._taken -= len(returned)
                is_woken = self._wake_if_takeable()
        if is_woken:
            self._submit()
        elif is_dead:
            for envelope in returned:
                self._refuse(envelope, "its actor has stopped")

    def hold(self, flag: bool, *, queries_pass: bool = False, all_lanes: bool = False) -> None:  # the fixed interface
        """Hold MAIL back, or let it go again; SYSTEM and queries with no mail before them are still taken.

        Args:
            flag: True to hold.
            queries_pass: while held, queries are taken though mail was there before them.
            all_lanes: while held, nothing is taken at all.
        """
        with self._lock:
            self._held = flag
            self._shut = flag and all_lanes
            self._queries_pass = flag and queries_pass
            is_woken = self._wake_if_takeable()
        if is_woken:
            self._submit()

    def attach(self, scheduler: Scheduler, actor: Any) -> None:
        """Give the mailbox its actor, which is scheduled at once for its first turn.

        Raises:
            RuntimeError: it has an actor already.
        """
        with self._lock:
            if self._scheduler is not None:
                raise RuntimeError("the mailbox has an actor already; an actor is started once")
            if self._is_dead:
                return
            self._scheduler = scheduler
            self._actor = actor
            self._scheduled = True
        scheduler.submit(actor)

    def close(self) -> list[Envelope[Any]]:
        """Mark the mailbox dead and return what is left in it: SYSTEM, then MAIL, then queries."""
        with self._lock:
            self._is_dead = True
            left = [*(self._system or ()), *(self._mail or ()), *(entry[1] for entry in self._queries or ())]
            self._system = self._mail = self._queries = None
            # The mailbox and its actor refer to each other: without this the dead would wait for the collector.
            self._actor = None
        return left

    def discard(self, reason: str) -> None:
        """Close the mailbox and answer what is left: a stop is done, the rest fails with ``reason``."""
        for envelope in self.close():
            if type(envelope.message) is ActorStop:
                if envelope.reply_to is not None:
                    envelope.reply_to.set(None)
            else:
                self._refuse(envelope, reason)

    def get(self) -> Envelope[Any]:
        """Take the next message as pykka's inbox does, but without waiting.

        Raises:
            queue.Empty: nothing may be taken now.
        """
        envelope = self.take()
        if envelope is None:
            raise queue.Empty
        return envelope

    def empty(self) -> bool:
        """Whether nothing is in the mailbox."""
        return not (self._mail or self._system or self._queries)

    def _put_aside(self, envelope: Envelope[Any], lane: Lane) -> None:
        if lane is _SYSTEM:
            if self._system is None:
                self._system = deque()
            self._system.append(envelope)
        else:
            if self._queries is None:
                self._queries = deque()
            self._queries.append((self._taken + len(self._mail or ()), envelope))

    def _is_takeable(self) -> bool:
        if self._shut:
            return False
        if self._mail and not self._held:
            return True
        if self._system:
            return True
        if self._queries:
            return self._queries_pass or self._queries[0][0] <= self._taken
        return False

    def _wake_if_takeable(self) -> bool:
        if self._scheduled or self._scheduler is None or not self._is_takeable():
            return False
        self._scheduled = True
        return True

    def _refuse_if_full(self, envelope: Envelope[Any], limit: int) -> None:
        held = len(self._mail or ()) + len(self._queries or ())
        if held >= limit and type(envelope.message) is not ActorStop:
            raise MailboxFullError(limit)

    def _submit(self) -> None:
        scheduler, actor = self._scheduler, self._actor
        if scheduler is not None and actor is not None:
            scheduler.submit(actor)

    def _refuse(self, envelope: Envelope[Any], reason: str) -> None:
        if envelope.reply_to is not None:
            envelope.reply_to.set_exception((ActorDeadError, ActorDeadError(f"message not handled: {reason}"), None))
        else:
            letters = _STRAYS if self._scheduler is None else self._scheduler.dead_letters
            letters.put(reason, envelope.message)
