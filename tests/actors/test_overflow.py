"""What becomes of a message for which there is no room."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pykka import ActorDeadError

from greenroom.actors import (
    Actor,
    Dispatcher,
    Envelope,
    Future,
    Lane,
    Mailbox,
    MailboxFullError,
    Overflow,
    Terminated,
)
from greenroom.actors.bounded_mailbox import BoundedMailbox
from greenroom.actors.bounds import Bounds
from greenroom.actors.pykka_seam import ActorStop


class Narrow(Actor):
    """Two messages may wait."""

    mailbox_limit = 2
    mailbox_overflow = Overflow.DROP_OLDEST

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher=dispatcher)
        self.got: list[Any] = []

    def on_receive(self, message: Any) -> None:
        self.got.append(message)


def bounded(overflow: Overflow, patience: float | None = None) -> Mailbox:
    """A mailbox with room for two, which are there."""
    mailbox = BoundedMailbox(2, overflow, patience)
    for message in ("first", "second"):
        mailbox.put(Envelope(message))
    return mailbox


def contents(mailbox: Mailbox) -> list[Any]:
    return [envelope.message for envelope in mailbox.close()]


def waiting(mailbox: Mailbox, message: str) -> tuple[threading.Thread, list[object]]:
    """A thread that sends, and what came of it."""
    came: list[object] = []

    def send() -> None:
        try:
            mailbox.put(Envelope(message))
            came.append("sent")
        except MailboxFullError as error:
            came.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    return thread, came


def test_the_sender_is_told_if_nothing_else_was_asked_for() -> None:
    mailbox = BoundedMailbox(2)
    mailbox.put(Envelope("first"))
    mailbox.put(Envelope("second"), Lane.QUERY)

    with pytest.raises(MailboxFullError):
        mailbox.put(Envelope("third"))

    assert contents(mailbox) == ["first", "second"]


def test_the_newest_is_dropped_and_who_asked_is_told() -> None:
    mailbox = bounded(Overflow.DROP_NEWEST)
    future: Future[Any] = Future()

    mailbox.put(Envelope("third", reply_to=future))

    assert isinstance(future.exception(), MailboxFullError)
    assert contents(mailbox) == ["first", "second"]


def test_the_oldest_makes_room_and_is_a_dead_letter() -> None:
    dispatcher = Dispatcher()
    actor = Narrow(dispatcher)
    actor.launch()
    for number in range(5):
        actor.actor_ref.tell(number)

    while dispatcher.sweep():
        pass

    assert actor.got == [3, 4]
    assert [letter.message for letter in dispatcher.dead_letters.latest()] == [0, 1, 2]
    assert dispatcher.dead_letters.latest()[0].reason == "the mailbox of its actor is full"


def test_a_query_behind_what_was_dropped_is_not_held_up_by_it() -> None:
    mailbox = BoundedMailbox(2, Overflow.DROP_OLDEST)
    mailbox.put(Envelope("dropped"))
    mailbox.put(Envelope("query"), Lane.QUERY)
    mailbox.put(Envelope("behind"))

    first, second = mailbox.take(), mailbox.take()

    assert first is not None
    assert second is not None
    assert (first.message, second.message) == ("query", "behind")


def test_a_query_before_what_was_dropped_still_waits_for_what_is_before_it() -> None:
    mailbox = BoundedMailbox(3, Overflow.DROP_OLDEST)
    mailbox.put(Envelope(ActorStop()))
    mailbox.put(Envelope("query"), Lane.QUERY)
    for message in ("dropped", "behind"):
        mailbox.put(Envelope(message))

    taken = [mailbox.get().message for _ in range(3)]

    assert [type(taken[0]), *taken[1:]] == [ActorStop, "query", "behind"]


@pytest.mark.parametrize("overflow", [Overflow.REFUSE, Overflow.WAIT, Overflow.DROP_NEWEST, Overflow.DROP_OLDEST])
def test_a_stop_and_the_news_of_an_end_and_what_is_for_the_system_find_room(overflow: Overflow) -> None:
    mailbox = bounded(overflow)
    news: Any = Terminated(Narrow(Dispatcher()).actor_ref, None)

    mailbox.put(Envelope(ActorStop()))
    mailbox.put(Envelope(news))
    mailbox.put(Envelope("system"), Lane.SYSTEM)

    assert [str(type(each).__name__) for each in contents(mailbox)] == ["str", "str", "str", "_ActorStop", "Terminated"]


def test_a_stop_is_never_what_makes_room() -> None:
    mailbox = BoundedMailbox(1, Overflow.DROP_OLDEST)
    mailbox.put(Envelope(ActorStop()))

    mailbox.put(Envelope("for nobody"))

    assert [type(each) for each in contents(mailbox)] == [ActorStop]


def test_a_sender_waits_until_there_is_room() -> None:
    mailbox = bounded(Overflow.WAIT)
    thread, came = waiting(mailbox, "third")

    taken: list[Any] = []
    while len(taken) < 3:
        envelope = mailbox.take()
        if envelope is not None:
            taken.append(envelope.message)
    thread.join(30)

    assert came == ["sent"]
    assert taken == ["first", "second", "third"]


@pytest.mark.parametrize("patience", [float("inf"), 1e12])
def test_a_sender_may_have_any_patience(patience: float) -> None:
    mailbox = bounded(Overflow.WAIT, patience)
    thread, came = waiting(mailbox, "third")
    bounds: Bounds = getattr(mailbox, "_bounds")  # noqa: B009  # its own business
    while thread.is_alive() and not getattr(bounds, "_gates"):  # noqa: B009  # likewise
        pass

    mailbox.take()
    thread.join(30)

    assert came == ["sent"]


def test_a_sender_that_has_waited_long_enough_is_told() -> None:
    mailbox = bounded(Overflow.WAIT, patience=0.01)

    thread, came = waiting(mailbox, "third")
    thread.join(30)

    assert [type(each) for each in came] == [MailboxFullError]
    assert contents(mailbox) == ["first", "second"]


def test_a_sender_that_waits_for_an_actor_that_ends_is_answered() -> None:
    mailbox = bounded(Overflow.WAIT)
    future: Future[Any] = Future()
    thread = threading.Thread(target=mailbox.put, args=(Envelope("third", reply_to=future),))
    thread.start()

    mailbox.discard("the test says so")
    thread.join(30)

    assert isinstance(future.exception(), ActorDeadError)


def test_a_thread_that_runs_actors_never_waits() -> None:
    mailbox = bounded(Overflow.WAIT)
    came: list[BaseException] = []
    dispatcher = Dispatcher(on_error=came.append)

    dispatcher.call_soon(mailbox.put, Envelope("third"))
    dispatcher.sweep()

    assert [type(each) for each in came] == [MailboxFullError]


@pytest.mark.parametrize("overflow", [Overflow.WAIT, Overflow.DROP_OLDEST])
def test_no_message_of_many_senders_is_lost_or_handled_twice(overflow: Overflow, impatient_interpreter: None) -> None:
    dispatcher = Dispatcher(name="narrow")
    dispatcher.start()
    kind = type("Kind", (Narrow,), {"mailbox_limit": 3, "mailbox_overflow": overflow})
    actor = kind(dispatcher)
    actor.launch()
    dropped: list[Any] = []
    dispatcher.dead_letters.subscribe(lambda letter: dropped.append(letter.message))

    def send(sender: int) -> None:
        for number in range(300):
            actor.actor_ref.tell((sender, number))

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join(60)
    assert dispatcher.close(timeout=60)

    assert sorted(actor.got + dropped) == [(sender, number) for sender in range(4) for number in range(300)]
    for sender in range(4):
        mine = [number for who, number in actor.got if who == sender]
        assert mine == sorted(mine)
    assert (dropped == []) is (overflow is Overflow.WAIT)
