"""A scenario crashed at every commit ends as one that was not; and the sweep sees it when it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pytest

from greenroom import activity, workflow
from greenroom.storage import MemoryStore, Tree
from greenroom.storage.store import Changes
from greenroom.testing import FaultyStore, SweepError, TestRuntime, crash_sweep, start_once


class Greetings(Protocol):
    @property
    def scenario(self) -> Callable[[TestRuntime], list[object]]: ...


@activity.defn(name="sweep.double")
def double(number: int) -> int:
    return 2 * number


@workflow.defn(name="sweep.doubler")
async def doubler(numbers: list[int]) -> int:
    total = 0
    for number in numbers:
        total += await workflow.execute_activity(double, number)
        await workflow.sleep(1)
    return total


def doubled(runtime: TestRuntime) -> object:
    return runtime.wait(start_once(runtime, doubler, [1, 2, 3], id="doubler").result())


def test_the_greeter_survives_a_crash_at_every_commit(greetings: Greetings) -> None:
    sweep = crash_sweep(greetings.scenario)

    assert sweep.points == 2 * sweep.commits > 20


def test_the_greeter_put_away_after_every_turn_survives_a_crash_at_every_commit(greetings: Greetings) -> None:
    sweep = crash_sweep(greetings.scenario, make=lambda: TestRuntime(evict_after_every_turn=True))

    assert sweep.points == 2 * sweep.commits > 20


def test_activities_are_repeated_after_a_crash_and_recorded_once() -> None:
    sweep = crash_sweep(doubled)

    # Each of the three is repeated if the crash comes between its end and the turn that records it.
    assert sweep.repeated == 3


class Forgetful(MemoryStore):
    """A store that loses the timers: the positive control."""

    def commit(self, changes: Changes, *, expect: bytes | None = None) -> None:
        kept: dict[Tree, dict[bytes, bytes | None]] = {
            tree: dict(rows) for tree, rows in changes.items() if tree is not Tree.DUE
        }
        super().commit(kept, expect=expect)


def test_the_sweep_sees_a_store_that_forgets() -> None:
    with pytest.raises(AssertionError):
        crash_sweep(doubled, make=lambda: TestRuntime(Forgetful(), check_leaks=False))


class CountsStarts:
    """A scenario that is not the same the second time."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, runtime: TestRuntime) -> object:
        self.calls += 1
        return self.calls


def test_the_sweep_sees_another_result() -> None:
    with pytest.raises(SweepError, match=r"it returned [23] instead of 1"):
        crash_sweep(CountsStarts())


def test_the_sweep_says_after_which_crash_the_scenario_raised() -> None:
    calls: list[int] = []

    def scenario(runtime: TestRuntime) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyError("not thought of")
        return doubled(runtime)

    with pytest.raises(SweepError, match=r"(?s)after the disk had commit 1,.*it raised KeyError\('not thought of'\)"):
        crash_sweep(scenario)


def test_a_runtime_that_is_open_is_refused_with_what_to_give() -> None:
    with TestRuntime() as runtime, pytest.raises(ValueError, match=r"make=lambda: TestRuntime\(workflows=\[…\]\)"):
        crash_sweep(doubled, make=lambda: runtime)


def test_a_workflow_that_is_started_once_is_found_open_and_ended() -> None:
    with TestRuntime() as runtime:
        first = start_once(runtime, doubler, [1], id="d")
        open_one = start_once(runtime, doubler, [5], id="d")
        runtime.wait(first.result())
        ended_one = start_once(runtime, doubler, [5], id="d")

        results: list[Any] = [runtime.wait(each.result()) for each in (first, open_one, ended_one)]

        assert results == [2, 2, 2]
        assert isinstance(runtime.store, FaultyStore)
