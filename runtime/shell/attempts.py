"""The attempts of activities: begins them, judges how they ended, and waits between them.

A first attempt needs no row: a run that has activities stands among the active runs, and replaying it tells which. A
row is written for what a crash must not forget: that an attempt failed and when the next is due, what it said last,
and, with a finite number of attempts, that one has begun.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ...actors import Dispatcher
from ...storage import Attempt, DueKind, Journal
from ..core.commands import ScheduleActivity
from ..core.messages import Message
from ..model.activity_definition import ActivityDefinition
from ..model.activity_info import ActivityInfo
from ..model.cancellation import CANCEL_REQUESTED, NOT_FOUND, TIMED_OUT, ActivityCancellationDetails
from ..model.errors import ApplicationError, GreenroomError, TimeoutType
from ..model.failure_writing import to_failure
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from .attempt_rows import failure_in, scheduled_in
from .attempt_table import AttemptTable
from .flights import ActivityState, Flight, Key, Owner
from .heartbeats import Heartbeats
from .judging import Judge
from .performer import Outcome, Performer, Task
from .permits import Permits
from .retries import Retries
from .run_state import RunState
from .sweep import Sweep
from .timekeeper import Timekeeper
from .undeclared import Undeclared

__all__ = ["Attempts"]

logger = logging.getLogger("greenroom")


class Attempts:
    """Every activity that is under way or waits for its next attempt; used on the dispatcher's thread only.

    Args:
        deliver: gives a run the outcome of its activity.

    Attributes:
        activities: those that can be performed.
        heartbeats: where what attempts say is written down.
        permits: where those that are counted are written down as begun.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        retries: Retries,
        journal: Journal,
        sweep: Sweep,
        timekeeper: Timekeeper,
        performer: Performer,
        activities: Registry[ActivityDefinition],
        converter: PayloadConverter,
        deliver: Callable[[int, Message], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._journal = journal
        self._sweep = sweep
        self._timekeeper = timekeeper
        self._performer = performer
        self.activities = activities
        self._converter = converter
        self._flights: dict[Key, Flight] = {}
        # Those whose outcome is on its way to their run: they are over, though no history says so yet.
        self._over: set[Key] = set()
        self._table = table = AttemptTable(sweep, timekeeper)
        known: dict[str, Any] = {"dispatcher": dispatcher, "retries": retries, "sweep": sweep, "table": table}
        self.permits = Permits(**known, performer=performer, flights=self._flights)
        self.heartbeats = Heartbeats(**known, flights=self._flights)
        self._judge = Judge(**known, flights=self._flights, over=self._over, converter=converter, deliver=deliver)
        self._undeclared = Undeclared(dispatcher, self._expired)

    # What runs ask for.

    def begin(self, run: RunState, command: ScheduleActivity, scheduled_ns: int) -> None:
        """Begin the first attempt of an activity whose turn is on disk."""
        # A later turn of the same sweep may have taken it back.
        if command.id in run.activities:
            now_ns = self._dispatcher.clock.now_ns()
            self._perform(Flight(run.owner, command, scheduled_ns, 1, b"", now_ns))

    def recover(
        self,
        owner: Owner,
        command: ScheduleActivity,
        scheduled_ns: int,
        row: Attempt | None,
        *,
        is_cancelling: bool = False,
    ) -> None:
        """Go on with an activity that a replay found without an outcome; nothing happens if it is under way.

        Args:
            row: what the journal says of it, if anything.
            is_cancelling: whether it was asked to end; then nothing of it begins any more.
        """
        key = owner.run_no, command.id
        if key in self._flights or key in self._table or key in self._over or key in self._undeclared:
            return
        if row is not None:
            self._table.learn(key, row)
        if is_cancelling:
            unheard = "it was cancelled, and the process ended before it had answered; what it did is not known"
            self._judge.cancelled(self._flight(owner, command, scheduled_ns, row), unheard)
            return
        if row is not None and row.next_ns is not None:
            self._timekeeper.arm(owner.run_no, DueKind.ATTEMPT, command.id, row.next_ns)
            return
        flight = self._flight(owner, command, scheduled_ns, row)
        if row is None or not row.started:
            self._perform(flight)
            return
        lost = ApplicationError(
            f"the process ended while attempt {row.attempt} was under way; what it did is not known",
            type="AttemptLost",
        )
        self._judge.failed(flight, to_failure(lost, self._converter))

    def resume(self, run_no: int, item: int) -> None:
        """The wait of an activity is over: its next attempt begins."""
        key = run_no, item
        if key in self._flights or key in self._over or key in self._undeclared:
            return
        row = self._table.get(key) or self._read_row(key)
        if row is None:
            return
        header = self._journal.header(run_no)
        if header is None:
            return
        self._table.learn(key, row)
        command, scheduled_ns = scheduled_in(row)
        owner = Owner(run_no, header.workflow_id, header.run_id, header.workflow_type)
        self._perform(self._flight(owner, command, scheduled_ns, row))

    def cancel(self, run: RunState, item: int) -> None:
        """The run asks an activity to end, which is on disk, and waits for its answer: an attempt under way gives it,
        where there is none it is given here."""
        if item not in run.activities or (run.run_no, item) in self._over:
            return
        flight = self._flights.get((run.run_no, item))
        if flight is not None:
            flight.is_cancelling = True
            if self._performer.cancel(flight.attempt_key, CANCEL_REQUESTED):
                self._land(flight)
                self._judge.cancelled(flight, "it was cancelled before this attempt began")
            return
        flight = self._undeclared.take((run.run_no, item))
        if flight is None:
            flight = self._flight(run.owner, *run.activities[item], self._table.get((run.run_no, item)))
        self._judge.cancelled(flight, "it was cancelled while no attempt was under way")

    def forget(self, run_no: int, item: int, why: ActivityCancellationDetails) -> None:
        """The run no longer waits: the attempt under way is abandoned, what is on disk is dropped with the open
        sweep."""
        key = run_no, item
        flight = self._flights.get(key)
        if flight is not None:
            del self._flights[key]
            if flight.deadline is not None:
                flight.deadline.cancel()
            self._sweep.after(self._abandon, flight, why)
            self._sweep.undo(self._take_back, key, flight)
        elif (waiting := self._undeclared.take(key)) is not None:
            self._sweep.undo(self._undeclared.put_back, waiting)
        self.drop_row(run_no, item)

    def drop_row(self, run_no: int, item: int) -> None:
        """Drop what is on disk of an activity with the open sweep, if there is anything."""
        key = run_no, item
        if key in self._over:
            self._over.discard(key)
            self._sweep.undo(self._is_over_again, key)
        self._table.drop(key)

    def forget_run(self, run_no: int, rows: list[Attempt]) -> None:
        """A run has ended whose code could not be asked: forget whatever is under way for it, and the rows that the
        journal has."""
        for row in rows:
            self._table.learn((run_no, row.item), row)
        known = dict.fromkeys((*self._flights, *self._table, *self._undeclared))
        for key in [key for key in known if key[0] == run_no]:
            self.forget(run_no, key[1], NOT_FOUND)

    def state(self, run_no: int, item: int, read: Attempt | None = None) -> ActivityState:
        """Where an activity stands.

        Args:
            read: its row as somebody has read it, for one that nothing is known of here.
        """
        key = run_no, item
        flight = self._flights.get(key)
        row = self._table.get(key) or read
        if flight is not None:
            return ActivityState(
                flight.attempt,
                self._performer.started_at_ns(flight.attempt_key),
                None,
                failure_in(flight.last_failure),
            )
        if row is not None:
            return ActivityState(row.attempt, None, row.next_ns, failure_in(row.failure))
        return ActivityState(1, None, None, None)

    # One attempt.

    def _flight(self, owner: Owner, command: ScheduleActivity, scheduled_ns: int, row: Attempt | None) -> Flight:
        """The first attempt of an activity, or the one that its row tells of."""
        now_ns = self._dispatcher.clock.now_ns()
        if row is None:
            return Flight(owner, command, scheduled_ns, 1, b"", now_ns)
        return Flight(owner, command, scheduled_ns, row.attempt, row.failure, now_ns, row.details)

    def _perform(self, flight: Flight) -> None:
        command, scheduled_ns, now_ns, item = flight.command, flight.scheduled_ns, flight.handed_ns, flight.command.id
        owner = flight.owner
        definition = self.activities.find(command.name)
        if definition is None or definition.needs_instance:
            self._undeclared.put(flight, self.activities.names())
            return
        self._flights[owner.run_no, item] = flight
        options = command.options
        info = ActivityInfo(
            str(item),
            command.name,
            flight.attempt,
            owner.workflow_id,
            owner.run_id,
            owner.workflow_type,
            scheduled_ns,
            now_ns,
            now_ns,
            options,
        )
        permit = (
            self.permits.ask if options.retry_policy is not None and options.retry_policy.maximum_attempts else None
        )
        flight.task = Task(
            owner.run_no, item, definition, command.args, info, permit, flight.details, self.heartbeats.noticed
        )
        # Its time may be over before it begins: nobody may have had the journal for long.
        if flight.is_limited and not self._watch(flight):
            return
        self._performer.perform(flight.task)

    def ended(self, task: Task, outcome: Outcome) -> None:
        """An attempt that the performer had has ended."""
        flight = self._flights.get((task.run_no, task.item))
        # An attempt that was given up may still tell how it ended, when the next one is under way.
        if flight is None or flight.attempt != task.info.attempt:
            return
        self._land(flight)
        self._judge.ended(flight, outcome)

    def _land(self, flight: Flight) -> None:
        """An attempt is no longer under way."""
        del self._flights[flight.key]
        if flight.deadline is not None:
            flight.deadline.cancel()
        if flight.pulse is not None:
            self.heartbeats.ended(flight)

    def _abandon(self, flight: Flight, why: ActivityCancellationDetails) -> None:
        self.heartbeats.ended(flight)
        self._performer.abandon(flight.attempt_key, why)

    def _watch(self, flight: Flight) -> bool:
        """End an attempt whose time is over, or look again when it can be; gives whether it goes on."""
        if self._flights.get(flight.key) is not flight:
            return False
        # Its first heartbeat may be on its way here.
        flight.pulse = flight.pulse or self._performer.pulse(flight.attempt_key)
        now_ns = self._dispatcher.clock.now_ns()
        limits = flight.limits(self._performer.started_at_ns(flight.attempt_key), now_ns)
        if not limits:
            return True
        at_ns, limit = min(limits)
        if at_ns > now_ns:
            flight.deadline = self._dispatcher.call_at(at_ns, self._watch, flight)
            return True
        self._land(flight)
        self._abandon(flight, TIMED_OUT)
        self._judge.timed_out(flight, limit)
        return False

    def _expired(self, flight: Flight) -> None:
        """An activity that is not declared here has waited too long for somebody who declares it."""
        self._judge.timed_out(flight, TimeoutType.SCHEDULE_TO_CLOSE)

    # What was lost with a sweep, or is only on disk.

    def _read_row(self, key: Key) -> Attempt | None:
        return next((row for row in self._journal.attempts(key[0]) if row.item == key[1]), None)

    def _is_over_again(self, key: Key, error: GreenroomError) -> None:
        self._over.add(key)

    def _take_back(self, key: Key, flight: Flight, error: GreenroomError) -> None:
        if self._flights.setdefault(key, flight) is not flight:
            return
        # It may have begun to beat meanwhile, when nothing was known of it here.
        flight.pulse = self._performer.pulse(flight.attempt_key) or flight.pulse
        # Once the runs have been rolled back: its time may be over, and they must be able to hear so.
        if flight.is_limited:
            self._dispatcher.call_soon(self._watch, flight)
        if flight.pulse is not None:
            self._dispatcher.call_soon(self.heartbeats.look, flight)
