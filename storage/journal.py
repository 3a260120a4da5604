"""The journal: runs, their turns and what waits for them, over any store; a batch is written whole or not at all."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from . import keys
from .active import ActiveRuns, rows_of
from .attribute_rows import runs_with
from .batch import Batch, Numbers
from .codec import FORMAT, chain_start, decode, decode_pointer, decode_turns, encode, turn_crc
from .environment import Environment
from .errors import CorruptError, FormatError, LocationError
from .keys import Kind
from .queues import PAGE, Queues
from .records import Attempt, DeadLetter, DelayedMail, Items, Mail, Meta, RunHeader, SignalKey, Timer, Turn, Update
from .settings import Durability, Settings
from .store import META_KEY, Store, Tree

__all__ = ["Journal"]

# What a commit changes that marks nothing.
_NO_BLOCKS: dict[int, int] = {}

# What stands beside a history, in the order of Items: kind of row → the record in it.
_KINDS = Kind.MAIL, Kind.ATTEMPT, Kind.TIMER, Kind.UPDATE, Kind.SIGNAL_KEY, Kind.DELAYED
_BESIDE: dict[int, Any] = dict(zip(_KINDS, (Mail, Attempt, Timer, Update, SignalKey, DelayedMail), strict=True))


class Journal(Queues):
    """Every run of one runtime.

    One thread makes batches and commits them; any thread may read. Opening for writing counts the epoch up, which
    fences an owner that was thought dead.
    """

    def __init__(self, store: Store, meta: Meta, *, owns_store: bool) -> None:
        super().__init__(store)
        self._owns_store = owns_store
        self._is_read_only = store.read_only
        self._meta = meta
        self._meta_row = encode(META_KEY, meta)
        self._numbers = Numbers(meta.next_run_no, meta.next_seq)
        self.store_uuid = meta.store_uuid
        self.epoch = meta.epoch
        self._marked = ActiveRuns({} if self._is_read_only else self._blocks())

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        durability: str = Durability.FULL,
        read_only: bool = False,
        allow_remote: bool = False,
        map_size: int | None = None,
        max_map_size: int | None = None,
    ) -> Journal:
        """Open the journal in a directory, and make it if there is none.

        Args:
            path: the directory.
            durability: ``full`` (default): what is committed survives a power cut. ``relaxed``: it survives the death
                of the process; a power cut may undo the last commits, and never damages anything.
            read_only: take no ownership; a running owner is not disturbed.
            allow_remote: accept a network file system. Most of them break the promises of locks and of sync.
            map_size: bytes of address space reserved at first (default 64 GiB, sparse).
            max_map_size: bytes the journal may grow to (default 1 TiB).

        Raises:
            InUseError, LocationError, FormatError, CorruptError, FullError, WriteError: see ``errors``.
        """
        settings = Settings(Durability(durability), read_only=read_only)
        if map_size is not None:
            settings = settings._replace(map_size=map_size, max_map_size=max(settings.max_map_size, map_size))
        if max_map_size is not None:
            settings = settings._replace(map_size=min(settings.map_size, max_map_size), max_map_size=max_map_size)
        store = Environment.open(path, settings=settings, allow_remote=allow_remote)
        try:
            return cls._begin(store, owns_store=True)
        except BaseException:
            store.close()
            raise

    @classmethod
    def on(cls, store: Store) -> Journal:
        """Open a journal on a store that the caller keeps: closing the journal leaves the store open."""
        return cls._begin(store, owns_store=False)

    @classmethod
    def _begin(cls, store: Store, *, owns_store: bool) -> Journal:
        row = store.get(Tree.META, META_KEY)
        if row is None:
            if store.scan(Tree.RUNS, b"", b"\xff" * 9, limit=1):
                raise CorruptError("the journal's own row", "it is missing although there are runs")
            if store.read_only:
                raise FormatError("the journal", "nothing has been written to it yet", "open it for writing once")
            now_ns = time.time_ns()
            meta = Meta(FORMAT, str(uuid.uuid4()), 1, 1, 1, 1, now_ns, store.engine)
        else:
            meta = decode(Meta, META_KEY, row)
            if not store.read_only:
                meta = meta._replace(epoch=meta.epoch + 1, sequence=meta.sequence + 1, lib_version=store.engine)
        if not store.read_only:
            store.commit({Tree.META: {META_KEY: encode(META_KEY, meta)}}, expect=row)
        return cls(store, meta, owns_store=owns_store)

    @property
    def sequence(self) -> int:
        """How many commits the journal has taken since it was made."""
        return self._meta.sequence

    @property
    def next_run_no(self) -> int:
        """The first run number that was never given."""
        return self._numbers.next_run_no

    def batch(self) -> Batch:
        """Return an empty batch."""
        return Batch(self._numbers, self._marked)

    def commit(self, batch: Batch) -> None:
        """Write a batch, everything or nothing; it is durable when this returns. An empty batch is not written.

        Raises:
            FullError, WriteError: nothing was written; the batch may be committed again.
            FencedError, OutcomeUnknownError, LocationError: this journal may not write any more.
        """
        if self._closed:
            self._refuse()
        if self._is_read_only:
            raise LocationError("this journal", "it was opened read-only", "open it for writing")
        changes: dict[Tree, Mapping[bytes, bytes | None]] = {}
        for tree, rows in batch.changes.items():  # a comprehension would be one call more
            if rows:
                changes[tree] = rows
        blocks = self._marked.changed(batch.active) if batch.active else _NO_BLOCKS
        if blocks:
            changes[Tree.DUE] = {**batch.changes[Tree.DUE], **rows_of(blocks)}
        if not changes:
            return
        before, numbers = self._meta, self._numbers
        # Not by _replace: one is made for every commit.
        meta = Meta(
            before.format,
            before.store_uuid,
            before.epoch,
            before.sequence + 1,
            numbers.next_run_no,
            numbers.next_seq,
            before.created_ns,
            before.lib_version,
        )
        row = encode(META_KEY, meta)
        changes[Tree.META] = {**changes.get(Tree.META, {}), META_KEY: row}
        self.store.commit(changes, expect=self._meta_row)
        self._meta, self._meta_row = meta, row
        if blocks:
            self._marked.take_over(blocks)

    def current_run(self, workflow_id: str) -> int | None:
        """Return the number of the current run of a workflow id, or None if there is none.

        Raises:
            ValueError: the id is empty or longer than 480 bytes of UTF-8.
        """
        key = keys.workflow_key(workflow_id)
        row = self._get(Tree.IDS, key)
        return None if row is None else decode_pointer(key, row)

    def header(self, run_no: int) -> RunHeader | None:
        """Return the header of a run, or None if there is no such run."""
        key = keys.HEADER_KEY.pack(run_no, Kind.HEADER)
        row = self._get(Tree.RUNS, key)
        return None if row is None else decode(RunHeader, key, row)

    def headers(self, *, first: int, stop: int, limit: int) -> list[tuple[int, RunHeader | None]]:
        """Return a page of runs, by number: (run number, header) for each run that has rows.

        Args:
            first, stop: the half-open range of run numbers.

        Returns:
            The header is None where it is not there, or cannot be read.
        """
        page: list[tuple[int, RunHeader | None]] = []
        end = keys.HEADER_KEY.pack(stop, Kind.HEADER)
        while len(page) < limit and (rows := self._scan(Tree.RUNS, keys.HEADER_KEY.pack(first, Kind.HEADER), end, 1)):
            key, row = rows[0]
            run_no = int.from_bytes(key[: keys.RUN_NO_SIZE], "big")
            header = None
            with suppress(CorruptError, FormatError):
                header = decode(RunHeader, key, row) if len(key) == keys.HEADER_KEY.size else None
            page.append((run_no, header))
            first = run_no + 1
        return page

    def turns(self, run_no: int, *, first: int = 0, limit: int = 256, crc: int | None = None) -> list[Turn]:
        """Return a slice of a run's history, oldest first; an empty or short one is the end.

        Args:
            first: the number of the first turn wanted.
            crc: checksum of the turn before ``first``, if known; otherwise it is read.

        Raises:
            CorruptError: a turn is missing, or is not what was written.
        """
        if first == 0:
            crc = chain_start(run_no)
        elif crc is None:
            before = self._get(Tree.RUNS, keys.TURN_KEY.pack(run_no, Kind.TURN, first - 1))
            if before is None:
                return []
            crc = turn_crc(before)
        start = keys.TURN_KEY.pack(run_no, Kind.TURN, first)
        stop = keys.HEADER_KEY.pack(run_no, Kind.TURN + 1)
        return decode_turns(run_no, self._scan(Tree.RUNS, start, stop, limit), first, crc)

    def last_turn(self, run_no: int) -> Turn | None:
        """Return where a run's history ends, without reading the rest of it: the last turn, or None if there is none.

        Of a turn that is damaged, or whose turn before is gone, only the number and the checksum that it claims are
        told.
        """
        start = keys.TURN_KEY.pack(run_no, Kind.TURN, 0)
        stop = keys.HEADER_KEY.pack(run_no, Kind.TURN + 1)
        rows = self._scan(Tree.RUNS, start, stop, 1, reverse=True)
        if not rows:
            return None
        key, row = rows[0]
        turn_no: int = keys.TURN_KEY.unpack(key)[2]
        found: list[Turn] = []
        with suppress(CorruptError, FormatError):
            found = self.turns(run_no, first=turn_no, limit=1)
        return found[0] if found else Turn(turn_no, 0, b"", b"", turn_crc(row))

    def mail(self, run_no: int, *, after: int = -1, limit: int = PAGE) -> list[Mail]:
        """Return the messages that wait for a run, oldest first, from the first one after ``after``."""
        start = keys.MAIL_KEY.pack(run_no, Kind.MAIL, after + 1)
        stop = keys.HEADER_KEY.pack(run_no, Kind.MAIL + 1)
        return [decode(Mail, key, row) for key, row in self._scan(Tree.RUNS, start, stop, limit)]

    def attempts(self, run_no: int) -> list[Attempt]:
        """Return the stored attempts of a run, by item."""
        return [decode(Attempt, key, row) for key, row in self._walk(run_no, Kind.ATTEMPT, Kind.ATTEMPT)]

    def timers(self, run_no: int) -> list[Timer]:
        """Return the stored timers of a run, by kind and item."""
        return [decode(Timer, key, row) for key, row in self._walk(run_no, Kind.TIMER, Kind.TIMER)]

    def update(self, run_no: int, update_id: str) -> Update | None:
        """Return where an update of a run stands, or None if none with that id was accepted.

        Raises:
            ValueError: the id is empty or longer than 480 bytes of UTF-8.
        """
        key = keys.update_key(run_no, update_id)
        row = self._get(Tree.RUNS, key)
        return None if row is None else decode(Update, key, row)

    def has_signal_key(self, run_no: int, idempotency_key: str) -> bool:
        """Return whether a run has taken a signal with that key."""
        return self._get(Tree.RUNS, keys.signal_key(run_no, idempotency_key)) is not None

    def items(self, run_no: int) -> Items:
        """Return all that stands beside the history of a run."""
        lists: dict[int, list[Any]] = {kind: [] for kind in _BESIDE}
        for key, row in self._walk(run_no, Kind.MAIL, Kind.DELAYED):
            if key[8] not in lists:
                raise CorruptError(keys.describe(key), "no version of greenroom writes such a row", run_no)
            lists[key[8]].append(decode(_BESIDE[key[8]], key, row))
        return Items(*lists.values())

    def attribute_runs(
        self,
        prefix: bytes,
        *,
        stop: bytes | None = None,
        after: bytes = b"",
        limit: int = PAGE,
        damaged: list[CorruptError] | None = None,
    ) -> list[tuple[bytes, int]]:
        """Return a page of the index, in the order of keys: (key, run number) for each attribute of a run.

        Args:
            prefix: what the keys begin with; with ``stop``, where they begin.
            stop: the page ends before this key.
            after, limit, damaged: as for ``waiting``.
        """
        if self._closed:
            self._refuse()
        end = keys.prefix_end(prefix) if stop is None else stop
        return runs_with(self.store, prefix, end, after=after, limit=limit, damaged=damaged)

    def dead_letters(self, *, limit: int = PAGE) -> list[DeadLetter]:
        """Return the newest dead letters, newest first."""
        rows = self._scan(Tree.DEAD, b"", b"\xff" * 9, limit, reverse=True)
        return [decode(DeadLetter, key, row) for key, row in rows]

    def close(self) -> None:
        """Close the journal, and its store if ``open`` made it; closing twice is no error."""
        self._closed = True
        if self._owns_store:
            self.store.close()

    def _walk(self, run_no: int, first: Kind, last: Kind) -> Iterator[tuple[bytes, bytes]]:
        start, stop = keys.kind_range(run_no, first, last)
        while rows := self._scan(Tree.RUNS, start, stop, PAGE):
            yield from rows
            start = keys.after(rows[-1][0])

    def _get(self, tree: Tree, key: bytes) -> bytes | None:
        if self._closed:
            self._refuse()
        return self.store.get(tree, key)
