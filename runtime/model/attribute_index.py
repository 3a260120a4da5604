"""Where a search attribute stands in the index: bytes whose order is the order of the values.

``length of the name(1) ‖ name ‖ type(1) ‖ value``, the value of fixed width or ended by a mark, so that what follows in
a key does not count. A text that is too long for a key is cut, and a hash stands for the rest.

**Source:** of the escaped and ended text: FoundationDB's tuple layer; of the bits of floats: IEEE 754, total order.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

from .attribute_values import NAME_LIMIT, SearchAttributeIndexedValueType, Stored, decode_attributes

__all__ = ["CUT_AT", "PREFIX_ROOM", "prefixes_of", "request_prefix", "type_prefix", "value_prefix"]

PREFIX_ROOM = 503
"""Most bytes of a key before the run's number."""

_HASH_SIZE = 16
_ENDED, _CUT = b"\0\0", b"\0\1"

CUT_AT = PREFIX_ROOM - (1 + NAME_LIMIT + 1) - len(_CUT) - _HASH_SIZE
"""So many bytes of a text stand in the index, each zero byte counted twice."""

_TOP = 1 << 63
_ALL = (1 << 64) - 1

_Type = SearchAttributeIndexedValueType


def prefixes_of(attributes: bytes) -> list[bytes]:
    """Where a run with these stored attributes stands in the index: one place for each value."""
    stored: Stored = decode_attributes(attributes)
    places: list[bytes] = []
    for name, (kind, value) in stored.items():
        places += [value_prefix(name, kind, each) for each in (value if kind == _Type.KEYWORD_LIST else [value])]
    return places


def request_prefix(workflow_id: str, request_id: str) -> bytes:
    """The place of a run that a request has started, where no attribute stands: none has an empty name."""
    data = workflow_id.encode() + b"\0" + request_id.encode()
    return b"\0" + hashlib.blake2b(data, digest_size=_HASH_SIZE).digest()


def type_prefix(name: str, kind: int) -> bytes:
    """What all places of one attribute of one type begin with."""
    data = name.encode()
    return bytes([len(data)]) + data + bytes([kind])


def value_prefix(name: str, kind: int, value: Any) -> bytes:
    """The place of a stored value; of a keyword list, that of one keyword."""
    return type_prefix(name, kind) + _ORDERED[kind](value)


def _text(value: str) -> bytes:
    data = value.encode()
    escaped = data.replace(b"\0", b"\0\xff")
    if len(escaped) <= CUT_AT:
        return escaped + _ENDED
    head = escaped[:CUT_AT]
    if head.endswith(b"\0"):
        head = head[:-1]  # half of an escaped zero
    return head + _CUT + hashlib.blake2b(data, digest_size=_HASH_SIZE).digest()


def _int(value: int) -> bytes:
    return (value + _TOP).to_bytes(8, "big")


def _float(value: float) -> bytes:
    bits = int.from_bytes(struct.pack(">d", value), "big")
    return (bits ^ (_ALL if bits & _TOP else _TOP)).to_bytes(8, "big")


def _bool(value: bool) -> bytes:  # a value of the user's, not an option
    return bytes([value])


_ORDERED: dict[int, Callable[[Any], bytes]] = {
    _Type.TEXT: _text,
    _Type.KEYWORD: _text,
    _Type.INT: _int,
    _Type.DOUBLE: _float,
    _Type.BOOL: _bool,
    _Type.DATETIME: _int,
    _Type.KEYWORD_LIST: _text,
}
