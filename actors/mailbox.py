"""One actor's mail: who may put, what is taken next, and whether the actor stands in its dispatcher's run queue.

Everything is decided under one lock: whether the mailbox is dead, and *scheduled*. The flag is set by the
producer that finds something takeable in an idle mailbox, and cleared by the consumer only if nothing is takeable.
So an actor is in the run queue at most once, is never run by two threads, and no wake-up is lost. The locks are
shared by all mailboxes.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Protocol

from pykka import ActorDeadError

from .dead_letters import DeadLetters
from .pykka_seam import ActorStop, Envelope
from .shared_locks import shared_locks

__all__ = ["Lane", "Mailbox", "Scheduler"]

_LOCKS = shared_locks(64)


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

    def submit(self, actor: Any) -> None:
        """Let the actor take a turn; its mailbox asks once until it has."""
        ...


class Mailbox:
    """pykka's inbox with lanes, an end, and the *scheduled* flag; of any length."""

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
    )

    def __init__(self) -> None:
        self._lock = _LOCKS[id(self) >> 6 & 63]
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
    def waiting_mail(self) -> int:
        """How many messages wait in the lane of mail: not those that go before it, nor questions."""
        return len(self._mail or ())

    @property
    def is_dead(self) -> bool:
        """Whether the mailbox has been closed."""
        return self._is_dead

    @property
    def is_scheduled(self) -> bool:
        """Whether the actor stands in the run queue or is taking a turn."""
        return self._scheduled

    def put(self, envelope: Envelope[Any], lane: Lane = _MAIL) -> None:
        """Put a message; what is put into a dead mailbox fails its reply or becomes a dead letter.

        Args:
            envelope: the message, and who waits for a reply to it.
            lane: where it waits.
        """
        with self._lock:
            if is_dead := self._is_dead:
                is_woken = False
            else:
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
            self._put_to_dead(envelope, lane)

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

    def take_mail(self) -> list[Envelope[Any]]:
        """Take all that is in the lane MAIL, held back or not, in order."""
        with self._lock:
            taken = list(self._mail or ())
            self._mail = None
            self._taken += len(taken)
        return taken

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

    def attach(self, scheduler: Scheduler, actor: Any, *, is_held: bool = False) -> None:
        """Give the mailbox its actor, which is scheduled at once for its first turn.

        Args:
            scheduler: what runs the actor.
            actor: whose mailbox it is.
            is_held: hold all lanes back instead: somebody else has the actor begin.

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
            if is_held:
                self._held = self._shut = True
                return
            self._scheduled = True
        scheduler.submit(actor)

    def hand_over(self, actor: Any, own: Mailbox) -> None:
        """Give the mailbox to another instance of its actor; it must be held back, in all lanes, meanwhile.

        Args:
            actor: the instance.
            own: the mailbox that it had, which is closed; what is in there goes behind what is in here, whatever the
                limit: it was taken already.
        """
        # Both at once, so that what comes to the closed one just now comes behind what was there; always in one order.
        one, other = sorted((self._lock, own._lock), key=id)
        with one, other:
            self._actor = actor
            # The one before may stand in the run queue still, where it finds nothing any more.
            self._scheduled = False
            for envelope in own._system or ():
                self._put_aside(envelope, _SYSTEM)
            for envelope in own._mail or ():
                self._put_aside(envelope, _MAIL)
            for _, envelope in own._queries or ():
                self._put_aside(envelope, Lane.QUERY)
            own.close()
            own._actor = self

    def close(self) -> list[Envelope[Any]]:
        """Mark the mailbox dead and return what is left in it: SYSTEM, then MAIL, then queries."""
        with self._lock:
            self._is_dead = True
            left = [*(self._system or ()), *(self._mail or ()), *(entry[1] for entry in self._queries or ())]
            self._system = self._mail = self._queries = None
            # The mailbox and its actor refer to each other: without this the dead would wait for the collector.
            self._actor = None
        return left

    def discard(self, reason: str, notes: tuple[type, ...] = ()) -> None:
        """Close the mailbox and answer what is left: a stop is done, the rest fails with ``reason``.

        Args:
            reason: for who asked, and in dead letters.
            notes: kinds of messages that the actor has put there for itself, and that nobody misses.
        """
        for envelope in self.close():
            if type(envelope.message) in notes:
                continue
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

    def _put_to_dead(self, envelope: Envelope[Any], lane: Lane) -> None:
        heir = self._actor
        if isinstance(heir, Mailbox):
            heir.put(envelope, lane)
        else:
            self._refuse(envelope, "its actor has stopped")

    def _put_aside(self, envelope: Envelope[Any], lane: Lane) -> None:
        if lane is _SYSTEM:
            if self._system is None:
                self._system = deque()
            self._system.append(envelope)
        elif lane is _MAIL:
            if self._mail is None:
                self._mail = deque()
            self._mail.append(envelope)
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

    def _submit(self) -> None:
        scheduler, actor = self._scheduler, self._actor
        if scheduler is not None and actor is not None:
            scheduler.submit(actor)

    def _refuse(self, envelope: Envelope[Any], reason: str, error: Exception | None = None) -> None:
        if envelope.reply_to is not None:
            error = error or ActorDeadError(f"message not handled: {reason}")
            envelope.reply_to.set_exception((type(error), error, None))
        else:
            letters = _STRAYS if self._scheduler is None else self._scheduler.dead_letters
            letters.put(reason, envelope.message)
