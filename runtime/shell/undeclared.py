"""Activities that were under way when the journal was opened, and that no code here can perform: they wait.

Whoever opens a journal to look at it, or forgets one of ``activities=[…]``, must not end what another process began.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from ...actors import Dispatcher
from ..model.errors import GreenroomError
from .flights import Flight, Key

__all__ = ["Undeclared"]

logger = logging.getLogger("greenroom")


class Undeclared:
    """The activities that wait for a runtime that declares them; used on the dispatcher's thread only.

    Nothing is written of them: the next opening finds them as this one did. Of their time limits only
    schedule-to-close can pass meanwhile, since no attempt is under way.

    Args:
        dispatcher: whose deadlines are used.
        expired: told of one whose schedule-to-close timeout has passed; it waits no longer.
    """

    def __init__(self, dispatcher: Dispatcher, expired: Callable[[Flight], None]) -> None:
        self._dispatcher = dispatcher
        self._expired = expired
        self._waiting: dict[Key, Flight] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def __iter__(self) -> Iterator[Key]:
        return iter(self._waiting)

    def put(self, flight: Flight, declared: list[str]) -> None:
        """Let an attempt wait.

        Args:
            flight: the attempt that cannot begin.
            declared: the names that are declared here, for the log.
        """
        logger.error(
            "activity %r (%d) of workflow %r was under way and is not declared here (declared: %s); it waits until a "
            "runtime is opened that declares it, with @activity.defn or activities=[…]",
            flight.command.name,
            flight.command.id,
            flight.owner.workflow_id,
            ", ".join(map(repr, declared)) or "none",
        )
        self._keep(flight)

    def take(self, key: Key) -> Flight | None:
        """Take out an attempt that nobody waits for any more, if it is here."""
        flight = self._waiting.pop(key, None)
        if flight is not None and flight.deadline is not None:
            flight.deadline.cancel()
        return flight

    def put_back(self, flight: Flight, error: GreenroomError) -> None:
        """That nobody waits for an attempt could not be written down: it waits on."""
        if flight.key not in self._waiting:
            self._keep(flight)

    def _keep(self, flight: Flight) -> None:
        self._waiting[flight.key] = flight
        limit_ns = flight.command.options.schedule_to_close_timeout_ns
        if limit_ns is not None:
            flight.deadline = self._dispatcher.call_at(flight.scheduled_ns + limit_ns, self._expire, flight)

    def _expire(self, flight: Flight) -> None:
        if self._waiting.get(flight.key) is flight:
            del self._waiting[flight.key]
            self._expired(flight)
