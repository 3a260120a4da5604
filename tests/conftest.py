"""What tests of several folders share."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator

import pytest


def pytest_collection_finish() -> None:
    # Hundreds of tests collect, to see that nothing is left behind. With all modules and tests loaded that took 0.2 s
    # each time; what is there before the first test is nobody's garbage.
    gc.collect()
    gc.freeze()


@pytest.fixture
def threads() -> Iterator[Callable[[Callable[[], object]], threading.Thread]]:
    """Starts threads that are joined when the test is over."""
    started: list[threading.Thread] = []

    def start(target: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=target, daemon=True)
        started.append(thread)
        thread.start()
        return thread

    yield start
    for thread in started:
        thread.join(30)
