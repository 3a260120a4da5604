"""Holds starts that were asked for again under the same request id against the runs: one request, one run."""

from __future__ import annotations

from collections.abc import Sequence

from .evidence import Evidence
from .runs import Run

__all__ = ["judge_requests"]


def judge_requests(runs: Sequence[Run], evidence: Evidence) -> list[str]:
    """Every broken promise."""
    begun: dict[str, list[str]] = {}
    for run in runs:
        header = run.header
        if header.workflow_id in evidence.requested and header.first_run_id == header.run_id:
            begun.setdefault(header.workflow_id, []).append(run.name)
    told: dict[str, set[str]] = {}
    for workflow_id, run_id in evidence.started:
        if workflow_id in evidence.requested:
            told.setdefault(workflow_id, set()).add(run_id)
    findings = [f"one request has started {names}" for names in begun.values() if len(names) > 1]
    findings += [f"one request was answered with runs {sorted(ids)}" for ids in told.values() if len(ids) > 1]
    return findings
