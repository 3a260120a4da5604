"""What stands beside the turns of a run that goes on from a turn of another one: as it was then, or anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from greenroom import (
    CopiedRun,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowHandle,
    WorkflowSuspendedError,
    workflow,
)
from greenroom.storage import MemoryStore, Tree, check
from greenroom.storage.keys import TURN_KEY, Kind
from greenroom.testing import Crash, TestRuntime
from tests.runtime.copied import Steps, begun, make, performed

COLOR = SearchAttributeKey.for_keyword("color")


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    performed.clear()


@workflow.defn
async def timed() -> str:
    await workflow.sleep(10)
    try:
        async with asyncio.timeout(1000):
            await workflow.sleep(20)
    finally:
        await workflow.sleep(30)
    return "done"


def test_timers_that_had_fired_or_were_cancelled_by_then_are_none_of_the_new_run() -> None:
    with make(timed) as runtime:
        run = runtime.start_workflow(timed, id="timed").get()
        runtime.advance(35)

        again = run.reset(to="last").get()
        runtime.run_until_idle()

        assert len(again.describe().get().pending_timers) == 1
        assert check(runtime.hands.journal) == []
        assert runtime.wait(again.result()) == "done"


def test_a_timer_that_was_skipped_by_then_does_not_fire_again() -> None:
    with make(alarmed) as runtime:
        run = runtime.start_workflow(alarmed, id="alarmed").get()
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(run.result())
        run.resume(skip=True).get()
        runtime.run_until_idle()

        fork = run.fork(at="last").get()
        runtime.run_until_idle()

        assert fork.describe().get().pending_timers == []
        for each in (run, fork):
            each.terminate().get()


@workflow.defn
async def alarmed() -> None:
    await workflow.sleep(10)
    raise KeyError("alarm")


def _time_out(runtime: TestRuntime, handle: WorkflowHandle[Any]) -> None:
    runtime.advance(200)


def _cancel(runtime: TestRuntime, handle: WorkflowHandle[Any]) -> None:
    handle.cancel().get()


def _terminate(runtime: TestRuntime, handle: WorkflowHandle[Any]) -> None:
    handle.terminate().get()


def _reset(runtime: TestRuntime, handle: WorkflowHandle[Any]) -> None:
    handle.reset(to="start").get().terminate().get()


@pytest.mark.parametrize("end", [_time_out, _cancel, _terminate, _reset])
def test_the_last_turn_is_the_one_before_the_end_however_a_run_has_ended(
    end: Callable[[TestRuntime, WorkflowHandle[Any]], None],
) -> None:
    with make() as runtime:
        begun(runtime, "x", run_timeout=100)
        end(runtime, runtime.get_workflow_handle("steps"))
        steps = runtime.get_workflow_handle("steps", run_id=runtime.recorded()[0].header.run_id)

        fork = steps.fork(at="last").get()
        runtime.run_until_idle()

        assert fork.describe().get().copied_from == CopiedRun("steps", str(steps.run_id), 3)
        fork.signal(Steps.hear, "end").get()
        assert fork.result().get() == ["A", "B", "x", "end"]


def test_what_is_to_be_performed_anew_is_though_the_process_dies_behind_the_reset() -> None:
    with make() as runtime:
        steps = begun(runtime)
        runtime.store.crash_at_commit(1, "after")
        with pytest.raises(Crash):
            steps.reset(to=1).get()

        runtime.crash()
        runtime.run_until_idle()

        assert performed == ["a", "b", "b"]
        runtime.get_workflow_handle("steps").terminate().get()


def test_a_run_that_was_made_of_a_suspended_one_has_not_stopped_at_anything() -> None:
    with make(alarmed) as runtime:
        run = runtime.start_workflow(alarmed, id="alarmed").get()
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(run.result())

        run.reset(to=0).get()
        header = runtime.recorded()[-1].header

        assert (header.note, header.stopped_at, header.turns) == ("", 0, 0)
        run.terminate().get()


@workflow.defn
async def repainted() -> None:
    await workflow.sleep(10)
    workflow.upsert_memo({"color": "blue"})
    workflow.upsert_search_attributes([COLOR.value_set("blue")])
    await workflow.sleep(1_000_000)


@pytest.mark.parametrize("at", ["start", 0])
def test_notes_of_the_start_are_those_of_a_run_that_goes_on_from_there(at: Any) -> None:
    with make(repainted) as runtime:
        red = TypedSearchAttributes([SearchAttributePair(COLOR, "red")])
        notes: dict[str, Any] = {"memo": {"color": "red"}, "search_attributes": red}
        run = runtime.start_workflow(repainted, id="repainted", **notes).get()
        indexed = runtime.recorded()[0].header.indexed
        runtime.advance(20)

        again = run.reset(to=at).get()
        found = again.describe().get()

        assert (found.memo, found.typed_search_attributes[COLOR]) == ({"color": "red"}, "red")
        before, now = (each.header.indexed for each in runtime.recorded())
        assert (now == indexed, before == indexed) == (True, False)
        assert check(runtime.hands.journal) == []
        again.terminate().get()


def test_a_run_that_begins_anew_does_not_wait_for_its_start_again() -> None:
    with make() as runtime:
        steps = runtime.start_workflow(Steps.run, "a", id="steps", start_delay=timedelta(hours=1)).get()
        runtime.advance(timedelta(hours=2))

        again = steps.reset(to="start").get()
        runtime.run_until_idle()

        assert performed == ["a", "a"]
        again.terminate().get()


@workflow.defn
async def legs(left: int = 1) -> str:
    await workflow.sleep(60)
    if left:
        workflow.continue_as_new(left - 1)
    return "arrived"


@pytest.mark.parametrize("to", ["start", 0])
def test_the_limit_of_a_chain_counts_from_the_reset(to: Any) -> None:
    with make(legs) as runtime:
        run = runtime.start_workflow(legs, id="legs", execution_timeout=100).get()
        runtime.advance(90)

        again = run.reset(to=to).get()

        assert runtime.wait(again.result()) == "arrived"


def test_a_limit_beyond_the_end_of_time_is_the_end_of_time() -> None:
    with make() as runtime:
        steps = begun(runtime, execution_timeout=timedelta(days=290 * 365))

        again = steps.reset(to="last").get()

        assert again.describe().get().deadline == datetime(2262, 4, 11, 23, 47, 16, 854775, tzinfo=UTC)
        again.terminate().get()


@workflow.defn
async def parent() -> str:
    name: str = await workflow.execute_child_workflow(orphan, id="child")
    return name


@workflow.defn
async def orphan() -> str:
    await workflow.sleep(10)
    above = workflow.info().parent
    return "nobody" if above is None else above.workflow_id


@pytest.mark.parametrize(("forks", "known"), [(True, "nobody"), (False, "parent")])
def test_a_fork_has_no_parent_and_a_reset_child_has_its_own(forks: bool, known: str) -> None:
    with make(parent, orphan) as runtime:
        family = runtime.start_workflow(parent, id="parent").get()
        runtime.run_until_idle()
        child = runtime.get_workflow_handle("child")

        again = child.fork(at=0).get() if forks else child.reset(to=0).get()

        assert runtime.wait(again.result()) == known
        assert runtime.wait(family.result()) == "parent"


def test_what_came_before_damage_comes_again() -> None:
    store = MemoryStore()
    with make(store=store) as runtime:
        begun(runtime, "x", "y", "z")
        run_no = runtime.recorded()[0].run_no
    store.commit({Tree.RUNS: {TURN_KEY.pack(run_no, Kind.TURN, 5): b"no turn"}})
    runtime = make(store=store).open()
    steps = runtime.get_workflow_handle("steps")

    again = steps.reset(to=2).get()
    again.signal(Steps.hear, "end").get()

    assert runtime.wait(again.result()) == ["A", "B", "x", "y", "end"]
    # What is damaged is still there.
    runtime.close(check_leaks=False)
