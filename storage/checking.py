"""Walks a journal and names every broken promise; it changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from . import keys
from .active import runs_in
from .check_attributes import missing_rows, unfounded_rows
from .check_deletion import is_being_deleted, judge_deleted, judge_expiry, judge_note, missing_expiry
from .check_run import SeenRun
from .codec import decode, decode_bits, decode_pointer, decode_turns, sealed
from .engine import verify
from .errors import CorruptError, FormatError, InUseError
from .files import Files
from .journal import Journal
from .keys import DueKind, Kind
from .ownership import OwnerLock
from .records import Attempt, DeadLetter, DelayedMail, Mail, Meta, RunHeader, SignalKey, Timer, Update
from .store import META_KEY, Store, Tree

__all__ = ["Problem", "check"]

_SLICE = 1000
_END = b"\xff" * 512
_STRANGE = "no version of greenroom writes such a row"
_UNREADABLE = (CorruptError, FormatError)
_NO_SIZE = range(0)
_ID_SIZES = range(keys.HEADER_KEY.size + 1, keys.HEADER_KEY.size + keys.ID_LIMIT + 1)


class Problem(NamedTuple):
    """One broken promise.

    Attributes:
        where: what is broken, in words.
        what: what is wrong with it.
        run_no: the number of the run it belongs to, or None if it is nobody's alone.
    """

    where: str
    what: str
    run_no: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def check(source: Journal | str | os.PathLike[str], *, allow_remote: bool = False) -> list[Problem]:
    """Return every broken promise of a journal; an empty list means that it is sound.

    A journal that nobody has open is also walked page by page, without the engine, before the engine reads it. One that
    is written meanwhile is walked twice, and what is found twice is reported.

    Args:
        source: an open journal, or the directory of one.
        allow_remote: check a journal on a network file system all the same.

    Raises:
        InUseError: this process has the directory open; check the open journal instead.
        LocationError: there is no journal.
    """
    if isinstance(source, Journal):
        return _walk_steadily(source.store)
    files = Files(source)
    files.prepare(create=False, allow_remote=allow_remote)
    if not files.traces():
        # Taking the lock would leave a trace, and the next owner would look for the journal that it is one of.
        files.look(create=False)
    try:
        owner = OwnerLock.take(files.owner, files.path)
    except InUseError:
        return _walk_directory(files, allow_remote=allow_remote)
    try:
        try:
            files.look(create=False)
        except _UNREADABLE as error:
            return [_problem(error)]
        if findings := verify(files.data):
            return [Problem("the data file", finding) for finding in findings]
        return _walk_directory(files, allow_remote=allow_remote)
    finally:
        owner.release()


def _walk_directory(files: Files, *, allow_remote: bool) -> list[Problem]:
    try:
        journal = Journal.open(files.path, read_only=True, allow_remote=allow_remote)
    except _UNREADABLE as error:
        return [_problem(error)]
    try:
        return _walk_steadily(journal.store)
    finally:
        journal.close()


def _walk_steadily(store: Store) -> list[Problem]:
    before = store.get(Tree.META, META_KEY)
    problems = _Walk(store).problems()
    if not problems or store.get(Tree.META, META_KEY) == before:
        return problems
    again = set(_Walk(store).problems())
    return [problem for problem in problems if problem in again]


def _problem(error: CorruptError | FormatError) -> Problem:
    return Problem(error.where, error.why, error.run_no if isinstance(error, CorruptError) else None)


class _Walk:
    """One pass over all trees."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: list[Problem] = []
        self._last_run_no = 0
        self._last_seq = 0
        self._readers = {
            int(Kind.HEADER): (_only(keys.HEADER_KEY.size), self._read_header),
            int(Kind.TURN): (_only(keys.TURN_KEY.size), self._read_turn),
            int(Kind.MAIL): (_only(keys.MAIL_KEY.size), self._read_mail),
            int(Kind.ATTEMPT): (_only(keys.ATTEMPT_KEY.size), self._read_attempt),
            int(Kind.TIMER): (_only(keys.TIMER_KEY.size), self._read_timer),
            int(Kind.UPDATE): (_ID_SIZES, self._read_update),
            int(Kind.SIGNAL_KEY): (_ID_SIZES, self._read_signal_key),
            int(Kind.DELAYED): (_only(keys.DELAYED_KEY.size), self._read_delayed),
            int(Kind.LETTER): (_only(keys.MAIL_KEY.size), self._read_note),
        }
        self._judges = {
            keys.WAITING: (keys.WAITING_KEY.size, self._judge_mail),
            keys.ACTIVE: (keys.ACTIVE_KEY.size, self._judge_active),
            keys.DUE: (keys.DUE_KEY.size, self._judge_due),
            keys.DELETED: (keys.DELETED_KEY.size, self._judge_deleted),
            keys.EXPIRY: (keys.EXPIRY_KEY.size, self._judge_expiry),
        }

    def problems(self) -> list[Problem]:
        """Walk, and return what was found."""
        self._walk_runs()
        self._walk_due()
        self._walk_ids()
        self._walk_dead_letters()
        self._walk_attributes()
        self._check_numbers()
        return self._found

    def _rows(self, tree: Tree) -> Iterator[tuple[bytes, bytes]]:
        start = b""
        while rows := self._store.scan(tree, start, _END, limit=_SLICE):
            yield from rows
            start = keys.after(rows[-1][0])

    def _report(self, where: str, what: str, run_no: int | None = None) -> None:
        self._found.append(Problem(where, what, run_no))

    def _walk_runs(self) -> None:
        run: SeenRun | None = None
        for key, row in self._rows(Tree.RUNS):
            run_no = keys.run_of(key)
            if run_no is None:
                self._report(keys.describe(key), _STRANGE)
                continue
            if run is None or run.run_no != run_no:
                self._finish(run)
                run = SeenRun(run_no)
                run.is_deleted = key[8] != Kind.HEADER and is_being_deleted(self._store, run_no)
            if run.is_deleted:
                continue
            sizes, read = self._readers.get(key[8], (_NO_SIZE, self._read_header))
            if len(key) not in sizes:
                self._report(keys.describe(key), _STRANGE, run_no)
                continue
            try:
                read(run, key, row)
            except _UNREADABLE as error:
                self._found.append(_problem(error)._replace(run_no=run_no))
        self._finish(run)

    def _read_header(self, run: SeenRun, key: bytes, row: bytes) -> None:
        run.has_header = True
        run.header = decode(RunHeader, key, row)

    def _read_turn(self, run: SeenRun, key: bytes, row: bytes) -> None:
        if run.is_chain_broken:
            return
        run.is_chain_broken = True
        [turn] = decode_turns(run.run_no, [(key, row)], run.turns, run.crc)
        run.is_chain_broken = False
        run.turns += 1
        run.crc = turn.crc

    def _read_mail(self, run: SeenRun, key: bytes, row: bytes) -> None:
        run.items += 1
        mail = decode(Mail, key, row)
        self._last_seq = max(self._last_seq, mail.seq)
        self._expect_due(key, keys.WAITING_KEY.pack(keys.WAITING, mail.seq, run.run_no))

    def _read_attempt(self, run: SeenRun, key: bytes, row: bytes) -> None:
        run.items += 1
        attempt = decode(Attempt, key, row)
        if attempt.next_ns is not None:
            due = keys.DUE_KEY.pack(keys.DUE, attempt.next_ns, run.run_no, DueKind.ATTEMPT, attempt.item)
            self._expect_due(key, due)

    def _read_timer(self, run: SeenRun, key: bytes, row: bytes) -> None:
        timer = decode(Timer, key, row)
        # That of its children is the one which a run has when it has ended.
        run.items += timer.kind != DueKind.CHILDREN
        if timer.kind not in (DueKind.TIMER, DueKind.START, DueKind.CHILDREN):
            self._report(keys.describe(key), _STRANGE, run.run_no)
        self._expect_due(key, keys.DUE_KEY.pack(keys.DUE, timer.at_ns, run.run_no, timer.kind, timer.item))

    def _read_update(self, run: SeenRun, key: bytes, row: bytes) -> None:
        update = decode(Update, key, row)
        run.open_updates += not update.outcome
        if keys.update_key(run.run_no, update.update_id) != key:
            self._report(keys.describe(key), f"the row is that of update {update.update_id!r}", run.run_no)

    def _read_signal_key(self, run: SeenRun, key: bytes, row: bytes) -> None:
        found = decode(SignalKey, key, row).key
        if keys.signal_key(run.run_no, found) != key:
            self._report(keys.describe(key), f"the row is that of signal key {found!r}", run.run_no)

    def _read_delayed(self, run: SeenRun, key: bytes, row: bytes) -> None:
        run.items += 1
        mail = decode(DelayedMail, key, row)
        self._expect_due(key, keys.DUE_KEY.pack(keys.DUE, mail.at_ns, run.run_no, DueKind.DELAYED, mail.item))

    def _read_note(self, run: SeenRun, key: bytes, row: bytes) -> None:
        if not sealed(key, row):
            raise CorruptError(keys.describe(key), "the checksum does not match")
        self._found += [Problem(*each) for each in judge_note(self._store, key)]

    def _expect_due(self, key: bytes, due: bytes) -> None:
        if self._store.get(Tree.DUE, due) is None:
            self._report(
                keys.describe(key), "nothing makes it due: its row in the due tree is missing", keys.run_of(key)
            )

    def _finish(self, run: SeenRun | None) -> None:
        """Judge a run when its last row has gone by."""
        if run is None:
            return
        self._last_run_no = run.run_no
        where = f"run {run.run_no}"
        if not run.has_header and not run.is_deleted:
            self._report(where, "it has rows but no header", run.run_no)
        header = run.header
        if header is None:
            return
        if header.indexed:
            self._found += [Problem(*each) for each in missing_rows(self._store, run.run_no, header)]
        self._found += [Problem(*each) for each in missing_expiry(self._store, run.run_no, header)]
        if header.closed_ns is None:
            if header.deadline_ns is not None:
                due = keys.DUE_KEY.pack(keys.DUE, header.deadline_ns, run.run_no, DueKind.RUN_TIMEOUT, 0)
                self._expect_due(keys.HEADER_KEY.pack(run.run_no, Kind.HEADER), due)
            return
        if run.items:
            self._report(where, f"it is closed, yet {run.items} items wait for it", run.run_no)
        if run.open_updates:
            self._report(where, f"it is closed, yet {run.open_updates} updates have no outcome", run.run_no)
        if not run.is_chain_broken and (header.turns, header.crc) != (run.turns, run.crc):
            what = f"it was closed after {header.turns} turns (checksum {header.crc:08x})"
            self._report(where, f"{what} and has {run.turns} (checksum {run.crc:08x})", run.run_no)

    def _walk_due(self) -> None:
        for key, row in self._rows(Tree.DUE):
            size, judge = self._judges.get(key[0], (0, self._judge_mail))
            if size != len(key):
                self._report(f"the due row {key.hex()}", _STRANGE)
            else:
                judge(key, row)

    def _is_sealed(self, key: bytes, row: bytes) -> bool:
        if sealed(key, row):
            return True
        self._report(f"the due row {key.hex()}", "the checksum does not match")
        return False

    def _judge_mail(self, key: bytes, row: bytes) -> None:
        if not self._is_sealed(key, row):
            return
        _, seq, run_no = keys.WAITING_KEY.unpack(key)
        self._last_seq = max(self._last_seq, seq)
        if self._store.get(Tree.RUNS, keys.MAIL_KEY.pack(run_no, Kind.MAIL, seq)) is None:
            self._report(f"run {run_no}", f"mail {seq} is due and is not there", run_no)

    def _judge_active(self, key: bytes, row: bytes) -> None:
        try:
            bits = decode_bits(key, row)
        except CorruptError as error:
            self._found.append(_problem(error))
            return
        for run_no in runs_in(keys.block_of(key), bits):
            try:
                header = self._header(run_no)
            except _UNREADABLE:
                continue  # The walk over the runs has reported it.
            if header is None:
                self._report(f"run {run_no}", "it is marked active and has no header", run_no)
            elif header.closed_ns is not None:
                self._report(f"run {run_no}", "it is marked active and is closed", run_no)

    def _judge_deleted(self, key: bytes, row: bytes) -> None:
        if self._is_sealed(key, row):
            self._found += [Problem(*each) for each in judge_deleted(key, self._header)]

    def _judge_expiry(self, key: bytes, row: bytes) -> None:
        if self._is_sealed(key, row):
            self._found += [Problem(*each) for each in judge_expiry(key, self._header)]

    def _judge_due(self, key: bytes, row: bytes) -> None:
        if not self._is_sealed(key, row):
            return
        _, at_ns, run_no, kind, item = keys.DUE_KEY.unpack(key)
        try:
            is_wanted = self._due_time(run_no, kind, item) == at_ns
        except _UNREADABLE:
            return  # The walk over the runs has reported it.
        if not is_wanted:
            what = f"item {item} (kind {kind}) is due at {at_ns} and does not wait for that time"
            self._report(f"run {run_no}", what, run_no)

    def _due_time(self, run_no: int, kind: int, item: int) -> int | None:
        """Return when an item of a run wants to be due, or None if it does not."""
        match kind:
            case DueKind.RUN_TIMEOUT:
                header = self._header(run_no)
                return None if header is None or header.closed_ns is not None else header.deadline_ns
            case DueKind.ATTEMPT:
                key = keys.ATTEMPT_KEY.pack(run_no, Kind.ATTEMPT, item)
                row = self._store.get(Tree.RUNS, key)
                return None if row is None else decode(Attempt, key, row).next_ns
            case DueKind.DELAYED:
                key = keys.DELAYED_KEY.pack(run_no, Kind.DELAYED, item)
                row = self._store.get(Tree.RUNS, key)
                return None if row is None else decode(DelayedMail, key, row).at_ns
            case _:
                key = keys.TIMER_KEY.pack(run_no, Kind.TIMER, kind, item)
                row = self._store.get(Tree.RUNS, key)
                return None if row is None else decode(Timer, key, row).at_ns

    def _header(self, run_no: int) -> RunHeader | None:
        key = keys.HEADER_KEY.pack(run_no, Kind.HEADER)
        row = self._store.get(Tree.RUNS, key)
        return None if row is None else decode(RunHeader, key, row)

    def _walk_ids(self) -> None:
        for key, row in self._rows(Tree.IDS):
            where = f"workflow id {key.decode(errors='replace')!r}"
            try:
                run_no = decode_pointer(key, row)
                header = self._header(run_no)
            except _UNREADABLE as error:
                self._report(where, _problem(error).what)
                continue
            if header is None:
                self._report(where, f"its current run {run_no} does not exist", run_no)
            elif header.workflow_id.encode() != key:
                self._report(where, f"its current run {run_no} is one of {header.workflow_id!r}", run_no)

    def _walk_dead_letters(self) -> None:
        for key, row in self._rows(Tree.DEAD):
            try:
                letter = decode(DeadLetter, key, row)
            except _UNREADABLE as error:
                self._found.append(_problem(error))
                continue
            self._last_seq = max(self._last_seq, letter.seq)

    def _walk_attributes(self) -> None:
        self._found += [Problem(*each) for each in unfounded_rows(self._rows(Tree.ATTRIBUTES), self._header)]

    def _check_numbers(self) -> None:
        row = self._store.get(Tree.META, META_KEY)
        if row is None:
            self._report("the journal's own row", "it is missing")
            return
        try:
            meta = decode(Meta, META_KEY, row)
        except _UNREADABLE as error:
            self._found.append(_problem(error))
            return
        if meta.next_run_no <= self._last_run_no:
            what = f"run {self._last_run_no} exists and the next number to give is {meta.next_run_no}"
            self._report("the journal's own row", what)
        if meta.next_seq <= self._last_seq:
            what = f"sequence number {self._last_seq} is taken and the next one to give is {meta.next_seq}"
            self._report("the journal's own row", what)


def _only(size: int) -> range:
    return range(size, size + 1)
