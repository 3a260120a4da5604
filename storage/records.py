"""What is stored, as frozen values; fields are only ever added at the end, with a default."""

# No `from __future__ import annotations`: each annotation of a named tuple would be compiled whenever this is imported.
from typing import NamedTuple

from .keys import DueKind

__all__ = [
    "Attempt",
    "DeadLetter",
    "DelayedMail",
    "Due",
    "Items",
    "Mail",
    "Meta",
    "Retention",
    "RunHeader",
    "SignalKey",
    "Timer",
    "Turn",
    "Update",
]


class RunHeader(NamedTuple):
    """What is known of a run without replaying it.

    Attributes:
        workflow_id: the workflow.
        run_id: the run.
        workflow_type: the registered name.
        status: the number of a ``WorkflowExecutionStatus``.
        started_ns: when it began (ns since 1970, like all times here).
        closed_ns: when it ended, or None.
        deadline_ns: when it times out, or None.
        first_run_id: the first run of its chain.
        python: the Python version that began it, such as "3.11".
        turns: how many turns there are; 0 until it has ended.
        crc: the checksum of the last turn; 0 until it has ended.
        flags, options, outcome, stopped_at, facts: the runtime's own; they mean nothing to the storage.
        note: why it is stopped, if it is.
        indexed: the rows by which the run is found; see ``attribute_rows``.
        expires_ns: when it is to be deleted, or None.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    status: int
    started_ns: int
    closed_ns: int | None
    deadline_ns: int | None
    first_run_id: str
    python: str
    flags: int
    turns: int
    crc: int
    options: bytes
    outcome: bytes
    note: str
    stopped_at: int = 0
    facts: bytes = b""
    indexed: bytes = b""
    expires_ns: int | None = None


class Turn(NamedTuple):
    """One message and the commands it caused.

    Attributes:
        turn_no: its place in the history; the first is 0.
        time_ns: when it was taken (ns since 1970).
        message: as it is stored; ``RecordedRun.messages`` decodes it.
        commands: as they are stored; ``RecordedRun.commands`` decodes them.
        crc: the checksum, chained to that of the turn before.
    """

    turn_no: int
    time_ns: int
    message: bytes
    commands: bytes
    crc: int


class Mail(NamedTuple):
    """A message that waits on disk for its run; ``seq`` is the order of arrival in the whole journal."""

    seq: int
    time_ns: int
    message: bytes


class Attempt(NamedTuple):
    """An activity that waits for its next attempt, or of which something had to be written down.

    ``item`` is the activity's number in its run, ``next_ns`` the time of the next attempt if there is one, ``details``
    what its last heartbeat said. A row with neither ``next_ns`` nor ``started`` is there for its details alone.
    """

    item: int
    attempt: int
    next_ns: int | None
    started: bool
    schedule: bytes
    failure: bytes
    details: bytes = b""


class Timer(NamedTuple):
    """A timer that waits on disk; ``item`` is its number in its run."""

    item: int
    at_ns: int
    kind: int = DueKind.TIMER


class Due(NamedTuple):
    """Something of a run that is due at a time; ``kind`` is a ``DueKind``."""

    at_ns: int
    run_no: int
    kind: int
    item: int


class Update(NamedTuple):
    """An update that a run has accepted, or refused after its sender was told that it waits.

    ``outcome`` is empty until there is one. Kept as long as the run: a second update of that id gets the same outcome.
    """

    update_id: str
    outcome: bytes


class SignalKey(NamedTuple):
    """The idempotency key of a signal that a run has taken. Kept as long as the run: no other one with it is taken.

    ``at_ns`` is when that was; ``is_carried`` is whether it was an earlier run of the chain that has taken it.
    """

    key: str
    at_ns: int = 0
    is_carried: bool = False


class DelayedMail(NamedTuple):
    """A message that comes to its run at a time; ``is_pinned`` is whether it is for that run and no other of its
    chain."""

    item: int
    at_ns: int
    message: bytes
    is_pinned: bool


class DeadLetter(NamedTuple):
    """A message that nobody could take, with the reason."""

    seq: int
    run_no: int
    time_ns: int
    reason: str
    message: bytes


class Meta(NamedTuple):
    """The journal's own numbers; written by every commit.

    ``epoch`` counts owners, ``sequence`` counts commits, the two next numbers are the first that were never given away.
    """

    format: int
    store_uuid: str
    epoch: int
    sequence: int
    next_run_no: int
    next_seq: int
    created_ns: int
    lib_version: str


class Retention(NamedTuple):
    """How long ended runs are kept, as their ``expires_ns`` say it; what the text means is for the layer above."""

    policy: str


class Items(NamedTuple):
    """All that stands beside the history of one run, each list in key order."""

    mail: list[Mail]
    attempts: list[Attempt]
    timers: list[Timer]
    updates: list[Update]
    signal_keys: list[SignalKey]
    delayed: list[DelayedMail]
