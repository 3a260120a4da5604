"""What is known of one activity: whose it is, the attempt that is under way, and where it stands."""

from __future__ import annotations

from ...actors import Deadline
from ..core.commands import ScheduleActivity
from ..model.errors import TimeoutType
from ..model.failures import Failure
from ..model.values import Value
from .pulse import Pulse
from .task import Task

__all__ = ["ActivityState", "Flight", "Key", "Owner"]

Key = tuple[int, int]
"""A run's number, and the number of the activity in it."""


class Owner(Value, frozen=True):
    """The run that an activity belongs to."""

    run_no: int
    workflow_id: str
    run_id: str
    workflow_type: str


class ActivityState(Value, frozen=True):
    """Where an activity stands: which attempt, since when it runs or when it is due, and how the last one failed."""

    attempt: int
    started_ns: int | None
    next_ns: int | None
    last_failure: Failure | None


class Flight:
    """One attempt that was handed to the performer.

    Attributes:
        details: payload of the last heartbeat that is written down, this attempt's or an earlier one's.
        is_cancelling: whether it was asked to end and its answer is waited for: no attempt follows.
        news: when its heartbeats are looked at again.
        pulse: its heartbeats, once there was one.
        quiet_until_ns: until when its heartbeats are not written down.
        task: what the performer was given.
    """

    __slots__ = (
        "attempt",
        "command",
        "deadline",
        "details",
        "handed_ns",
        "is_cancelling",
        "key",
        "last_failure",
        "news",
        "owner",
        "pulse",
        "quiet_until_ns",
        "scheduled_ns",
        "task",
    )

    def __init__(
        self,
        owner: Owner,
        command: ScheduleActivity,
        scheduled_ns: int,
        attempt: int,
        last_failure: bytes,
        handed_ns: int,
        details: bytes = b"",
    ) -> None:
        self.owner = owner
        self.command = command
        self.key: Key = (owner.run_no, command.id)
        self.scheduled_ns = scheduled_ns
        self.attempt = attempt
        self.last_failure = last_failure
        self.handed_ns = handed_ns
        self.details = details
        self.pulse: Pulse | None = None
        self.is_cancelling = False
        self.news: Deadline | None = None
        self.quiet_until_ns = 0
        self.deadline: Deadline | None = None
        self.task: Task | None = None

    @property
    def attempt_key(self) -> tuple[int, int, int]:
        """What the performer calls it."""
        return self.owner.run_no, self.command.id, self.attempt

    @property
    def is_limited(self) -> bool:
        """Whether there is a time by which it must have begun or ended."""
        options = self.command.options
        # A history may have a limit of nothing, from before that was refused.
        return (
            options.start_to_close_timeout_ns is not None
            or options.schedule_to_close_timeout_ns is not None
            or options.schedule_to_start_timeout_ns is not None
            or options.heartbeat_timeout_ns is not None
        )

    @property
    def last_details(self) -> bytes:
        """Payload of what the last heartbeat said, written down or not; an earlier attempt's if there was none."""
        return self.details if self.pulse is None else self.pulse.details

    def limits(self, begun_ns: int | None, now_ns: int) -> list[tuple[int, TimeoutType]]:
        """When the attempt must have ended or begun (ns), and what it is if it has not.

        Args:
            begun_ns: when it began; None while it waits for a thread.
        """
        options = self.command.options
        limits: list[tuple[int, TimeoutType]] = []
        if options.schedule_to_close_timeout_ns is not None:
            limits.append((self.scheduled_ns + options.schedule_to_close_timeout_ns, TimeoutType.SCHEDULE_TO_CLOSE))
        if options.schedule_to_start_timeout_ns is not None and begun_ns is None:
            limits.append((self.handed_ns + options.schedule_to_start_timeout_ns, TimeoutType.SCHEDULE_TO_START))
        # The clock of an attempt that still waits for a thread has not begun to run.
        begin_ns = now_ns if begun_ns is None else max(begun_ns, self.handed_ns)
        if options.start_to_close_timeout_ns is not None:
            limits.append((begin_ns + options.start_to_close_timeout_ns, TimeoutType.START_TO_CLOSE))
        if options.heartbeat_timeout_ns is not None:
            last_ns = begin_ns if self.pulse is None else max(begin_ns, self.pulse.at_ns)
            limits.append((last_ns + options.heartbeat_timeout_ns, TimeoutType.HEARTBEAT))
        return limits
