"""Runs that have to do with others: parents and children, chains of runs, and what is said to them at the start."""

from __future__ import annotations

import asyncio

from greenroom import (
    ApplicationError,
    ChildWorkflowCancellationType,
    ParentClosePolicy,
    RetryPolicy,
    WorkflowIDConflictPolicy,
    workflow,
)
from greenroom.testing import TestRuntime

USE_EXISTING = WorkflowIDConflictPolicy.USE_EXISTING


@workflow.defn(name="golden.child")
class Child:
    """Doubles a number; of one that waits, when it is told to."""

    def __init__(self) -> None:
        self.is_told = False

    @workflow.run
    async def run(self, number: int, kind: str = "") -> int:
        if kind == "goes on" and number < 3:
            workflow.continue_as_new(number + 1, kind)
        if kind == "fails":
            raise ApplicationError("not this child")
        if kind == "waits":
            await workflow.wait_condition(lambda: self.is_told)
        return 2 * number

    @workflow.signal
    def tell(self) -> None:
        """Have it end."""
        self.is_told = True

    @workflow.update
    def ask(self, number: int) -> int:
        """Answer."""
        return -number


@workflow.defn(name="golden.parent")
class Parent:
    """Has children of every kind, and waits to be asked what became of them."""

    def __init__(self) -> None:
        self.is_over = False
        self.said: list[str] = []

    @workflow.run
    async def run(self, others: str) -> list[str]:
        run = workflow.execute_child_workflow
        self.said.append(str(await run(Child.run, 1, "goes on", id=f"{others} goes on")))
        try:
            await run(Child.run, 1, "fails", id=f"{others} fails")
        except Exception as error:
            self.said.append(str(error.__cause__ or error))
        try:
            await run(Child.run, 1, id="taken")
        except Exception as error:
            self.said.append(type(error).__name__)
        cancelled = await workflow.start_child_workflow(
            Child.run,
            1,
            "waits",
            id=f"{others} cancelled",
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED,
        )
        cancelled.cancel()
        try:
            await cancelled
        except asyncio.CancelledError:
            self.said.append("cancelled")
        await workflow.signal_with_start(Child.run, 5, "waits", id=f"{others} detached", signal=Child.tell)
        await workflow.get_external_workflow_handle("taken").signal(Child.tell)
        try:
            await workflow.get_external_workflow_handle("nobody").cancel("enough")
        except ApplicationError as error:
            self.said.append(str(error.type))
        await workflow.start_child_workflow(
            Child.run, 8, "waits", id=f"{others} abandoned", parent_close_policy=ParentClosePolicy.ABANDON
        )
        await workflow.start_child_workflow(Child.run, 9, "waits", id=f"{others} terminated")
        await workflow.wait_condition(lambda: self.is_over)
        return self.said

    @workflow.signal
    def finish(self) -> None:
        """Have it end."""
        self.is_over = True


@workflow.defn(name="golden.stubborn")
async def stubborn() -> list[object]:
    """Fails at its first attempt."""
    info = workflow.info()
    if info.attempt == 1:
        raise ApplicationError("once")
    return [info.attempt, str(workflow.get_last_failure())]


def record(runtime: TestRuntime) -> None:
    """One family that has ended, one that is open, and starts that something goes with."""
    runtime.wait(runtime.start_workflow(Child.run, 4, "waits", id="taken"))
    for name in ("ended", "open"):
        runtime.wait(runtime.start_workflow(Parent.run, name, id=name))
        runtime.run_until_idle()
        # The family before has told it, and it has ended.
        runtime.wait(runtime.start_workflow(Child.run, 4, "waits", id="taken", id_conflict_policy=USE_EXISTING))
    ended = runtime.get_workflow_handle("ended")
    runtime.wait(ended.signal("finish"))
    runtime.wait(ended.result())
    runtime.wait(runtime.execute_workflow(stubborn, id="stubborn", retry_policy=RetryPolicy(initial_interval=10)))
    runtime.wait(runtime.start_workflow(Child.run, 6, id="delayed", start_delay=86_400))
    runtime.wait(runtime.signal_with_start(Child.run, 7, "waits", id="signalled", signal=Child.tell))
    runtime.wait(
        runtime.update_with_start(
            Child.run,
            3,
            "waits",
            id="updated",
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            update=Child.ask,
            update_args=[3],
            update_id="asked",
        )
    )
    runtime.run_until_idle()
