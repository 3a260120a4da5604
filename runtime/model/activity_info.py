"""What one attempt of an activity knows of itself."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from datetime import datetime, timedelta
from typing import Any, Self

import msgspec

from .durations import to_timedelta
from .instants import instant
from .options import ActivityOptions
from .retry import RetryPolicy

__all__ = ["ActivityInfo"]


class ActivityInfo(msgspec.Struct, frozen=True, gc=False):
    """One attempt of an activity: whose it is, which attempt, and the limits it has.

    Instants are ns since 1970 UTC inside and aware datetimes at the face; they are turned only when asked for, since
    most activities never ask.

    Args:
        activity_id: names the activity within its run; the same for all attempts.
        activity_type: the registered name.
        attempt: 1 for the first.
        workflow_id: the workflow that waits for it.
        run_id: the run of it.
        workflow_type: the registered name of the workflow.
        scheduled_at_ns: when the workflow asked for the activity.
        attempt_scheduled_at_ns: when this attempt was handed over; later than that for a retry.
        started_at_ns: when this attempt began.
        options: as the workflow gave them, the defaults of the activity filled in.
        heartbeat_details: what the last heartbeat of an earlier attempt said, as plain data; empty if there was none.
    """

    activity_id: str
    activity_type: str
    attempt: int
    workflow_id: str
    run_id: str
    workflow_type: str
    scheduled_at_ns: int
    attempt_scheduled_at_ns: int
    started_at_ns: int
    options: ActivityOptions = ActivityOptions()
    heartbeat_details: tuple[Any, ...] = ()

    @property
    def idempotency_key(self) -> str:
        """A key for what the activity does outside: the same for all attempts and after a crash, and nobody else's.

        An attempt may be repeated after its effect was made, when a crash comes before the record of it; pass the key
        to whoever can tell a repetition by it.
        """
        return f"{self.run_id}:{self.activity_id}"

    @property
    def scheduled_time(self) -> datetime:
        """When the workflow asked for the activity (aware, UTC)."""
        return instant(self.scheduled_at_ns)

    @property
    def current_attempt_scheduled_time(self) -> datetime:
        """When this attempt was handed over (aware, UTC)."""
        return instant(self.attempt_scheduled_at_ns)

    @property
    def started_time(self) -> datetime:
        """When this attempt began (aware, UTC)."""
        return instant(self.started_at_ns)

    @property
    def schedule_to_close_timeout(self) -> timedelta | None:
        """The limit of all attempts together; None for no limit."""
        return _length(self.options.schedule_to_close_timeout_ns)

    @property
    def schedule_to_start_timeout(self) -> timedelta | None:
        """The limit of an attempt's wait for a thread; None for no limit."""
        return _length(self.options.schedule_to_start_timeout_ns)

    @property
    def start_to_close_timeout(self) -> timedelta | None:
        """The limit of one attempt; None for no limit."""
        return _length(self.options.start_to_close_timeout_ns)

    @property
    def heartbeat_timeout(self) -> timedelta | None:
        """The longest silence of an attempt; None for no limit."""
        return _length(self.options.heartbeat_timeout_ns)

    @property
    def retry_policy(self) -> RetryPolicy | None:
        """How failed attempts are repeated; None stands for the default policy."""
        return self.options.retry_policy

    @property
    def priority(self) -> int | None:
        """1 is first; None for the middle."""
        return self.options.priority

    @property
    def task_queue(self) -> str | None:
        """The queue it waited in; None for the queue of the runtime."""
        return self.options.task_queue

    def started(self, at_ns: int) -> Self:
        """The same facts of an attempt that began at another instant."""
        return msgspec.structs.replace(self, started_at_ns=at_ns)

    def with_details(self, details: tuple[Any, ...]) -> Self:
        """The same facts, with what an earlier attempt has said."""
        return msgspec.structs.replace(self, heartbeat_details=details)


def _length(ns: int | None) -> timedelta | None:
    return None if ns is None else to_timedelta(ns)
