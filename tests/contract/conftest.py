from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from tests.contract.deviations import DEVIATIONS
from tests.contract.kinds import FUTURES, KINDS

_DIFFERENT = {deviation.claim: deviation.ours for deviation in DEVIATIONS}


def _expect(request: pytest.FixtureRequest, kinds: list[Any]) -> None:
    """What ours does otherwise must be otherwise: if the claim holds after all, that is a failure."""
    ours = _DIFFERENT.get(request.node.originalname)
    if ours is not None and request.param is kinds[1]:
        request.applymarker(pytest.mark.xfail(reason=ours, strict=True))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A class of actors; those that a test leaves are stopped."""
    _expect(request, KINDS)
    yield request.param
    pykka.ActorRegistry.stop_all(timeout=30)


@pytest.fixture(params=FUTURES)
def future_class(request: pytest.FixtureRequest) -> type[pykka.Future[Any]]:
    """A class of futures."""
    _expect(request, FUTURES)
    made: type[pykka.Future[Any]] = request.param
    return made


@pytest.fixture
def log() -> list[Any]:
    """What an actor has noted."""
    return []
