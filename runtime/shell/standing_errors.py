"""What callers are told of a run that cannot take what they ask: that it has ended, or why it is suspended."""

from __future__ import annotations

import re
from itertools import dropwhile, takewhile

from ...storage import RunHeader
from ..model.errors import WorkflowClosedError, WorkflowSuspendedError
from ..model.options import WorkflowExecutionStatus

__all__ = ["BY_REQUEST", "closed_error", "reason_of", "suspended_error"]

# What the note of a run says that somebody has suspended; that of a bug begins with a traceback or an exception's name.
BY_REQUEST = "suspended by request"
MOST_LINES = 30
# A string, so that only a process that has such a run compiles it.
_TRACEBACK = r"(?m)^(  \+ Exception Group )?Traceback \(most recent call last\):\n"


def closed_error(header: RunHeader) -> WorkflowClosedError:
    """That a run has ended."""
    return WorkflowClosedError(header.workflow_id, header.run_id, WorkflowExecutionStatus(header.status).name)


def suspended_error(header: RunHeader, reason: str = "", *, update_id: str | None = None) -> WorkflowSuspendedError:
    """That a run is suspended.

    Args:
        reason: what its header says, in short; read from there if it is not given.
        update_id: the update that is waited for.
    """
    is_by_request = header.note.startswith(BY_REQUEST)
    told = header.note if is_by_request else reason or reason_of(header.note)
    return WorkflowSuspendedError(
        header.workflow_id,
        header.run_id,
        told,
        stack="" if is_by_request else header.note,
        update_id=update_id,
        is_by_request=is_by_request,
    )


def reason_of(note: str) -> str:
    """What the exception of a traceback says, or the first lines of it."""
    *_, edge, told = "", *re.split(_TRACEBACK, note)
    lines = told.splitlines()
    if edge:
        # Of a group: what it says itself stands between its frames and the exceptions in it.
        lines = [line.removeprefix("  | ") for line in takewhile(lambda line: not line.startswith("  +-"), lines)]
    said = list(dropwhile(lambda line: not line or line.startswith(" "), lines))
    return "\n".join(said[:MOST_LINES] + ["…"] * (len(said) > MOST_LINES))
