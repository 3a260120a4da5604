"""One run as the journal sees it: its header, where its history ends, and what it waits for. No code of the run is in
here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ...storage import DelayedMail, DueKind, Items, RunHeader, SignalKey, Turn
from ..core.commands import CancelActivity, Command, RequestCancelActivity, ScheduleActivity, StartChild
from ..core.messages import (
    ASKED_ONCE,
    ActivityCompleted,
    ActivityFailed,
    CancelRequested,
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    HistoryCopied,
    Message,
    MessageSkipped,
    SignalReceivedOnce,
    TimerFired,
    UpdateReceived,
    asked_once_in,
    decode_message,
)
from ..model.options import WorkflowExecutionStatus
from .flights import Owner

__all__ = ["RunState"]


# The same for all runs that have none.
_NONE: dict[int, DelayedMail] = {}
# Likewise: Python makes a new one, of 216 bytes, whenever it is asked for an empty frozenset.
_NO_NUMBERS: frozenset[int] = frozenset()


class RunState:
    """What is known of a run.

    Attributes:
        turn_no: the number that the next turn gets.
        crc: checksum of the last turn.
        last_ns: time of the last turn; time does not go back within a run.
        activities: number of each activity without an outcome → its command and the time of its turn (ns).
        cancelling: numbers of those among them that were asked to end, and whose answer is waited for.
        children: number of each child that has not ended → the command that asked for it.
        child_runs: number of each of them that has begun → its first run.
        starts_ns: when a run begins whose start is delayed (ns); None for all others.
        timers: number of each timer that is neither fired nor cancelled → when it is due (ns).
        rows: sequence number of each message that waits on disk → the message.
        updates: id of each update that the run has accepted, or refused after it was admitted → whether it has an
            outcome; ``accept_update`` and ``end_update`` change it.
        is_active: whether the journal has the run among those that opening brings back.
        is_cancel_requested: whether its code has been asked to end.
        is_stored: whether the journal has the run at all.
        knows_its_end: whether turn_no, crc and last_ns are those of the end of the history.
    """

    __slots__ = (
        "_admitted",
        "_admitted_updates",
        "_delayed",
        "_keys",
        "_open_updates",
        "activities",
        "cancelling",
        "child_runs",
        "children",
        "crc",
        "header",
        "is_active",
        "is_cancel_requested",
        "is_stored",
        "knows_its_end",
        "last_ns",
        "owner",
        "rows",
        "run_no",
        "starts_ns",
        "timers",
        "turn_no",
        "updates",
    )

    def __init__(self, run_no: int, header: RunHeader, *, is_stored: bool) -> None:
        self.run_no = run_no
        self.header = header
        self.owner = Owner(run_no, header.workflow_id, header.run_id, header.workflow_type)
        self.is_stored = is_stored
        self.rows: dict[int, bytes] = {}
        # What is not to be asked for twice → in how many of the rows it stands; None for most runs, which have none.
        self._admitted: dict[tuple[str, str], int] | None = None
        self._admitted_updates = 0
        self.forget()

    def forget(self) -> None:
        """Go back to knowing nothing of the history."""
        self.turn_no = 0
        self.crc = 0
        self.last_ns = self.header.started_ns
        self.activities: dict[int, tuple[ScheduleActivity, int]] = {}
        self.cancelling = _NO_NUMBERS
        self.children: dict[int, StartChild] = {}
        self.child_runs: dict[int, str] = {}
        self.starts_ns: int | None = None
        self.timers: dict[int, int] = {}
        self._delayed = _NONE
        self.updates: dict[str, bool] = {}
        self._open_updates = 0
        # None for most runs, whose signals have no keys.
        self._keys: dict[str, SignalKey] | None = None
        self.is_active = False
        self.is_cancel_requested = False
        self.knows_its_end = not self.is_stored

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended."""
        return self.header.closed_ns is not None

    @property
    def status(self) -> WorkflowExecutionStatus:
        """Where the run stands."""
        return WorkflowExecutionStatus(self.header.status)

    def go_to_end(self, last: Turn | None) -> None:
        """Take the place behind the last turn of the history, without having read the others."""
        if last is not None:
            self.turn_no, self.crc, self.last_ns = last.turn_no + 1, last.crc, max(last.time_ns, self.last_ns)
        self.knows_its_end = True

    def load(self, items: Items) -> None:
        """Take over what the journal says waits for the run; rows of the open sweep are known already and not there
        yet."""
        rows = {mail.seq: mail.message for mail in items.mail} | self.rows
        self.clear_rows()
        for seq, data in rows.items():
            self.add_row(seq, data)
        self.timers = {timer.item: timer.at_ns for timer in items.timers if timer.kind == DueKind.TIMER}
        self.starts_ns = next((timer.at_ns for timer in items.timers if timer.kind == DueKind.START), None)
        self.updates = {update.update_id: bool(update.outcome) for update in items.updates}
        self._open_updates = sum(not update.outcome for update in items.updates)
        heard = sorted(items.signal_keys, key=lambda row: row.at_ns) if items.signal_keys else ()
        self._keys = {row.key: row for row in heard} or None
        self._delayed = {mail.item: mail for mail in items.delayed} or _NONE

    def note(self, message: Message, commands: list[Command], time_ns: int) -> None:
        """Follow a turn of the history: what it asked for is waited for, what it brought no longer."""
        if isinstance(message, CancelRequested):
            self.is_cancel_requested = True
        if isinstance(message, MessageSkipped):
            message = decode_message(message.message)
        if isinstance(message, (ActivityCompleted, ActivityFailed)):
            self.activities.pop(message.id, None)
            if message.id in self.cancelling:
                self.cancelling -= {message.id}
        elif isinstance(message, (ChildCompleted, ChildFailed, ChildStartFailed)):
            self.children.pop(message.id, None)
            self.child_runs.pop(message.id, None)
        elif isinstance(message, ChildStarted):
            self.child_runs[message.id] = message.run_id
        elif isinstance(message, HistoryCopied):
            # What the source waited for is performed anew, and its limits of time count from here.
            self.activities = {item: (command, time_ns) for item, (command, _) in self.activities.items()}
        for command in commands:
            if isinstance(command, ScheduleActivity):
                self.activities[command.id] = command, time_ns
            elif isinstance(command, StartChild):
                self.children[command.id] = command
            elif isinstance(command, CancelActivity):
                self.activities.pop(command.id, None)
            elif isinstance(command, RequestCancelActivity):
                self.cancelling |= {command.id}
        self.is_active = bool(self.activities)

    def is_stale(self, message: Message) -> bool:
        """Whether a message tells the outcome of something that the run does not wait for, or asks for what was asked
        for before."""
        is_stale = self._STALE.get(message.__class__)
        return is_stale is not None and is_stale(self, message)

    @property
    def delayed(self) -> Mapping[int, DelayedMail]:
        """The messages that come later, by their items in order: their rows on disk."""
        return self._delayed

    def add_delayed(self, at_ns: int, message: bytes, *, is_pinned: bool) -> DelayedMail:
        """A message comes later; gives its row."""
        item = next(reversed(self._delayed), 0) + 1
        if not self._delayed:
            self._delayed = {}
        mail = self._delayed[item] = DelayedMail(item, at_ns, message, is_pinned)
        return mail

    def take_delayed(self, item: int) -> None:
        """A message comes now, or never."""
        del self._delayed[item]

    @property
    def updates_in_flight(self) -> int:
        """How many updates have no outcome yet: accepted, or waiting on disk to be taken."""
        return self._open_updates + self._admitted_updates

    @property
    def updates_in_all(self) -> int:
        """How many updates the run has ever accepted, and those that wait on disk to be taken."""
        return len(self.updates) + self._admitted_updates

    def accept_update(self, update_id: str) -> None:
        """The run has accepted an update."""
        self.updates[update_id] = False
        self._open_updates += 1

    def end_update(self, update_id: str) -> None:
        """An update has its outcome, accepted or not."""
        if self.updates.get(update_id) is False:
            self._open_updates -= 1
        self.updates[update_id] = True

    def has_admitted(self, update_id: str) -> bool:
        """Whether an update waits on disk to be taken."""
        return self._admitted is not None and ("update", update_id) in self._admitted

    def has_admitted_signal(self, key: str) -> bool:
        """Whether a signal with that key waits on disk to be taken."""
        return self._admitted is not None and ("signal", key) in self._admitted

    def has_heard(self, key: str) -> bool:
        """Whether a signal with that key was taken."""
        return self._keys is not None and key in self._keys

    def has_heard_of(self, message: Message) -> bool:
        """Whether a message is a signal that was taken before, as its key says."""
        return isinstance(message, SignalReceivedOnce) and self.has_heard(message.key)

    def hear(self, row: SignalKey) -> None:
        """A signal with that key is taken, and no other one will be."""
        self._keys = self._keys or {}
        self._keys[row.key] = row

    @property
    def heard(self) -> Sequence[SignalKey]:
        """The keys of the signals that were taken, in the order in which they were."""
        return tuple(self._keys.values()) if self._keys else ()

    def add_row(self, seq: int, data: bytes) -> None:
        """A message waits on disk."""
        self.rows[seq] = data
        asked = asked_once_in(data) if data.startswith(ASKED_ONCE, 2) else None
        if asked is not None:
            admitted = self._admitted = self._admitted or {}
            admitted[asked] = rows = admitted.get(asked, 0) + 1
            self._admitted_updates += rows == 1 and asked[0] == "update"

    def take_row(self, seq: int) -> None:
        """A message waits on disk no longer, if it did."""
        data = self.rows.pop(seq, None)
        if data is None or self._admitted is None:
            return
        asked = asked_once_in(data)
        if asked is not None:
            self._admitted[asked] -= 1
            if not self._admitted[asked]:
                del self._admitted[asked]
                self._admitted_updates -= asked[0] == "update"

    def clear_rows(self) -> None:
        """Know nothing of what waits on disk."""
        self.rows.clear()
        self._admitted = None
        self._admitted_updates = 0

    _STALE: ClassVar[dict[type[Message], Callable[[RunState, Any], bool]]] = {
        ActivityCompleted: lambda run, message: message.id not in run.activities,
        ActivityFailed: lambda run, message: message.id not in run.activities,
        ChildStarted: lambda run, message: message.id not in run.children,
        ChildStartFailed: lambda run, message: message.id not in run.children,
        ChildCompleted: lambda run, message: message.id not in run.children,
        ChildFailed: lambda run, message: message.id not in run.children,
        ChildCancelRequested: lambda run, message: message.id not in run.children,
        TimerFired: lambda run, message: message.id not in run.timers,
        SignalReceivedOnce: lambda run, message: run.has_heard(message.key),
        UpdateReceived: lambda run, message: message.update_id in run.updates,
        CancelRequested: lambda run, message: run.is_cancel_requested,
    }
