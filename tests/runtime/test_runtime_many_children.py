"""The end of a run that has many children is told to them a slice a sweep, and to all of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from greenroom import ApplicationError, ParentClosePolicy, WorkflowExecutionStatus, workflow
from greenroom.runtime.shell import last_words
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime, crash_sweep, start_once

STATUS = WorkflowExecutionStatus
MANY = 5


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_words, "SLICE", 2)


@workflow.defn(name="many.child")
class Child:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def hear(self, word: str) -> None:
        self.words.append(word)


@workflow.defn(name="many.parent")
class Parent:
    def __init__(self) -> None:
        self.how = ""

    @workflow.run
    async def run(self, count: int, policy: ParentClosePolicy) -> None:
        for number in range(count):
            await workflow.start_child_workflow(Child.run, id=f"child-{number}", parent_close_policy=policy)
        await workflow.wait_condition(lambda: bool(self.how))
        if self.how == "fail":
            raise ApplicationError("enough")
        if self.how == "go on":
            workflow.continue_as_new(0, policy)

    @workflow.signal
    def end(self, how: str) -> None:
        self.how = how


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Parent, Child], check_leaks=False, **options)


def begin(runtime: TestRuntime, policy: ParentClosePolicy = ParentClosePolicy.TERMINATE) -> Any:
    parent = start_once(runtime, Parent.run, MANY, policy, id="parent")
    runtime.run_until_idle()
    return parent


def statuses(runtime: TestRuntime) -> list[WorkflowExecutionStatus]:
    return [runtime.get_workflow_handle(f"child-{n}").describe().get().status for n in range(MANY)]


@pytest.mark.parametrize("evict", [False, True], ids=["resident", "put away"])
@pytest.mark.parametrize("how", ["end", "fail", "go on"])
@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (ParentClosePolicy.TERMINATE, STATUS.TERMINATED),
        (ParentClosePolicy.REQUEST_CANCEL, STATUS.CANCELLED),
        (ParentClosePolicy.ABANDON, STATUS.RUNNING),
    ],
)
def test_each_of_many_children_hears_of_the_end_of_its_parent(
    policy: ParentClosePolicy, status: WorkflowExecutionStatus, how: str, evict: bool
) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        begin(runtime, policy).signal(Parent.end, how).get()
        runtime.run_until_idle()

        assert statuses(runtime) == [status] * MANY
        assert check(runtime.hands.journal) == []


def test_wherever_the_process_dies_each_of_many_children_hears_of_the_end() -> None:
    def scenario(runtime: TestRuntime) -> object:
        parent = begin(runtime)
        if parent.describe().get().status is STATUS.RUNNING:
            parent.signal(Parent.end, "end").get()
        runtime.run_until_idle()
        assert check(runtime.hands.journal) == []
        return statuses(runtime)

    swept = crash_sweep(scenario, make=make)

    assert swept.points > 2 * MANY


@pytest.mark.parametrize("number", range(1, 6))
def test_a_commit_that_fails_while_children_are_told_keeps_it_from_none(number: int) -> None:
    with make() as runtime:
        parent = begin(runtime)
        runtime.get_workflow_handle("parent").signal(Parent.end, "end")
        runtime.store.fail_commit(number)
        runtime.advance(5)
        if parent.describe().get().status is STATUS.RUNNING:
            parent.signal(Parent.end, "end").get()
        runtime.advance(5)

        assert statuses(runtime) == [STATUS.TERMINATED] * MANY
        assert check(runtime.hands.journal) == []


def test_other_runs_have_their_turns_between_two_slices() -> None:
    with make() as runtime:
        parent = begin(runtime)
        other = runtime.start_workflow(Child.run, id="other").get()
        parent.signal(Parent.end, "end").get()
        left: list[int] = []
        while not left or left[-1]:
            sent = other.signal(Child.hear, "a word")
            runtime.hands.dispatcher.sweep()
            assert sent.done()
            left.append(statuses_now(runtime).count(STATUS.RUNNING))

        # What was written between is the word of one who has nothing to do with it.
        assert len(set(left)) > 2


def statuses_now(runtime: TestRuntime) -> list[WorkflowExecutionStatus]:
    headers = [run.header for run in runtime.recorded()]
    return [STATUS(each.status) for each in headers if each.workflow_id.startswith("child-")]


def test_what_comes_before_the_last_words_of_a_parent_is_heard_before_them() -> None:
    with make() as runtime:
        parent = begin(runtime)
        last = runtime.get_workflow_handle(f"child-{MANY - 1}")
        parent.signal(Parent.end, "end").get()
        last.signal(Child.hear, "still there").get()
        runtime.run_until_idle()

        kinds = last.fetch_history().get().kinds()
        assert kinds.index("SignalReceived") < len(kinds) - 1
        assert statuses(runtime)[-1] is STATUS.TERMINATED


def test_a_parent_that_is_deleted_before_all_have_heard_leaves_nobody_without_its_last_words() -> None:
    with make() as runtime:
        parent = begin(runtime)
        runtime.get_workflow_handle("parent").signal(Parent.end, "end").get()
        assert STATUS.RUNNING in statuses_now(runtime)

        parent.delete().get()
        runtime.run_until_idle()

        assert statuses(runtime) == [STATUS.TERMINATED] * MANY
        assert check(runtime.hands.journal) == []


def test_a_parent_is_looked_at_for_retention_while_it_tells_its_children() -> None:
    store = MemoryStore()
    with make(store=store) as runtime:
        begin(runtime).terminate().get()
        assert STATUS.RUNNING in statuses_now(runtime)

    with make(store=store, retention=timedelta(days=1)) as runtime:
        runtime.run_until_idle()
        assert statuses(runtime) == [STATUS.TERMINATED] * MANY
        assert check(runtime.hands.journal) == []

        runtime.advance(timedelta(days=2))
        assert runtime.recorded() == []
        assert check(runtime.hands.journal) == []


@workflow.defn(name="many.stubborn")
class Stubborn:
    """Whenever it is asked to end it goes on as a new run."""

    @workflow.run
    async def run(self) -> None:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            workflow.continue_as_new()


@workflow.defn(name="many.patient")
async def patient() -> None:
    for number in range(MANY):
        await workflow.start_child_workflow(
            Stubborn.run, id=f"child-{number}", parent_close_policy=ParentClosePolicy.REQUEST_CANCEL
        )
    await workflow.wait_condition(lambda: False)


@pytest.mark.parametrize("sweeps", range(4))
@pytest.mark.parametrize("what", ["crash", "delete", "expire"])
def test_whatever_comes_between_two_slices_each_child_hears_of_the_end_once(what: str, sweeps: int) -> None:
    kept = {patient: timedelta(seconds=2)}
    with TestRuntime(workflows=[patient, Stubborn], retention_by_type=kept, check_leaks=False) as runtime:
        parent = runtime.start_workflow(patient, id="parent").get()
        runtime.run_until_idle()
        runtime.get_workflow_handle("parent").terminate().get()
        for _ in range(sweeps):
            runtime.hands.dispatcher.sweep()
        if what == "crash":
            runtime.crash()
        elif what == "delete":
            parent.delete()
        else:
            runtime.clock.advance(10)
        runtime.run_until_idle()

        ids = [run.header.workflow_id for run in runtime.recorded()]
        assert [ids.count(f"child-{number}") for number in range(MANY)] == [2] * MANY
        assert check(runtime.hands.journal) == []
        assert not runtime.hands.directory.tools.untold


@pytest.mark.parametrize("evict", [False, True], ids=["resident", "put away"])
@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize("read", [3, 7, 9, 11])
def test_a_read_that_fails_while_children_are_told_has_none_of_them_told_twice(
    read: int, deletes: bool, evict: bool
) -> None:
    with TestRuntime(workflows=[patient, Stubborn], evict_after_every_turn=evict, check_leaks=False) as runtime:
        parent = runtime.start_workflow(patient, id="parent").get()
        runtime.run_until_idle()
        runtime.get_workflow_handle("parent").terminate().get()
        runtime.store.fail_read(read)
        if deletes:
            parent.delete()
        runtime.advance(10)

        with runtime.store.undisturbed():
            ids = [run.header.workflow_id for run in runtime.recorded()]
            assert [ids.count(f"child-{number}") for number in range(MANY)] == [2] * MANY
            assert check(runtime.hands.journal) == []
