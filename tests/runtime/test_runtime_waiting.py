"""What a run waits for, and for how long, is the same however often its process goes away meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from greenroom import Future, activity, wait_all, wait_first, workflow
from greenroom.runtime.model.errors import WorkflowSuspendedError
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime, replay_every_prefix

S = 1_000_000_000
YEAR = 365 * 86_400


@activity.defn(name="waiting.echo")
async def echo(value: int, seconds: float) -> int:
    await asyncio.sleep(seconds)
    return value


@workflow.defn(name="waiting.year")
async def a_year() -> int:
    begun = workflow.time_ns()
    await workflow.sleep(timedelta(days=365))
    return workflow.time_ns() - begun


@workflow.defn(name="waiting.limits")
async def limits() -> list[int]:
    """Runs into a limit of each kind, an hour each; gives the hours that each has taken, in ns."""
    took: list[int] = []
    never = workflow.signal_channel()
    waits: list[Callable[[], Any]] = [
        lambda: workflow.wait([asyncio.create_task(never.receive("a"))], timeout=3600),
        lambda: next(workflow.as_completed([never.receive("b")], timeout=3600)),
        lambda: workflow.wait_for(never.receive("c"), 3600),
        lambda: limited(never.receive("d")),
        lambda: workflow.race(never.receive("e"), workflow.sleep(3600)),
        lambda: workflow.wait_condition(lambda: False, timeout=3600),
    ]
    for wait in waits:
        begun = workflow.time_ns()
        try:
            await wait()
        except TimeoutError:
            pass
        took.append(workflow.time_ns() - begun)
    return took


async def limited(awaitable: Any) -> None:
    async with workflow.timeout_at(workflow.now() + timedelta(hours=1)):
        await awaitable


@workflow.defn(name="waiting.order")
async def order() -> list[int]:
    echoes = [workflow.execute_activity(echo, value, seconds) for value, seconds in ((1, 9), (2, 3), (3, 6))]
    return [await each for each in workflow.as_completed(echoes)]


@workflow.defn(static_check=False, name="waiting.elsewhere")
async def waits_for_another_loop() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    await loop.create_future()


futures: list[Any] = []


@workflow.defn(name="waiting.runtime")
async def waits_for_the_runtime(gathered: bool) -> None:
    future = futures[0]
    await (workflow.gather(future) if gathered else future)


@workflow.defn(name="waiting.telling")
class Telling:
    @workflow.run
    async def run(self) -> None:
        for number in range(3):
            workflow.logger.info("step %d", number)
            await workflow.sleep(60)

    @workflow.query
    def ask(self) -> str:
        workflow.logger.info("asked")
        return "answer"


WORKFLOWS = [a_year, limits, order, waits_for_another_loop, waits_for_the_runtime, Telling]


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=WORKFLOWS, activities=[echo], **options)


def test_a_sleep_of_a_year_takes_a_year_however_often_the_process_goes_away() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        runtime.wait(runtime.start_workflow(a_year, id="year"))
        clock = runtime.clock

    for month in range(12):
        clock.advance(YEAR / 12 - 1)
        with make(store, clock=clock, auto_skip=False) as runtime:
            runtime.run_until_idle()
            if month % 2:
                runtime.crash()
            result = runtime.get_workflow_handle("year").result()
            runtime.run_until_idle()
            assert not result.done()
            clock.advance(1)
    with make(store, clock=clock, auto_skip=False) as runtime:
        runtime.run_until_idle()

        assert runtime.wait(runtime.get_workflow_handle("year").result()) == YEAR * S


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize("crash", [False, True])
def test_a_limit_of_each_kind_is_kept_to_the_nanosecond_over_crashes(evict: bool, crash: bool) -> None:
    with make(evict_after_every_turn=evict, auto_skip=False) as runtime:
        runtime.wait(runtime.start_workflow(limits, id="limits"))
        for _ in range(6):
            runtime.advance(3599.999999)
            if crash:
                runtime.crash()
            runtime.advance(0.000001)

        assert runtime.wait(runtime.get_workflow_handle("limits").result()) == [3600 * S] * 6
        assert replay_every_prefix(runtime) > 6


@pytest.mark.parametrize("evict", [False, True])
def test_what_comes_first_is_given_first_whether_the_run_stays_in_memory_or_not(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        assert runtime.wait(runtime.execute_workflow(order)) == [2, 3, 1]
        assert replay_every_prefix(runtime) > 3


def test_waiting_for_another_loop_suspends_the_run_with_what_to_do_instead() -> None:
    with make(guard="static") as runtime, pytest.raises(WorkflowSuspendedError) as caught:
        runtime.wait(runtime.execute_workflow(waits_for_another_loop))

    assert "attached to a different loop" in caught.value.reason
    assert "wait for anything else in an activity" in caught.value.reason
    assert "wait for anything else in an activity" in caught.value.stack


@pytest.mark.parametrize(
    ("gathered", "cure"),
    [(True, "wait for anything else in an activity"), (False, "do it in an activity")],
)
@pytest.mark.parametrize("done", [True, False])
def test_waiting_for_a_future_of_the_runtime_suspends_the_run_though_it_is_done(
    done: bool, gathered: bool, cure: str
) -> None:
    with make() as runtime:
        other = runtime.start_workflow(a_year, id="year")
        if done:
            runtime.wait(other)
        futures[:] = [other]

        with pytest.raises(WorkflowSuspendedError) as caught:
            runtime.wait(runtime.execute_workflow(waits_for_the_runtime, gathered))

        assert cure in caught.value.reason


def test_the_log_tells_each_step_once_and_hears_the_queries_of_an_evicted_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "greenroom.workflow"), make(evict_after_every_turn=True) as runtime:
        handle = runtime.wait(runtime.start_workflow(Telling.run, id="telling"))
        for _ in range(2):
            runtime.advance(60)
            runtime.crash()
            handle = runtime.get_workflow_handle("telling")
            runtime.wait(handle.query("ask"))
        runtime.wait(handle.result())
        runtime.wait(handle.query("ask"))
        assert runtime.evictions > 0

    told = [record.getMessage().partition(" (")[0] for record in caplog.records if record.name == "greenroom.workflow"]
    assert told == ["step 0", "step 1", "asked", "step 2", "asked", "asked"]


def test_who_waits_for_several_runs_brings_them_about_in_a_test() -> None:
    with TestRuntime(workflows=[a_year, limits]) as runtime:
        years, hours = runtime.execute_workflow(a_year), runtime.execute_workflow(limits)

        both: list[Future[Any]] = [years, hours]

        assert wait_first(both).get() is hours
        assert not years.done()
        assert wait_all([years.map(lambda took: took // S), hours.map(len)]).get() == [YEAR, 6]
