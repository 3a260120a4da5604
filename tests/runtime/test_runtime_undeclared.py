"""An activity that was under way and is not declared by the runtime that opens the journal waits for one that does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom import activity, workflow
from greenroom.runtime.model.errors import (
    ActivityError,
    JournalWriteError,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowFailureError,
    WorkflowSuspendedError,
)
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.runtime.model.supervision import Supervision
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime

attempts: list[int] = []


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    attempts.clear()


@activity.defn(name="undeclared: work", retry_policy=RetryPolicy(initial_interval=10))
def work() -> str:
    attempts.append(activity.info().attempt)
    if attempts == [1]:
        raise OSError("the first attempt")
    return "done"


@activity.defn(name="undeclared: other")
def other() -> None:
    """Declared where the work is not."""


@workflow.defn(name="undeclared: working")
class Working:
    def __init__(self) -> None:
        self.handle: workflow.ActivityHandle[str] | None = None

    @workflow.run
    async def run(self, limit: float | None = None) -> str:
        self.handle = workflow.start_activity(work, schedule_to_close_timeout=limit)
        try:
            return await self.handle
        except asyncio.CancelledError:
            return "cancelled"

    @workflow.signal
    def stop(self) -> None:
        assert self.handle is not None
        self.handle.cancel()

    @workflow.signal
    def fail(self) -> None:
        raise LookupError("a bug")


class Journal:
    """A journal that one runtime after another opens."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.first = TestRuntime(self.store, workflows=[Working], activities=[work], auto_skip=False)

    def open(self, *activities: object, **options: Any) -> TestRuntime:
        """The next runtime, an hour later or at once."""
        return TestRuntime(
            self.store, workflows=[Working], activities=activities, clock=self.first.clock, auto_skip=False, **options
        )


@pytest.fixture
def started() -> Journal:
    """The work was asked for and did not begin."""
    journal = Journal()
    with journal.first as runtime:
        runtime.wait(runtime.start_workflow(Working, id="x"))
    return journal


@pytest.fixture
def retrying() -> Journal:
    """The first attempt has failed, and the next is due in ten seconds."""
    journal = Journal()
    with journal.first as runtime:
        runtime.wait(runtime.start_workflow(Working, id="x"))
        runtime.run_until_idle()
    return journal


@pytest.fixture(params=["started", "retrying"])
def journal(request: pytest.FixtureRequest) -> Journal:
    found: Journal = request.getfixturevalue(request.param)
    return found


def opened(runtime: TestRuntime) -> Any:
    """The handle of the run, once whatever is under way has been taken up."""
    runtime.advance(3600)
    return runtime.get_workflow_handle("x")


def test_it_waits_and_is_performed_by_a_runtime_that_declares_it(journal: Journal) -> None:
    with journal.open(other) as runtime:
        assert runtime.wait(opened(runtime).describe()).status is WorkflowExecutionStatus.RUNNING
    with journal.open(other):
        """Opened and closed at once."""

    with journal.open(work) as runtime:
        assert runtime.wait(opened(runtime).result()) == "done"
    assert attempts == [1, 2]


def test_it_is_shown_as_pending_meanwhile(retrying: Journal) -> None:
    with retrying.open(other) as runtime:
        (pending,) = runtime.wait(opened(runtime).describe()).pending_activities

    assert (pending.activity_type, pending.attempt, pending.is_running) == ("undeclared: work", 2, False)
    assert pending.last_failure == "OSError: the first attempt"


def test_nothing_is_written_of_it(journal: Journal) -> None:
    with journal.open(other) as runtime:
        opened(runtime)

        # The opening alone is written down.
        assert runtime.store.commits <= 1
        (run,) = runtime.recorded()
        assert len(run.turns) == 1


@pytest.mark.parametrize("evict", [False, True])
def test_the_log_says_once_what_waits_for_whom(journal: Journal, caplog: pytest.LogCaptureFixture, evict: bool) -> None:
    with journal.open(other, evict_after_every_turn=evict) as runtime:
        handle = opened(runtime)
        runtime.wait(handle.describe())
        runtime.wait(handle.describe())

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "activity 'undeclared: work' (1) of workflow 'x' was under way and is not declared here (declared: "
        "'undeclared: other'); it waits until a runtime is opened that declares it, with @activity.defn or "
        "activities=[…]"
    ]


def test_a_run_that_asks_for_one_now_is_suspended_at_once_and_goes_on_where_it_is_declared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = Journal()
    told = "no activity named 'undeclared: work' (declared: 'undeclared: other')"
    with journal.open(other, supervision=Supervision()) as runtime:
        handle = runtime.wait(runtime.start_workflow(Working, id="y"))
        with pytest.raises(WorkflowSuspendedError) as caught:
            runtime.wait(handle.result(), limit=0)

    assert told in caught.value.reason
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told in record.getMessage()
    with journal.open(work) as runtime:
        runtime.advance(10)
        assert runtime.wait(runtime.get_workflow_handle("y").result()) == "done"


def test_its_run_can_be_terminated(journal: Journal) -> None:
    with journal.open(other) as runtime:
        handle = opened(runtime)
        runtime.wait(handle.terminate())

        with pytest.raises(WorkflowFailureError) as caught:
            runtime.wait(handle.result())

    assert isinstance(caught.value.cause, TerminatedError)


def test_its_run_can_be_terminated_while_it_is_suspended(journal: Journal) -> None:
    with journal.open(other) as runtime:
        handle = opened(runtime)
        runtime.wait(handle.signal(Working.fail))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())
        runtime.wait(handle.terminate())
        runtime.run_until_idle()

        assert runtime.hands.journal.attempts(1) == []


def test_its_run_still_times_out() -> None:
    journal = Journal()
    with journal.first as runtime:
        runtime.wait(runtime.start_workflow(Working, id="x", run_timeout=600))
    with journal.open(other) as runtime, pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(opened(runtime).result())

    assert isinstance(caught.value.cause, TimeoutError)


def test_it_can_be_cancelled(journal: Journal) -> None:
    with journal.open(other) as runtime:
        handle = opened(runtime)
        runtime.wait(handle.signal(Working.stop))

        assert runtime.wait(handle.result()) == "cancelled"
        assert runtime.hands.journal.attempts(1) == []


def test_its_schedule_to_close_timeout_still_passes() -> None:
    journal = Journal()
    with journal.first as runtime:
        runtime.wait(runtime.start_workflow(Working, 600.0, id="x"))
    with journal.open(other) as runtime:
        runtime.advance(599)
        handle = runtime.get_workflow_handle("x")
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.RUNNING
        runtime.advance(1)

        with pytest.raises(WorkflowFailureError) as caught:
            runtime.wait(handle.result())

    assert isinstance(caught.value.cause, ActivityError)
    assert isinstance(caught.value.cause.cause, TimeoutError)
    assert caught.value.cause.cause.type is TimeoutType.SCHEDULE_TO_CLOSE


@pytest.mark.parametrize("is_suspended", [False, True])
def test_its_timeout_is_forgotten_with_its_run(is_suspended: bool) -> None:
    journal = Journal()
    with journal.first as runtime:
        runtime.wait(runtime.start_workflow(Working, 600.0, id="x"))
    with journal.open(other, evict_after_every_turn=is_suspended) as runtime:
        runtime.run_until_idle()
        handle = runtime.get_workflow_handle("x")
        if is_suspended:
            runtime.wait(handle.signal(Working.fail))
        runtime.wait(handle.terminate())

        assert runtime.next_deadline_ns is None


@pytest.mark.parametrize("has_failed_once", [False, True])
def test_if_the_cancel_could_not_be_written_it_waits_on_with_its_timeout(has_failed_once: bool) -> None:
    journal = Journal()
    with journal.first as runtime:
        runtime.wait(runtime.start_workflow(Working, 600.0, id="x"))
        if has_failed_once:
            runtime.run_until_idle()
    with journal.open(other) as runtime:
        runtime.advance(60)
        handle = runtime.get_workflow_handle("x")
        runtime.store.fail_commit()
        with pytest.raises(JournalWriteError):
            runtime.wait(handle.signal(Working.stop))
        runtime.advance(540)

        with pytest.raises(WorkflowFailureError, match="schedule-to-close"):
            runtime.wait(handle.result())
