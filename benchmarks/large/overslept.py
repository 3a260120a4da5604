"""The process that opens a journal of which every timer came due while nobody looked; ``oversleeping`` starts it.

It says in one line of JSON what it has held and how long it took.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from greenroom import Converter, Runtime, WorkflowExecutionStatus
from greenroom.runtime.shell.outcomes import Outcome
from greenroom.storage import Journal
from greenroom.testing.recorded import run_headers

from ..flows import Tally
from .parked import FAR_S, Parked, id_of
from .process import rss_anon_mib

__all__ = ["main"]

_LOOK_S = 0.02


class _LaterClock:
    """The wall time of a machine on which all that was parked is due."""

    def now_ns(self) -> int:
        return time.time_ns() + int(2e9 * FAR_S)


class _Watch(threading.Thread):
    """Looks at the memory of this process every now and then, and keeps the highest."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest_mib = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(_LOOK_S):
            self.highest_mib = max(self.highest_mib, rss_anon_mib())

    def stop(self) -> None:
        self._over.set()
        self.join()


def main(path: str, count: int) -> None:
    """Wait for the end of all that were parked, which end in the order in which they were; then count those that
    have."""
    watch = _Watch()
    runtime = Runtime(path, workflows=[Parked, Tally])
    vars(runtime)["_clock"] = _LaterClock()
    begin, cpu = time.perf_counter(), time.process_time()
    watch.start()
    with runtime:
        for number in (0, count // 2, count - 1):
            runtime.get_workflow_handle(id_of(number), result_type=int).result().get(timeout=600)
    watch.stop()
    found = {
        "rss_anon_highest_mib": watch.highest_mib,
        "all_done_s": time.perf_counter() - begin,
        "cpu_us_each": 1e6 * (time.process_time() - cpu) / count,
        "ended_by_timer": _ended_by_timer(path) / count,
    }
    print(json.dumps(found), flush=True)


def _ended_by_timer(path: str) -> int:
    """How many of the parked have ended with what their timer gives, by the journal."""
    by_timer = Converter().encode(0)
    journal = Journal.open(path, read_only=True)
    try:
        return sum(
            header.status == WorkflowExecutionStatus.COMPLETED and Outcome.decode(header.outcome).result == by_timer
            for _, header in run_headers(journal)
            if header.workflow_type == Parked.__name__
        )
    finally:
        journal.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
