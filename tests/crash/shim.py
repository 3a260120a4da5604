"""The preloaded C shim: compiled when the harness begins; the environment tells it what to log or where to die."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Record", "Shim", "read_log"]

SOURCE = Path(__file__).with_name("shim.c")
HEAD = struct.Struct("<cIQ")


class Record(NamedTuple):
    """One thing a process did.

    Args:
        kind: ``W`` wrote, ``D`` wrote durably, ``S`` synced, ``M`` said something outside, ``U`` removed the mark of
            creation, ``F`` synced another file or a directory.
    """

    kind: bytes
    offset: int
    data: bytes


class Shim(NamedTuple):
    """A compiled shim."""

    library: str

    @classmethod
    def compile(cls, folder: Path) -> Shim:
        """Compile it.

        Raises:
            SystemExit: there is no C compiler, or it refuses.
        """
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise SystemExit("no C compiler (cc, gcc, clang): install one (on Debian: gcc and libc6-dev) or set CC")
        library = folder / "shim.so"
        command = [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
        return cls(str(library))

    def killing(self, step: str, occurrence: int) -> dict[str, str]:
        """The environment of a child that is killed at the n-th step of a kind."""
        return {"LD_PRELOAD": self.library, "GREENROOM_CRASH_KILL": f"{step}:{occurrence}"}

    def logging(self, log: Path) -> dict[str, str]:
        """The environment of a child whose writes, syncs and marks are logged."""
        return {"LD_PRELOAD": self.library, "GREENROOM_CRASH_LOG": str(log)}


def read_log(log: Path) -> Iterator[Record]:
    """Read what a shim logged; a record that was cut off by a kill is the end."""
    data = log.read_bytes()
    position = 0
    while position + HEAD.size <= len(data):
        kind, length, offset = HEAD.unpack_from(data, position)
        position += HEAD.size
        if position + length > len(data):
            return
        yield Record(kind, offset, data[position : position + length])
        position += length
