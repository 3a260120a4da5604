"""What pykka promises of proxies; of its own actors and of ours."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pykka
import pytest

from tests.contract.kinds import do, stopped


class Part:
    """What an actor has inside."""

    def __init__(self) -> None:
        self.volume = 3
        self.inner: Any = None

    def louder(self, by: int = 1) -> int:
        self.volume += by
        return self.volume


def whole(kind: Any) -> Any:
    """A class of actors with parts."""

    class Whole(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def __init__(self, log: list[Any]) -> None:
            kind.__init__(self, log)
            self.part = pykka.traversable(Part())
            self.part.inner = pykka.traversable(Part())
            self.closed = Part()
            self._own = "private"
            self.handler = lambda: "called"

        @property
        def twice(self) -> int:
            return 2 * self.attribute

        @twice.setter
        def twice(self, value: int) -> None:
            self.attribute = value // 2

        @staticmethod
        def of_nobody(word: str) -> str:
            return word

    return Whole


def assign(proxy: Any, **attributes: object) -> None:
    """Set attributes, so that type checkers do not take them for what was set."""
    for name, value in attributes.items():
        setattr(proxy, name, value)


def test_a_proxy_calls_methods_and_reads_and_writes_attributes(kind: Any, log: list[Any]) -> None:
    proxy = kind.start(log).proxy()

    assert proxy.add(2, times=3).get(timeout=30) == 7
    assign(proxy, attribute=10)
    assert proxy.attribute.get(timeout=30) == 10
    assert proxy.shared_by_all.get(timeout=30) == "of the class"


def test_a_deferred_call_returns_nothing_and_is_made_in_order(kind: Any, log: list[Any]) -> None:
    proxy = kind.start(log).proxy()

    assert proxy.add.defer(1) is None
    assert proxy.attribute.get(timeout=30) == 2


def test_calls_and_messages_are_handled_in_the_order_in_which_they_were_sent(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    proxy = ref.proxy()

    first = proxy.add(1)
    ref.tell(do(lambda actor: actor.log.append(actor.attribute)))
    second = proxy.add(1)
    second.get(timeout=30)

    assert first.get(timeout=30) == 2
    assert log == ["start", 2]


def test_what_a_call_raises_is_raised_by_get_and_the_actor_lives_on(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    future = ref.proxy().add("not a number", times=2)
    with pytest.raises(TypeError):
        future.get(timeout=30)

    assert ref.is_alive()


def test_what_a_deferred_call_raises_stops_the_actor(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    gone = ref.proxy().gone.get(timeout=30)

    ref.proxy().add.defer("not a number")

    assert stopped(ref)
    assert gone.wait(30)
    assert log[1][:2] == ("failure", TypeError)


def test_properties_static_methods_and_callable_attributes_are_served(kind: Any, log: list[Any]) -> None:
    proxy = whole(kind).start(log).proxy()

    assign(proxy, twice=10)
    assert proxy.twice.get(timeout=30) == 10
    assert proxy.attribute.get(timeout=30) == 5
    assert proxy.of_nobody("word").get(timeout=30) == "word"
    assert proxy.handler().get(timeout=30) == "called"


def test_what_is_marked_as_traversable_is_reached_through_the_proxy(kind: Any, log: list[Any]) -> None:
    proxy = whole(kind).start(log).proxy()

    assert proxy.part.louder(by=2).get(timeout=30) == 5
    assign(proxy.part, volume=7)
    assert proxy.part.volume.get(timeout=30) == 7
    assert proxy.part.inner.louder().get(timeout=30) == 4
    proxy.part.louder.defer()
    assert proxy.part.volume.get(timeout=30) == 8


def test_what_is_not_marked_comes_as_it_is(kind: Any, log: list[Any]) -> None:
    proxy = whole(kind).start(log).proxy()

    part = proxy.closed.get(timeout=30)

    assert isinstance(part, Part)


def test_private_and_missing_attributes_are_not_there(kind: Any, log: list[Any]) -> None:
    proxy = whole(kind).start(log).proxy()

    for name in ("_own", "missing"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(proxy, name)


def test_an_attribute_that_came_later_is_found(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    proxy = ref.proxy()

    ref.ask(do(lambda actor: setattr(actor, "late", "here")), timeout=30)

    assert proxy.late.get(timeout=30) == "here"


def test_a_new_attribute_may_be_set(kind: Any, log: list[Any]) -> None:
    proxy = kind.start(log).proxy()

    assign(proxy, colour="red")

    assert proxy.colour.get(timeout=30) == "red"


def test_setting_waits_until_it_is_done_and_raises_what_that_raises(kind: Any, log: list[Any]) -> None:
    class Strict(kind):  # type: ignore[misc]  # which class is known only when the test runs
        @property
        def fixed(self) -> int:
            return 1

    ref = Strict.start(log)

    with pytest.raises(AttributeError):
        ref.proxy().fixed = 2
    assert ref.is_alive()


def test_an_attribute_of_an_actor_may_have_any_name(kind: Any, log: list[Any]) -> None:
    proxy = kind.start(log).proxy()

    for name in ("dispatcher", "keeper", "name", "clock"):
        setattr(proxy, name, "mine")

    assert proxy.dispatcher.get(timeout=30) == "mine"


def test_dir_tells_what_can_be_asked(kind: Any, log: list[Any]) -> None:
    names = dir(kind.start(log).proxy())

    assert {"add", "attribute", "shared_by_all", "actor_ref"} <= set(names)
    assert "_own" not in names


def test_proxies_of_one_actor_are_equal_and_of_two_are_not(kind: Any, log: list[Any]) -> None:
    first, second = kind.start(log), kind.start(log)

    assert first.proxy() == first.proxy()
    assert hash(first.proxy()) == hash(first.proxy())
    assert first.proxy() != second.proxy()
    assert first.proxy() != first
    assert first.proxy().actor_ref == first
    assert str(first) in repr(first.proxy())


def test_a_dead_actor_has_no_proxy(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    ref.stop(timeout=30)

    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()


def test_a_proxy_of_an_actor_that_died_says_so(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    proxy = ref.proxy()
    ref.stop(timeout=30)
    gc.collect()

    with pytest.raises(pykka.ActorDeadError):
        proxy.add(1).get(timeout=30)
    with pytest.raises(pykka.ActorDeadError):
        proxy.attribute.get(timeout=30)
    with pytest.raises(pykka.ActorDeadError):
        proxy.attribute = 2
    with pytest.raises(pykka.ActorDeadError):
        proxy.add.defer(1)


def test_an_actor_may_keep_a_private_proxy_to_itself_and_defer_work(kind: Any, log: list[Any]) -> None:
    done = threading.Event()

    class Cooperative(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def on_start(self) -> None:
            self._later = self.actor_ref.proxy()

        def count(self, down_from: int) -> None:
            self.log.append(down_from)
            if down_from:
                self._later.count(down_from - 1)
            else:
                done.set()

    ref = Cooperative.start(log)
    ref.proxy().count.defer(3)

    assert done.wait(30)
    assert log == [3, 2, 1, 0]


def test_a_proxy_may_be_passed_to_another_actor(kind: Any, log: list[Any]) -> None:
    first, second = kind.start(log), kind.start(log)
    proxy = first.proxy()

    future = second.ask(do(lambda actor: proxy.add(1)), timeout=30)

    assert future.get(timeout=30) == 2


def test_a_call_may_be_awaited(kind: Any, log: list[Any]) -> None:
    proxy = kind.start(log).proxy()

    async def main() -> tuple[int, int]:
        return await proxy.add(1), await proxy.attribute

    assert asyncio.run(main()) == (2, 2)
