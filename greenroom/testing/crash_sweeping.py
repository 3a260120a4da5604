"""Crashes a scenario at every commit, before and after the disk has it: it must end as one that did not crash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any, NamedTuple, Unpack

from ..runtime.client import WorkflowHandle
from ..runtime.model.errors import WorkflowAlreadyStartedError
from ..runtime.model.options import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from ..runtime.start_calls import StartOptions
from .endings import Ending, differences, endings_of
from .errors import Crash, LeakError, SweepError
from .faults import When
from .held_log import HeldLog
from .runtime import TestRuntime

__all__ = ["CrashSweep", "crash_sweep", "start_once"]

Scenario = Callable[[TestRuntime], object]

_ONCE: StartOptions = {
    "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
    "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
}


class CrashSweep(NamedTuple):
    """What a sweep found.

    Attributes:
        commits: how many commits the scenario has when nothing crashes.
        points: at how many points it was crashed and recovered.
        repeated: how often an activity was performed again after a crash.
        seconds: how long all of it took.
    """

    commits: int
    points: int
    repeated: int
    seconds: float


def crash_sweep(
    scenario: Scenario, *, make: Callable[[], TestRuntime] = TestRuntime, compare_results: bool = True
) -> CrashSweep:
    """Run a scenario once, then once for each commit × {before, after}, crashing there and going on to the end.

    After the crash the scenario is called again from its beginning, as a client would be that died with the runtime:
    it must find what it has started (``start_once``). What it returns must be the same, and so must be each run's
    status and result, the type and message of its failure, what it was told and what it asked for, as often; signals of
    the scenario itself may come twice. Instants and numbers of attempts are not compared, unless
    they stand in a value: after a lost attempt of an activity with ``maximum_attempts`` later times are others.

    What greenroom logs while it is crashed is told for the crash after which something differs, and for no other.

    Args:
        scenario: given an open runtime, has workflows run, and returns something that can be compared.
        make: makes the runtime, not opened yet, on a new store each time.
        compare_results: whether what runs return must be the same; False for results that have a time in them.

    Raises:
        ValueError: ``make`` gave a runtime that is open.
        SweepError: it ended differently after a crash, raised something, or left a damaged journal.
    """
    begun = perf_counter()
    expected, commits = _plain(scenario, make, compare_results)
    points = repeated = 0
    for commit in range(1, commits + 1):
        whens: tuple[When, When] = "before", "after"
        for when in whens:
            with HeldLog() as log:
                try:
                    ended = _crashed(scenario, make, commit, when, compare_results)
                    if problems := _compare(ended, expected):
                        raise SweepError(commit, when, problems)
                except BaseException:
                    log.tell()
                    raise
            points += 1
            repeated += ended.performed - expected.performed
    return CrashSweep(commits, points, repeated, perf_counter() - begun)


def start_once(runtime: TestRuntime, workflow: Any, *args: Any, **options: Unpack[StartOptions]) -> WorkflowHandle[Any]:
    """Start a workflow, or find the one of that id that was started before the crash, open or ended.

    Args:
        runtime: the one that the scenario was given.
        workflow: its class, its run method, the function, or its registered name.
        *args: the workflow's arguments.
        **options: those of ``Runtime.start_workflow``; an ``id`` there must be, and what becomes of one that is taken
            is settled here.

    Raises:
        TypeError: there is no ``id``.
    """
    workflow_id = options.get("id")
    if workflow_id is None:
        raise TypeError("start_once() needs an id: without one nothing is found again after a crash")
    once: StartOptions = {**options, **_ONCE}
    try:
        handle: WorkflowHandle[Any] = runtime.wait(runtime.start_workflow(workflow, *args, **once))
    except WorkflowAlreadyStartedError:
        return runtime.get_workflow_handle(workflow_id)
    return handle


class _End(NamedTuple):
    returned: object
    runs: dict[str, Ending]
    performed: int


def _plain(scenario: Scenario, make: Callable[[], TestRuntime], with_results: bool) -> tuple[_End, int]:
    with _made(make) as runtime:
        end = _run(scenario, runtime, with_results)
        return end, runtime.store.commits


def _made(make: Callable[[], TestRuntime]) -> TestRuntime:
    runtime = make()
    if runtime.is_open:
        raise ValueError(
            "make gave a runtime that is open already, and the sweep has to open it itself; give one that is not open: "
            "crash_sweep(…, make=lambda: TestRuntime(workflows=[…])), without with, open() or the fixture "
            "greenroom_runtime"
        )
    return runtime


def _crashed(scenario: Scenario, make: Callable[[], TestRuntime], commit: int, when: When, with_results: bool) -> _End:
    runtime = _made(make)
    # The code is that of the run without a crash, and was watched there.
    runtime.leave_unwatched()
    runtime.store.crash_at_commit(commit, when)
    try:
        with ExitStack() as closing:
            closing.push(runtime)
            try:
                runtime.open()
                _run(scenario, runtime, with_results)
            except Crash:
                runtime.crash()
            end = _run(scenario, runtime, with_results)
    except LeakError as error:
        raise SweepError(commit, when, error.leaks) from error
    except Exception as error:
        # The scenario's own: whoever reads it must know which crash it was called again after.
        raise SweepError(commit, when, [f"it raised {error!r} when it was called again"]) from error
    if not runtime.crashes:
        raise SweepError(commit, when, [f"it did not get to commit {commit} this time: is the scenario deterministic?"])
    return end


def _run(scenario: Scenario, runtime: TestRuntime, with_results: bool) -> _End:
    returned = scenario(runtime)
    runtime.run_until_idle()
    return _End(returned, endings_of(runtime.recorded(), with_results=with_results), runtime.performed)


def _compare(end: _End, expected: _End) -> list[str]:
    problems = differences(end.runs, expected.runs)
    if end.returned != expected.returned:
        problems.append(f"it returned {end.returned!r} instead of {expected.returned!r}")
    return problems
