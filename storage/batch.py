"""What one commit will change: rows are encoded as they are put, and nothing touches the disk."""

from __future__ import annotations

from threading import Lock

from . import keys
from .active import ActiveRuns
from .attribute_rows import changed_rows
from .codec import chain_start, decode, encode, encode_pointer, encode_turn, seal
from .keys import DueKind, Kind
from .records import Attempt, DeadLetter, DelayedMail, Mail, Retention, RunHeader, SignalKey, Timer, Update
from .store import Tree

__all__ = ["Batch", "Numbers"]

_TURN, _MAIL = int(Kind.TURN), int(Kind.MAIL)
_TIMER_KINDS = (DueKind.TIMER, DueKind.RUN_TIMEOUT, DueKind.START, DueKind.CHILDREN)
_turn_key, _mail_key, _waiting_key = keys.TURN_KEY.pack, keys.MAIL_KEY.pack, keys.WAITING_KEY.pack


class Numbers:
    """Gives run numbers and sequence numbers of a journal, none of them twice."""

    def __init__(self, next_run_no: int, next_seq: int) -> None:
        self.next_run_no = next_run_no
        self.next_seq = next_seq
        self._lock = Lock()

    def run_no(self) -> int:
        """Return a run number that was never given before."""
        with self._lock:
            number = self.next_run_no
            self.next_run_no = number + 1
            return number

    def seq(self) -> int:
        """Return a sequence number that was never given before."""
        with self._lock:
            number = self.next_seq
            self.next_seq = number + 1
            return number


class Batch:
    """The changes of one commit, in the order they were asked for: the last word on a row wins.

    Made by ``Journal.batch()``. A batch that is never committed costs numbers, nothing else.

    Attributes:
        active: of each run that is marked or unmarked, whether it is marked from this commit on.
        changes: tree → key → new value, None for a row that goes.
        size: bytes of the keys and values put so far, and 1 for each mark; 0 if there is nothing to commit.
    """

    __slots__ = ("_due", "_marked", "_numbers", "_runs", "active", "changes", "size")

    def __init__(self, numbers: Numbers, marked: ActiveRuns) -> None:
        self._numbers = numbers
        self._marked = marked
        self.active: dict[int, bool] = {}
        self._runs: dict[bytes, bytes | None] = {}
        self._due: dict[bytes, bytes | None] = {}
        self.changes: dict[Tree, dict[bytes, bytes | None]] = {Tree.RUNS: self._runs, Tree.DUE: self._due}
        self.size = 0

    def __len__(self) -> int:
        return sum(map(len, self.changes.values())) + len(self.active)

    def __bool__(self) -> bool:
        return self.size > 0

    def new_run_no(self) -> int:
        """Return a run number that no other run of the journal has or will have."""
        return self._numbers.run_no()

    def put_header(self, run_no: int, header: RunHeader) -> None:
        """Write the header of a run, over the one before."""
        key = keys.HEADER_KEY.pack(run_no, Kind.HEADER)
        self._put(key, encode(key, header))

    def header(self, run_no: int) -> RunHeader | None:
        """Return the header that this batch writes of a run; None if it writes none."""
        key = keys.HEADER_KEY.pack(run_no, Kind.HEADER)
        row = self._runs.get(key)
        return None if row is None else decode(RunHeader, key, row)

    def append_turn(
        self, run_no: int, turn_no: int, time_ns: int, message: bytes, commands: bytes, previous_crc: int
    ) -> int:
        """Write the next turn of a run.

        Args:
            turn_no: dense, from 0.
            previous_crc: what this returned for the turn before; not looked at for turn 0.

        Returns:
            The checksum that the next turn is chained to.
        """
        if not turn_no:
            previous_crc = chain_start(run_no)
        value, crc = encode_turn(previous_crc, time_ns, message, commands)
        self._runs[_turn_key(run_no, _TURN, turn_no)] = value
        self.size += len(value) + 13
        return crc

    def set_current(self, workflow_id: str, run_no: int) -> None:
        """Make a run the current one of its workflow id.

        Raises:
            ValueError: the id is empty or longer than 480 bytes of UTF-8.
        """
        key = keys.workflow_key(workflow_id)
        value = encode_pointer(key, run_no)
        self.changes.setdefault(Tree.IDS, {})[key] = value
        self.size += len(key) + len(value)

    def clear_current(self, workflow_id: str) -> None:
        """A workflow id has no current run any more, unless this batch gives it another one."""
        key = keys.workflow_key(workflow_id)
        self.changes.setdefault(Tree.IDS, {}).setdefault(key, None)
        self.size += len(key)

    def put_mail(self, run_no: int, time_ns: int, message: bytes) -> int:
        """Leave a message for a run on disk.

        Returns:
            Its sequence number, by which it is taken again.
        """
        seq = self._numbers.seq()
        key, waiting = _mail_key(run_no, _MAIL, seq), _waiting_key(keys.WAITING, seq, run_no)
        self._runs[key] = value = encode(key, Mail(seq, time_ns, message))
        self._due[waiting] = seal(waiting)
        self.size += len(value) + 38
        return seq

    def take_mail(self, run_no: int, seq: int) -> None:
        """Remove a message that its run has taken."""
        self._runs[_mail_key(run_no, _MAIL, seq)] = None
        self._due[_waiting_key(keys.WAITING, seq, run_no)] = None
        self.size += 34

    def delay_mail(self, run_no: int, mail: DelayedMail) -> None:
        """Leave a message for a run that is due at a time; its item is one that no other such message of it has."""
        key = keys.DELAYED_KEY.pack(run_no, Kind.DELAYED, mail.item)
        self._put(key, encode(key, mail))
        self._put_due(keys.DUE_KEY.pack(keys.DUE, mail.at_ns, run_no, DueKind.DELAYED, mail.item))

    def drop_delayed(self, run_no: int, mail: DelayedMail) -> None:
        """Remove a message that its run gets now, or never."""
        self._drop(keys.DELAYED_KEY.pack(run_no, Kind.DELAYED, mail.item))
        self._drop_due(keys.DUE_KEY.pack(keys.DUE, mail.at_ns, run_no, DueKind.DELAYED, mail.item))

    def set_active(self, run_no: int) -> None:
        """Mark a run that opening the journal must bring back: it has activities to perform, or is suspended."""
        self._mark(run_no, is_active=True)

    def clear_active(self, run_no: int) -> None:
        """Unmark a run that opening the journal need not bring back."""
        self._mark(run_no, is_active=False)

    def put_timer(self, run_no: int, kind: int, item: int, at_ns: int) -> None:
        """Make something of a run due at a time.

        A run timeout has item 0 and no row of its own beside the run: its time is ``deadline_ns`` of the header.

        Args:
            kind: ``DueKind.TIMER``, ``DueKind.RUN_TIMEOUT``, ``DueKind.START`` or ``DueKind.CHILDREN``; the last two
                have item 0 too.
        """
        _check_timer_kind(kind)
        self._put_due(keys.DUE_KEY.pack(keys.DUE, at_ns, run_no, kind, item))
        if kind != DueKind.RUN_TIMEOUT:
            key = keys.TIMER_KEY.pack(run_no, Kind.TIMER, kind, item)
            self._put(key, encode(key, Timer(item, at_ns, int(kind))))

    def drop_timer(self, run_no: int, kind: int, item: int, at_ns: int) -> None:
        """Remove what ``put_timer`` wrote with the same arguments."""
        _check_timer_kind(kind)
        self._drop_due(keys.DUE_KEY.pack(keys.DUE, at_ns, run_no, kind, item))
        if kind != DueKind.RUN_TIMEOUT:
            self._drop(keys.TIMER_KEY.pack(run_no, Kind.TIMER, kind, item))

    def put_attempt(self, run_no: int, attempt: Attempt, previous_next_ns: int | None = None) -> None:
        """Write where an activity stands; with ``next_ns`` it becomes due then.

        Args:
            previous_next_ns: the ``next_ns`` of the row this one replaces.
        """
        item, next_ns = attempt.item, attempt.next_ns
        if previous_next_ns is not None and previous_next_ns != next_ns:
            self._drop_due(keys.DUE_KEY.pack(keys.DUE, previous_next_ns, run_no, DueKind.ATTEMPT, item))
        key = keys.ATTEMPT_KEY.pack(run_no, Kind.ATTEMPT, item)
        self._put(key, encode(key, attempt))
        if next_ns is not None:
            self._put_due(keys.DUE_KEY.pack(keys.DUE, next_ns, run_no, DueKind.ATTEMPT, item))

    def drop_attempt(self, run_no: int, item: int, next_ns: int | None) -> None:
        """Remove the row of an activity, and what was due with it at ``next_ns``."""
        self._drop(keys.ATTEMPT_KEY.pack(run_no, Kind.ATTEMPT, item))
        if next_ns is not None:
            self._drop_due(keys.DUE_KEY.pack(keys.DUE, next_ns, run_no, DueKind.ATTEMPT, item))

    def put_update(self, run_no: int, update: Update) -> None:
        """Write where an update stands.

        Raises:
            ValueError: its id is empty or longer than 480 bytes of UTF-8.
        """
        key = keys.update_key(run_no, update.update_id)
        self._put(key, encode(key, update))

    def put_attributes(self, run_no: int, before: bytes, after: bytes) -> None:
        """Have a run found by other attributes.

        Args:
            before: ``indexed`` of the header that the run has had so far, in this batch or on disk.
            after: ``indexed`` of the header that is put beside.
        """
        changes = changed_rows(run_no, before, after)
        if changes:
            self.changes.setdefault(Tree.ATTRIBUTES, {}).update(changes)
            self.size += sum(map(len, changes)) + 4 * len(changes)

    def put_signal_key(self, run_no: int, row: SignalKey) -> None:
        """Write that a run has taken a signal with a key.

        Raises:
            ValueError: the key is empty or longer than 480 bytes of UTF-8.
        """
        key = keys.signal_key(run_no, row.key)
        self._put(key, encode(key, row))

    def put_dead_letter(self, run_no: int, time_ns: int, reason: str, message: bytes) -> int:
        """Keep a message that nobody could take.

        Returns:
            Its sequence number.
        """
        seq = self._numbers.seq()
        key = keys.LETTER_KEY.pack(seq)
        value = encode(key, DeadLetter(seq, run_no, time_ns, reason, message))
        self.changes.setdefault(Tree.DEAD, {})[key] = value
        self.size += len(key) + len(value)
        note = keys.MAIL_KEY.pack(run_no, Kind.LETTER, seq)
        self._put(note, seal(note))
        return seq

    def put_expiry(self, run_no: int, at_ns: int) -> None:
        """Have a run that has ended found at the time when it is to be deleted, its ``expires_ns``."""
        self._put_due(keys.EXPIRY_KEY.pack(keys.EXPIRY, at_ns, run_no))

    def drop_expiry(self, run_no: int, at_ns: int) -> None:
        """Remove what ``put_expiry`` wrote with the same arguments."""
        self._drop_due(keys.EXPIRY_KEY.pack(keys.EXPIRY, at_ns, run_no))

    def set_retention(self, policy: str) -> None:
        """Note what the ``expires_ns`` of all ended runs follow from; empty if nothing can be said of that."""
        value = encode(keys.RETENTION, Retention(policy)) if policy else None
        self.changes.setdefault(Tree.META, {})[keys.RETENTION] = value
        self.size += len(keys.RETENTION) + len(value or b"")

    # For deletion.py, which knows what belongs to a run.

    def drop_header(self, run_no: int) -> None:
        """Remove the header of a run, by which alone it is known."""
        self._drop(keys.HEADER_KEY.pack(run_no, Kind.HEADER))

    def drop_turns(self, run_no: int, first: int, stop: int) -> None:
        """Remove turns of a run, from ``first`` to the one before ``stop``."""
        for turn_no in range(first, stop):
            self._drop(_turn_key(run_no, _TURN, turn_no))

    def drop_row(self, key: bytes, *, is_note: bool) -> None:
        """Remove a row of a run, and the dead letter that it is the note of if it is one."""
        self._drop(key)
        if is_note:
            letter = key[9:]
            self.changes.setdefault(Tree.DEAD, {})[letter] = None
            self.size += len(letter)

    def set_deleted(self, run_no: int) -> None:
        """Mark a run of which rows are left though its header is gone."""
        self._put_due(keys.DELETED_KEY.pack(keys.DELETED, run_no))

    def clear_deleted(self, run_no: int) -> None:
        """Unmark a run of which nothing is left."""
        self._drop_due(keys.DELETED_KEY.pack(keys.DELETED, run_no))

    def _mark(self, run_no: int, *, is_active: bool) -> None:
        # What is so already is no reason for a commit.
        if self.active.get(run_no, run_no in self._marked) is not is_active:
            self.active[run_no] = is_active
            self.size += 1

    def _put(self, key: bytes, value: bytes) -> None:
        self._runs[key] = value
        self.size += len(key) + len(value)

    def _drop(self, key: bytes) -> None:
        self._runs[key] = None
        self.size += len(key)

    def _put_due(self, key: bytes) -> None:
        self._due[key] = seal(key)
        self.size += len(key) + 4

    def _drop_due(self, key: bytes) -> None:
        self._due[key] = None
        self.size += len(key)


def _check_timer_kind(kind: int) -> None:
    if kind not in _TIMER_KINDS:
        known = ", ".join(each.name for each in _TIMER_KINDS)
        raise ValueError(f"{kind!r} is no kind of timer (there are: {known}); an activity has put_attempt")
