"""All the hands of one open journal, put together: what is built here knows each other from here on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ...actors import Clock, Dispatcher, DispatcherClosedError, Future, Lane, TurnDeadline
from ...storage import CorruptError, Due, DueKind, Journal, RunHeader
from ..core.execution import Execution
from ..core.messages import RunTimedOut, TimerFired
from ..model.activity_definition import ActivityDefinition
from ..model.definitions import WorkflowDefinition
from ..model.errors import GreenroomError, RuntimeClosedError
from ..model.options import decode_workflow_options
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from ..model.retention import RetentionPolicy
from .asking import Asking
from .attempts import Attempts
from .deleting import Deleting
from .delivery import Question
from .desk import Desk
from .directory import Directory
from .journal_seam import translated
from .last_words import tell_more_children
from .later import come_now
from .overdue import Overdue
from .pace import Pace
from .performer import Outcome, Task
from .recovery import Recovery
from .requests import Requests
from .retention import Retention, forget_policy, policy_among
from .retries import Retries
from .settings import NO_SEAMS, Seams, Settings
from .starting import Starts
from .supervisor import Supervisor
from .sweep import Sweep
from .switching import Committing
from .targets import Target
from .timekeeper import Timekeeper
from .tools import Tools
from .update_limits import UpdateLimits
from .updating import Updating
from .waiters import Waiters

if TYPE_CHECKING:
    from ..model.history import WorkflowHistory

__all__ = ["Hands"]

logger = logging.getLogger("greenroom")


class Hands:
    """The shell of one journal.

    Args:
        journal: open, and owned by these hands from here on.
        path: where it is, for messages.
        executor: performs sync activities instead of threads of our own.
        seams: what a test puts in the place of threads.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        path: str,
        settings: Settings,
        clock: Clock,
        converter: PayloadConverter,
        workflows: Registry[WorkflowDefinition],
        activities: Registry[ActivityDefinition],
        executor: Executor | None = None,
        seams: Seams = NO_SEAMS,
    ) -> None:
        self.journal = journal
        self.converter = converter
        self.workflows = workflows
        committing = None if settings.switch_interval is None else Committing()
        self.sweep = Sweep(journal, path, lost=self._lose, committing=committing)
        self.dispatcher = Dispatcher(
            name="greenroom",
            clock=clock,
            on_sweep=self._end_sweep,
            is_full=self.sweep.is_full,
            on_idle=self._rest,
            on_end=self._put_all_away,
            on_error=seams.on_error,
        )
        self.retries = Retries(self.dispatcher)
        self.waiters = Waiters()
        self.updating = Updating(journal, self.sweep, converter, path)
        self.directory = Directory(
            journal=journal, path=path, dispatcher=self.dispatcher, max_residents=settings.max_residents
        )
        self._pace = Pace(self.dispatcher)
        self.timekeeper = Timekeeper(self.dispatcher, journal, self._pace, self._fire, _damaged)
        self.performer = seams.performer(
            converter=converter,
            report=self._ended,
            threads=settings.activity_threads,
            processes=settings.activity_processes,
            executor=executor,
            clock=clock.now_ns,
        )
        self.attempts = Attempts(
            dispatcher=self.dispatcher,
            retries=self.retries,
            journal=journal,
            sweep=self.sweep,
            timekeeper=self.timekeeper,
            performer=self.performer,
            activities=activities,
            converter=converter,
            deliver=self.directory.deliver,
        )
        policy = None if settings.retention is None else policy_among(settings.retention, workflows)
        self.retention = None if policy is None else self._retention(policy)
        self.directory.tools = self._tools(clock, path, settings, seams)
        self._asking = Asking(self.dispatcher, self.directory.tools)
        self.deleting = Deleting(
            path=path,
            journal=journal,
            dispatcher=self.dispatcher,
            directory=self.directory,
            sweep=self.sweep,
            asking=self._asking,
            retries=self.retries,
        )
        self.desk = self._desk(clock, path, settings, seams)
        self.overdue: Overdue | None = None
        self._turn_seconds = settings.turn_deadline
        self._path = path

    def _retention(self, policy: RetentionPolicy) -> Retention:
        return Retention(
            policy,
            journal=self.journal,
            dispatcher=self.dispatcher,
            header=self.directory.header,
            is_at_rest=self.directory.is_at_rest,
            sweep=self.sweep,
        )

    def _tools(self, clock: Clock, path: str, settings: Settings, seams: Seams) -> Tools:
        return Tools(
            attempts=self.attempts,
            clock=clock,
            converter=self.converter,
            deadline=TurnDeadline(),
            directory=self.directory,
            failure_types=settings.failure_exception_types,
            journal=self.journal,
            mailbox_limit=settings.mailbox_limit,
            make_execution=_making(settings, seams),
            path=path,
            retention=self.retention,
            retries=self.retries,
            supervisor=Supervisor(settings.supervision, clock),
            sweep=self.sweep,
            timekeeper=self.timekeeper,
            turn_seconds=settings.turn_deadline,
            update_limits=UpdateLimits(settings.max_updates_in_flight, settings.max_updates),
            updating=self.updating,
            waiters=self.waiters,
            workflows=self.workflows,
        )

    def _desk(self, clock: Clock, path: str, settings: Settings, seams: Seams) -> Desk:
        return Desk(
            path=path,
            dispatcher=self.dispatcher,
            directory=self.directory,
            starts=Starts(
                dispatcher=self.dispatcher,
                directory=self.directory,
                store_uuid=self.journal.store_uuid,
                sweep=self.sweep,
                waiters=self.waiters,
                converter=self.converter,
                workflows=self.workflows,
                clock=clock,
                requests=Requests(journal=self.journal, directory=self.directory, sweep=self.sweep, path=path),
                mailbox_limit=settings.mailbox_limit,
            ),
            sweep=self.sweep,
            attempts=self.attempts,
            asking=self._asking,
            deleting=self.deleting,
            tools=self.directory.tools,
            mailbox_limit=settings.mailbox_limit,
            driver=seams.driver,
        )

    def recover(self) -> None:
        """Have what is due and what was under way taken up; before the first sweep."""
        recovery = Recovery(
            journal=self.journal,
            dispatcher=self.dispatcher,
            pace=self._pace,
            directory=self.directory,
            sweep=self.sweep,
        )
        self.dispatcher.call_soon(self.timekeeper.start)
        self.dispatcher.call_soon(recovery.start)
        self.dispatcher.call_soon(self.deleting.start)
        if self.retention is None:
            self.dispatcher.call_soon(forget_policy, self.journal, self.sweep)
        else:
            self.dispatcher.call_soon(self.retention.start, self.deleting.delete)

    def start(self) -> None:
        """Begin to work, on a thread of their own, whose turns are watched."""
        if self._turn_seconds is not None:
            self.overdue = Overdue(self.directory.tools, self.dispatcher, self._turn_seconds)
            self.overdue.prepare()
        self.dispatcher.start()
        if self.overdue is not None:
            self.overdue.start()

    def history(self, target: Target) -> Future[WorkflowHistory]:
        """The history of a run; it is read on the thread that gets the future's value, never on a loop."""
        from .history import HistoryFuture, read_history

        def read(found: tuple[int, RunHeader]) -> WorkflowHistory:
            run_no, header = found
            with translated(self._path):
                return read_history(self.journal, self.converter, run_no, header)

        return HistoryFuture(self.desk.find(target), read)

    def close(self, *, grace: float) -> int:
        """Take no more, let activities end, write what is decided, then let go of the journal.

        Args:
            grace: seconds that activities get.

        Returns:
            How many activities were left behind; the next opening performs them again.
        """
        self.desk.close()
        left = self.performer.close(grace=grace)
        # It may have been told already, if an interrupt ended this before.
        with suppress(DispatcherClosedError):
            self.dispatcher.call_soon(self.attempts.permits.take_back, self.performer.never_begun)
            self.dispatcher.call_soon(self.attempts.heartbeats.keep_all)
            self.dispatcher.call_soon(self.retries.hasten)
        self.dispatcher.close()
        if self.overdue is not None:
            self.overdue.stop()
        self._leave(RuntimeClosedError("waiting for a result", was_open=True))
        self.journal.close()
        return left

    def _lose(self, error: GreenroomError) -> None:
        """The journal can never be written again: stop, and tell everybody who waits or asks."""
        logger.critical("the runtime on %s has stopped; open it again: %s", self._path, error)
        self.desk.close(error)
        self.performer.close(grace=0)
        self._leave(error)

    def _end_sweep(self) -> None:
        self.sweep.close()
        self.directory.keep_to_bound()

    def _rest(self) -> None:
        self.directory.keep_to_bound_at_leisure()

    def _put_all_away(self) -> None:
        # On the dispatcher's thread, where code that will not end is not waited for.
        self.directory.close(RuntimeClosedError("waiting to be heard", was_open=True))

    def _leave(self, error: GreenroomError) -> None:
        for future in self.waiters.take_all():
            future.fail(error)
        self.updating.fail_all(error)
        self.directory.close(error)

    def give_up(self) -> None:
        """They could not begin to work: let go of the journal, with nothing written that is not decided."""
        try:
            if self.dispatcher.is_started:
                self.close(grace=0)
            else:
                self.drop()
                self.performer.close(grace=0)
        finally:
            self.journal.close()

    def drop(self) -> None:
        """Let go of everything in memory without writing or waiting, as a crash would."""
        self.desk.close()
        self.directory.close(RuntimeClosedError("waiting to be heard", was_open=True))
        for put_away in list(self.directory.tools.leaving):
            put_away()

    def _ended(self, task: Task, outcome: Outcome) -> None:
        # Called from any thread; the attempts are made after the performer.
        self.dispatcher.call_soon(self.attempts.ended, task, outcome)

    def _fire(self, due: Due) -> None:
        self._FIRE[DueKind(due.kind)](self, due)

    def _fire_timer(self, due: Due) -> None:
        self.directory.deliver(due.run_no, TimerFired(due.item))

    def _fire_attempt(self, due: Due) -> None:
        self.attempts.resume(due.run_no, due.item)

    def _fire_start(self, due: Due) -> None:
        actor = self.directory.of_run(due.run_no)
        if actor is not None:
            actor.begin()

    def _fire_delayed(self, due: Due) -> None:
        actor = self.directory.of_run(due.run_no)
        if actor is not None:
            come = Question(lambda actor: come_now(self.directory.tools, actor, due.item), None)
            actor.actor_inbox.put(come, Lane.SYSTEM)

    def _fire_children(self, due: Due) -> None:
        tell_more_children(self.directory.tools, due.run_no)

    def _fire_timeout(self, due: Due) -> None:
        header = self.directory.header(due.run_no)
        if header is not None:
            options = decode_workflow_options(header.options)
            is_first = header.first_run_id == header.run_id
            begun_ns = header.started_ns + (0 if is_first else options.start_delay_ns)
            run_timeout_ns = options.run_timeout_ns
            is_execution = run_timeout_ns is None or due.at_ns < begun_ns + run_timeout_ns
            self.directory.deliver(due.run_no, RunTimedOut(is_execution))

    _FIRE: ClassVar[dict[DueKind, Callable[[Hands, Due], None]]] = {
        DueKind.TIMER: _fire_timer,
        DueKind.ATTEMPT: _fire_attempt,
        DueKind.RUN_TIMEOUT: _fire_timeout,
        DueKind.START: _fire_start,
        DueKind.DELAYED: _fire_delayed,
        DueKind.CHILDREN: _fire_children,
    }


def _making(settings: Settings, seams: Seams) -> Callable[..., Execution]:
    """What makes the executions of a runtime."""
    make = (seams.executions or _executions)(settings.is_strict)
    return make if settings.activates is None else partial(make, activates=settings.activates)


def _executions(is_strict: bool) -> Callable[..., Execution]:
    if not is_strict:
        return Execution
    # Only tests, and runtimes that ask for it, need what this loads.
    from ..core.strictness import StrictExecution
    from .strict_net import StrictNet

    return partial(StrictExecution, net=StrictNet())


def _damaged(error: CorruptError) -> None:
    logger.error("%s", error)
