"""What an activity returns must be what it is annotated with; if it is not, the attempt has failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import pytest

from greenroom.runtime.shell.performer import Failed, Performer, Task

Make = Callable[..., Task]
Fails = Callable[[], Failed]


@dataclass
class Price:
    cents: int


def price() -> int:
    return cast("int", "3 EUR")


async def price_later() -> int:
    return cast("int", "3 EUR")


@pytest.mark.parametrize("fn", [price, price_later])
def test_a_result_of_another_type_is_a_failed_attempt_that_names_the_activity_and_both_types(
    performer: Performer, make: Make, failed: Fails, fn: Callable[..., Any]
) -> None:
    performer.perform(make(fn))

    failure = failed().failure
    assert failure.message == (
        f"activity '{fn.__name__}' returned '3 EUR', which does not fit its annotation, int: a str where int is "
        "annotated; change the annotation or send what it says"
    )
    assert (failure.type, failure.non_retryable) == ("PayloadDecodeError", False)


def test_a_part_of_a_result_that_does_not_fit_is_named(performer: Performer, make: Make, failed: Fails) -> None:
    def prices() -> list[Price]:
        return [Price(1), cast("Any", Price("2"))]  # type: ignore[arg-type]

    performer.perform(make(prices))

    assert "[1].cents: a str where int is annotated" in failed().failure.message


def test_a_result_where_none_is_annotated_is_a_failed_attempt(performer: Performer, make: Make, failed: Fails) -> None:
    def quiet() -> None:
        return cast("None", 3)

    performer.perform(make(quiet))

    assert "does not fit its annotation, None" in failed().failure.message


def test_a_long_result_is_cut_in_the_message(performer: Performer, make: Make, failed: Fails) -> None:
    def long() -> int:
        return cast("int", "x" * 100_000)

    performer.perform(make(long))

    assert len(failed().failure.message) < 500


def test_a_result_that_cannot_be_shown_is_told_by_its_type(performer: Performer, make: Make, failed: Fails) -> None:
    def huge() -> Literal[1]:
        return cast("Literal[1]", 10**10_000)

    performer.perform(make(huge))

    assert "activity 'huge' returned " in failed().failure.message


def test_a_result_without_an_annotation_may_be_anything(performer: Performer, make: Make, result: Any) -> None:
    def anything():  # type: ignore[no-untyped-def]
        return "3 EUR"

    performer.perform(make(anything))

    assert result() == "3 EUR"


def test_a_result_is_taken_as_the_annotation_would_read_it(performer: Performer, make: Make, result: Any) -> None:
    def ratio() -> float:
        return 3

    performer.perform(make(ratio))

    assert result() == 3
