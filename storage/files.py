"""Where the files of a store stand in its directory, and the look at them before the engine opens them."""

from __future__ import annotations

import contextlib
import os
import resource

from . import location
from .datafile import FileFacts, inspect
from .errors import CorruptError, FormatError, FullError, LocationError

__all__ = ["Files"]


_LOCK_SIZE = 17 * 4096
"""Bytes of a lock file with places for 1,024 readers, in whole pages."""


class Files:
    """The directory of one store: ``owner.lock`` beside the engine's own directory ``journal``."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: str = os.path.abspath(os.fspath(path))
        self.directory = os.path.join(self.path, "journal")
        self.data = os.path.join(self.directory, "data.mdb")
        self.lock = os.path.join(self.directory, "lock.mdb")
        self.owner = os.path.join(self.path, "owner.lock")
        self.creating = os.path.join(self.path, "creating")
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

    def look(self, *, create: bool) -> FileFacts | None:
        """Check the engine's files, and return what the data file says of itself; None if the store is new.

        Raises:
            LocationError: they are not ours, or missing although they may not be made.
            FormatError, CorruptError: the data file is of another kind, or damaged.
        """
        location.prepare_directory(self.directory, create=create, private=True)
        location.check_file(self.data)
        location.check_file(self.lock)
        facts: FileFacts | None = None
        try:
            facts = inspect(self.data)
        except (CorruptError, FormatError):
            # A power cut may leave any part of the first pages; nothing was acknowledged before they were safe.
            if not os.path.exists(self.creating):
                raise
        if facts is None:
            if not create:
                raise LocationError(self.path, "it holds no journal", "open it for writing once, or correct the path")
            self._begin_creation()
        return facts

    def _begin_creation(self) -> None:
        """Leave a mark that lasts until the new files are safe, and clear away what is left of an earlier creation."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            os.close(os.open(self.creating, flags, 0o600))
            location.sync_directory(self.path)
            with contextlib.suppress(FileNotFoundError):
                os.truncate(self.data, 0)
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
            raise LocationError(self.path, why, "choose a directory that this process may write") from error

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
        """
        if not os.path.exists(self.creating):
            return
        location.sync_directory(self.directory)
        os.unlink(self.creating)
        location.sync_directory(self.path)

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

    def room(self) -> int:
        """Return by how many bytes the data file may still grow."""
        disk = os.statvfs(self.directory)
        free = disk.f_bavail * disk.f_frsize
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return free if limit == resource.RLIM_INFINITY else min(free, limit - os.stat(self.data).st_size)

    def keep_from_children(self) -> None:
        """Keep the engine's descriptors from programs that this process starts: one of them lacks the flag."""
        wanted = os.stat(self.data)
        try:
            descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
        except OSError:
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
