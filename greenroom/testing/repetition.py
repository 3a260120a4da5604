"""Whether all that can ever happen is one activity that fails and is tried again, for ever.

Its fake has a bug, as a rule. In production somebody would mend what it calls; in a test nobody will.
"""

from __future__ import annotations

from ..runtime.shell.task import Task
from ..storage import DueKind, Journal

__all__ = ["repeated_alone"]

MOST_ATTEMPTS = 100
_END_OF_TIME = 2**63 - 1


def repeated_alone(last: Task, journal: Journal) -> str:
    """What is repeated, in words; "" if there is something else to wait for, or it was not tried often enough.

    Args:
        last: the attempt that was performed last.
        journal: has everything that is due.
    """
    info = last.info
    if info.attempt % MOST_ATTEMPTS or _is_limited(last):
        return ""
    due = [each[1:] for each in journal.due(until_ns=_END_OF_TIME, limit=2)]
    if due != [(last.run_no, DueKind.ATTEMPT, last.item)]:
        return ""
    return (
        f"activity {info.activity_type!r} of workflow {info.workflow_id!r} has failed {info.attempt} times, is tried "
        "for ever, and nothing else is due; mend it, give it a retry_policy with maximum_attempts, or go on with "
        "runtime.wait(…, most_skips=…)"
    )


def _is_limited(attempt: Task) -> bool:
    options = attempt.info.options
    policy = options.retry_policy
    return options.schedule_to_close_timeout_ns is not None or (policy is not None and policy.maximum_attempts > 0)
