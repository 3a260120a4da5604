"""What type checkers make of the options of runtimes. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from greenroom import Future, Runtime, WorkflowHandle, workflow
from greenroom.pytest_plugin import Runtimes
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime


@workflow.defn
async def kept() -> None:
    pass


def options_that_there_are_are_taken(greenroom_runtime: Runtimes) -> None:
    assert_type(Runtime.in_memory(workflows=[], guard="strict"), Runtime)
    assert_type(TestRuntime(MemoryStore(), workflows=[], seed=1, turn_deadline=None), TestRuntime)
    assert_type(greenroom_runtime(workflows=[], seed=1, check_leaks=False), TestRuntime)
    assert_type(greenroom_runtime(MemoryStore()), TestRuntime)
    Runtime("journal", retention=timedelta(days=1), retention_by_type={kept: None, "other": 3600})


def options_that_there_are_not_are_refused(greenroom_runtime: Runtimes) -> None:
    Runtime("journal", wrkflows=[])  # type: ignore[call-arg]
    Runtime.in_memory(wrkflows=[])  # type: ignore[call-arg]
    Runtime.in_memory(seed=1)  # type: ignore[call-arg]
    TestRuntime(wrkflows=[])  # type: ignore[call-arg]
    greenroom_runtime(wrkflows=[])  # type: ignore[call-arg]


def options_of_another_type_are_refused(greenroom_runtime: Runtimes) -> None:
    Runtime.in_memory(max_residents="many")  # type: ignore[arg-type]
    TestRuntime(max_residents="many")  # type: ignore[arg-type]
    TestRuntime(seed="1")  # type: ignore[arg-type]
    greenroom_runtime(seed="1")  # type: ignore[arg-type]
    Runtime("journal", retention="1 day")  # type: ignore[arg-type]
    Runtime("journal", retention_by_type={kept: "1 day"})  # type: ignore[dict-item]
    greenroom_runtime(activities=7)  # type: ignore[arg-type]


def a_run_is_deleted(handle: WorkflowHandle[int]) -> None:
    assert_type(handle.delete(), Future[None])
    handle.delete(terminate=True)
    handle.delete(True)  # type: ignore[call-arg]
