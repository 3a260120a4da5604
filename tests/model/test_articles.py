"""Nouns in messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from greenroom.actors import articles as of_actors
from greenroom.runtime.model import articles as of_the_model


@pytest.mark.parametrize("with_article", [of_actors.with_article, of_the_model.with_article])
@pytest.mark.parametrize(
    "told",
    [
        "an int",
        "a str",
        "an object",
        "an Order",
        "an _Event",
        "a UUID",
        "a User",
        "an Update",
        "a UTCTime",
        "a uint8",
        "a One",
    ],
)
def test_a_noun_has_the_article_that_is_spoken(with_article: Callable[[str], str], told: str) -> None:
    assert with_article(told.split()[1]) == told
