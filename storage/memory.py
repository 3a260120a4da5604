"""The store's promises in dicts, for tests: it holds committed batches only, as a disk would after a crash."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from threading import Lock
from typing import NoReturn

from .errors import ClosedError, FencedError
from .store import BAD_KEY, KEY_LIMIT, META_KEY, Changes, Tree

__all__ = ["MemoryStore"]

_CHEAPER = 8
"""So many keys are sorted in the time in which one is put in its place."""


class _Rows:
    """One tree: a dict and the sorted list of its keys, brought up to date when it is read."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._touched: set[bytes] = set()

    def change(self, changes: Mapping[bytes, bytes | None]) -> None:
        values, touched = self.values, self._touched
        for key, value in changes.items():
            if value is None:
                values.pop(key, None)
                touched.add(key)
            else:
                if key not in values:
                    touched.add(key)
                values[key] = value

    def keys(self) -> list[bytes]:
        touched = self._touched
        if touched:
            if len(self.values) < _CHEAPER * len(touched):
                self._keys = sorted(self.values)
            else:
                for key in touched:
                    self._move(key)
            touched.clear()
        return self._keys

    def _move(self, key: bytes) -> None:
        keys = self._keys
        place = bisect_left(keys, key)
        is_there = place < len(keys) and keys[place] == key
        if key in self.values and not is_there:
            insort(keys, key)
        elif key not in self.values and is_there:
            del keys[place]


class MemoryStore:
    """A ``Store`` without a disk.

    A journal on it may be dropped and another opened, as after a crash: nothing but whole batches is ever kept.
    """

    engine = "memory"
    read_only = False

    def __init__(self) -> None:
        self._trees = [_Rows() for _ in Tree]
        self._lock = Lock()
        self._closed = False

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        """Return the value of a key, or None.

        Args:
            tree: the tree that has it.
            key: the key.
        """
        if self._closed:
            self._refuse()
        return self._trees[tree].values.get(key)

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
        """
        with self._lock:
            if self._closed:
                self._refuse()
            rows = self._trees[tree]
            keys = rows.keys()
            first, last = bisect_left(keys, start), bisect_left(keys, stop)
            if reverse:
                chosen = keys[max(first, last - limit) : last][::-1]
            else:
                chosen = keys[first : min(last, first + limit)]
            return list(zip(chosen, map(rows.values.__getitem__, chosen), strict=True))

    def commit(self, changes: Changes, *, expect: bytes | None = None) -> None:
        """Take a batch over, everything or nothing.

        Args:
            changes: tree → key → new value, None to delete the key.
            expect: what the row of the store's owner must still hold; None skips the comparison.

        Raises:
            FencedError: the row ``META_KEY`` no longer holds what was expected.
            ValueError: a key is empty or too long.
        """
        for rows in changes.values():
            if b"" in rows or max(map(len, rows), default=0) > KEY_LIMIT:
                raise ValueError(BAD_KEY)
        with self._lock:
            if self._closed:
                self._refuse()
            if expect is not None and self._trees[Tree.META].values.get(META_KEY) != expect:
                raise FencedError("the memory store")
            for tree, rows in changes.items():
                self._trees[tree].change(rows)

    def close(self) -> None:
        """Refuse every later call; closing twice is no error."""
        self._closed = True

    def _refuse(self) -> NoReturn:
        """It is closed."""
        raise ClosedError("the memory store")
