"""One run of a workflow: the one door. A message goes in, the commands that it caused come out; nothing else happens.

After each message the run's own loop runs until nothing is ready and no wait condition is newly true. The same messages
give the same commands, in any process and at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from ..model.activity_definition import ActivityDefinition
from ..model.definitions import WorkflowDefinition
from ..model.errors import FailureError, NondeterminismError
from ..model.handler_definitions import BUILT_IN_QUERIES
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from .bugs import WorkflowBugError
from .changes import Activates
from .commands import Command
from .contracts import Contracts
from .flags import check_flags
from .machines import Event
from .messages import (
    ActivityCompleted,
    ActivityFailed,
    CancelRequested,
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    ExternalCancelResolved,
    ExternalSignalResolved,
    HistoryCopied,
    Message,
    MessageSkipped,
    RunReset,
    RunTerminated,
    RunTimedOut,
    SignalReceived,
    SignalReceivedFrom,
    SignalReceivedOnce,
    TimerFired,
    UpdateReceived,
    WorkflowStarted,
    decode_message,
)
from .relatives import Relatives
from .replay import compare
from .tasks import Task

__all__ = ["Execution"]

# Python 3.11 calls a function to find a member by its class.
_COMPLETE = Event.COMPLETE


class Execution(Contracts):
    """A live run.

    Args:
        started: the message that began the run.
        definition: the workflow's code.
        converter: values to payloads and back.
        failure_types: exceptions, beside failures, that close the run as failed instead of being bugs.
        activities: those that can be performed; None if that is not known.
        workflows: those that can be started, by all their names; likewise.
        activates: asked before a patch is taken that is new to the run; None takes all.

    Raises:
        UnknownFlagsError: the run was begun by a release that decides in a way unknown here.
    """

    __slots__ = ("_definition", "_ended", "_main_task")

    def __init__(
        self,
        started: WorkflowStarted,
        definition: WorkflowDefinition,
        converter: PayloadConverter,
        failure_types: tuple[type[BaseException], ...] = (),
        activities: Registry[ActivityDefinition] | None = None,
        workflows: Registry[WorkflowDefinition] | None = None,
        *,
        activates: Activates | None = None,
    ) -> None:
        check_flags(started)
        failures: tuple[type[BaseException], ...] = FailureError, TimeoutError, asyncio.CancelledError
        failures += *failure_types, *definition.failure_exception_types
        super().__init__(started, converter, failures, activities, workflows, activates)
        self._ended = False
        self._main_task: asyncio.Task[None] | None = None
        self._definition = definition

    # The door.

    def apply(self, message: Message, time_ns: int, recorded: Sequence[Command] | None = None) -> list[Command]:
        """Take one message and give what the run asks for in answer.

        Args:
            message: what has happened.
            time_ns: when (UTC); the run's clock stands there for the whole turn, or where it was if that is later.
            recorded: what the run asked for then, if the turn is in the history already.

        Raises:
            WorkflowBugError: the code raised something that is not a failure; this execution is of no further use.
        """
        self._turn = {}
        self._recorded = recorded
        self.turns += 1
        if message.__class__ is MessageSkipped or message.__class__ is HistoryCopied:
            # The code never hears of it: not even its clock moves.
            if isinstance(message, HistoryCopied):
                self.become(message.started)
            return []
        loop = self.loop
        if time_ns > loop.now_ns:
            loop.now_ns = time_ns
        before = loop.enter()
        try:
            self._TAKE[message.__class__](self, message)
            if not self._ended:
                loop.run_ready(self._conditions)
        finally:
            loop.leave(before)
        if self._bug is not None:
            raise WorkflowBugError(self._bug)
        return self.asked()

    def replay(self, message: Message, time_ns: int, recorded: Sequence[Command]) -> None:
        """Take a message of the history again.

        Args:
            message: what had happened.
            time_ns: when.
            recorded: what the run asked for then.

        Raises:
            NondeterminismError: it asks for something else now.
            ContractError: that, or a bug, comes from annotations that what is recorded does not fit.
            WorkflowBugError: the code raised something that is not a failure.
        """
        bug: WorkflowBugError | None = None
        try:
            produced: Sequence[Command] = self.apply(message, time_ns, recorded)
        except WorkflowBugError as error:
            bug, produced = error, self.asked()
        finally:
            # What comes between turns, such as a query, is no replay.
            self._recorded = None
        if bug is None and produced == recorded:
            return
        try:
            if isinstance(self._bug, NondeterminismError):
                # It says more than the difference that follows from it.
                raise self._bug
            if produced != recorded:
                self._compare(produced, recorded)
            if bug is not None:
                raise bug
        except Exception as error:
            self._tell_misfit(recorded, error)
            raise

    def _compare(self, produced: Sequence[Command], recorded: Sequence[Command]) -> None:
        started = self.started
        # Code that differs from its history often fails just because of that: the difference is the better answer. Or
        # it differs because it has failed, say by arguments that do not fit a class any more: both are told.
        compare(
            produced,
            recorded,
            workflow_id=self.known_as.workflow_id if self.known_as else started.workflow_id,
            run_id=self.known_as.run_id if self.known_as else started.run_id,
            turn_no=self.turns - 1,
            recorded_python=started.python,
            bug=self._bug,
            too_early=self._too_early,
        )

    def query(self, name: str, args: bytes) -> bytes:
        """Answer a query from what the run is now; gives the payload of the answer.

        Raises:
            HandlerError: its handler has raised something; ``is_marred`` tells whether it has changed the run.
            Exception: as ``Queries.answer`` does.
        """
        if name not in BUILT_IN_QUERIES:
            return self._handling.query(name, args)
        # Loaded here: it is tools that ask for these, and seldom.
        from .metadata import BUILT_IN

        return self._converter.encode(BUILT_IN[name](self))

    def validate(self, update: UpdateReceived, time_ns: int) -> None:
        """Have an update looked at, just before it is applied.

        Args:
            time_ns: the time of the turn that it would get; the run's clock stands there meanwhile.

        Raises:
            UpdateRejectedError: it is not to be applied; ``is_marred`` tells whether its validator has changed the run.
        """
        self._handling.validate(update, time_ns)

    @contextmanager
    def at_work(self) -> Generator[None, None, None]:
        """Around many turns in a row: each of them then has less to set up."""
        before = self.loop.enter()
        try:
            yield
        finally:
            self.loop.leave(before)

    def close(self) -> list[str]:
        """Put the run away: its coroutines end, children first, without asking for anything.

        Returns:
            The coroutines that would not end, as text.
        """
        if self.put_away:
            return []
        self.put_away = True
        loop = self.loop
        # A run that has ended has usually nothing left that would have to run to its end.
        before = loop.enter() if loop.has_unfinished() else loop
        try:
            return loop.destroy()
        finally:
            loop.leave(before)
            self.pending.clear()
            self.timers.clear()
            self.starting.clear()
            self._instance = None
            self._handling.put_away()

    @property
    def is_finished(self) -> bool:
        """Whether nothing of the user's is left that would have to run to its end."""
        return not self.loop.has_unfinished()

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended, by its own code or without asking it."""
        return self.closing is not None or self._ended

    def tasks(self) -> list[Task[Any]]:
        """Those that have not ended; none once the run has, since nothing wakes them any more."""
        return [] if self.is_closed else self.loop.unfinished()

    # What can happen.

    def _take_started(self, message: WorkflowStarted) -> None:
        self._context.run(self._start, message)

    def _start(self, message: WorkflowStarted) -> None:
        self.loop.started_ns = self.loop.now_ns
        definition = self._definition
        try:
            args = self._arguments(message, definition.signature)
            if definition.is_dynamic:
                args = [tuple(args)]
            run = self._prepare(definition, args)
        except BaseException as error:
            self.raised(error)
            return
        if message.origin is not None:
            for signal in message.origin.signals:
                self._take_signal_of_start(signal)
        self._main_task = self.loop.create_task(self._main(run, args), name=definition.name)

    def _take_signal_of_start(self, data: bytes) -> None:
        """What came with the start is heard before the main function begins."""
        signal = decode_message(data)
        if isinstance(signal, SignalReceived):
            self._signals.deliver(signal)

    def _prepare(self, definition: WorkflowDefinition, args: list[Any]) -> Callable[..., Any]:
        if not definition.is_class:
            return definition.run
        instance = definition.target(*args) if definition.takes_input else definition.target()
        self._instance = instance
        self._handling.bind(definition.handlers, instance)
        bound: Callable[..., Any] = definition.run.__get__(instance)
        return bound

    async def _main(self, run: Callable[..., Any], args: list[Any]) -> None:
        try:
            self.complete(await run(*args), self._definition)
        except BaseException as error:
            self.raised(error)

    def _take_signal(self, message: SignalReceived) -> None:
        self._context.run(self._signals.deliver, message)

    def _take_update(self, message: UpdateReceived) -> None:
        if message.is_near_limit:
            self.is_near_update_limit = True
        try:
            self._context.run(self._handling.updates.start, message)
        except Exception as error:
            # It was looked at before it was taken: the code no longer fits what the history says.
            self._note_update(message, error)
            self.raised(error)

    def _take_activity_completed(self, message: ActivityCompleted) -> None:
        self.resolve(message.id, _COMPLETE, message.result)

    def _take_activity_failed(self, message: ActivityFailed) -> None:
        self.resolve(message.id, Event.FAIL, failure=message.failure)

    def _take_timer(self, message: TimerFired) -> None:
        self.fire(message.id)

    def _take_signal_resolved(self, message: ExternalSignalResolved) -> None:
        event = Event.COMPLETE if message.failure is None else Event.FAIL
        self.resolve(message.id, event, failure=message.failure)

    def _take_cancel_resolved(self, message: ExternalCancelResolved) -> None:
        event = Event.COMPLETE if message.failure is None else Event.FAIL
        self.resolve(message.id, event, failure=message.failure)

    def _take_child_completed(self, message: ChildCompleted) -> None:
        self.resolve(message.id, _COMPLETE, message.result)

    def _take_child_failed(self, message: ChildFailed) -> None:
        self.child_failed(message.id, message.failure)

    def _take_child_cancel(self, message: ChildCancelRequested) -> None:
        self.child_cancel_requested(message.id)

    def _take_cancel(self, message: CancelRequested) -> None:
        # A state and not an event: one that the code has caught cannot be asked for again.
        if self._cancel_reason is None:
            self._cancel_reason = message.reason
            if self._main_task is not None:
                self._context.run(self._main_task.cancel)

    def _take_end(self, message: RunTimedOut | RunTerminated) -> None:
        self._ended = True

    def definition(self) -> WorkflowDefinition:
        return self._definition

    # What the shell asks.

    def take_unread(self) -> list[SignalReceived]:
        """The signals that no handler and no channel has taken, oldest first; they are not kept any longer."""
        return self._signals.bag.take_all()

    def unfinished_handlers(self) -> list[str]:
        """What handlers were at work for when the code ended the run, but for those whose author does not want to be
        told."""
        return [] if self.closing is None else self._handling.at_work.unfinished()

    def unseen_failures(self) -> list[tuple[str, BaseException]]:
        """What tasks have let out by the end of the run and nothing has awaited: task name and exception."""
        return [] if self.closing is None else self.loop.unseen_failures()

    @property
    def is_marred(self) -> bool:
        """Whether the last query or validator has changed what it may only read: only a replay makes the run what it
        was."""
        return self.loop.is_marred

    def mar(self) -> None:
        """What a query was doing was ended wherever it was."""
        self.loop.is_marred = True

    def cut(self) -> None:
        """The turn has had its time: no other callback begins. Called on any thread."""
        self.loop.is_cut = True

    @property
    def unread_signals(self) -> int:
        """Signals that no handler and no channel has taken."""
        return len(self._signals.bag)

    _TAKE: ClassVar[dict[type[Message], Callable[[Execution, Any], None]]] = {
        WorkflowStarted: _take_started,
        SignalReceived: _take_signal,
        SignalReceivedFrom: _take_signal,
        SignalReceivedOnce: _take_signal,
        UpdateReceived: _take_update,
        ActivityCompleted: _take_activity_completed,
        ActivityFailed: _take_activity_failed,
        TimerFired: _take_timer,
        ExternalSignalResolved: _take_signal_resolved,
        ExternalCancelResolved: _take_cancel_resolved,
        ChildStarted: Relatives.child_started,
        ChildStartFailed: Relatives.child_start_failed,
        ChildCompleted: _take_child_completed,
        ChildFailed: _take_child_failed,
        ChildCancelRequested: _take_child_cancel,
        CancelRequested: _take_cancel,
        RunTimedOut: _take_end,
        RunTerminated: _take_end,
        RunReset: _take_end,
    }
