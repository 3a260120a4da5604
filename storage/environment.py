"""The promise of a store on LMDB: it owns a directory, commits to it, and outlives what disks and processes do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from . import forks
from .datafile import FileFacts
from .engine import BadSizeError, Engine, EngineError, MapFullError, StaleError, check_package, refusal, verify
from .errors import (
    ClosedError,
    CorruptError,
    ForkedError,
    FullError,
    LocationError,
    OutcomeUnknownError,
    ReadError,
    StorageError,
    WriteError,
)
from .files import Files
from .gate import Gate
from .ownership import OwnerLock
from .settings import DEFAULTS, Durability, Settings
from .store import BAD_KEY, META_KEY, Changes, Plan, Tree
from .store import plan as sort

__all__ = ["Environment"]

_SLACK = 1 << 16
_TRIES = 3
_READER_CHECK_EVERY = 1000

_TRANSIENT = frozenset({errno.EINTR, errno.EAGAIN, errno.EIO})

_T = TypeVar("_T")


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
        self._open_engine: Engine | None = Engine.open(files, settings, settings.map_size)
        self._map_size = self._open_engine.map_size
        files.watch()
        self.engine = self._open_engine.name

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
        check_package()
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
        return self._read(lambda engine: engine.get(tree, key)) if key else None

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return at most ``limit`` pairs of the half-open range [start, stop), in key order or against it."""
        return self._read(lambda engine: engine.scan(tree, start, stop, limit, reverse=reverse))

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
                    self._engine().write(self.path, plan, expect, self._gate.shut)
                    return
                except MapFullError as error:
                    self._grow(error)
                except BadSizeError as error:
                    raise ValueError(BAD_KEY) from error
                except EngineError as error:
                    failures += 1
                    if not self._engine().works(self._gate.shut):
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
            engine, self._open_engine = self._open_engine, None
            owner, self._owner = self._owner, None
            try:
                if engine is not None and owner is not None and self._settings.durability is Durability.RELAXED:
                    engine.sync()
            except EngineError as error:
                raise WriteError(self.path, str(error)) from error
            finally:
                if engine is not None:
                    engine.close()
                if owner is not None:
                    owner.release()
                forks.forget(self)

    def _read(self, look: Callable[[Engine], _T]) -> _T:
        while True:
            self._check_process()
            with self._gate:
                self._check_open()
                engine = self._open_engine
                if engine is not None:
                    try:
                        return look(engine)
                    except StaleError:
                        pass
                    except EngineError as error:
                        raise refusal(self.path, error, ReadError(self.path, str(error))) from error
            # The engine refuses since a commit failed, or another process has made the map larger.
            with self._writing:
                if self._open_engine is engine and not self._closed:
                    self._reopen(self._map_size)

    def _write_refusal(self, plan: Plan, error: EngineError) -> StorageError:
        # A write that was cut short by a full disk comes back as an input/output error.
        if error.code == errno.EIO and (room := self._files.room()) is not None:
            size = sum(len(key) + len(value) for _, puts, _ in plan for key, value in puts)
            if room < size + _SLACK:
                return FullError(self.path, f"the disk or the file size limit leaves {room} bytes")
        return refusal(self.path, error, WriteError(self.path, str(error)))

    def _ask(self, changes: Changes, expect: bytes | None) -> bytes | None:
        """Reopen after a failed last step, and return what the batch must expect when it is written again.

        It is written again even if it is there: only a commit that succeeds says that the disk has it, and writing
        the same rows twice changes nothing.
        """
        try:
            self._reopen(self._map_size)
            found = self._engine().get(Tree.META, META_KEY)
        except (EngineError, StorageError) as error:
            self._give_up()
            raise OutcomeUnknownError(self.path, str(error)) from error
        written = changes.get(Tree.META, {}).get(META_KEY)
        return written if expect is not None and found == written else expect

    def _grow(self, cause: EngineError) -> None:
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
            engine, self._open_engine = self._open_engine, None
            if engine is not None:
                engine.close()
            self._open_engine = Engine.open(self._files, self._settings, size)
            self._map_size = self._open_engine.map_size

    def _revive(self) -> None:
        """Have an engine, if the last reopening failed."""
        if self._open_engine is None:
            try:
                self._reopen(self._map_size)
            except LocationError as error:
                raise WriteError(self.path, f"it cannot be reopened: {error.why}") from error

    def _give_up(self) -> None:
        """Be as good as closed, but for the ownership."""
        with self._gate.shut():
            self._closed = True
            engine, self._open_engine = self._open_engine, None
            if engine is not None:
                engine.close()

    def _engine(self) -> Engine:
        if self._open_engine is None:
            raise ClosedError(f"the journal {self.path}")
        return self._open_engine

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
        if self._commits % _READER_CHECK_EVERY == 0 and self._open_engine is not None:
            self._open_engine.drop_dead_readers()

    def poison(self) -> None:
        """Make a forked child's copy useless, without touching the parent's lock or the engine."""
        self._forked = True
        if self._owner is not None:
            self._owner.abandon()


def _look(files: Files, *, create: bool) -> FileFacts | None:
    """Look at the files before the engine maps them, and refuse a data file that lacks pages."""
    facts = files.look(create=create)
    # Pages never used may be missing at the end of a sound file, so it is walked before it is refused.
    if facts is not None and facts.file_size < facts.used_size and (problems := verify(files.data)):
        why = f"it ends after {facts.file_size} of {facts.used_size} bytes: {problems[0]}"
        raise CorruptError(files.data, why)
    return facts
