"""What can go wrong on disk: each error keeps its facts and says what to do next.

::

    StorageError
     ├── InUseError           another runtime owns the journal
     ├── LocationError        the directory cannot hold a journal (remote, read-only, wrong owner, replaced…)
     ├── FormatError          the file is not a journal, or one of a newer version
     ├── CorruptError         bytes are not what was written
     ├── ReadError            the disk does not answer; what it keeps is sound, and it may be asked again
     ├── FullError            no room; nothing of the batch was written, it may be committed again
     ├── WriteError           the disk refused; nothing of the batch was written, it may be committed again
     ├── OutcomeUnknownError  the disk failed at the last step and cannot be asked what it kept
     ├── FencedError          another owner has written since
     ├── ForkedError          used in a forked child
     └── ClosedError          used after close
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ClosedError",
    "CorruptError",
    "FencedError",
    "ForkedError",
    "FormatError",
    "FullError",
    "InUseError",
    "LocationError",
    "OutcomeUnknownError",
    "ReadError",
    "StorageError",
    "WriteError",
]


class StorageError(Exception):
    """The root of every error that the storage layer raises on purpose."""


class InUseError(StorageError):
    """Another runtime, in this process or another, owns the journal.

    Attributes:
        path: the journal's directory.
        pid: the process that owns it, or None if that is not known.
        host: the machine of that process.
    """

    def __init__(self, path: str, pid: int | None, host: str) -> None:
        super().__init__(path, pid, host)
        self.path = path
        self.pid = pid
        self.host = host

    def __str__(self) -> str:
        owner = "an unknown process" if self.pid is None else f"process {self.pid}"
        return (
            f"the journal {self.path} is in use by {owner} on {self.host}; "
            "close that runtime first, or give this one a directory of its own"
        )


class LocationError(StorageError):
    """The directory cannot hold a journal, or is no longer the one that was opened.

    Attributes:
        path: the directory.
        why: what is wrong with it.
        cure: what to do.
    """

    def __init__(self, path: str, why: str, cure: str) -> None:
        super().__init__(path, why, cure)
        self.path = path
        self.why = why
        self.cure = cure

    def __str__(self) -> str:
        return f"cannot keep a journal in {self.path}: {self.why}; {self.cure}"


class FormatError(StorageError):
    """The bytes are sound, but of a kind or version that this greenroom does not read.

    Attributes:
        where: what was read.
        why: what is wrong with it.
        cure: what to do.
    """

    def __init__(self, where: str, why: str, cure: str) -> None:
        super().__init__(where, why, cure)
        self.where = where
        self.why = why
        self.cure = cure

    def __str__(self) -> str:
        return f"cannot read {self.where}: {self.why}; {self.cure}"


class CorruptError(StorageError):
    """Stored bytes are not what was written.

    Attributes:
        where: what was read.
        why: what is wrong with it.
        run_no: the run the damage belongs to, or None if it is nobody's alone.
    """

    def __init__(self, where: str, why: str, run_no: int | None = None) -> None:
        super().__init__(where, why, run_no)
        self.where = where
        self.why = why
        self.run_no = run_no

    def __str__(self) -> str:
        return f"damaged: {self.where}: {self.why}; run `greenroom check` for the extent, and restore from a backup"


class _DiskError(StorageError):
    """What the disk, or the engine that asks it, has said of a journal.

    Attributes:
        path: the journal's directory.
        why: what was said.
    """

    TOLD: ClassVar[str]

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return self.TOLD.format(path=self.path, why=self.why)


class ReadError(_DiskError):
    """The journal could not be read just now; nothing says that what it keeps is damaged."""

    TOLD = "cannot read the journal {path}: {why}; ask again, and look after the disk if it goes on"


class FullError(_DiskError):
    """There is no room; nothing of the batch was written, and it may be committed again."""

    TOLD = "no room in the journal {path}: {why}; make room or raise the limit, then commit again"


class WriteError(_DiskError):
    """The disk refused the batch; nothing of it was written, and it may be committed again."""

    TOLD = "could not write to the journal {path}: {why}; nothing was written, look after the disk"


class OutcomeUnknownError(_DiskError):
    """The last step of a commit failed and the journal could not be reopened to see what it kept."""

    TOLD = (
        "the journal {path} failed at the last step of a commit and cannot be reopened: {why}; "
        "the batch is there entirely or not at all, open the journal again to learn which"
    )


class FencedError(StorageError):
    """Another owner has taken the journal over; this one may not write any more.

    Attributes:
        where: what has been taken over.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where

    def __str__(self) -> str:
        return f"{self.where} has been taken over by another owner; stop this runtime, nothing of the batch was written"


class ForkedError(StorageError):
    """The journal was opened before a fork and used in the child.

    Attributes:
        path: its directory.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"the journal {self.path} was opened before this process was forked and belongs to the parent; "
            "open it in the process that uses it, after the fork, or start workers with the 'spawn' method"
        )


class ClosedError(StorageError):
    """The journal was used after it had been closed.

    Attributes:
        where: what is closed.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where

    def __str__(self) -> str:
        return f"{self.where} is closed; open it again"
