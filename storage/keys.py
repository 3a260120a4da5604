"""The byte layout of every key: fixed width and big endian, so that the order of keys is the order of tuples.

==========  =======================================================  ==========================
tree        key                                                      what stands there
==========  =======================================================  ==========================
META        ``b"meta"``                                              the journal's own numbers
META        ``b"retention"``                                         how long ended runs are kept
RUNS        ``run_no(8) ‖ 0x00``                                     header
RUNS        ``run_no(8) ‖ 0x10 ‖ turn_no(4)``                        turn
RUNS        ``run_no(8) ‖ 0x20 ‖ seq(8)``                            mail
RUNS        ``run_no(8) ‖ 0x30 ‖ item(4)``                           attempt of an activity
RUNS        ``run_no(8) ‖ 0x40 ‖ timer_kind(1) ‖ item(4)``           timer
RUNS        ``run_no(8) ‖ 0x50 ‖ update id, UTF-8``                  update
RUNS        ``run_no(8) ‖ 0x60 ‖ idempotency key, UTF-8``            key of a signal
RUNS        ``run_no(8) ‖ 0x70 ‖ item(4)``                           mail that comes later
RUNS        ``run_no(8) ‖ 0x80 ‖ seq(8)``                            a dead letter is the run's
DUE         ``0x00 ‖ seq(8) ‖ run_no(8)``                            mail waits
DUE         ``0x01 ‖ block(8)``                                      which of 256 runs are active
DUE         ``0x02 ‖ at_ns(8) ‖ run_no(8) ‖ due_kind(1) ‖ item(4)``  something is due at a time
DUE         ``0x03 ‖ run_no(8)``                                     the run is being deleted
DUE         ``0x04 ‖ at_ns(8) ‖ run_no(8)``                          the run is to be deleted then
IDS         workflow id, UTF-8                                       its current run
DEAD        ``seq(8)``                                               dead letter
ATTRIBUTES  ``prefix ‖ run_no(8)``                                   the run has an attribute
==========  =======================================================  ==========================
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

__all__ = [
    "ACTIVE",
    "ACTIVE_KEY",
    "ATTEMPT_KEY",
    "BLOCK",
    "DELAYED_KEY",
    "DELETED",
    "DELETED_KEY",
    "DUE",
    "DUE_KEY",
    "DUE_TIME",
    "EXPIRY",
    "EXPIRY_KEY",
    "EXPIRY_TIME",
    "HEADER_KEY",
    "ID_LIMIT",
    "LETTER_KEY",
    "MAIL_KEY",
    "PREFIX_LIMIT",
    "RETENTION",
    "RUN_NO_SIZE",
    "TIMER_KEY",
    "TURN_KEY",
    "WAITING",
    "WAITING_KEY",
    "DueKind",
    "Kind",
    "after",
    "attribute_key",
    "block_of",
    "describe",
    "kind_range",
    "prefix_end",
    "run_of",
    "run_range",
    "signal_key",
    "split_attribute",
    "update_key",
    "workflow_key",
]

ID_LIMIT = 480
"""Longest id of a workflow or an update, or key of a signal, in bytes of UTF-8; LMDB's keys end at 511."""

RUN_NO_SIZE = 8
"""Bytes of a run number, the end of an attribute's key."""

PREFIX_LIMIT = 511 - RUN_NO_SIZE
"""Longest prefix of an attribute's key in bytes."""

WAITING, ACTIVE, DUE, DELETED, EXPIRY = range(5)
"""First byte of the five queues of the DUE tree."""

RETENTION = b"retention"
"""Key of how long ended runs are kept, beside the journal's own numbers."""

BLOCK = 256
"""How many runs share one row of marks: those whose numbers give the same block when divided by this."""

HEADER_KEY = Struct(">QB")
TURN_KEY = ATTEMPT_KEY = DELAYED_KEY = Struct(">QBI")
MAIL_KEY = Struct(">QBQ")
TIMER_KEY = Struct(">QBBI")
WAITING_KEY = Struct(">BQQ")
ACTIVE_KEY = DELETED_KEY = Struct(">BQ")
DUE_KEY = Struct(">BQQBI")
DUE_TIME = EXPIRY_TIME = Struct(">BQ")  # the head of a DUE_KEY, and of an EXPIRY_KEY
EXPIRY_KEY = Struct(">BQQ")
LETTER_KEY = Struct(">Q")


class Kind(IntEnum):
    """What a row of a run is; the ninth byte of its key."""

    HEADER = 0x00
    TURN = 0x10
    MAIL = 0x20
    ATTEMPT = 0x30
    TIMER = 0x40
    UPDATE = 0x50
    SIGNAL_KEY = 0x60
    DELAYED = 0x70
    LETTER = 0x80


class DueKind(IntEnum):
    """What is due at a time."""

    TIMER = 1
    ATTEMPT = 2
    RUN_TIMEOUT = 3
    START = 4
    DELAYED = 5
    CHILDREN = 6


def workflow_key(workflow_id: str) -> bytes:
    """Return the key of a workflow id.

    Raises:
        ValueError: the id is empty, longer than ``ID_LIMIT`` bytes, or no text that UTF-8 can write.
    """
    data = workflow_id.encode()
    return data if 0 < len(data) <= ID_LIMIT else _id_bytes("workflow", workflow_id)


def update_key(run_no: int, update_id: str) -> bytes:
    """Return the key of an update of a run.

    Raises:
        ValueError: the id is empty, longer than ``ID_LIMIT`` bytes, or no text that UTF-8 can write.
    """
    return HEADER_KEY.pack(run_no, Kind.UPDATE) + _id_bytes("update", update_id)


def attribute_key(prefix: bytes, run_no: int) -> bytes:
    """Return the key that says of a run that it has the attribute of a prefix."""
    return prefix + LETTER_KEY.pack(run_no)


def split_attribute(key: bytes) -> tuple[bytes, int]:
    """Return the prefix and the run number of an attribute's key."""
    return key[:-RUN_NO_SIZE], int.from_bytes(key[-RUN_NO_SIZE:], "big")


def prefix_end(prefix: bytes) -> bytes:
    """Return where the range of all keys with a prefix ends: a key greater than each of them."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else b"\xff" * 512


def signal_key(run_no: int, key: str) -> bytes:
    """Return the key of the row for the idempotency key of a signal that a run has taken.

    Raises:
        ValueError: the idempotency key is empty, longer than ``ID_LIMIT`` bytes, or no text that UTF-8 can write.
    """
    return HEADER_KEY.pack(run_no, Kind.SIGNAL_KEY) + _id_bytes("signal", key)


def _id_bytes(what: str, text: str) -> bytes:
    data = text.encode()
    if not 0 < len(data) <= ID_LIMIT:
        raise ValueError(
            f"{what} id {text[:40]!r} has {len(data)} bytes of UTF-8, allowed are 1 to {ID_LIMIT}; "
            "shorten it, or hash what makes it long"
        )
    return data


def run_range(run_no: int) -> tuple[bytes, bytes]:
    """Return the half-open key range of everything that belongs to a run."""
    return HEADER_KEY.pack(run_no, Kind.HEADER), HEADER_KEY.pack(run_no, 0xFF)


def kind_range(run_no: int, first: Kind, last: Kind) -> tuple[bytes, bytes]:
    """Return the half-open key range of the rows of a run from one kind to another, both included."""
    return HEADER_KEY.pack(run_no, first), HEADER_KEY.pack(run_no, last + 1)


def after(key: bytes) -> bytes:
    """Return the smallest key that is greater than this one."""
    return key + b"\0"


def run_of(key: bytes) -> int | None:
    """Return the run number at the head of a key of RUNS, or None if the key is too short to have one."""
    return int.from_bytes(key[:8], "big") if len(key) > 8 else None


_LAYOUTS: dict[int, tuple[Struct, str]] = {
    Kind.HEADER: (HEADER_KEY, "the header of run {0}"),
    Kind.TURN: (TURN_KEY, "turn {2} of run {0}"),
    Kind.MAIL: (MAIL_KEY, "mail {2} of run {0}"),
    Kind.ATTEMPT: (ATTEMPT_KEY, "activity {2} of run {0}"),
    Kind.TIMER: (TIMER_KEY, "timer {3} (kind {2}) of run {0}"),
    Kind.DELAYED: (DELAYED_KEY, "delayed mail {2} of run {0}"),
    Kind.LETTER: (MAIL_KEY, "the note of dead letter {2} of run {0}"),
}


def block_of(key: bytes) -> int:
    """Return the number of the block that a key of marks stands for."""
    block: int = ACTIVE_KEY.unpack(key)[1]
    return block


def describe(key: bytes) -> str:
    """Say in words what a key of RUNS stands for."""
    if len(key) > HEADER_KEY.size and key[8] == Kind.UPDATE:
        return f"update {key[9:].decode(errors='replace')!r} of run {run_of(key)}"
    if len(key) > HEADER_KEY.size and key[8] == Kind.SIGNAL_KEY:
        return f"signal key {key[9:].decode(errors='replace')!r} of run {run_of(key)}"
    layout, words = _LAYOUTS.get(key[8] if len(key) > 8 else -1, (LETTER_KEY, ""))
    if not words or layout.size != len(key):
        return f"the row with the unknown key {key.hex()}"
    numbers: tuple[int, ...] = layout.unpack(key)
    return words.format(*numbers)
