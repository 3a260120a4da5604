"""``handle.stack_trace()``: where the tasks of a run wait, however the run stands, and without a trace."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom import workflow
from greenroom.runtime.model.errors import WorkflowNotFoundError
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.testing import TestRuntime, replay_every_prefix


@workflow.defn(name="stacks.Walk")
class Walk:
    def __init__(self) -> None:
        self.is_done = False

    @workflow.run
    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.leg(), name="leg")
            await self.leg()

    async def leg(self) -> None:
        await workflow.wait_condition(lambda: self.is_done)

    @workflow.signal
    async def trip(self) -> None:
        raise LookupError("a stone")

    @workflow.signal
    async def arrive(self) -> None:
        self.is_done = True


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Walk], **options)


def headings(told: str) -> list[str]:
    return [line for line in told.splitlines() if line.startswith("Stack of")]


OF_BOTH = ["Stack of stacks.Walk (most recent call last):", "Stack of leg (Walk.leg) (most recent call last):"]


def test_a_run_in_memory_and_one_that_is_brought_back_tell_the_same_and_nothing_is_written() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Walk.run, id="w"))
        runtime.run_until_idle()
        commits = runtime.store.commits

        told = runtime.wait(handle.stack_trace())
        assert runtime.hands.directory.evict() == 1
        again = runtime.wait(handle.stack_trace())

        assert headings(told) == OF_BOTH
        assert again == told
        assert runtime.store.commits == commits
        runtime.wait(handle.signal(Walk.arrive))
        runtime.wait(handle.result())
        replay_every_prefix(runtime)


def test_a_run_that_has_ended_says_that_it_has_no_tasks() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Walk.run, id="w"))
        runtime.wait(handle.terminate())

        assert runtime.wait(handle.stack_trace()) == "no tasks: the run has ended"


def test_a_suspended_run_tells_where_it_waited_before_the_turn_that_stopped_it() -> None:
    with make(check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Walk.run, id="w"))
        runtime.wait(handle.signal(Walk.trip))
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.SUSPENDED

        assert headings(runtime.wait(handle.stack_trace())) == OF_BOTH


def test_the_stacks_are_asked_under_the_strict_net_and_by_name() -> None:
    with make(guard="strict") as runtime:
        handle = runtime.wait(runtime.start_workflow(Walk.run, id="w"))

        told = runtime.wait(handle.query("__enhanced_stack_trace"))

        assert [stack["name"] for stack in told["stacks"]] == ["stacks.Walk", "leg (Walk.leg)"]
        assert "async with asyncio.TaskGroup()" in told["sources"]["tests/runtime/test_runtime_stacks.py"]["content"]
        runtime.wait(handle.terminate())


def test_who_asks_for_the_stacks_of_nobody_is_told() -> None:
    with make() as runtime, pytest.raises(WorkflowNotFoundError):
        runtime.wait(runtime.get_workflow_handle("nobody").stack_trace())
