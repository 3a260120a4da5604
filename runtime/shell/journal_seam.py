"""The one place where the storage layer's errors become the public ones."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

from ...storage import (
    ClosedError,
    CorruptError,
    FencedError,
    ForkedError,
    FormatError,
    FullError,
    InUseError,
    LocationError,
    OutcomeUnknownError,
    ReadError,
    StorageError,
    WriteError,
)
from ..model.errors import (
    GreenroomError,
    JournalCorruptError,
    JournalError,
    JournalForkedError,
    JournalFormatError,
    JournalFullError,
    JournalInUseError,
    JournalLocationError,
    JournalReadError,
    JournalWriteError,
    RuntimeClosedError,
)

__all__ = ["is_passing", "public_error", "translated"]

_OWN = "which is this one: a runtime that it has opened has not been closed"

_PUBLIC: dict[type[StorageError], Callable[[str, str], GreenroomError]] = {
    CorruptError: JournalCorruptError,
    FencedError: lambda path, detail: JournalInUseError(path, detail=detail),
    ForkedError: JournalForkedError,
    FormatError: JournalFormatError,
    FullError: JournalFullError,
    LocationError: JournalLocationError,
    OutcomeUnknownError: JournalWriteError,
    ReadError: JournalReadError,
    WriteError: JournalWriteError,
}


def is_passing(error: BaseException) -> bool:
    """Whether the disk may do a little later what it does not do now, and nothing is wrong with what it keeps."""
    return isinstance(error, StorageError) and not isinstance(error, (CorruptError, FormatError))


def public_error(error: StorageError, path: str) -> GreenroomError:
    """What the caller is told for an error of the storage layer; the original is its ``__cause__``."""
    public: GreenroomError
    if isinstance(error, ClosedError):
        public = RuntimeClosedError()
    elif isinstance(error, InUseError):
        is_own = (error.pid, error.host) == (os.getpid(), socket.gethostname())
        public = JournalInUseError(path, error.pid, error.host, _OWN if is_own else "")
    else:
        public = _PUBLIC.get(type(error), JournalError)(path, str(error))
    public.__cause__ = error
    return public


@contextmanager
def translated(path: str) -> Generator[None, None, None]:
    """Raise the public error for whatever the storage layer raises inside."""
    try:
        yield
    except InUseError as error:
        # All that it knows stands in the message, which is often all that a second process has to show.
        raise public_error(error, path) from None
    except StorageError as error:
        raise public_error(error, path) from error
