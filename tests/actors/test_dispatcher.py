from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from greenroom.actors import (
    Actor,
    Dispatcher,
    DispatcherClosedError,
    Envelope,
    Future,
    Lane,
    ManualClock,
    on_dispatcher_thread,
)


class Recorder(Actor):
    """Notes what it receives in a list that it may share with others."""

    def __init__(self, name: str, log: list[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.log = log

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message()
        self.log.append((self.name, message))
        return message


def launched(dispatcher: Dispatcher, log: list[Any], *names: str) -> list[Recorder]:
    """Actors whose first turn is over, if the dispatcher is driven by hand."""
    actors = [Recorder(name, log, dispatcher=dispatcher) for name in names]
    for actor in actors:
        actor.launch()
    return actors


def tell(actor: Actor, *messages: Any) -> None:
    for message in messages:
        actor.actor_inbox.put(Envelope(message))


class WallClock:
    """A clock that tells the wall time and nothing else."""

    def __init__(self, clock: ManualClock) -> None:
        self.now_ns = clock.now_ns


# By hand


def test_nothing_to_do_is_said() -> None:
    swept: list[int] = []
    dispatcher = Dispatcher(on_sweep=lambda: swept.append(1))

    assert dispatcher.idle
    assert not dispatcher.step()
    assert not dispatcher.sweep()
    assert swept == []


def test_a_step_runs_exactly_one_turn_then_the_sweep_hook() -> None:
    log: list[Any] = []
    dispatcher = Dispatcher(on_sweep=lambda: log.append("sweep"))
    (actor,) = launched(dispatcher, log, "a")
    dispatcher.step()
    tell(actor, 1, 2)
    log.clear()

    assert dispatcher.step()
    assert log == [("a", 1), "sweep"]
    assert not dispatcher.idle

    assert dispatcher.step()
    assert log == [("a", 1), "sweep", ("a", 2), "sweep"]
    assert not dispatcher.step()


def test_a_sweep_runs_intake_then_deadlines_then_turns_round_and_round() -> None:
    log: list[Any] = []
    clock = ManualClock(start_ns=0)
    dispatcher = Dispatcher(clock=clock, on_sweep=lambda: log.append("sweep"))
    a, b = launched(dispatcher, log, "a", "b")
    dispatcher.sweep()
    log.clear()
    tell(a, 1, 2)
    tell(b, 1, 2)
    dispatcher.call_at(5, log.append, "due")
    dispatcher.call_at(6, log.append, "not due")
    dispatcher.call_soon(log.append, "intake 1")
    dispatcher.call_soon(log.append, "intake 2")
    clock.advance_to(5)

    dispatcher.sweep()

    assert log == ["intake 1", "intake 2", "due", ("a", 1), ("b", 1), ("a", 2), ("b", 2), "sweep"]
    assert dispatcher.next_deadline_ns() == 6


def test_what_the_intake_hands_in_runs_in_the_next_sweep() -> None:
    log: list[Any] = []
    dispatcher = Dispatcher()
    dispatcher.call_soon(lambda: dispatcher.call_soon(log.append, "second"))

    assert dispatcher.sweep()
    assert log == []

    assert dispatcher.sweep()
    assert log == ["second"]


def test_a_sweep_ends_after_max_turns_or_when_it_is_full() -> None:
    log: list[Any] = []
    full = False
    dispatcher = Dispatcher(max_turns=3, is_full=lambda: full)
    (actor,) = launched(dispatcher, log, "a")
    dispatcher.sweep()
    tell(actor, *range(5))

    dispatcher.sweep()
    assert len(log) == 3

    full = True
    dispatcher.sweep()
    assert len(log) == 4

    dispatcher.sweep()
    assert len(log) == 5


def test_an_actor_that_has_more_to_do_goes_to_the_back_of_the_queue() -> None:
    log: list[Any] = []
    dispatcher = Dispatcher()

    class Replaying(Recorder):
        slices = 3

        def run_turn(self) -> bool:
            log.append("slice")
            self.slices -= 1
            return self.slices > 0

    Replaying("r", log, dispatcher=dispatcher).launch()
    (other,) = launched(dispatcher, log, "a")
    tell(other, 1)

    while dispatcher.step():
        pass

    assert log == ["slice", "slice", ("a", 1), "slice"]


def test_an_exception_that_escapes_is_reported_and_the_rest_goes_on() -> None:
    errors: list[str] = []
    log: list[Any] = []

    def fail() -> None:
        raise ZeroDivisionError

    dispatcher = Dispatcher(on_error=lambda error: errors.append(repr(error)), on_sweep=fail)

    class Broken(Recorder):
        def run_turn(self) -> bool:
            assert self.actor_inbox.take() is not None
            raise SystemExit(3)

    broken = Broken("b", log, dispatcher=dispatcher)
    tell(broken, 1)
    broken.launch()
    (other,) = launched(dispatcher, log, "a")
    tell(other, 1)
    dispatcher.call_soon(int, "x")
    dispatcher.sweep()

    assert [error.split("(")[0] for error in errors] == ["ValueError", "SystemExit", "ZeroDivisionError"]
    assert log == [("a", 1)]
    assert dispatcher.idle


def test_errors_are_logged_if_nobody_takes_them(caplog: pytest.LogCaptureFixture) -> None:
    def fail(error: BaseException) -> None:
        raise RuntimeError("the hook")

    for dispatcher in (Dispatcher(name="plain"), Dispatcher(name="hooked", on_error=fail)):
        dispatcher.call_soon(int, "x")
        dispatcher.sweep()

    assert [record.levelname for record in caplog.records] == ["CRITICAL"] * 3
    assert "on_error hook of dispatcher 'hooked'" in caplog.text
    assert "invalid literal" in caplog.text


def test_ctrl_c_reaches_who_drives_the_dispatcher_by_hand() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    log: list[Any] = []
    dispatcher = Dispatcher()
    actor, other = launched(dispatcher, log, "a", "b")
    dispatcher.sweep()
    tell(actor, interrupt, 2)
    tell(other, 1)

    with pytest.raises(KeyboardInterrupt):
        dispatcher.sweep()
    dispatcher.sweep()

    assert log == [("b", 1)]
    assert actor.actor_stopped.is_set()
    assert [letter.message for letter in dispatcher.dead_letters.latest()] == [2]


def test_actors_run_by_hand_may_not_block_either() -> None:
    seen: list[Any] = []
    dispatcher = Dispatcher()

    dispatcher.call_soon(lambda: seen.append((on_dispatcher_thread(), dispatcher.is_current())))
    dispatcher.sweep()

    assert seen == [(True, True)]
    assert not on_dispatcher_thread()
    assert not dispatcher.is_current()


def test_a_dispatcher_is_driven_by_one_at_a_time() -> None:
    errors: list[BaseException] = []
    dispatcher = Dispatcher(on_error=errors.append)

    dispatcher.call_soon(dispatcher.step)
    dispatcher.sweep()

    assert "being run already" in str(errors[0])


def test_the_same_mail_gives_the_same_order_each_time() -> None:
    def once() -> list[Any]:
        log: list[Any] = []
        clock = ManualClock(start_ns=0)
        dispatcher = Dispatcher(clock=clock)
        actors = launched(dispatcher, log, *"abc")
        for number, actor in enumerate(actors * 3):
            tell(actor, number)
            dispatcher.call_at(number % 4, tell, actor, f"due {number}")
        for now_ns in range(4):
            clock.advance_to(now_ns)
            while dispatcher.step():
                pass
        return log

    first = once()

    assert len(first) == 18
    assert once() == first


# On its own thread


def test_a_started_dispatcher_runs_what_other_threads_hand_in(dispatcher: Dispatcher) -> None:
    outcome = Future[Any]()

    def look() -> None:
        thread = threading.current_thread()
        outcome.set((thread.name, thread.daemon, dispatcher.is_current()))

    dispatcher.call_soon(look)

    assert outcome.get(timeout=30) == ("test-dispatcher", True, True)
    assert not dispatcher.is_current()
    assert repr(dispatcher) == "<Dispatcher 'test-dispatcher' started>"


def test_messages_of_one_sender_are_handled_in_order(dispatcher: Dispatcher, impatient_interpreter: None) -> None:
    log: list[Any] = []
    (actor,) = launched(dispatcher, log, "a")

    def send(sender: int) -> None:
        for number in range(500):
            actor.actor_ref.tell((sender, number))

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    actor.actor_ref.ask("last", timeout=30)

    received = [message for _, message in log[:-1]]
    for sender in range(3):
        assert [number for who, number in received if who == sender] == list(range(500))


def test_no_wake_up_of_the_thread_is_lost(dispatcher: Dispatcher, impatient_interpreter: None) -> None:
    log: list[Any] = []
    (actor,) = launched(dispatcher, log, "a")

    for number in range(500):
        assert actor.actor_ref.ask(number, timeout=30) == number


def test_a_started_dispatcher_notices_that_a_manual_clock_moves() -> None:
    clock = ManualClock(start_ns=0)
    is_idle = threading.Event()
    dispatcher = Dispatcher(clock=clock, on_idle=is_idle.set)
    outcomes = [Future[str](), Future[str]()]
    dispatcher.call_at(10**9, outcomes[0].set, "first")
    dispatcher.call_at(3600 * 10**9, outcomes[1].set, "second")
    dispatcher.start()
    assert is_idle.wait(30)
    assert not outcomes[0].done()

    clock.advance(1)
    assert outcomes[0].get(timeout=30) == "first"
    assert not outcomes[1].done()

    clock.advance(3600)
    assert outcomes[1].get(timeout=30) == "second"
    assert dispatcher.close(timeout=30)


def test_a_deadline_that_came_due_meanwhile_is_not_waited_for() -> None:
    clock = ManualClock(start_ns=0)
    outcome = Future[int]()
    dispatcher = Dispatcher(clock=clock, on_idle=lambda: clock.advance(1))
    dispatcher.call_at(10**9, outcome.set, 1)

    dispatcher.start()

    assert outcome.get(timeout=30) == 1
    assert dispatcher.close(timeout=30)


def test_deadlines_on_the_systems_clock_come_due(dispatcher: Dispatcher) -> None:
    outcome = Future[int]()

    def later() -> None:
        dispatcher.call_at(dispatcher.clock.now_ns() + 1_000_000, outcome.set, 1)

    dispatcher.call_soon(later)

    assert outcome.get(timeout=30) == 1


def test_call_at_from_another_thread_is_refused(dispatcher: Dispatcher) -> None:
    with pytest.raises(RuntimeError, match=r"use call_soon\(dispatcher.call_at"):
        dispatcher.call_at(0, print)


def test_start_is_called_once(dispatcher: Dispatcher) -> None:
    with pytest.raises(RuntimeError, match="started already"):
        dispatcher.start()
    with pytest.raises(RuntimeError, match="driven by hand"):
        dispatcher.step()


def test_the_idle_hook_may_hand_in_work() -> None:
    ran = threading.Event()
    dispatcher = Dispatcher(on_idle=lambda: None if ran.is_set() else dispatcher.call_soon(ran.set))

    dispatcher.start()

    assert ran.wait(30)
    assert dispatcher.close(timeout=30)


# Closing


@pytest.fixture(params=["started", "by hand"])
def closing(request: pytest.FixtureRequest) -> Callable[..., Dispatcher]:
    def make(**options: Any) -> Dispatcher:
        dispatcher = Dispatcher(name="closing", **options)
        if request.param == "started":
            dispatcher.start()
        return dispatcher

    return make


def test_close_finishes_what_is_queued_and_refuses_more(closing: Callable[..., Dispatcher]) -> None:
    log: list[Any] = []
    dispatcher = closing(on_sweep=lambda: log.append("sweep"))
    (actor,) = launched(dispatcher, log, "a")
    reply = actor.actor_ref.ask("queued", block=False)
    dispatcher.call_soon(lambda: dispatcher.call_soon(log.append, "from its own work"))

    assert dispatcher.close() is True

    assert reply.get(timeout=0) == "queued"
    assert "from its own work" in log
    assert log[-1] == "sweep"
    with pytest.raises(DispatcherClosedError, match="'closing' is closed"):
        dispatcher.call_soon(print)
    with pytest.raises(DispatcherClosedError):
        dispatcher.start()
    assert dispatcher.close() is True
    assert dispatcher.is_closed
    assert repr(dispatcher) == "<Dispatcher 'closing' ended>"


def test_mail_for_an_actor_of_a_closed_dispatcher_is_answered(closing: Callable[..., Dispatcher]) -> None:
    log: list[Any] = []
    dispatcher = closing()
    asked, told = launched(dispatcher, log, "asked", "told")
    dispatcher.close()

    with pytest.raises(pykka.ActorDeadError, match="dispatcher 'closing' is closed"):
        asked.actor_ref.ask(1)
    told.actor_ref.tell(2)

    assert not asked.actor_ref.is_alive()
    assert [letter.message for letter in dispatcher.dead_letters.latest()] == [2]
    assert log == []


@pytest.mark.parametrize("clock", [None, WallClock])
def test_a_call_after_a_while_is_made_by_the_thread_of_its_own(clock: type[WallClock] | None) -> None:
    dispatcher = Dispatcher(clock=clock and clock(ManualClock(time.time_ns())))
    dispatcher.start()
    called = Future[str]()

    dispatcher.call_soon(dispatcher.call_after, 1 if clock is None else 0, called.set, "called")

    assert called.get(timeout=30) == "called"
    with pytest.raises(RuntimeError, match=r"call_soon\(dispatcher.call_after, delay_ns, fn\)"):
        dispatcher.call_after(1, print)
    assert dispatcher.close(timeout=30)


def test_a_call_after_a_while_does_not_wait_for_a_clock_that_was_set_back() -> None:
    clock = ManualClock()
    dispatcher = Dispatcher(clock=clock)
    called: list[str] = []
    dispatcher.call_at(clock.now_ns() + 20, called.append, "at")
    after = dispatcher.call_after(10, called.append, "after")
    assert dispatcher.next_deadline_ns() == clock.now_ns() + 10

    clock.jump(-1)
    assert dispatcher.next_deadline_ns() == clock.now_ns() + 10
    clock.advance_to(clock.now_ns() + 9)
    assert not dispatcher.sweep()
    clock.advance_to(clock.now_ns() + 1)
    assert dispatcher.sweep()

    assert called == ["after"]
    assert not after.is_pending


def test_a_dispatcher_comes_to_its_end_once(closing: Callable[..., Dispatcher]) -> None:
    ends: list[str] = []
    dispatcher = closing(on_end=lambda: ends.append("end"))

    for _ in range(3):
        assert dispatcher.close(timeout=30)

    assert ends == ["end"]


def test_an_actor_that_has_nothing_to_do_stops_when_mail_comes_after_the_end(
    closing: Callable[..., Dispatcher],
) -> None:
    dispatcher = closing()
    (actor,) = launched(dispatcher, [], "idle")
    assert dispatcher.close(timeout=30)
    assert actor.actor_ref.is_alive()

    actor.actor_ref.tell("late")

    assert not actor.actor_ref.is_alive()


def test_a_thread_with_the_number_of_one_that_has_ended_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher = Dispatcher()
    dispatcher.start()
    numbers: list[int] = []
    dispatcher.call_soon(lambda: numbers.append(threading.get_ident()))
    (actor,) = launched(dispatcher, [], "a")
    assert dispatcher.close(timeout=30)

    monkeypatch.setattr(threading, "get_ident", lambda: numbers[0])

    assert not dispatcher.is_current()
    assert dispatcher.close(timeout=30)
    reply = actor.actor_ref.ask("late", block=False)
    with pytest.raises(pykka.ActorDeadError, match="is closed"):
        reply.get(timeout=0)


@pytest.mark.parametrize("ending", ["dispatcher", "actor"])
def test_no_ask_is_left_unanswered_when_the_end_comes_among_them(ending: str, impatient_interpreter: None) -> None:
    for _ in range(20):
        dispatcher = Dispatcher()
        dispatcher.start()
        (actor,) = launched(dispatcher, [], "a")
        replies: list[pykka.Future[Any]] = []
        has_begun = threading.Event()

        def ask(
            ref: pykka.ActorRef[Any] = actor.actor_ref,
            replies: list[pykka.Future[Any]] = replies,
            has_begun: threading.Event = has_begun,
        ) -> None:
            for number in range(200):
                replies.append(ref.ask(number, block=False))
                has_begun.set()

        askers = [threading.Thread(target=ask) for _ in range(2)]
        for thread in askers:
            thread.start()
        assert has_begun.wait(30)
        if ending == "dispatcher":
            dispatcher.close()
        else:
            actor.stop()
        for thread in askers:
            thread.join()

        for reply in replies:
            try:
                reply.get(timeout=30)
            except pykka.ActorDeadError:
                continue
        dispatcher.close()


def test_what_is_handed_in_when_the_end_comes_is_called_or_refused(impatient_interpreter: None) -> None:
    for _ in range(20):
        dispatcher = Dispatcher()
        dispatcher.start()
        called: list[int] = []
        taken: list[int] = []
        has_begun = threading.Event()

        def hand_in(
            first: int,
            dispatcher: Dispatcher = dispatcher,
            called: list[int] = called,
            taken: list[int] = taken,
            has_begun: threading.Event = has_begun,
        ) -> None:
            for number in range(first, first + 2000):
                try:
                    dispatcher.call_soon(called.append, number)
                except DispatcherClosedError:
                    return
                taken.append(number)
                has_begun.set()

        producers = [threading.Thread(target=hand_in, args=(10_000 * each,)) for each in range(3)]
        for thread in producers:
            thread.start()
        assert has_begun.wait(30)
        dispatcher.close()
        for thread in producers:
            thread.join()

        assert sorted(called) == sorted(taken)


def test_close_gives_up_after_its_timeout(closing: Callable[..., Dispatcher]) -> None:
    class Restless(Actor):
        def run_turn(self) -> bool:
            return True

    dispatcher = closing()
    restless = Restless(dispatcher=dispatcher)
    restless.launch()

    dispatcher.close(timeout=0.01)
    assert dispatcher.close(timeout=30)

    assert restless.actor_stopped.wait(30)


def test_a_thread_may_ask_its_own_dispatcher_to_close(dispatcher: Dispatcher) -> None:
    outcome = Future[bool]()

    dispatcher.call_soon(lambda: outcome.set(dispatcher.close()))

    assert outcome.get(timeout=30) is False


def test_a_fault_while_abandoning_one_actor_is_reported_and_the_others_are_told() -> None:
    class Broken(Actor):
        def run_turn(self) -> bool:
            return True

        def abandon(self, reason: str, error: BaseException | None = None) -> None:
            raise RuntimeError("mine")

    errors: list[BaseException] = []
    dispatcher = Dispatcher(on_error=errors.append)
    Broken(dispatcher=dispatcher).launch()
    (other,) = launched(dispatcher, [], "a")
    reply = other.actor_ref.ask(1, block=False)

    dispatcher.close(timeout=0)

    assert [str(error) for error in errors] == ["mine"]
    with pytest.raises(pykka.ActorDeadError):
        reply.get(timeout=0)


def test_system_mail_is_taken_before_what_came_earlier() -> None:
    log: list[Any] = []
    dispatcher = Dispatcher()
    (actor,) = launched(dispatcher, log, "a")
    tell(actor, 1)
    actor.actor_inbox.put(Envelope("system"), Lane.SYSTEM)

    dispatcher.sweep()

    assert log == [("a", "system"), ("a", 1)]
