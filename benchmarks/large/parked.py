"""The process in which workflows are parked: it does what it is told on stdin, a line each, and is killed in the end.

It answers with one line of JSON on stdout for each line.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from greenroom import Future, Runtime, workflow
from greenroom.runtime.shell.workflow_actor import WorkflowActor

from ..flows import Tally
from ..journals import percentile
from .process import disk_bytes, rss_anon_mib

__all__ = ["FAR_S", "IN_FLIGHT", "Parked", "id_of", "main"]

IN_FLIGHT = 2000
FAR_S = 30 * 24 * 3600.0
_TENTHS = 10
# A prime, so that each is met once before any is met again.
_STEP = 7919


@workflow.defn
class Parked:
    """Waits for ``end``, or for a time that is far away."""

    def __init__(self) -> None:
        self.pokes = 0
        self.ended_with: int | None = None

    @workflow.run
    async def run(self, seconds: float | None) -> int:
        """Return what ``end`` has brought, or 0 if the time has come before."""
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.ended_with is not None, timeout=seconds)
        return self.ended_with or 0

    @workflow.signal
    def poke(self) -> None:
        """Take a turn, and wait on."""
        self.pokes += 1

    @workflow.signal
    def end(self, number: int) -> None:
        """Let the run end."""
        self.ended_with = number


def id_of(number: int) -> str:
    """The workflow id of one of those that are parked."""
    return f"parked-{number}"


class _Site:
    """What can be asked of the process."""

    def __init__(self, runtime: Runtime, path: Path) -> None:
        self._runtime = runtime
        self._path = path
        self._parked = 0
        self._poked = 0
        self._passed = 0
        self._tally = runtime.start_workflow(Tally.run, 1 << 60).get(timeout=60)

    def park(self, count: int, seconds: float | None) -> dict[str, float]:
        """Start workflows that wait, many in flight."""
        anon, disk = rss_anon_mib(), disk_bytes(self._path)
        highest, (begin, cpu) = anon, _now()
        waiting: deque[Future[Any]] = deque()
        for number in range(count):
            waiting.append(self._runtime.start_workflow(Parked.run, seconds, id=id_of(number)))
            if len(waiting) == IN_FLIGHT:
                _take(waiting, IN_FLIGHT // 2)
            if (number + 1) % max(1, count // _TENTHS) == 0:
                highest = max(highest, rss_anon_mib())
        _take(waiting, len(waiting))
        taken, used = _since(begin, cpu)
        self._parked = count
        return {
            "per_s": count / taken,
            "cpu_us": 1e6 * used / count,
            "disk_bytes_each": (disk_bytes(self._path) - disk) / count,
            "rss_anon_before_mib": anon,
            "rss_anon_highest_mib": highest,
        }

    def idle(self, seconds: float) -> dict[str, float]:
        """Do nothing at all, and tell what is held meanwhile."""
        begin, cpu = _now()
        time.sleep(seconds)
        taken, used = _since(begin, cpu)
        return {
            "idle_cpu_percent": 100 * used / taken,
            "residents": _residents(),
            "rss_anon_mib": rss_anon_mib(),
        }

    def wake(self, count: int) -> dict[str, float]:
        """Signal runs that are parked all over the journal: each is brought back, takes a turn, and makes room."""
        begin, cpu = _now()
        done: deque[Future[Any]] = deque()
        for _ in range(count):
            self._poked = (self._poked + _STEP) % self._parked
            done.append(self._runtime.get_workflow_handle(id_of(self._poked)).signal(Parked.poke))
        _take(done, count)
        return _cost(count, begin, cpu)

    def passing(self, count: int) -> dict[str, float]:
        """Start workflows beside those that are parked, and let each end: two turns."""
        first = self._passed
        self._passed += count
        begin, cpu = _now()
        handles = [
            self._runtime.start_workflow(Parked.run, FAR_S, id=f"passing-{number}")
            for number in range(first, first + count)
        ]
        results: deque[Future[Any]] = deque()
        for each in handles:
            handle = each.get(timeout=60)
            handle.signal(Parked.end, 1)
            results.append(handle.result())
        _take(results, count)
        return _cost(2 * count, begin, cpu)

    def updates(self, count: int) -> dict[str, float]:
        """Update one run, one at a time."""
        taken: list[float] = []
        for _ in range(count):
            begin = time.perf_counter()
            self._tally.execute_update(Tally.raise_by, 1).get(timeout=60)
            taken.append(time.perf_counter() - begin)
        return {
            "residents": _residents(),
            "p50_ms": 1e3 * percentile(taken, 0.5),
            "p99_ms": 1e3 * percentile(taken, 0.99),
            "max_ms": 1e3 * max(taken),
        }

    def collect(self) -> dict[str, float]:
        """Have the collector look at everything."""
        gc.collect()
        begin = time.perf_counter()
        gc.collect()
        return {"ms": 1e3 * (time.perf_counter() - begin), "objects": len(gc.get_objects())}


def _residents() -> int:
    """Actors of runs that are in memory, for whatever reason."""
    return sum(type(each) is WorkflowActor for each in gc.get_objects())


def _take(waiting: deque[Future[Any]], count: int) -> None:
    for _ in range(count):
        waiting.popleft().get(timeout=60)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(begin: float, cpu: float) -> tuple[float, float]:
    return time.perf_counter() - begin, time.process_time() - cpu


def _cost(turns: int, begin: float, cpu: float) -> dict[str, float]:
    taken, used = _since(begin, cpu)
    return {"us": 1e6 * taken / turns, "cpu_us": 1e6 * used / turns}


def main(path: str) -> None:
    """Answer until stdin ends."""
    with Runtime(path, workflows=[Parked, Tally]) as runtime:
        site = _Site(runtime, Path(path))
        for line in sys.stdin:
            name, *args = json.loads(line)
            action: Callable[..., dict[str, float]] = getattr(site, name)
            print(json.dumps(action(*args)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
