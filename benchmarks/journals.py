"""Places for journals on a real disk, and how many commits a journal has taken."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from greenroom.storage import Journal, Tree

__all__ = ["SYNCS_A_COMMIT", "commits_in", "journal_folder", "last_rows", "percentile"]

SYNCS_A_COMMIT = 2
"""LMDB waits for the disk twice a commit: fdatasync for the data, then a synchronous write of the meta page."""

_MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs"})


@contextmanager
def journal_folder() -> Generator[Path]:
    """A directory on a disk, removed afterwards; ``TMPDIR`` chooses another disk.

    Raises:
        SystemExit: the directory is in memory, where a sync costs nothing.
    """
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as name:
        folder = Path(name)
        kind = _file_system_of(folder)
        if kind in _MEMORY_FILE_SYSTEMS:
            raise SystemExit(
                f"{folder.parent} is a {kind}: a sync costs nothing there; set TMPDIR to a folder on a disk"
            )
        yield folder


def commits_in(path: Path) -> int:
    """Commits that a closed journal has taken since it was made, without the one of each opening."""
    journal = Journal.open(path, read_only=True)
    try:
        return journal.sequence - journal.epoch
    finally:
        journal.close()


def last_rows(path: Path, tree: Tree, count: int) -> list[tuple[bytes, bytes]]:
    """The last ``count`` (key, value) pairs of a tree of a closed journal, in key order."""
    journal = Journal.open(path, read_only=True)
    try:
        return journal.store.scan(tree, b"\0", b"\xff" * 64, limit=count, reverse=True)[::-1]
    finally:
        journal.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _file_system_of(folder: Path) -> str:
    """The kind of file system a folder is on; "unknown" where the system has no table of mounts."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    best, kind = "", "unknown"
    for line in mounts:
        _, place, found, *_ = line.split(" ")
        if folder.is_relative_to(place) and len(place) >= len(best):
            best, kind = place, found
    return kind
