"""The first turns of a run's history, read for another run that is to go on from there: what that run waits for then,
and what the first one was told later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from ...storage import CorruptError, Journal, SignalKey, Turn
from ..core.commands import (
    CancelExternal,
    CancelTimer,
    CancelWorkflow,
    Command,
    CompleteUpdate,
    CompleteWorkflow,
    ContinueAsNew,
    FailWorkflow,
    RequestCancelChild,
    SignalExternal,
    SignalWithStart,
    StartChild,
    StartTimer,
    UpsertMemo,
    UpsertSearchAttributes,
)
from ..core.messages import (
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    ExternalCancelResolved,
    ExternalSignalResolved,
    HistoryCopied,
    Message,
    MessageSkipped,
    RunReset,
    RunTerminated,
    RunTimedOut,
    SignalReceivedOnce,
    TimerFired,
    UpdateReceived,
    WorkflowStarted,
    decode_message,
)
from ..model.attribute_values import decode_attributes, encode_attributes, merged
from ..model.memos import decode_memo, decode_memo_changes, encode_memo, merged_memo
from .encoding import decode_turn
from .outcomes import Outcome
from .run_state import RunState

__all__ = ["CANCEL", "CHILD_CANCEL", "CHILD_START", "SIGNAL", "Copy", "later_messages", "read_copy", "turn_to_copy"]

# What is asked of other runs.
SIGNAL, CANCEL = "a signal to another workflow", "a request that another workflow end"
CHILD_START, CHILD_CANCEL = "a start of a child", "a request that a child end"

logger = logging.getLogger("greenroom")


class Copy:
    """The first turns of a history.

    Attributes:
        turns: they.
        run: the run whose they are, as it stood behind them: its activities and children.
        timers: number of each timer that is neither fired nor cancelled → when it is due (ns).
        updates: id of each update that was accepted → its outcome as stored; empty if it has none.
        keys: those of the signals that were taken, and those that the run knew when it began.
        asked: what was asked of other runs and not answered: what it is, and the number of the command → the turn.
        memo: the run's notes, as stored.
        attributes: its search attributes, as stored.
    """

    __slots__ = ("asked", "attributes", "keys", "memo", "run", "timers", "turns", "updates")

    def __init__(self, source: RunState) -> None:
        self.turns: list[Turn] = []
        self.run = RunState(source.run_no, source.header, is_stored=True)
        self.timers: dict[int, int] = {}
        self.updates: dict[str, bytes] = {}
        self.keys: list[SignalKey] = []
        self.asked: dict[tuple[str, int], int] = {}
        self.memo = b""
        self.attributes = b""

    @property
    def last(self) -> int:
        """The number of the last turn; -1 if there is none."""
        return len(self.turns) - 1

    def add(self, turn: Turn) -> None:
        """Copy the next turn."""
        message, commands = decode_turn(turn)
        self.turns.append(turn)
        self.run.note(message, commands, turn.time_ns)
        if isinstance(message, MessageSkipped):
            message = decode_message(message.message)
        told = _TOLD.get(message.__class__)
        if told is not None:
            told(self, message)
        for command in commands:
            wanted = _WANTED.get(command.__class__)
            if wanted is not None:
                wanted(self, command)

    def is_answer(self, message: Message) -> bool:
        """Whether a later message tells what has come of something that was asked of another run in these turns."""
        if isinstance(message, (ChildCompleted, ChildFailed)):
            return message.id in self.run.children
        return self.answered_by(message) in self.asked

    def answered_by(self, message: Message) -> tuple[str, int] | None:
        """What a message answers that may have been asked of another run, as ``asked`` has it."""
        what = _ANSWERS.get(message.__class__)
        return None if what is None else (what, getattr(message, "id", 0))

    def unanswered(self, later: list[Message]) -> dict[tuple[str, int], int]:
        """What of ``asked`` is answered by none of the later messages: a run that has ended did not wait for that."""
        answered = {self.answered_by(message) for message in later}
        return {asked: turn_no for asked, turn_no in self.asked.items() if asked not in answered}


def read_copy(journal: Journal, source: RunState, last: int) -> Copy:
    """Read the turns up to ``last``.

    Raises:
        StorageError: one of them cannot be read.
        ValueError: one of them is of a kind that this release does not know.
    """
    copy = Copy(source)
    copy.keys += [row for row in journal.items(source.run_no).signal_keys if row.is_carried]
    for turn in _turns(journal, source.run_no, 0, last + 1):
        copy.add(turn)
    return copy


def later_messages(journal: Journal, run_no: int, first: int) -> list[Message]:
    """What a run was told from the turn ``first`` on, as far as it can be read; of what it has skipped only what tells
    of other runs, which stays true."""
    found: list[Message] = []
    try:
        for turn in _turns(journal, run_no, first):
            message = decode_message(turn.message)
            if isinstance(message, MessageSkipped):
                skipped = decode_message(message.message)
                found += [skipped] if isinstance(skipped, _OF_OTHERS) else []
            elif not isinstance(message, HistoryCopied):
                found.append(message)
    except (CorruptError, ValueError) as damage:
        # To go back to before the damage is how such a run is repaired.
        logger.error("what run %d was told behind turn %d cannot be read: %s", run_no, first + len(found), damage)
    return found


def turn_to_copy(journal: Journal, source: RunState, to: int | str) -> int:
    """The number of the last turn that is to be copied; -1 for none.

    Args:
        to: that number; "start" for none, "last" for the last one that is possible.

    Raises:
        StorageError: the journal cannot be read.
        ValueError: there is no such turn, or the run has ended in it.
    """
    header = source.header
    end = journal.last_turn(source.run_no)
    if end is None:
        raise ValueError(
            f"workflow {header.workflow_id!r} (run {header.run_id}) has not begun: it has no turns to copy"
        )
    if to == "start":
        return -1
    most = end.turn_no - 1 if header.closed_ns is not None and _closes(end) else end.turn_no
    turn_no = most if to == "last" else to
    if isinstance(turn_no, int) and 0 <= turn_no <= most:
        return turn_no
    which = f"turns 0 to {most} of it" if most >= 0 else "no turn of it"
    raise ValueError(
        f"workflow {header.workflow_id!r} (run {header.run_id}) cannot go on from turn {to}: {which} can be copied "
        "(fetch_history() shows them; a turn in which a run has ended is none); 'start' begins anew"
    )


def _closes(turn: Turn) -> bool:
    try:
        message, commands = decode_turn(turn)
    except ValueError:
        # Of a damaged turn nothing is known; a run that has ended ends with one that says so.
        return True
    return isinstance(message, (RunReset, RunTerminated, RunTimedOut)) or any(
        isinstance(each, _CLOSE) for each in commands
    )


_CLOSE = CompleteWorkflow, FailWorkflow, CancelWorkflow, ContinueAsNew


def _turns(journal: Journal, run_no: int, first: int, end: int | None = None) -> Iterator[Turn]:
    """The turns from ``first`` on, and before ``end``; one that is damaged ends them with ``CorruptError``."""
    crc: int | None = None
    limit = _SLICE
    while first != end:
        try:
            turns = journal.turns(run_no, first=first, limit=limit if end is None else min(limit, end - first), crc=crc)
        except CorruptError:
            if limit == 1:
                raise
            # Those before it in the slice are sound.
            limit = 1
            continue
        if not turns:
            return
        yield from turns
        first, crc = turns[-1].turn_no + 1, turns[-1].crc


_SLICE = 256


# What the turns mean for the run that gets them.


def _start(copy: Copy, started: WorkflowStarted) -> None:
    copy.memo, copy.attributes = started.options.memo or b"", started.options.search_attributes or b""


def _forget_timer(copy: Copy, step: TimerFired | CancelTimer) -> None:
    copy.timers.pop(step.id, None)


def _hear(copy: Copy, message: SignalReceivedOnce) -> None:
    copy.keys.append(SignalKey(message.key, copy.turns[-1].time_ns))


def _take_update(copy: Copy, message: UpdateReceived) -> None:
    copy.updates[message.update_id] = b""


def _child_started(copy: Copy, message: ChildStarted) -> None:
    copy.asked.pop((CHILD_START, message.id), None)


def _answered(copy: Copy, message: Any) -> None:
    copy.asked.pop((_ANSWERS[message.__class__], message.id), None)


def _start_timer(copy: Copy, command: StartTimer) -> None:
    copy.timers[command.id] = command.at_ns


def _ask(copy: Copy, command: Command) -> None:
    copy.asked[_ASKS[command.__class__], command.id] = copy.last


def _finish_update(copy: Copy, command: CompleteUpdate) -> None:
    copy.updates[command.update_id] = Outcome(command.result, command.failure).encode()


def _change_memo(copy: Copy, command: UpsertMemo) -> None:
    copy.memo = encode_memo(merged_memo(decode_memo(copy.memo), decode_memo_changes(command.changes)))


def _change_attributes(copy: Copy, command: UpsertSearchAttributes) -> None:
    stored = merged(decode_attributes(copy.attributes), decode_attributes(command.changes))
    copy.attributes = encode_attributes(stored)


_ASKS: dict[type[Command], str] = {
    SignalExternal: SIGNAL,
    SignalWithStart: SIGNAL,
    CancelExternal: CANCEL,
    StartChild: CHILD_START,
    RequestCancelChild: CHILD_CANCEL,
}

_ANSWERS: dict[type[Message], str] = {
    ExternalSignalResolved: SIGNAL,
    ExternalCancelResolved: CANCEL,
    ChildStarted: CHILD_START,
    ChildStartFailed: CHILD_START,
    ChildCancelRequested: CHILD_CANCEL,
}

_OF_OTHERS: tuple[type[Message], ...] = (ChildCompleted, ChildFailed, *_ANSWERS)

_TOLD: dict[type[Message], Callable[[Copy, Any], None]] = {
    **dict.fromkeys(_ANSWERS, _answered),
    WorkflowStarted: _start,
    TimerFired: _forget_timer,
    SignalReceivedOnce: _hear,
    UpdateReceived: _take_update,
    ChildStarted: _child_started,
}

_WANTED: dict[type[Command], Callable[[Copy, Any], None]] = {
    **dict.fromkeys(_ASKS, _ask),
    StartTimer: _start_timer,
    CancelTimer: _forget_timer,
    CompleteUpdate: _finish_update,
    UpsertMemo: _change_memo,
    UpsertSearchAttributes: _change_attributes,
}
