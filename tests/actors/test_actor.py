"""What pykka promises of an actor, of its own and of ours; then what ours adds."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pykka
import pytest

from greenroom.actors import (
    Actor,
    BlockingCallError,
    Dispatcher,
    Future,
    Lane,
    MailboxFullError,
    ManualClock,
    StoppedFlag,
    default_dispatcher,
)
from greenroom.actors.pykka_seam import Envelope

KINDS: list[Any] = [pykka.ThreadingActor, Actor]


class Behaviour:
    """What the actors of these tests do, whichever kind they are."""

    def begin(self, log: list[Any]) -> None:
        self.log = log
        self.attribute = 1
        self.gone = threading.Event()

    def on_start(self) -> None:
        self.log.append("start")

    def on_stop(self) -> None:
        self.log.append("stop")
        self.gone.set()

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.log.append(("failure", exception_type, str(exception_value), traceback is not None))
        self.gone.set()

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message(self)
        self.log.append(message)
        return ("received", message)

    def add(self, number: int, *, times: int = 1) -> int:
        self.attribute += number * times
        return self.attribute


class Threaded(Behaviour, pykka.ThreadingActor):
    def __init__(self, log: list[Any]) -> None:
        super().__init__()
        self.begin(log)


class Shared(Behaviour, Actor):
    def __init__(self, log: list[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.begin(log)


@pytest.fixture(params=[Threaded, Shared])
def kind(request: pytest.FixtureRequest) -> Iterator[Any]:
    yield request.param
    pykka.ActorRegistry.stop_all(timeout=30)


@pytest.fixture
def log() -> list[Any]:
    return []


def do(fn: Callable[[Any], object]) -> Callable[[Any], object]:
    """A message that has the actor call ``fn`` with itself."""
    return fn


def stopped(ref: pykka.ActorRef[Any]) -> bool:
    """Wait until the actor has stopped."""
    return ref.actor_stopped.wait(30)


def test_ask_returns_the_answer(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert ref.ask("hello", timeout=30) == ("received", "hello")
    assert ref.ask("later", block=False).get(timeout=30) == ("received", "later")


def test_tell_is_handled_in_order_after_on_start(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    for number in range(100):
        ref.tell(number)
    ref.ask("last", timeout=30)

    assert log == ["start", *range(100), "last"]


def test_an_exception_goes_to_who_asked_and_the_actor_lives_on(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    with pytest.raises(ValueError, match="mine"):
        ref.ask(ValueError("mine"), timeout=30)

    assert ref.is_alive()
    assert ref.ask(1, timeout=30) == ("received", 1)


def test_an_exception_nobody_asked_for_stops_the_actor(
    kind: Any, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    ref = kind.start(log)
    gone = ref.proxy().gone.get(timeout=30)

    ref.tell(ValueError("mine"))

    assert stopped(ref)
    assert gone.wait(30)
    assert log == ["start", ("failure", ValueError, "mine", True)]
    assert "Unhandled exception in" in caplog.text
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")


def test_an_exception_in_on_start_stops_the_actor(kind: Any, log: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    class Failing(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def on_start(self) -> None:
            raise ValueError("mine")

    ref = Failing.start(log)

    assert stopped(ref)
    assert "mine" in caplog.text


def test_an_exception_in_on_stop_or_on_failure_is_logged(
    kind: Any, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def on_stop(self) -> None:
            raise ValueError("in on_stop")

        def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
            raise ValueError("in on_failure")

    stopping, failing = Failing.start(log), Failing.start(log)
    behind = failing.ask(do(lambda actor: actor.actor_ref.tell(RuntimeError("in tell"))), block=False)
    behind.get(timeout=30)
    last = failing.ask("never handled", block=False)

    assert stopping.stop(timeout=30)
    with pytest.raises(pykka.ActorDeadError):
        last.get(timeout=30)

    assert "in on_stop" in caplog.text
    assert "in tell" in caplog.text
    assert "in on_failure" in caplog.text


def test_stop_takes_its_turn_behind_the_mail_and_says_whether_it_was_needed(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    for number in range(10):
        ref.tell(number)

    assert ref.stop(timeout=30) is True
    assert ref.stop(timeout=30) is False

    assert log == ["start", *range(10), "stop"]
    assert not ref.is_alive()


def test_mail_behind_a_stop_is_answered_with_actor_dead(kind: Any, log: list[Any]) -> None:
    go_on = threading.Event()
    ref = kind.start(log)
    ref.tell(do(lambda actor: go_on.wait(30)))
    stop = ref.stop(block=False)
    behind = ref.ask("behind", block=False)
    second_stop = ref.stop(block=False)
    go_on.set()

    assert stop.get(timeout=30) is True
    assert second_stop.get(timeout=30) is True
    with pytest.raises(pykka.ActorDeadError):
        behind.get(timeout=30)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("dead", timeout=30)


def test_an_actor_may_stop_itself(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    ref.ask(do(lambda actor: actor.stop()), timeout=30)

    assert stopped(ref)


def test_a_proxy_calls_methods_and_reads_and_writes_attributes(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    proxy = ref.proxy()

    assert proxy.add(2, times=3).get(timeout=30) == 7
    ref.proxy().attribute = 10
    assert proxy.attribute.get(timeout=30) == 10
    proxy.add.defer(1)
    assert proxy.attribute.get(timeout=30) == 11
    with pytest.raises(AttributeError):
        proxy.missing  # noqa: B018  # reading it is the point
    ref.stop(timeout=30)
    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()


def test_start_registers_and_stop_unregisters(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) == ref
    assert pykka.ActorRegistry.get_by_class(kind) == [ref]

    ref.stop(timeout=30)
    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is None


def test_stop_all_stops_each(kind: Any, log: list[Any]) -> None:
    refs = [kind.start(log) for _ in range(3)]

    assert pykka.ActorRegistry.stop_all(timeout=30) == [True, True, True]

    assert not any(ref.is_alive() for ref in refs)


def test_names_tell_the_class_and_the_urn(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert str(ref) == f"{kind.__name__} ({ref.actor_urn})"
    assert ref.ask(str, timeout=30) == str(ref)
    assert ref.actor_urn.startswith("urn:uuid:")


def test_a_message_that_nobody_expected_is_logged(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Plain(kind.__mro__[2]):  # type: ignore[misc]  # the bare actor class
        pass

    ref = Plain.start()

    assert ref.ask("surprise", timeout=30) is None
    assert "Unexpected message received" in caplog.text


def test_actors_may_speak_to_each_other(kind: Any, log: list[Any]) -> None:
    done = threading.Event()
    first, second = kind.start(log), kind.start(log)

    first.tell(do(lambda actor: second.tell(do(lambda other: first.tell(do(lambda back: done.set()))))))

    assert done.wait(30)


# What ours adds


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("mine")])
@pytest.mark.parametrize("is_asked", [True, False])
def test_a_base_exception_stops_that_actor_only(error: BaseException, is_asked: bool, log: list[Any]) -> None:
    failing, other = Shared.start(log), Shared.start([])
    gone = failing.proxy().gone.get(timeout=30)

    if is_asked:
        with pytest.raises(pykka.ActorDeadError, match="was stopped by") as caught:
            failing.ask(error, timeout=30)
        assert caught.value.__cause__ is error
    else:
        failing.tell(error)

    assert gone.wait(30)
    assert stopped(failing)
    assert log == ["start", ("failure", type(error), str(error), True)]
    assert other.ask("still there", timeout=30) == ("received", "still there")
    other.stop(timeout=30)


def test_a_base_exception_in_a_hook_stops_nothing_else(dispatcher: Dispatcher, log: list[Any]) -> None:
    class Failing(Shared):
        def on_start(self) -> None:
            raise SystemExit(3)

    class Stopping(Shared):
        def on_stop(self) -> None:
            raise SystemExit(4)

    failing, stopping, other = (kind(log, dispatcher=dispatcher) for kind in (Failing, Stopping, Shared))
    for actor in (failing, stopping, other):
        actor.launch()

    assert stopped(failing.actor_ref)
    assert stopping.actor_ref.stop(timeout=30) is True
    assert other.actor_ref.ask(1, timeout=30) == ("received", 1)


def test_a_blocking_ask_inside_an_actor_is_refused(log: list[Any]) -> None:
    first, second = Shared.start(log), Shared.start(log)

    with pytest.raises(BlockingCallError, match="greenroom-actors"):
        first.ask(do(lambda actor: second.ask("wait for me")), timeout=30)
    with pytest.raises(BlockingCallError, match=r"in an actor, use add_done_callback\(\)"):
        first.ask(do(lambda actor: second.actor_stopped.wait()), timeout=30)

    first.stop(timeout=30)
    second.stop(timeout=30)


def test_launch_takes_no_entry_in_the_registry(dispatcher: Dispatcher, log: list[Any]) -> None:
    actor = Shared(log, dispatcher=dispatcher)

    actor.launch()

    assert actor.actor_ref.ask(1, timeout=30) == ("received", 1)
    assert pykka.ActorRegistry.get_by_class(Shared) == []
    with pytest.raises(RuntimeError, match="an actor is started once"):
        actor.launch()


def test_mail_sent_before_the_launch_is_handled_after_it(log: list[Any]) -> None:
    dispatcher = Dispatcher()
    actor = Shared(log, dispatcher=dispatcher)
    actor.actor_ref.tell(1)
    assert not dispatcher.step()

    actor.launch()
    dispatcher.sweep()

    assert log == ["start", 1]


def test_one_turn_takes_one_message(log: list[Any]) -> None:
    dispatcher = Dispatcher(clock=ManualClock())
    actor = Shared(log, dispatcher=dispatcher)
    actor.launch()
    first, second = (actor.actor_ref.ask(number, block=False) for number in (1, 2))
    assert isinstance(first, Future)
    assert isinstance(second, Future)

    seen = [(dispatcher.step(), first.done(), second.done()) for _ in range(4)]

    assert seen == [(True, False, False), (True, True, False), (True, True, True), (False, True, True)]


def test_a_bounded_mailbox_refuses_and_never_blocks(log: list[Any]) -> None:
    class Bounded(Shared):
        mailbox_limit: ClassVar[int | None] = 2

    dispatcher = Dispatcher()
    actor = Bounded(log, dispatcher=dispatcher)
    actor.launch()
    actor.actor_ref.tell(1)
    actor.actor_ref.tell(2)

    with pytest.raises(MailboxFullError):
        actor.actor_ref.tell(3)
    with pytest.raises(MailboxFullError):
        actor.actor_ref.ask(3, block=False)
    stop = actor.actor_ref.stop(block=False)
    dispatcher.sweep()

    assert stop.get() is True
    assert log == ["start", 1, 2, "stop"]


def test_what_is_told_to_an_actor_that_stops_becomes_a_dead_letter(log: list[Any]) -> None:
    dispatcher = Dispatcher()
    actor = Shared(log, dispatcher=dispatcher)
    actor.launch()
    actor.stop()
    actor.actor_ref.tell("behind")

    dispatcher.sweep()
    actor.actor_inbox.put(Envelope("after"), Lane.SYSTEM)

    assert [letter.message for letter in dispatcher.dead_letters.latest()] == ["behind", "after"]


def test_an_actor_abandoned_before_its_first_turn_never_begins(log: list[Any]) -> None:
    dispatcher = Dispatcher()
    actor = Shared(log, dispatcher=dispatcher)
    actor.launch()

    actor.abandon("the test says so")
    dispatcher.sweep()

    assert log == []
    assert dispatcher.idle


def test_ctrl_c_while_beginning_or_ending_by_hand_reaches_the_driver(log: list[Any]) -> None:
    class Interrupted(Shared):
        def on_start(self) -> None:
            if self.log == ["at start"]:
                raise KeyboardInterrupt

        def on_stop(self) -> None:
            raise KeyboardInterrupt

    dispatcher = Dispatcher()
    Interrupted(["at start"], dispatcher=dispatcher).launch()
    with pytest.raises(KeyboardInterrupt):
        dispatcher.sweep()

    actor = Interrupted(log, dispatcher=dispatcher)
    actor.launch()
    stop = actor.actor_ref.stop(block=False)
    with pytest.raises(KeyboardInterrupt):
        dispatcher.sweep()
    assert stop.get(timeout=0) is True


def test_the_stopped_flag_is_an_event_that_cannot_be_cleared() -> None:
    flag = StoppedFlag()
    assert not flag.is_set()
    assert not flag.wait(0.001)
    assert repr(flag) == "<StoppedFlag unset>"

    waiter = threading.Thread(target=flag.wait)
    waiter.start()
    flag.set()
    waiter.join(30)

    assert not waiter.is_alive()
    assert flag.wait(0)
    assert isinstance(flag, threading.Event)
    assert repr(flag) == "<StoppedFlag set>"
    with pytest.raises(RuntimeError, match="start a new one"):
        flag.clear()


def test_plain_actors_share_one_dispatcher_which_is_replaced_once_closed(log: list[Any]) -> None:
    first, second = Shared(log), Shared(log)
    shared = first.dispatcher

    assert shared is second.dispatcher is default_dispatcher()
    assert shared.close(timeout=30)

    assert default_dispatcher() is not shared
    assert Shared.start(log).stop(timeout=30)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_gets_a_dispatcher_of_its_own() -> None:
    default_dispatcher()

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if Shared.start([]).ask(1, timeout=30) == ("received", 1) else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("is_asked", [True, False])
def test_an_answer_given_twice_is_our_fault_and_not_the_actors(is_asked: bool, log: list[Any]) -> None:
    errors: list[BaseException] = []
    dispatcher = Dispatcher(on_error=errors.append)
    actor = Shared(log, dispatcher=dispatcher)
    actor.launch()
    reply = Future[Any]()
    reply.set("early")
    actor.actor_inbox.put(Envelope(1, reply_to=reply if is_asked else None))
    actor.actor_inbox.put(Envelope(2))

    dispatcher.sweep()

    assert [type(error) for error in errors] == ([queue.Full] if is_asked else [])
    assert log == ["start", 1, 2]
