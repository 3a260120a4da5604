"""The process that comes after the one that was killed; ``reopening`` starts it.

It says in one line of JSON when it has heard what, on the clock that all processes share.
"""

from __future__ import annotations

import json
import sys
import time

from greenroom import Runtime

from ..flows import Tally
from .parked import Parked, id_of
from .process import rss_anon_mib

__all__ = ["main"]


def main(path: str, first: int, step: int, count: int) -> None:
    """Signal one that is parked and wait for its end; then all the others, and wait for theirs."""
    imported = time.monotonic()
    with Runtime(path, workflows=[Parked, Tally]) as runtime:
        opened = time.monotonic()
        handles = [runtime.get_workflow_handle(id_of(first + step * each), result_type=int) for each in range(count)]
        handles[0].signal(Parked.end, 1)
        one = handles[0].result().get(timeout=60)
        answered = time.monotonic()
        for handle in handles[1:]:
            handle.signal(Parked.end, 1)
        results = [handle.result() for handle in handles[1:]]
        total = one + sum(result.get(timeout=60) for result in results)
        found = {
            "imported": imported,
            "opened": opened,
            "answered": answered,
            "done": time.monotonic(),
            "ended": total,
            "rss_anon_mib": rss_anon_mib(),
        }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
