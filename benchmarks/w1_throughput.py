"""How many workflows of three steps are completed a second: beside a bare loop, and beside a thread that computes?"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from greenroom import Runtime

from .flows import STOP_SPINNING, greet, spin, spinning, three
from .journals import SYNCS_A_COMMIT, commits_in, journal_folder
from .limits import BareEngine
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "at least 0.4 of the bare loop at 100 and at 1,000 in flight, and 1/3 of itself beside a thread that computes"
SHARE_OF_BARE = 0.4
SHARE_BESIDE = 1 / 3


class _Pending(Protocol):
    """A result that will be there."""

    def get(self, *, timeout: float | None = None) -> Any: ...


class _Rate:
    """The best of some measurements."""

    def __init__(self) -> None:
        self.best = 0.0
        self.commits = 0.0
        self.cpu = float("inf")

    def note(self, rate: float, commits: float, cpu: float) -> None:
        self.cpu = min(self.cpu, cpu)
        if rate > self.best:
            self.best, self.commits = rate, commits


def measure(*, quick: bool) -> Report:
    """Bare, ours, bare, ours …; the best of each counts: whatever else the machine does can only slow one down."""
    count, rounds = (150, 1) if quick else (2000, 4)
    bare, ours, beside = {100: _Rate(), 1000: _Rate()}, {100: _Rate(), 1000: _Rate()}, _Rate()
    for _ in range(rounds):
        for in_flight in (100, 1000):
            _bare(bare[in_flight], count, in_flight)
            _ours(ours[in_flight], count, in_flight)
        _ours(beside, count // 2, 100, computing=True)
    ratios = {in_flight: ours[in_flight].best / bare[in_flight].best for in_flight in (100, 1000)}
    ratio_beside = beside.best / ours[100].best
    figures: dict[str, Figure] = {
        "workflows": count,
        "rounds": rounds,
        **{
            f"in_flight_{in_flight}": {
                "workflows_per_s": ours[in_flight].best,
                "steps_per_s": 3 * ours[in_flight].best,
                "commits_per_workflow": ours[in_flight].commits,
                "syncs_per_workflow": SYNCS_A_COMMIT * ours[in_flight].commits,
                "bare_workflows_per_s": bare[in_flight].best,
                "bare_commits_per_workflow": bare[in_flight].commits,
                "ratio": ratios[in_flight],
                "cpu_us_per_workflow": 1e6 * ours[in_flight].cpu,
                "bare_cpu_us_per_workflow": 1e6 * bare[in_flight].cpu,
                "cpu_ratio": bare[in_flight].cpu / ours[in_flight].cpu,
            }
            for in_flight in (100, 1000)
        },
        "beside_computing": {
            "workflows_per_s": beside.best,
            "commits_per_workflow": beside.commits,
            "ratio": ratio_beside,
        },
    }
    ok = min(ratios.values()) >= SHARE_OF_BARE and ratio_beside >= SHARE_BESIDE
    summary = (
        f"{ours[100].best:,.0f} workflows/s with 100 in flight ({ratios[100]:.2f} of the bare loop), "
        f"{ours[1000].best:,.0f} with 1,000 ({ratios[1000]:.2f}), {beside.best:,.0f} beside a computing thread "
        f"({ratio_beside:.2f} of itself)"
    )
    return Report("W1", TARGET, ok, figures, summary)


def _bare(rate: _Rate, count: int, in_flight: int) -> None:
    with journal_folder() as folder:
        engine = BareEngine(folder)
        cpu = time.process_time()
        seconds = _drive(lambda number: engine.start(number, "Kyle", 3), count, in_flight)
        cpu = time.process_time() - cpu
        engine.close()
    rate.note(count / seconds, engine.commits / count, cpu / count)


def _ours(rate: _Rate, count: int, in_flight: int, *, computing: bool = False) -> None:
    with journal_folder() as folder:
        cpu = time.process_time()
        seconds = _run(folder / "journal", count, in_flight, computing=computing)
        cpu = time.process_time() - cpu
        rate.note(count / seconds, commits_in(folder / "journal") / count, cpu / count)


def _run(path: Path, count: int, in_flight: int, *, computing: bool) -> float:
    with Runtime(path, workflows=[three, spinning], activities=[greet, spin]) as runtime:
        STOP_SPINNING.clear()
        busy = runtime.execute_workflow(spinning) if computing else None
        try:
            return _drive(lambda number: runtime.execute_workflow(three, "Kyle"), count, in_flight)
        finally:
            STOP_SPINNING.set()
            if busy is not None:
                busy.get(timeout=60)


def _drive(start: Callable[[int], _Pending], count: int, in_flight: int) -> float:
    """Seconds to complete ``count`` workflows, started so that ``in_flight`` at most are under way."""
    begin = time.perf_counter()
    pending: list[_Pending] = []
    for number in range(count):
        if number >= in_flight:
            pending[number - in_flight].get(timeout=120)
        pending.append(start(number))
    for result in pending[-in_flight:]:
        result.get(timeout=120)
    return time.perf_counter() - begin


if __name__ == "__main__":
    run(measure)
