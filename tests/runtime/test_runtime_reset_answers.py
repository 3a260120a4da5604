"""What a run had asked of others and was not told, when another one goes on from an earlier turn: that one is told,
or cannot be, and waits for nothing in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from greenroom import (
    ChildWorkflowCancellationType,
    ParentClosePolicy,
    ResetReapplyType,
    WorkflowAlreadyStartedError,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowSuspendedError,
    workflow,
)
from greenroom.storage import check
from greenroom.testing import TestRuntime


@workflow.defn
class Other:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, links: int = 0) -> list[str]:
        if links:
            workflow.continue_as_new(links - 1)
        await workflow.wait_condition(lambda: "end" in self.heard)
        return self.heard

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)


async def signal() -> str:
    await workflow.get_external_workflow_handle("other").signal("hear", "x")
    return "signalled"


async def signal_with_start() -> str:
    await workflow.signal_with_start(Other.run, id="other", signal="hear", signal_args=["x"])
    return "signalled"


async def cancel() -> str:
    await workflow.get_external_workflow_handle("other").cancel()
    return "cancelled"


async def start() -> str:
    await workflow.start_child_workflow(Other.run, id="child", parent_close_policy=ParentClosePolicy.ABANDON)
    return "started"


async def start_again() -> str:
    try:
        await workflow.start_child_workflow(Other.run, id="other")
    except WorkflowAlreadyStartedError:
        return "taken"
    return "not taken"


ASKS: dict[str, Callable[[], Awaitable[str]]] = {
    each.__name__: each for each in (signal, signal_with_start, cancel, start, start_again)
}


@workflow.defn
class Asking:
    """Asks another workflow for something when it is told to."""

    def __init__(self) -> None:
        self.asked = ""
        self.answer = ""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(self.asked))
        self.answer = await ASKS[self.asked]()
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def ask(self, what: str) -> None:
        self.asked = what

    @workflow.query
    def answered(self) -> str:
        return self.answer


def make(*workflows: Any) -> TestRuntime:
    return TestRuntime(workflows=[Other, Asking, *workflows])


def suspended(runtime: TestRuntime, what: str) -> WorkflowHandle[None]:
    """A run that has asked in turn 1, and was suspended before it was told: the answer waits."""
    runtime.start_workflow(Other.run, id="other").get()
    asking = runtime.start_workflow(Asking.run, id="asking").get()
    runtime.run_until_idle()
    asked, stopped = asking.signal(Asking.ask, what), asking.suspend()
    asked.get()
    stopped.get()
    runtime.run_until_idle()
    return asking


def answer_of(runtime: TestRuntime, handle: WorkflowHandle[None]) -> str:
    runtime.run_until_idle()
    answer = handle.query(Asking.answered).get()
    assert check(runtime.hands.journal) == []
    for run in runtime.recorded():
        if run.header.closed_ns is None:
            runtime.get_workflow_handle(run.header.workflow_id, run_id=run.header.run_id).terminate().get()
    return answer


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("signal", "signalled"),
        ("signal_with_start", "signalled"),
        ("cancel", "cancelled"),
        ("start", "started"),
        ("start_again", "taken"),
    ],
)
def test_an_answer_that_waits_is_told_to_the_new_run(what: str, answer: str) -> None:
    with make() as runtime:
        asking = suspended(runtime, what)

        again = asking.reset(to="last").get()

        assert answer_of(runtime, again) == answer


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("signal", "a signal to another workflow"),
        ("signal_with_start", "a signal to another workflow"),
        ("cancel", "a request that another workflow end"),
    ],
)
def test_a_turn_whose_answer_was_lost_with_its_run_is_refused(what: str, told: str) -> None:
    with make() as runtime:
        asking = suspended(runtime, what)
        asking.terminate().get()

        why = f"cannot go on from turn 1: it had sent {told} in turn 1, and ended before .*; take turn 0, or an earlier"
        with pytest.raises(ValueError, match=why):
            asking.reset(to="last").get()
        with pytest.raises(ValueError, match=why):
            asking.fork(at="last").get()
        again = asking.reset(to=0, reapply=ResetReapplyType.NONE).get()

        assert answer_of(runtime, again) == ""


@pytest.mark.parametrize("ends", [False, True])
def test_the_start_of_a_child_is_told_though_its_parent_ended_before_it_heard(ends: bool) -> None:
    with make() as runtime:
        asking = suspended(runtime, "start")
        asking.terminate().get()
        if ends:
            runtime.get_workflow_handle("child").signal("hear", "end").get()

        again = asking.reset(to="last").get()

        assert answer_of(runtime, again) == "started"


broken: set[str] = set()


@workflow.defn
async def hasty() -> str:
    await workflow.sleep(1)
    await workflow.get_external_workflow_handle("other").signal("hear", "x")
    if "hasty" in broken:
        raise KeyError("hasty")
    return "signalled"


def test_an_answer_that_was_skipped_is_told_to_the_new_run() -> None:
    with make(hasty) as runtime:
        other = runtime.start_workflow(Other.run, id="other").get()
        run = runtime.start_workflow(hasty, id="hasty").get()
        broken.add("hasty")
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(run.result())
        run.resume(skip=True).get()
        broken.clear()

        # Turn 1 has sent the signal.
        again = run.reset(to=1).get()

        assert runtime.wait(again.result()) == "signalled"
        other.signal(Other.hear, "end").get()
        assert other.result().get() == ["x", "end"]


@workflow.defn
class Cancelling:
    """Cancels a child when it is told to, and waits until that was asked to end."""

    def __init__(self) -> None:
        self.may_cancel = False

    @workflow.run
    async def run(self) -> str:
        child = await workflow.start_child_workflow(
            patient,
            id="child",
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED,
            parent_close_policy=ParentClosePolicy.ABANDON,
        )
        await workflow.wait_condition(lambda: self.may_cancel)
        child.cancel()
        try:
            await child
        except asyncio.CancelledError:
            return "asked"
        return "ended"

    @workflow.signal
    def cancel(self) -> None:
        self.may_cancel = True


@workflow.defn
async def patient() -> None:
    """Takes an hour to end when it is asked to."""
    try:
        await workflow.wait_condition(lambda: False)
    finally:
        await asyncio.shield(workflow.sleep(3600))


@pytest.mark.parametrize("terminates", [False, True])
def test_that_a_child_was_asked_to_end_is_told_though_its_parent_ended_before_it_heard(terminates: bool) -> None:
    with make(Cancelling, patient) as runtime:
        parent = runtime.start_workflow(Cancelling.run, id="parent").get()
        runtime.run_until_idle()
        asked, stopped = parent.signal(Cancelling.cancel), parent.suspend()
        asked.get()
        stopped.get()
        runtime.run_until_idle()
        if terminates:
            parent.terminate().get()

        again = parent.reset(to="last").get()
        runtime.run_until_idle()

        assert again.result().get() == "asked"
        child = runtime.get_workflow_handle("child")
        assert child.describe().get().status is WorkflowExecutionStatus.RUNNING
        child.terminate().get()
