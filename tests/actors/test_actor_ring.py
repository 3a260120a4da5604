"""The way through the layer in one piece: tell, ask, stop, by a thread and by hand."""

from __future__ import annotations

from typing import Any

import pykka
import pytest

from greenroom.actors import Actor, Dispatcher, Future, ManualClock


class Echo(Actor):
    def on_receive(self, message: Any) -> Any:
        if message == "boom":
            raise ValueError(message)
        return message


def is_done(future: pykka.Future[Any]) -> bool:
    return isinstance(future, Future) and future.done()


def test_an_actor_answers_on_the_shared_dispatcher() -> None:
    ref = Echo.start()

    assert ref.ask("hello") == "hello"
    with pytest.raises(ValueError, match="boom"):
        ref.ask("boom")

    assert ref.stop() is True
    assert not ref.is_alive()


def test_a_dispatcher_driven_by_hand_takes_one_turn_a_step() -> None:
    dispatcher = Dispatcher(clock=ManualClock())
    actor = Echo(dispatcher=dispatcher)
    actor.launch()
    first = actor.actor_ref.ask(1, block=False)
    second = actor.actor_ref.ask(2, block=False)

    steps = [(dispatcher.step(), is_done(first), is_done(second)) for _ in range(4)]

    assert steps == [(True, False, False), (True, True, False), (True, True, True), (False, True, True)]
