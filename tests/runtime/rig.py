"""What the tests of the runtime share: stores that fail when told to, and runtimes on them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from greenroom import Runtime
from greenroom.actors import Clock, Future
from greenroom.storage import Changes, Journal, MemoryStore, StorageError, Store, Tree

WAIT = float(os.environ.get("W", "30"))
"""Seconds that a test waits for what must happen; nothing is ever proved by how long something took."""

ROOT = Path(__file__).resolve().parents[2]


def runtime_on(store: Store, *, clock: Clock | None = None, path: str = "store", **options: Any) -> Runtime:
    """A runtime on a store that the test keeps, and a clock that the test moves."""
    options.setdefault("shutdown_grace", 1.0)
    runtime = Runtime(path, **options)
    vars(runtime)["_open_journal"] = lambda: Journal.on(store)
    if clock is not None:
        vars(runtime)["_clock"] = clock
    return runtime


class FaultyStore:
    """A store whose commits fail when ``refuse`` says so, before anything is written.

    Args:
        inner: what keeps the bytes.

    Attributes:
        refuse: given the number of the commit (the first is 1) and its changes; the error to raise, or None.
        commits: how many were asked for, those that failed too.
        puts: rows put by the commits that succeeded.
        put_bytes: their bytes.
    """

    def __init__(self, inner: Store | None = None) -> None:
        self.inner: Store = MemoryStore() if inner is None else inner
        self.refuse: Callable[[int, Changes], StorageError | None] = lambda number, changes: None
        self.commits = 0
        self.puts = 0
        self.put_bytes = 0

    @property
    def engine(self) -> str:
        return self.inner.engine

    @property
    def read_only(self) -> bool:
        return self.inner.read_only

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        return self.inner.get(tree, key)

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        return self.inner.scan(tree, start, stop, limit=limit, reverse=reverse)

    def commit(self, changes: Changes, *, expect: bytes | None = None) -> None:
        self.commits += 1
        error = self.refuse(self.commits, changes)
        if error is not None:
            raise error
        self.inner.commit(changes, expect=expect)
        rows = [(key, value) for rows in changes.values() for key, value in rows.items() if value is not None]
        self.puts += len(rows)
        self.put_bytes += sum(len(key) + len(value) for key, value in rows)

    def close(self) -> None:
        """The test keeps the store."""


class Gate:
    """Something an activity waits at until the test lets it go; ``reached`` tells how often it came."""

    def __init__(self) -> None:
        self._arrivals = threading.Semaphore(0)
        self._open = threading.Event()

    def pass_through(self) -> None:
        """Arrive, and wait until the gate is open."""
        self._arrivals.release()
        if not self._open.wait(WAIT):
            raise AssertionError("nobody opened the gate")

    def arrived(self) -> None:
        """Wait until somebody has arrived; each arrival is told once."""
        assert self._arrivals.acquire(timeout=WAIT), "nobody came to the gate"

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()


def error_of(future: Future[Any]) -> BaseException:
    """What a future fails with."""
    try:
        value = future.get(timeout=WAIT)
    except Exception as error:
        return error
    raise AssertionError(f"it gave {value!r}")


def python(code: str, *args: str, **options: Any) -> subprocess.Popen[str]:
    """A Python process of its own that can import the library."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
