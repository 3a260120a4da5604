"""The one file that knows LMDB: it owns a directory, commits to it, and outlives what disks and processes do."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import time
from collections.abc import Callable
from threading import Lock
from typing import TypeAlias, TypeVar

import lmdb

from . import forks
from .datafile import FileFacts
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
from .files import Files
from .gate import Gate
from .location import MORE_FILES
from .ownership import OwnerLock
from .settings import DEFAULTS, Durability, Settings
from .store import BAD_KEY, META_KEY, Changes, Plan, Tree
from .store import plan as sort

__all__ = ["Environment", "verify"]

_CURE = "see that this process may read and write the directory"
_SMALLEST_MAP = 1 << 20
_SLACK = 1 << 16
_TRIES = 3
_READER_CHECK_EVERY = 1000

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TRANSIENT = frozenset({errno.EINTR, errno.EAGAIN, errno.EIO})
_DAMAGE = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.PageFullError, lmdb.CursorFullError, lmdb.BadTxnError)
_STALE = (lmdb.PanicError, lmdb.MapResizedError)

_T = TypeVar("_T")
_Transaction: TypeAlias = "lmdb.Transaction[bytes]"


class Environment:
    """A ``Store`` in a directory, owned by one process; reads wait at a gate while the engine is reopened."""

    def __init__(self, files: Files, settings: Settings, owner: OwnerLock | None) -> None:
        self.path = files.path
        self.read_only = settings.read_only
        self._files = files
        self._settings = settings
        self._owner = owner
        self._gate = Gate()
        self._writing = Lock()
        self._forked = False
        self._commits = 0
        self._closed = False
        # None while the store is closed, and after a reopening that failed: the next use tries again.
        self._env: lmdb.Environment | None = None
        self._env, self._trees = _open_engine(files, settings, settings.map_size)
        self._map_size: int = self._env.info()["map_size"]
        files.watch()
        self.engine = "lmdb " + ".".join(map(str, self._env.lib_version()))

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        settings: Settings = DEFAULTS,
        allow_remote: bool = False,
    ) -> Environment:
        """Open the store in a directory; a writer makes what is missing and becomes the owner.

        Raises:
            InUseError: somebody else owns it.
            LocationError, FormatError, CorruptError, FullError: it cannot be opened; each says why and what to do.
        """
        if int(lmdb.__version__.partition(".")[0]) < 3:
            why = f"the lmdb package is version {lmdb.__version__}"
            raise FormatError("the journal", why, "install a newer one: pip install 'lmdb>=3.0'")
        is_writer = not settings.read_only
        files = Files(path)
        files.prepare(create=is_writer, allow_remote=allow_remote)
        owner = files.claim() if is_writer else None
        try:
            _look(files, create=is_writer)
            if is_writer:
                files.reserve_lock()
            store = cls(files, settings, owner)
            if is_writer:
                files.sync()
        except BaseException:
            if owner is not None:
                owner.release()
            raise
        forks.watch(store)
        return store

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""

        def look(txn: _Transaction) -> bytes | None:
            return txn.get(key, db=self._trees[tree])

        return self._read(look) if key else None

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return at most ``limit`` pairs of the half-open range [start, stop), in key order or against it."""

        def look(txn: _Transaction) -> list[tuple[bytes, bytes]]:
            return _take(txn.cursor(self._trees[tree]), start, stop, limit, reverse=reverse)

        return self._read(look)

    def commit(self, changes: Changes, *, expect: bytes | None = None) -> None:
        """Write a batch, everything or nothing; it is durable when this returns.

        Raises:
            LocationError: opened read-only, or the files were moved or replaced under the owner; nothing was written.
            FencedError, FullError, WriteError, OutcomeUnknownError, ValueError: as every ``Store`` does.
        """
        plan = sort(changes)
        self._check_process()
        with self._writing:
            self._check_owner()
            self._revive()
            failures = 0
            is_unsure = False
            while True:
                try:
                    self._write(plan, expect)
                    return
                except lmdb.MapFullError as error:
                    self._grow(error)
                except lmdb.BadValsizeError as error:
                    raise ValueError(BAD_KEY) from error
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
                        raise self._write_refusal(plan, error) from error

    def close(self) -> None:
        """Let go of everything; closing twice is no error. In a forked child it does nothing.

        Raises:
            WriteError: with relaxed durability, the last sync failed; the store is closed all the same.
        """
        if self._forked:
            return
        with self._writing, self._gate.shut():
            self._closed = True
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
                forks.forget(self)

    def _read(self, look: Callable[[_Transaction], _T]) -> _T:
        while True:
            self._check_process()
            with self._gate:
                self._check_open()
                env = self._env
                if env is not None:
                    try:
                        with env.begin() as txn:
                            return look(txn)
                    except _STALE:
                        pass
                    except lmdb.Error as error:
                        otherwise = StorageError(f"cannot read the journal {self.path}: {error}")
                        raise _refusal(self.path, error, otherwise) from error
            # The engine refuses since a commit failed, or another process has made the map larger.
            with self._writing:
                if self._env is env and not self._closed:
                    self._reopen(self._map_size)

    def _write(self, plan: Plan, expect: bytes | None) -> None:
        trees = self._trees
        txn = self._engine().begin(write=True)
        try:
            if expect is not None and txn.get(META_KEY, db=trees[Tree.META]) != expect:
                raise FencedError(f"the journal {self.path}")
            for tree, puts, deletes in plan:
                db = trees[tree]
                for key in deletes:
                    txn.delete(key, db=db)
                # Each call gives up the interpreter's lock, so there are as few as can be.
                if len(puts) == 1:
                    done = txn.put(*puts[0], db=db)
                else:
                    done = not puts or txn.cursor(db).putmulti(puts) == (len(puts), len(puts))
                if not done:
                    raise WriteError(self.path, "the engine took over less than the batch")
            txn.commit()
        except BaseException:
            with contextlib.suppress(lmdb.Error):
                txn.abort()
            raise

    def _write_refusal(self, plan: Plan, error: lmdb.Error) -> StorageError:
        # A write that was cut short by a full disk comes back as an input/output error.
        if error.code == errno.EIO and (room := self._files.room()) is not None:
            size = sum(len(key) + len(value) for _, puts, _ in plan for key, value in puts)
            if room < size + _SLACK:
                return FullError(self.path, f"the disk or the file size limit leaves {room} bytes")
        return _refusal(self.path, error, WriteError(self.path, str(error)))

    def _works(self) -> bool:
        """Whether the engine takes write transactions; after a failed last step of a commit it does not."""
        try:
            self._engine().begin(write=True).abort()
        except lmdb.Error:
            return False
        return True

    def _ask(self, changes: Changes, expect: bytes | None) -> bytes | None:
        """Reopen after a failed last step, and return what the batch must expect when it is written again.

        It is written again even if it is there: only a commit that succeeds says that the disk has it, and writing
        the same rows twice changes nothing.
        """
        try:
            self._reopen(self._map_size)
            with self._engine().begin() as txn:
                found = txn.get(META_KEY, db=self._trees[Tree.META])
        except (lmdb.Error, StorageError) as error:
            self._give_up()
            raise OutcomeUnknownError(self.path, str(error)) from error
        written = changes.get(Tree.META, {}).get(META_KEY)
        return written if expect is not None and found == written else expect

    def _grow(self, cause: lmdb.Error) -> None:
        size = self._map_size
        most = self._settings.max_map_size
        if size >= most:
            raise FullError(self.path, f"it has reached its limit of {most} bytes (max_map_size)") from cause
        try:
            self._reopen(min(size * 2, most))
        except LocationError as error:
            raise WriteError(self.path, f"it cannot be reopened to grow: {error.why}") from error
        if self._map_size <= size:
            raise FullError(self.path, f"this process may not map more than {size} bytes (see ulimit -v)") from cause

    def _reopen(self, map_size: int) -> None:
        """Open the engine anew; if that fails, the next use of the store tries again."""
        with self._gate.shut():
            facts = _look(self._files, create=False)
            size = max(map_size, 0 if facts is None else facts.map_size)
            env, self._env = self._env, None
            if env is not None:
                env.close()
            self._env, self._trees = _open_engine(self._files, self._settings, size)
            self._map_size = self._env.info()["map_size"]

    def _revive(self) -> None:
        """Have an engine, if the last reopening failed."""
        if self._env is None:
            try:
                self._reopen(self._map_size)
            except LocationError as error:
                raise WriteError(self.path, f"it cannot be reopened: {error.why}") from error

    def _give_up(self) -> None:
        """Be as good as closed, but for the ownership."""
        with self._gate.shut():
            self._closed = True
            env, self._env = self._env, None
            if env is not None:
                env.close()

    def _engine(self) -> lmdb.Environment:
        if self._env is None:
            raise ClosedError(f"the journal {self.path}")
        return self._env

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the journal {self.path}")

    def _check_process(self) -> None:
        # Before any lock: in a forked child a lock may be held by a thread that no longer exists.
        if self._forked:
            raise ForkedError(self.path)

    def _check_owner(self) -> None:
        self._check_open()
        if self.read_only:
            raise LocationError(self.path, "it was opened read-only", "open it for writing")
        if self._files.were_replaced():
            why = "its files were moved, removed or replaced while it was open"
            raise LocationError(self.path, why, "stop this runtime and put them back, or open the journal again")
        self._commits += 1
        if self._commits % _READER_CHECK_EVERY == 0 and self._env is not None:
            with contextlib.suppress(lmdb.Error):
                self._env.reader_check()

    def poison(self) -> None:
        """Make a forked child's copy useless, without touching the parent's lock or the engine."""
        self._forked = True
        if self._owner is not None:
            self._owner.abandon()


def verify(data: str) -> list[str]:
    """Walk the pages of a data file at rest, without the engine, and return what is wrong with them."""
    pages = importlib.import_module("lmdb.verify")
    try:
        return [str(finding) for finding in pages.verify(data)]
    except pages.VerifyError as error:
        return [str(error)]


def _look(files: Files, *, create: bool) -> FileFacts | None:
    """Look at the files before the engine maps them, and refuse a data file that lacks pages."""
    facts = files.look(create=create)
    # Pages never used may be missing at the end of a sound file, so it is walked before it is refused.
    if facts is not None and facts.file_size < facts.used_size and (problems := verify(files.data)):
        why = f"it ends after {facts.file_size} of {facts.used_size} bytes: {problems[0]}"
        raise CorruptError(files.data, why)
    return facts


def _take(
    cursor: lmdb.Cursor[bytes], start: bytes, stop: bytes, limit: int, *, reverse: bool
) -> list[tuple[bytes, bytes]]:
    rows: list[tuple[bytes, bytes]] = []
    if limit < 1 or start >= stop:
        return rows
    if reverse:
        found = cursor.prev() if cursor.set_range(stop) else cursor.last()
    else:
        found = cursor.set_range(start) if start else cursor.first()
    if not found:
        return rows
    for row in cursor.iterprev() if reverse else cursor.iternext():
        if not start <= row[0] < stop:
            break
        rows.append(row)
        if len(rows) == limit:
            break
    return rows


def _open_engine(files: Files, settings: Settings, map_size: int) -> tuple[lmdb.Environment, list[lmdb._Database]]:
    size = map_size
    failures = 0
    while True:
        try:
            env = lmdb.open(
                files.directory,
                map_size=size,
                readonly=settings.read_only,
                metasync=settings.durability is Durability.FULL,
                mode=0o700,
                create=not settings.read_only,
                max_readers=1024,
                max_dbs=len(Tree),
                max_spare_txns=1,
                lib_version=0,
            )
            break
        except lmdb.MemoryError as error:
            if size <= _SMALLEST_MAP:
                raise _open_refusal(files.path, error) from error
            size //= 2
        except (lmdb.LockError, lmdb.InvalidError) as error:
            # Another process may be opening or closing it at this moment.
            failures += 1
            if failures == _TRIES:
                raise _open_refusal(files.path, error) from error
            time.sleep(0.02 * failures)
        except lmdb.Error as error:
            raise _open_refusal(files.path, error) from error
    try:
        files.keep_from_children()
        env.reader_check()
        return env, _open_trees(files, env, read_only=settings.read_only)
    except lmdb.Error as error:
        env.close()
        raise _open_refusal(files.path, error) from error
    except BaseException:
        env.close()
        raise


def _open_trees(files: Files, env: lmdb.Environment, *, read_only: bool) -> list[lmdb._Database]:
    names = [tree.name.lower().encode() for tree in Tree]
    try:
        if env.stat()["entries"]:
            return [env.open_db(name, create=False) for name in names]
    except lmdb.NotFoundError:
        why = "it is an LMDB file, but not a journal of greenroom"
        raise FormatError(files.path, why, "choose another directory") from None
    if not files.is_new:
        why = "it is an LMDB file with nothing in it, and no journal is being made here"
        raise FormatError(files.path, why, "restore it from a backup, or choose another directory")
    if read_only:
        raise LocationError(files.path, "it holds no journal", "open it for writing once, or correct the path")
    with env.begin(write=True) as txn:
        trees = [env.open_db(name, txn=txn) for name in names]
    # The mark of creation goes next, and with relaxed durability a power cut might undo the trees.
    env.sync(True)
    return trees


def _refusal(path: str, error: lmdb.Error, otherwise: StorageError) -> StorageError:
    """Say in our words what the engine said."""
    if isinstance(error, _DAMAGE):
        return CorruptError(path, str(error))
    if isinstance(error, (lmdb.MemoryError, lmdb.MapFullError)) or error.code in _NO_ROOM:
        return FullError(path, str(error))
    return otherwise


def _open_refusal(path: str, error: lmdb.Error) -> StorageError:
    if isinstance(error, (lmdb.VersionMismatchError, lmdb.InvalidError)):
        return FormatError(path, str(error), "choose another directory, or upgrade greenroom")
    if "already open in this process" in str(error):
        return InUseError(path, os.getpid(), "this host")
    cure = MORE_FILES if error.code in (errno.EMFILE, errno.ENFILE) else _CURE
    return _refusal(path, error, LocationError(path, str(error), cure))
