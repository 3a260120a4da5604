"""Every history is taken again from its first turn, in this process: it must ask for the same things again."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.runtime.core.execution import Execution
from greenroom.runtime.core.messages import WorkflowStarted
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.registry import Registry
from greenroom.runtime.model.workflow_reference import workflow_definition_of

from .books import Book, slip
from .load import Order, courier
from .relay import Relay, parcel
from .runs import Run

__all__ = ["replay"]

# Others of these names may be declared in the same process.
_workflows = Registry("workflow", map(workflow_definition_of, (Order, courier, Relay, parcel, Book, slip)))


def replay(runs: Sequence[Run]) -> list[str]:
    """Replay whole runs, the closed ones too, and return which of them went another way."""
    converter = Converter()
    findings: list[str] = []
    for run in runs:
        started = run.steps[0].message if run.steps else None
        if not isinstance(started, WorkflowStarted):
            continue
        execution = Execution(started, _workflows.get(started.workflow_type), converter)
        try:
            for step in run.steps:
                execution.replay(step.message, step.time_ns, step.commands)
        except Exception as error:
            findings.append(f"{run.name} cannot be replayed: {error}")
        finally:
            execution.close()
    return findings
