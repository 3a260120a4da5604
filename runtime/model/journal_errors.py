"""What the operator must act on, and what we must."""

from __future__ import annotations

from typing import ClassVar

from .work_errors import GreenroomError

__all__ = [
    "InternalError",
    "JournalCorruptError",
    "JournalError",
    "JournalForkedError",
    "JournalFormatError",
    "JournalFullError",
    "JournalInUseError",
    "JournalLocationError",
    "JournalReadError",
    "JournalWriteError",
]


class JournalError(GreenroomError):
    """Something is wrong with the journal itself; the message ends with what the operator can do.

    Args:
        path: the journal's directory.
        detail: the facts, such as the reason that the operating system gave.
    """

    what: ClassVar[str] = "cannot be used"
    cure: ClassVar[str] = "look at what the message says of it, and open it again"

    def __init__(self, path: str, detail: str = "") -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"journal {self.path} {self.what}{detail}; {self.cure}"


class JournalInUseError(JournalError):
    """Another runtime owns the journal; there is one owner at a time.

    Args:
        path: the journal's directory.
        pid: the process that owns it, if it is known.
        host: the host of that process.
        detail: more facts.
    """

    what = "is in use"
    cure = "close that runtime first, or give this one a journal of its own"

    def __init__(self, path: str, pid: int | None = None, host: str | None = None, detail: str = "") -> None:
        owner = "" if pid is None else f"by process {pid}" + ("" if host is None else f" on {host}")
        super().__init__(path, ": ".join(part for part in (owner, detail) if part))
        self.pid = pid
        self.host = host


class JournalFullError(JournalError):
    """There is no room for the batch; nothing of it was written."""

    what = "is full"
    cure = "make room on its disk or raise its size limit; nothing that was acknowledged is lost"


class JournalCorruptError(JournalError):
    """Bytes in the journal are not what was written."""

    what = "is damaged"
    cure = "run the journal check to see how far, and restore a backup"


class JournalFormatError(JournalError):
    """The journal was written by another version of greenroom, or is none."""

    what = "has an unknown format"
    cure = "open it with the version that wrote it, or check the path"


class JournalLocationError(JournalError):
    """A journal cannot live at this place."""

    what = "cannot live there"
    cure = "choose a local directory that this user owns and can write"


class JournalReadError(JournalError):
    """The disk did not answer; nothing says that what it keeps is damaged, and nothing was changed."""

    what = "could not be read just now"
    cure = "ask again, and check its disk if it goes on; what was asked for was not done"


class JournalWriteError(JournalError):
    """The disk refused a write, or it is unknown whether it took it."""

    what = "could not be written"
    cure = "check its disk, then open the journal again; what was acknowledged is safe"


class JournalForkedError(JournalError):
    """The journal was opened before this process was forked from the one that owns it."""

    what = "belongs to the process that this one was forked from"
    cure = (
        "open the runtime in the process that uses it, after the fork: in the worker, not in the server that forks it; "
        "with multiprocessing, start workers with the 'spawn' method"
    )


class InternalError(GreenroomError):
    """A promise that greenroom makes to itself is broken; the fault is not the user's.

    Attributes:
        fact: what was found.
    """

    def __init__(self, fact: str) -> None:
        super().__init__(fact)
        self.fact = fact

    def __str__(self) -> str:
        return f"{self.fact}; this is a bug in greenroom, please report it"
