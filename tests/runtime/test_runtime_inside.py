"""A workflow that reaches for the runtime it runs in: that run stops, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from greenroom import Runtime, workflow
from greenroom.runtime.model.errors import WorkflowSuspendedError
from tests.runtime.rig import WAIT, error_of

here: list[Runtime] = []


@workflow.defn(name="inside.child")
async def child() -> str:
    return "child"


@workflow.defn(name="inside.awaits")
async def awaits() -> Any:
    return await here[0].execute_workflow(child)


@workflow.defn(name="inside.gets")
async def gets() -> Any:
    return here[0].execute_workflow(child).get(timeout=1)


@workflow.defn(name="inside.gathers")
async def gathers() -> Any:
    handle = here[0].get_workflow_handle("inside")
    return await asyncio.gather(handle.signal("more"), handle.describe())


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime.in_memory(workflows=[child, awaits, gets, gathers]) as runtime:
        here[:] = [runtime]
        yield runtime


@pytest.mark.parametrize("name", ["inside.awaits", "inside.gets", "inside.gathers"])
def test_a_workflow_that_waits_for_its_own_runtime_is_suspended_and_the_others_go_on(
    runtime: Runtime, name: str
) -> None:
    error = error_of(runtime.execute_workflow(name, id="inside"))

    assert isinstance(error, WorkflowSuspendedError)
    assert "InWorkflowError" in str(error)
    assert runtime.execute_workflow(child).get(timeout=WAIT) == "child"
    runtime.get_workflow_handle("inside").terminate(reason="a mistake").get(timeout=WAIT)
