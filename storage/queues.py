"""What a journal has in queues: mail that waits, runs that are active, what is due; a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from . import keys
from .active import runs_in
from .codec import decode, decode_bits, sealed
from .errors import ClosedError, CorruptError
from .records import Due, Retention
from .store import Store, Tree

__all__ = ["PAGE", "Queues"]

PAGE = 1000
# A damaged row of marks: each of its runs may be active.
_ALL = (1 << keys.BLOCK) - 1
_T = TypeVar("_T")


class Queues:
    """The queues of a store, read by any thread.

    Attributes:
        store: where they stand.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._closed = False

    def waiting(
        self, *, after: bytes = b"", limit: int = PAGE, damaged: list[CorruptError] | None = None
    ) -> list[tuple[bytes, int]]:
        """Return a page of waiting mail, oldest first: (key, run number) for each message.

        Args:
            after: the last key of the page before.
            damaged: gets the errors of damaged rows, which are then left out of the page. Without it they are raised.
        """
        return self._page(keys.WAITING, keys.WAITING_KEY.size, after, b"\x01", limit, _waiting_run, damaged)

    def active(
        self, *, after: bytes = b"", limit: int = PAGE, damaged: list[CorruptError] | None = None
    ) -> list[tuple[bytes, int]]:
        """Return a page of active runs: (key, run number).

        A key stands for a block of runs, which are all in the page: so it may be longer than ``limit``. Of a damaged
        row every run is in the page that it can have told of. The arguments are those of ``waiting``.
        """
        page: list[tuple[bytes, int]] = []
        for key, bits in self._marks(after, damaged):
            page += [(key, run_no) for run_no in runs_in(keys.block_of(key), bits)]
            if len(page) >= limit:
                break
        return page

    def due(
        self,
        *,
        until_ns: int,
        after: Due | None = None,
        limit: int = PAGE,
        damaged: list[CorruptError] | None = None,
    ) -> list[Due]:
        """Return a page of what is due at ``until_ns`` or before, earliest first.

        Args:
            until_ns: nanoseconds since the epoch, UTC.
            after: what the page begins behind, whether it is there or not.
            limit: as for ``waiting``.
            damaged: as for ``waiting``.
        """
        first = b"" if after is None else keys.DUE_KEY.pack(keys.DUE, *after)
        stop = keys.DUE_TIME.pack(keys.DUE, min(max(until_ns + 1, 0), 2**64 - 1))
        return [due for _, due in self._page(keys.DUE, keys.DUE_KEY.size, first, stop, limit, _due, damaged)]

    def being_deleted(self, *, limit: int = 1) -> list[int]:
        """Return the first runs that are being deleted: of them rows are left, and no header."""
        stop = keys.EXPIRY.to_bytes()
        page = self._page(keys.DELETED, keys.DELETED_KEY.size, b"", stop, limit, keys.block_of, [])
        return [run_no for _, run_no in page]

    def expiring(
        self, *, until_ns: int, limit: int = PAGE, damaged: list[CorruptError] | None = None
    ) -> list[tuple[int, int]]:
        """Return the first runs that are to be deleted at ``until_ns`` or before: (time in ns, run number)."""
        stop = keys.EXPIRY_TIME.pack(keys.EXPIRY, min(max(until_ns + 1, 0), 2**64 - 1))
        return [found for _, found in self._page(keys.EXPIRY, keys.EXPIRY_KEY.size, b"", stop, limit, _expiry, damaged)]

    def retention(self) -> str:
        """Return what the ``expires_ns`` of all ended runs follow from; empty if nothing can be said of that."""
        if self._closed:
            self._refuse()
        row = self.store.get(Tree.META, keys.RETENTION)
        return "" if row is None else decode(Retention, keys.RETENTION, row).policy

    def _page(
        self,
        queue: int,
        width: int,
        after: bytes,
        stop: bytes,
        limit: int,
        read: Callable[[bytes], _T],
        damaged: list[CorruptError] | None,
    ) -> list[tuple[bytes, _T]]:
        start = keys.after(after) if after else queue.to_bytes()
        page: list[tuple[bytes, _T]] = []
        while wanted := limit - len(page):
            rows = self._scan(Tree.DUE, start, stop, wanted)
            for key, row in rows:
                if len(key) == width and sealed(key, row):
                    page.append((key, read(key)))
                    continue
                error = CorruptError(f"the due row {key.hex()}", "the checksum does not match")
                if damaged is None:
                    raise error
                damaged.append(error)
            if len(rows) < wanted:
                break
            start = keys.after(rows[-1][0])
        return page

    def _blocks(self) -> dict[int, int]:
        """The marks on disk: block number → bits."""
        return {keys.block_of(key): bits for key, bits in self._marks(b"", [])}

    def _marks(self, after: bytes, damaged: list[CorruptError] | None) -> Iterator[tuple[bytes, int]]:
        """The rows of marks behind a key: (key, bits)."""
        start = keys.after(after) if after else keys.ACTIVE.to_bytes()
        while rows := self._scan(Tree.DUE, start, keys.DUE.to_bytes(), PAGE):
            for key, row in rows:
                try:
                    if len(key) != keys.ACTIVE_KEY.size:
                        raise CorruptError(f"the due row {key.hex()}", "no version of greenroom writes such a key")
                    yield key, decode_bits(key, row)
                except CorruptError as error:
                    if damaged is None:
                        raise
                    damaged.append(error)
                    if len(key) == keys.ACTIVE_KEY.size:
                        yield key, _ALL
            start = keys.after(rows[-1][0])

    def _scan(
        self, tree: Tree, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        if self._closed:
            self._refuse()
        return self.store.scan(tree, start, stop, limit=limit, reverse=reverse)

    def _refuse(self) -> NoReturn:
        """It is closed."""
        raise ClosedError("the journal")


def _waiting_run(key: bytes) -> int:
    return int.from_bytes(key[9:], "big")


def _expiry(key: bytes) -> tuple[int, int]:
    _, at_ns, run_no = keys.EXPIRY_KEY.unpack(key)
    return at_ns, run_no


def _due(key: bytes) -> Due:
    _, at_ns, run_no, kind, item = keys.DUE_KEY.unpack(key)
    return Due(at_ns, run_no, kind, item)
