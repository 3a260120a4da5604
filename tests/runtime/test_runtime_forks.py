"""Another workflow begins with the turns of a run, which does not hear of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom import (
    CopiedRun,
    ResetReapplyType,
    SearchAttributeKey,
    WorkflowAlreadyStartedError,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateStage,
    workflow,
)
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime, crash_sweep, start_once
from tests.runtime.copied import Steps, begun, make, performed

STATUS = WorkflowExecutionStatus
PLACE = SearchAttributeKey.for_keyword("Place")


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    performed.clear()


@pytest.mark.parametrize("evict", [False, True])
def test_each_turn_of_a_run_can_be_gone_back_to(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        steps = begun(runtime, "x")
        steps.start_update(Steps.tell, "y", wait_for_stage=WorkflowUpdateStage.ACCEPTED).get()
        steps.signal(Steps.hear, "end", idempotency_key="z").get()
        assert steps.result().get() == ["A", "B", "x", "y", "end"]
        heard = [["x", "y"][: max(0, turn - 2)] for turn in range(5)]

        forks = [steps.fork(at=turn).get() for turn in range(5)]
        for fork in forks:
            fork.signal(Steps.hear, "end", idempotency_key="z").get()
        of_forks = [runtime.wait(fork.result()) for fork in forks]
        of_resets: list[list[str]] = []
        for turn in reversed(range(5)):
            steps.reset(to=turn, reapply=ResetReapplyType.ALL_ELIGIBLE).get()
            of_resets.append(runtime.wait(steps.result()))

        assert of_forks == [["A", "B", *words, "end"] for words in heard]
        assert of_resets == [["A", "B", "x", "y", "end"]] * 5
        assert check(runtime.hands.journal) == []


@pytest.mark.parametrize("evict", [False, True])
def test_a_fork_goes_on_beside_the_run_that_it_was_made_of(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        steps = begun(runtime, "x")
        before = str(steps.fetch_history().get())

        fork = steps.fork(at=1, id="fork", reason="to see").get()
        fork.signal(Steps.hear, "end").get()

        assert runtime.wait(fork.result()) == ["A", "B", "end"]
        assert performed == ["a", "b", "b"]
        assert str(steps.fetch_history().get()) == before
        steps.signal(Steps.hear, "end").get()
        assert steps.result().get() == ["A", "B", "x", "end"]
        assert check(runtime.hands.journal) == []


def test_a_fork_is_the_first_run_of_a_workflow_of_its_own() -> None:
    with make() as runtime:
        steps = begun(runtime)

        named, unnamed = steps.fork(at=2, id="fork").get(), steps.fork(at=2).get()
        found = named.describe().get()

        assert (found.id, found.first_run_id, found.copied_from) == (
            "fork",
            named.run_id,
            CopiedRun("steps", str(steps.run_id), 2),
        )
        assert unnamed.id == unnamed.run_id
        for each in (steps, named, unnamed):
            each.terminate().get()


def test_two_forks_and_their_original_draw_different_numbers() -> None:
    with make() as runtime:
        steps = begun(runtime)
        forks = [steps.fork(at=2).get() for _ in range(2)]
        for each in (steps, *forks):
            each.signal(Steps.hear, "end").get()

        found = [each.query(Steps.state).get() for each in (steps, *forks)]

        assert len({drawn[0] for _, drawn, _ in found}) == 1
        assert len({drawn[1] for _, drawn, _ in found}) == 3
        assert len({ids[0] for _, _, ids in found}) == 3


def test_a_run_that_has_ended_can_be_forked() -> None:
    with make() as runtime:
        steps = begun(runtime, "end")

        fork = steps.fork(at="last", id="fork").get()
        fork.signal(Steps.hear, "end").get()

        assert fork.result().get() == ["A", "B", "end"]
        assert steps.describe().get().status is STATUS.COMPLETED


def test_a_fork_runs_the_code_that_is_declared_now() -> None:
    @workflow.defn(name="Steps")
    class Mended(Steps):
        @workflow.run
        async def run(self, *steps: str) -> list[str]:
            return ["mended", *await Steps.run(self, *steps)]

    store = MemoryStore()
    with make(store=store) as runtime:
        begun(runtime, "fail")
    with TestRuntime(store, workflows=[Mended], activities=[]) as runtime:
        fork = runtime.get_workflow_handle("steps").fork(at="last", id="fork").get()
        fork.signal("hear", "end").get()

        assert fork.result().get() == ["mended", "A", "B", "end"]


@workflow.defn
class Noting:
    @workflow.run
    async def run(self) -> None:
        for place in ("hall", "stage"):
            workflow.upsert_memo({"place": place})
            workflow.upsert_search_attributes([PLACE.value_set(place)])
            await workflow.sleep(60)
        await workflow.sleep(6000)


def test_notes_are_those_of_the_turn_at_which_it_was_forked() -> None:
    with make(Noting) as runtime:
        noting = runtime.start_workflow(Noting.run, id="noting").get()
        runtime.advance(70)

        fork = noting.fork(at=0, id="fork").get()
        found = fork.describe().get()

        assert found.memo == {"place": "hall"}
        assert found.typed_search_attributes[PLACE] == "hall"
        # Its timer was overdue.
        runtime.run_until_idle()
        assert fork.describe().get().memo == {"place": "stage"}
        assert check(runtime.hands.journal) == []
        for each in (noting, fork):
            each.terminate().get()


@workflow.defn
async def child(word: str) -> str:
    await workflow.sleep(60)
    return word


@workflow.defn
async def parent() -> str:
    word: str = await workflow.execute_child_workflow(child, "hello", id="child")
    return word


def test_a_child_that_is_at_work_cannot_be_shared() -> None:
    with make(child, parent) as runtime:
        original = runtime.start_workflow(parent, id="parent").get()
        runtime.run_until_idle()

        with pytest.raises(ValueError, match=r"its child 'child' had begun by then and has not ended"):
            original.fork(at=0).get()

        assert runtime.wait(original.result()) == "hello"


def test_the_end_of_a_child_is_told_to_a_fork_too() -> None:
    with make(child, parent) as runtime:
        original = runtime.start_workflow(parent, id="parent").get()
        runtime.wait(original.result())

        fork = original.fork(at=0).get()

        assert runtime.wait(fork.result()) == "hello"
        assert [run.header.workflow_id for run in runtime.recorded()].count("child") == 1


def test_an_id_that_is_taken_is_refused() -> None:
    with make() as runtime:
        steps = begun(runtime)
        fork = steps.fork(at=1, id="fork").get()

        with pytest.raises(WorkflowAlreadyStartedError, match="; it has not ended: give the fork another id, or none"):
            steps.fork(at=1, id="fork").get()
        with pytest.raises(ValueError, match="is kept for a run to come"):
            steps.fork(at=1, id=next_run_id(runtime, steps)).get()
        fork.terminate().get()
        again = steps.fork(at=1, id="fork").get()

        assert again.run_id != fork.run_id
        for each in (steps, again):
            each.terminate().get()


def next_run_id(runtime: TestRuntime, handle: WorkflowHandle[Any]) -> str:
    """A run id that the journal gives out one day."""
    from greenroom.runtime.model.ids import run_id_of

    return run_id_of(runtime.hands.journal.store_uuid.encode(), 99)


def fork_once(runtime: TestRuntime) -> list[list[str]]:
    steps = start_once(runtime, Steps.run, "a", "b", id="steps")
    runtime.run_until_idle()
    fork: WorkflowHandle[list[str]] = runtime.get_workflow_handle("fork")
    if runtime.hands.directory.find("fork", "") is None:
        runtime.wait(steps.fork(at=1, id="fork"))
    for each in (steps, fork):
        if runtime.wait(each.describe()).status is STATUS.RUNNING:
            runtime.wait(each.signal(Steps.hear, "end", idempotency_key="end"))
    return [runtime.wait(each.result()) for each in (steps, fork)]


def test_a_fork_survives_a_crash_at_any_commit() -> None:
    swept = crash_sweep(fork_once, make=make)

    assert swept.points > 10


def test_limits_of_time_of_a_fork_are_its_own() -> None:
    with make() as runtime:
        steps = begun(runtime, run_timeout=timedelta(seconds=60))
        runtime.advance(50)

        fork = steps.fork(at="last", id="fork").get()
        runtime.advance(50)

        assert steps.describe().get().status is STATUS.TIMED_OUT
        assert fork.describe().get().status is STATUS.RUNNING
        fork.terminate().get()
