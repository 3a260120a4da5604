"""What the id policies say of a workflow id whose last run has ended."""

from __future__ import annotations

from ..model.options import WorkflowExecutionStatus, WorkflowIDReusePolicy

__all__ = ["may_reuse"]

_FAILED = frozenset(
    {
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELLED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)


def may_reuse(policy: WorkflowIDReusePolicy, status: WorkflowExecutionStatus) -> bool:
    """Whether another workflow may have the id of one that has ended so."""
    if policy is WorkflowIDReusePolicy.REJECT_DUPLICATE:
        return False
    return policy is not WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY or status in _FAILED
