"""Timers and timeouts: never early, once, and by the clock whatever happens to the process meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from greenroom import workflow
from greenroom.actors import ManualClock
from greenroom.runtime.model.errors import TimeoutError as GreenroomTimeoutError
from greenroom.runtime.model.errors import TimeoutType, WorkflowFailureError
from greenroom.runtime.model.options import WorkflowExecutionStatus as Status
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime


@workflow.defn
async def nap(seconds: float) -> int:
    begun = workflow.time_ns()
    await workflow.sleep(seconds)
    return workflow.time_ns() - begun


@workflow.defn
async def naps(*seconds: float) -> list[int]:
    begun = workflow.time_ns()
    order: list[int] = []

    async def one(place: int) -> None:
        await workflow.sleep(seconds[place])
        order.append(place)

    await asyncio.gather(*(one(place) for place in range(len(seconds))))
    return [*order, workflow.time_ns() - begun]


@workflow.defn
class Patient:
    """Waits for a signal, with or without a limit."""

    def __init__(self) -> None:
        self.text = ""

    @workflow.run
    async def run(self, limit: float | None = None) -> str:
        try:
            await workflow.wait_condition(lambda: bool(self.text), timeout=limit)
        except TimeoutError:
            return "timed out"
        return self.text

    @workflow.signal
    def say(self, text: str) -> None:
        self.text = text


S = 1_000_000_000


def make(store: MemoryStore | None = None, clock: ManualClock | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, clock=clock, workflows=[nap, naps, Patient], activities=[], auto_skip=False, **options)


@pytest.mark.parametrize("seconds", [0.001, 1, 59, 61, 3600, 400 * 86_400])
def test_a_timer_fires_at_its_time_and_not_before(seconds: float) -> None:
    with make() as runtime:
        result = runtime.execute_workflow(nap, seconds, id="nap")
        runtime.advance(seconds - 0.0001)
        assert not result.done()

        runtime.advance(0.0001)

        assert result.get() == round(seconds * S)


@pytest.mark.parametrize("seconds", [1, 61, 3600])
def test_a_timer_goes_on_while_the_runtime_is_closed(seconds: float) -> None:
    store = MemoryStore()
    with make(store) as runtime:
        runtime.wait(runtime.start_workflow(nap, seconds, id="nap"))
        runtime.advance(seconds / 2)
    runtime.clock.advance(seconds / 4)

    with make(store, runtime.clock) as again:
        result = again.get_workflow_handle("nap").result()
        again.run_until_idle()
        assert not result.done()
        again.advance(seconds / 4)

        assert result.get() == seconds * S


@pytest.mark.parametrize("seconds", [1, 61, 3600])
def test_a_timer_that_was_due_while_the_runtime_was_closed_fires_once_at_opening(seconds: float) -> None:
    store = MemoryStore()
    with make(store) as runtime:
        runtime.wait(runtime.start_workflow(nap, seconds, id="nap"))
    runtime.clock.advance(seconds * 3)

    with make(store, runtime.clock) as again:
        again.run_until_idle()
        result = again.wait(again.get_workflow_handle("nap").result())
        kinds = again.wait(again.get_workflow_handle("nap").fetch_history()).kinds()

    assert result == 3 * seconds * S
    assert kinds.count("TimerFired") == 1


def test_timers_that_were_due_while_the_runtime_was_closed_fire_in_their_order() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        runtime.wait(runtime.start_workflow(naps, 30, 10, 50, 20, 40, id="naps"))
    runtime.clock.advance(3600)

    with make(store, runtime.clock) as again:
        again.run_until_idle()
        *order, _ = again.wait(again.get_workflow_handle("naps").result())

    assert order == [1, 3, 0, 4, 2]


def test_a_clock_that_is_stepped_back_makes_no_timer_early_and_no_time_go_back() -> None:
    with make() as runtime:
        result = runtime.execute_workflow(nap, 100, id="nap")
        runtime.advance(50)
        runtime.clock.jump(-40)
        runtime.run_until_idle()

        runtime.advance(89)
        assert not result.done()
        runtime.advance(1)

        assert result.get() == 100 * S


def test_many_timers_beyond_one_page_all_fire_after_opening() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        for number in range(25):
            runtime.start_workflow(naps, *range(1, 101), id=f"naps-{number}")
        runtime.run_until_idle()
    runtime.clock.advance(30)

    with make(store, runtime.clock) as again:
        again.run_until_idle()
        again.advance(70)
        for number in range(25):
            *order, took = again.wait(again.get_workflow_handle(f"naps-{number}").result())
            assert order == list(range(100))
            assert took == 100 * S


@pytest.mark.parametrize("state", ["resident", "dormant", "reopened", "reopened late"])
def test_a_run_timeout_of_30_seconds_is_kept(state: str) -> None:
    store = MemoryStore()
    runtime = make(store).open()
    handle = runtime.wait(runtime.start_workflow(Patient.run, id="patient", run_timeout=timedelta(seconds=30)))
    runtime.advance(10)
    if state == "dormant":
        runtime.hands.directory.evict()
    if state.startswith("reopened"):
        runtime.close()
        runtime.clock.advance(15 if state == "reopened" else 60)
        runtime = make(store, runtime.clock).open()
        runtime.run_until_idle()
        handle = runtime.get_workflow_handle("patient")
    if state != "reopened late":
        runtime.clock.advance_to(deadline(runtime) - 1)
        runtime.run_until_idle()
        assert runtime.wait(handle.describe()).status is Status.RUNNING
        runtime.advance(1)

    with pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(handle.result())
    described = runtime.wait(handle.describe())
    runtime.close()

    assert isinstance(caught.value.cause, GreenroomTimeoutError)
    assert caught.value.cause.type is TimeoutType.RUN
    assert described.status is Status.TIMED_OUT
    assert described.close_time is not None
    assert described.deadline is not None
    assert described.deadline == described.start_time + timedelta(seconds=30)
    assert described.close_time >= described.deadline


def deadline(runtime: TestRuntime) -> int:
    run_no = runtime.hands.journal.current_run("patient")
    assert run_no is not None
    header = runtime.hands.journal.header(run_no)
    assert header is not None
    assert header.deadline_ns is not None
    return header.deadline_ns


def test_the_shorter_of_run_and_execution_timeout_counts() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Patient.run, run_timeout=50, execution_timeout=20))
        runtime.advance(20)

        with pytest.raises(WorkflowFailureError) as caught:
            runtime.wait(handle.result())
        assert isinstance(caught.value.cause, GreenroomTimeoutError)
        assert caught.value.cause.type is TimeoutType.EXECUTION


def test_a_run_that_ends_in_time_is_not_timed_out_afterwards() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Patient.run, id="patient", run_timeout=30))
        runtime.wait(handle.signal(Patient.say, "here"))

        runtime.advance(60)

        assert runtime.wait(handle.result()) == "here"
        assert runtime.hands.journal.due(until_ns=2**62) == []


@pytest.mark.parametrize("evict", [False, True])
def test_a_timer_that_is_no_longer_wanted_leaves_nothing_behind(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        handle = runtime.wait(runtime.start_workflow(Patient.run, 3600, id="patient"))
        runtime.wait(handle.signal(Patient.say, "in time"))

        assert runtime.wait(handle.result()) == "in time"
        assert runtime.hands.journal.due(until_ns=2**62) == []


def test_a_condition_that_is_not_met_in_time_times_out() -> None:
    with make() as runtime:
        result = runtime.execute_workflow(Patient.run, 3600)
        runtime.advance(3600)

        assert runtime.wait(result) == "timed out"


def test_describe_tells_of_timers_and_the_deadline() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(nap, 100, id="nap", run_timeout=500))

        described = runtime.wait(handle.describe())

        (timer,) = described.pending_timers
        assert timer.due_time == described.start_time + timedelta(seconds=100)
        assert described.deadline == described.start_time + timedelta(seconds=500)
