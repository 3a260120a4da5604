"""Holds parents and children against each other: each child has one run for the command that asked for it, and its end
is told once."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.runtime.core.commands import RequestCancelChild, StartChild
from greenroom.runtime.core.messages import (
    CancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    RunTerminated,
)
from greenroom.runtime.model.options import ParentClosePolicy, WorkflowExecutionStatus
from greenroom.runtime.model.payloads import Converter

from .lineage import Lineage, waiting_of
from .runs import Run, result_of

__all__ = ["PARENT_CLOSED", "judge_families", "requests_of_parent"]

PARENT_CLOSED = "its parent has ended"
COMPLETED = WorkflowExecutionStatus.COMPLETED

_converter = Converter()


def judge_families(lineage: Lineage) -> list[str]:
    """Every broken promise."""
    children: dict[tuple[int, int], list[Run]] = {}
    for run in lineage.runs.values():
        facts = lineage.facts_of(run)
        if facts.parent_run_no and run.header.first_run_id == run.header.run_id:
            children.setdefault((facts.parent_run_no, facts.parent_item), []).append(run)
    findings: list[str] = []
    for parent in lineage.runs.values():
        for command in _asked(parent):
            runs = children.pop((parent.run_no, command.id), [])
            findings += [
                f"{parent.name}, child {command.id}: {what}" for what in _judge(lineage, parent, command, runs)
            ]
    for (run_no, item), runs in children.items():
        findings.append(f"{runs[0].name} is child {item} of run {run_no}, which has not asked for it")
    return findings


def _asked(run: Run) -> Iterator[StartChild]:
    for step in run.steps:
        yield from (command for command in step.commands if isinstance(command, StartChild))


def _judge(lineage: Lineage, parent: Run, command: StartChild, runs: list[Run]) -> list[str]:
    messages = [*(step.message for step in parent.steps), *waiting_of(parent)]
    refusals = [each for each in messages if isinstance(each, ChildStartFailed) and each.id == command.id]
    starts = [each for each in messages if isinstance(each, ChildStarted) and each.id == command.id]
    ends = [each for each in messages if isinstance(each, (ChildCompleted, ChildFailed)) and each.id == command.id]
    if len(runs) + len(refusals) != 1 and (runs or parent.status.is_open):
        return [f"it has {len(runs)} runs and was refused {len(refusals)} times"]
    if not runs:
        return []
    found: list[str] = []
    [first] = runs
    if first.header.workflow_id != command.workflow_id:
        found.append(f"it is {first.name} and should be {command.workflow_id}")
    if [each.run_id for each in starts] != [first.header.run_id] and (starts or parent.status.is_open):
        found.append(f"its start was told as {starts}")
    last = lineage.end_of(first)
    is_over = not last.status.is_open
    if len(ends) > 1 or (ends and not is_over) or (is_over and not ends and parent.status.is_open):
        found.append(f"{last.name} is {last.status}, and its end was told {len(ends)} times")
    for end in ends:
        is_done = isinstance(end, ChildCompleted)
        if is_done is not (last.status is COMPLETED):
            found.append(f"{last.name} is {last.status}, and {end} was told")
        elif isinstance(end, ChildCompleted) and _converter.decode(end.result) != result_of(last):
            found.append(f"{last.name} has returned {result_of(last)!r}, and {end} was told")
    if not parent.status.is_open and not is_over:
        found += _judge_orphan(command, last)
    return found


def _judge_orphan(command: StartChild, last: Run) -> list[str]:
    """The parent has ended and the child has not: it must have been told what its policy says."""
    messages = [*(step.message for step in last.steps), *waiting_of(last)]
    match command.options.parent_close_policy:
        case ParentClosePolicy.TERMINATE:
            is_told = RunTerminated(PARENT_CLOSED) in messages
        case ParentClosePolicy.REQUEST_CANCEL:
            is_told = any(isinstance(each, CancelRequested) for each in messages)
        case _:
            is_told = True
    return [] if is_told else [f"its parent has ended, and {last.name} was not told"]


def requests_of_parent(lineage: Lineage, run: Run) -> set[tuple[str, str]]:
    """The requests to end, as (kind, reason), that a run may have from the run whose child it is."""
    parent = lineage.parent_of(run)
    if parent is None:
        return set()
    item = lineage.facts_of(run).parent_item
    made: set[tuple[str, str]] = set()
    if not parent.status.is_open:
        made = {("cancel", PARENT_CLOSED), ("terminate", PARENT_CLOSED)}
    for step in parent.steps:
        for command in step.commands:
            if isinstance(command, RequestCancelChild) and command.id == item:
                made.add(("cancel", command.reason))
    return made
