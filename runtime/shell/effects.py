"""What each message and command means for the journal and for the outside: one function a kind, in two tables.

A function writes rows into the open sweep, and says what is released once they are on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ...storage import DueKind, Update
from ..core.commands import (
    CancelActivity,
    CancelExternal,
    CancelTimer,
    CancelWorkflow,
    Command,
    CompleteUpdate,
    CompleteWorkflow,
    ContinueAsNew,
    DeadLetterSignal,
    FailWorkflow,
    RecordPatch,
    RecordSideEffect,
    RecordVersion,
    RequestCancelActivity,
    RequestCancelChild,
    ScheduleActivity,
    SignalExternal,
    SignalWithStart,
    StartChild,
    StartTimer,
    UpsertMemo,
    UpsertSearchAttributes,
)
from ..core.messages import (
    ActivityCompleted,
    ActivityFailed,
    CancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    Message,
    RunReset,
    RunTerminated,
    RunTimedOut,
    SignalReceived,
    SignalReceivedOnce,
    TimerFired,
    UpdateReceived,
    encode_message,
)
from ..model.cancellation import CANCEL_REQUESTED
from ..model.errors import RetryState, TerminatedError, TimeoutError, TimeoutType
from ..model.failure_writing import to_failure
from ..model.options import WorkflowExecutionStatus
from .closing import close_run
from .headers import went_on
from .noting import change_attributes, change_memo
from .once import hear_once
from .outcomes import Outcome
from .relatives import cancel_external, request_cancel_child, signal_external, signal_with_start, start_child
from .run_state import RunState
from .succession import continue_run, retry_run, started_of
from .tools import Peer, Tools
from .update_outcomes import finish_update

__all__ = ["TOOK", "WANTS"]

logger = logging.getLogger("greenroom")


# What a run has taken.


def _took_outcome(tools: Tools, run: RunState, message: ActivityCompleted | ActivityFailed) -> None:
    del run.activities[message.id]
    if message.id in run.cancelling:
        run.cancelling -= {message.id}
    tools.attempts.drop_row(run.run_no, message.id)


def _took_child_end(tools: Tools, run: RunState, message: ChildCompleted | ChildFailed | ChildStartFailed) -> None:
    del run.children[message.id]
    run.child_runs.pop(message.id, None)


def _took_child_start(tools: Tools, run: RunState, message: ChildStarted) -> None:
    run.child_runs[message.id] = message.run_id


def _took_update(tools: Tools, run: RunState, message: UpdateReceived) -> None:
    run.accept_update(message.update_id)
    tools.sweep.batch.put_update(run.run_no, Update(message.update_id, b""))


def _took_signal_once(tools: Tools, run: RunState, message: SignalReceivedOnce) -> None:
    hear_once(tools, run, message.key)


def _took_timer(tools: Tools, run: RunState, message: TimerFired) -> None:
    tools.sweep.batch.drop_timer(run.run_no, DueKind.TIMER, message.id, run.timers.pop(message.id))
    went_on(tools, run, -message.id)


def _took_timeout(tools: Tools, run: RunState, message: RunTimedOut) -> None:
    limit = TimeoutType.EXECUTION if message.is_execution else TimeoutType.RUN
    failure = to_failure(TimeoutError(type=limit), tools.converter)
    started = None if message.is_execution else started_of(tools, run)
    again = retry_run(tools, run, started, failure, run.last_ns)
    outcome = Outcome(failure=failure)
    close_run(tools, run, WorkflowExecutionStatus.TIMED_OUT, outcome, run.last_ns, again.run_id, again.retry_state)


def _took_end(tools: Tools, run: RunState, message: RunTerminated) -> None:
    failure = to_failure(TerminatedError(message.reason), tools.converter).with_details(message.details)
    outcome, retry_state = Outcome(failure=failure), RetryState.NON_RETRYABLE_FAILURE
    close_run(tools, run, WorkflowExecutionStatus.TERMINATED, outcome, run.last_ns, retry_state=retry_state)


def _took_reset(tools: Tools, run: RunState, message: RunReset) -> None:
    failure = to_failure(TerminatedError(message.reason), tools.converter)
    outcome = Outcome(failure=failure)
    close_run(tools, run, WorkflowExecutionStatus.TERMINATED, outcome, run.last_ns, message.next_run_id)


def _took_cancel(tools: Tools, run: RunState, message: CancelRequested) -> None:
    run.is_cancel_requested = True


TOOK: dict[type[Message], Callable[[Tools, RunState, Any], None]] = {
    ActivityCompleted: _took_outcome,
    ActivityFailed: _took_outcome,
    ChildStarted: _took_child_start,
    ChildCompleted: _took_child_end,
    ChildFailed: _took_child_end,
    ChildStartFailed: _took_child_end,
    TimerFired: _took_timer,
    SignalReceivedOnce: _took_signal_once,
    UpdateReceived: _took_update,
    CancelRequested: _took_cancel,
    RunTimedOut: _took_timeout,
    RunTerminated: _took_end,
    RunReset: _took_reset,
}
"""What it means that a run has taken a message; of most it means nothing but the turn."""


# What a run wants.


def _schedule_activity(tools: Tools, peer: Peer, command: ScheduleActivity, time_ns: int) -> None:
    run = peer.run
    run.activities[command.id] = command, time_ns
    tools.sweep.after(tools.attempts.begin, run, command, time_ns)


def _cancel_activity(tools: Tools, peer: Peer, command: CancelActivity, time_ns: int) -> None:
    run = peer.run
    if run.activities.pop(command.id, None) is not None:
        tools.attempts.forget(run.run_no, command.id, CANCEL_REQUESTED)


def _request_cancel_activity(tools: Tools, peer: Peer, command: RequestCancelActivity, time_ns: int) -> None:
    run = peer.run
    if command.id in run.activities:
        run.cancelling |= {command.id}
        tools.sweep.after(tools.attempts.cancel, run, command.id)


def _start_timer(tools: Tools, peer: Peer, command: StartTimer, time_ns: int) -> None:
    run = peer.run
    run.timers[command.id] = command.at_ns
    tools.sweep.batch.put_timer(run.run_no, DueKind.TIMER, command.id, command.at_ns)
    tools.sweep.after(tools.timekeeper.arm, run.run_no, DueKind.TIMER, command.id, command.at_ns)


def _cancel_timer(tools: Tools, peer: Peer, command: CancelTimer, time_ns: int) -> None:
    run = peer.run
    at_ns = run.timers.pop(command.id, None)
    if at_ns is not None:
        tools.sweep.batch.drop_timer(run.run_no, DueKind.TIMER, command.id, at_ns)
        tools.sweep.after(tools.timekeeper.disarm, run.run_no, DueKind.TIMER, command.id)


def _dead_letter(tools: Tools, peer: Peer, command: DeadLetterSignal, time_ns: int) -> None:
    workflow_id = peer.run.header.workflow_id
    logger.warning("signal %r of workflow %r is a dead letter: %s", command.name, workflow_id, command.reason)
    signal = SignalReceived(command.name, command.args, command.sender)
    tools.sweep.batch.put_dead_letter(peer.run.run_no, time_ns, command.reason, encode_message(signal))


def _record(tools: Tools, peer: Peer, command: Command, time_ns: int) -> None:
    """It stands in the turn; nothing else is to be done."""


def _upsert_memo(tools: Tools, peer: Peer, command: UpsertMemo, time_ns: int) -> None:
    change_memo(tools.sweep, peer.run, command)


def _upsert_attributes(tools: Tools, peer: Peer, command: UpsertSearchAttributes, time_ns: int) -> None:
    change_attributes(tools.sweep, peer.run, command)


def _complete_update(tools: Tools, peer: Peer, command: CompleteUpdate, time_ns: int) -> None:
    finish_update(tools, peer.run, command.update_id, Outcome(command.result, command.failure))


def _complete(tools: Tools, peer: Peer, command: CompleteWorkflow, time_ns: int) -> None:
    close_run(tools, peer.run, WorkflowExecutionStatus.COMPLETED, Outcome(result=command.result), time_ns)


def _fail(tools: Tools, peer: Peer, command: FailWorkflow, time_ns: int) -> None:
    again = retry_run(tools, peer.run, peer.started(), command.failure, time_ns)
    outcome = Outcome(failure=command.failure)
    close_run(tools, peer.run, WorkflowExecutionStatus.FAILED, outcome, time_ns, again.run_id, again.retry_state)


def _cancel(tools: Tools, peer: Peer, command: CancelWorkflow, time_ns: int) -> None:
    outcome, retry_state = Outcome(failure=command.failure), RetryState.CANCEL_REQUESTED
    close_run(tools, peer.run, WorkflowExecutionStatus.CANCELLED, outcome, time_ns, retry_state=retry_state)


def _continue(tools: Tools, peer: Peer, command: ContinueAsNew, time_ns: int) -> None:
    next_run_id = continue_run(tools, peer.run, peer.started(), command, time_ns)
    close_run(tools, peer.run, WorkflowExecutionStatus.CONTINUED_AS_NEW, Outcome(), time_ns, next_run_id)


WANTS: dict[type[Command], Callable[[Tools, Peer, Any, int], None]] = {
    ScheduleActivity: _schedule_activity,
    CancelActivity: _cancel_activity,
    RequestCancelActivity: _request_cancel_activity,
    StartTimer: _start_timer,
    CancelTimer: _cancel_timer,
    SignalExternal: signal_external,
    SignalWithStart: signal_with_start,
    CancelExternal: cancel_external,
    StartChild: start_child,
    RequestCancelChild: request_cancel_child,
    DeadLetterSignal: _dead_letter,
    RecordSideEffect: _record,
    RecordPatch: _record,
    RecordVersion: _record,
    CompleteUpdate: _complete_update,
    CompleteWorkflow: _complete,
    FailWorkflow: _fail,
    CancelWorkflow: _cancel,
    ContinueAsNew: _continue,
    UpsertMemo: _upsert_memo,
    UpsertSearchAttributes: _upsert_attributes,
}
"""What it means that a run wants something."""
