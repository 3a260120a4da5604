"""Holds how runs ended against their limits and against who has asked them to: once, for a reason, and never early."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.runtime.core.commands import CancelWorkflow, CompleteWorkflow, ContinueAsNew, FailWorkflow
from greenroom.runtime.core.messages import CancelRequested, RunTerminated, RunTimedOut
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import Due, DueKind

from .books import is_book
from .evidence import Evidence
from .fates import RELAY, Limits, Parting, parting_of
from .judged_families import requests_of_parent
from .lineage import Lineage, waiting_of
from .runs import Run, Step

__all__ = ["judge_endings"]

ENDS = (CompleteWorkflow, ContinueAsNew, FailWorkflow, CancelWorkflow)
CANCELLED, TERMINATED, TIMED_OUT = (
    WorkflowExecutionStatus.CANCELLED,
    WorkflowExecutionStatus.TERMINATED,
    WorkflowExecutionStatus.TIMED_OUT,
)


def judge_endings(lineage: Lineage, due: Sequence[Due], evidence: Evidence) -> list[str]:
    """Every broken promise."""
    runs = list(lineage.runs.values())
    timeouts = [(each.run_no, each.at_ns) for each in due if each.kind == DueKind.RUN_TIMEOUT]
    wanted = [(run.run_no, run.header.deadline_ns) for run in runs if run.status.is_open and run.header.deadline_ns]
    findings: list[str] = []
    if sorted(timeouts) != sorted(wanted):
        findings.append(f"runs {sorted(wanted)} have a limit to come, and the journal has {sorted(timeouts)}")
    for run in runs:
        findings += _Ending(run, lineage, evidence).findings()
    return findings + _judge_told(lineage, evidence)


def _is_end(step: Step) -> bool:
    is_forced = isinstance(step.message, (RunTimedOut, RunTerminated))
    return is_forced or any(isinstance(command, ENDS) for command in step.commands)


class _Ending:
    """Judges how one run ended, or whether it had to."""

    def __init__(self, run: Run, lineage: Lineage, evidence: Evidence) -> None:
        self._run = run
        self._lineage = lineage
        self._evidence = evidence
        self._limits = evidence.limits.get(run.header.workflow_id, Limits())
        self._found: list[str] = []

    def findings(self) -> list[str]:
        """Walk the history."""
        run = self._run
        ends = [number for number, step in enumerate(run.steps) if _is_end(step)]
        if ends != ([] if run.status.is_open else [len(run.steps) - 1]):
            self._say(f"it is {run.status} and its turns {ends} of {len(run.steps)} end it")
        self._judge_limit()
        self._judge_requests()
        if not run.status.is_open:
            self._judge_closed(run.steps[-1])
        return self._found

    def _say(self, what: str) -> None:
        self._found.append(f"{self._run.name}: {what}")

    def _judge_limit(self) -> None:
        """The deadline is the start and what the client has asked for."""
        header = self._run.header
        limits = [limit for limit in self._limits if limit is not None]
        wanted = header.started_ns + min(limits) if limits else None
        if header.deadline_ns != wanted:
            self._say(f"its deadline is {header.deadline_ns} and should be {wanted}")

    def _judge_requests(self) -> None:
        """One request to end stands in the history at most, and somebody has made it."""
        made = self._evidence.ending.get(self._run.header.workflow_id, set())
        made = made | requests_of_parent(self._lineage, self._run)
        requests = [step.message for step in self._run.steps if isinstance(step.message, CancelRequested)]
        if len(requests) > 1:
            self._say(f"it was asked to end {len(requests)} times")
        forced = [step.message for step in self._run.steps if isinstance(step.message, RunTerminated)]
        for kind, messages in (("cancel", requests), ("terminate", forced)):
            for message in messages:
                if (kind, message.reason) not in made or message.reason in self._evidence.refused:
                    self._say(f"nobody has asked it to end because of {message.reason!r} ({kind}), or was refused")

    def _judge_closed(self, last: Step) -> None:
        run, status = self._run, self._run.status
        header = run.header
        if (header.closed_ns, header.turns) != (last.time_ns, len(run.steps)):
            self._say(f"it ended at {last.time_ns} in turn {len(run.steps) - 1}, and the header has {header}")
        if run.items.mail or run.items.timers or run.items.attempts or run.items.delayed:
            self._say(f"it has ended, and the journal has {run.items} for it")
        asked = any(isinstance(step.message, CancelRequested) for step in run.steps)
        goes_on = header.workflow_type == "Order" and parting_of(header.workflow_id) is Parting.GOES_ON
        if status is CANCELLED and (not asked or goes_on):
            self._say("it is cancelled, and nobody has asked for that, or it was to go on")
        if (status is TERMINATED) is not isinstance(last.message, RunTerminated):
            self._say(f"it is {status} after {last.message!r}")
        if (status is TIMED_OUT) is not isinstance(last.message, RunTimedOut):
            self._say(f"it is {status} after {last.message!r}")
        elif isinstance(last.message, RunTimedOut):
            self._judge_timeout(last.time_ns, last.message)

    def _judge_timeout(self, time_ns: int, message: RunTimedOut) -> None:
        deadline_ns, (run_ns, execution_ns) = self._run.header.deadline_ns, self._limits
        if deadline_ns is None:
            self._say("it has timed out and has no limit")
        elif time_ns < deadline_ns:
            self._say(f"it has timed out {deadline_ns - time_ns} ns early")
        is_execution = execution_ns is not None and (run_ns is None or execution_ns < run_ns)
        if message.is_execution is not is_execution:
            self._say(f"its limits are {self._limits}, and it has timed out by {message}")


def _judge_told(lineage: Lineage, evidence: Evidence) -> list[str]:
    """What was told of requests and of ends is in the journal."""
    messages: dict[str, list[object]] = {}
    for run in lineage.runs.values():
        # A request that a run could not take any more is for the one that goes on.
        its = messages.setdefault(run.header.workflow_id, [])
        its += [*(step.message for step in run.steps), *waiting_of(run)]
    findings: list[str] = []
    for workflow_id, kind, reason in evidence.ended:
        there = messages.get(workflow_id, [])
        wanted = RunTerminated(reason)
        is_there = wanted in there if kind == "terminate" else any(isinstance(m, CancelRequested) for m in there)
        if not (is_there or (kind == "cancel" and _ended_behind_mail(lineage, workflow_id))):
            findings.append(f"the request ({kind}) {reason!r} to {workflow_id} was acknowledged and is not there")
    for (workflow_id, asked), (status, detail, told_ns) in evidence.endings.items():
        if is_book(workflow_id):
            continue
        last = lineage.meant(workflow_id, asked)
        if last is None or last.status.name != status or detail != _detail(last):
            findings.append(f"the end of {workflow_id} ({status}, {detail}) was given out and is not there")
        elif status == "TIMED_OUT" and told_ns < (last.header.deadline_ns or 0):
            findings.append(f"{workflow_id} was said to have timed out before its limit")
    return findings


def _ended_behind_mail(lineage: Lineage, workflow_id: str) -> bool:
    """Whether a request to end may have waited on disk for a relay that has ended by what stood before it."""
    last = lineage.last_of.get(workflow_id)
    return last is not None and workflow_id.startswith(RELAY) and not last.status.is_open


def _detail(run: Run) -> str:
    """Why a run ended without a result, as its clients are told."""
    for command in run.steps[-1].commands:
        if isinstance(command, FailWorkflow):
            return command.failure.message
    match run.steps[-1].message:
        case RunTerminated(reason=reason) if run.status is TERMINATED:
            return reason
        case RunTimedOut(is_execution=is_execution):
            return "EXECUTION" if is_execution else "RUN"
        case _:
            return ""
