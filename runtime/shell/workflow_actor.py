"""Owns one run: its mail, its execution, its turn. Restarting it means replaying it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from ...actors import Lane, TurnExceeded
from ...storage import StorageError
from ..core.bugs import beneath
from ..core.handling import UpdateRejectedError
from ..core.messages import RunReset, SignalReceived, UpdateReceived, WorkflowStarted, decode_message
from ..model.errors import InternalError, NotRegisteredError, TurnDeadlineError
from ..model.options import WorkflowExecutionStatus
from ..model.run_facts import decode_facts
from ..model.texts import text_of
from .answers import answer, refuse
from .bringing_back import BringingBack, begin_execution
from .dead_letters import UNSURE, keep_unread
from .delivery import Delivery, Query, Question
from .encoding import encode_turn
from .journal_seam import is_passing
from .last_look import LastLook, told_with_start
from .mailed_actor import ENDS
from .outcomes import Refusal
from .overdue import LEFT_BEHIND, overdue
from .query_failures import query_failure
from .relatives import find_children
from .run_actor import RunActor
from .standing import Standing
from .succession import carry_over, pass_on
from .suspending import tell_waiters
from .update_outcomes import reject_update
from .writing import acknowledge, keep_message, take_row, write_turn

__all__ = ["WorkflowActor"]

logger = logging.getLogger("greenroom")

# Python 3.11 calls a function to find a member by its class, and these two are asked for in every turn.
_LIVE, _NEW = Standing.LIVE, Standing.NEW
_STOPPED = (Standing.SUSPENDED, Standing.RESTARTING)
_KEEPING = (*_STOPPED, Standing.DELAYED)
# What a client sends to a run that begins later does not wait for that.
_BEGIN = (SignalReceived, UpdateReceived)
_UNFINISHED = (
    "%s has ended (%s) while a handler was at work: %s; let handlers end first, with "
    "await workflow.wait_condition(workflow.all_handlers_finished), or declare the handler with "
    "unfinished_policy=HandlerUnfinishedPolicy.ABANDON"
)


class WorkflowActor(RunActor):
    """The actor of one run, with what it does in its turns."""

    def run_turn(self) -> bool:
        """Take one turn of the dispatcher."""
        if self.standing is _LIVE:
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
            if not (self.run.header.facts and pass_on(self._tools, self.run, delivery)):
                refuse(self._tools, self, self.run, delivery)
        elif self.standing is Standing.NEW and self.run.is_stored and isinstance(delivery.message, ENDS):
            # It was suspended before anything was recorded, and is tried again: its start waits in the mail.
            self.end_without_code(delivery)
        elif self.standing not in _KEEPING:
            self._decide(delivery)
        elif isinstance(delivery.message, ENDS):
            self.end_without_code(delivery)
        elif self.standing is Standing.DELAYED and isinstance(delivery.message, _BEGIN) and self._may_begin():
            self.actor_inbox.put_back([delivery])
            self.begin_delayed()
        else:
            update = delivery.message
            if isinstance(update, UpdateReceived):
                if self._is_turned_away(delivery, update):
                    return
                self._tools.updating.arrived(self.run, delivery, update)
            self._tools.sweep.took_turn(self, delivery)
            keep_message(self._tools, self.run, delivery)

    def _is_turned_away(self, delivery: Delivery, update: UpdateReceived) -> bool:
        """Whether the run has no room for an update; for one that waits on disk there was."""
        refusal = None if delivery.seq is not None else self._tools.update_limits.refusal(self.run, update)
        if refusal is not None:
            self._tools.updating.turn_away(self.run, delivery, update, refusal)
        return refusal is not None

    def _may_begin(self) -> bool:
        """Whether mail ends the delay of the start: it does, but for the wait before a run is repeated or goes on."""
        start = decode_message(decode_facts(self.run.header.facts).delayed)
        return isinstance(start, WorkflowStarted) and not (start.origin and start.origin.continued_run_id)

    def _ask_code(self, query: Query) -> None:
        """Have a query answered by the run's code as it stands now, or by its history if the code is not here."""
        execution = self.execution if self.standing is Standing.LIVE else None
        query.ask(query, self.run, execution, self)
        if execution is not None and execution.is_marred:
            # What a query may only read it has changed: the run must be what a replay makes of it.
            logger.error("%s is brought back anew: its query %r has changed what it may only read", self, query.name)
            self._begin_anew()

    def _decide(self, delivery: Delivery) -> None:
        """Decide: the run's code takes the message. Then write, in the open sweep."""
        run, tools, message, execution = self.run, self._tools, delivery.message, self.execution
        update = message if type(message) is UpdateReceived else None
        if delivery.seq is not None and delivery.seq not in run.rows:
            # It was in memory when the run was brought back with the same message from the disk, and that was taken.
            return
        if update is not None:
            if self._is_turned_away(delivery, update):
                return
            tools.updating.arrived(run, delivery, update)
            message = delivery.message = update = tools.update_limits.marked(run, update)
        if run.is_stale(message):
            tools.sweep.took_turn(self, delivery)
            take_row(tools, run, delivery)
            acknowledge(tools, run, delivery)
            return
        clock_ns = tools.clock.now_ns()
        time_ns = clock_ns if clock_ns > run.last_ns else run.last_ns
        deadline = tools.deadline
        try:
            if execution is None:
                self.execution = execution = begin_execution(tools, message)
            deadline.begin(self, delivery)
            try:
                if update is not None:
                    execution.validate(update, time_ns)
                commands = execution.apply(message, time_ns)
            finally:
                deadline.end()
            told, asked = record = encode_turn(message, commands)
            execution.history_size += len(told) + len(asked)
        except TurnExceeded as error:
            self._cannot_take(delivery, overdue(deadline, error, tools.turn_seconds))
            return
        except Exception as error:
            # The outermost step of an actor: whatever cannot be decided, a bug of ours included, stops this run alone.
            self._cannot_take(delivery, error)
            return
        tools.sweep.took_turn(self, delivery)
        try:
            if self.standing is _NEW:
                self._be_born()
            write_turn(tools, self, delivery, record, commands, time_ns)
            if run.header.closed_ns is not None:
                self._give_up_mail(execution.take_unread(), time_ns)
                for what in execution.unfinished_handlers():
                    tools.sweep.after(logger.warning, _UNFINISHED, self, run.status.name, what)
                for name, failure in execution.unseen_failures():
                    tools.sweep.after(_tell_unseen, str(self), name, failure)
                self._leave()
        except Exception as error:
            # Half a turn stands in the batch: nothing of this sweep may reach the disk.
            tools.sweep.spoil(error)

    def _give_up_mail(self, unread: list[SignalReceived], time_ns: int) -> None:
        """The run has ended: the run that goes on gets what it was sent, and dead letters are made where none does."""
        run, tools = self.run, self._tools
        if run.header.facts:
            unread = carry_over(tools, run, self.actor_inbox, unread, time_ns)
        if unread:
            keep_unread(tools, run, unread, time_ns)

    def _cannot_take(self, delivery: Delivery, error: Exception) -> None:
        """The turn is discarded. An update is refused for it: one bad request must not stop the run."""
        message = delivery.message
        if not isinstance(message, UpdateReceived):
            self._suspend(error, delivery)
            return
        reason, refusal = _reason(error)
        self._tools.sweep.took_turn(self, delivery)
        try:
            take_row(self._tools, self.run, delivery)
            reject_update(self._tools, self.run, delivery, message, reason, refusal)
        except Exception as fault:
            # As for a turn: what stands in the batch is not whole.
            self._tools.sweep.spoil(fault)
        execution = self.execution
        if execution is None or execution.is_marred or not isinstance(error, UpdateRejectedError):
            # What it was refused for is told to who has asked, and may be a bug that its author should see.
            told = "%s refuses update %r, and is brought back as it was before it: %s"
            logger.warning(told, self, message.name, text_of(reason), exc_info=reason)
            self._begin_anew()

    def cut(self, what: object) -> None:
        """The code is to come to its end; called on the watchdog's thread."""
        execution = what.execution if isinstance(what, BringingBack) else self.execution
        if execution is not None:
            execution.cut()

    def stuck(self, what: object, error: TurnDeadlineError) -> None:
        """The code of the run is blocked for good, on a thread that was left behind, and is never touched again."""
        LEFT_BEHIND.append(what.execution if isinstance(what, BringingBack) else self.execution)
        self.execution = None
        if isinstance(what, Query):
            self._tools.sweep.refuse(what.future, query_failure(what, self.run.header, error, self._tools.converter))
            self._begin_anew()
        elif isinstance(what, Delivery):
            self._cannot_take(what, error)
        elif self._look is not None:
            self._look.stuck(error)
        elif self._back is not None:
            self._back.execution = None
            self._stop_here(error)

    def _suspend(self, error: BaseException, delivery: Delivery) -> None:
        """The code cannot take this message: the turn is discarded and the message kept on disk; the run is restarted,
        or stops."""
        self._tools.sweep.took_turn(self, delivery)
        try:
            # One that holds up all others gets no other chance to; what is not declared is not a moment later either.
            is_hopeless = isinstance(error, TurnDeadlineError) or isinstance(beneath(error), NotRegisteredError)
            wait_ns = None if is_hopeless else self._tools.supervisor.restart_in(self.run.run_no)
            stopped_at = keep_message(self._tools, self.run, delivery)
            if wait_ns is None:
                self._stop_here(error, stopped_at)
            else:
                self._restart_in(wait_ns, error, stopped_at)
        except Exception as fault:
            # As for a turn: what stands in the batch is not whole.
            self._tools.sweep.spoil(fault)

    def end_without_code(self, delivery: Delivery) -> None:
        """End a run whose code cannot be asked."""
        run, tools, look = self.run, self._tools, self._look
        # Of one that is reset all signals are taken up again, read or not.
        is_reset = isinstance(delivery.message, RunReset)
        if look is None and self.standing in _STOPPED and not is_reset:
            self._look_first(delivery)
            return
        self._look = None
        tools.sweep.took_turn(self, delivery)
        try:
            unread = [] if is_reset else told_with_start(run) + ([] if look is None else look.unread)
            if not run.knows_its_end:
                find_children(tools, run)
                run.go_to_end(tools.journal.last_turn(run.run_no))
            tools.attempts.forget_run(run.run_no, [] if self._back is None else self._back.attempts)
            time_ns = max(tools.clock.now_ns(), run.last_ns)
            if self.standing is Standing.NEW:
                self._be_born()
            write_turn(tools, self, delivery, encode_turn(delivery.message, []), [], time_ns)
            self._give_up_mail(unread, time_ns)
            if look is not None:
                keep_unread(tools, run, look.unsure, time_ns, UNSURE)
            self._leave()
        except Exception as error:
            # As for a turn: what stands in the batch is not whole.
            tools.sweep.spoil(error)

    def _look_first(self, delivery: Delivery) -> None:
        """Before the run ends, look for what it had not read, once all of its history is on disk."""
        self.actor_inbox.put(delivery, Lane.SYSTEM)
        self.actor_inbox.hold(True, all_lanes=True)
        # If the open sweep is lost, the run is rolled back, and so ended later.
        self._tools.sweep.touched(self)
        self._tools.sweep.after(self._look_now)

    def _look_now(self) -> None:
        if self.standing in _STOPPED:
            self._look = LastLook(self.run, self.standing, self._tools, self.dispatcher)
            self.standing = Standing.ENDING
        self.actor_inbox.hold(False)

    def _turn_of_ending(self) -> bool:
        look = self._look
        if look is None:
            raise InternalError(f"{self} is not looked at")
        try:
            if look.go_on(self):
                self.standing = look.standing
        except StorageError as error:
            self._look = None
            self._read_later(error)
            return False
        return True

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
            self.run.is_active = self._is_untried = True
            self.standing = Standing.SUSPENDED
            # They may have come while it was being tried again, in a sweep that was lost. The disk says so already.
            tell_waiters(self._tools, self)
            self._take_ends()
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
            if not back.replay_slice(self):
                return True
            self.execution = back.execution
            if back.failed is not None:
                self.run.knows_its_end = True
                self._stop_here(back.failed)
            else:
                self._tools.sweep.touched(self)
                mail = back.take_up()
                self._back = None
                if self.run.starts_ns is not None:
                    self._wait_for_start(mail)
                    return True
                self.actor_inbox.put_back(mail)
                self.standing = Standing.NEW if self.run.turn_no == 0 else Standing.LIVE
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

    def _take_ends(self) -> None:
        """The code takes nothing, but what ends a run without it may have come while the run was not in memory."""
        for seq, data in self.run.rows.items():
            message = decode_message(data)
            if isinstance(message, ENDS):
                self.accept(Delivery(message, seq=seq))

    def _wait_for_start(self, mail: list[Delivery]) -> None:
        """The run has been brought back and has not begun: it does if it is time, or if its mail says so."""
        self.standing = Standing.DELAYED
        if self.run.starts_ns is not None and self.run.starts_ns <= self._tools.clock.now_ns():
            self.begin_delayed()
        else:
            self.actor_inbox.put_back(mail)

    _TURNS: ClassVar[dict[Standing, Callable[[WorkflowActor], bool]]] = {
        Standing.NEW: _turn_of_waiting,
        Standing.DELAYED: _turn_of_waiting,
        Standing.DORMANT: _turn_of_dormant,
        Standing.REPLAYING: _turn_of_replaying,
        Standing.SUSPENDED: _turn_of_waiting,
        Standing.RESTARTING: _turn_of_waiting,
        Standing.ENDING: _turn_of_ending,
        Standing.CLOSED: _turn_of_waiting,
    }


def _tell_unseen(run: str, task: str, error: BaseException) -> None:
    message = "%s has ended, and nothing had awaited its task %r, which failed: %r; await what a workflow begins"
    logger.error(message, run, task, error, exc_info=error)


def _reason(error: Exception) -> tuple[BaseException, Refusal]:
    """Why an update is refused: what user code has raised, if it has; and whether it meant to."""
    if isinstance(error, UpdateRejectedError):
        return error.reason, Refusal.BUG if error.is_bug else Refusal.REJECTED
    return beneath(error), Refusal.BUG
