"""Values that are handed on do not change; a change is another one."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.runtime.model.values import Value, changed


class Place(Value, frozen=True):
    name: str
    floor: int = 0


def test_a_value_does_not_change_and_is_equal_to_one_with_the_same_fields() -> None:
    place: Any = Place("hall")

    with pytest.raises(AttributeError):
        place.floor = 1
    assert place == Place("hall", 0) != Place("hall", 1)


def test_a_change_is_another_value() -> None:
    place = Place("hall")

    assert changed(place, floor=2) == Place("hall", 2)
    assert place.floor == 0


def test_a_field_that_there_is_not_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="no field 'flor'"):
        changed(Place("hall"), flor=2)
