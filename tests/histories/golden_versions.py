"""A workflow that leaves every kind of marker of changed code."""

from __future__ import annotations

from greenroom import workflow
from greenroom.testing import TestRuntime

__all__ = ["record", "versions"]


@workflow.defn(name="golden.versions")
async def versions() -> list[object]:
    found: list[object] = []
    for _ in range(2):
        workflow.deprecate_patch("older")
        found += [workflow.patched("newer"), workflow.get_version("price", workflow.DEFAULT_VERSION, 3)]
        await workflow.sleep(1)
    await workflow.signal_channel().receive("go on")
    return [*found, workflow.patched("newer"), workflow.get_version("tax", 0, 1)]


def record(runtime: TestRuntime) -> None:
    """Have the runs take place: one is left open, in the middle of its work."""
    ended = runtime.wait(runtime.start_workflow(versions, id="versions"))
    runtime.advance(10)
    runtime.wait(ended.signal("go on"))
    runtime.wait(runtime.start_workflow(versions, id="versions to be"))
    runtime.advance(10)
