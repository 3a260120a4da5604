"""What type checkers make of starts of workflows. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from greenroom import Runtime, WorkflowHandle, WorkflowIDConflictPolicy, WorkflowIDReusePolicy, workflow


@workflow.defn
class Greeter:
    """A workflow written as a class."""

    @workflow.run
    async def run(self, most: int = 3) -> bytes:
        return b"" * most


@workflow.defn
async def greeting(name: str) -> int:
    return len(name)


async def results_are_those_of_the_workflow(runtime: Runtime) -> None:
    assert_type(await runtime.start_workflow(Greeter.run, 3), WorkflowHandle[bytes])
    assert_type(await runtime.start_workflow(greeting, "Ada"), WorkflowHandle[int])
    assert_type(await runtime.start_workflow(Greeter, 3), WorkflowHandle[Any])
    assert_type(await runtime.start_workflow("Greeter", 3), WorkflowHandle[Any])
    assert_type(await runtime.execute_workflow(Greeter.run), bytes)
    assert_type(await runtime.execute_workflow(greeting, "Ada"), int)
    assert_type(await runtime.execute_workflow(Greeter), Any)
    assert_type(await runtime.execute_workflow("Greeter"), Any)


def every_start_takes_every_option(runtime: Runtime) -> None:
    runtime.start_workflow(
        Greeter.run,
        3,
        id="greeter",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        run_timeout=0.5,
        execution_timeout=timedelta(seconds=1),
    )
    runtime.start_workflow(greeting, "Ada", id=None, run_timeout=None, execution_timeout=None)
    runtime.start_workflow("Greeter", id="greeter", run_timeout=1)
    runtime.execute_workflow(Greeter.run, id="greeter", execution_timeout=1)
    runtime.execute_workflow(greeting, "Ada", id="greeting", run_timeout=timedelta(days=1))
    runtime.execute_workflow(Greeter, id_conflict_policy=WorkflowIDConflictPolicy.FAIL)


def arguments_that_do_not_fit_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Greeter.run, "Ada")  # type: ignore[arg-type]
    runtime.start_workflow(Greeter.run, 1, 2)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(3)  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter.run, "Ada")  # type: ignore[arg-type]
    runtime.execute_workflow(Greeter.run, most=3)  # type: ignore[call-overload]


def options_that_there_are_not_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Greeter.run, workflow_id="greeter")  # type: ignore[call-overload]
    runtime.start_workflow(greeting, "Ada", workflow_id="greeting")  # type: ignore[call-overload]
    runtime.start_workflow("Greeter", workflow_id="greeter")  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter.run, timeout=3)  # type: ignore[call-overload]
    runtime.execute_workflow(greeting, "Ada", timeout=3)  # type: ignore[call-overload]
    runtime.execute_workflow("Greeter", timeout=3)  # type: ignore[call-overload]


def options_of_another_type_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Greeter.run, 3, id=3)  # type: ignore[call-overload]
    runtime.start_workflow(Greeter.run, 3, id_conflict_policy=None)  # type: ignore[call-overload]
    runtime.start_workflow(greeting, "Ada", run_timeout="1 s")  # type: ignore[call-overload]
    runtime.execute_workflow("Greeter", id_conflict_policy="fail")  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter.run, 3, id_reuse_policy=WorkflowIDConflictPolicy.FAIL)  # type: ignore[call-overload]


async def results_of_another_type_are_refused(runtime: Runtime) -> None:
    by_method: str = await runtime.execute_workflow(Greeter.run, 3)  # type: ignore[arg-type]
    by_function: str = await runtime.execute_workflow(greeting, "Ada")  # type: ignore[arg-type]
    del by_method, by_function
