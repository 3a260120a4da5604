"""Hearing that another actor has stopped."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pykka
import pytest
from pykka import ActorRef

from greenroom.actors import Actor, ChildSpec, Dispatcher, StoppedFlag, Supervisor, Terminated


class Watcher(Actor):
    """Notes what it hears; watches and stops watching when it is told to."""

    mailbox_limit = 1

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher=dispatcher)
        self.heard: list[Any] = []

    def on_receive(self, message: Any) -> None:
        if callable(message):
            message(self)
        else:
            self.heard.append(message)


class Mortal(Actor):
    def on_receive(self, message: Any) -> None:
        raise message


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher()


def run(dispatcher: Dispatcher) -> None:
    while dispatcher.sweep():
        pass


def launched(actor: Actor) -> ActorRef[Any]:
    actor.launch()
    run(actor.dispatcher)
    return actor.actor_ref


def test_a_watcher_is_told_once_of_what_it_watches_and_of_what_that_stopped(dispatcher: Dispatcher) -> None:
    watcher = Watcher(dispatcher)
    launched(watcher)
    told, failed = Mortal(dispatcher=dispatcher), Mortal(dispatcher=dispatcher)
    error = ValueError("boom")
    for ref in (launched(told), launched(failed)):
        watcher.watch(ref)
        watcher.watch(ref)

    told.actor_ref.stop(block=False)
    failed.actor_ref.tell(error)
    run(dispatcher)

    assert watcher.heard == [Terminated(told.actor_ref, None), Terminated(failed.actor_ref, error)]


def test_one_that_has_stopped_before_is_told_of_at_once(dispatcher: Dispatcher) -> None:
    watcher, mortal = Watcher(dispatcher), Mortal(dispatcher=dispatcher)
    launched(watcher)
    ref = launched(mortal)
    ref.stop(block=False)
    run(dispatcher)

    watcher.watch(ref)
    run(dispatcher)

    assert watcher.heard == [Terminated(ref, None)]


def test_a_full_mailbox_has_room_for_the_news(dispatcher: Dispatcher) -> None:
    watcher, mortal = Watcher(dispatcher), Mortal(dispatcher=dispatcher)
    ref = launched(mortal)
    watcher.launch()
    watcher.watch(ref)
    watcher.actor_ref.tell("fills the mailbox")

    ref.stop(block=False)
    run(dispatcher)

    assert watcher.heard == ["fills the mailbox", Terminated(ref, None)]


def test_who_does_not_watch_any_more_is_not_told(dispatcher: Dispatcher) -> None:
    watcher, mortal = Watcher(dispatcher), Mortal(dispatcher=dispatcher)
    launched(watcher)
    ref = launched(mortal)
    watcher.watch(ref)

    watcher.unwatch(ref)
    watcher.unwatch(ref)
    ref.stop(block=False)
    run(dispatcher)

    assert watcher.heard == []


def test_a_watcher_that_has_stopped_is_forgotten(dispatcher: Dispatcher) -> None:
    watcher, mortal = Watcher(dispatcher), Mortal(dispatcher=dispatcher)
    launched(watcher)
    ref = launched(mortal)
    watcher.watch(ref)
    watcher.actor_ref.stop(block=False)
    run(dispatcher)
    remains = weakref.ref(watcher)

    del watcher
    gc.collect()

    assert remains() is None
    assert dispatcher.dead_letters.count == 0


class Contagious(StoppedFlag):
    """The actors of others stop at the moment at which it is to tell somebody no more, as they may on other threads."""

    __slots__ = ("others",)

    def __init__(self) -> None:
        super().__init__()
        self.others: Sequence[StoppedFlag] = ()

    def forget(self, callback: Callable[[], object]) -> None:
        for other in self.others:
            other.set()
        super().forget(callback)


def test_a_watcher_ends_though_those_that_it_watches_stop_at_that_moment() -> None:
    errors: list[BaseException] = []
    dispatcher = Dispatcher(on_error=errors.append)
    watcher, flags = Watcher(dispatcher), [Contagious() for _ in range(3)]
    launched(watcher)
    for flag in flags:
        mortal = Mortal(dispatcher=dispatcher)
        mortal.actor_stopped = flag
        flag.others = flags
        watcher.watch(launched(mortal))

    stopping = watcher.actor_ref.stop(block=False)
    run(dispatcher)

    assert errors == []
    assert stopping.get(timeout=0)
    assert not watcher.actor_ref.is_alive()


def test_who_does_not_watch_any_more_is_not_told_of_one_that_stops_at_that_moment(dispatcher: Dispatcher) -> None:
    watcher, mortal, flag = Watcher(dispatcher), Mortal(dispatcher=dispatcher), Contagious()
    launched(watcher)
    mortal.actor_stopped = flag
    flag.others = [flag]
    ref = launched(mortal)
    watcher.watch(ref)

    watcher.unwatch(ref)
    run(dispatcher)

    assert watcher.heard == []


def test_one_that_cannot_start_watches_nobody(dispatcher: Dispatcher) -> None:
    ref = launched(Mortal(dispatcher=dispatcher))
    tried: list[str] = []
    heard: list[Any] = []

    class Late(Actor):
        def on_start(self) -> None:
            kind = type(self).__name__
            tried.append(kind)
            if tried.count(kind) < 4:
                self.watch(ref)
                raise OSError("not yet")

        def on_receive(self, message: Any) -> None:
            heard.append(message)

    class LateSupervisor(Supervisor, Late):
        pass

    specs = [ChildSpec("actor", Late), ChildSpec("supervisor", LateSupervisor)]
    supervisor = launched(Supervisor(specs, max_restarts=20, dispatcher=dispatcher))

    ref.stop(block=False)
    run(dispatcher)

    assert supervisor.is_alive()
    assert len(tried) == 8
    assert heard == []


def test_an_actor_of_another_kind_cannot_be_watched(dispatcher: Dispatcher) -> None:
    class Threaded(pykka.ThreadingActor):
        pass

    ref = Threaded.start()
    watcher = Watcher(dispatcher)
    try:
        with pytest.raises(TypeError, match="only actors of greenroom say that they have stopped"):
            watcher.watch(ref)
    finally:
        ref.stop()


# The flag


def test_a_flag_is_set_once_and_tells_each_though_one_raises(caplog: pytest.LogCaptureFixture) -> None:
    flag = StoppedFlag()
    told: list[int] = []
    error = ValueError("first")

    def fails() -> None:
        raise LookupError("in a callback")

    flag.call_when_set(fails)
    flag.call_when_set(lambda: told.append(1))
    flag.set(error)
    flag.set(ValueError("second"))
    flag.call_when_set(lambda: told.append(2))

    assert told == [1, 2]
    assert flag.error is error
    assert "in a callback" in caplog.text


class Compared:
    """A callback that counts how often it is compared with others."""

    times = 0

    def __call__(self, _: object = None) -> None: ...

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        type(self).times += 1
        return self is other


def test_one_of_many_is_forgotten_without_a_look_at_the_others() -> None:
    flag = StoppedFlag()
    callbacks = [Compared() for _ in range(100)]
    for callback in callbacks:
        flag.call_when_set(callback)

    for callback in reversed(callbacks):
        flag.forget(callback)

    assert not getattr(flag, "_callbacks")  # noqa: B009  # its own business
    assert Compared.times == 0


def test_a_wait_that_is_over_leaves_nothing_behind() -> None:
    flag = StoppedFlag()

    assert not flag.wait(0)
    assert not flag.wait(-1)

    assert not getattr(flag, "_callbacks")  # noqa: B009  # its own business
