"""The runs of a journal as it has them."""

from __future__ import annotations

from greenroom import workflow
from greenroom.testing import TestRuntime, recorded_runs


@workflow.defn(name="recorded.waiting")
async def waiting(seconds: int) -> None:
    await workflow.sleep(seconds)


def test_runs_that_have_ended_can_be_left_out() -> None:
    with TestRuntime() as runtime:
        runtime.execute_workflow(waiting, 1, id="ended").get()
        runtime.start_workflow(waiting, 60, id="open").get()
        runtime.start_workflow(waiting, 60, id="suspended").get().suspend().get()
        runtime.start_workflow(waiting, 60, id="terminated").get().terminate().get()

        def ids(**option: bool) -> list[str]:
            return [run.header.workflow_id for run in recorded_runs(runtime.hands.journal, **option)]

        assert ids() == ["ended", "open", "suspended", "terminated"]
        assert ids(open_only=True) == ["open", "suspended"]
