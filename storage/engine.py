"""The one file that knows LMDB: it opens the engine on a directory, reads and writes rows, and says what went wrong."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import lmdb

from .errors import (
    CorruptError,
    FencedError,
    FormatError,
    FullError,
    InUseError,
    LocationError,
    StorageError,
    WriteError,
)
from .files import Files
from .location import MORE_FILES
from .settings import Durability, Settings
from .store import META_KEY, Plan, Tree

__all__ = ["BadSizeError", "Engine", "EngineError", "MapFullError", "StaleError", "check_package", "refusal", "verify"]

_CURE = "see that this process may read and write the directory"
_SMALLEST_MAP = 1 << 20
_TRIES = 3

# Trees that came after the first journals.
_LATER = frozenset({Tree.ATTRIBUTES})

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DAMAGE = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.PageFullError, lmdb.CursorFullError, lmdb.BadTxnError)

EngineError = lmdb.Error
"""Whatever LMDB refuses; ``code`` is the error number of the system, if it was the system."""

MapFullError = lmdb.MapFullError
BadSizeError = lmdb.BadValsizeError

StaleError = (lmdb.PanicError, lmdb.MapResizedError)
"""It must be opened anew: a commit has failed at its last step, or another process has made the map larger."""


class Engine:
    """LMDB, open on the directory of a store.

    What reads, writes or syncs raises ``EngineError`` for what LMDB refuses.
    """

    __slots__ = ("_env", "_trees")

    def __init__(self, env: lmdb.Environment, trees: list[lmdb._Database | None]) -> None:
        self._env = env
        self._trees = trees

    @classmethod
    def open(cls, files: Files, settings: Settings, map_size: int) -> Engine:
        """Open it with as much address space as the process may map, up to ``map_size`` bytes.

        Raises:
            LocationError, FormatError, CorruptError, FullError, InUseError: it cannot be opened.
        """
        env = _open(files, settings, map_size)
        try:
            files.keep_from_children()
            env.reader_check()
            return cls(env, _open_trees(files, env, read_only=settings.read_only))
        except lmdb.Error as error:
            env.close()
            raise _open_refusal(files.path, error) from error
        except BaseException:
            env.close()
            raise

    @property
    def name(self) -> str:
        """What it is, with its version."""
        return "lmdb " + ".".join(map(str, self._env.lib_version()))

    @property
    def map_size(self) -> int:
        """The bytes of address space that it has."""
        size: int = self._env.info()["map_size"]
        return size

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        db = self._trees[tree]
        if db is None:
            return None
        with self._env.begin() as txn:
            return txn.get(key, db=db)

    def scan(self, tree: Tree, start: bytes, stop: bytes, limit: int, *, reverse: bool) -> list[tuple[bytes, bytes]]:
        """Return at most ``limit`` pairs of the half-open range [start, stop), in key order or against it."""
        db = self._trees[tree]
        if db is None:
            return []
        with self._env.begin() as txn:
            return _take(txn.cursor(db), start, stop, limit, reverse=reverse)

    def write(
        self, path: str, plan: Plan, expect: bytes | None, alone: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Write a batch, everything or nothing.

        Args:
            alone: keeps readers out. To give a batch up waits until nobody reads, which might never come.

        Raises:
            FencedError: the row ``META_KEY`` does not hold what is expected.
            WriteError: it has taken over less than the batch; nothing was written.
        """
        trees = self._trees
        txn = self._env.begin(write=True)
        try:
            if expect is not None and txn.get(META_KEY, db=trees[Tree.META]) != expect:
                raise FencedError(f"the journal {path}")
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
                    raise WriteError(path, "the engine took over less than the batch")
            txn.commit()
        except BaseException:
            with alone(), contextlib.suppress(lmdb.Error):
                txn.abort()
            raise

    def works(self, alone: Callable[[], AbstractContextManager[None]]) -> bool:
        """Whether it takes write transactions; after a failed last step of a commit it does not.

        Args:
            alone: as for ``write``.
        """
        try:
            with alone():
                self._env.begin(write=True).abort()
        except lmdb.Error:
            return False
        return True

    def sync(self) -> None:
        """Have the disk take over what was committed."""
        self._env.sync(True)

    def drop_dead_readers(self) -> None:
        """Free the places of readers whose process has died."""
        with contextlib.suppress(lmdb.Error):
            self._env.reader_check()

    def close(self) -> None:
        """Let go of the files."""
        self._env.close()


def check_package() -> None:
    """See that the lmdb package is one that can be used.

    Raises:
        FormatError: it is too old.
    """
    if int(lmdb.__version__.partition(".")[0]) < 3:
        why = f"the lmdb package is version {lmdb.__version__}"
        raise FormatError("the journal", why, "install a newer one: pip install 'lmdb>=3.0'")


def verify(data: str) -> list[str]:
    """Walk the pages of a data file at rest, without the engine, and return what is wrong with them."""
    pages = importlib.import_module("lmdb.verify")
    try:
        return [str(finding) for finding in pages.verify(data)]
    except pages.VerifyError as error:
        return [str(error)]


def _open(files: Files, settings: Settings, map_size: int) -> lmdb.Environment:
    size = map_size
    failures = 0
    while True:
        try:
            return lmdb.open(
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


def _open_trees(files: Files, env: lmdb.Environment, *, read_only: bool) -> list[lmdb._Database | None]:
    """Open every tree; None stands for one that a reader does not find, since no owner has made it yet."""
    names = {tree: tree.name.lower().encode() for tree in Tree}
    try:
        if env.stat()["entries"]:
            return [
                _open_later(env, name, read_only=read_only) if tree in _LATER else env.open_db(name, create=False)
                for tree, name in names.items()
            ]
    except lmdb.NotFoundError:
        why = "it is an LMDB file, but not a journal of greenroom"
        raise FormatError(files.path, why, "choose another directory") from None
    if not files.is_new:
        why = "it is an LMDB file with nothing in it, and no journal is being made here"
        raise FormatError(files.path, why, "restore it from a backup, or choose another directory")
    if read_only:
        raise LocationError(files.path, "it holds no journal", "open it for writing once, or correct the path")
    with env.begin(write=True) as txn:
        trees: list[lmdb._Database | None] = [env.open_db(name, txn=txn) for name in names.values()]
    # The mark of creation goes next, and with relaxed durability a power cut might undo the trees.
    env.sync(True)
    return trees


def _open_later(env: lmdb.Environment, name: bytes, *, read_only: bool) -> lmdb._Database | None:
    """Open a tree that the first journals were made without; their next owner makes it."""
    try:
        return env.open_db(name, create=not read_only)
    except (lmdb.NotFoundError, lmdb.ReadonlyError):
        return None


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


def refusal(path: str, error: lmdb.Error, otherwise: StorageError) -> StorageError:
    """Say in our words what the engine said.

    Args:
        otherwise: what to say if it is neither damage nor want of room.
    """
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
    return refusal(path, error, LocationError(path, str(error), cure))
