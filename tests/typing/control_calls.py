"""What type checkers make of the calls that end and look at a run. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_type

from greenroom import Future, WorkflowHandle


async def details_are_any_values_and_the_reason_is_a_line(handle: WorkflowHandle[None]) -> None:
    assert_type(await handle.terminate(), None)
    assert_type(await handle.terminate(reason="enough"), None)
    assert_type(await handle.terminate(1, {"paid": 3}, reason="enough"), None)
    handle.terminate(reason=1)  # type: ignore[arg-type]
    handle.terminate(details=(1,))  # type: ignore[call-arg]


async def the_stacks_are_text(handle: WorkflowHandle[int]) -> None:
    assert_type(handle.stack_trace(), Future[str])
    assert_type(await handle.stack_trace(), str)
    handle.stack_trace("now")  # type: ignore[call-arg]
