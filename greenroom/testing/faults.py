"""A store that fails or crashes where a test wants it; what it does not fail goes to the real store below it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from ..storage import Changes, OutcomeUnknownError, ReadError, Store, Tree, WriteError
from .errors import Crash

__all__ = ["FaultyStore", "When"]

When = Literal["before", "after"]


class FaultyStore:
    """A ``Store`` around another one.

    Args:
        inner: the store that keeps the bytes; it is left open when this one is closed.

    Attributes:
        commits: how many commits were tried, the failed ones too.
        is_crashed: whether it refuses every commit because it has crashed.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.commits = 0
        self.is_crashed = False
        # Number of a commit → its error (None for a crash), and whether the disk has the batch first.
        self._plan: dict[int, tuple[BaseException | None, When]] = {}
        # Reads until one fails, counted down; None for no such read.
        self._reads_left: int | None = None

    @property
    def engine(self) -> str:
        """Name and version of what keeps the bytes."""
        return self.inner.engine

    @property
    def read_only(self) -> bool:
        """Whether every commit is refused."""
        return self.inner.read_only

    def fail_commit(self, n: int = 1, error: BaseException | None = None, *, after: bool = False) -> None:
        """Let the n-th commit from now on fail.

        Args:
            n: 1 is the next one.
            error: what it raises; by default ``WriteError``, and ``OutcomeUnknownError`` if the disk has the batch.
            after: the disk has the batch all the same.
        """
        if error is None:
            kind = OutcomeUnknownError if after else WriteError
            error = kind("the faulty store", "the test asked for it")
        self._plan[self.commits + n] = error, "after" if after else "before"

    def fail_read(self, n: int = 1) -> None:
        """Let the n-th read from now on fail as one does whose disk does not answer; the one after it works again.

        Args:
            n: 1 is the next one.
        """
        self._reads_left = n

    def crash_at_commit(self, n: int = 1, when: When = "before") -> None:
        """Let the process die at the n-th commit from now on, as far as the test is concerned: ``Crash`` is raised.

        Args:
            n: 1 is the next one.
            when: "before" the disk has the batch, or "after".
        """
        self._plan[self.commits + n] = None, when

    @contextmanager
    def undisturbed(self) -> Generator[None]:
        """Within this, reads use up nothing of what was planned."""
        left, self._reads_left = self._reads_left, None
        try:
            yield
        finally:
            self._reads_left = left

    def revive(self) -> None:
        """Take commits again, as the store of a process that was started anew; what was planned is forgotten."""
        self.is_crashed = False
        self._plan.clear()
        self._reads_left = None

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        """Return the value of a key, or None.

        Args:
            tree: the tree that has it.
            key: the key.

        Raises:
            ReadError: the test asked for a read that fails.
        """
        if self._reads_left is not None:
            self._count_read(self._reads_left)
        return self.inner.get(tree, key)

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return the first (key, value) pairs of a range of keys, in key order.

        Args:
            tree: the tree that has them.
            start: the first key of the range.
            stop: the key behind the range.
            limit: how many pairs to return at most.
            reverse: from the last key of the range downwards.

        Raises:
            ReadError: the test asked for a read that fails.
        """
        if self._reads_left is not None:
            self._count_read(self._reads_left)
        return self.inner.scan(tree, start, stop, limit=limit, reverse=reverse)

    def _count_read(self, left: int) -> None:
        self._reads_left = left - 1 or None
        if self._reads_left is None:
            raise ReadError("the faulty store", "the test asked for it")

    def commit(self, changes: Changes, *, expect: bytes | None = None) -> None:
        """Write a batch, unless it is to fail.

        Args:
            changes: tree → key → new value, None to delete the key.
            expect: what the row of the store's owner must still hold; None skips the comparison.

        Raises:
            Crash: here the process dies, or has died before.
        """
        if self.is_crashed:
            raise Crash(self.commits, "before")
        self.commits += 1
        planned = self._plan.pop(self.commits, None)
        if planned is None:
            self.inner.commit(changes, expect=expect)
            return
        error, when = planned
        if when == "after":
            self.inner.commit(changes, expect=expect)
        if error is None:
            self.is_crashed = True
            raise Crash(self.commits, when)
        raise error

    def close(self) -> None:
        """Do nothing: the store below belongs to whoever made it."""
