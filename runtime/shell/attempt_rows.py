"""What a crash must not forget of an attempt, as a row: that it began, what it said, or how it failed and when the next
is due."""

from __future__ import annotations

from ...storage import Attempt
from ..core.commands import ScheduleActivity, decode_commands, encode_commands
from ..core.messages import ActivityFailed, decode_message, encode_message
from ..model.failures import Failure
from .flights import Flight

__all__ = ["failure_in", "row_of_beat", "row_of_begin", "row_of_next", "row_of_wait", "scheduled_in"]


def row_of_begin(flight: Flight) -> Attempt:
    """An attempt that is counted begins."""
    return Attempt(
        flight.command.id, flight.attempt, None, True, _schedule(flight), flight.last_failure, flight.details
    )


def row_of_beat(flight: Flight, before: Attempt | None) -> Attempt:
    """An attempt goes on and has said something.

    Args:
        before: its row as it is.
    """
    is_counted = before is not None and before.started
    return row_of_begin(flight)._replace(started=is_counted)


def row_of_next(flight: Flight, next_ns: int) -> Attempt:
    """An attempt has not begun after all; it is due at ``next_ns``."""
    return row_of_begin(flight)._replace(next_ns=next_ns, started=False, details=flight.last_details)


def row_of_wait(flight: Flight, failure: Failure, next_ns: int) -> Attempt:
    """An attempt has failed; the next one is due at ``next_ns``."""
    item = flight.command.id
    told = encode_message(ActivityFailed(item, failure, flight.attempt))
    return Attempt(item, flight.attempt + 1, next_ns, False, _schedule(flight), told, flight.last_details)


def scheduled_in(row: Attempt) -> tuple[ScheduleActivity, int]:
    """What was asked for, and when (ns).

    Raises:
        ValueError: the row holds something else.
    """
    (command,) = decode_commands(row.schedule[8:])
    if not isinstance(command, ScheduleActivity):
        raise ValueError(f"an attempt's row holds {command!r}")
    return command, int.from_bytes(row.schedule[:8], "big")


def failure_in(data: bytes) -> Failure | None:
    """How the attempt before has failed, if there was one."""
    message = decode_message(data) if data else None
    return message.failure if isinstance(message, ActivityFailed) else None


def _schedule(flight: Flight) -> bytes:
    return flight.scheduled_ns.to_bytes(8, "big") + encode_commands([flight.command])
