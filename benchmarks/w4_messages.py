"""How long does an update of a running workflow take, beside the commit it cannot save, and how long a query?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from greenroom import Runtime
from greenroom.storage import Tree

from .flows import Tally
from .journals import SYNCS_A_COMMIT, commits_in, journal_folder, last_rows, percentile
from .limits import Row, bare_commits, bare_trips
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "update: p50 at most 3 x a bare commit of the same rows; query: p50 at most 0.2 ms"
LIMIT = 3.0
QUERY_MS = 0.2

_run_no = Struct(">Q").pack
_turn_no = Struct(">I").pack


class _Round(NamedTuple):
    """Seconds of each update and query, and of what they are compared with; commits an update."""

    updates: list[float]
    queries: list[float]
    commits: float
    bare_commits: list[float]
    bare_trips: list[float]


def measure(*, quick: bool) -> Report:
    """Ours, bare, ours, bare …; the round with the lowest p50 of each counts."""
    count, rounds = (30, 1) if quick else (500, 5)
    taken = [_round(count) for _ in range(rounds)]
    updates, queries, commits, trips = (
        min(found, key=lambda seconds: percentile(seconds, 0.5))
        for found in (
            [each.updates for each in taken],
            [each.queries for each in taken],
            [each.bare_commits for each in taken],
            [each.bare_trips for each in taken],
        )
    )
    ratio = percentile(updates, 0.5) / percentile(commits, 0.5)
    query_ms = 1e3 * percentile(queries, 0.5)
    figures: dict[str, Figure] = {
        "messages": count,
        "rounds": rounds,
        "update": {
            **_in_ms(updates),
            "commits_per_update": taken[-1].commits,
            "syncs_per_update": SYNCS_A_COMMIT * taken[-1].commits,
            **{f"bare_{name}": figure for name, figure in _in_ms(commits).items()},
            "ratio": ratio,
        },
        "query": {
            **_in_ms(queries),
            **{f"bare_{name}": figure for name, figure in _in_ms(trips).items()},
            "ratio": percentile(queries, 0.5) / percentile(trips, 0.5),
        },
    }
    summary = (
        f"an update {1e3 * percentile(updates, 0.5):.2f} ms p50, {1e3 * percentile(updates, 0.99):.2f} ms p99, "
        f"{ratio:.2f} x a bare commit; a query {query_ms:.3f} ms p50, {1e3 * percentile(queries, 0.99):.3f} ms p99, "
        f"to another thread and back it is {1e3 * percentile(trips, 0.5):.3f}"
    )
    return Report("W4", TARGET, ratio <= LIMIT and query_ms <= QUERY_MS, figures, summary)


def _in_ms(seconds: list[float]) -> dict[str, float]:
    return {"p50_ms": 1e3 * percentile(seconds, 0.5), "p99_ms": 1e3 * percentile(seconds, 0.99)}


def _round(count: int) -> _Round:
    with journal_folder() as folder:
        updates, queries = _ours(folder / "journal", count)
        commits = commits_in(folder / "journal") / count
        (folder / "bare").mkdir()
        bare = bare_commits(folder / "bare", _units(folder / "journal", count))
        return _Round(updates, queries, commits, bare, bare_trips(count))


def _ours(path: Path, count: int) -> tuple[list[float], list[float]]:
    """Seconds of each update and of each query of one run, one at a time."""
    updates: list[float] = []
    queries: list[float] = []
    with Runtime(path, workflows=[Tally]) as runtime:
        handle = runtime.start_workflow(Tally.run, count + 1).get(timeout=60)
        for _ in range(count):
            begin = time.perf_counter()
            handle.execute_update(Tally.raise_by, 1).get(timeout=60)
            updates.append(time.perf_counter() - begin)
        for _ in range(count):
            begin = time.perf_counter()
            handle.query(Tally.so_far).get(timeout=60)
            queries.append(time.perf_counter() - begin)
    return updates, queries


def _units(path: Path, count: int) -> Iterator[list[list[Row]]]:
    """One commit an update: its turn, the row of its outcome and the journal's own row, as the journal holds them."""
    rows = last_rows(path, Tree.RUNS, 2 * count + 1)
    turns = [value for key, value in rows if key[8] == 0x10]
    updates = [(key, value) for key, value in rows if key[8] == 0x50]
    ((_, meta),) = last_rows(path, Tree.META, 1)
    for number, (key, outcome) in enumerate(updates, 1):
        yield [
            [
                (b"runs", _run_no(1) + b"\x10" + _turn_no(number), turns[-1]),
                (b"runs", key, outcome),
                (b"meta", b"meta", meta),
            ]
        ]


if __name__ == "__main__":
    run(measure)
