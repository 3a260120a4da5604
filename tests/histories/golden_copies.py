"""Golden histories of a run that was reset and of one that was forked."""

from __future__ import annotations

from greenroom import workflow
from greenroom.testing import TestRuntime


@workflow.defn(name="golden.steps")
class Steps:
    """Adds as often as it is told to, and notes numbers that it draws; its timer is the one it was begun with."""

    def __init__(self) -> None:
        self.drawn: list[int] = []
        self.total = 0

    @workflow.run
    async def run(self, goal: int) -> list[int]:
        workflow.upsert_memo({"goal": goal})
        await workflow.sleep(3600)
        await workflow.wait_condition(lambda: self.total >= goal)
        return [*self.drawn, self.total]

    @workflow.signal
    async def step(self, by: int) -> None:
        self.drawn.append(workflow.random().randrange(10**6))
        self.total = await workflow.execute_activity("golden.add", self.total, by)


def record(runtime: TestRuntime) -> None:
    """Have the runs take place: the fork is left open, before the end of its timer."""
    steps = runtime.wait(runtime.start_workflow(Steps.run, 4, id="steps"))
    for by in (1, 2, 3):
        runtime.wait(steps.signal(Steps.step, by, idempotency_key=f"step {by}"))
        runtime.run_until_idle()
    turns = [event.turn for event in runtime.wait(steps.fetch_history()).events if event.kind == "ActivityCompleted"]
    runtime.wait(steps.fork(at=turns[1], id="fork", reason="to see"))
    runtime.wait(steps.reset(to=turns[0], reason="once more"))
    runtime.run_until_idle()
    runtime.wait(runtime.get_workflow_handle("fork", identity="Ann").signal(Steps.step, 5))
    runtime.run_until_idle()
