"""What our actors add to what pykka promises of its own (which `tests/contract` checks)."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from typing import Any, ClassVar

import pykka
import pytest

from greenroom.actors import (
    BlockingCallError,
    Dispatcher,
    Future,
    Lane,
    MailboxFullError,
    ManualClock,
    StoppedFlag,
    default_dispatcher,
    shared_locks,
)
from greenroom.actors.pykka_seam import Envelope
from tests.contract.kinds import Shared, do, stopped


@pytest.fixture
def log() -> list[Any]:
    return []


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_is_forked_while_locks_are_held_is_not_held_up() -> None:
    locks: list[Any] = getattr(shared_locks, "_ALL")  # noqa: B009  # its own business
    are_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.ExitStack() as held:
            for lock in locks:
                held.enter_context(lock)
            are_held.set()
            is_over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    are_held.wait()

    child = os.fork()
    if child == 0:
        # It would hang for good otherwise.
        signal.alarm(20)
        try:
            ref = Shared.start([])
            os._exit(0 if ref.ask(1) == ("received", 1) and ref.stop() else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    is_over.set()
    thread.join()

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
