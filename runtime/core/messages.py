"""What has happened to a run: frozen values in the past tense, each with a stable name on disk."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from typing import Any, Self, TypeVar

import msgspec
from msgspec.structs import replace

from ..model.copied_run import CopiedRun
from ..model.failures import Failure
from ..model.options import WorkflowOptions
from .origins import Origin

__all__ = [
    "ActivityCompleted",
    "ActivityFailed",
    "CancelRequested",
    "ChildCancelRequested",
    "ChildCompleted",
    "ChildFailed",
    "ChildStartFailed",
    "ChildStarted",
    "ExternalCancelResolved",
    "ExternalSignalResolved",
    "HistoryCopied",
    "Message",
    "MessageSkipped",
    "RunReset",
    "RunTerminated",
    "RunTimedOut",
    "SignalReceived",
    "SignalReceivedFrom",
    "SignalReceivedOnce",
    "TimerFired",
    "UpdateReceived",
    "WorkflowStarted",
    "asked_once_in",
    "change_start",
    "decode_message",
    "encode_message",
    "is_pinned",
    "pinned",
]

M = TypeVar("M", bound="Message")


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing that entered a run; the first half of a turn.

    Some have an ``is_pinned``: whether they are for one run alone, and not for another one that goes on in its place.
    """


class WorkflowStarted(Message, frozen=True, array_like=True, gc=False, tag="started"):
    """A run began: everything that a replay needs to know of the start stands here."""

    workflow_type: str
    args: bytes
    workflow_id: str
    run_id: str
    first_run_id: str
    options: WorkflowOptions
    python: str
    flags: int
    origin: Origin | None = None


class SignalReceived(Message, frozen=True, array_like=True, gc=False, tag="signal"):
    """A signal came in; ``sender`` is the id of the workflow that sent it, empty for a client."""

    name: str
    args: bytes
    sender: str = ""


class SignalReceivedOnce(SignalReceived, frozen=True, array_like=True, gc=False, tag="signal-once"):
    """A signal came in that is not to come in again: no other one with its key does, as long as the run is kept."""

    key: str = ""
    identity: str = ""
    is_pinned: bool = False


class SignalReceivedFrom(SignalReceived, frozen=True, array_like=True, gc=False, tag="signal-from"):
    """A signal came in whose sender has said on whose behalf, or for which run alone: most say neither, and have
    nothing of it in their record."""

    identity: str = ""
    is_pinned: bool = False


class UpdateReceived(Message, frozen=True, array_like=True, gc=False, tag="update"):
    """A client asked for an update, and the run has accepted it: one that is refused has no turn.

    Attributes:
        is_near_limit: whether the run has taken nearly as many as one may, and should go on as new.
    """

    name: str
    args: bytes
    update_id: str
    is_near_limit: bool = False
    identity: str = ""
    is_pinned: bool = False

    def near_limit(self) -> Self:
        """The same, of a run that should go on as new."""
        return msgspec.structs.replace(self, is_near_limit=True)


class ActivityCompleted(Message, frozen=True, array_like=True, gc=False, tag="activity-completed"):
    """The activity of command ``id`` returned."""

    id: int
    result: bytes
    attempt: int = 1


class ActivityFailed(Message, frozen=True, array_like=True, gc=False, tag="activity-failed"):
    """The activity of command ``id`` failed for good."""

    id: int
    failure: Failure
    attempt: int = 1


class TimerFired(Message, frozen=True, array_like=True, gc=False, tag="timer-fired"):
    """The timer of command ``id`` is due."""

    id: int


class ExternalSignalResolved(Message, frozen=True, array_like=True, gc=False, tag="external-signal-resolved"):
    """The signal of command ``id`` is in the other run's mailbox, or was refused."""

    id: int
    failure: Failure | None = None


class ExternalCancelResolved(Message, frozen=True, array_like=True, gc=False, tag="external-cancel-resolved"):
    """The other run has been asked to end, as command ``id`` wanted, or there is none."""

    id: int
    failure: Failure | None = None


class ChildStarted(Message, frozen=True, array_like=True, gc=False, tag="child-started"):
    """The child of command ``id`` is there."""

    id: int
    run_id: str


class ChildStartFailed(Message, frozen=True, array_like=True, gc=False, tag="child-start-failed"):
    """The child of command ``id`` was not started: its workflow id is taken by the run that is named."""

    id: int
    workflow_id: str
    run_id: str = ""
    workflow_type: str = ""


class ChildCompleted(Message, frozen=True, array_like=True, gc=False, tag="child-completed"):
    """The child of command ``id`` returned."""

    id: int
    result: bytes


class ChildFailed(Message, frozen=True, array_like=True, gc=False, tag="child-failed"):
    """The child of command ``id`` ended without a result."""

    id: int
    failure: Failure


class ChildCancelRequested(Message, frozen=True, array_like=True, gc=False, tag="child-cancel-requested"):
    """The child of command ``id`` has been asked to end."""

    id: int


class CancelRequested(Message, frozen=True, array_like=True, gc=False, tag="cancel-requested"):
    """Somebody asked the run to end by itself."""

    reason: str
    identity: str = ""
    is_pinned: bool = False


class MessageSkipped(Message, frozen=True, array_like=True, gc=False, tag="skipped"):
    """The run could not take a message, and somebody has told it to go on without: it never hears of it.

    ``message`` is the record of it.
    """

    message: bytes


class RunTimedOut(Message, frozen=True, array_like=True, gc=False, tag="run-timed-out"):
    """The run's deadline passed, or that of its chain; the run is closed without asking its code."""

    is_execution: bool = False


class RunTerminated(Message, frozen=True, array_like=True, gc=False, tag="run-terminated"):
    """Somebody ended the run by force; it is closed without asking its code.

    ``details`` is the payload of an argument list; b"" for none.
    """

    reason: str
    details: bytes = b""
    identity: str = ""
    is_pinned: bool = False


class RunReset(Message, frozen=True, array_like=True, gc=False, tag="run-reset"):
    """Somebody has the workflow go on from an earlier turn of the run, as the run ``next_run_id``; this one is closed
    without asking its code."""

    reason: str
    next_run_id: str
    identity: str = ""


class HistoryCopied(Message, frozen=True, array_like=True, gc=False, tag="history-copied"):
    """The turns so far are those of another run, word for word; from here on the run is what ``started`` says."""

    started: WorkflowStarted
    source: CopiedRun


AnyMessage = (
    WorkflowStarted
    | SignalReceived
    | SignalReceivedFrom
    | SignalReceivedOnce
    | UpdateReceived
    | ActivityCompleted
    | ActivityFailed
    | TimerFired
    | ExternalSignalResolved
    | ExternalCancelResolved
    | ChildStarted
    | ChildStartFailed
    | ChildCompleted
    | ChildFailed
    | ChildCancelRequested
    | CancelRequested
    | MessageSkipped
    | RunTimedOut
    | RunTerminated
    | RunReset
    | HistoryCopied
)

encode_message = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(AnyMessage).decode


def decode_message(data: bytes) -> Message:
    """Read one message from its record.

    Raises:
        ValueError: the bytes are not a message of a kind known to this release.
    """
    try:
        message: Message = _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not a message: {error}") from error
    return message


def pinned(message: M) -> M:
    """The same, for one run alone."""
    plain: Any = message
    if message.__class__ is SignalReceived:
        plain = SignalReceivedFrom(plain.name, plain.args, plain.sender)
    same: M = replace(plain, is_pinned=True)
    return same


def is_pinned(message: Message) -> bool:
    """Whether a message is for one run alone."""
    return bool(getattr(message, "is_pinned", False))


def change_start(started: WorkflowStarted, **changes: Any) -> WorkflowStarted:
    """What a run was begun as, with other values in the fields that are named."""
    return replace(started, **changes)


def asked_once_in(data: bytes) -> tuple[str, str] | None:
    """What a record asks for that is not to be asked for again: "update" and its id, or "signal" and its key; None if
    it holds another message."""
    if not data.startswith(ASKED_ONCE, 2):
        return None
    try:
        message = decode_message(data)
    except ValueError:
        # A newer release may have written it; whoever takes it says so.
        return None
    if isinstance(message, SignalReceivedOnce):
        return "signal", message.key
    return ("update", message.update_id) if isinstance(message, UpdateReceived) else None


ASKED_ONCE = b"update", b"signal-once"
"""With what records go on, behind two bytes, that ``asked_once_in`` has something to say of: few do."""
