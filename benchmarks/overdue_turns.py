"""Code computes for ever or blocks for good: do updates of another run get through once its turn has had its time?"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from greenroom import Runtime, WorkflowHandle, WorkflowSuspendedError, workflow

from .flows import Tally
from .journals import journal_folder, percentile
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "p99 of an update under 50 ms once a turn that spins or blocks has had its time"
LIMIT_MS = 50.0

HELD = threading.Lock()


@workflow.defn(static_check=False)
async def spins() -> None:
    """Compute for ever."""
    while True:
        pass


@workflow.defn(static_check=False)
async def blocks() -> None:
    """Wait for a lock that nobody gives back, outside Python."""
    HELD.acquire()


OFFENDERS = spins, blocks


def measure(*, quick: bool) -> Report:
    """Updates of one run, one at a time, while one after the other of the offenders is started."""
    # It tells of each offender at length, and that is what is wanted here.
    logging.getLogger("greenroom").setLevel(logging.CRITICAL + 1)
    turn_deadline, rounds, seconds = (0.3, 1, 0.1) if quick else (2.0, 3, 1.0)
    beside: list[float] = []
    after: list[float] = []
    with journal_folder() as folder, HELD, _open(folder, turn_deadline) as runtime:
        tally = runtime.start_workflow(Tally.run, 1 << 60).get(timeout=60)
        for offender in OFFENDERS * rounds:
            ended = runtime.execute_workflow(offender)
            while not ended.done():
                beside.append(_update(tally))
            if not isinstance(ended.exception(), WorkflowSuspendedError):
                raise RuntimeError(f"{offender.__name__} was not suspended")
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                after.append(_update(tally))
        abandoned = runtime.threads_abandoned
    p99 = 1e3 * percentile(after, 0.99)
    figures: dict[str, Figure] = {
        "turn_deadline_s": turn_deadline,
        "offenders": len(OFFENDERS) * rounds,
        "threads_abandoned": abandoned,
        "updates": len(after),
        "p50_ms": 1e3 * percentile(after, 0.5),
        "p99_ms": p99,
        "max_ms": 1e3 * max(after),
        "held_up_max_ms": 1e3 * max(beside),
    }
    summary = f"p99 {p99:.1f} ms over {len(after)} updates; the longest that a turn held one up was {max(beside):.2f} s"
    return Report("overdue turns", TARGET, p99 < LIMIT_MS, figures, summary)


def _open(folder: Path, turn_deadline: float) -> Runtime:
    return Runtime(folder / "journal", workflows=[Tally, *OFFENDERS], turn_deadline=turn_deadline)


def _update(tally: WorkflowHandle[int]) -> float:
    begin = time.perf_counter()
    tally.execute_update(Tally.raise_by, 1).get(timeout=60)
    return time.perf_counter() - begin


if __name__ == "__main__":
    run(measure)
