"""Judges attempts that have ended: another one after a wait, or an outcome for the run."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...actors import Dispatcher
from ...storage import Attempt
from ..core.messages import ActivityCompleted, ActivityFailed, Message
from ..model.errors import (
    ApplicationErrorCategory,
    CancelledError,
    GreenroomError,
    JournalCorruptError,
    JournalFormatError,
    RetryState,
    TimeoutError,
    TimeoutType,
)
from ..model.failure_writing import to_failure
from ..model.failures import Failure, FailureKind
from ..model.payload_converter import PayloadConverter
from ..model.retry import Retry, RetryPolicy, decide
from .attempt_rows import row_of_next, row_of_wait
from .attempt_table import AttemptTable
from .flights import Flight, Key
from .retries import AGAIN_AFTER_NS, Retries
from .sweep import Sweep
from .task import Completed, Failed, NeverBegan, Outcome

__all__ = ["Judge"]

logger = logging.getLogger("greenroom")


class Judge:
    """Decides what follows an attempt; used on the dispatcher's thread only.

    Args:
        flights: the attempts that are under way.
        over: the activities whose outcome is on its way to their run.
        deliver: gives a run the outcome of its activity.
    """

    __slots__ = ("_converter", "_deliver", "_dispatcher", "_flights", "_over", "_retries", "_sweep", "_table")

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        retries: Retries,
        sweep: Sweep,
        table: AttemptTable,
        flights: dict[Key, Flight],
        over: set[Key],
        converter: PayloadConverter,
        deliver: Callable[[int, Message], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._retries = retries
        self._sweep = sweep
        self._table = table
        self._flights = flights
        self._over = over
        self._converter = converter
        self._deliver = deliver

    def ended(self, flight: Flight, outcome: Outcome) -> None:
        """An attempt has ended, and is no longer under way."""
        if isinstance(outcome, Completed):
            item = flight.command.id
            self._over.add(flight.key)
            self._tell(flight.owner.run_no, ActivityCompleted(item, outcome.result, flight.attempt))
        elif isinstance(outcome, Failed):
            self.failed(flight, outcome.failure)
        else:
            self._begin_later(flight)

    def cancelled(self, flight: Flight, why: str) -> None:
        """An activity was asked to end, and no attempt of it is under way that could answer."""
        self.finish(flight, to_failure(CancelledError(why), self._converter), RetryState.CANCEL_REQUESTED)

    def timed_out(self, flight: Flight, limit: TimeoutType) -> None:
        """The time of an attempt is over, and it is no longer under way."""
        failure = to_failure(TimeoutError(type=limit), self._converter)
        self.failed(flight, failure.with_details(flight.last_details))

    def failed(self, flight: Flight, failure: Failure) -> None:
        """Another attempt, or the end of it."""
        if flight.is_cancelling:
            self.finish(flight, failure, RetryState.CANCEL_REQUESTED)
            return
        now_ns = self._dispatcher.clock.now_ns()
        options = flight.command.options
        verdict = decide(
            options.retry_policy or _DEFAULT_POLICY,
            flight.attempt,
            failure,
            now_ns - flight.scheduled_ns,
            options.schedule_to_close_timeout_ns,
            f"{flight.owner.run_id} {flight.command.id}",
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
            self.finish(flight, failure, verdict.retry_state)

    def finish(self, flight: Flight, failure: Failure, retry_state: RetryState) -> None:
        """An activity has failed for good."""
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

    def _begin_later(self, flight: Flight) -> None:
        """An attempt was taken away before it began: it counts for nothing."""
        if flight.is_cancelling:
            self.cancelled(flight, "it was cancelled before this attempt began")
            return
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
        self._retries.later(AGAIN_AFTER_NS, self._ended_again, flight, outcome)

    def _ended_again(self, flight: Flight, outcome: Failed | NeverBegan) -> None:
        # It may have been forgotten meanwhile.
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
            self.ended(flight, outcome)


_DEFAULT_POLICY = RetryPolicy()
