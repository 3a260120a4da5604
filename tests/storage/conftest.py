"""Journals for the storage tests: each test runs on memory and on a real LMDB directory where both must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from greenroom.storage import Journal, MemoryStore, RunHeader, Store
from greenroom.storage.environment import Environment
from greenroom.storage.settings import Settings

MIB = 1 << 20
OpenStore = Callable[[], Store]
OpenJournal = Callable[[], Journal]


@pytest.fixture(params=["memory", "lmdb"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Open one and the same store; a second call reopens it, as after a crash."""
    memory = MemoryStore()
    opened: list[Environment] = []

    def on_memory() -> Store:
        return memory

    def on_disk() -> Store:
        for environment in opened:
            environment.close()
        opened.append(Environment.open(tmp_path / "store", settings=Settings(map_size=64 * MIB)))
        return opened[-1]

    yield on_memory if request.param == "memory" else on_disk
    for environment in opened:
        environment.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


@pytest.fixture
def reopen(open_store: OpenStore) -> OpenJournal:
    return lambda: Journal.on(open_store())


@pytest.fixture
def journal(reopen: OpenJournal) -> Journal:
    return reopen()


@pytest.fixture
def header() -> RunHeader:
    return RunHeader(
        *("order-1", "0192-run", "OrderWorkflow", 1, 1_000, None, None, "0192-run", "3.11"),
        *(7, 0, 0, b"options", b"", ""),
    )
