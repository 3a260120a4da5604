"""A run that somebody has suspended makes no progress until it is resumed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom import WorkflowExecutionStatus, WorkflowSuspendedError, activity, workflow
from greenroom.actors import ManualClock
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime

SUSPENDED, RUNNING = WorkflowExecutionStatus.SUSPENDED, WorkflowExecutionStatus.RUNNING


@activity.defn
def work(number: int) -> int:
    return number + 1


@workflow.defn
class Worker:
    def __init__(self) -> None:
        self.said: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.sleep(60)
        self.said.append("slept")
        self.said.append(str(await workflow.execute_activity(work, 1)))
        await workflow.wait_condition(lambda: "end" in self.said)
        return self.said

    @workflow.signal
    def say(self, word: str) -> None:
        self.said.append(word)

    @workflow.query
    def words(self) -> list[str]:
        return self.said


@workflow.defn
async def parent() -> None:
    await workflow.start_child_workflow(Worker.run, id="child")
    workflow.start_activity(work, 1, start_to_close_timeout=60)
    await workflow.sleep(60, summary="a minute")


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Worker], activities=[work], **options)


@pytest.mark.parametrize("evict", [False, True])
def test_a_suspended_run_takes_nothing_until_it_is_resumed_and_then_everything_in_order(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        worker = runtime.start_workflow(Worker.run, id="worker").get()
        worker.suspend("for the night").get()
        worker.signal(Worker.say, "hello").get()
        runtime.advance(timedelta(minutes=5))

        described = worker.describe().get()
        assert (described.status, described.suspended_error) == (SUSPENDED, "suspended by request: for the night")
        assert worker.query(Worker.words).get() == []
        with pytest.raises(WorkflowSuspendedError, match=r"is suspended by request: for the night; resume") as told:
            worker.result().get()
        assert (told.value.is_by_request, told.value.stack) == (True, "")

        worker.resume().get()
        runtime.run_until_idle()
        worker.signal(Worker.say, "end").get()
        assert worker.result().get() == ["hello", "slept", "2", "end"]
        assert check(runtime.hands.journal) == []


def test_opening_the_journal_does_not_resume_what_somebody_has_suspended() -> None:
    store, clock = MemoryStore(), ManualClock()
    with make(store, clock=clock, check_leaks=False) as runtime:
        worker = runtime.start_workflow(Worker.run, id="worker").get()
        worker.suspend().get()
    clock.advance(3600)

    with make(store, clock=clock) as runtime:
        worker = runtime.get_workflow_handle("worker")
        runtime.run_until_idle()
        assert worker.describe().get().status is SUSPENDED
        worker.resume().get()
        runtime.run_until_idle()
        assert worker.describe().get().status is RUNNING
        worker.signal("say", "end").get()
        assert worker.result().get() == ["slept", "2", "end"]


def test_what_it_waits_for_is_described_as_before_when_the_journal_is_opened_again() -> None:
    store = MemoryStore()
    with TestRuntime(store, workflows=[Worker, parent], activities=[work], check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(parent, id="parent"))
        runtime.wait(handle.suspend())
        before = runtime.wait(handle.describe())
    assert (len(before.pending_activities), len(before.pending_timers), len(before.pending_children)) == (1, 1, 1)

    with TestRuntime(store, workflows=[Worker, parent], activities=[work], check_leaks=False) as runtime:
        after = runtime.wait(runtime.get_workflow_handle("parent").describe())

    assert after.pending_children == before.pending_children
    assert after.pending_timers == before.pending_timers
    assert [each.activity_type for each in after.pending_activities] == ["work"]


def test_an_activity_of_a_run_that_was_resumed_is_performed_after_a_crash() -> None:
    with make() as runtime:
        worker = runtime.start_workflow(Worker.run, id="worker").get()
        runtime.clock.advance(timedelta(minutes=1))
        while runtime.step():
            pass
        assert len(worker.describe().get().pending_activities) == 1
        worker.suspend().get()
        worker.resume().get()
        while runtime.step():
            pass

        runtime.crash()
        runtime.run_until_idle()

        assert runtime.get_workflow_handle("worker").query(Worker.words).get() == ["slept", "2"]


def test_what_is_not_running_cannot_be_suspended() -> None:
    with make() as runtime:
        worker = runtime.start_workflow(Worker.run, id="worker").get()
        worker.suspend().get()
        with pytest.raises(ValueError, match=r"is suspended already; resume\(\) tries it again"):
            worker.suspend().get()
        worker.terminate().get()
        with pytest.raises(Exception, match="has ended"):
            worker.suspend().get()
