"""What the tests of resets and forks share: a workflow of a few steps, and what was performed of them."""

from __future__ import annotations

from typing import Any

from greenroom import ApplicationError, WorkflowHandle, activity, workflow
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime

performed: list[str] = []


@activity.defn
def work(name: str) -> str:
    performed.append(name)
    return name.upper()


@workflow.defn
class Steps:
    """Works through its steps, and ends when it is told to: badly, if it is told nothing better."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.drawn: list[float] = []
        self.ids: list[str] = []

    @workflow.run
    async def run(self, *steps: str) -> list[str]:
        done: list[str] = []
        dice = workflow.random()
        self.drawn.append(dice.random())
        for step in steps:
            done.append(await workflow.execute_activity(work, step))
        await workflow.wait_condition(lambda: "end" in self.heard or "fail" in self.heard)
        self.drawn.append(dice.random())
        self.ids = [str(workflow.uuid4()), workflow.info().run_id]
        if "fail" in self.heard:
            raise ApplicationError("as it was told")
        return [*done, *self.heard]

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)

    @workflow.update
    async def tell(self, word: str) -> int:
        self.heard.append(word)
        await workflow.wait_condition(lambda: "end" in self.heard)
        return len(self.heard)

    @workflow.query
    def state(self) -> list[Any]:
        return [self.heard, self.drawn, self.ids]


def make(*workflows: Any, store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Steps, *workflows], activities=[work], **options)


def begun(runtime: TestRuntime, *words: str, **options: Any) -> WorkflowHandle[list[str]]:
    """A run of two steps that has heard some words: the steps are turns 1 and 2, the words those behind."""
    steps = runtime.start_workflow(Steps.run, "a", "b", id="steps", **options).get()
    runtime.run_until_idle()
    for word in words:
        steps.signal(Steps.hear, word).get()
    return steps
