"""What type checkers make of resets and forks. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_type

from greenroom import CopiedRun, Future, ResetReapplyType, WorkflowHandle


async def both_give_handles_of_the_same_type(handle: WorkflowHandle[int]) -> None:
    assert_type(handle.reset(to=3), Future[WorkflowHandle[int]])
    assert_type(await handle.reset(to="last", reason="why", reapply=ResetReapplyType.NONE), WorkflowHandle[int])
    assert_type(await handle.fork(at="start", id="copy"), WorkflowHandle[int])
    assert_type(await (await handle.fork(at=0)).result(), int)
    assert_type((await handle.describe()).copied_from, CopiedRun | None)


async def what_is_no_turn_is_refused(handle: WorkflowHandle[int]) -> None:
    await handle.reset()  # type: ignore[call-arg]
    await handle.reset(to="end")  # type: ignore[arg-type]
    await handle.reset(3)  # type: ignore[call-arg]
    await handle.reset(to=3, reapply="none")  # type: ignore[arg-type]
    await handle.fork(at=1.5)  # type: ignore[arg-type]
