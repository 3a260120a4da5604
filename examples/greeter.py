"""The stateful greeter: one workflow that gives three greetings, and one that asks it for a greeting and waits for it.

Run it with ``python examples/greeter.py [journal]``; without an argument the journal is in a temporary directory.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from greenroom import Runtime, WorkflowIDConflictPolicy, activity, workflow


@activity.defn
def greet(name: str) -> str:
    return f"Hi, {name}"


@workflow.defn
class StatefulGreeter:
    def __init__(self) -> None:
        self.greeted = 0

    @workflow.run
    async def run(self, max_greetings: int = 3) -> int:
        await workflow.wait_condition(lambda: self.greeted >= max_greetings)
        return self.greeted

    @workflow.signal
    async def greet(self, sender: str, name: str) -> None:
        greeting = await workflow.execute_activity(greet, name)
        await workflow.get_external_workflow_handle(sender).signal("greeting", greeting)
        self.greeted += 1


@workflow.defn
async def greeting(greeter_id: str, name: str) -> str:
    signals = workflow.signal_channel()
    me = workflow.info().workflow_id
    await workflow.get_external_workflow_handle(greeter_id).signal(StatefulGreeter.greet, me, name)
    return await signals.receive("greeting", result_type=str)


def main(journal: str) -> None:
    with Runtime(journal) as runtime:
        greeter = runtime.start_workflow(
            StatefulGreeter.run,
            id="greeter",
            run_timeout=timedelta(seconds=30),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        ).get(timeout=5)
        for name in ("Kyle", "Ada", "Grace"):
            print(runtime.execute_workflow(greeting, "greeter", name, id=f"greeting-{name}").get(timeout=5))
        print(f"The greeter ended after {greeter.result().get(timeout=5)} greetings. Its history:")
        print(greeter.fetch_history().get(timeout=5))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(str(Path(folder) / "greeter.journal"))
