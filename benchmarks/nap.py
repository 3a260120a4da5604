"""The process that is killed, and the one that comes after it; ``w8_recovery`` starts both."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta

from greenroom import Runtime, activity, workflow

__all__ = ["main"]

RUN = "napper"


@activity.defn
def nap(seconds: float) -> float:
    """Sleep, and say how long it was."""
    begin = time.monotonic()
    print("napping", flush=True)
    time.sleep(seconds)
    return time.monotonic() - begin


@workflow.defn
async def napper(seconds: float) -> float:
    """One long activity."""
    return await workflow.execute_activity(nap, seconds, start_to_close_timeout=timedelta(seconds=60))


def main(path: str, seconds: float, part: str) -> None:
    """Start the run and wait for it, or find it and tell when it has ended."""
    imported = time.monotonic()
    with Runtime(path, workflows=[napper], activities=[nap]) as runtime:
        if part == "start":
            runtime.execute_workflow(napper, seconds, id=RUN).get(timeout=60)
        else:
            slept = runtime.get_workflow_handle(RUN).result().get(timeout=60)
            print(json.dumps({"imported": imported, "done": time.monotonic(), "slept": slept}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
