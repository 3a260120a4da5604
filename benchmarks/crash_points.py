"""How many crash points of the greeter a second are played through in memory: crashed, recovered, ended, compared?"""

from __future__ import annotations

import time
from datetime import timedelta

from examples.greeter import StatefulGreeter, greet, greeting
from greenroom.testing import CrashSweep, TestRuntime, crash_sweep, start_once

from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "at least 300 crash points a second"
POINTS_PER_S = 300
NAMES = ("Kyle", "Ada", "Grace")


def measure(*, quick: bool) -> Report:
    """The greeter is swept again and again; the best sweep counts, by the wall clock."""
    rounds = 1 if quick else 20
    cpu = time.process_time()
    sweeps = [crash_sweep(_greet_all, make=_make) for _ in range(rounds)]
    cpu = time.process_time() - cpu
    best = max(sweeps, key=_rate)
    points = sum(sweep.points for sweep in sweeps)
    figures: dict[str, Figure] = {
        "rounds": rounds,
        "commits": best.commits,
        "points": best.points,
        "points_per_s": _rate(best),
        "points_per_cpu_s": points / cpu,
    }
    summary = f"{_rate(best):,.0f} crash points/s, {best.points} of them in a sweep of {best.commits} commits"
    return Report("crash points", TARGET, _rate(best) >= POINTS_PER_S, figures, summary)


def _rate(sweep: CrashSweep) -> float:
    return sweep.points / sweep.seconds


def _make() -> TestRuntime:
    return TestRuntime(workflows=[StatefulGreeter, greeting], activities=[greet])


def _greet_all(runtime: TestRuntime) -> list[object]:
    """Three are greeted one after the other; what was started before a crash is found again."""
    greeter = start_once(runtime, StatefulGreeter.run, len(NAMES), id="greeter", run_timeout=timedelta(seconds=30))
    heard: list[object] = [
        runtime.wait(start_once(runtime, greeting, "greeter", name, id=name).result()) for name in NAMES
    ]
    return [*heard, runtime.wait(greeter.result())]


if __name__ == "__main__":
    run(measure)
