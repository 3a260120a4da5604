"""What attempts say while they run: written down seldom, and in time for the attempt that comes next.

The first news of an attempt goes to disk at once, later news when some time has passed since; the last of it goes with
the row of an attempt that has failed, at no cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from ...actors import Dispatcher, DispatcherClosedError
from ..model.errors import GreenroomError
from ..model.options import ActivityOptions
from .attempt_rows import row_of_beat
from .attempt_table import AttemptTable
from .flights import Flight, Key
from .pulse import Pulse
from .retries import AGAIN_AFTER_NS, Retries
from .sweep import Sweep
from .task import Task

__all__ = ["Heartbeats"]

# Source: Temporal, whose SDKs hold heartbeats back for these times.
_INTERVAL_NS = 30_000_000_000
_LONGEST_INTERVAL_NS = 60_000_000_000


def interval_ns(options: ActivityOptions) -> int:
    """How long news of an attempt may wait for being written down."""
    timeout_ns = options.heartbeat_timeout_ns
    return _INTERVAL_NS if timeout_ns is None else min(timeout_ns * 4 // 5, _LONGEST_INTERVAL_NS)


class Heartbeats:
    """Writes down what attempts say; all but ``noticed`` is used on the dispatcher's thread only.

    Args:
        flights: the attempts that are under way.
    """

    __slots__ = ("_dispatcher", "_flights", "_retries", "_sweep", "_table")

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        retries: Retries,
        sweep: Sweep,
        table: AttemptTable,
        flights: Mapping[Key, Flight],
    ) -> None:
        self._dispatcher = dispatcher
        self._retries = retries
        self._sweep = sweep
        self._table = table
        self._flights = flights

    def noticed(self, task: Task, pulse: Pulse) -> None:
        """An attempt has news; called from its own thread, before that of its end."""
        # A runtime that has closed writes nothing more.
        with suppress(DispatcherClosedError):
            self._dispatcher.call_soon(self._take_up, task, pulse)

    def keep_all(self) -> None:
        """The runtime closes: write down what is not, for the next opening to go on from."""
        for flight in self._flights.values():
            if flight.last_details != flight.details:
                self._keep(flight)

    def ended(self, flight: Flight) -> None:
        """The attempt is over: what its code may still say counts no more."""
        pulse = flight.pulse
        if pulse is not None:
            flight.pulse = Pulse(pulse.at_ns, pulse.details, flight.details)
        if flight.news is not None:
            flight.news.cancel()

    def _take_up(self, task: Task, pulse: Pulse) -> None:
        flight = self._flights.get((task.run_no, task.item))
        # An attempt that was given up may still beat, when the next one is under way.
        if flight is not None and flight.task is task:
            flight.pulse = pulse
            self.look(flight)

    def look(self, flight: Flight) -> None:
        """Write down what is new of an attempt, now or when the time for it has come."""
        pulse = flight.pulse
        if pulse is None or self._flights.get(flight.key) is not flight:
            return
        if pulse.details == flight.details:
            pulse.is_noticed = False
            # What was said before that was seen is looked at here, what is said from now on calls again.
            if pulse.details == flight.details:
                return
            pulse.is_noticed = True
        now_ns = self._dispatcher.clock.now_ns()
        if now_ns >= flight.quiet_until_ns:
            self._keep(flight)
            flight.quiet_until_ns = now_ns + interval_ns(flight.command.options)
        if flight.news is not None:
            flight.news.cancel()
        flight.news = self._dispatcher.call_at(flight.quiet_until_ns, self.look, flight)

    def _keep(self, flight: Flight) -> None:
        before, flight.details = flight.details, flight.last_details
        if flight.pulse is not None:
            flight.pulse.kept = flight.details
        self._table.put(flight.key, row_of_beat(flight, self._table.get(flight.key)))
        self._sweep.undo(self._lost, flight, before)

    def _lost(self, flight: Flight, before: bytes, error: GreenroomError) -> None:
        """The disk does not have it: it is news again."""
        flight.details, flight.quiet_until_ns = before, 0
        if flight.pulse is not None:
            flight.pulse.kept = None
        self._retries.later(AGAIN_AFTER_NS, self.look, flight)
