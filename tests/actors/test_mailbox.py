from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import ActorStop, DeadLetter, DeadLetters, Envelope, Future, Lane, Mailbox, MailboxFullError
from greenroom.actors.bounded_mailbox import BoundedMailbox


class RunQueue:
    """A scheduler that only writes down who was submitted."""

    def __init__(self) -> None:
        self.dead_letters = DeadLetters()
        self.actors: deque[Any] = deque()

    def submit(self, actor: Any) -> None:
        self.actors.append(actor)


def attached(limit: int | None = None) -> tuple[Mailbox, RunQueue]:
    """A mailbox that is idle: its actor's first turn is over."""
    mailbox = Mailbox() if limit is None else BoundedMailbox(limit)
    run_queue = RunQueue()
    mailbox.attach(run_queue, "actor")
    run_queue.actors.clear()
    mailbox.settle()
    return mailbox, run_queue


def put(mailbox: Mailbox, *messages: Any, lane: Lane = Lane.MAIL) -> None:
    for message in messages:
        mailbox.put(Envelope(message), lane)


def take_all(mailbox: Mailbox) -> list[Any]:
    return [envelope.message for envelope in iter(mailbox.take, None)]


def test_system_goes_first_then_mail_in_order() -> None:
    mailbox, _ = attached()

    put(mailbox, 1, 2)
    put(mailbox, "kill", "now", lane=Lane.SYSTEM)

    assert take_all(mailbox) == ["kill", "now", 1, 2]


def test_a_query_waits_behind_the_mail_that_was_there_before_it_and_overtakes_the_rest() -> None:
    mailbox, _ = attached()

    put(mailbox, 1, 2)
    put(mailbox, "query", lane=Lane.QUERY)
    put(mailbox, 3)

    assert take_all(mailbox) == [1, 2, "query", 3]


def test_mail_put_back_goes_to_the_front_in_order_and_before_a_query_that_came_meanwhile() -> None:
    mailbox, _ = attached()
    put(mailbox, 1, 2, 3)
    taken = [mailbox.get(), mailbox.get()]
    put(mailbox, "query", lane=Lane.QUERY)

    mailbox.put_back(taken)

    assert take_all(mailbox) == [1, 2, 3, "query"]


def test_held_mail_waits_and_so_does_a_query_behind_it() -> None:
    mailbox, run_queue = attached()
    put(mailbox, "early", lane=Lane.QUERY)
    put(mailbox, 1)
    put(mailbox, "late", lane=Lane.QUERY)
    mailbox.hold(True)
    put(mailbox, "system", lane=Lane.SYSTEM)

    assert take_all(mailbox) == ["system", "early"]
    assert not mailbox.settle()

    run_queue.actors.clear()
    mailbox.hold(False)
    assert run_queue.actors == deque(["actor"])
    assert take_all(mailbox) == [1, "late"]


def test_queries_may_pass_held_mail_if_the_holder_says_so() -> None:
    mailbox, _ = attached()
    put(mailbox, 1)
    put(mailbox, "query", lane=Lane.QUERY)

    mailbox.hold(True, queries_pass=True)

    assert take_all(mailbox) == ["query"]
    mailbox.hold(False)
    assert take_all(mailbox) == [1]


def test_held_mail_does_not_schedule_the_actor() -> None:
    mailbox, run_queue = attached()
    mailbox.hold(True)

    put(mailbox, 1)
    assert not run_queue.actors

    put(mailbox, "query", lane=Lane.QUERY)
    assert not run_queue.actors

    put(mailbox, "system", lane=Lane.SYSTEM)
    assert run_queue.actors == deque(["actor"])


def test_mail_put_back_into_an_idle_mailbox_schedules_the_actor() -> None:
    mailbox, run_queue = attached()

    mailbox.put_back([Envelope(1)])

    assert run_queue.actors == deque(["actor"])


def test_an_actor_is_submitted_once_however_much_mail_comes() -> None:
    mailbox, run_queue = attached()

    put(mailbox, *range(10))

    assert len(run_queue.actors) == 1
    assert mailbox.is_scheduled
    assert mailbox.settle()
    take_all(mailbox)
    assert not mailbox.settle()
    assert not mailbox.is_scheduled


def test_mail_waits_for_an_actor_that_is_not_started() -> None:
    mailbox, run_queue = Mailbox(), RunQueue()

    put(mailbox, 1)
    mailbox.attach(run_queue, "actor")

    assert run_queue.actors == deque(["actor"])
    assert take_all(mailbox) == [1]
    with pytest.raises(RuntimeError, match="has an actor already"):
        mailbox.attach(run_queue, "another")


def test_a_full_mailbox_refuses_mail_and_queries_but_not_system_or_a_stop() -> None:
    mailbox, _ = attached(limit=2)
    put(mailbox, 1)
    put(mailbox, "query", lane=Lane.QUERY)

    with pytest.raises(MailboxFullError, match="2 messages") as caught:
        put(mailbox, 2)
    with pytest.raises(MailboxFullError):
        put(mailbox, 2, lane=Lane.QUERY)
    put(mailbox, "system", lane=Lane.SYSTEM)
    put(mailbox, ActorStop())

    assert caught.value.limit == 2
    assert len(mailbox) == 4
    mailbox.take()
    mailbox.take()
    mailbox.take()
    put(mailbox, 3)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1 or None"):
        BoundedMailbox(limit)


def test_close_returns_what_is_left_and_what_comes_later_is_dead() -> None:
    mailbox, run_queue = attached()
    put(mailbox, "query", lane=Lane.QUERY)
    put(mailbox, 1, 2)
    put(mailbox, "system", lane=Lane.SYSTEM)
    reply = Future[Any]()

    left = [envelope.message for envelope in mailbox.close()]
    put(mailbox, 3)
    mailbox.put(Envelope(4, reply_to=reply))
    mailbox.put_back([Envelope(5)])

    assert left == ["system", 1, 2, "query"]
    assert mailbox.is_dead
    assert mailbox.empty()
    assert [letter.message for letter in run_queue.dead_letters.latest()] == [3, 5]
    assert isinstance(reply.exception(), pykka.ActorDeadError)
    assert mailbox.close() == []


def test_discard_says_yes_to_a_stop_and_fails_the_rest() -> None:
    mailbox, run_queue = attached()
    stop, ask = Future[Any](), Future[Any]()
    mailbox.put(Envelope(ActorStop(), reply_to=stop))
    mailbox.put(Envelope("ask", reply_to=ask))
    put(mailbox, ActorStop(), "tell")

    mailbox.discard("it was thrown away")

    assert stop.get() is None
    with pytest.raises(pykka.ActorDeadError, match="it was thrown away"):
        ask.get()
    assert run_queue.dead_letters.latest() == [DeadLetter("it was thrown away", "tell")]


def test_mail_for_a_dead_mailbox_that_never_had_a_dispatcher_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    mailbox, run_queue = Mailbox(), RunQueue()
    mailbox.close()

    put(mailbox, 1)
    mailbox.attach(run_queue, "actor")

    assert "Dead letter: an int" in caplog.text
    assert not run_queue.actors


def test_get_is_pykkas_get_without_waiting() -> None:
    mailbox = Mailbox()

    with pytest.raises(queue.Empty):
        mailbox.get()

    assert mailbox.empty()
    put(mailbox, 1)
    assert not mailbox.empty()
    assert mailbox.get().message == 1


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(Lane)),
        st.tuples(st.just("hold"), st.booleans()),
        st.sampled_from([("take", None), ("turn", None), ("put_back", None)]),
    ),
    max_size=80,
)


@given(OPERATIONS)
def test_any_interleaving_keeps_the_order_and_the_scheduled_flag(operations: list[tuple[str, Any]]) -> None:
    mailbox, run_queue = attached()
    model: dict[Lane, list[Any]] = {lane: [] for lane in Lane}  # a query: (number, the mail it waits for)
    held = False
    taken: int | None = None

    def expected() -> int | None:
        if model[Lane.SYSTEM]:
            return int(model[Lane.SYSTEM][0])
        if model[Lane.QUERY] and not model[Lane.QUERY][0][1] & {*model[Lane.MAIL]}:
            return int(model[Lane.QUERY][0][0])
        return model[Lane.MAIL][0] if model[Lane.MAIL] and not held else None

    for number, (operation, argument) in enumerate(operations):
        if operation == "put":
            mailbox.put(Envelope(number), argument)
            before = {*model[Lane.MAIL]} if taken is None else {*model[Lane.MAIL], taken}
            model[argument].append((number, before) if argument is Lane.QUERY else number)
        elif operation == "hold":
            mailbox.hold(argument)
            held = argument
        elif operation == "put_back" and taken is not None:
            mailbox.put_back([Envelope(taken)])
            model[Lane.MAIL].insert(0, taken)
            taken = None
        elif operation in ("take", "turn") and run_queue.actors:
            want, envelope = expected(), mailbox.take()
            assert (envelope.message if envelope else None) == want
            for lane in Lane:
                kept = [entry for entry in model[lane] if (entry[0] if lane is Lane.QUERY else entry) != want]
                if len(kept) < len(model[lane]):
                    taken = want if lane is Lane.MAIL else taken
                    model[lane] = kept
            if operation == "turn" and not mailbox.settle():
                run_queue.actors.clear()

        assert len(run_queue.actors) == mailbox.is_scheduled <= 1
        assert mailbox.is_scheduled or expected() is None


class InterruptedLock:
    """A lock before and after which another thread may come in, as a given plan says."""

    def __init__(self, plan: list[bool], other: Callable[[], None]) -> None:
        self.lock = threading.Lock()
        self.plan = plan
        self.other = other
        self.is_other = False

    def __enter__(self) -> None:
        self.let_in()
        assert self.lock.acquire(blocking=False)

    def __exit__(self, *exc_info: object) -> None:
        self.lock.release()
        self.let_in()

    def let_in(self) -> None:
        if not self.is_other and self.plan and self.plan.pop():
            self.is_other = True
            self.other()
            self.is_other = False


@given(st.lists(st.booleans(), max_size=40), st.lists(st.sampled_from(Lane), max_size=40))
def test_a_producer_that_comes_in_at_any_moment_is_heard(plan: list[bool], lanes: list[Lane]) -> None:
    mailbox, run_queue = attached()
    sent, received = list[int](), list[int]()

    def produce() -> None:
        if lanes:
            sent.append(len(sent))
            mailbox.put(Envelope(sent[-1]), lanes.pop())
            assert len(run_queue.actors) <= 1

    setattr(mailbox, "_lock", InterruptedLock(plan, produce))  # noqa: B010  # the moments are those of the lock
    produce()
    while run_queue.actors:
        run_queue.actors.popleft()
        if (envelope := mailbox.take()) is not None:
            received.append(envelope.message)
        if mailbox.settle():
            assert not run_queue.actors, "put into the queue by somebody else during its turn"
            run_queue.actors.append("actor")

    assert sorted(received) == sent
    assert not mailbox.is_scheduled


@pytest.mark.parametrize("producers", [1, 4])
def test_no_wake_up_is_lost_and_no_actor_is_run_twice_at_once(producers: int, impatient_interpreter: None) -> None:
    mailbox, each = Mailbox(), 2000
    work: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    inside, received, faults = threading.Lock(), list[tuple[int, int]](), list[str]()

    class ThreadedRunQueue(RunQueue):
        def submit(self, actor: Any) -> None:
            work.put(actor)

    def consume() -> None:
        while work.get() is not None:
            if not inside.acquire(blocking=False):
                faults.append("two threads in one actor")
                return
            envelope = mailbox.take()
            if envelope is not None:
                received.append(envelope.message)
            inside.release()
            if mailbox.settle():
                work.put("actor")
            elif len(received) == each * producers:
                finished.set()

    def produce(sender: int) -> None:
        for number in range(each):
            mailbox.put(Envelope((sender, number)))

    finished = threading.Event()
    mailbox.attach(ThreadedRunQueue(), "actor")
    threads = [threading.Thread(target=consume, daemon=True) for _ in range(2)]
    threads += [threading.Thread(target=produce, args=(sender,), daemon=True) for sender in range(producers)]
    for thread in threads:
        thread.start()

    assert finished.wait(30), f"{len(received)} of {each * producers} messages arrived"
    for _ in range(2):
        work.put(None)
    for thread in threads:
        thread.join()

    assert faults == []
    assert work.empty()
    for sender in range(producers):
        assert [number for who, number in received if who == sender] == list(range(each))
