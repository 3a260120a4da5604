"""Owns one run: its mail, its execution, its turn. Restarting it means replaying it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from ...actors import Actor, Dispatcher, Future, Lane
from ...storage import StorageError
from ..core.bugs import WorkflowBugError
from ..core.execution import Execution
from ..core.handling import UpdateRejectedError
from ..core.messages import Message, RunTerminated, RunTimedOut, UpdateReceived
from ..model.description import WorkflowExecutionDescription
from ..model.errors import GreenroomError, InternalError, RuntimeClosedError
from ..model.options import WorkflowExecutionStatus
from .answers import answer, refuse, refuse_all
from .bringing_back import BringingBack, begin_execution
from .delivery import Delivery, Query, Question
from .describing import describe
from .effects import Tools, reject_update
from .encoding import encode_turn
from .journal_seam import is_passing
from .run_state import RunState
from .standing import Standing
from .suspending import suspend, tell_waiters
from .sweep import fail_if_pending
from .writing import acknowledge, keep_message, take_row, write_birth, write_turn, write_unread

__all__ = ["WorkflowActor"]

HOLD_NS = 200_000_000

logger = logging.getLogger("greenroom")


_ENDS = (RunTimedOut, RunTerminated)
_UNFINISHED = (
    "%s has ended (%s) while a handler was at work: %s; let handlers end first, with "
    "await workflow.wait_condition(workflow.all_handlers_finished), or declare the handler with "
    "unfinished_policy=HandlerUnfinishedPolicy.ABANDON"
)


class WorkflowActor(Actor):
    """The actor of one run.

    Args:
        run: what is known of it.
        standing: NEW for a run whose first message is on its way, DORMANT for one that the journal has.
        tools: what the hands share.
    """

    def __init__(self, run: RunState, standing: Standing, tools: Tools, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher=dispatcher)
        self.run = run
        self.standing = standing
        self.execution: Execution | None = None
        self._tools = tools
        self._back: BringingBack | None = None
        self._tries_again = False
        self._waits_to_go_on = False

    def __str__(self) -> str:
        return f"workflow {self.run.header.workflow_id!r} (run {self.run.header.run_id})"

    @property
    def is_open(self) -> bool:
        """Whether the run can still take messages."""
        return self.standing is not Standing.CLOSED

    @property
    def is_unborn(self) -> bool:
        """Whether the start of the run is neither on disk nor in the open sweep: there may never be such a run."""
        return self.standing is Standing.NEW and not self.run.is_stored

    @property
    def waiting_messages(self) -> int:
        """How many messages wait for the run.

        What waits on disk waits in memory too while the run is awake, so the two are not added up.
        """
        return max(len(self.actor_inbox), len(self.run.rows))

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued for the run, and nothing will be done for it by itself."""
        return not self._waits_to_go_on and not self.actor_inbox.is_scheduled and self.actor_inbox.empty()

    @property
    def is_coming_back(self) -> bool:
        """Whether the run is being brought back, or is about to be, though it was suspended."""
        return self._tries_again or self.standing is Standing.REPLAYING

    # Mail.

    def accept(self, delivery: Delivery) -> None:
        """Put a message behind the mail that is there; one that ends the run goes before it."""
        is_end = isinstance(delivery.message, _ENDS)
        # Nothing goes before the start of a run: without it there is nothing to end.
        self.actor_inbox.put(delivery, Lane.SYSTEM if is_end and self.standing is not Standing.NEW else Lane.MAIL)

    def accept_row(self, seq: int, message: Message) -> None:
        """A message for this run is on disk now. What is not awake finds it there when it wakes."""
        if self.dispatcher.is_closed:
            # The next opening takes it: runs that write to each other would never come to an end.
            return
        if self.standing is Standing.DORMANT:
            self.wake()
        elif seq in self.run.rows:
            self.actor_inbox.put(Delivery(message, seq=seq))

    def ask(self, question: Question | Query) -> None:
        """Put a question behind the mail that is there."""
        self.actor_inbox.put(question, Lane.QUERY)

    def describe(self) -> WorkflowExecutionDescription:
        """How the run stands."""
        return describe(
            self.run,
            self._tools.attempts,
            rows=() if self._back is None else self._back.attempts,
            waiting_messages=self.waiting_messages,
            buffered_signals=0 if self.execution is None else self.execution.unread_signals,
        )

    def wake(self) -> None:
        """Have a dormant run brought back though no mail has come."""
        if self.standing is Standing.DORMANT and not self.actor_inbox.is_scheduled:
            self.actor_inbox.put(Question(_nothing, None), Lane.SYSTEM)

    # Turns.

    def run_turn(self) -> bool:
        """Take one turn of the dispatcher."""
        if self.standing is Standing.LIVE:
            delivery = self.actor_inbox.take()
            if type(delivery) is Delivery:
                self._decide(delivery)
            elif delivery is not None:
                self._take(delivery)
            return False
        return self._TURNS[self.standing](self)

    def _turn_of_waiting(self) -> bool:
        """A turn of a run that need not be replayed first: new, suspended or closed."""
        delivery = self.actor_inbox.take()
        if delivery is not None:
            self._take(delivery)
        return False

    def _take(self, delivery: Any) -> None:
        if isinstance(delivery, Question):
            answer(self._tools.sweep, self, delivery)
        elif isinstance(delivery, Query):
            self._ask_code(delivery)
        elif self.standing is Standing.CLOSED:
            refuse(self._tools, self, self.run, delivery)
        elif self.standing is Standing.NEW and self.run.is_stored and isinstance(delivery.message, _ENDS):
            # It was suspended before anything was recorded, and is tried again: its start waits in the mail.
            self._end_without_code(delivery)
        elif self.standing is not Standing.SUSPENDED:
            self._decide(delivery)
        elif isinstance(delivery.message, _ENDS):
            self._end_without_code(delivery)
        else:
            self._tools.sweep.took_turn(self, delivery)
            keep_message(self._tools, self.run, delivery)

    def _ask_code(self, query: Query) -> None:
        """Have a query answered by the run's code as it stands now, or by its history if the code is not here."""
        execution = self.execution if self.standing is Standing.LIVE else None
        query.ask(query, self.run, execution)
        if execution is not None and execution.is_marred:
            # What a query may only read it has changed: the run must be what a replay makes of it.
            logger.error("%s is brought back anew: its query %r has changed what it may only read", self, query.name)
            self._begin_anew()

    def _begin_anew(self) -> None:
        """The code is not what a replay would make of it: it is brought back once the open sweep is on disk."""
        self.actor_inbox.hold(True, all_lanes=True)
        # Though the sweep may have no turn of this run: if it is lost, the run is rolled back, and so brought back.
        self._tools.sweep.touched(self)
        self._tools.sweep.after(self._come_back)

    def _come_back(self) -> None:
        self.evict()
        self.actor_inbox.hold(False)

    def _decide(self, delivery: Delivery) -> None:
        """Decide: the run's code takes the message. Then write, in the open sweep."""
        run, message, execution = self.run, delivery.message, self.execution
        if delivery.seq is not None and delivery.seq not in run.rows:
            # It was in memory when the run was brought back with the same message from the disk, and that was taken.
            return
        if run.is_stale(message):
            self._tools.sweep.took_turn(self, delivery)
            take_row(self._tools, run, delivery)
            acknowledge(self._tools, run, delivery)
            return
        clock_ns = self._tools.clock.now_ns()
        time_ns = clock_ns if clock_ns > run.last_ns else run.last_ns
        try:
            if execution is None:
                self.execution = execution = begin_execution(self._tools, message)
            if type(message) is UpdateReceived:
                execution.validate(message, time_ns)
            commands = execution.apply(message, time_ns)
            record = encode_turn(message, commands)
        except Exception as error:
            # The outermost step of an actor: whatever cannot be decided, a bug of ours included, stops this run alone.
            self._cannot_take(delivery, error)
            return
        self._tools.sweep.took_turn(self, delivery)
        try:
            if self.standing is Standing.NEW:
                self._be_born()
            write_turn(self._tools, self, delivery, record, commands, time_ns)
            if run.header.closed_ns is not None:
                write_unread(self._tools, run, execution.take_unread(), time_ns)
                for what in execution.unfinished_handlers():
                    self._tools.sweep.after(logger.warning, _UNFINISHED, self, run.status.name, what)
                self._leave()
        except Exception as error:
            # Half a turn stands in the batch: nothing of this sweep may reach the disk.
            self._tools.sweep.spoil(error)

    def _be_born(self) -> None:
        write_birth(self._tools, self.run)
        self._tools.sweep.after(self._is_born)
        self.standing = Standing.LIVE

    def _is_born(self) -> None:
        self.run.is_stored = True
        self._tools.directory.born(self)

    def _leave(self) -> None:
        """The run has ended: its code goes, and once that is on disk so does the actor."""
        self.standing = Standing.CLOSED
        # Whoever's mail is held back is told that the run has ended.
        self.actor_inbox.hold(False)
        self._put_away()
        self._tools.sweep.after(self._be_gone)

    def _be_gone(self) -> None:
        """There is nothing more to do with the run."""
        self._tools.directory.gone(self)
        if self.is_idle:
            # The actor and its mailbox refer to each other, and would wait for the collector.
            self.actor_inbox.close()

    def _end_without_code(self, delivery: Delivery) -> None:
        """End a run whose code cannot be asked."""
        run, tools = self.run, self._tools
        tools.sweep.took_turn(self, delivery)
        try:
            if not run.knows_its_end:
                run.go_to_end(tools.journal.last_turn(run.run_no))
            tools.attempts.forget_run(run.run_no, [] if self._back is None else self._back.attempts)
            time_ns = max(tools.clock.now_ns(), run.last_ns)
            if self.standing is Standing.NEW:
                self._be_born()
            write_turn(tools, self, delivery, encode_turn(delivery.message, []), [], time_ns)
            self._leave()
        except Exception as error:
            # As for a turn: what stands in the batch is not whole.
            tools.sweep.spoil(error)

    # Bringing back.

    def _turn_of_dormant(self) -> bool:
        """Read what the journal knows of the run."""
        back = BringingBack(self.run, self._tools)
        try:
            back.read()
        except (StorageError, InternalError) as error:
            if is_passing(error):
                self._read_later(error)
                return False
            self._stop_here(error)
            return True
        self._back = back
        if self.run.is_closed:
            self.standing = Standing.CLOSED
            self.actor_inbox.hold(False)
            self._tools.directory.gone(self)
        elif self.run.status is WorkflowExecutionStatus.SUSPENDED and not self._tries_again:
            self.run.is_active = True
            self.standing = Standing.SUSPENDED
            # They may have come while it was being tried again, in a sweep that was lost. The disk says so already.
            tell_waiters(self._tools, self)
        else:
            self.standing = Standing.REPLAYING
        self._tries_again = False
        return True

    def _turn_of_replaying(self) -> bool:
        """Replay one slice; the others have their turn in between."""
        back = self._back
        if back is None:
            raise InternalError(f"{self} is not being brought back")
        try:
            if not back.replay_slice():
                return True
            self.execution = back.execution
            if back.failed is not None:
                self.run.knows_its_end = True
                self._stop_here(back.failed)
            else:
                self._tools.sweep.touched(self)
                self.actor_inbox.put_back(back.take_up())
                self.standing = Standing.NEW if self.run.turn_no == 0 else Standing.LIVE
                self._back = None
        except Exception as error:
            # The outermost step of an actor, as in a turn that is live.
            self.execution = back.execution
            if is_passing(error):
                self._put_away()
                self._tries_again = True
                self._read_later(error)
                return False
            self._stop_here(error)
        return True

    # Stopping.

    def _cannot_take(self, delivery: Delivery, error: Exception) -> None:
        """The turn is discarded. An update is refused for it: one bad request must not stop the run."""
        message = delivery.message
        if not isinstance(message, UpdateReceived):
            self._suspend(error, delivery)
            return
        self._tools.sweep.took_turn(self, delivery)
        try:
            take_row(self._tools, self.run, delivery)
            reject_update(self._tools, self.run, delivery, message, _reason(error))
        except Exception as fault:
            # As for a turn: what stands in the batch is not whole.
            self._tools.sweep.spoil(fault)
        if self.execution is not None and (self.execution.is_marred or not isinstance(error, UpdateRejectedError)):
            logger.warning("%s refuses update %r, and is brought back as it was before it", self, message.name)
            self._begin_anew()

    def _suspend(self, error: BaseException, delivery: Delivery) -> None:
        """The code cannot take this message: the turn is discarded, the message is kept on disk, and the run stops."""
        self._tools.sweep.took_turn(self, delivery)
        try:
            self._stop_here(error)
            keep_message(self._tools, self.run, delivery)
        except Exception as fault:
            # As for a turn: what stands in the batch is not whole.
            self._tools.sweep.spoil(fault)

    def _stop_here(self, error: BaseException) -> None:
        """The run stops where the journal has it."""
        self._tools.sweep.touched(self)
        if self.standing is Standing.NEW and not self.run.is_stored:
            self._be_born()
        self.standing = Standing.SUSPENDED
        self._put_away()
        suspend(self._tools, self, error)

    def resume(self) -> None:
        """Try a suspended run again from the journal, with the code that is registered now; wake one that is
        dormant."""
        if self.standing is Standing.SUSPENDED:
            self.standing = Standing.DORMANT
        if self.standing is Standing.DORMANT:
            self._tries_again = True
            self.wake()

    def evict(self) -> None:
        """Put an idle run away: the journal has all of it."""
        self._put_away()
        self.run.rows.clear()
        self.standing = Standing.DORMANT

    def abandon(self, reason: str) -> None:
        """The dispatcher has ended before the mail could be taken."""
        self.standing = Standing.CLOSED
        refuse_all(self.actor_inbox.close(), RuntimeClosedError())
        self._tools.updating.fail_run(self.run.run_no, RuntimeClosedError())

    def close(self, error: GreenroomError) -> None:
        """Put the run away for good; whoever still waits to be heard by it is told ``error``."""
        self.evict()
        # It may stand in the run queue still, and must not go to the journal for its run.
        self.standing = Standing.CLOSED
        refuse_all(self.actor_inbox.close(), error)

    def roll_back(self, deliveries: list[Delivery], error: GreenroomError) -> None:
        """The turns could not be written: forget them. What tells of things that have happened is taken again, a
        little later."""
        self._put_away()
        again: list[Delivery] = []
        for delivery in deliveries:
            if isinstance(delivery.reply_to, Future):
                fail_if_pending(delivery.reply_to, error)
            elif delivery.is_lasting:
                again.append(delivery)
        if not self.run.is_stored:
            self.standing = Standing.CLOSED
            for future in self._tools.waiters.take(self.run.run_no):
                future.fail(error)
            refuse_all(self.actor_inbox.close(), error)
            self._tools.updating.fail_run(self.run.run_no, error)
            self._tools.directory.gone(self)
            return
        # One that was being tried again is tried again: whoever waits for it is told how that ends.
        self._tries_again = self.standing is not Standing.SUSPENDED
        self._wait_to_go_on()
        self.actor_inbox.put_back(again)

    def _read_later(self, error: Exception) -> None:
        """The disk did not answer, which says nothing of the run."""
        logger.warning("%s cannot be read, which is tried again: %s", self, error)
        self._wait_to_go_on(all_lanes=True)

    def _wait_to_go_on(self, *, all_lanes: bool = False) -> None:
        """Know nothing of the run, and bring it back a little later; until then its mail waits."""
        self.standing = Standing.DORMANT
        self.run.rows.clear()
        self.run.forget()
        self._waits_to_go_on = True
        self.actor_inbox.hold(True, all_lanes=all_lanes)
        self._tools.retries.later(HOLD_NS, self._go_on)

    def _go_on(self) -> None:
        if self._waits_to_go_on:
            self._waits_to_go_on = False
            self.actor_inbox.hold(False)
            self.wake()

    def _put_away(self) -> None:
        execution, self.execution = self.execution, None
        if execution is not None:
            for stubborn in execution.close():
                logger.warning("%s would not end when it was put away: %s", self, stubborn)

    _TURNS: ClassVar[dict[Standing, Callable[[WorkflowActor], bool]]] = {
        Standing.NEW: _turn_of_waiting,
        Standing.DORMANT: _turn_of_dormant,
        Standing.REPLAYING: _turn_of_replaying,
        Standing.SUSPENDED: _turn_of_waiting,
        Standing.CLOSED: _turn_of_waiting,
    }


def _nothing(actor: WorkflowActor) -> None:
    """To wake a run is all that is asked."""


def _reason(error: Exception) -> BaseException:
    """Why an update is refused: what user code has raised, if it has."""
    if isinstance(error, UpdateRejectedError):
        return error.reason
    return error.__cause__ if isinstance(error, WorkflowBugError) and error.__cause__ is not None else error
