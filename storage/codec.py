"""Record ↔ bytes: a msgpack list ``[format, …fields]`` and four bytes of CRC32.

The checksum of a turn is chained to that of the turn before, and the first one to the run's number; that of any other
row is chained to its key. So no row can stand in another's place unnoticed. Rows without a record (``seal``) hold the
checksum alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from types import NoneType
from typing import Any, TypeVar, cast
from zlib import crc32

import msgpack

from . import keys
from .errors import CorruptError, FormatError
from .records import Attempt, DeadLetter, DelayedMail, Mail, Meta, Retention, RunHeader, SignalKey, Timer, Turn, Update

__all__ = [
    "FORMAT",
    "chain_start",
    "decode",
    "decode_bits",
    "decode_pointer",
    "decode_turns",
    "encode",
    "encode_bits",
    "encode_pointer",
    "encode_turn",
    "seal",
    "sealed",
    "turn_crc",
]

FORMAT = 1
"""The format this version writes; it reads every earlier one."""

_NO_RECORD = "it is not a list that begins with a format number"
_UPGRADE = "upgrade greenroom to the version that wrote it"
_TRAILER = Struct(">I")
_POINTER = Struct(">Q")
_BITS_SIZE = keys.BLOCK // 8

# One packer for all: making one costs more than packing a turn, and under the GIL a call on plain values is atomic.
_pack = msgpack.Packer().pack
_unpack = partial(msgpack.unpackb, max_array_len=64, max_map_len=0, max_ext_len=0)
_crc_bytes = _TRAILER.pack

# What the constructor of a named tuple does once it has put its arguments in order.
_tuple: Callable[..., Any] = cast(Any, tuple).__new__

Record = TypeVar("Record", RunHeader, Mail, Attempt, Timer, Update, SignalKey, DelayedMail, DeadLetter, Meta, Retention)

_INT = (int,)
_STR = (str,)
_BYTES = (bytes,)
_BOOL = (bool,)
_INT_OR_NONE = (int, NoneType)

_SHAPES: dict[type, tuple[tuple[type, ...], ...]] = {
    RunHeader: (
        *(_STR, _STR, _STR, _INT, _INT, _INT_OR_NONE, _INT_OR_NONE, _STR, _STR),
        *(_INT, _INT, _INT, _BYTES, _BYTES, _STR, _INT, _BYTES, _BYTES, _INT_OR_NONE),
    ),
    Mail: (_INT, _INT, _BYTES),
    Attempt: (_INT, _INT, _INT_OR_NONE, _BOOL, _BYTES, _BYTES, _BYTES),
    Timer: (_INT, _INT, _INT),
    Update: (_STR, _BYTES),
    SignalKey: (_STR, _INT, _BOOL),
    DelayedMail: (_INT, _INT, _BYTES, _BOOL),
    DeadLetter: (_INT, _INT, _INT, _STR, _BYTES),
    Meta: (_INT, _STR, _INT, _INT, _INT, _INT, _INT, _STR),
    Retention: (_STR,),
}

# The types of a format's number and fields that were found to fit: there are few such rows of types for each kind.
_FITTING: dict[type, set[tuple[type, ...]]] = {kind: set() for kind in _SHAPES}


def encode(key: bytes, record: Record) -> bytes:
    """Return the bytes of a record that stands under ``key``."""
    body = _pack((FORMAT, *record))
    return body + _crc_bytes(crc32(body, crc32(key)))


def decode(kind: type[Record], key: bytes, data: bytes) -> Record:
    """Return the record of a kind that stands under ``key``.

    Raises:
        CorruptError: the bytes are not what was written there.
        FormatError: a newer version wrote them.
    """
    body = data[:-4]
    if _crc_bytes(crc32(body, crc32(key))) != data[-4:]:
        raise _corrupt(kind, key, "the checksum does not match")
    fields = _unpacked(kind, key, body)
    types = tuple(map(type, fields))
    if types not in _FITTING[kind] or not 1 <= fields[0] <= FORMAT:
        _judge(kind, key, fields)
        _check(kind, key, types[1:])
        if len(types) <= len(_SHAPES[kind]):
            # An earlier version wrote it: what was added since has its default.
            return kind(*fields[1:])
        _FITTING[kind].add(types)
    del fields[0]
    record: Record = _tuple(kind, fields)
    return record


def _check(kind: type[Record], key: bytes, types: tuple[type, ...]) -> None:
    """See that fields of these types make a record of that kind.

    Raises:
        CorruptError: they do not.
    """
    shape = _SHAPES[kind]
    missing = len(shape) - len(types)
    if missing < 0 or missing > len(kind._field_defaults):
        raise _corrupt(kind, key, f"it has {len(types)} fields instead of {len(shape)}")
    for found, allowed in zip(types, shape, strict=False):
        if found not in allowed:
            raise _corrupt(kind, key, f"a field holds {found.__name__} instead of {allowed[0].__name__}")


def chain_start(run_no: int) -> int:
    """Return the checksum that the first turn of a run is chained to."""
    return crc32(_POINTER.pack(run_no))


def encode_turn(previous_crc: int, time_ns: int, message: bytes, commands: bytes) -> tuple[bytes, int]:
    """Return the bytes of a turn and its checksum."""
    body = _pack((FORMAT, time_ns, message, commands))
    crc = crc32(body, previous_crc)
    return body + _crc_bytes(crc), crc


def turn_crc(data: bytes) -> int:
    """Return the checksum that the bytes of a turn claim to have."""
    return int.from_bytes(data[-4:], "big")


_TURN_SHAPE = (int, int, bytes, bytes)


def decode_turns(run_no: int, rows: list[tuple[bytes, bytes]], first: int, crc: int) -> list[Turn]:
    """Return consecutive turns from their rows.

    Args:
        rows: (key, value) pairs in key order.
        first: the number that the first row must have.
        crc: the checksum of the turn before.

    Raises:
        CorruptError: a turn is missing, or is not what was written.
        FormatError: a newer version wrote them.
    """
    turns: list[Turn] = []
    add = turns.append
    key_of = keys.TURN_KEY.pack
    turn_no = first
    for key, data in rows:
        if key != key_of(run_no, 0x10, turn_no):
            raise CorruptError(f"run {run_no}", f"turn {turn_no} is missing before {keys.describe(key)}", run_no)
        body = data[:-4]
        crc = crc32(body, crc)
        if _crc_bytes(crc) != data[-4:]:
            raise CorruptError(keys.describe(key), "the checksum does not match", run_no)
        fields = _unpacked(Turn, key, body)
        if tuple(map(type, fields)) != _TURN_SHAPE or not 1 <= fields[0] <= FORMAT:
            _judge(Turn, key, fields)
            raise CorruptError(keys.describe(key), "it does not have the fields of a turn", run_no)
        fields[0] = turn_no
        fields.append(crc)
        add(_tuple(Turn, fields))
        turn_no += 1
    return turns


def seal(key: bytes) -> bytes:
    """Return the value of a row whose key says everything: the key's own checksum."""
    return _crc_bytes(crc32(key))


def sealed(key: bytes, data: bytes) -> bool:
    """Return whether a row whose key says everything is what was written."""
    return data == _crc_bytes(crc32(key))


def encode_bits(key: bytes, bits: int) -> bytes:
    """Return the value of a row that has a bit for each run of a block."""
    body = bits.to_bytes(_BITS_SIZE, "big")
    return body + _crc_bytes(crc32(body, crc32(key)))


def decode_bits(key: bytes, data: bytes) -> int:
    """Return the bits of a row that has one for each run of a block.

    Raises:
        CorruptError: the bytes are not what was written there.
    """
    body = data[:-4]
    if len(body) != _BITS_SIZE or _crc_bytes(crc32(body, crc32(key))) != data[-4:]:
        raise CorruptError(f"the due row {key.hex()}", "the checksum does not match")
    return int.from_bytes(body, "big")


def encode_pointer(key: bytes, run_no: int) -> bytes:
    """Return the value of a row that names a run."""
    body = _POINTER.pack(run_no)
    return body + _crc_bytes(crc32(body, crc32(key)))


def decode_pointer(key: bytes, data: bytes) -> int:
    """Return the run number of a row that names a run.

    Raises:
        CorruptError: the bytes are not what was written there.
    """
    body = data[:-4]
    if len(body) != 8 or _crc_bytes(crc32(body, crc32(key))) != data[-4:]:
        raise CorruptError(f"the entry of workflow id {key.decode(errors='replace')!r}", "the checksum does not match")
    return int.from_bytes(body, "big")


def _unpacked(kind: type, key: bytes, body: bytes) -> list[Any]:
    """Return the number of a record's format and its fields."""
    try:
        values: list[Any] = _unpack(body)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise _corrupt(kind, key, f"it cannot be decoded ({type(error).__name__})") from error
    if type(values) is not list:
        raise _corrupt(kind, key, _NO_RECORD)
    return values


def _judge(kind: type, key: bytes, values: list[Any]) -> None:
    """See that values begin with the number of a format that this version reads.

    Raises:
        CorruptError: they do not begin with a number.
        FormatError: it is that of a newer version.
    """
    if not values or type(number := values[0]) is not int or number < 1:
        raise _corrupt(kind, key, _NO_RECORD)
    if number > FORMAT:
        why = f"it has format {number}, this version reads up to {FORMAT}"
        raise FormatError(_place(kind, key), why, _UPGRADE)


# Rows that belong to no run.
_NOBODYS: dict[type, str] = {Meta: "the journal's own row", Retention: "the row that says how long runs are kept"}


def _place(kind: type, key: bytes) -> str:
    if kind in _NOBODYS:
        return _NOBODYS[kind]
    if kind is DeadLetter:
        return f"dead letter {int.from_bytes(key, 'big')}"
    return keys.describe(key)


def _corrupt(kind: type, key: bytes, why: str) -> CorruptError:
    return CorruptError(_place(kind, key), why, None if kind in _NOBODYS or kind is DeadLetter else keys.run_of(key))
