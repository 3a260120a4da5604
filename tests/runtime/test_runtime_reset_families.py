"""What a run that is reset has to do with others: its children, its parent, and whom it has written to."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom import (
    ChildWorkflowError,
    ParentClosePolicy,
    WorkflowExecutionStatus,
    WorkflowHandle,
    workflow,
)
from greenroom.storage import check
from greenroom.testing import TestRuntime, crash_sweep, start_once

STATUS = WorkflowExecutionStatus


@workflow.defn
class Child:
    """Returns what it is told, or what it was begun with."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, word: str = "") -> str:
        await workflow.wait_condition(lambda: bool(word or self.told))
        return word or self.told[0]

    @workflow.signal
    def tell(self, word: str) -> None:
        self.told.append(word)


@workflow.defn
class Parent:
    """Waits for a child, and then for a second one of another id, or of the same."""

    def __init__(self) -> None:
        self.may_go_on = False

    @workflow.run
    async def run(self, second: str = "", policy: ParentClosePolicy = ParentClosePolicy.TERMINATE) -> list[str]:
        child = await workflow.start_child_workflow(Child.run, id="child", parent_close_policy=policy)
        await workflow.wait_condition(lambda: self.may_go_on)
        words = [await child]
        if second:
            words.append(await workflow.execute_child_workflow(Child.run, id=second))
        return words

    @workflow.signal
    def go_on(self) -> None:
        self.may_go_on = True


@workflow.defn
async def grandparent() -> list[str]:
    words: list[str] = await workflow.execute_child_workflow(Parent.run, id="parent")
    return words


@workflow.defn
class Writer:
    def __init__(self) -> None:
        self.lines = 0

    @workflow.run
    async def run(self) -> int:
        while self.lines < 2:
            before = self.lines
            await workflow.wait_condition(lambda before=before: self.lines > before)  # type: ignore[misc]
            await workflow.get_external_workflow_handle("reader").signal("line", self.lines)
        return self.lines

    @workflow.signal
    def write(self) -> None:
        self.lines += 1


@workflow.defn
class Reader:
    def __init__(self) -> None:
        self.read: list[int] = []

    @workflow.run
    async def run(self, count: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.read) >= count)
        return self.read

    @workflow.signal
    def line(self, number: int) -> None:
        self.read.append(number)


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Child, Parent, Writer, Reader, grandparent], **options)


def begun(runtime: TestRuntime, *args: Any) -> tuple[WorkflowHandle[list[str]], WorkflowHandle[str]]:
    """A parent in turn 1, which has heard that its child is there, and that child."""
    parent = runtime.start_workflow(Parent.run, *args, id="parent").get()
    runtime.run_until_idle()
    return parent, runtime.get_workflow_handle("child", result_type=str)


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize("to", [0, 1])
def test_a_child_that_is_at_work_becomes_one_of_the_new_run(to: int, evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        parent, child = begun(runtime)
        first = child.describe().get().run_id

        parent.reset(to=to).get()
        parent.signal(Parent.go_on).get()
        child.signal(Child.tell, "hello").get()

        assert runtime.wait(parent.result()) == ["hello"]
        assert child.describe().get().run_id == first
        assert check(runtime.hands.journal) == []


def test_a_child_that_has_ended_since_is_not_begun_again() -> None:
    with make() as runtime:
        parent, child = begun(runtime)
        child.signal(Child.tell, "hello").get()
        runtime.run_until_idle()

        parent.reset(to=1).get()
        parent.signal(Parent.go_on).get()

        assert runtime.wait(parent.result()) == ["hello"]
        assert [run.header.workflow_id for run in runtime.recorded()].count("child") == 1


def test_a_child_that_has_ended_when_its_parent_had_is_told_of() -> None:
    with make() as runtime:
        parent, child = begun(runtime, "", ParentClosePolicy.ABANDON)
        parent.terminate().get()
        child.signal(Child.tell, "hello").get()
        assert child.result().get() == "hello"

        again = parent.reset(to=1).get()
        parent.signal(Parent.go_on).get()

        assert runtime.wait(again.result()) == ["hello"]


def test_a_child_that_began_later_ends_with_the_run_before_and_its_id_is_free() -> None:
    with make() as runtime:
        parent, child = begun(runtime, "second")
        parent.signal(Parent.go_on).get()
        child.signal(Child.tell, "hello").get()
        runtime.run_until_idle()

        parent.reset(to=1).get()
        runtime.run_until_idle()
        second = runtime.get_workflow_handle("second", result_type=str)
        second.signal(Child.tell, "again").get()

        assert runtime.wait(parent.result()) == ["hello", "again"]
        of_second = [STATUS(run.header.status) for run in runtime.recorded() if run.header.workflow_id == "second"]
        assert of_second == [STATUS.TERMINATED, STATUS.COMPLETED]


def test_a_child_that_was_terminated_with_its_parent_fails_for_the_new_run() -> None:
    with make() as runtime:
        parent, _ = begun(runtime)
        parent.terminate().get()
        runtime.run_until_idle()

        again = parent.reset(to=1).get()
        parent.signal(Parent.go_on).get()

        with pytest.raises(Exception, match="failed") as raised:
            runtime.wait(again.result())
        assert isinstance(raised.value.__cause__, ChildWorkflowError)


def test_the_parent_of_a_run_that_is_reset_waits_for_the_new_one() -> None:
    with make() as runtime:
        outer = runtime.start_workflow(grandparent, id="outer").get()
        runtime.run_until_idle()
        parent = runtime.get_workflow_handle("parent")

        parent.reset(to=1).get()
        parent.signal(Parent.go_on).get()
        runtime.get_workflow_handle("child").signal(Child.tell, "hello").get()

        assert runtime.wait(outer.result()) == ["hello"]


def test_what_was_written_to_others_by_then_is_not_written_again() -> None:
    with make() as runtime:
        reader = runtime.start_workflow(Reader.run, 2, id="reader").get()
        writer = runtime.start_workflow(Writer.run, id="writer").get()
        writer.signal(Writer.write).get()
        runtime.run_until_idle()

        # Turn 1 has written, turn 2 was told that it is there.
        again = writer.reset(to=1).get()
        again.signal(Writer.write).get()

        assert runtime.wait(again.result()) == 2
        assert reader.result().get() == [1, 2]


def reset_once(runtime: TestRuntime) -> list[str]:
    parent = start_once(runtime, Parent.run, "second", id="parent")
    runtime.run_until_idle()
    child = runtime.get_workflow_handle("child", result_type=str)
    if runtime.wait(parent.describe()).copied_from is None:
        runtime.wait(parent.reset(to=0))
    for handle in (child, runtime.get_workflow_handle("second", result_type=str)):
        runtime.run_until_idle()
        if runtime.wait(handle.describe()).status is STATUS.RUNNING:
            runtime.wait(handle.signal(Child.tell, "hello"))
        if handle is child and runtime.wait(parent.describe()).status is STATUS.RUNNING:
            runtime.wait(parent.signal(Parent.go_on, idempotency_key="go on"))
    return runtime.wait(parent.result())


def test_a_reset_with_children_survives_a_crash_at_any_commit() -> None:
    swept = crash_sweep(reset_once, make=make)

    assert swept.points > 10
