"""Reads a run's history from the journal, in slices, on whatever thread asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from typing import Any

from ...actors import Future
from ...storage import CorruptError, Journal, RunHeader
from ..core import commands, messages
from ..core.commands import Command
from ..core.messages import Message
from ..model.attribute_values import decode_attributes, shown
from ..model.errors import WorkflowNotFoundError
from ..model.failures import Failure, FailureKind
from ..model.history import HistoryEvent, WorkflowHistory
from ..model.instants import instant
from ..model.memos import decode_memo_changes
from ..model.payload_converter import PayloadConverter
from .encoding import decode_turn

__all__ = ["HistoryFuture", "read_history"]

SLICE = 1000

Found = tuple[int, RunHeader]


class HistoryFuture(Future[WorkflowHistory]):
    """A history that is read on the thread that gets it, and on a thread of its own for a loop that awaits it.

    Args:
        found: the run's number and header.
        read: reads its history.
    """

    __slots__ = ("_found",)

    def __init__(self, found: Future[Found], read: Callable[[Found], WorkflowHistory]) -> None:
        super().__init__()
        self._found = found
        derived = Future._derived(lambda timeout: read(found.get(timeout=timeout)), found)
        self._hook = derived._hook

    def __await__(self) -> Generator[Any, None, WorkflowHistory]:
        """Wait in asyncio; the loop goes on while a long history is read."""
        yield from self._found.__await__()
        return (yield from asyncio.to_thread(self.get).__await__())

    __iter__ = __await__


def read_history(journal: Journal, converter: PayloadConverter, run_no: int, header: RunHeader) -> WorkflowHistory:
    """The events of one run.

    Raises:
        WorkflowNotFoundError: it was deleted while it was read.
        StorageError: the journal cannot be read.
        ValueError: a turn holds something that this release does not know.
    """
    try:
        history = _read(journal, converter, run_no, header)
    except CorruptError:
        if journal.header(run_no) is not None:
            raise
    else:
        if journal.header(run_no) is not None:
            return history
    raise WorkflowNotFoundError(header.workflow_id, header.run_id)


def _read(journal: Journal, converter: PayloadConverter, run_no: int, header: RunHeader) -> WorkflowHistory:
    events: list[HistoryEvent] = []
    first, crc = 0, None
    while True:
        turns = journal.turns(run_no, first=first, limit=SLICE, crc=crc)
        for turn in turns:
            time = instant(turn.time_ns)
            message, asked = decode_turn(turn)
            steps: list[Message | Command] = [message, *_told_with(message), *asked]
            for step in steps:
                kind, facts = _EVENTS[type(step)]
                events.append(HistoryEvent(len(events) + 1, turn.turn_no, time, kind, facts(converter, step)))
            first, crc = turn.turn_no + 1, turn.crc
        if len(turns) < SLICE:
            return WorkflowHistory(header.workflow_id, header.run_id, tuple(events))


def _told_with(message: Message) -> list[Message]:
    """The signals that a start has brought along, which the code hears before its main function begins."""
    if not isinstance(message, messages.WorkflowStarted) or message.origin is None:
        return []
    return [messages.decode_message(data) for data in message.origin.signals]


Facts = Callable[[PayloadConverter, Any], Mapping[str, Any]]


def _copied(converter: PayloadConverter, step: messages.HistoryCopied) -> Mapping[str, Any]:
    source = step.source
    facts = {"workflow": source.workflow_id, "run": source.run_id, "turn": source.turn}
    return {**facts, **({"reason": source.reason} if source.reason else {}), **_by(source)}


def _args(converter: PayloadConverter, data: bytes) -> object:
    try:
        return converter.decode_args(data, None)
    except Exception:
        # A history is shown even where one of its values cannot be.
        return f"<{len(data)} bytes that cannot be decoded>"


def _value(converter: PayloadConverter, data: bytes) -> object:
    try:
        return converter.decode(data)
    except Exception:
        # As above.
        return f"<{len(data)} bytes that cannot be decoded>"


def _why(failure: Failure | None) -> str | None:
    parts: list[str] = []
    while failure is not None:
        parts.append(failure.headline)
        failure = failure.cause
    return " <- ".join(parts) or None


def _terminated(converter: PayloadConverter, step: messages.RunTerminated) -> Mapping[str, Any]:
    details = {"details": _args(converter, step.details)} if step.details else {}
    return {"reason": step.reason, **details, **_by(step)}


def _cancelled(converter: PayloadConverter, step: commands.CancelWorkflow) -> Mapping[str, Any]:
    why = _why(step.failure)
    return {} if why in (None, FailureKind.CANCELLED.value) else {"failure": why}


def _started(converter: PayloadConverter, step: messages.WorkflowStarted) -> Mapping[str, Any]:
    options = step.options
    notes: dict[str, Any] = {
        "summary": options.summary,
        "memo": _memo(converter, decode_memo_changes(options.memo)),
        "search_attributes": _attributes(options.search_attributes),
    }
    told = {name: value for name, value in notes.items() if value}
    identity: Mapping[str, Any] = {} if step.origin is None else _by(step.origin)
    return {"type": step.workflow_type, "args": _args(converter, step.args), **told, **identity}


def _memo(converter: PayloadConverter, changes: Mapping[str, bytes | None]) -> Mapping[str, Any]:
    return {key: None if payload is None else _value(converter, payload) for key, payload in changes.items()}


def _attributes(changes: bytes | None) -> Mapping[str, Any]:
    stored = decode_attributes(changes)
    return {name: None if value is None else shown(kind, value) for name, (kind, value) in stored.items()}


def _memo_upserted(converter: PayloadConverter, step: commands.UpsertMemo) -> Mapping[str, Any]:
    return {"memo": _memo(converter, decode_memo_changes(step.changes)), "at": step.site}


def _attributes_upserted(converter: PayloadConverter, step: commands.UpsertSearchAttributes) -> Mapping[str, Any]:
    return {"search_attributes": _attributes(step.changes), "at": step.site}


def _continued(converter: PayloadConverter, step: commands.ContinueAsNew) -> Mapping[str, Any]:
    return {"type": step.name, "args": _args(converter, step.args), "at": step.site}


def _child(converter: PayloadConverter, step: commands.StartChild) -> Mapping[str, Any]:
    what = {"id": step.id, "type": step.name, "workflow": step.workflow_id}
    return {**what, "args": _args(converter, step.args), "at": step.site}


def _by(step: Any) -> Mapping[str, Any]:
    """Who has asked for it, if that was said."""
    return {"identity": step.identity} if step.identity else {}


def _signalled(converter: PayloadConverter, step: messages.SignalReceived) -> Mapping[str, Any]:
    sender = {"sender": step.sender} if step.sender else {}
    return {"name": step.name, "args": _args(converter, step.args), **sender}


def _signalled_once(converter: PayloadConverter, step: messages.SignalReceivedOnce) -> Mapping[str, Any]:
    return {**_signalled(converter, step), "idempotency_key": step.key, **_by(step)}


def _signalled_from(converter: PayloadConverter, step: messages.SignalReceivedFrom) -> Mapping[str, Any]:
    return {**_signalled(converter, step), **_by(step)}


def _updated(converter: PayloadConverter, step: messages.UpdateReceived) -> Mapping[str, Any]:
    return {"name": step.name, "id": step.update_id, "args": _args(converter, step.args), **_by(step)}


def _update_completed(converter: PayloadConverter, step: commands.CompleteUpdate) -> Mapping[str, Any]:
    outcome = {"result": _value(converter, step.result)} if step.failure is None else {"failure": _why(step.failure)}
    return {"name": step.name, "id": step.update_id, **outcome}


def _scheduled(converter: PayloadConverter, step: commands.ScheduleActivity) -> Mapping[str, Any]:
    summary = {"summary": step.options.summary} if step.options.summary else {}
    return {"id": step.id, "type": step.name, "args": _args(converter, step.args), **summary, "at": step.site}


def _timer(converter: PayloadConverter, step: commands.StartTimer) -> Mapping[str, Any]:
    summary = {"summary": step.name} if step.name else {}
    return {"id": step.id, "due": instant(step.at_ns).isoformat(), **summary, "at": step.site}


def _external(converter: PayloadConverter, step: commands.SignalExternal) -> Mapping[str, Any]:
    return {
        "id": step.id,
        "workflow": step.workflow_id,
        "name": step.name,
        "args": _args(converter, step.args),
        "at": step.site,
    }


def _resolved(converter: PayloadConverter, step: messages.ExternalSignalResolved) -> Mapping[str, Any]:
    return {"id": step.id} if step.failure is None else {"id": step.id, "failure": _why(step.failure)}


def _skipped(converter: PayloadConverter, step: messages.MessageSkipped) -> Mapping[str, Any]:
    kind, facts = _EVENTS[type(message := messages.decode_message(step.message))]
    return {"message": kind, **facts(converter, message)}


def _side_effect(converter: PayloadConverter, step: commands.RecordSideEffect) -> Mapping[str, Any]:
    outcome = {"value": _value(converter, step.value)} if step.failure is None else {"failure": _why(step.failure)}
    return {"id": step.id, **outcome, "at": step.site}


def _patched(converter: PayloadConverter, step: commands.RecordPatch) -> Mapping[str, Any]:
    deprecated = {"deprecated": True} if step.is_deprecated else {}
    return {"patch": step.name, **deprecated, "at": step.site}


_EVENTS: dict[type[Message] | type[Command], tuple[str, Facts]] = {
    messages.WorkflowStarted: ("WorkflowStarted", _started),
    messages.SignalReceived: ("SignalReceived", _signalled),
    messages.SignalReceivedFrom: ("SignalReceived", _signalled_from),
    messages.SignalReceivedOnce: ("SignalReceived", _signalled_once),
    messages.UpdateReceived: ("UpdateAccepted", _updated),
    messages.ActivityCompleted: (
        "ActivityCompleted",
        lambda converter, step: {"id": step.id, "result": _value(converter, step.result), "attempt": step.attempt},
    ),
    messages.ActivityFailed: (
        "ActivityFailed",
        lambda converter, step: {"id": step.id, "failure": _why(step.failure), "attempt": step.attempt},
    ),
    messages.TimerFired: ("TimerFired", lambda converter, step: {"id": step.id}),
    messages.ExternalSignalResolved: ("ExternalSignalResolved", _resolved),
    messages.CancelRequested: ("WorkflowCancelRequested", lambda converter, step: {"reason": step.reason, **_by(step)}),
    messages.MessageSkipped: ("MessageSkipped", _skipped),
    messages.RunTimedOut: ("WorkflowTimedOut", lambda converter, step: {}),
    messages.RunTerminated: ("WorkflowTerminated", _terminated),
    messages.RunReset: (
        "WorkflowReset",
        lambda converter, step: {"reason": step.reason, "next_run": step.next_run_id, **_by(step)},
    ),
    messages.HistoryCopied: ("HistoryCopied", _copied),
    messages.ExternalCancelResolved: ("ExternalCancelResolved", _resolved),
    messages.ChildStarted: ("ChildWorkflowStarted", lambda converter, step: {"id": step.id, "run": step.run_id}),
    messages.ChildStartFailed: (
        "ChildWorkflowStartFailed",
        lambda converter, step: {"id": step.id, "workflow": step.workflow_id, "taken by": step.run_id},
    ),
    messages.ChildCompleted: (
        "ChildWorkflowCompleted",
        lambda converter, step: {"id": step.id, "result": _value(converter, step.result)},
    ),
    messages.ChildFailed: (
        "ChildWorkflowFailed",
        lambda converter, step: {"id": step.id, "failure": _why(step.failure)},
    ),
    messages.ChildCancelRequested: ("ChildWorkflowCancelRequested", lambda converter, step: {"id": step.id}),
    commands.StartChild: ("ChildWorkflowInitiated", _child),
    commands.RequestCancelChild: ("ChildWorkflowCancelInitiated", lambda converter, step: {"id": step.id}),
    commands.SignalWithStart: (
        "SignalWithStartInitiated",
        _external,
    ),
    commands.CancelExternal: (
        "ExternalCancelInitiated",
        lambda converter, step: {"id": step.id, "workflow": step.workflow_id, "reason": step.reason},
    ),
    commands.ContinueAsNew: ("WorkflowContinuedAsNew", _continued),
    commands.ScheduleActivity: ("ActivityScheduled", _scheduled),
    commands.CancelActivity: ("ActivityCancelRequested", lambda converter, step: {"id": step.id, "at": step.site}),
    commands.RequestCancelActivity: (
        "ActivityCancelRequested",
        lambda converter, step: {"id": step.id, "at": step.site},
    ),
    commands.StartTimer: ("TimerStarted", _timer),
    commands.CancelTimer: ("TimerCancelled", lambda converter, step: {"id": step.id, "at": step.site}),
    commands.SignalExternal: ("ExternalSignalRequested", _external),
    commands.DeadLetterSignal: (
        "SignalDeadLettered",
        lambda converter, step: {"name": step.name, "reason": step.reason},
    ),
    commands.RecordSideEffect: ("SideEffectRecorded", _side_effect),
    commands.RecordPatch: ("PatchRecorded", _patched),
    commands.RecordVersion: (
        "VersionRecorded",
        lambda converter, step: {"change": step.name, "version": step.version, "at": step.site},
    ),
    commands.CompleteUpdate: ("UpdateCompleted", _update_completed),
    commands.CompleteWorkflow: (
        "WorkflowCompleted",
        lambda converter, step: {"result": _value(converter, step.result)},
    ),
    commands.FailWorkflow: ("WorkflowFailed", lambda converter, step: {"failure": _why(step.failure)}),
    commands.CancelWorkflow: ("WorkflowCancelled", _cancelled),
    commands.UpsertMemo: ("MemoUpserted", _memo_upserted),
    commands.UpsertSearchAttributes: ("SearchAttributesUpserted", _attributes_upserted),
}
