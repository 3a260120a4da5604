"""What each message and command means for the journal and for the outside: one function a kind, in two tables.

A function writes rows into the open sweep, and says what is released once they are on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from ...actors import Clock, TurnDeadline
from ...storage import DueKind, Journal, RunHeader, Update
from ..core.commands import (
    CancelActivity,
    CancelTimer,
    CancelWorkflow,
    Command,
    CompleteUpdate,
    CompleteWorkflow,
    DeadLetterSignal,
    FailWorkflow,
    RecordSideEffect,
    RequestCancelActivity,
    ScheduleActivity,
    SignalExternal,
    StartTimer,
)
from ..core.execution import Execution
from ..core.messages import (
    ActivityCompleted,
    ActivityFailed,
    CancelRequested,
    ExternalSignalResolved,
    Message,
    RunTerminated,
    RunTimedOut,
    SignalReceived,
    TimerFired,
    UpdateReceived,
    decode_message,
    encode_message,
)
from ..model.cancellation import CANCEL_REQUESTED, NOT_FOUND
from ..model.definitions import WorkflowDefinition
from ..model.errors import ApplicationError, GreenroomError, TerminatedError, TimeoutError, TimeoutType
from ..model.failures import Failure, to_failure
from ..model.options import WorkflowExecutionStatus
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from .attempts import Attempts
from .delivery import Delivery
from .outcomes import Outcome, release_outcome
from .retries import Retries
from .run_state import RunState
from .supervisor import Supervisor
from .sweep import Sweep, TurnTaker
from .timekeeper import Timekeeper
from .updating import Updating
from .waiters import Waiters

__all__ = ["TOOK", "WANTS", "Peer", "Tools", "close_run", "leave_row", "put_header", "reject_update", "went_on"]

logger = logging.getLogger("greenroom")


class Peer(TurnTaker, Protocol):
    """An open run, as another run sees it."""

    run: RunState

    @property
    def waiting_messages(self) -> int: ...

    def accept_row(self, seq: int, message: Message) -> None: ...


class Residents(Protocol):
    """The runs in memory: where they find each other, and say what becomes of them."""

    def find_open(self, workflow_id: str, run_id: str) -> Peer | None:
        """The open run of a workflow id (and run id, if not empty) that is on disk or in the open sweep, or None."""
        ...

    def born(self, peer: Peer) -> None:
        """The start of a run is on disk now."""
        ...

    def gone(self, peer: Peer) -> None:
        """There is nothing more to do with a run."""
        ...


class Tools:
    """What the hands share; all of it is used on the dispatcher's thread only."""

    __slots__ = (
        "attempts",
        "clock",
        "converter",
        "deadline",
        "directory",
        "failure_types",
        "journal",
        "leaving",
        "mailbox_limit",
        "make_execution",
        "path",
        "retries",
        "supervisor",
        "sweep",
        "timekeeper",
        "turn_seconds",
        "updating",
        "waiters",
        "workflows",
    )

    def __init__(
        self,
        *,
        attempts: Attempts,
        clock: Clock,
        converter: PayloadConverter,
        deadline: TurnDeadline,
        directory: Residents,
        failure_types: tuple[type[BaseException], ...],
        journal: Journal,
        mailbox_limit: int,
        make_execution: Callable[..., Execution],
        path: str,
        retries: Retries,
        supervisor: Supervisor,
        sweep: Sweep,
        timekeeper: Timekeeper,
        turn_seconds: float | None,
        updating: Updating,
        waiters: Waiters,
        workflows: Registry[WorkflowDefinition],
    ) -> None:
        self.attempts = attempts
        self.clock = clock
        self.converter = converter
        self.deadline = deadline
        self.directory = directory
        self.failure_types = failure_types
        self.journal = journal
        # What puts away the code of runs that is on its way out of memory, in order.
        self.leaving: dict[Callable[[], None], None] = {}
        self.mailbox_limit = mailbox_limit
        self.make_execution = make_execution
        self.path = path
        self.retries = retries
        self.supervisor = supervisor
        self.sweep = sweep
        self.timekeeper = timekeeper
        self.turn_seconds = turn_seconds
        self.updating = updating
        self.waiters = waiters
        self.workflows = workflows


def close_run(tools: Tools, run: RunState, status: WorkflowExecutionStatus, outcome: Outcome, time_ns: int) -> None:
    """End a run: what it waited for is dropped, unread mail becomes dead letters, whoever waits for the outcome is
    told."""
    batch, run_no = tools.sweep.batch, run.run_no
    for item, at_ns in run.timers.items():
        batch.drop_timer(run_no, DueKind.TIMER, item, at_ns)
        tools.sweep.after(tools.timekeeper.disarm, run_no, DueKind.TIMER, item)
    for item in run.activities:
        tools.attempts.forget(run_no, item, NOT_FOUND)
    batch.clear_active(run_no)
    run.is_active = False
    tools.supervisor.forget(run_no)
    if run.header.deadline_ns is not None:
        batch.drop_timer(run_no, DueKind.RUN_TIMEOUT, 0, run.header.deadline_ns)
        tools.sweep.after(tools.timekeeper.disarm, run_no, DueKind.RUN_TIMEOUT, 0)
    for update_id in [update_id for update_id, is_finished in run.updates.items() if not is_finished]:
        _finish_update(tools, run, update_id, _unfinished(tools, _ACCEPTED, status))
    for seq, data in run.rows.items():
        batch.take_mail(run_no, seq)
        _lose_mail(tools, run, data, status, time_ns)
    run.timers, run.activities = {}, {}
    run.clear_rows()
    closed = run.header._replace(
        status=int(status),
        closed_ns=time_ns,
        turns=run.turn_no,
        crc=run.crc,
        outcome=outcome.encode(),
        note="",
        stopped_at=0,
    )
    put_header(tools.sweep, run, closed)
    tools.sweep.after(release_outcome, tools.waiters, tools.converter, tools.workflows, run_no, run.header, outcome)


def _lose_mail(tools: Tools, run: RunState, data: bytes, status: WorkflowExecutionStatus, time_ns: int) -> None:
    """A message still waits on disk when its run ends: what somebody has sent is kept as a dead letter."""
    message = decode_message(data)
    if isinstance(message, UpdateReceived) and message.update_id not in run.updates:
        _finish_update(tools, run, message.update_id, _unfinished(tools, _ADMITTED, status))
    if isinstance(message, (SignalReceived, UpdateReceived)):
        reason = f"workflow {run.header.workflow_id!r} has ended ({status.name})"
        tools.sweep.batch.put_dead_letter(run.run_no, time_ns, reason, data)


_ACCEPTED, _ADMITTED = "AcceptedUpdateCompletedWorkflow", "AdmittedUpdateCompletedWorkflow"


def _unfinished(tools: Tools, kind: str, status: WorkflowExecutionStatus) -> Outcome:
    """What becomes of an update that has no outcome when its run ends."""
    when = "finished" if kind is _ACCEPTED else "taken"
    error = ApplicationError(f"the workflow ended ({status.name}) before the update was {when}", type=kind)
    return Outcome(failure=to_failure(error, tools.converter))


def _finish_update(tools: Tools, run: RunState, update_id: str, outcome: Outcome) -> None:
    run.updates[update_id] = True
    tools.sweep.batch.put_update(run.run_no, Update(update_id, outcome.encode()))
    tools.updating.finished(run, update_id, outcome)


def reject_update(
    tools: Tools, run: RunState, delivery: Delivery, update: UpdateReceived, reason: BaseException
) -> None:
    """A run does not take an update. That leaves nothing on disk, but where its sender knows that it was there."""
    outcome = Outcome(failure=to_failure(reason, tools.converter))
    tools.updating.finished(run, update.update_id, outcome)
    if delivery.seq is not None:
        run.updates[update.update_id] = True
        tools.sweep.batch.put_update(run.run_no, Update(update.update_id, outcome.encode()))


def went_on(tools: Tools, run: RunState, where: int) -> None:
    """The run has taken a message that it may have stopped at before."""
    if run.header.stopped_at == where:
        put_header(tools.sweep, run, run.header._replace(stopped_at=0))


def put_header(sweep: Sweep, run: RunState, header: RunHeader) -> None:
    """Write another header of a run; if it does not get to disk, the run has the one before again."""
    sweep.undo(_take_header_back, run, run.header)
    run.header = header
    sweep.batch.put_header(run.run_no, header)


def _take_header_back(run: RunState, header: RunHeader, error: GreenroomError) -> None:
    run.header = header


# What a run has taken.


def _took_outcome(tools: Tools, run: RunState, message: ActivityCompleted | ActivityFailed) -> None:
    del run.activities[message.id]
    run.cancelling.discard(message.id)
    tools.attempts.drop_row(run.run_no, message.id)


def _took_update(tools: Tools, run: RunState, message: UpdateReceived) -> None:
    run.updates[message.update_id] = False
    tools.sweep.batch.put_update(run.run_no, Update(message.update_id, b""))


def _took_timer(tools: Tools, run: RunState, message: TimerFired) -> None:
    tools.sweep.batch.drop_timer(run.run_no, DueKind.TIMER, message.id, run.timers.pop(message.id))
    went_on(tools, run, -message.id)


def _took_timeout(tools: Tools, run: RunState, message: RunTimedOut) -> None:
    limit = TimeoutType.EXECUTION if message.is_execution else TimeoutType.RUN
    failure = to_failure(TimeoutError(type=limit), tools.converter)
    close_run(tools, run, WorkflowExecutionStatus.TIMED_OUT, Outcome(failure=failure), run.last_ns)


def _took_end(tools: Tools, run: RunState, message: RunTerminated) -> None:
    failure = to_failure(TerminatedError(message.reason), tools.converter)
    close_run(tools, run, WorkflowExecutionStatus.TERMINATED, Outcome(failure=failure), run.last_ns)


def _took_cancel(tools: Tools, run: RunState, message: CancelRequested) -> None:
    run.is_cancel_requested = True


TOOK: dict[type[Message], Callable[[Tools, RunState, Any], None]] = {
    ActivityCompleted: _took_outcome,
    ActivityFailed: _took_outcome,
    TimerFired: _took_timer,
    UpdateReceived: _took_update,
    CancelRequested: _took_cancel,
    RunTimedOut: _took_timeout,
    RunTerminated: _took_end,
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
        run.cancelling.add(command.id)
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


def _signal_external(tools: Tools, peer: Peer, command: SignalExternal, time_ns: int) -> None:
    failure: Failure | None = None
    try:
        target = tools.directory.find_open(command.workflow_id, command.run_id)
    except GreenroomError as damage:
        error = ApplicationError(f"workflow {command.workflow_id!r} cannot be signalled: {damage}", type="JournalError")
        failure = to_failure(error, tools.converter)
        leave_row(tools, peer, ExternalSignalResolved(command.id, failure), time_ns)
        return
    if target is None:
        error = ApplicationError(
            f"no open workflow {command.workflow_id!r} to signal", type="ExternalWorkflowExecutionNotFound"
        )
        failure = to_failure(error, tools.converter)
    elif target.waiting_messages >= tools.mailbox_limit:
        error = ApplicationError(f"the mailbox of workflow {command.workflow_id!r} is full", type="MailboxFull")
        failure = to_failure(error, tools.converter)
    else:
        signal = SignalReceived(command.name, command.args, peer.run.header.workflow_id)
        leave_row(tools, target, signal, time_ns)
    leave_row(tools, peer, ExternalSignalResolved(command.id, failure), time_ns)


def leave_row(tools: Tools, target: Peer, message: Message, time_ns: int) -> None:
    """Put a message in a run's mailbox on disk; the run hears of it once it is there."""
    data = encode_message(message)
    seq = tools.sweep.batch.put_mail(target.run.run_no, time_ns, data)
    target.run.add_row(seq, data)
    tools.sweep.after(target.accept_row, seq, message)
    tools.sweep.undo(_forget_row, target.run, seq)


def _forget_row(run: RunState, seq: int, error: GreenroomError) -> None:
    run.take_row(seq)


def _dead_letter(tools: Tools, peer: Peer, command: DeadLetterSignal, time_ns: int) -> None:
    workflow_id = peer.run.header.workflow_id
    logger.warning("signal %r of workflow %r is a dead letter: %s", command.name, workflow_id, command.reason)
    signal = SignalReceived(command.name, command.args, command.sender)
    tools.sweep.batch.put_dead_letter(peer.run.run_no, time_ns, command.reason, encode_message(signal))


def _record(tools: Tools, peer: Peer, command: RecordSideEffect, time_ns: int) -> None:
    """The value stands in the turn; nothing else is to be done."""


def _complete_update(tools: Tools, peer: Peer, command: CompleteUpdate, time_ns: int) -> None:
    _finish_update(tools, peer.run, command.update_id, Outcome(command.result, command.failure))


def _complete(tools: Tools, peer: Peer, command: CompleteWorkflow, time_ns: int) -> None:
    close_run(tools, peer.run, WorkflowExecutionStatus.COMPLETED, Outcome(result=command.result), time_ns)


def _fail(tools: Tools, peer: Peer, command: FailWorkflow, time_ns: int) -> None:
    close_run(tools, peer.run, WorkflowExecutionStatus.FAILED, Outcome(failure=command.failure), time_ns)


def _cancel(tools: Tools, peer: Peer, command: CancelWorkflow, time_ns: int) -> None:
    close_run(tools, peer.run, WorkflowExecutionStatus.CANCELLED, Outcome(failure=command.failure), time_ns)


WANTS: dict[type[Command], Callable[[Tools, Peer, Any, int], None]] = {
    ScheduleActivity: _schedule_activity,
    CancelActivity: _cancel_activity,
    RequestCancelActivity: _request_cancel_activity,
    StartTimer: _start_timer,
    CancelTimer: _cancel_timer,
    SignalExternal: _signal_external,
    DeadLetterSignal: _dead_letter,
    RecordSideEffect: _record,
    CompleteUpdate: _complete_update,
    CompleteWorkflow: _complete,
    FailWorkflow: _fail,
    CancelWorkflow: _cancel,
}
"""What it means that a run wants something."""
