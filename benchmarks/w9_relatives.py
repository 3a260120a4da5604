"""What does it cost to have children, to continue as new, and to signal from workflow to workflow?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from greenroom import Runtime, workflow

from .journals import commits_in, journal_folder
from .limits import Row, bare_commits
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = (
    "one after the other: a child with its result, and a signal, at most 4 x a bare commit of as many rows; "
    "at once: 2,000 children/s; continuing as new: 2,500/s"
)
LIMIT = 4.0
CHILDREN_PER_S = 2000.0
RUNS_PER_S = 2500.0


@workflow.defn
async def leaf(number: int) -> int:
    """The trivial child."""
    return number


@workflow.defn
async def in_turn(count: int) -> int:
    """Children one after the other."""
    return sum([await workflow.execute_child_workflow(leaf, number) for number in range(count)])


@workflow.defn
async def at_once(count: int) -> int:
    """All children at the same time."""
    return sum(await workflow.gather(*(workflow.execute_child_workflow(leaf, number) for number in range(count))))


@workflow.defn
async def chain(left: int) -> int:
    """A run for each number."""
    if left:
        workflow.continue_as_new(left - 1)
    return 0


@workflow.defn
class Sink:
    """Counts what it is sent."""

    def __init__(self) -> None:
        self.count = 0

    @workflow.run
    async def run(self, wanted: int) -> int:
        """Wait for so many."""
        await workflow.wait_condition(lambda: self.count >= wanted)
        return self.count

    @workflow.signal
    def hit(self) -> None:
        """One more."""
        self.count += 1


@workflow.defn
async def sends(count: int) -> None:
    """Signals one after the other, each waited for."""
    sink = workflow.get_external_workflow_handle("sink")
    for _ in range(count):
        await sink.signal(Sink.hit)


class _Cost(NamedTuple):
    """Of one thing of many.

    Attributes:
        seconds: how long each took.
        cpu: of it, CPU time of this process.
        commits: how many each took.
    """

    seconds: float
    cpu: float
    commits: float


Action = Callable[[Runtime, int], object]


def _children(runtime: Runtime, count: int) -> object:
    return runtime.execute_workflow(in_turn, count).get(timeout=300)


def _children_at_once(runtime: Runtime, count: int) -> object:
    return runtime.execute_workflow(at_once, count).get(timeout=300)


def _chain(runtime: Runtime, count: int) -> object:
    return runtime.execute_workflow(chain, count).get(timeout=300)


def _signals(runtime: Runtime, count: int) -> object:
    sink = runtime.start_workflow(Sink.run, count, id="sink").get(timeout=60)
    runtime.execute_workflow(sends, count).get(timeout=300)
    return sink.result().get(timeout=60)


ACTIONS: dict[str, Action] = {
    "child": _children,
    "children_at_once": _children_at_once,
    "continue_as_new": _chain,
    "signal": _signals,
}
# Rows that one of them cannot save: turns, headers, mail that waits for its reader, the journal's own row.
ROWS = {"child": 6, "signal": 4}


def measure(*, quick: bool) -> Report:
    """Each on a journal of its own, and bare commits beside it; the quickest round of each counts."""
    count, rounds = (20, 1) if quick else (1000, 3)
    costs = {name: min(_cost(action, count) for _ in range(rounds)) for name, action in ACTIONS.items()}
    bare = {name: min(_bare(rows, count) for _ in range(rounds)) for name, rows in ROWS.items()}
    ratios = {name: costs[name].seconds / bare[name] for name in ROWS}
    per_s = {name: 1 / cost.seconds for name, cost in costs.items()}
    figures: dict[str, Figure] = {"count": count, "rounds": rounds}
    for name, cost in costs.items():
        figures[name] = {"ms": 1e3 * cost.seconds, "cpu_us": 1e6 * cost.cpu, "commits": cost.commits}
    figures["bare_ms"] = {name: 1e3 * seconds for name, seconds in bare.items()}
    figures["ratios"] = ratios
    is_kept = (
        max(ratios.values()) <= LIMIT
        and per_s["children_at_once"] >= CHILDREN_PER_S
        and per_s["continue_as_new"] >= RUNS_PER_S
    )
    summary = (
        f"a child and its result {1e3 * costs['child'].seconds:.2f} ms, {costs['child'].commits:.1f} commits, "
        f"{ratios['child']:.1f} x bare; at once {per_s['children_at_once']:.0f}/s; continue as new "
        f"{per_s['continue_as_new']:.0f}/s, {1e6 * costs['continue_as_new'].cpu:.0f} us of CPU; a signal to another "
        f"workflow {1e3 * costs['signal'].seconds:.2f} ms, {costs['signal'].commits:.1f} commits, "
        f"{ratios['signal']:.1f} x bare"
    )
    return Report("W9", TARGET, is_kept, figures, summary)


def _cost(action: Action, count: int) -> _Cost:
    with journal_folder() as folder:
        path = folder / "journal"
        with Runtime(path, workflows=[leaf, in_turn, at_once, chain, Sink, sends]) as runtime:
            begin, cpu = time.perf_counter(), time.process_time()
            action(runtime, count)
            seconds, used = time.perf_counter() - begin, time.process_time() - cpu
        return _Cost(seconds / count, used / count, commits_in(path) / count)


def _bare(rows: int, count: int) -> float:
    """Seconds of a commit of so many rows of the usual size."""
    with journal_folder() as folder:
        names = [[f"{number:08}-{row:02}".encode() for row in range(rows)] for number in range(count)]
        written: list[list[list[Row]]] = [[[(b"runs", name, b"x" * 150) for name in commit]] for commit in names]
        return sum(bare_commits(folder, written)) / count


if __name__ == "__main__":
    run(measure)
