"""Where the files of a store stand in its directory, and the look at them before the engine opens them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
from collections.abc import Generator

from . import location
from .datafile import FileFacts, inspect
from .errors import CorruptError, FormatError, FullError, LocationError
from .ownership import OwnerLock

__all__ = ["Files"]


_LOCK_SIZE = 17 * 4096
"""Bytes of a lock file with places for 1,024 readers, in whole pages."""


class Files:
    """The directory of one store: ``owner.lock`` beside the engine's own directory ``journal``.

    While a store is made, the mark ``creating`` stands beside them. It is there before any of them and goes when all
    are safe, so a store that lacks its data and has no mark is one that was lost, and is never begun again.

    Attributes:
        is_new: whether the mark stood there at the last ``look``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: str = os.path.abspath(os.fspath(path))
        self.directory = os.path.join(self.path, "journal")
        self.data = os.path.join(self.directory, "data.mdb")
        self.lock = os.path.join(self.directory, "lock.mdb")
        self.owner = os.path.join(self.path, "owner.lock")
        self.creating = os.path.join(self.path, "creating")
        self.is_new = False
        self._found: list[tuple[int, int] | None] = []
        self._entries: list[tuple[int, int, int] | None] = []

    def prepare(self, *, create: bool, allow_remote: bool) -> None:
        """See to it that the directory is there, is ours and is on this machine.

        Raises:
            LocationError: it is not.
        """
        location.prepare_directory(self.path, create=create, private=False)
        if not allow_remote:
            location.refuse_remote(self.path)
        location.check_file(self.owner)

    def traces(self) -> list[str]:
        """Return the names of the files that a store has left here; none if there never was one."""
        files = (self.owner, self.lock, self.data)
        return [os.path.relpath(file, self.path) for file in files if os.path.lexists(file)]

    def claim(self) -> OwnerLock:
        """Become the owner; where there never was a store, leave the mark of creation first.

        Raises:
            InUseError: somebody else is the owner.
            LocationError: the directory cannot be written.
        """
        if os.path.lexists(self.owner):
            return OwnerLock.take(self.owner, self.path)
        # A mark left by one who comes late would stand in the finished store of another.
        with self._alone():
            if not self.traces():
                self._leave_mark()
            return OwnerLock.take(self.owner, self.path)

    def look(self, *, create: bool) -> FileFacts | None:
        """Check the engine's files, and return what the data file says of itself; None if the store is new.

        Raises:
            LocationError: they are not ours, or there is no store and none may be made.
            FormatError, CorruptError: the data file is of another kind, or it is damaged, or gone.
        """
        # In this order, a store that another process finishes meanwhile is not taken for a lost one.
        traces = self.traces()
        self.is_new = os.path.lexists(self.creating)
        make = create and self.is_new
        if make or os.path.lexists(self.directory):
            location.prepare_directory(self.directory, create=make, private=True)
        location.check_file(self.data)
        location.check_file(self.lock)
        facts: FileFacts | None = None
        try:
            facts = inspect(self.data)
        except (CorruptError, FormatError):
            # A power cut may leave any part of the first pages; nothing was acknowledged before they were safe.
            if traces and not self.is_new:
                raise
        if facts is None:
            if traces and not self.is_new:
                raise self._lost(traces)
            if not make:
                raise LocationError(self.path, "it holds no journal", "open it for writing once, or correct the path")
            self._clear_away()
        return facts

    def _lost(self, traces: list[str]) -> CorruptError:
        state = "nothing is in it" if os.path.lexists(self.data) else f"it is missing beside {' and '.join(traces)}"
        return CorruptError(self.data, f"{state}: the journal that was here is lost; remove {self.path} to give it up")

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        """Keep others who come to make a store here out for the length of the block."""
        with location.refusing(self.path):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Some remote file systems lock no directories; whoever allowed one has promised to come alone.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            # A child forked meanwhile has the descriptor too, and closing this one would leave it the lock.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _leave_mark(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with location.refusing(self.path):
            os.close(os.open(self.creating, flags, 0o600))
            location.sync_directory(self.path)

    def _clear_away(self) -> None:
        """Take away what an earlier creation has left of the data."""
        with location.refusing(self.path), contextlib.suppress(FileNotFoundError):
            os.truncate(self.data, 0)

    def reserve_lock(self) -> None:
        """Give the engine's lock file all its blocks before the engine maps it.

        The engine writes to it through the map, and a hole that a full disk cannot fill kills the process. A file that
        has its blocks is not opened: closing it would drop locks that this process may hold on it.

        Raises:
            FullError: the disk has no room for it.
        """
        with contextlib.suppress(FileNotFoundError):
            facts = os.stat(self.lock)
            if facts.st_size >= _LOCK_SIZE and facts.st_blocks * 512 >= facts.st_size:
                return
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _LOCK_SIZE)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise FullError(self.path, f"{self.lock}: {error.strerror}") from error

    def sync(self) -> None:
        """End the creation, if the files are new: make their entries durable, which the engine does not.

        The mark must be gone for good before anything is acknowledged.

        Raises:
            LocationError: the directory cannot be written.
        """
        if not self.is_new:
            return
        with location.refusing(self.path):
            location.sync_directory(self.directory)
            os.unlink(self.creating)
            location.sync_directory(self.path)
        self.is_new = False

    def watch(self) -> None:
        """Note which files these are, to notice when they are replaced under their owner."""
        self._found = self._fingerprint()
        self._entries = [_entries(self.path), _entries(self.directory)]

    def were_replaced(self) -> bool:
        """Whether they were moved, removed or replaced since ``watch``.

        Directories whose entries nobody has touched still have the same files, and each look gives up the interpreter's
        lock: so there are two, and not one for each file.
        """
        entries = [_entries(self.path), _entries(self.directory)]
        if entries == self._entries and None not in entries:
            return False
        self._entries = entries
        return self._fingerprint() != self._found

    def _fingerprint(self) -> list[tuple[int, int] | None]:
        return [_identity(self.data), _identity(self.lock), _identity(self.owner)]

    def room(self) -> int | None:
        """Return by how many bytes the data file may still grow, or None if the disk does not tell."""
        try:
            disk = os.statvfs(self.directory)
            size = os.stat(self.data).st_size
        except OSError:
            return None
        free = disk.f_bavail * disk.f_frsize
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return free if limit == resource.RLIM_INFINITY else min(free, limit - size)

    def keep_from_children(self) -> None:
        """Keep the engine's descriptors from programs that this process starts: one of them lacks the flag.

        Raises:
            LocationError: they cannot be found out.
        """
        with location.refusing(self.path):
            wanted = os.stat(self.data)
            try:
                descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
            except FileNotFoundError:
                return
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), wanted):
                    os.set_inheritable(descriptor, False)


def _entries(directory: str) -> tuple[int, int, int] | None:
    """Which directory it is, and when an entry of it was last made or removed."""
    try:
        facts = os.stat(directory)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns


def _identity(name: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(name)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
