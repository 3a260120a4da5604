"""How long does one workflow with one activity take from start to result, beside the two commits it cannot save?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

from greenroom import Runtime
from greenroom.storage import Tree

from .flows import greet, one
from .journals import SYNCS_A_COMMIT, commits_in, journal_folder, last_rows, percentile
from .limits import Row, bare_commits
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "p50 at most 3 x two bare commits of the same rows"
LIMIT = 3.0

_run_no = Struct(">Q").pack


def measure(*, quick: bool) -> Report:
    """Ours, bare, ours, bare …; the round with the lowest p50 of each counts."""
    count, rounds = (30, 1) if quick else (300, 4)
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    commits = 0.0
    for _ in range(rounds):
        with journal_folder() as folder:
            ours.append(_ours(folder / "journal", count))
            commits = commits_in(folder / "journal") / count
            (folder / "bare").mkdir()
            bare.append(bare_commits(folder / "bare", _units(folder / "journal", count)))
    best = min(ours, key=lambda seconds: percentile(seconds, 0.5))
    best_bare = min(bare, key=lambda seconds: percentile(seconds, 0.5))
    p50, p99 = (1e3 * percentile(best, share) for share in (0.5, 0.99))
    bare_p50, bare_p99 = (1e3 * percentile(best_bare, share) for share in (0.5, 0.99))
    ratio = p50 / bare_p50
    figures: dict[str, Figure] = {
        "workflows": count,
        "rounds": rounds,
        "p50_ms": p50,
        "p99_ms": p99,
        "commits_per_workflow": commits,
        "syncs_per_workflow": SYNCS_A_COMMIT * commits,
        "bare_p50_ms": bare_p50,
        "bare_p99_ms": bare_p99,
        "ratio": ratio,
    }
    summary = f"{p50:.2f} ms p50, {p99:.2f} ms p99, {ratio:.2f} x two bare commits ({bare_p50:.2f} ms)"
    return Report("W2", TARGET, ratio <= LIMIT, figures, summary)


def _ours(path: Path, count: int) -> list[float]:
    """Seconds of each workflow, one at a time."""
    seconds: list[float] = []
    with Runtime(path, workflows=[one], activities=[greet]) as runtime:
        for _ in range(count):
            begin = time.perf_counter()
            runtime.execute_workflow(one, "Kyle").get(timeout=60)
            seconds.append(time.perf_counter() - begin)
    return seconds


def _units(path: Path, count: int) -> Iterator[list[list[Row]]]:
    """The rows that a workflow's two commits write, as a journal with such runs holds them, for ``count`` runs."""
    (_, header), (_, first), (_, second) = last_rows(path, Tree.RUNS, 3)
    ((_, meta),) = last_rows(path, Tree.META, 1)
    for number in range(1, count + 1):
        run, block = _run_no(number), _run_no(number >> 8)
        yield [
            [
                (b"runs", run + b"\x00", header),
                (b"runs", run + b"\x10\0\0\0\0", first),
                (b"due", b"\x01" + block, bytes(36)),
                (b"meta", b"meta", meta),
            ],
            [
                (b"runs", run + b"\x00", header),
                (b"runs", run + b"\x10\0\0\0\1", second),
                (b"due", b"\x01" + block, None),
                (b"meta", b"meta", meta),
            ],
        ]


if __name__ == "__main__":
    run(measure)
