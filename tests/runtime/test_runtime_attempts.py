"""Attempts that a failed commit brings back, and attempts that ask too late."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from greenroom import activity, workflow
from greenroom.runtime.model.errors import ActivityError, ApplicationError, JournalWriteError, TimeoutError
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.runtime.shell.task import Task
from greenroom.testing import TestRuntime

attempts: list[int] = []


@activity.defn(name="attempts.hangs")
async def hangs() -> None:
    await asyncio.Event().wait()


@activity.defn(name="attempts.second")
def second() -> int:
    attempts.append(activity.info().attempt)
    if activity.info().attempt == 1:
        raise ApplicationError("not yet")
    return activity.info().attempt


@workflow.defn(name="attempts.impatient")
class Impatient:
    def __init__(self) -> None:
        self.work: workflow.ActivityHandle[None] | None = None

    @workflow.run
    async def run(self, limit: float | None) -> str:
        self.work = workflow.start_activity(
            hangs, start_to_close_timeout=limit, retry_policy=RetryPolicy(maximum_attempts=1)
        )
        try:
            await self.work
        except ActivityError as error:
            return "timed out" if isinstance(error.cause, TimeoutError) else repr(error.cause)
        return "ended"

    @workflow.signal
    def stop(self) -> None:
        assert self.work is not None
        self.work.cancel()


@workflow.defn(name="attempts.twice")
async def twice() -> int:
    return await workflow.execute_activity(second, retry_policy=RetryPolicy(maximum_attempts=2))


@pytest.fixture
def runtime() -> TestRuntime:
    attempts.clear()
    return TestRuntime(workflows=[Impatient, twice], activities=[hangs, second])


def drive_without_activities(runtime: TestRuntime) -> None:
    while runtime.step():
        pass


def test_an_activity_whose_cancellation_was_not_written_is_still_timed_out(runtime: TestRuntime) -> None:
    with runtime:
        handle = runtime.wait(runtime.start_workflow(Impatient.run, 5.0, id="impatient"))
        runtime.run_until_idle()
        runtime.store.fail_commit()
        with pytest.raises(JournalWriteError):
            runtime.wait(handle.signal(Impatient.stop))

        assert runtime.wait(handle.result(), limit=timedelta(seconds=5)) == "timed out"


def test_an_activity_without_limits_is_not_looked_at_again(runtime: TestRuntime) -> None:
    with runtime:
        handle = runtime.wait(runtime.start_workflow(Impatient.run, None, id="impatient"))
        runtime.run_until_idle()
        runtime.store.fail_commit()
        with pytest.raises(JournalWriteError):
            runtime.wait(handle.signal(Impatient.stop))
        # The run itself is tried again after a moment.
        runtime.advance(1)

        assert runtime.next_deadline_ns is None
        runtime.wait(handle.terminate())


def test_an_attempt_that_was_given_up_cannot_begin_the_next_one(
    runtime: TestRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[Task] = []
    with runtime:
        performer = runtime.hands.performer
        perform = performer.perform

        def seen(task: Task) -> None:
            tasks.append(task)
            perform(task)

        monkeypatch.setattr(performer, "perform", seen)
        runtime.start_workflow(twice, id="twice")
        runtime.run_until_idle()
        runtime.clock.advance(1)
        drive_without_activities(runtime)
        first, next_one = tasks
        answers: list[Any] = []
        assert first.permit is not None

        first.permit(first, answers.append)
        drive_without_activities(runtime)

        assert next_one.info.attempt == 2
        assert answers == [False]
        runtime.crash()
        assert runtime.wait(runtime.get_workflow_handle("twice").result()) == 2
    assert attempts == [1, 2]
