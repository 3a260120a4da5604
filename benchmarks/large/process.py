"""What a process holds, and processes that are told what to do, a line of JSON each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Process", "disk_bytes", "forget_pages", "rss_anon_mib", "started"]

_BLOCK = 512


class Process:
    """A module that runs as a process of its own."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen

    def ask(self, name: str, *args: float | None) -> dict[str, float]:
        """Have it do something, and return what it says.

        Raises:
            RuntimeError: it has ended instead.
        """
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps([name, *args]) + "\n")
        self._popen.stdin.flush()
        return self.told()

    def told(self) -> dict[str, float]:
        """What it says next.

        Raises:
            RuntimeError: it has ended instead.
        """
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._popen.args!r} has ended")
        found: dict[str, float] = json.loads(line)
        return found

    def kill(self) -> None:
        """End it at once, wherever it is."""
        self._popen.send_signal(signal.SIGKILL)
        self._popen.wait()


@contextmanager
def started(module: str, *args: object, environment: dict[str, str]) -> Generator[Process]:
    """A process that runs a module of this package, killed in the end."""
    command = [sys.executable, "-m", f"{__package__}.{module}", *map(str, args)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as popen:
        process = Process(popen)
        try:
            yield process
        finally:
            process.kill()


def rss_anon_mib() -> float:
    """The memory of this process that is no file's: pages of the journal that are mapped do not count."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name == "RssAnon":
            return int(rest.split()[0]) / 1024
    raise RuntimeError("this system does not tell RssAnon; Linux does, in /proc/self/status")


def disk_bytes(folder: Path) -> int:
    """What the files of a folder take on the disk; the end of a sparse file takes nothing."""
    return sum(path.stat().st_blocks * _BLOCK for path in folder.rglob("*") if path.is_file())


def forget_pages(folder: Path) -> None:
    """Have the system forget what it has read and written of the files of a folder, as after a restart."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
