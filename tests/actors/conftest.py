from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from greenroom.actors import Dispatcher


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    """A started dispatcher on the system's clock."""
    dispatcher = Dispatcher(name="test-dispatcher")
    dispatcher.start()
    yield dispatcher
    assert dispatcher.close(timeout=30)


@pytest.fixture
def impatient_interpreter() -> Iterator[None]:
    """Threads that are interrupted as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
