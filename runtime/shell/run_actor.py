"""The life of a run's actor: born, awake, stopped, brought back, gone. What it does with its mail stands in
``workflow_actor``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...actors import Dispatcher, Future, Lane
from ..core.execution import Execution
from ..core.messages import WorkflowStarted, decode_message
from ..model.errors import GreenroomError, InternalError, RuntimeClosedError
from ..model.run_facts import change_facts, decode_facts
from .answers import refuse_all
from .begun_as import begun_as
from .bringing_back import BringingBack
from .closing import forget_start
from .delivery import Delivery, Question
from .headers import put_header
from .last_look import LastLook
from .mail_rows import put_row
from .mailed_actor import MailedActor
from .putting_away import put_away
from .run_state import RunState
from .skipping import skip
from .standing import Standing
from .suspending import pause, restart_later, suspend, tell_resumed
from .sweep import fail_if_pending
from .tools import Tools
from .writing import write_birth

if TYPE_CHECKING:
    from ..model.description import WorkflowExecutionDescription

__all__ = ["RunActor"]

HOLD_NS = 200_000_000
_NO_PAUSE = {
    Standing.DELAYED: "has not begun, and cannot be suspended",
    Standing.SUSPENDED: "is suspended already; resume() tries it again",
}

logger = logging.getLogger("greenroom")


class RunActor(MailedActor):
    """The actor of one run.

    Args:
        run: what is known of it.
        standing: NEW for a run whose first message is on its way, DORMANT for one that the journal has.
        tools: what the hands share.
    """

    def __init__(self, run: RunState, standing: Standing, tools: Tools, dispatcher: Dispatcher) -> None:
        super().__init__(run, standing, tools, dispatcher)
        self.execution: Execution | None = None
        self._back: BringingBack | None = None
        self._look: LastLook | None = None
        self._tries_again = False
        self._waits_to_go_on = False
        # Suspended on disk when it was brought to memory, and not tried again since.
        self._is_untried = False
        self._is_written = False

    @property
    def is_unborn(self) -> bool:
        """Whether the start of the run is neither on disk nor in the open sweep: there may never be such a run."""
        return self.standing is Standing.NEW and not self.run.is_stored and not self._is_written

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued for the run, and nothing will be done for it by itself."""
        waits = self._waits_to_go_on or self.standing is Standing.RESTARTING
        return not waits and not self.actor_inbox.is_scheduled and self.actor_inbox.empty()

    @property
    def is_coming_back(self) -> bool:
        """Whether the run is being brought back, or is about to be, though it was suspended."""
        return self._tries_again or self.standing is Standing.REPLAYING

    def describe(self, waiting_messages: int | None = None) -> WorkflowExecutionDescription:
        """How the run stands; ``waiting_messages`` is the number to be told, if another than its own."""
        # Few runs are ever described.
        from .describing import describe

        return describe(
            self.run,
            self._tools.attempts,
            self._tools.converter,
            self._tools.journal,
            execution=self.execution,
            rows=() if self._back is None else self._back.attempts,
            waiting_messages=self.waiting_messages if waiting_messages is None else waiting_messages,
            restarts=self._tools.supervisor.restarts(self.run.run_no),
        )

    # Birth and end.

    def be_written(self, start: WorkflowStarted) -> None:
        """Be born in the open sweep, with its first message on disk: another run wants it, or it begins later."""
        self._write_birth()
        self._tools.sweep.touched(self)
        if self.run.starts_ns is None:
            self.leave(start, self.run.header.started_ns)
        else:
            self.standing = Standing.DELAYED

    def be_known(self) -> None:
        """Be born in the open sweep, before the first turn: what another run says to it is on disk with it."""
        self._write_birth()
        self._tools.sweep.touched(self)
        mail = self.actor_inbox.take_mail()
        start = mail[0]
        assert isinstance(start, Delivery)
        start.seq = put_row(self._tools, self.run, start.message, self.run.header.started_ns)
        self.actor_inbox.put_back(mail)

    def be_copied(self) -> None:
        """Be born in the open sweep, with a history that another run has had, which is replayed once it is on disk."""
        self._write_birth()
        self._tools.sweep.touched(self)
        self._tools.sweep.after(self._try_again)

    def begin(self) -> None:
        """The time has come for a run whose start was delayed."""
        self.actor_inbox.put(Question(_begin, None), Lane.SYSTEM)

    def begin_delayed(self) -> None:
        """Take the first message, if it still waits; whatever came meanwhile comes behind it."""
        if self.standing is not Standing.DELAYED:
            return
        run = self.run
        start = decode_message(decode_facts(run.header.facts).delayed)
        put_header(self._tools.sweep, run, run.header._replace(facts=change_facts(run.header.facts, delayed=b"")))
        forget_start(self._tools, run)
        self.standing = Standing.NEW
        self.actor_inbox.put_back([Delivery(decode_message(data), seq=seq) for seq, data in run.rows.items()])
        # Not lasting: until it is taken the header has it, and the run begins again by that.
        self._decide(Delivery(start))

    def _decide(self, delivery: Delivery) -> None:
        """Have the code of the run take a message."""
        raise InternalError(f"{self} has no code")

    def started(self) -> WorkflowStarted:
        """The message that began the run.

        Raises:
            StorageError: the journal cannot be read.
        """
        if self.execution is not None:
            return self.execution.started
        started = begun_as(self._tools.journal, self.run)
        assert isinstance(started, WorkflowStarted)
        return started

    def _write_birth(self) -> None:
        write_birth(self._tools, self.run)
        self._tools.sweep.after(self._is_born)
        self._is_written = True

    def _be_born(self) -> None:
        if not self._is_written:
            self._write_birth()
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

    # Stopping, and going on.

    def _stop_here(self, error: BaseException, stopped_at: int = 0) -> None:
        """The run stops where the journal has it.

        Args:
            stopped_at: what it could not take, as the header says it.
        """
        self._stop_as(Standing.SUSPENDED)
        suspend(self._tools, self, error, stopped_at)

    def _restart_in(self, wait_ns: int, error: BaseException, stopped_at: int) -> None:
        """The run stops where the journal has it, and is tried again a little later."""
        self._stop_as(Standing.RESTARTING)
        restart_later(self._tools, self, error, stopped_at, wait_ns)
        dispatcher, clock = self.dispatcher, self._tools.clock
        self._tools.sweep.after(dispatcher.call_at, clock.now_ns() + wait_ns, self._restart)

    def _stop_as(self, standing: Standing) -> None:
        self._tools.sweep.touched(self)
        if self.standing is Standing.NEW and not self.run.is_stored:
            self._be_born()
        self.standing = standing
        self._put_away()

    def _restart(self) -> None:
        if self.standing is Standing.RESTARTING:
            self._try_again()

    def pause(self, reason: str, identity: str) -> None:
        """Make no progress until the run is resumed; what comes meanwhile is kept on disk.

        Args:
            reason: a line for people.
            identity: on whose behalf; empty for nobody's.

        Raises:
            ValueError: the run has not begun, or is suspended already.
        """
        if self.standing is not Standing.LIVE and self.standing is not Standing.RESTARTING:
            why = _NO_PAUSE.get(self.standing, f"is {self.standing.value}, and cannot be suspended")
            raise ValueError(f"{self} {why}")
        self._stop_as(Standing.SUSPENDED)
        pause(self._tools, self, reason, identity)

    def resume(self, identity: str = "") -> None:
        """Try a stopped run again from the journal, with the code that is registered now; wake one that is dormant.

        Args:
            identity: on whose behalf; empty for nobody's.
        """
        self._tools.supervisor.forget(self.run.run_no)
        run, sweep = self.run, self._tools.sweep
        if run.header.facts and decode_facts(run.header.facts).is_paused:
            sweep.touched(self)
            put_header(sweep, run, run.header._replace(facts=change_facts(run.header.facts, is_paused=False)))
            # From here on opening brings it back, as every run that is stopped: it may have activities under way.
            sweep.batch.set_active(run.run_no)
            tell_resumed(self._tools, self, identity)
        self._try_again()

    def recover(self) -> None:
        """The journal was opened: bring the run back, unless that has been seen to, or somebody has suspended it."""
        if self.standing is Standing.DORMANT or self._is_untried:
            if self.run.header.facts and decode_facts(self.run.header.facts).is_paused:
                return
            self._try_again()

    def skip(self, identity: str) -> None:
        """Try a stopped run again without the message that it stopped at.

        Args:
            identity: on whose behalf; empty for nobody's.

        Raises:
            ValueError: there is no such message.
        """
        if self.standing not in (Standing.SUSPENDED, Standing.RESTARTING):
            raise ValueError(f"{self} is not stopped: there is nothing to skip")
        self._tools.sweep.touched(self)
        skip(self._tools, self)
        self._tools.sweep.after(self.resume, identity)

    def _try_again(self) -> None:
        self._is_untried = False
        if self.standing in (Standing.SUSPENDED, Standing.RESTARTING):
            self.standing = Standing.DORMANT
        if self.standing is Standing.DORMANT:
            self._tries_again = True
            self.wake()

    def _begin_anew(self) -> None:
        """The code is not what a replay would make of it: it is brought back once the open sweep is on disk."""
        self.actor_inbox.hold(True, all_lanes=True)
        # Though the sweep may have no turn of this run: if it is lost, the run is rolled back, and so brought back.
        self._tools.sweep.touched(self)
        self._tools.sweep.after(self._come_back)

    def _come_back(self) -> None:
        self.evict()
        self.actor_inbox.hold(False)

    def _read_later(self, error: Exception) -> None:
        """The disk did not answer, which says nothing of the run."""
        logger.warning("%s cannot be read, which is tried again: %s", self, error)
        self._wait_to_go_on(all_lanes=True)

    def _wait_to_go_on(self, *, all_lanes: bool = False) -> None:
        """Know nothing of the run, and bring it back a little later; until then its mail waits."""
        self.standing = Standing.DORMANT
        self.run.clear_rows()
        self.run.forget()
        self._waits_to_go_on = True
        self.actor_inbox.hold(True, all_lanes=all_lanes)
        self._tools.retries.later(HOLD_NS, self._go_on)

    def _go_on(self) -> None:
        if self._waits_to_go_on:
            self._waits_to_go_on = False
            self.actor_inbox.hold(False)
            self.wake()

    # Out of memory.

    def evict(self) -> None:
        """Put an idle run away: the journal has all of it."""
        self._put_away()
        self.run.clear_rows()
        self.standing = Standing.DORMANT

    def leave_memory(self) -> None:
        """Put an idle run away, and this actor with it: another one is made when something is for the run."""
        self.evict()
        # The actor and its mailbox refer to each other, and would wait for the collector.
        self.actor_inbox.close()

    def abandon(self, reason: str, error: BaseException | None = None) -> None:
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

    def _put_away(self) -> None:
        execution, self.execution = self.execution, None
        if execution is not None:
            put_away(self._tools, self.dispatcher, self, execution)


def _begin(actor: RunActor) -> None:
    actor.begin_delayed()
