"""Whom a request is for: the current run of a workflow id, one run alone, or whichever run of a chain is there."""

from __future__ import annotations

from ..model.values import Value

__all__ = ["Target"]


class Target(Value, frozen=True):
    """Whom a request is for.

    Attributes:
        workflow_id: the workflow.
        run_id: one run, and no other; empty if that does not matter.
        first_run_id: the chain that the run must belong to, by its first run; empty if that does not matter.
    """

    workflow_id: str
    run_id: str = ""
    first_run_id: str = ""
