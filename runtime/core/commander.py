"""Turns what workflow code asks for into commands, and keeps a handle for each thing that is not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from inspect import iscoroutinefunction
from random import Random
from typing import Any, NoReturn

from ..model.activity_definition import ActivityDefinition
from ..model.definitions import WorkflowDefinition
from ..model.errors import InWorkflowError, NotRegisteredError, PayloadError, ReadOnlyContextError
from ..model.failure_reading import to_exception
from ..model.failure_writing import to_failure
from ..model.failures import Failure
from ..model.handler_definitions import handler_name
from ..model.message_calls import checked_call
from ..model.options import ActivityCancellationType, ActivityOptions
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from .call_sites import call_site
from .commands import (
    CancelActivity,
    CancelTimer,
    Command,
    DeadLetterSignal,
    RecordSideEffect,
    RequestCancelActivity,
    ScheduleActivity,
    SignalExternal,
    StartTimer,
)
from .continuing import Continuing
from .dice import Dice, seed_of
from .handles import ActivityHandle, AwaitedActivityHandle, PendingHandle
from .machines import ABANDONED_ACTIVITY, ACTIVITY, AWAITED_ACTIVITY, EXTERNAL, Event
from .messages import SignalReceived
from .tasks import RunPutAway, TimerHandle

__all__ = ["Commander"]

# Python 3.11 calls a function to find a member by its class.
_TRY_CANCEL = ActivityCancellationType.TRY_CANCEL


class Commander(Continuing):
    """The asking half of an execution.

    Attributes:
        pending: command id to the handle that waits for its outcome.
        starting: command id of each child whose start is not known yet to the handle that waits for it.
        timers: command id to the timer that has not fired.
    """

    __slots__ = ("_activities", "_dice", "_run_id", "pending", "starting", "timers")

    def __init__(
        self,
        run_id: str,
        converter: PayloadConverter,
        failure_types: tuple[type[BaseException], ...],
        activities: Registry[ActivityDefinition] | None,
        workflows: Registry[WorkflowDefinition] | None,
    ) -> None:
        super().__init__(converter, failure_types)
        self._workflows = workflows
        self.pending: dict[int, PendingHandle[Any]] = {}
        self.starting: dict[int, PendingHandle[str]] = {}
        self.timers: dict[int, TimerHandle] = {}
        self._activities = activities
        self._run_id = run_id
        # Most runs throw none.
        self._dice: Dice | None = None

    # What is asked for.

    def start_activity(
        self,
        name: str,
        args: tuple[object, ...],
        options: ActivityOptions,
        result_type: Any,
        declared: ActivityDefinition | None = None,
    ) -> ActivityHandle[Any]:
        number = self._next("starting an activity")
        if self._recorded is None or not self._repeats_activity(number, name, declared):
            data = self._converter.encode_args(args)
            # What is asked for after the end is dropped, and so never wrong.
            if self.closing is None:
                if self._activities is not None:
                    self._check_is_declared(self._activities, name, declared)
                if declared is not None:
                    self._check_call(declared, data)
                # Not by way of `_ask`: most of what is asked for is this.
                self._turn[number] = ScheduleActivity(number, name, call_site(1), data, options)
        else:
            # What it means to cancel it is as it was: the history goes by that, whatever the code says now.
            recorded = self._turn[number]
            options = recorded.options if isinstance(recorded, ScheduleActivity) else options
        kind = options.cancellation_type
        if kind is _TRY_CANCEL:
            handle: ActivityHandle[Any] = ActivityHandle(
                self.loop, number, ACTIVITY, result_type, self._cancel_activity
            )
        else:
            handle = self._handle_of(number, kind, result_type)
        handle.name = name
        self.pending[number] = handle
        return handle

    def _repeats_activity(self, number: int, name: str, declared: ActivityDefinition | None) -> bool:
        if self._repeats(number, ScheduleActivity, name):
            return True
        definition = declared or (None if self._activities is None else self._activities.find(name))
        return definition is not None and self._repeats_renamed(number, ScheduleActivity, name, definition)

    def _handle_of(self, number: int, kind: ActivityCancellationType, result_type: Any) -> ActivityHandle[Any]:
        """The handle of an activity that is not simply taken back when it is cancelled."""
        if kind is ActivityCancellationType.ABANDON:
            return ActivityHandle(self.loop, number, ABANDONED_ACTIVITY, result_type, self._cancel_wait)
        return AwaitedActivityHandle(
            self.loop, number, AWAITED_ACTIVITY, result_type, self._cancel_activity, self._request_cancel
        )

    def signal_external(
        self,
        workflow_id: str,
        run_id: str,
        signal: str | Callable[..., Any],
        args: tuple[object, ...],
        child: int = 0,
    ) -> PendingHandle[None]:
        name, number = handler_name("signal", signal), self._next("signalling another workflow")
        if self._recorded is None or not self._repeats(number, SignalExternal, name):
            data = checked_call(self._converter, "signal", signal, args)[1]
            self._ask(number, SignalExternal, name, workflow_id, run_id, data, child)
        handle: PendingHandle[None] = PendingHandle(self.loop, number, EXTERNAL, None, self._cancel_wait)
        self.pending[number] = handle
        return handle

    def start_timer(
        self, at_ns: int, callback: Callable[..., object], *args: object, summary: str = ""
    ) -> asyncio.TimerHandle:
        """A durable timer, even if it is due now."""
        handle = TimerHandle((at_ns - self.loop.started_ns) / 1e9, callback, args, None)
        self.start_loop_timer(at_ns, handle, summary)
        return handle

    def start_loop_timer(self, at_ns: int, handle: TimerHandle, summary: str = "") -> None:
        """The durable timer behind a handle of the loop."""
        number = self._next("starting a timer")
        handle.on_cancel = lambda: self._cancel_timer(number)
        if summary:
            handle.summary = summary
        self._ask(number, StartTimer, summary, at_ns)
        self.timers[number] = handle

    def timer_summaries(self) -> dict[int, str]:
        """Number of each timer that has one and has not fired → its line for people."""
        return {number: handle.summary for number, handle in self.timers.items() if hasattr(handle, "summary")}

    def side_effect(self, function: Callable[[], Any], result_type: Any) -> Any:
        """What ``function`` gave when the turn was live; a replay reads it from the history."""
        number = self._next("a side effect")
        recorded = self._recorded
        if recorded is None:
            value, failure = self._perform(function)
        else:
            known = _recorded_value(recorded, number)
            if known is None:
                # The comparison at the end of the turn reports the difference; the code cannot go on without a value.
                self._ask(number, RecordSideEffect, "", b"", None)
                raise RunPutAway("a side effect that the history does not have")
            value, failure = known
        self._ask(number, RecordSideEffect, "", value, failure)
        if failure is not None:
            raise to_exception(failure, self._converter)
        return self._converter.decode(value, result_type)

    def _perform(self, function: Callable[[], Any]) -> tuple[bytes, Failure | None]:
        # A replay does not call the function: what it changed in the run would be missing there.
        try:
            value = self._only_reading("a side effect", lambda: self._converter.encode(function()))
            outcome: tuple[bytes, Failure | None] = value, None
        except InWorkflowError:
            # A bug, and nothing to be recorded: mended code may do it again.
            raise
        except (Exception, asyncio.CancelledError) as error:
            outcome = b"", to_failure(error, self._converter)
        self._check_is_unmarred("a side effect")
        return outcome

    def dead_letter(self, signal: SignalReceived, reason: str) -> None:
        """Put a signal aside that its handler or reader cannot take."""
        number = self._next("")
        self._ask(number, DeadLetterSignal, signal.name, signal.args, signal.sender, reason)

    def random(self) -> Random:
        """The run's own generator, the same in each replay."""
        self._check_may_draw("workflow.random()")
        return self.dice.main

    def new_random(self) -> Random:
        """A generator with a stream of its own."""
        self._check_may_draw("workflow.new_random()")
        return self.dice.new()

    def random_seed(self) -> int:
        """What all generators of the run follow from."""
        return self.dice.seed

    def register_random_seed_callback(self, callback: Callable[[int], None]) -> None:
        """Have ``callback`` told of each seed to come.

        Raises:
            TypeError: it cannot be called, or has to be awaited.
        """
        self.check_may_change("workflow.register_random_seed_callback()")
        if not callable(callback) or iscoroutinefunction(callback):
            raise TypeError(f"the callback is {callback!r}; give a function of the new seed, written without async")
        self.dice.on_reseed(callback)

    def _check_may_draw(self, action: str) -> None:
        # Cleaning up may: what comes of it changes nothing.
        if self.loop.read_only:
            raise ReadOnlyContextError(action, self.loop.read_only)

    @property
    def dice(self) -> Dice:
        """The run's generators; whoever gives the run another seed gives it to these, as a step of its turn."""
        if self._dice is None:
            self._dice = Dice(self._run_id)
        return self._dice

    def reseed(self, run_id: str) -> None:
        """Draw the random numbers of another run from here on, and tell who wants to know of it."""
        self._run_id = run_id
        if self._dice is not None:
            seed = seed_of(run_id)
            self._only_reading("a callback of the random seed", partial(self._dice.reseed, seed))
            self._check_is_unmarred("a callback of the random seed")

    def _check_call(self, declared: ActivityDefinition, data: bytes) -> None:
        """See that the arguments fit the activity."""
        if (types := declared.checked_types) is not None:
            try:
                self._converter.decode_args(data, types)
            except PayloadError as error:
                raise declared.misfit(error) from error

    def _check_is_declared(
        self, activities: Registry[ActivityDefinition], name: str, declared: ActivityDefinition | None
    ) -> None:
        """Refuse what nobody here would perform, and another activity that happens to have that name."""
        # A replay meets either only if the code has changed, which the comparison tells better.
        if self._recorded is not None:
            return
        found = activities.find(name)
        if found is not None and declared is not None and not activities.is_listed and found.place != declared.place:
            self._refuse_other(declared, found)
        if found is None or found.needs_instance:
            self.raise_bug(NotRegisteredError("activity", name, activities.names()))

    def _refuse_other(self, declared: ActivityDefinition, found: ActivityDefinition) -> NoReturn:
        # Which one came last depends on the process, not on the run.
        message = (
            f"the workflow refers to activity {declared.name!r} of {declared.place}, and what would be performed under "
            f"that name is {found.place}; give one of the two another name with @activity.defn(name=…), or list those "
            "that belong to the runtime with activities=[…]"
        )
        self.raise_bug(ValueError(message))

    # What is taken back.

    def _cancel_activity(self, handle: PendingHandle[Any]) -> None:
        self._take_back(handle.id, CancelActivity)

    def _request_cancel(self, handle: PendingHandle[Any]) -> bool:
        """Ask an activity to end; False if it can be taken back, or nothing can be asked for any more."""
        if self.loop.read_only:
            self.loop.refuse_change("cancelling")
        if handle.is_cancelling and not self.put_away and self.closing is None:
            return True
        if self.put_away or self.closing is not None or handle.id in self._turn:
            return False
        self._ask(handle.id, RequestCancelActivity, "", key=-handle.id)
        return True

    def _cancel_wait(self, handle: PendingHandle[Any]) -> None:
        if self.loop.read_only:
            self.loop.refuse_change("cancelling")
        # Once its turn is written it is on its way, and goes on: only the wait for the outcome ends.
        if self._turn.pop(handle.id, None) is not None:
            self.pending.pop(handle.id, None)

    def _cancel_timer(self, number: int) -> None:
        if self.timers.pop(number, None) is not None:
            self._take_back(number, CancelTimer)

    def _take_back(self, number: int, command: type[Command]) -> None:
        if self.loop.read_only:
            self.loop.refuse_change("cancelling")
        if self.put_away or self.closing is not None:
            return
        self.pending.pop(number, None)
        if self._turn.pop(number, None) is None:
            self._ask(number, command, "", key=-number)

    # What came of it.

    def resolve(self, number: int, event: Event, result: Any = None, failure: Failure | None = None) -> None:
        """The outcome of a command: its handle is done, unless nobody waits for it any more."""
        handle = self.pending.pop(number, None)
        if handle is None:
            return
        if failure is not None and handle.is_cancelling and failure.is_cancellation:
            handle.move(Event.CANCEL)
            handle.end_cancelled(failure.cause.message if failure.cause else failure.message)
            return
        if not handle.move(event) or handle.done():
            return
        if failure is not None:
            handle.set_exception(to_exception(failure, self._converter))
            return
        try:
            handle.set_result(None if result is None else self._converter.decode(result, handle.result_type))
        except Exception as error:
            if result is not None:
                self._note_result(handle, result, error)
            handle.set_exception(error)

    def _note_result(self, handle: PendingHandle[Any], data: bytes, error: Exception) -> None:
        """A result does not fit what the code expects."""

    def fire(self, number: int) -> None:
        """A timer is due; one that was cancelled is ignored."""
        handle = self.timers.pop(number, None)
        if handle is not None:
            self.loop.fire(handle)


def _recorded_value(recorded: Iterable[Command], number: int) -> tuple[bytes, Failure | None] | None:
    for command in recorded:
        if command.id == number and isinstance(command, RecordSideEffect):
            return command.value, command.failure
    return None
