"""``python -m tests.crash``: kill the real thing, cut its power, and check that every promise was kept."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import SystemRandom

from . import kills, power
from .faults import FAULTS
from .points import ENGINE_POINTS, POINTS
from .shim import Shim
from .tally import Tally

PARTS = ("controls", "points", "instants", "power")
KILLS_A_JOURNAL = 15
IMAGES_A_LOG = 1000
QUICK_GROUPS = 2

Job = Callable[[], Tally]


def main() -> int:
    """Run what is asked for; 0 if every promise was kept and every control was caught."""
    options = _options()
    print(f"seed {options.seed} (again: python -m tests.crash --seed {options.seed})")
    began = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="greenroom-crash-", dir=options.directory))
    shim = Shim.compile(work)
    # Hundreds of processes start: none of them should have to compile the library again.
    os.environ["PYTHONPYCACHEPREFIX"] = str(work / "pycache")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    jobs = [job for part in PARTS if part in options.only for job in _JOBS[part](options, work, shim)]
    tallies: dict[str, Tally] = {}
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(job) for job in jobs]):
            tally = done.result()
            before = tallies.get(tally.name)
            tallies[tally.name] = tally if before is None else _sum(before, tally)
            print(f"{time.monotonic() - began:6.1f} s  {tally.row()}", flush=True)
            for finding in tally.findings:
                print(f"          {finding}", flush=True)
    return _summary(list(tallies.values()), time.monotonic() - began, work)


def _summary(tallies: list[Tally], seconds: float, work: Path) -> int:
    print(f"\n{'':<44} {'done':>6}    {'wanted':<6} {'promises':>9}")
    for tally in sorted(tallies, key=lambda each: each.name):
        print(tally.row())
    findings = [finding for tally in tallies for finding in tally.findings]
    print(f"\n{len(findings)} findings in {seconds:.0f} s")
    if findings:
        print(f"what is left of them is kept in {work}")
        return 1
    shutil.rmtree(work)
    return 0


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        one.name,
        one.tried + other.tried,
        one.done + other.done,
        one.promises + other.promises,
        one.findings + other.findings,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    seed = str(SystemRandom().randrange(1 << 32))
    parser.add_argument(
        "--seed", default=seed, help="what loads, delays and images are drawn from; instants are the clock's"
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="run only this part (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="a few of each: half a minute")
    parser.add_argument("--instants", type=int, help="how many kills at random instants (300; quick: 6)")
    parser.add_argument(
        "--images", type=int, help="how many images of power cuts (20,400, of which some may be alike; quick: 200)"
    )
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 2), help="how many at a time")
    parser.add_argument("--directory", help="where journals are made (default: the system's temporary directory)")
    options = parser.parse_args()
    options.only = options.only or PARTS
    options.instants = options.instants or (6 if options.quick else 300)
    options.images = options.images or (200 if options.quick else 20_400)
    return options


def _point_jobs(options: argparse.Namespace, work: Path, shim: Shim) -> list[Job]:
    points = [*POINTS, *ENGINE_POINTS]
    if options.quick:
        groups = [points[first::QUICK_GROUPS] for first in range(QUICK_GROUPS)]
        return [
            partial(kills.several_points, work / f"points-{number}", options.seed, group, shim)
            for number, group in enumerate(groups)
        ]
    return [
        partial(kills.named_point, work / f"point-{number}", options.seed, point, shim)
        for number, point in enumerate(points)
    ]


def _instant_jobs(options: argparse.Namespace, work: Path, shim: Shim) -> list[Job]:
    counts = [min(KILLS_A_JOURNAL, options.instants - begun) for begun in range(0, options.instants, KILLS_A_JOURNAL)]
    return [
        partial(kills.random_instants, work / f"instants-{number}", options.seed, number, count)
        for number, count in enumerate(counts)
    ]


def _control_jobs(options: argparse.Namespace, work: Path, shim: Shim) -> list[Job]:
    faults = [fault for fault in FAULTS if fault != "sync=False"]
    jobs: list[Job] = [partial(power.control, work / "control", options.seed, shim)]
    for number, fault in enumerate(faults):
        jobs.append(partial(kills.control, work / f"control-{number}", options.seed, fault, shim))
    return jobs


def _power_jobs(options: argparse.Namespace, work: Path, shim: Shim) -> list[Job]:
    each = max(1, min(IMAGES_A_LOG, options.images // options.processes))
    counts = [min(each, options.images - begun) for begun in range(0, options.images, each)]
    return [
        partial(power.power_cuts, work / f"power-{number}", options.seed, number, count, shim)
        for number, count in enumerate(counts)
    ]


_JOBS: dict[str, Callable[[argparse.Namespace, Path, Shim], list[Job]]] = {
    "points": _point_jobs,
    "instants": _instant_jobs,
    "power": _power_jobs,
    "controls": _control_jobs,
}

if __name__ == "__main__":
    sys.exit(main())
