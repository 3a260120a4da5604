"""Runs that are reset or forked, and runs that are deleted: what each finds of the other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest

from greenroom import (
    ChildWorkflowError,
    ParentClosePolicy,
    ResetReapplyType,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowNotFoundError,
    workflow,
)
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime, crash_sweep, start_once
from tests.runtime.copied import Steps, begun, make
from tests.runtime.ended_runs import rows_of

STATUS = WorkflowExecutionStatus
DAY = timedelta(days=1)


def failed(runtime: TestRuntime) -> WorkflowHandle[list[str]]:
    steps = begun(runtime, "fail")
    with pytest.raises(WorkflowFailureError):
        steps.result().get()
    return steps


@pytest.mark.parametrize("forks", [False, True])
@pytest.mark.parametrize("to", ["start", "last"])
def test_what_is_made_of_an_ended_run_does_not_expire_with_it(to: Literal["start", "last"], forks: bool) -> None:
    store = MemoryStore()
    with make(store=store, retention=DAY) as runtime:
        old = failed(runtime)
        runtime.advance(timedelta(hours=23))

        again = old.fork(at=to).get() if forks else old.reset(to=to, reapply=ResetReapplyType.NONE).get()
        runtime.run_until_idle()
        assert check(runtime.hands.journal) == []
        runtime.advance(timedelta(hours=2))

        assert [run.header.run_id for run in runtime.recorded()] == [again.run_id]
        again.signal(Steps.hear, "end").get()
        assert again.result().get() == ["A", "B", "end"]
        runtime.advance(timedelta(hours=25))
        assert rows_of(store) == []


def test_a_run_whose_reset_was_deleted_can_be_reset_again() -> None:
    with make() as runtime:
        old = failed(runtime)
        old.reset(to="last").get().delete(terminate=True).get()

        again = runtime.get_workflow_handle("steps", run_id=old.run_id).reset(to=2, reapply=ResetReapplyType.NONE).get()
        again.signal(Steps.hear, "end").get()

        assert runtime.get_workflow_handle("steps").result().get() == ["A", "B", "end"]
        assert old.result().get() == ["A", "B", "end"]
        assert check(runtime.hands.journal) == []


def test_a_run_whose_id_has_gone_to_another_since_its_reset_was_deleted_cannot_be_reset() -> None:
    with make() as runtime:
        old = failed(runtime)
        old.reset(to="last").get().delete(terminate=True).get()
        other = runtime.start_workflow(Steps.run, id="steps").get()

        with pytest.raises(ValueError, match="has another run after run"):
            runtime.get_workflow_handle("steps", run_id=old.run_id).reset(to=2).get()
        other.terminate().get()


@workflow.defn
class Links:
    @workflow.run
    async def run(self, links: int) -> None:
        if links:
            workflow.continue_as_new(links - 1)


def test_a_run_with_another_one_behind_it_cannot_be_reset_though_the_last_was_deleted() -> None:
    with make(Links) as runtime:
        first = runtime.start_workflow(Links.run, 2, id="links").get()
        runtime.run_until_idle()
        runtime.get_workflow_handle("links").delete().get()

        with pytest.raises(ValueError, match="has another run after run"):
            runtime.get_workflow_handle("links", run_id=first.run_id).reset(to="last").get()


def test_a_run_that_is_deleted_at_the_same_moment_is_not_there_to_be_reset() -> None:
    with make() as runtime:
        old = failed(runtime)

        resetting, deleting = old.reset(to="last"), old.delete()

        with pytest.raises(WorkflowNotFoundError):
            resetting.get()
        deleting.get()


def begun_and_deleted(runtime: TestRuntime) -> list[str]:
    steps = start_once(runtime, Steps.run, "a", id="steps")
    runtime.run_until_idle()
    if runtime.wait(steps.describe()).copied_from is None:
        if runtime.wait(steps.describe()).status is STATUS.RUNNING:
            runtime.wait(steps.signal(Steps.hear, "fail", idempotency_key="fail"))
        runtime.wait(steps.reset(to="last", reapply=ResetReapplyType.NONE))
    if runtime.wait(steps.describe()).status is STATUS.RUNNING:
        runtime.advance(DAY + timedelta(seconds=10))
        assert check(runtime.hands.journal) == []
        runtime.wait(steps.signal(Steps.hear, "end", idempotency_key="end"))
    return runtime.wait(steps.result())


def test_a_reset_whose_source_expires_survives_a_crash_at_any_commit() -> None:
    swept = crash_sweep(begun_and_deleted, make=lambda: make(retention=DAY))

    assert swept.points > 10


@workflow.defn
async def child(links: int) -> str:
    if links:
        workflow.continue_as_new(links - 1)
    return "hello"


@workflow.defn
class Parent:
    def __init__(self) -> None:
        self.may_go_on = False

    @workflow.run
    async def run(self) -> str:
        policy = ParentClosePolicy.ABANDON
        begun = await workflow.start_child_workflow(child, 1, id="child", parent_close_policy=policy)
        await workflow.wait_condition(lambda: self.may_go_on)
        word: str = await begun
        return word

    @workflow.signal
    def go_on(self) -> None:
        self.may_go_on = True


def ended_before_its_child(runtime: TestRuntime) -> WorkflowHandle[str]:
    """A parent that was ended while the end of its child waited to be told, and whose child has had two runs."""
    parent = runtime.start_workflow(Parent.run, id="parent").get()
    parent.suspend().get()
    runtime.run_until_idle()
    parent.terminate().get()
    return parent


def child_runs(runtime: TestRuntime) -> list[str]:
    return [run.header.run_id for run in runtime.recorded() if run.header.workflow_id == "child"]


@pytest.mark.parametrize("to", [0, "last"])
@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize(("deleted", "is_known"), [([], True), ([0], True), ([1], False), ([0, 1], False)])
def test_the_end_of_a_child_is_known_as_long_as_its_last_run_is_there(
    deleted: list[int], is_known: bool, replaced: bool, to: Any
) -> None:
    with TestRuntime(workflows=[Parent, child]) as runtime:
        parent = ended_before_its_child(runtime)
        runs = child_runs(runtime)
        if replaced:
            # The id has gone to another workflow: where the first run is not there nothing leads to the last.
            assert runtime.execute_workflow(child, 0, id="child").get() == "hello"
            is_known = is_known and not deleted
        for number in deleted:
            runtime.get_workflow_handle("child", run_id=runs[number]).delete().get()

        # Turn 0 has asked for the child, in turn 1 it was there.
        again = parent.reset(to=to).get()
        again.signal(Parent.go_on).get()

        if is_known:
            assert runtime.wait(again.result()) == "hello"
        else:
            with pytest.raises(WorkflowFailureError) as raised:
                runtime.wait(again.result())
            assert isinstance(raised.value.cause, ChildWorkflowError)
            assert "is not in the journal any more" in str(raised.value.cause.cause)


def test_the_end_of_a_child_is_known_though_its_parent_had_not_heard_of_its_start() -> None:
    with TestRuntime(workflows=[Parent, child]) as runtime:
        runtime.start_workflow(Parent.run, id="parent")
        parent = runtime.get_workflow_handle("parent", result_type=str)
        parent.suspend()
        runtime.run_until_idle()
        assert parent.describe().get().history_length == 1
        parent.terminate().get()

        again = parent.reset(to=0).get()
        again.signal(Parent.go_on).get()

        assert runtime.wait(again.result()) == "hello"


def test_a_fork_hears_of_the_end_of_a_child_that_its_source_had_not_heard_of() -> None:
    with TestRuntime(workflows=[Parent, child]) as runtime:
        fork = ended_before_its_child(runtime).fork(at=1, id="fork").get()
        fork.signal(Parent.go_on).get()

        assert runtime.wait(fork.result()) == "hello"


@workflow.defn
async def sleeper() -> str:
    await workflow.sleep(DAY)
    return "awake"


@workflow.defn
async def minder() -> str:
    policy = ParentClosePolicy.ABANDON
    return await workflow.execute_child_workflow(sleeper, id="child", parent_close_policy=policy)


def test_a_child_that_a_reset_had_taken_over_is_taken_over_again_when_that_was_deleted() -> None:
    with TestRuntime(workflows=[minder, sleeper]) as runtime:
        first = runtime.start_workflow(minder, id="minder").get()
        runtime.run_until_idle()
        first.reset(to="last").get().delete(terminate=True).get()

        runtime.get_workflow_handle("minder", run_id=first.run_id).reset(to="last").get()
        runtime.advance(DAY)

        assert runtime.get_workflow_handle("minder").result().get() == "awake"
        assert check(runtime.hands.journal) == []
