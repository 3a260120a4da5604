"""The promise both stores keep: six ordered trees of bytes, read in short slices and changed by whole batches."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol

__all__ = ["BAD_KEY", "KEY_LIMIT", "META_KEY", "Changes", "Plan", "Store", "Tree", "plan"]

META_KEY = b"meta"
KEY_LIMIT = 511
BAD_KEY = f"a key is empty or longer than {KEY_LIMIT} bytes; no store can hold it"


class Tree(IntEnum):
    """The trees of a store; the set is fixed, and all are opened once."""

    META = 0
    RUNS = 1
    DUE = 2
    IDS = 3
    DEAD = 4
    ATTRIBUTES = 5


Changes = Mapping[Tree, Mapping[bytes, bytes | None]]
"""Tree → key → new value; None deletes the key, and deleting what is not there is no error."""


Plan = list[tuple[Tree, list[tuple[bytes, bytes]], list[bytes]]]
"""For each tree: the pairs to put, in key order, and the keys to delete."""


def plan(changes: Changes) -> Plan:
    """Sort a batch into puts and deletes."""
    return [
        (
            tree,
            sorted((key, value) for key, value in rows.items() if value is not None),
            [key for key, value in rows.items() if value is None],
        )
        for tree, rows in changes.items()
    ]


class Store(Protocol):
    """Ordered bytes that change by whole batches.

    One thread commits at a time; any thread may read. A read sees whole batches only.
    """

    @property
    def engine(self) -> str:
        """Name and version of what keeps the bytes, for the record."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether every commit is refused."""
        ...

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        ...

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return at most ``limit`` (key, value) pairs of the half-open range [start, stop), in key order.

        Args:
            reverse: from the last key of the range downwards.
        """
        ...

    def commit(self, changes: Changes, *, expect: bytes | None = None) -> None:
        """Write a batch, everything or nothing; it is durable when this returns.

        Args:
            expect: what the row ``META_KEY`` must still hold. This is the fence against a second owner: it is compared
                inside the transaction. None skips it.

        Raises:
            FencedError: the row holds something else.
            FullError, WriteError: nothing was written; the same batch may be committed again.
            OutcomeUnknownError: the disk failed at the last step and cannot be asked.
            ValueError: a key is empty or longer than ``KEY_LIMIT`` bytes.
        """
        ...

    def close(self) -> None:
        """Let go of everything; closing twice is no error."""
        ...
