"""A run that cannot be replayed is described as the journal has it, and who waits for it is told."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom import ParentClosePolicy, PendingChild, activity, workflow
from greenroom.runtime.model.errors import JournalWriteError, WorkflowSuspendedError
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime


@activity.defn(name="describing.fails")
def fails() -> None:
    raise OSError("not now")


@workflow.defn(name="describing.waits")
async def waits() -> None:
    await workflow.sleep(0.01)
    await workflow.execute_activity(fails)


@workflow.defn(name="describing.waits")
async def changed() -> None:
    await workflow.execute_activity(fails)


@workflow.defn(name="describing.breaks")
class Breaks:
    def __init__(self) -> None:
        self.is_poked = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_poked)
        raise KeyError("a bug")

    @workflow.signal
    def poke(self) -> None:
        self.is_poked = True


@workflow.defn(name="describing.child")
class Child:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)

    @workflow.signal
    def end(self) -> None:
        self.is_over = True


@workflow.defn(name="describing.parent")
async def parent() -> None:
    first = await workflow.start_child_workflow(Child.run, id="first")
    await workflow.start_child_workflow(Child.run, id="left", parent_close_policy=ParentClosePolicy.ABANDON)
    await first


def make(store: MemoryStore | None, *workflows: Any, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=workflows, activities=[fails], **options)


@pytest.mark.parametrize("workflows", [[], [changed]], ids=["not declared", "changed"])
def test_a_run_whose_code_does_not_fit_is_described_as_its_history_says(workflows: list[Any]) -> None:
    store = MemoryStore()
    with make(store, waits, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(waits, id="w"))
        runtime.advance(1)
        expected = runtime.wait(handle.describe())
    with make(store, *workflows, check_leaks=False) as runtime:
        found = runtime.wait(runtime.get_workflow_handle("w").describe())

    assert found.status is WorkflowExecutionStatus.SUSPENDED
    assert (found.history_length, len(found.pending_activities)) == (2, 1)
    assert found.history_length == expected.history_length
    assert found.pending_activities == expected.pending_activities
    assert [each.activity_type for each in found.pending_activities] == ["describing.fails"]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_who_waits_for_a_run_that_stops_again_while_it_is_tried_is_told(lost: int) -> None:
    with make(None, Breaks, waits, auto_skip=False, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Breaks.run, id="b"))
        runtime.wait(handle.signal(Breaks.poke))
        runtime.run_until_idle()
        resumed, result = handle.resume(), handle.result()
        for commit in range(lost):
            runtime.store.fail_commit(commit + 1)
        # All of it in one sweep, and so in one commit.
        runtime.hands.dispatcher.sweep()
        runtime.start_workflow(waits, id="w")
        runtime.advance(60)

        assert isinstance(resumed.exception(), JournalWriteError if lost else type(None))
        assert isinstance(result.exception(), WorkflowSuspendedError)
        assert "KeyError: 'a bug'" in str(result.exception())


@pytest.mark.parametrize("evict", [False, True], ids=["resident", "put away"])
def test_children_of_whose_end_a_run_has_not_heard_are_described(evict: bool) -> None:
    with make(None, parent, Child, evict_after_every_turn=evict, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(parent, id="p"))
        runtime.run_until_idle()
        first, left = [runtime.get_workflow_handle(each) for each in ("first", "left")]
        runs = [runtime.wait(each.describe()).run_id for each in (first, left)]

        found = runtime.wait(handle.describe()).pending_children

        assert found == [
            PendingChild("1", "first", runs[0], "describing.child", ParentClosePolicy.TERMINATE),
            PendingChild("2", "left", runs[1], "describing.child", ParentClosePolicy.ABANDON),
        ]
        runtime.wait(left.signal(Child.end))
        runtime.run_until_idle()
        assert runtime.wait(handle.describe()).pending_children == found[:1]
        runtime.wait(first.signal(Child.end))
        runtime.wait(handle.result())
        assert runtime.wait(handle.describe()).pending_children == []


def test_a_run_that_was_ended_while_it_waited_for_children_waits_for_none() -> None:
    with make(None, parent, Child, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(parent, id="p"))
        runtime.run_until_idle()
        runtime.wait(handle.terminate())
        runtime.run_until_idle()

        assert runtime.wait(handle.describe()).pending_children == []


def test_a_child_whose_start_is_not_known_yet_is_described_without_a_run() -> None:
    with make(None, parent, Child, check_leaks=False) as runtime:
        # The run is stopped in the sweep in which it asks for the child.
        runtime.start_workflow(parent, id="p")
        handle = runtime.get_workflow_handle("p")
        runtime.wait(handle.suspend("to look"))

        assert [each.run_id for each in runtime.wait(handle.describe()).pending_children] == [None]
