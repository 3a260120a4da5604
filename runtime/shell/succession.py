"""A run ends and another one of its workflow goes on: both in one transaction, and what was on its way to the first
reaches the second."""

from __future__ import annotations

from typing import Any

from ...actors import Envelope, Mailbox
from ...storage import StorageError
from ..core.commands import ContinueAsNew
from ..core.messages import (
    CancelRequested,
    RunTerminated,
    SignalReceived,
    SignalReceivedOnce,
    UpdateReceived,
    WorkflowStarted,
    decode_message,
    is_pinned,
)
from ..core.origins import Origin
from ..model.errors import RetryState, TimeoutType
from ..model.failures import Failure
from ..model.ids import run_no_of
from ..model.options import WorkflowOptions, change_options, encode_workflow_options
from ..model.retry import Retry, decide
from ..model.run_facts import RunFacts, change_facts, decode_facts
from ..model.values import Value
from .beginning import NewRun, make_run
from .begun_as import begun_as
from .closing import lose_mail
from .delivery import Delivery
from .headers import put_header
from .journal_seam import is_passing
from .noting import options_of_next_run
from .once import carry_keys
from .run_state import RunState
from .tools import Peer, Tools

__all__ = ["GOES_ON", "carry_over", "continue_run", "pass_on", "retry_run", "started_of", "successor_of"]

GOES_ON = (SignalReceived, UpdateReceived, CancelRequested, RunTerminated)
"""Messages that are for the workflow, whichever of its runs is there to take them."""

# What a run has taken of these is not for the next one.
_TAKEN_ONCE = SignalReceivedOnce, UpdateReceived


def continue_run(tools: Tools, run: RunState, started: WorkflowStarted, command: ContinueAsNew, time_ns: int) -> str:
    """Have another run begin with new arguments, in the open sweep.

    Returns:
        Its run id.
    """
    origin = _origin_after(run, started.origin or Origin())
    return _go_on(tools, run, command.name, command.args, command.options, origin, time_ns)


class Repetition(Value, frozen=True):
    """What follows a run that has failed.

    Attributes:
        run_id: the run that repeats it; empty if none does.
        retry_state: why none does; None if one does, or nobody can say.
    """

    run_id: str = ""
    retry_state: RetryState | None = None


def retry_run(
    tools: Tools, run: RunState, started: WorkflowStarted | None, failure: Failure, time_ns: int
) -> Repetition:
    """Have a run that has failed repeated by another one, in the open sweep, if its retry policy says so."""
    if started is None:
        return Repetition(retry_state=RetryState.TIMEOUT if failure.timeout_type is TimeoutType.EXECUTION else None)
    before = started.origin or Origin()
    chain_started_ns = before.chain_started_ns or run.header.started_ns
    policy, limit_ns = started.options.retry_policy, started.options.execution_timeout_ns
    decided = decide(policy, before.attempt, failure, time_ns - chain_started_ns, limit_ns, run.header.run_id)
    if not isinstance(decided, Retry):
        return Repetition(retry_state=decided.retry_state)
    origin = _origin_after(run, before, attempt=before.attempt + 1, last_failure=failure)
    options = change_options(started.options, memo=None, search_attributes=None, start_delay_ns=decided.delay_ns)
    return Repetition(_go_on(tools, run, started.workflow_type, started.args, options, origin, time_ns))


def _origin_after(run: RunState, before: Origin, *, attempt: int = 1, last_failure: Failure | None = None) -> Origin:
    """Where the next run of a chain comes from: its place among relatives is that of the one that has ended."""
    return Origin(
        attempt=attempt,
        continued_run_id=run.header.run_id,
        chain_started_ns=before.chain_started_ns or run.header.started_ns,
        last_result=before.last_result,
        last_failure=last_failure,
        parent=before.parent,
        root=before.root,
    )


def started_of(tools: Tools, run: RunState) -> WorkflowStarted | None:
    """The message that began a run whose code is not there, or that it would have begun with; None if that is not on
    disk yet, or damaged."""
    try:
        message = begun_as(tools.journal, run)
        if message is None:
            waiting = map(decode_message, run.rows.values())
            message = next((each for each in waiting if isinstance(each, WorkflowStarted)), None)
    except (StorageError, ValueError) as damage:
        if is_passing(damage):
            raise
        return None
    return message if isinstance(message, WorkflowStarted) else None


def _go_on(
    tools: Tools, run: RunState, name: str, args: bytes, options: WorkflowOptions, origin: Origin, time_ns: int
) -> str:
    header = run.header
    known, options = decode_facts(header.facts), options_of_next_run(options, header)
    parent = known.parent_run_no
    facts = RunFacts(parent_run_no=parent, parent_item=known.parent_item, attempt=origin.attempt if parent else 1)
    new = NewRun(
        name,
        args,
        header.workflow_id,
        options,
        encode_workflow_options(options),
        header.first_run_id,
        origin,
        facts,
    )
    state, message = make_run(tools.sweep, tools.journal.store_uuid.encode(), time_ns, new)
    tools.directory.begin_beside(state, message)
    return message.run_id


def successor_of(tools: Tools, run: RunState) -> Peer | None:
    """The run that goes on where this one has ended, or where that one has: the one that is open, if there is one."""
    next_run_no = run_no_of(decode_facts(run.header.facts).next_run_id)
    while next_run_no is not None:
        peer = tools.directory.of_run(next_run_no)
        if peer is not None and peer.is_open:
            return peer
        header = tools.directory.header(next_run_no)
        next_run_no = None if header is None else run_no_of(decode_facts(header.facts).next_run_id)
    return None


def carry_over(
    tools: Tools, run: RunState, mailbox: Mailbox, unread: list[SignalReceived], time_ns: int
) -> list[SignalReceived]:
    """Give the run that goes on what this one was sent and has not read, in the order in which it came.

    Args:
        mailbox: that of the run that has ended.
        unread: the signals that it was told of and that nothing in it has read.

    Returns:
        Those among them that nobody will read: what is for this run alone, and all of them if none goes on.
    """
    successor = successor_of(tools, run)
    if successor is None:
        return unread
    carried = [signal for signal in unread if not is_pinned(signal)]
    for signal in carried:
        successor.leave(signal, time_ns)
    if carried:
        facts = change_facts(run.header.facts, carried=len(carried))
        put_header(tools.sweep, run, run.header._replace(facts=facts))
    # A reset takes up again what this run has heard since; which keys are known there stands in what it has copied.
    if run.heard and decode_facts(successor.run.header.facts).copied is None:
        carry_keys(tools, run, successor.run, carried)
    stays: list[Envelope[Any]] = []
    lost: list[bytes] = []
    for delivery in mailbox.take_mail():
        if not isinstance(delivery, Delivery):
            continue
        if delivery.seq is not None:
            if delivery.seq in run.rows:
                lost += _move_row(tools, run, successor, delivery.seq, time_ns)
        elif _is_for_another(run, delivery):
            _hand_on(tools, run, successor, delivery)
        elif delivery.reply_to is not None or isinstance(delivery.message, UpdateReceived):
            stays.append(delivery)
    for seq in list(run.rows):
        lost += _move_row(tools, run, successor, seq, time_ns)
    if lost:
        lose_mail(tools, run, lost, run.status, time_ns)
    # Whoever means this run is told how it has ended.
    mailbox.put_back(stays)
    return [signal for signal in unread if is_pinned(signal)]


def pass_on(tools: Tools, run: RunState, delivery: Delivery) -> bool:
    """Give the run that goes on a message that came too late for this one; whether it gets it."""
    successor = successor_of(tools, run)
    is_passed_on = successor is not None and delivery.seq is None and _is_for_another(run, delivery)
    if successor is not None and is_passed_on:
        _hand_on(tools, run, successor, delivery)
    return is_passed_on or (successor is not None and delivery.seq is not None)


def _is_for_another(run: RunState, delivery: Delivery) -> bool:
    """Whether a message is for the workflow, and not for this run or about what this run has taken."""
    message = delivery.message
    if is_pinned(message) or (isinstance(message, _TAKEN_ONCE) and run.is_stale(message)):
        return False
    return isinstance(message, GOES_ON)


def _hand_on(tools: Tools, run: RunState, successor: Peer, delivery: Delivery) -> None:
    if isinstance(delivery.message, UpdateReceived):
        update_id = delivery.message.update_id
        # If the successor does not get to disk its mail is lost with it, as its start is.
        tools.sweep.undo(tools.updating.fail, run.run_no, update_id)
        tools.updating.move(run.run_no, successor.run.run_no, update_id)
    successor.accept(delivery)


def _move_row(tools: Tools, run: RunState, successor: Peer, seq: int, time_ns: int) -> list[bytes]:
    """Give the run that goes on a message that waits on disk; gives back what is for this run alone."""
    data = run.rows[seq]
    message = decode_message(data)
    tools.sweep.batch.take_mail(run.run_no, seq)
    run.take_row(seq)
    if is_pinned(message):
        return [data]
    if isinstance(message, UpdateReceived):
        tools.updating.move(run.run_no, successor.run.run_no, message.update_id)
    if isinstance(message, GOES_ON) and not run.has_heard_of(message):
        successor.leave(message, time_ns)
    return []
