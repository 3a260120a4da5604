"""What the tests of the core share."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator

import pytest

from tests.core.driving import Drive, driving


@pytest.fixture
def drive(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Drive]]:
    """Starts runs; at the end each is replayed from every prefix and put away, and nothing may have been printed."""
    with caplog.at_level(logging.WARNING), driving() as start:
        yield start
    gc.collect()
    assert capfd.readouterr().err == ""
    assert [record.getMessage() for record in caplog.records] == []
