"""A journal with one dormant run that has a long history, and how long that run takes to come back."""

from __future__ import annotations

import time
from pathlib import Path

from greenroom import Runtime

from .flows import ARRIVED, Counter, Lanes, arrive, greet

__all__ = ["LONG", "open_runtime", "replay_seconds", "write_history"]

LONG = "long"
LANES = 50


def open_runtime(path: Path, *, durability: str = "full") -> Runtime:
    """A runtime that knows the workflows of long histories; to be opened by the caller."""
    return Runtime(path, workflows=[Lanes, Counter], activities=[greet, arrive], durability=durability)


def write_history(path: Path, turns: int) -> None:
    """Run a workflow until it has taken about ``turns`` turns, and leave it waiting for its signal ``end``.

    Its activities go in lanes, so that one commit takes a turn of each; a turn is the same as in one sequence: one
    outcome, one activity asked for. A history that is only there to be replayed saves half of its syncs (``relaxed``).
    """
    ARRIVED.clear()
    with open_runtime(path, durability="relaxed") as runtime:
        runtime.start_workflow(Lanes.run, turns, LANES, id=LONG).get(timeout=60)
        if not ARRIVED.wait(600):
            raise RuntimeError(f"the history of {turns} turns was not written within 600 s")


def replay_seconds(path: Path) -> float:
    """Seconds from the signal that wakes the run to its result: the replay, and the one commit of its last turn."""
    with open_runtime(path) as runtime:
        handle = runtime.get_workflow_handle(LONG)
        begin = time.perf_counter()
        handle.signal(Lanes.end).get(timeout=600)
        handle.result().get(timeout=600)
        return time.perf_counter() - begin
