"""What pykka promises of its registry and of references; of its own actors and of ours."""

from __future__ import annotations

from typing import Any

import pykka
import pytest
from pykka import ActorRegistry

from tests.contract.kinds import do


def test_start_registers_and_stop_unregisters(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert ActorRegistry.get_by_urn(ref.actor_urn) == ref
    assert ActorRegistry.get_by_class(kind) == [ref]
    assert ref in ActorRegistry.get_all()

    ref.stop(timeout=30)
    assert ActorRegistry.get_by_urn(ref.actor_urn) is None
    assert ref not in ActorRegistry.get_all()


def test_actors_are_found_by_their_class_and_those_that_it_is_made_of(kind: Any, log: list[Any]) -> None:
    class Special(kind):  # type: ignore[misc]  # which class is known only when the test runs
        pass

    plain, special = kind.start(log), Special.start(log)

    assert ActorRegistry.get_by_class(kind) == [plain, special]
    assert ActorRegistry.get_by_class(Special) == [special]
    every: Any = pykka.Actor
    assert set(ActorRegistry.get_by_class(every)) >= {plain, special}


def test_actors_are_found_by_the_name_of_their_class_alone(kind: Any, log: list[Any]) -> None:
    class Special(kind):  # type: ignore[misc]  # which class is known only when the test runs
        pass

    kind.start(log)
    special = Special.start(log)

    assert ActorRegistry.get_by_class_name("Special") == [special]
    assert ActorRegistry.get_by_class_name("Nothing") == []


def test_a_list_of_all_is_a_copy(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    ActorRegistry.get_all().clear()

    assert ref in ActorRegistry.get_all()


@pytest.mark.parametrize("by", ["class", "name", "nothing"])
def test_a_broadcast_reaches_those_that_are_meant(kind: Any, log: list[Any], by: str) -> None:
    class Special(kind):  # type: ignore[misc]  # which class is known only when the test runs
        pass

    others: list[Any] = []
    refs = [kind.start(others), Special.start(log), Special.start(log)]

    whom: dict[str, Any] = {"class": Special, "name": "Special", "nothing": None}
    ActorRegistry.broadcast("all", whom[by])
    for ref in refs:
        ref.stop(timeout=30)

    assert log.count("all") == 2
    assert others.count("all") == (1 if by == "nothing" else 0)


def test_stop_all_stops_the_last_one_first_and_says_what_each_stop_has_said(kind: Any) -> None:
    order: list[int] = []

    class Numbered(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def __init__(self, number: int) -> None:
            kind.__init__(self, [])
            self.number = number

        def on_stop(self) -> None:
            order.append(self.number)

    refs = [Numbered.start(number) for number in range(3)]

    assert ActorRegistry.stop_all(timeout=30) == [True, True, True]
    assert order == [2, 1, 0]
    assert not any(ref.is_alive() for ref in refs)
    assert ActorRegistry.get_all() == []


def test_stop_all_without_blocking_gives_a_future_for_each(kind: Any, log: list[Any]) -> None:
    for _ in range(3):
        kind.start(log)

    futures = ActorRegistry.stop_all(block=False)

    assert pykka.get_all(futures, timeout=30) == [True, True, True]


def test_who_is_unregistered_by_hand_is_not_found_and_still_runs(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    ActorRegistry.unregister(ref)
    ActorRegistry.unregister(ref)

    assert ActorRegistry.get_by_urn(ref.actor_urn) is None
    assert ref.ask(1, timeout=30) == ("received", 1)
    ActorRegistry.register(ref)
    assert ActorRegistry.get_by_urn(ref.actor_urn) == ref


# References


def test_names_tell_the_class_and_the_urn(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert str(ref) == f"{kind.__name__} ({ref.actor_urn})"
    assert repr(ref) == f"<ActorRef for {ref}>"
    assert ref.ask(str, timeout=30) == str(ref)
    assert ref.actor_urn.startswith("urn:uuid:")


def test_urns_differ(kind: Any, log: list[Any]) -> None:
    assert len({kind.start(log).actor_urn for _ in range(20)}) == 20


def test_references_to_one_actor_are_equal_and_to_two_are_not(kind: Any, log: list[Any]) -> None:
    first, second = kind.start(log), kind.start(log)

    own = first.ask(do(lambda actor: actor.actor_ref), timeout=30)

    assert own == first
    assert hash(own) == hash(first)
    assert first != second


def test_a_reference_tells_what_is_documented_of_its_actor(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert ref.actor_class is kind
    assert ref.is_alive()
    assert not ref.actor_stopped.is_set()
    assert ref.ask(do(lambda actor: actor.actor_urn), timeout=30) == ref.actor_urn
    assert ref.actor_inbox.empty()


def test_stopped_is_an_event_that_can_be_waited_for(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    assert not ref.actor_stopped.wait(0)

    ref.stop(block=False)

    assert ref.actor_stopped.wait(30)
    assert ref.actor_stopped.is_set()
    assert not ref.is_alive()
