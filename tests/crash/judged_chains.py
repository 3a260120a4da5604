"""Holds chains of runs together: who goes on from whom; what a run left unread is what the next one is told first."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.runtime.core.commands import ContinueAsNew, FailWorkflow
from greenroom.runtime.core.messages import SignalReceived
from greenroom.runtime.core.origins import Origin
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import Due, DueKind, Journal

from .lineage import Lineage, read_before, read_by, started_of, told_of, waiting_of
from .runs import Run, token_of

__all__ = ["judge_chains", "judge_starts"]

CONTINUED, COMPLETED = WorkflowExecutionStatus.CONTINUED_AS_NEW, WorkflowExecutionStatus.COMPLETED


def judge_chains(lineage: Lineage, journal: Journal) -> list[str]:
    """Every broken promise."""
    findings: list[str] = []
    followers: dict[int, list[Run]] = {}
    for run in lineage.runs.values():
        started = started_of(run)
        origin = Origin() if started is None or started.origin is None else started.origin
        successor = lineage.next_of(run)
        if successor is not None:
            followers.setdefault(successor.run_no, []).append(run)
        for judged in (_judge_link(lineage, run, successor, origin), _judge_reading(lineage, run, successor)):
            findings += [f"{run.name}: {what}" for what in judged]
    for run in lineage.runs.values():
        is_first = run.header.first_run_id == run.header.run_id
        before = followers.get(run.run_no, [])
        if len(before) != (0 if is_first else 1):
            findings.append(f"{run.name} goes on from {[each.name for each in before]}")
    for workflow_id, run in lineage.last_of.items():
        if journal.current_run(workflow_id) != run.run_no:
            findings.append(f"{run.name} is the last one of its workflow, and not its current run")
    return findings


def _judge_link(lineage: Lineage, run: Run, successor: Run | None, origin: Origin) -> list[str]:
    """A run goes on in another one exactly if its last turn says so, and that one knows it."""
    last = run.steps[-1] if run.steps else None
    commands = [] if last is None else last.commands
    wanted = next((each for each in commands if isinstance(each, ContinueAsNew)), None)
    failed = next((each for each in commands if isinstance(each, FailWorkflow)), None)
    is_repeated = failed is not None and run.header.workflow_type == "Relay"
    if failed is not None and is_repeated and not failed.failure.message.isdigit():
        return [f"it has failed: {failed.failure.message}"]
    if (wanted is not None) is not (run.status is CONTINUED):
        return [f"it is {run.status} after {last}"]
    if successor is None:
        return [f"it goes on after {last}, and there is no next run"] if wanted is not None or is_repeated else []
    if wanted is None and not is_repeated:
        return [f"it goes on as run {successor.run_no} after {last}"]
    return _judge_heir(lineage, run, successor, origin, wanted)


def _judge_heir(lineage: Lineage, run: Run, successor: Run, origin: Origin, wanted: ContinueAsNew | None) -> list[str]:
    heir, started = started_of(successor), started_of(run)
    if heir is None or heir.origin is None or started is None:
        return [] if successor.status.is_open is False else [f"run {successor.run_no} goes on from it without a start"]
    found: list[str] = []
    if heir.origin.continued_run_id != run.header.run_id:
        found.append(f"run {successor.run_no} goes on from {heir.origin.continued_run_id!r}")
    if heir.origin.attempt != (1 if wanted is not None else origin.attempt + 1):
        found.append(f"run {successor.run_no} is attempt {heir.origin.attempt} after {origin.attempt}")
    if heir.args != (started.args if wanted is None else wanted.args):
        found.append(f"run {successor.run_no} has other arguments than it was to have")
    for name in ("workflow_id", "first_run_id"):
        if getattr(successor.header, name) != getattr(run.header, name):
            found.append(f"run {successor.run_no} has another {name}")
    mine, its = lineage.facts_of(run), lineage.facts_of(successor)
    if (mine.parent_run_no, mine.parent_item) != (its.parent_run_no, its.parent_item):
        found.append(f"run {successor.run_no} is another one's child")
    return found


def _judge_reading(lineage: Lineage, run: Run, successor: Run | None) -> list[str]:
    """A relay reads what it is told in order; what it has not read the next run is told first."""
    if run.header.workflow_type != "Relay":
        return []
    found: list[str] = []
    told, read, before = told_of(run), read_by(run), read_before(run)
    if successor is not None or run.status is COMPLETED:
        here = read[len(before) :]
        if read[: len(before)] != before or here != told[: len(here)]:
            found.append(f"it has read {read}, after {before} was told {told}")
    if successor is not None:
        unread = lineage.unread_of(run)
        waiting = [token_of(each.args) for each in waiting_of(successor) if isinstance(each, SignalReceived)]
        come = told_of(successor) + waiting
        # One that was ended at once keeps what it never took as dead letters.
        is_cut = not successor.status.is_open and len(come) < len(unread)
        if come[: len(unread)] != (unread[: len(come)] if is_cut else unread):
            found.append(f"it had {unread} to be carried over, and run {successor.run_no} was sent {come}")
    return found


def judge_starts(runs: Sequence[Run], due: Sequence[Due]) -> list[str]:
    """A run whose start is delayed has something that begins it; one that goes on later is not woken by mail."""
    coming = sorted((each.run_no, each.at_ns) for each in due if each.kind == DueKind.START)
    rows = [(run.run_no, timer.at_ns) for run in runs for timer in run.items.timers if timer.kind == DueKind.START]
    wanted: list[tuple[int, int]] = []
    findings: list[str] = []
    for run in runs:
        started = started_of(run)
        if started is None:
            continue
        begins_ns = run.header.started_ns + started.options.start_delay_ns
        if run.status.is_open and not run.steps and begins_ns > run.header.started_ns:
            wanted.append((run.run_no, begins_ns))
        is_repeated = started.origin is not None and started.origin.continued_run_id != ""
        if run.steps and run.steps[0].time_ns < begins_ns and is_repeated:
            findings.append(f"{run.name} begins {begins_ns - run.steps[0].time_ns} ns early")
    if not sorted(wanted) == sorted(rows) == coming:
        findings.append(f"runs {sorted(wanted)} are to begin later, and the journal has {rows} and {coming}")
    return findings
