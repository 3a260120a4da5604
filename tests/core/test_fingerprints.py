"""What a function can reach is compared all the way down, and nothing else is."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.runtime.core import fingerprints
from greenroom.runtime.core.fingerprints import difference, fingerprint


class Point(msgspec.Struct):
    x: int
    y: list[int]


@dataclass(slots=True)
class Pair:
    left: Any
    right: Any


class Plain:
    def __init__(self) -> None:
        self.value = 1

    def change(self) -> None:
        self.value = 2


def holding(value: Any) -> Callable[[], Any]:
    """A function that can reach a value."""

    def handler() -> Any:
        return value

    return handler


def changed_by(value: Any, change: Callable[[Any], object]) -> str:
    """What is different once something has changed a value."""
    handler = holding(value)
    before = fingerprint(handler)
    change(value)
    return difference(before, fingerprint(handler))


CHANGES: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "a list": ([1], lambda it: it.append(2)),
    "a list of the same length": ([1], lambda it: it.__setitem__(0, 2)),
    "true for one": ([1], lambda it: it.__setitem__(0, True)),
    "a dict": ({}, lambda it: it.update(a=1)),
    "the order of a dict": ({"a": 1, "b": 1}, lambda it: it.update(a=it.pop("a"))),
    "a default": (defaultdict(int), lambda it: it["a"]),
    "an ordered dict": (OrderedDict(a=1, b=2), lambda it: it.move_to_end("a")),
    "a set": ({1}, lambda it: it.add(2)),
    "a deque": (deque([1, 2]), lambda it: it.rotate()),
    "bytes": (bytearray(b"a"), lambda it: it.extend(b"b")),
    "a struct": (Point(1, [2]), lambda it: setattr(it, "x", 2)),
    "a list in a struct": (Point(1, [2]), lambda it: it.y.append(3)),
    "a slot": (Pair(1, 2), lambda it: setattr(it, "left", 2)),
    "an attribute": (Plain(), lambda it: setattr(it, "value", 2)),
    "another attribute": (Plain(), lambda it: setattr(it, "other", 2)),
    "another object": ([object()], lambda it: it.__setitem__(0, object())),
    "a list in a tuple in a dict": ({"a": ([],)}, lambda it: it["a"][0].append(1)),
    "which of two is the same": (Pair([], []), lambda it: setattr(it, "left", it.right)),
    "dice": (random.Random(1), lambda it: it.random()),
    "a method": ([Plain().change], lambda it: it[0]()),
    "a function": ([holding(inner := [1])], lambda it: inner.append(2)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_found_of(what: str) -> None:
    assert changed_by(*CHANGES[what]) == "value"


def test_a_change_of_a_future_is_found() -> None:
    loop = asyncio.new_event_loop()
    future: asyncio.Future[int] = loop.create_future()

    assert changed_by([future], lambda it: it[0].add_done_callback(print)) == "value"
    assert changed_by([future], lambda it: it[0].cancel()) == "value"
    loop.close()


CIRCLE: list[Any] = [1]
CIRCLE.append(CIRCLE)

SAME: dict[str, Any] = {
    "an equal list": [1, 2],
    "times and numbers": [timedelta(1), Decimal("1.0"), 1.5, float("nan"), None, ...],
    "a circle": CIRCLE,
    "objects": [object(), Plain(), Pair(1, [2])],
    "what is not a run's": [logging.getLogger("tests.fingerprints")],
}


@pytest.mark.parametrize("what", SAME)
def test_nothing_is_found_if_nothing_has_changed(what: str) -> None:
    assert changed_by(SAME[what], lambda it: logging.getLogger("tests.fingerprints").isEnabledFor(10)) == ""


def test_an_equal_value_in_the_place_of_another_is_no_change() -> None:
    assert changed_by({"a": [1]}, lambda it: it.update(a=[1])) == ""


def test_a_function_that_shares_nothing_has_no_fingerprint() -> None:
    assert fingerprint(test_a_function_that_shares_nothing_has_no_fingerprint) == {}
    assert list(fingerprint(print)) == [repr(print)]


def test_a_variable_that_has_no_value_yet_is_no_obstacle() -> None:
    def handler() -> int:
        return later

    before = fingerprint(handler)
    later = 1

    assert difference(before, fingerprint(handler)) == "later"


def test_beyond_a_number_of_values_nothing_more_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "LARGEST", 10)
    few, many = [[0]], [[number] for number in range(20)]

    assert changed_by(few, lambda it: it[0].append(1)) == "value"
    # The last is looked at first.
    assert changed_by(many, lambda it: it[0].append(1)) == ""


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(trees, trees)
def test_two_values_have_one_fingerprint_just_if_they_are_written_alike(one: Any, other: Any) -> None:
    are_alike = repr(one) == repr(other)

    assert (difference(fingerprint(holding(one)), fingerprint(holding(other))) == "") is are_alike
