"""A scenario crashed at every commit ends as one that was not; and the sweep sees it when it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from greenroom import RetryPolicy, activity, workflow
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


@activity.defn(name="sweep.flaky", retry_policy=RetryPolicy(initial_interval=10, maximum_attempts=5))
def flaky(number: int) -> int:
    if activity.info().attempt == 1:
        raise ConnectionError("not at once")
    return number


@workflow.defn(name="sweep.timed")
async def timed() -> str:
    await workflow.execute_activity(flaky, 1)
    return workflow.now().isoformat()


@workflow.defn(name="sweep.careless")
class Careless:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, most: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.heard) >= most)
        return self.heard

    @workflow.signal
    def hear(self, what: str) -> None:
        self.heard.append(what)

    @workflow.update
    def let(self, what: str) -> int:
        self.heard.append(what)
        return len(self.heard)


def times_of(runtime: TestRuntime) -> None:
    start_once(runtime, timed, id="timed").result().get()


def test_a_result_is_compared_and_a_time_in_it_differs_where_an_attempt_was_lost() -> None:
    with pytest.raises(SweepError, match=r"workflow 'timed' returned '2023-.*', not '2023-.*' as without a crash"):
        crash_sweep(times_of)


def test_results_need_not_be_compared() -> None:
    assert crash_sweep(times_of, compare_results=False).points > 0


def test_what_differs_says_which_side_is_which() -> None:
    def two_signals(runtime: TestRuntime) -> None:
        careless = start_once(runtime, Careless.run, 2, id="careless")
        careless.signal(Careless.hear, "one")
        careless.signal(Careless.hear, "two")
        careless.result().get()

    with pytest.raises(SweepError) as found:
        crash_sweep(two_signals)

    assert "workflow 'careless' returned ['one', 'one'], not ['one', 'two'] as without a crash" in str(found.value)


def test_an_update_without_an_id_is_named_with_what_to_do() -> None:
    def one_update(runtime: TestRuntime) -> None:
        start_once(runtime, Careless.run, 3, id="careless").execute_update(Careless.let, "one").get()

    with pytest.raises(SweepError) as found:
        crash_sweep(one_update)

    assert found.value.differences == [
        "workflow 'careless' was told more than without a crash: update let ['one']",
        "workflow 'careless' asked for more than without a crash: complete-update 2 let",
        "  an update that the scenario sends again after the crash is another one, unless it has an id: "
        "execute_update(…, id=…); an id is that of one run, so that after the run has gone on as new it is another one "
        "all the same: let the workflow carry the ids that it has taken",
    ]


def test_the_log_is_that_of_the_run_without_a_crash_and_of_the_crash_that_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sweep = crash_sweep(times_of, compare_results=False)
    clean = [record for record in caplog.records if "'sweep.flaky'" in record.getMessage()]
    caplog.clear()
    with pytest.raises(SweepError):
        crash_sweep(times_of)
    failed = [record for record in caplog.records if "'sweep.flaky'" in record.getMessage()]

    assert sweep.points > 4
    assert len(clean) == 1
    assert 1 < len(failed) <= 3
    assert logging.getLogger("greenroom").propagate
