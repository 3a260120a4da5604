"""What a run has to do with others: it signals them, asks them to end, starts children, and is told what became of
that. Every word of it is a row in a mailbox, in the transaction of the turn that says it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...storage import CorruptError, FormatError, RunHeader
from ..core.commands import CancelExternal, Command, RequestCancelChild, SignalExternal, SignalWithStart, StartChild
from ..core.messages import (
    CancelRequested,
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    ExternalCancelResolved,
    ExternalSignalResolved,
    Message,
    MessageSkipped,
    SignalReceived,
    decode_message,
    encode_message,
    pinned,
)
from ..core.origins import Origin, RunReference
from ..model.errors import ApplicationError, GreenroomError, WorkflowAlreadyStartedError
from ..model.failure_writing import to_failure
from ..model.failures import Facts, Failure, FailureKind
from ..model.ids import is_run_id_of
from ..model.options import (
    ChildWorkflowCancellationType,
    WorkflowExecutionStatus,
    WorkflowIDReusePolicy,
    encode_workflow_options,
)
from ..model.run_facts import RunFacts, decode_facts
from ..model.values import Value
from .beginning import NewRun, make_run
from .encoding import decode_turn
from .journal_seam import is_passing
from .mail_rows import leave_row
from .outcomes import Outcome
from .policies import may_reuse
from .run_state import RunState
from .tools import Peer, Tools

__all__ = [
    "cancel_external",
    "end_of_child",
    "find_children",
    "open_child",
    "request_cancel_child",
    "signal_external",
    "signal_with_start",
    "start_child",
    "tell_parent",
]

logger = logging.getLogger("greenroom")


# Others.


def signal_external(tools: Tools, peer: Peer, command: SignalExternal, time_ns: int) -> None:
    """Put a signal into the mailbox of another run, and tell the sender whether it is there."""
    target, error = _target(tools, peer.run, command)
    if target is not None:
        signal = SignalReceived(command.name, command.args, peer.run.header.workflow_id)
        error = _signal(tools, target, pinned(signal) if command.run_id else signal, time_ns)
    leave_row(tools, peer, ExternalSignalResolved(command.id, _failure(tools, error)), time_ns)


def _target(tools: Tools, run: RunState, command: SignalExternal) -> tuple[Peer | None, Exception | None]:
    """Who is to be signalled, or why nobody is."""
    if not command.child:
        target, error = _reach(command.workflow_id, tools.directory.find_open, command.workflow_id, command.run_id)
        return target, error if target is not None or error is not None else _absent(command.workflow_id, "signal")
    child = run.children.get(command.child)
    target = None if child is None else open_child(tools, run, child)
    if target is not None:
        return target, None
    return None, _nobody(f"the child {command.workflow_id!r} has ended: nobody is there to signal")


def signal_with_start(tools: Tools, peer: Peer, command: SignalWithStart, time_ns: int) -> None:
    """Signal the open run of a workflow id, or begin one that is told the signal with its start."""
    signal = SignalReceived(command.name, command.args, peer.run.header.workflow_id)
    # A start of the same sweep is met, too.
    target, error = _reach(command.workflow_id, tools.directory.make_known, command.workflow_id)
    if target is not None:
        error = _signal(tools, target, signal, time_ns)
    elif error is None:
        error = _start_signalled(tools, command, signal, time_ns)
    leave_row(tools, peer, ExternalSignalResolved(command.id, _failure(tools, error)), time_ns)


def cancel_external(tools: Tools, peer: Peer, command: CancelExternal, time_ns: int) -> None:
    """Ask another run to end, and tell the one that wants it whether there is one."""
    target, error = _reach(command.workflow_id, tools.directory.find_open, command.workflow_id, command.run_id)
    if target is not None:
        leave_row(tools, target, CancelRequested(command.reason, is_pinned=bool(command.run_id)), time_ns)
    elif error is None:
        error = _absent(command.workflow_id, "cancel")
    leave_row(tools, peer, ExternalCancelResolved(command.id, _failure(tools, error)), time_ns)


def _reach(workflow_id: str, find: Callable[..., Peer | None], *args: str) -> tuple[Peer | None, Exception | None]:
    """The open run that is meant, if there is one; or why that is not known."""
    try:
        return find(*args), None
    except GreenroomError as damage:
        _bear(damage, "workflow %r cannot be reached by another: %s", workflow_id)
        return None, ApplicationError(f"workflow {workflow_id!r} cannot be reached: {damage}", type="JournalError")


def _absent(workflow_id: str, what: str) -> Exception:
    return _nobody(f"no open workflow {workflow_id!r} to {what}")


def _nobody(message: str) -> Exception:
    return ApplicationError(message, type="ExternalWorkflowExecutionNotFound")


def _signal(tools: Tools, target: Peer, signal: SignalReceived, time_ns: int) -> Exception | None:
    """Leave a signal in a mailbox, or say why it is not there."""
    if target.waiting_messages >= tools.mailbox_limit:
        workflow_id = target.run.header.workflow_id
        return ApplicationError(f"the mailbox of workflow {workflow_id!r} is full", type="MailboxFull")
    leave_row(tools, target, signal, time_ns)
    return None


def _start_signalled(
    tools: Tools, command: SignalWithStart, signal: SignalReceived, time_ns: int
) -> WorkflowAlreadyStartedError | None:
    """Begin a run that hears the signal first, or say why there may be none."""
    taken = _taken(tools, command.workflow_id, WorkflowIDReusePolicy(command.reuse))
    if taken is not None:
        return WorkflowAlreadyStartedError(command.workflow_id, taken.run_id or None, taken.workflow_type or None)
    new = NewRun(
        command.workflow_type,
        command.start_args,
        command.workflow_id,
        command.options,
        encode_workflow_options(command.options),
        origin=Origin(signals=(encode_message(signal),)),
    )
    state, first = make_run(tools.sweep, tools.journal.store_uuid.encode(), time_ns, new)
    tools.directory.begin_beside(state, first)
    return None


def _failure(tools: Tools, error: Exception | None) -> Failure | None:
    return None if error is None else to_failure(error, tools.converter)


# Children.


class _Taken(Value, frozen=True):
    """Why a child cannot have its workflow id: the run that has it, if there is one."""

    run_id: str = ""
    workflow_type: str = ""


def start_child(tools: Tools, peer: Peer, command: StartChild, time_ns: int) -> None:
    """Begin a child beside its parent, which is told that it is there, or that its id is taken."""
    run = peer.run
    taken = _taken(tools, command.workflow_id, WorkflowIDReusePolicy(command.reuse))
    run.children[command.id] = command
    if taken is not None:
        message: Message = ChildStartFailed(command.id, command.workflow_id, taken.run_id, taken.workflow_type)
        leave_row(tools, peer, message, time_ns)
        return
    header = run.header
    parent = RunReference(header.workflow_id, header.run_id)
    started = peer.started()
    root = parent if started.origin is None or started.origin.root is None else started.origin.root
    new = NewRun(
        command.name,
        command.args,
        command.workflow_id,
        command.options,
        encode_workflow_options(command.options),
        origin=Origin(parent=parent, root=root),
        facts=RunFacts(parent_run_no=run.run_no, parent_item=command.id),
    )
    state, first = make_run(tools.sweep, tools.journal.store_uuid.encode(), time_ns, new)
    tools.directory.begin_beside(state, first)
    leave_row(tools, peer, ChildStarted(command.id, first.run_id), time_ns)


def _taken(tools: Tools, workflow_id: str, reuse: WorkflowIDReusePolicy) -> _Taken | None:
    try:
        existing = tools.directory.find(workflow_id, "")
        header: RunHeader | None = None if existing is None else tools.directory.header(existing)
    except GreenroomError as damage:
        # Nobody can say whether it has ended.
        _bear(damage, "workflow %r cannot be started by another: %s", workflow_id)
        return _Taken()
    if header is None:
        # The workflow that gets such an id by itself one day would not be found.
        return _Taken() if is_run_id_of(tools.journal.store_uuid.encode(), workflow_id) else None
    if header.closed_ns is not None and may_reuse(reuse, WorkflowExecutionStatus(header.status)):
        return None
    return _Taken(header.run_id, header.workflow_type)


def request_cancel_child(tools: Tools, peer: Peer, command: RequestCancelChild, time_ns: int) -> None:
    """Ask a child to end; one that has ended by itself has told so."""
    child = peer.run.children.get(command.id)
    if child is None:
        return
    target = open_child(tools, peer.run, child)
    if target is not None:
        leave_row(tools, target, CancelRequested(command.reason), time_ns)
        if child.options.cancellation_type is ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED:
            leave_row(tools, peer, ChildCancelRequested(command.id), time_ns)


def find_children(tools: Tools, run: RunState) -> None:
    """Find in a history that nobody replays which children its run still has.

    Raises:
        StorageError: the disk does not answer.
    """
    first, crc = 0, 0
    try:
        while turns := tools.journal.turns(run.run_no, first=first, crc=crc):
            for turn in turns:
                # To decode the others would take long if there are many.
                if _SAYS_CHILD in turn.commands or _SAYS_CHILD in turn.message:
                    _note_children(run, *decode_turn(turn))
            first, crc = turns[-1].turn_no + 1, turns[-1].crc
    except (CorruptError, FormatError, ValueError) as damage:
        # It must be possible to end it all the same.
        logger.error("the history of run %d cannot be read, nor all its children found: %s", run.run_no, damage)


_SAYS_CHILD = b"child"


def _note_children(run: RunState, message: Message, commands: list[Command]) -> None:
    if isinstance(message, MessageSkipped):
        message = decode_message(message.message)
    if isinstance(message, (ChildCompleted, ChildFailed, ChildStartFailed)):
        run.children.pop(message.id, None)
    for command in commands:
        if isinstance(command, StartChild):
            run.children[command.id] = command


def open_child(tools: Tools, run: RunState, child: StartChild) -> Peer | None:
    """The run of a child that is open now: its first one, or one that has gone on from it."""
    try:
        target = tools.directory.find_open(child.workflow_id, "")
    except GreenroomError as damage:
        _bear(damage, "child %r of run %d cannot be reached: %s", child.workflow_id, run.run_no)
        return None
    if target is None:
        return None
    facts = decode_facts(target.run.header.facts)
    return target if (facts.parent_run_no, facts.parent_item) == (run.run_no, child.id) else None


def _bear(damage: Exception, told: str, *args: object) -> None:
    """Another run is damaged, which must not keep this one from its end; a disk that does not answer is asked again."""
    if is_passing(damage.__cause__ or damage):
        raise damage
    logger.error(told, *args, damage)


def _name(run: RunState) -> tuple[str, int]:
    return run.header.workflow_id, run.run_no


def tell_parent(tools: Tools, run: RunState, outcome: Outcome, time_ns: int) -> None:
    """A run has ended for good: the run whose child it is hears of it, if it is still there."""
    facts = decode_facts(run.header.facts)
    try:
        parent = tools.directory.of_run(facts.parent_run_no) if facts.parent_run_no else None
    except GreenroomError as damage:
        _bear(damage, "the parent of workflow %r (run %d) cannot be told of its end: %s", *_name(run))
        return
    if parent is None or not parent.is_open:
        return
    leave_row(tools, parent, end_of_child(run.header, facts.parent_item, outcome), time_ns)


def end_of_child(header: RunHeader, item: int, outcome: Outcome) -> Message:
    """What its parent is told of the end of a child.

    Args:
        item: the number of the command that has started it.
    """
    if outcome.failure is None:
        return ChildCompleted(item, outcome.result)
    facts = decode_facts(header.facts)
    known: Facts = {
        "workflow_type": header.workflow_type,
        "workflow_id": header.workflow_id,
        "run_id": header.run_id,
        "attempt": facts.attempt,
        "retry_state": facts.retry_state or None,
    }
    failure = Failure(FailureKind.CHILD_WORKFLOW, "child workflow failed", cause=outcome.failure, facts=known)
    return ChildFailed(item, failure)
