"""The attempts of activities: begins them, judges how they ended, and waits between them.

A first attempt needs no row: a run that has activities stands among the active runs, and replaying it tells which. A
row is written for what a crash must not forget: that an attempt failed and when the next is due, and, with a finite
number of attempts, that one has begun.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...actors import Dispatcher
from ...storage import Attempt, DueKind, Journal
from ..core.commands import ScheduleActivity
from ..core.messages import ActivityCompleted, ActivityFailed, Message
from ..model.activity_definition import ActivityDefinition
from ..model.activity_info import ActivityInfo
from ..model.errors import (
    ApplicationError,
    ApplicationErrorCategory,
    GreenroomError,
    JournalCorruptError,
    JournalFormatError,
    NotRegisteredError,
    RetryState,
    TimeoutError,
    TimeoutType,
)
from ..model.failures import Failure, FailureKind, to_failure
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from ..model.retry import Retry, RetryPolicy, decide
from .attempt_rows import failure_in, row_of_next, row_of_wait, scheduled_in
from .attempt_table import AttemptTable
from .flights import ActivityState, Flight, Key, Owner
from .performer import Completed, Failed, NeverBegan, Outcome, Performer, Task
from .permits import Permits
from .retries import AGAIN_AFTER_NS, Retries
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
        self._retries = retries
        self._journal = journal
        self._sweep = sweep
        self._timekeeper = timekeeper
        self._performer = performer
        self.activities = activities
        self._converter = converter
        self._deliver = deliver
        self._flights: dict[Key, Flight] = {}
        self._table = AttemptTable(sweep, timekeeper)
        self.permits = Permits(
            dispatcher=dispatcher,
            retries=retries,
            sweep=sweep,
            performer=performer,
            table=self._table,
            flights=self._flights,
        )
        self._undeclared = Undeclared(dispatcher, self._expired)
        # Those whose outcome is on its way to their run: they are over, though no history says so yet.
        self._over: set[Key] = set()

    # What runs ask for.

    def begin(self, run: RunState, command: ScheduleActivity, scheduled_ns: int) -> None:
        """Begin the first attempt of an activity whose turn is on disk."""
        # A later turn of the same sweep may have taken it back.
        if command.id in run.activities:
            self._perform(run.owner, command, scheduled_ns, 1, b"", is_new=True)

    def recover(self, owner: Owner, command: ScheduleActivity, scheduled_ns: int, row: Attempt | None) -> None:
        """Go on with an activity that a replay found without an outcome; nothing happens if it is under way.

        Args:
            row: what the journal says of it, if anything.
        """
        key = owner.run_no, command.id
        if key in self._flights or key in self._table or key in self._over or key in self._undeclared:
            return
        if row is None:
            self._perform(owner, command, scheduled_ns, 1, b"")
            return
        self._table.learn(key, row)
        if row.next_ns is not None:
            self._timekeeper.arm(owner.run_no, DueKind.ATTEMPT, command.id, row.next_ns)
        else:
            flight = Flight(owner, command, scheduled_ns, row.attempt, row.failure, self._dispatcher.clock.now_ns())
            lost = ApplicationError(
                f"the process ended while attempt {row.attempt} was under way; what it did is not known",
                type="AttemptLost",
            )
            self._judge(flight, to_failure(lost, self._converter))

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
        self._perform(owner, command, scheduled_ns, row.attempt, row.failure)

    def forget(self, run_no: int, item: int) -> None:
        """The run no longer waits: the attempt under way is abandoned, what is on disk is dropped with the open
        sweep."""
        key = run_no, item
        flight = self._flights.pop(key, None)
        if flight is not None:
            if flight.deadline is not None:
                flight.deadline.cancel()
            self._sweep.after(self._performer.abandon, flight.attempt_key)
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
            self.forget(*key)

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

    def _perform(
        self,
        owner: Owner,
        command: ScheduleActivity,
        scheduled_ns: int,
        attempt: int,
        last_failure: bytes,
        *,
        is_new: bool = False,
    ) -> None:
        now_ns = self._dispatcher.clock.now_ns()
        flight = Flight(owner, command, scheduled_ns, attempt, last_failure, now_ns)
        run_no, workflow_id, run_id, workflow_type = owner
        item = command.id
        definition = self.activities.find(command.name)
        if definition is None or definition.needs_instance:
            if is_new:
                missing = NotRegisteredError("activity", command.name, self.activities.names())
                self._finish(flight, to_failure(missing, self._converter), RetryState.NON_RETRYABLE_FAILURE)
            else:
                self._undeclared.put(flight, self.activities.names())
            return
        self._flights[run_no, item] = flight
        options = command.options
        info = ActivityInfo(
            str(item), command.name, attempt, workflow_id, run_id, workflow_type, scheduled_ns, now_ns, now_ns, options
        )
        permit = (
            self.permits.ask if options.retry_policy is not None and options.retry_policy.maximum_attempts else None
        )
        flight.task = Task(run_no, item, definition, command.args, info, permit)
        self._performer.perform(flight.task)
        if flight.is_limited:
            self._watch(flight)

    def ended(self, task: Task, outcome: Outcome) -> None:
        """An attempt that the performer had has ended."""
        self._ended(task.run_no, task.item, task.info.attempt, outcome)

    def _ended(self, run_no: int, item: int, attempt: int, outcome: Outcome) -> None:
        key = run_no, item
        flight = self._flights.get(key)
        # An attempt that was given up may still tell how it ended, when the next one is under way.
        if flight is None or flight.attempt != attempt:
            return
        del self._flights[key]
        if flight.deadline is not None:
            flight.deadline.cancel()
        if isinstance(outcome, Completed):
            self._over.add(key)
            self._tell(run_no, ActivityCompleted(item, outcome.result, attempt))
        elif isinstance(outcome, Failed):
            self._judge(flight, outcome.failure)
        else:
            self._begin_later(flight)

    def _tell(self, run_no: int, message: Message) -> None:
        """Give a run an outcome; if the disk does not say where the run is, a little later."""
        try:
            self._deliver(run_no, message)
        except (JournalCorruptError, JournalFormatError) as error:
            # One damaged run stops that run.
            logger.error("run %d cannot be told how its activity ended: %s", run_no, error)
        except GreenroomError as error:
            logger.warning("run %d cannot be told how its activity ended, which is tried again: %s", run_no, error)
            self._retries.later(AGAIN_AFTER_NS, self._tell, run_no, message)

    def _judge(self, flight: Flight, failure: Failure) -> None:
        """Another attempt, or the end of it."""
        now_ns = self._dispatcher.clock.now_ns()
        options = flight.command.options
        verdict = decide(
            options.retry_policy or _DEFAULT_POLICY,
            flight.attempt,
            failure,
            now_ns - flight.scheduled_ns,
            options.schedule_to_close_timeout_ns,
        )
        is_benign = failure.category == ApplicationErrorCategory.BENIGN
        logger.log(
            logging.DEBUG if is_benign else logging.WARNING,
            "activity %r of workflow %r failed at attempt %d: %s; %s",
            flight.command.name,
            flight.owner.workflow_id,
            flight.attempt,
            failure.headline,
            f"the next is in {verdict.delay_ns / 1e9:g} s" if isinstance(verdict, Retry) else "it was the last",
        )
        if failure.stack:
            logger.debug(
                "where activity %r failed at attempt %d:\n%s", flight.command.name, flight.attempt, failure.stack
            )
        if isinstance(verdict, Retry):
            self._put_off(flight, Failed(failure), row_of_wait(flight, failure, now_ns + verdict.delay_ns))
        else:
            self._finish(flight, failure, verdict.retry_state)

    def _begin_later(self, flight: Flight) -> None:
        """An attempt was taken away before it began: it counts for nothing."""
        logger.warning(
            "activity %r of workflow %r was cancelled by the application before attempt %d began; it begins in 1 s",
            flight.command.name,
            flight.owner.workflow_id,
            flight.attempt,
        )
        next_ns = self._dispatcher.clock.now_ns() + AGAIN_AFTER_NS
        self._put_off(flight, NeverBegan(), row_of_next(flight, next_ns))

    def _put_off(self, flight: Flight, outcome: Failed | NeverBegan, row: Attempt) -> None:
        """An attempt is over, and the next one is in the row."""
        self._table.put(flight.key, row)
        self._sweep.undo(self._put_off_again, flight, outcome)

    def _put_off_again(self, flight: Flight, outcome: Failed | NeverBegan, error: GreenroomError) -> None:
        """The row could not be written: the attempt is over all the same, so judge it again a little later."""
        self._flights[flight.key] = flight
        self._retries.later(AGAIN_AFTER_NS, self._ended, *flight.key, flight.attempt, outcome)

    def _finish(self, flight: Flight, failure: Failure, retry_state: RetryState) -> None:
        item = flight.command.id
        facts: dict[str, str | int | None] = {
            "activity_type": flight.command.name,
            "activity_id": str(item),
            "attempt": flight.attempt,
            "retry_state": int(retry_state),
        }
        whole = Failure(FailureKind.ACTIVITY, "activity failed", cause=failure, facts=facts)
        self._over.add(flight.key)
        self._tell(flight.owner.run_no, ActivityFailed(item, whole, flight.attempt))

    def _watch(self, flight: Flight) -> None:
        """End an attempt whose time is over, or look again when it can be."""
        if self._flights.get(flight.key) is not flight:
            return
        now_ns = self._dispatcher.clock.now_ns()
        limits = flight.limits(self._performer.started_at_ns(flight.attempt_key), now_ns)
        if not limits:
            return
        at_ns, limit = min(limits)
        if at_ns > now_ns:
            flight.deadline = self._dispatcher.call_at(at_ns, self._watch, flight)
            return
        del self._flights[flight.key]
        self._performer.abandon(flight.attempt_key)
        self._judge(flight, to_failure(TimeoutError(type=limit), self._converter))

    def _expired(self, flight: Flight) -> None:
        """An activity that is not declared here has waited too long for somebody who declares it."""
        self._judge(flight, to_failure(TimeoutError(type=TimeoutType.SCHEDULE_TO_CLOSE), self._converter))

    # What was lost with a sweep, or is only on disk.

    def _read_row(self, key: Key) -> Attempt | None:
        return next((row for row in self._journal.attempts(key[0]) if row.item == key[1]), None)

    def _is_over_again(self, key: Key, error: GreenroomError) -> None:
        self._over.add(key)

    def _take_back(self, key: Key, flight: Flight, error: GreenroomError) -> None:
        if self._flights.setdefault(key, flight) is flight and flight.is_limited:
            # Once the runs have been rolled back: its time may be over, and they must be able to hear so.
            self._dispatcher.call_soon(self._watch, flight)


_DEFAULT_POLICY = RetryPolicy()
