"""What a run knows of itself, from the message that began it."""

from __future__ import annotations

from datetime import timedelta

from ..model.instants import instant
from ..model.search_attributes import TypedSearchAttributes
from .context import Info
from .messages import WorkflowStarted
from .origins import Origin

__all__ = ["info_of"]

_NO_ORIGIN = Origin()


def info_of(
    started: WorkflowStarted,
    started_ns: int,
    turns: int,
    size: int,
    attributes: TypedSearchAttributes,
    *,
    is_near_update_limit: bool = False,
) -> Info:
    """What ``workflow.info()`` gives.

    Args:
        started_ns: when the run took its first turn.
        turns: how many it has taken, this one included.
        size: bytes of the turns before this one.
        attributes: its search attributes as they are now.
        is_near_update_limit: whether it has taken nearly as many updates as a run may.
    """
    options, origin = started.options, started.origin or _NO_ORIGIN
    return Info(
        workflow_id=started.workflow_id,
        run_id=started.run_id,
        first_run_id=started.first_run_id,
        workflow_type=started.workflow_type,
        attempt=origin.attempt,
        start_time=instant(started_ns),
        workflow_start_time=instant(origin.asked_ns or started_ns),
        run_timeout=_duration(options.run_timeout_ns),
        execution_timeout=_duration(options.execution_timeout_ns),
        history_length=turns,
        history_size=size,
        continued_run_id=origin.continued_run_id or None,
        parent=origin.parent,
        root=origin.root,
        retry_policy=options.retry_policy,
        typed_search_attributes=attributes,
        is_near_update_limit=is_near_update_limit,
    )


def _duration(value_ns: int | None) -> timedelta | None:
    return None if value_ns is None else timedelta(microseconds=value_ns // 1000)
