"""How many workflows of three steps are completed a second: beside a bare loop, and beside a thread that computes?"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Protocol

from greenroom import Runtime

from .flows import STOP_SPINNING, greet, spin, spinning, three
from .journals import SYNCS_A_COMMIT, commits_in, journal_folder
from .limits import BareEngine
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "at least 0.4 of the bare loop at 100 and at 1,000 in flight, and 1/3 of itself beside a thread that computes"
SHARE_OF_BARE = 0.4
SHARE_BESIDE = 1 / 3
IN_FLIGHT = (100, 1000)


class _Pending(Protocol):
    """A result that will be there."""

    def get(self, *, timeout: float | None = None) -> Any: ...


class _Run(NamedTuple):
    """One measurement; commits and CPU time (s) are those of one workflow."""

    rate: float
    commits: float
    cpu: float


def measure(*, quick: bool) -> Report:
    """Ours and the limit take turns; what counts of their ratios is the median of the rounds."""
    count, rounds = (150, 1) if quick else (2000, 9)
    bare: dict[int, list[_Run]] = {in_flight: [] for in_flight in IN_FLIGHT}
    ours: dict[int, list[_Run]] = {in_flight: [] for in_flight in IN_FLIGHT}
    beside: list[_Run] = []
    for place in range(rounds):
        for in_flight in IN_FLIGHT:
            # Who goes first changes, so that a machine that is slowing down favours neither.
            for measured, take in ((bare, _bare), (ours, _ours))[:: -1 if place % 2 else 1]:
                measured[in_flight].append(take(count, in_flight))
        beside.append(_ours(count // 2, 100, computing=True))
    ratios = {in_flight: _ratio(ours[in_flight], bare[in_flight]) for in_flight in IN_FLIGHT}
    ratio_beside = _ratio(beside, ours[100])
    figures: dict[str, Figure] = {
        "workflows": count,
        "rounds": rounds,
        **{
            f"in_flight_{in_flight}": {
                "workflows_per_s": _rate(ours[in_flight]),
                "steps_per_s": 3 * _rate(ours[in_flight]),
                "commits_per_workflow": median(run.commits for run in ours[in_flight]),
                "syncs_per_workflow": SYNCS_A_COMMIT * median(run.commits for run in ours[in_flight]),
                "bare_workflows_per_s": _rate(bare[in_flight]),
                "bare_commits_per_workflow": median(run.commits for run in bare[in_flight]),
                "ratio": ratios[in_flight],
                "cpu_us_per_workflow": 1e6 * median(run.cpu for run in ours[in_flight]),
                "bare_cpu_us_per_workflow": 1e6 * median(run.cpu for run in bare[in_flight]),
                "cpu_ratio": median(
                    limit.cpu / run.cpu for run, limit in zip(ours[in_flight], bare[in_flight], strict=True)
                ),
            }
            for in_flight in IN_FLIGHT
        },
        "beside_computing": {
            "workflows_per_s": _rate(beside),
            "commits_per_workflow": median(run.commits for run in beside),
            "ratio": ratio_beside,
        },
    }
    ok = min(ratios.values()) >= SHARE_OF_BARE and ratio_beside >= SHARE_BESIDE
    summary = (
        f"{_rate(ours[100]):,.0f} workflows/s with 100 in flight ({ratios[100]:.2f} of the bare loop), "
        f"{_rate(ours[1000]):,.0f} with 1,000 ({ratios[1000]:.2f}), {_rate(beside):,.0f} beside a computing thread "
        f"({ratio_beside:.2f} of itself)"
    )
    return Report("W1", TARGET, ok, figures, summary)


def _rate(runs: list[_Run]) -> float:
    return median(run.rate for run in runs)


def _ratio(runs: list[_Run], limits: list[_Run]) -> float:
    """The median of the ratios of what was measured in the same round."""
    return median(run.rate / limit.rate for run, limit in zip(runs, limits, strict=True))


def _bare(count: int, in_flight: int) -> _Run:
    with journal_folder() as folder:
        engine = BareEngine(folder)
        cpu = time.process_time()
        seconds = _drive(lambda number: engine.start(number, "Kyle", 3), count, in_flight)
        cpu = time.process_time() - cpu
        engine.close()
    return _Run(count / seconds, engine.commits / count, cpu / count)


def _ours(count: int, in_flight: int, *, computing: bool = False) -> _Run:
    with journal_folder() as folder:
        cpu = time.process_time()
        seconds = _run(folder / "journal", count, in_flight, computing=computing)
        cpu = time.process_time() - cpu
        return _Run(count / seconds, commits_in(folder / "journal") / count, cpu / count)


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
