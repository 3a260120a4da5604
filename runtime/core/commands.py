"""What a run asks for: frozen values in the imperative, each with a stable name on disk.

Every command has an ``id`` (its place among the run's commands), a ``name`` (the type of what is asked for) and a
``site`` (file and line that asked); kind, id and name are what a replay compares.
"""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from typing import Any

import msgspec

from ..model.failures import Failure
from ..model.options import ActivityOptions, WorkflowOptions

__all__ = [
    "CancelActivity",
    "CancelExternal",
    "CancelTimer",
    "CancelWorkflow",
    "Command",
    "CompleteUpdate",
    "CompleteWorkflow",
    "ContinueAsNew",
    "DeadLetterSignal",
    "FailWorkflow",
    "RecordPatch",
    "RecordSideEffect",
    "RecordVersion",
    "RequestCancelActivity",
    "RequestCancelChild",
    "ScheduleActivity",
    "SignalExternal",
    "SignalWithStart",
    "StartChild",
    "StartTimer",
    "UpsertMemo",
    "UpsertSearchAttributes",
    "decode_commands",
    "encode_commands",
    "kind_of",
]


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing a run asked for; the second half of a turn is a list of these."""

    id: int
    name: str
    site: str


class ScheduleActivity(Command, frozen=True, array_like=True, gc=False, tag="schedule-activity"):
    """Perform the activity ``name``."""

    args: bytes
    options: ActivityOptions


class CancelActivity(Command, frozen=True, array_like=True, gc=False, tag="cancel-activity"):
    """The run no longer waits for the activity of command ``id``."""


class RequestCancelActivity(Command, frozen=True, array_like=True, gc=False, tag="request-cancel-activity"):
    """The activity of command ``id`` is to end, and the run waits for what it answers."""


class StartTimer(Command, frozen=True, array_like=True, gc=False, tag="start-timer"):
    """Wake the run at ``at_ns``; ``name`` is a line for people, which a replay does not compare."""

    at_ns: int


class CancelTimer(Command, frozen=True, array_like=True, gc=False, tag="cancel-timer"):
    """The timer of command ``id`` is no longer wanted."""


class SignalExternal(Command, frozen=True, array_like=True, gc=False, tag="signal-external"):
    """Put the signal ``name`` in another run's mailbox; ``run_id`` empty means the current run of that id.

    ``child`` is the number of the command that started it, if only that child is meant and nobody who has its id now.
    """

    workflow_id: str
    run_id: str
    args: bytes
    child: int = 0


class SignalWithStart(Command, frozen=True, array_like=True, gc=False, tag="signal-with-start"):
    """Put the signal ``name`` in the mailbox of the current run of a workflow id, or start one that gets it first."""

    workflow_id: str
    args: bytes
    workflow_type: str
    start_args: bytes
    options: WorkflowOptions
    reuse: int


class CancelExternal(Command, frozen=True, array_like=True, gc=False, tag="cancel-external"):
    """Ask another run to end; ``run_id`` empty means the current run of that id."""

    workflow_id: str
    run_id: str
    reason: str


class StartChild(Command, frozen=True, array_like=True, gc=False, tag="start-child"):
    """Start a workflow of the type ``name`` as a child of the run; ``reuse`` is a ``WorkflowIDReusePolicy``."""

    workflow_id: str
    args: bytes
    options: WorkflowOptions
    reuse: int


class RequestCancelChild(Command, frozen=True, array_like=True, gc=False, tag="request-cancel-child"):
    """The child of command ``id`` is to end."""

    reason: str


class DeadLetterSignal(Command, frozen=True, array_like=True, gc=False, tag="dead-letter-signal"):
    """Put the signal ``name`` aside where people see it: its arguments could not be decoded."""

    args: bytes
    sender: str
    reason: str


class RecordSideEffect(Command, frozen=True, array_like=True, gc=False, tag="record-side-effect"):
    """Keep what a local call gave, so that a replay need not call again."""

    value: bytes
    failure: Failure | None = None


class UpsertMemo(Command, frozen=True, array_like=True, gc=False, tag="upsert-memo"):
    """Change the run's notes: names and payloads, nil for one that goes."""

    changes: bytes


class UpsertSearchAttributes(Command, frozen=True, array_like=True, gc=False, tag="upsert-search-attributes"):
    """Change what the run is found by: names, types and values, nil for one that goes."""

    changes: bytes


class RecordPatch(Command, frozen=True, array_like=True, gc=False, tag="record-patch"):
    """The run has taken the new way at the patch ``name``; ``id`` is 0, so that one which is not there shifts none."""

    is_deprecated: bool = False


class RecordVersion(Command, frozen=True, array_like=True, gc=False, tag="record-version"):
    """The run has this version of the change ``name``; ``id`` is 0."""

    version: int


class CompleteUpdate(Command, frozen=True, array_like=True, gc=False, tag="complete-update"):
    """The handler of the update ``name`` has ended: whoever asked gets the result or the failure."""

    update_id: str
    result: bytes
    failure: Failure | None = None


class CompleteWorkflow(Command, frozen=True, array_like=True, gc=False, tag="complete-workflow"):
    """Close the run with a result."""

    result: bytes


class FailWorkflow(Command, frozen=True, array_like=True, gc=False, tag="fail-workflow"):
    """Close the run with a failure."""

    failure: Failure


class CancelWorkflow(Command, frozen=True, array_like=True, gc=False, tag="cancel-workflow"):
    """Close the run as cancelled, as somebody asked for."""

    failure: Failure


class ContinueAsNew(Command, frozen=True, array_like=True, gc=False, tag="continue-as-new"):
    """Close the run, and begin another one of the workflow type ``name`` in its place.

    Of the options, ``memo`` and ``search_attributes`` are None where those of the run are to be taken over.
    """

    args: bytes
    options: WorkflowOptions


AnyCommand = (
    ScheduleActivity
    | CancelActivity
    | RequestCancelActivity
    | StartTimer
    | CancelTimer
    | SignalExternal
    | DeadLetterSignal
    | RecordSideEffect
    | RecordPatch
    | RecordVersion
    | CompleteUpdate
    | CompleteWorkflow
    | FailWorkflow
    | CancelWorkflow
    | ContinueAsNew
    | CancelExternal
    | SignalWithStart
    | StartChild
    | RequestCancelChild
    | UpsertMemo
    | UpsertSearchAttributes
)

encode_commands = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(list[AnyCommand]).decode


def decode_commands(data: bytes) -> list[Command]:
    """Read the commands of one turn from their record, in the order they were asked for.

    Raises:
        ValueError: the bytes are not commands of kinds known to this release.
    """
    try:
        commands: list[Command] = _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not a list of commands: {error}") from error
    return commands


def kind_of(command: Command) -> str:
    """The stable name of a command's kind, as it stands on disk."""
    return str(command.__struct_config__.tag)
