"""Who owns a journal: one process at a time, by an ``flock`` that dies with it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from typing import cast

from .errors import InUseError, LocationError
from .location import CURE

__all__ = ["OwnerLock"]

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class OwnerLock:
    """The held lock on ``owner.lock``; the file says who holds it, for the message to the next one.

    An ``flock`` belongs to the open file, not to the process: closing another descriptor of the same file does not
    drop it, as it would LMDB's own lock.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: str, journal: str) -> OwnerLock:
        """Take the lock, or say who has it.

        Raises:
            InUseError: another process, or this one, has it.
            LocationError: the file cannot be made or opened.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            try:
                descriptor = os.open(path, flags, 0o600)
            except OSError as error:
                why = f"{path}: {error.strerror}"
                raise LocationError(journal, why, CURE) from error
            try:
                if cls._lock(descriptor, path, journal):
                    _write_facts(descriptor)
                    return cls(path, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    @staticmethod
    def _lock(descriptor: int, path: str, journal: str) -> bool:
        """Lock the file; False if it was replaced meanwhile."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, host = _read_facts(descriptor)
            raise InUseError(journal, pid, host) from None
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back; a child forked meanwhile cannot keep it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)

    def abandon(self) -> None:
        """Close the descriptor in a forked child, and leave the lock to the parent."""
        os.close(self._descriptor)


def _write_facts(descriptor: int) -> None:
    facts = {"pid": os.getpid(), "host": socket.gethostname(), "boot_id": _boot_id(), "started_ns": time.time_ns()}
    # The facts only serve a message: a full disk must not keep anybody from opening.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(facts).encode(), 0)


def _read_facts(descriptor: int) -> tuple[int | None, str]:
    try:
        facts = json.loads(os.pread(descriptor, 4096, 0))
        pid, host = cast("dict[str, object]", facts)["pid"], cast("dict[str, object]", facts)["host"]
    except (OSError, ValueError, TypeError, KeyError):
        return None, "an unknown host"
    return (pid if isinstance(pid, int) else None), str(host)


def _boot_id() -> str:
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
