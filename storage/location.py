"""Whether a directory may hold a journal: ours alone, on this machine, not reached through a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager

from .errors import LocationError

__all__ = [
    "CURE",
    "MORE_FILES",
    "REMOTE_FILE_SYSTEMS",
    "check_file",
    "file_system_of",
    "prepare_directory",
    "refuse_remote",
    "refusing",
    "sync_directory",
]

CURE = "choose a directory that this process may write, or see that it may write this one"

MORE_FILES = "close some files, or raise their limit (ulimit -n)"

MOUNTINFO = "/proc/self/mountinfo"

REMOTE_FILE_SYSTEMS = frozenset(
    {
        *(
            "9p",
            "acfs",
            "afs",
            "beegfs",
            "ceph",
            "cifs",
            "coda",
            "drvfs",
            "fuse",
            "gfs2",
            "glusterfs",
            "gpfs",
            "lustre",
        ),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"),
    }
)
"""File systems that other machines can reach, or whose locks and syncs cannot be trusted; ``fuse`` is all its kinds."""

_OCTAL = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


def prepare_directory(path: str, *, create: bool, private: bool) -> None:
    """See to it that a directory is there and is ours.

    Args:
        create: make it (mode 0700) and sync its parent if it is missing.
        private: refuse any right of group and others; otherwise only the right to write.

    Raises:
        LocationError: it is missing, no directory, a link, somebody else's, or open to others.
    """
    if create:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.mkdir(path, 0o700)
            sync_directory(path)
            sync_directory(os.path.dirname(path))
        except FileExistsError:
            pass
        except OSError as error:
            raise _refusal(path, error) from error
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        raise LocationError(
            path, "there is no such directory", "open it for writing once, or correct the path"
        ) from None
    except OSError as error:
        raise _refusal(path, error) from error
    if stat.S_ISLNK(facts.st_mode):
        raise LocationError(path, "it is a symbolic link", f"name its target, {os.path.realpath(path)}, instead")
    if not stat.S_ISDIR(facts.st_mode):
        raise LocationError(path, "it is not a directory", "choose a directory of its own for the journal")
    _check_owner(path, facts, forbidden=0o077 if private else 0o022)
    _check_parent(path)


def check_file(path: str) -> None:
    """Refuse a file that is a link, somebody else's, or open to others; a missing one is fine.

    Raises:
        LocationError: as said.
    """
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refusal(path, error) from error
    if not stat.S_ISREG(facts.st_mode):
        raise LocationError(path, "it is not an ordinary file", "remove it, or choose another directory")
    _check_owner(path, facts, forbidden=0o077)


def refuse_remote(path: str) -> None:
    """Refuse a directory on a file system that other machines can reach.

    Raises:
        LocationError: as said, naming the file system.
    """
    kind = file_system_of(path)
    if kind is None:
        return
    if kind in REMOTE_FILE_SYSTEMS or kind.partition(".")[0] == "fuse":
        cure = "choose a local disk, or pass allow_remote=True if its locks and syncs can be trusted"
        raise LocationError(path, f"it is on a {kind} file system, where locks and syncs are not dependable", cure)


def file_system_of(path: str, mountinfo: str | None = None) -> str | None:
    """Return the type of the file system a path is on, or None where the system does not tell.

    Args:
        mountinfo: the table to read instead of the system's.
    """
    try:
        with open(mountinfo or MOUNTINFO, encoding="utf-8", errors="surrogateescape") as table:
            lines = table.read().splitlines()
    except OSError:
        return None
    real = os.path.realpath(path)
    best, kind = -1, None
    for line in lines:
        mount, _, rest = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not rest:
            continue
        point = fields[4]
        for escaped, character in _OCTAL.items():
            point = point.replace(escaped, character)
        # The last of equally long mount points lies on top of the others.
        if len(point) >= best and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, kind = len(point), rest.split(" ")[0]
    return kind


@contextmanager
def refusing(path: str) -> Generator[None]:
    """Turn what the system refuses inside into a LocationError for the path."""
    try:
        yield
    except OSError as error:
        raise _refusal(path, error) from error


def sync_directory(path: str) -> None:
    """Make the entries of a directory durable."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_owner(path: str, facts: os.stat_result, *, forbidden: int) -> None:
    if facts.st_uid != os.geteuid():
        why = f"it belongs to user {facts.st_uid} and this process runs as user {os.geteuid()}"
        raise LocationError(path, why, "run as its owner, or change the owner with chown")
    if facts.st_mode & forbidden:
        mode = stat.S_IMODE(facts.st_mode)
        cure = f"take their rights away: chmod go-{'rwx' if forbidden & 0o055 else 'w'} {path}"
        raise LocationError(path, f"other users have rights on it (mode {mode:04o})", cure)


def _check_parent(path: str) -> None:
    parent = os.path.dirname(path)
    with refusing(parent):
        facts = os.stat(parent)
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        why = f"everybody may replace it, its parent {parent} is open to all (mode {stat.S_IMODE(facts.st_mode):04o})"
        raise LocationError(path, why, f"chmod o-w {parent}")


def _refusal(path: str, error: OSError) -> LocationError:
    why = error.strerror or str(error)
    if error.filename not in (None, path):
        why = f"{error.filename}: {why}"
    cure = MORE_FILES if error.errno in (errno.EMFILE, errno.ENFILE) else CURE
    return LocationError(path, why, cure)
