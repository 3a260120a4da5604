"""Every type that is stored exactly comes back, nested to depth 4, under its annotation and without one."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from greenroom.runtime.model.payloads import Converter
from tests.model.payload_strategies import plain, same, typed_values

converter = Converter()
MANY = settings(
    max_examples=100 * int(os.environ.get("FUZZ", "1")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.slow
@MANY
@given(typed_values())
def test_a_value_comes_back_exactly_under_its_annotation(typed: tuple[Any, Any]) -> None:
    hint, value = typed

    found = converter.decode(converter.encode(value), hint)

    assert same(found, value)


@pytest.mark.slow
@MANY
@given(typed_values())
def test_without_an_annotation_a_value_comes_back_as_the_guide_says(typed: tuple[Any, Any]) -> None:
    _, value = typed
    expected = plain(value)

    found = converter.decode(converter.encode(value), Any)

    assert same(found, expected)
