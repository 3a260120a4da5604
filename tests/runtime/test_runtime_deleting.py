"""Runs that are deleted: what is left of them, who still hears of them, and what a crash leaves to do."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import pytest

from greenroom import (
    JournalError,
    JournalWriteError,
    ParentClosePolicy,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowContinuedAsNewError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowIDReusePolicy,
    WorkflowNotFoundError,
    WorkflowStillRunningError,
    workflow,
)
from greenroom.storage import MemoryStore, Store, Tree, WriteError, check
from greenroom.testing import TestRuntime, crash_sweep, start_once
from tests.runtime.ended_runs import rows_of, write_ended


@workflow.defn(name="deleting.Tale")
class Tale:
    def __init__(self) -> None:
        self.lines: list[str] = []

    @workflow.run
    async def run(self, lines: int = 1) -> int:
        await workflow.wait_condition(lambda: len(self.lines) >= lines)
        return len(self.lines)

    @workflow.signal
    def add(self, line: str) -> None:
        self.lines.append(line)

    @workflow.update
    def put(self, line: str) -> int:
        self.lines.append(line)
        return len(self.lines)

    @workflow.query
    def told(self) -> list[str]:
        return self.lines


@workflow.defn(name="deleting.chapters")
async def chapters(number: int) -> str:
    if number:
        await workflow.sleep(10)
        workflow.continue_as_new(number - 1)
    await workflow.wait_condition(lambda: False)
    return "never"


@workflow.defn(name="deleting.parent")
async def parent(policy: ParentClosePolicy) -> int:
    child = await workflow.start_child_workflow(Tale.run, id="child", parent_close_policy=policy)
    return 0 if policy is ParentClosePolicy.ABANDON else await child


def ended(runtime: TestRuntime, workflow_id: str = "tale", lines: int = 1) -> WorkflowHandle[int]:
    handle = runtime.start_workflow(Tale.run, lines, id=workflow_id).get()
    for line in range(lines):
        handle.signal(Tale.add, str(line), idempotency_key=str(line)).get()
    handle.result().get()
    return handle


def test_a_deleted_run_leaves_no_row() -> None:
    store = MemoryStore()
    color = SearchAttributeKey.for_keyword("color")
    with TestRuntime(store) as runtime:
        handle = runtime.start_workflow(
            Tale.run,
            2,
            id="tale",
            search_attributes=TypedSearchAttributes([SearchAttributePair(color, "red")]),
            execution_timeout=timedelta(hours=1),
        ).get()
        handle.signal("nobody", 1).get()
        handle.signal(Tale.add, "a", idempotency_key="a").get()
        handle.execute_update(Tale.put, "b", id="u").get()
        handle.result().get()
        assert {tree for tree, _ in rows_of(store)} == {Tree.RUNS, Tree.IDS, Tree.DEAD, Tree.ATTRIBUTES}

        handle.delete().get()

        assert rows_of(store) == []


def test_nothing_finds_a_deleted_run() -> None:
    with TestRuntime() as runtime:
        handle = ended(runtime)
        update = handle.get_update_handle("u")
        pinned = runtime.get_workflow_handle("tale", run_id=handle.run_id)

        handle.delete().get()

        for each in (handle, pinned, runtime.get_workflow_handle("tale")):
            for ask in (
                each.result,
                each.describe,
                each.fetch_history,
                each.delete,
                each.cancel,
                each.terminate,
                lambda each=each: each.query(Tale.told),
                lambda each=each: each.signal(Tale.add, "x"),
                lambda each=each: each.execute_update(Tale.put, "x"),
            ):
                with pytest.raises(WorkflowNotFoundError, match="or it was deleted"):
                    ask().get()
        with pytest.raises(WorkflowNotFoundError):
            update.result().get()


def test_an_open_run_is_not_deleted_unless_it_is_to_be_terminated() -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        handle = runtime.start_workflow(Tale.run, id="tale").get()

        with pytest.raises(WorkflowStillRunningError, match="wait for its result, or delete"):
            handle.delete().get()

        assert handle.describe().get().status is WorkflowExecutionStatus.RUNNING
        result = handle.result()
        handle.delete(terminate=True).get()
        with pytest.raises(WorkflowFailureError, match="it is deleted"):
            result.get()
        assert rows_of(store) == []


def test_a_run_that_ends_in_the_same_sweep_is_deleted_with_the_next() -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        handle = runtime.start_workflow(Tale.run, id="tale").get()

        ending, deleting = handle.terminate(), handle.delete(terminate=True)
        ending.get()
        deleting.get()

        assert rows_of(store) == []


def test_the_id_of_a_deleted_run_is_free_even_where_duplicates_are_rejected() -> None:
    with TestRuntime() as runtime:
        ended(runtime).delete()

        again = runtime.start_workflow(
            Tale.run, id="tale", id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE
        ).get()

        assert again.describe().get().status is WorkflowExecutionStatus.RUNNING


def test_a_start_in_the_sweep_of_the_deletion_keeps_the_id() -> None:
    with TestRuntime() as runtime:
        old = ended(runtime)

        new = runtime.start_workflow(Tale.run, id="tale")
        gone = runtime.get_workflow_handle("tale", run_id=old.run_id).delete()

        gone.get()
        assert runtime.get_workflow_handle("tale").describe().get().run_id == new.get().run_id
        assert check(runtime.hands.journal) == []


def test_a_deletion_that_does_not_get_to_disk_has_not_been() -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        handle = ended(runtime)
        before = rows_of(store)
        runtime.store.fail_commit(1, WriteError("the disk", "no"))

        with pytest.raises(JournalWriteError):
            handle.delete().get()

        assert rows_of(store) == before
        assert handle.result().get() == 1


@pytest.mark.parametrize("read", range(1, 7))
def test_a_deletion_for_which_the_disk_does_not_answer_has_not_been(read: int) -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        handle = ended(runtime)
        before = rows_of(store)
        runtime.store.fail_read(read)

        with pytest.raises(JournalError):
            handle.delete().get()

        assert rows_of(store) == before
        handle.delete().get()
        assert rows_of(store) == []


def test_a_deletion_is_seen_by_what_the_same_caller_asks_next() -> None:
    with TestRuntime() as runtime:
        handle = ended(runtime)

        deleting, describing = handle.delete(), handle.describe()

        deleting.get()
        with pytest.raises(WorkflowNotFoundError):
            describing.get()


def test_a_query_that_waits_for_its_replay_is_told_that_the_run_was_deleted() -> None:
    with TestRuntime() as runtime:
        handle = ended(runtime)

        asking, deleting = handle.query(Tale.told), handle.delete()

        deleting.get()
        with pytest.raises(WorkflowNotFoundError):
            asking.get()


def test_a_history_that_was_found_and_then_deleted_is_not_there() -> None:
    with TestRuntime() as runtime:
        handle = ended(runtime)
        history = handle.fetch_history()
        runtime.run_until_idle()

        handle.delete().get()

        with pytest.raises(WorkflowNotFoundError):
            history.get()


# Chains and relatives.


def test_a_run_that_times_out_as_it_is_deleted_is_repeated_all_the_same() -> None:
    with TestRuntime(workflows=[Tale]) as runtime:
        policy = RetryPolicy(initial_interval=100)
        first = runtime.start_workflow(Tale.run, id="tale", run_timeout=10, retry_policy=policy).get()
        first.suspend().get()
        runtime.clock.advance(10)
        runtime.hands.dispatcher.sweep()

        runtime.get_workflow_handle("tale", run_id=first.run_id).delete(terminate=True).get()
        runtime.run_until_idle()

        assert [WorkflowExecutionStatus(run.header.status).name for run in runtime.recorded()] == ["RUNNING"]
        assert check(runtime.hands.journal) == []


def test_a_chain_goes_on_without_its_first_run() -> None:
    with TestRuntime() as runtime:
        handle = runtime.start_workflow(chapters, 2, id="book").get()
        runtime.advance(15)
        first = runtime.get_workflow_handle("book", run_id=handle.run_id)

        first.delete().get()

        assert handle.describe().get().status is WorkflowExecutionStatus.RUNNING
        with pytest.raises(WorkflowNotFoundError):
            first.describe().get()
        waiting = handle.result()
        handle.terminate(reason="enough").get()
        with pytest.raises(WorkflowFailureError, match="enough"):
            waiting.get()


def test_a_run_whose_chain_has_lost_its_end_says_so() -> None:
    with TestRuntime() as runtime:
        handle = runtime.start_workflow(chapters, 1, id="book").get()
        runtime.advance(15)
        first = runtime.get_workflow_handle("book", run_id=handle.run_id)

        handle.delete(terminate=True).get()

        with pytest.raises(WorkflowNotFoundError):
            first.result().get()
        with pytest.raises(WorkflowContinuedAsNewError):
            first.result(follow_runs=False).get()
        assert first.describe().get().status is WorkflowExecutionStatus.CONTINUED_AS_NEW
        assert check(runtime.hands.journal) == []


def test_a_later_workflow_of_the_id_is_not_taken_for_a_chain_that_was_deleted() -> None:
    with TestRuntime() as runtime:
        old = ended(runtime)
        old.delete().get()
        ended(runtime)

        with pytest.raises(WorkflowNotFoundError):
            old.result().get()


def test_a_child_goes_on_when_its_parent_is_deleted() -> None:
    with TestRuntime() as runtime:
        handle = runtime.start_workflow(parent, ParentClosePolicy.ABANDON, id="parent").get()
        handle.result().get()

        handle.delete().get()

        child = runtime.get_workflow_handle("child")
        child.signal(Tale.add, "x").get()
        assert child.result().get() == 1


def test_a_parent_is_told_of_a_child_that_is_terminated_to_be_deleted() -> None:
    with TestRuntime() as runtime:
        handle = runtime.start_workflow(parent, ParentClosePolicy.TERMINATE, id="parent").get()
        runtime.run_until_idle()

        runtime.get_workflow_handle("child").delete(terminate=True).get()

        with pytest.raises(WorkflowFailureError, match="child workflow failed"):
            handle.result().get()


def test_a_parent_is_replayed_though_its_child_was_deleted() -> None:
    with TestRuntime(evict_after_every_turn=True) as runtime:
        handle = runtime.start_workflow(parent, ParentClosePolicy.TERMINATE, id="parent").get()
        runtime.run_until_idle()
        child = runtime.get_workflow_handle("child")
        child.signal("add", "x").get()
        child.delete().get()

        assert handle.result().get() == 1


# Long histories.


LONG = 700


def long_run() -> Store:
    """A journal with a run that has ended after more turns than one commit deletes."""
    store = MemoryStore()
    write_ended(store, "long", turns=LONG)
    return store


def test_a_long_history_leaves_a_slice_a_commit_while_others_take_turns() -> None:
    store = long_run()
    with TestRuntime(store) as runtime:
        runtime.get_workflow_handle("long").delete().get()
        turns_left = [len(rows_of(store))]

        while runtime.step():
            turns_left.append(len(rows_of(store)))

        assert turns_left[0] > LONG - 300
        assert max(before - after for before, after in pairwise(turns_left)) < 300
        assert turns_left[-1] == 0


def test_check_finds_nothing_wrong_with_a_run_that_is_being_deleted() -> None:
    store = long_run()
    with TestRuntime(store) as runtime:
        runtime.get_workflow_handle("long").delete().get()

        assert len(rows_of(store)) > 300
        assert check(runtime.hands.journal) == []


def test_wherever_the_process_dies_a_run_is_there_or_deleted_to_the_end() -> None:
    def scenario(runtime: TestRuntime) -> object:
        # As far as it had come, it is asked again.
        with suppress(WorkflowNotFoundError):
            runtime.get_workflow_handle("long").delete().get()
        short = start_once(runtime, Tale.run, id="short")
        short.delete(terminate=True).get()
        runtime.run_until_idle()
        return rows_of(runtime.store)

    assert crash_sweep(scenario, make=lambda: TestRuntime(long_run())).points > 8


def test_a_slice_that_does_not_get_to_disk_is_deleted_later() -> None:
    store = long_run()
    with TestRuntime(store) as runtime:
        runtime.get_workflow_handle("long").delete().get()
        runtime.store.fail_commit(1, WriteError("the disk", "no"))

        runtime.advance(5)

        assert rows_of(store) == []
