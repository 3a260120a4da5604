"""The one file that knows LMDB: it owns a directory, commits batches to it, and outlives what disks and processes do to it."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import time
from collections.abc import Callable
from enum import StrEnum
from threading import Lock
from typing import NamedTuple, TypeAlias, TypeVar
from weakref import WeakSet

import lmdb

from . import location
from .datafile import inspect
from .errors import (
    ClosedError,
    CorruptError,
    FencedError,
    ForkedError,
    FormatError,
    FullError,
    InUseError,
    LocationError,
    OutcomeUnknownError,
    StorageError,
    WriteError,
)
from .gate import Gate
from .ownership import OwnerLock
from .store import META_KEY, Changes, Tree

__all__ = ["Durability", "Environment", "verify"]

_GIB = 1 << 30
_DEFAULT_MAP = 64 * _GIB
_DEFAULT_MAX_MAP = 1024 * _GIB
_SMALLEST_MAP = 1 << 20
_TRIES = 3
_READER_CHECK_EVERY = 1000

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TRANSIENT = frozenset({errno.EINTR, errno.EAGAIN, errno.EIO})
_DAMAGE = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.PageFullError, lmdb.CursorFullError, lmdb.BadTxnError)
_STALE = (lmdb.PanicError, lmdb.MapResizedError)

_T = TypeVar("_T")
_Transaction: TypeAlias = "lmdb.Transaction[bytes]"
_Plan = list[tuple[Tree, list[tuple[bytes, bytes]], list[bytes]]]


class Durability(StrEnum):
    """What a commit survives.

    FULL: the death of the process and a power cut. RELAXED: the death of the process; a power cut may undo the last commits, and
    never damages anything.
    """

    FULL = "full"
    RELAXED = "relaxed"


class _Settings(NamedTuple):
    durability: Durability
    map_size: int
    max_map_size: int
    read_only: bool
    readahead: bool


class Environment:
    """A ``Store`` in a directory, owned by one process at a time.

    Growth and recovery reopen the engine behind a gate, so that reads of other threads wait instead of failing.
    """

    def __init__(self, path: str, settings: _Settings, owner: OwnerLock | None) -> None:
        self.path = path
        self.read_only = settings.read_only
        self._directory = os.path.join(path, "journal")
        self._data = os.path.join(self._directory, "data.mdb")
        self._settings = settings
        self._owner = owner
        self._gate = Gate()
        self._writing = Lock()
        self._forked = False
        self._commits = 0
        self._env: lmdb.Environment | None = None
        self._env, self._trees = _open_engine(path, self._directory, settings, settings.map_size)
        self.engine = "lmdb " + ".".join(map(str, self._env.lib_version()))
        self._files = self._fingerprint()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        durability: Durability = Durability.FULL,
        map_size: int | None = None,
        max_map_size: int | None = None,
        read_only: bool = False,
        allow_remote: bool = False,
        readahead: bool = True,
    ) -> Environment:
        """Open the store in a directory; a writer makes what is missing and becomes the owner.

        Args:
            map_size: bytes of address space reserved at first, sparse; less is taken if the process may not have as much.
            max_map_size: bytes the store may grow to.
            readahead: let the system read ahead; False helps when the store is far larger than memory.

        Raises:
            InUseError: somebody else owns it.
            LocationError, FormatError, CorruptError, FullError: it cannot be opened; each says why and what to do.
        """
        _require_engine()
        path = os.path.abspath(os.fspath(path))
        first = _DEFAULT_MAP if map_size is None else map_size
        most = max(_DEFAULT_MAX_MAP if max_map_size is None else max_map_size, first)
        settings = _Settings(durability, first, most, read_only, readahead)
        location.prepare_directory(path, create=not read_only, private=False)
        if not allow_remote:
            location.refuse_remote(path)
        location.check_file(os.path.join(path, "owner.lock"))
        owner = None if read_only else OwnerLock.take(os.path.join(path, "owner.lock"), path)
        try:
            is_new = _prepare_files(path, read_only=read_only)
            store = cls(path, settings, owner)
            if is_new:
                location.sync_directory(store._directory)
                location.sync_directory(path)
        except BaseException:
            if owner is not None:
                owner.release()
            raise
        _OPEN.add(store)
        return store

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""

        def look(txn: _Transaction) -> bytes | None:
            return txn.get(key, db=self._trees[tree])

        return self._read(look)

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return at most ``limit`` pairs of the half-open range [start, stop), in key order or against it."""
        take = _take_down if reverse else _take_up

        def look(txn: _Transaction) -> list[tuple[bytes, bytes]]:
            return take(txn.cursor(self._trees[tree]), start, stop, limit)

        return self._read(look)

    def commit(self, changes: Changes, *, expect: bytes | None = None) -> None:
        """Write a batch, everything or nothing; it is durable when this returns.

        Raises:
            FencedError: the row ``META_KEY`` no longer holds what was expected.
            LocationError: opened read-only, or the files were moved or replaced under the owner.
            FullError, WriteError: nothing was written; the same batch may be committed again.
            OutcomeUnknownError: the disk failed at the last step, and again when asked.
            ValueError: a key is empty or longer than 511 bytes.
        """
        plan = _plan(changes)
        self._check_process()
        with self._writing:
            self._check_owner()
            failures = 0
            is_unsure = False
            while True:
                try:
                    self._write(plan, expect)
                    return
                except lmdb.MapFullError as error:
                    self._grow(error)
                except lmdb.BadValsizeError as error:
                    raise ValueError("a key is empty or longer than 511 bytes; the store cannot hold it") from error
                except lmdb.Error as error:
                    failures += 1
                    if not self._works():
                        if is_unsure:
                            raise OutcomeUnknownError(self.path, str(error)) from error
                        is_unsure = True
                        expect = self._ask(changes, expect)
                    elif is_unsure:
                        raise OutcomeUnknownError(self.path, str(error)) from error
                    elif failures == _TRIES or error.code not in _TRANSIENT:
                        raise _write_refusal(self.path, error) from error

    def close(self) -> None:
        """Let go of everything; closing twice is no error. In a forked child it does nothing.

        Raises:
            WriteError: with relaxed durability, the last sync failed; the store is closed all the same.
        """
        if self._forked:
            return
        with self._writing, self._gate.shut():
            env, self._env = self._env, None
            owner, self._owner = self._owner, None
            try:
                if env is not None and owner is not None and self._settings.durability is Durability.RELAXED:
                    env.sync(True)
            except lmdb.Error as error:
                raise WriteError(self.path, str(error)) from error
            finally:
                if env is not None:
                    env.close()
                if owner is not None:
                    owner.release()
                _OPEN.discard(self)

    def _read(self, look: Callable[[_Transaction], _T]) -> _T:
        while True:
            self._check_process()
            with self._gate:
                env = self._engine()
                try:
                    with env.begin() as txn:
                        return look(txn)
                except _STALE:
                    pass
                except lmdb.BadValsizeError as error:
                    raise ValueError("a key is empty or longer than 511 bytes; the store cannot hold it") from error
                except lmdb.Error as error:
                    raise _read_refusal(self.path, error) from error
            # Either the engine refuses since a commit failed, or another process has made the map larger.
            with self._writing:
                if self._env is env:
                    self._reopen(env.info()["map_size"])

    def _write(self, plan: _Plan, expect: bytes | None) -> None:
        trees = self._trees
        txn = self._engine().begin(write=True)
        try:
            if expect is not None and txn.get(META_KEY, db=trees[Tree.META]) != expect:
                raise FencedError(f"the journal {self.path}")
            for tree, puts, deletes in plan:
                db = trees[tree]
                for key in deletes:
                    txn.delete(key, db=db)
                if puts and txn.cursor(db).putmulti(puts) != (len(puts), len(puts)):
                    raise WriteError(self.path, "the engine took over less than the batch")
            txn.commit()
        except BaseException:
            with contextlib.suppress(lmdb.Error):
                txn.abort()
            raise

    def _works(self) -> bool:
        """Whether the engine still takes write transactions: after a failure of the last step of a commit it does not."""
        try:
            self._engine().begin(write=True).abort()
        except lmdb.Error:
            return False
        return True

    def _ask(self, changes: Changes, expect: bytes | None) -> bytes | None:
        """Reopen after a failed last step, and return what the batch must expect when it is written again.

        It is written again even if it is there: only a commit that succeeded says that the disk has it, and writing the same rows
        twice changes nothing.
        """
        try:
            self._reopen(self._engine().info()["map_size"])
            with self._engine().begin() as txn:
                found = txn.get(META_KEY, db=self._trees[Tree.META])
        except (lmdb.Error, StorageError, OSError) as error:
            raise OutcomeUnknownError(self.path, str(error)) from error
        written = changes.get(Tree.META, {}).get(META_KEY)
        return written if expect is not None and found == written else expect

    def _grow(self, cause: lmdb.Error) -> None:
        size = self._engine().info()["map_size"]
        most = self._settings.max_map_size
        if size >= most:
            raise FullError(self.path, f"it has reached its limit of {most} bytes (max_map_size)") from cause
        self._reopen(min(size * 2, most))
        if self._engine().info()["map_size"] <= size:
            raise FullError(self.path, f"this process may not map more than {size} bytes (see ulimit -v)") from cause

    def _reopen(self, map_size: int) -> None:
        with self._gate.shut():
            if self._env is not None:
                self._env.close()
            self._env = None
            facts = inspect(self._data)
            size = max(map_size, 0 if facts is None else facts.map_size)
            self._env, self._trees = _open_engine(self.path, self._directory, self._settings, size)

    def _engine(self) -> lmdb.Environment:
        if self._env is None:
            raise ClosedError(f"the journal {self.path}")
        return self._env

    def _check_process(self) -> None:
        # Before any lock: in a forked child a lock may be held by a thread that no longer exists.
        if self._forked:
            raise ForkedError(self.path)

    def _check_owner(self) -> None:
        env = self._engine()
        if self.read_only:
            raise LocationError(self.path, "it was opened read-only", "open it for writing")
        if self._fingerprint() != self._files:
            why = "its files were moved, removed or replaced while it was open"
            raise LocationError(self.path, why, "stop this runtime and put them back, or open the journal again")
        self._commits += 1
        if self._commits % _READER_CHECK_EVERY == 0:
            env.reader_check()

    def _fingerprint(self) -> list[tuple[int, int] | None]:
        names = (self._data, os.path.join(self._directory, "lock.mdb"), os.path.join(self.path, "owner.lock"))
        return [_identity(name) for name in names]

    def _poison(self) -> None:
        """Make a forked child's copy useless, without touching the parent's lock or the engine."""
        self._forked = True
        if self._owner is not None:
            self._owner.abandon()


def verify(data: str) -> list[str]:
    """Walk the pages of a data file at rest, without the engine, and return what is wrong with them."""
    # The verifier has no types of its own.
    module = importlib.import_module("lmdb.verify")
    try:
        return [str(finding) for finding in module.verify(data)]
    except module.VerifyError as error:
        return [str(error)]


_OPEN: WeakSet[Environment] = WeakSet()


def _poison_child() -> None:
    for store in list(_OPEN):
        store._poison()


os.register_at_fork(after_in_child=_poison_child)


def _plan(changes: Changes) -> _Plan:
    """Sort a batch before the transaction begins: inside, each call may lose the GIL."""
    return [
        (
            tree,
            sorted((key, value) for key, value in rows.items() if value is not None),
            [key for key, value in rows.items() if value is None],
        )
        for tree, rows in changes.items()
    ]


def _take_up(cursor: lmdb.Cursor[bytes], start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    rows: list[tuple[bytes, bytes]] = []
    if limit < 1 or not (cursor.set_range(start) if start else cursor.first()):
        return rows
    for row in cursor.iternext():
        if row[0] >= stop:
            break
        rows.append(row)
        if len(rows) == limit:
            break
    return rows


def _take_down(cursor: lmdb.Cursor[bytes], start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    rows: list[tuple[bytes, bytes]] = []
    if limit < 1 or not stop or not (cursor.prev() if cursor.set_range(stop) else cursor.last()):
        return rows
    for row in cursor.iterprev():
        if row[0] < start:
            break
        rows.append(row)
        if len(rows) == limit:
            break
    return rows


def _identity(name: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(name)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _require_engine() -> None:
    if int(lmdb.__version__.partition(".")[0]) < 3:
        why = f"the lmdb package is version {lmdb.__version__}"
        raise FormatError("the journal", why, "install a newer one: pip install 'lmdb>=3.0'")


def _prepare_files(path: str, *, read_only: bool) -> bool:
    """Look at the files before the engine does; return whether the store is new."""
    directory = os.path.join(path, "journal")
    data = os.path.join(directory, "data.mdb")
    location.prepare_directory(directory, create=not read_only, private=True)
    location.check_file(data)
    location.check_file(os.path.join(directory, "lock.mdb"))
    facts = inspect(data)
    if facts is None:
        if read_only:
            raise LocationError(path, "it holds no journal", "open it for writing once, or correct the path")
        with contextlib.suppress(FileNotFoundError):
            # A creation that was cut short leaves zeros, which the engine takes for garbage.
            os.truncate(data, 0)
        return True
    # Pages that were never used may be missing at the end of a sound file, so a short one is walked before it is refused.
    if facts.file_size < facts.used_size and (problems := verify(data)):
        why = f"it ends after {facts.file_size} of {facts.used_size} bytes: {problems[0]}"
        raise CorruptError(data, why)
    return False


def _open_engine(
    path: str, directory: str, settings: _Settings, map_size: int
) -> tuple[lmdb.Environment, list[lmdb._Database]]:
    size = map_size
    failures = 0
    while True:
        try:
            env = lmdb.open(
                directory,
                map_size=size,
                readonly=settings.read_only,
                metasync=settings.durability is Durability.FULL,
                mode=0o700,
                create=not settings.read_only,
                readahead=settings.readahead,
                max_readers=1024,
                max_dbs=len(Tree),
                max_spare_txns=1,
                lib_version=0,
            )
            break
        except lmdb.MemoryError as error:
            if size <= _SMALLEST_MAP:
                raise _open_refusal(path, error) from error
            size //= 2
        except (lmdb.LockError, lmdb.InvalidError) as error:
            # Another process may be opening or closing it at this moment.
            failures += 1
            if failures == _TRIES:
                raise _open_refusal(path, error) from error
            time.sleep(0.02 * failures)
        except lmdb.Error as error:
            raise _open_refusal(path, error) from error
    try:
        _keep_from_children(os.path.join(directory, "data.mdb"))
        env.reader_check()
        return env, _open_trees(path, env, read_only=settings.read_only)
    except lmdb.Error as error:
        env.close()
        raise _open_refusal(path, error) from error
    except BaseException:
        env.close()
        raise


def _open_trees(path: str, env: lmdb.Environment, *, read_only: bool) -> list[lmdb._Database]:
    names = [tree.name.lower().encode() for tree in Tree]
    with env.begin(write=not read_only) as txn:
        if txn.stat()["entries"]:
            try:
                return [env.open_db(name, txn=txn, create=False) for name in names]
            except lmdb.NotFoundError:
                why = "it is an LMDB file, but not a journal of greenroom"
                raise FormatError(path, why, "choose another directory") from None
        if read_only:
            raise LocationError(path, "it holds no journal", "open it for writing once, or correct the path")
        return [env.open_db(name, txn=txn) for name in names]


def _keep_from_children(data: str) -> None:
    """Keep the engine's descriptors of a file from programs that this process starts: one of them lacks the flag."""
    wanted = os.stat(data)
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), wanted):
                os.set_inheritable(descriptor, False)


def _open_refusal(path: str, error: lmdb.Error) -> StorageError:
    if isinstance(error, lmdb.VersionMismatchError):
        return FormatError(
            path, "another version of LMDB wrote it", "open it with the greenroom that wrote it, or upgrade"
        )
    if isinstance(error, lmdb.InvalidError):
        return FormatError(path, "it is not an LMDB file", "choose another directory, or move the file away")
    if isinstance(error, _DAMAGE):
        return CorruptError(path, str(error))
    if "already open in this process" in str(error):
        return InUseError(path, os.getpid(), "this host")
    if isinstance(error, (lmdb.MemoryError, lmdb.MapFullError)) or error.code in _NO_ROOM:
        return FullError(path, str(error))
    return LocationError(path, str(error), "see that this process may read and write the directory")


def _write_refusal(path: str, error: lmdb.Error) -> StorageError:
    if error.code in _NO_ROOM:
        return FullError(path, str(error))
    if isinstance(error, _DAMAGE):
        return CorruptError(path, str(error))
    return WriteError(path, str(error))


def _read_refusal(path: str, error: lmdb.Error) -> StorageError:
    if isinstance(error, _DAMAGE):
        return CorruptError(path, str(error))
    return StorageError(f"cannot read the journal {path}: {error}; close other readers or look after the disk")
