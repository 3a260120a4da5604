"""Payloads that somebody made to do harm, and the annotations under which they are read."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec

from greenroom import RawValue
from tests.model import payload_strategies as types

encode = msgspec.msgpack.encode
Ext = msgspec.msgpack.Ext


@dataclasses.dataclass
class Branch:
    left: Branch | None = None
    right: Branch | int | str | UUID | None = None


HINTS: list[Any] = [
    Any,
    None,
    bool,
    int,
    str,
    bytes,
    float,
    complex,
    Decimal,
    UUID,
    date,
    datetime,
    time,
    timedelta,
    Path,
    types.Color,
    types.Level,
    types.Mood,
    types.Right,
    types.Mask,
    types.Card,
    types.Box[int],
    types.Cell[int],
    types.Duo[int],
    types.Keys[int],
    list[Any],
    list[int],
    dict[str, Any],
    dict[UUID, int],
    set[Any],
    frozenset[UUID],
    tuple[int, ...],
    tuple[int, str],
    Sequence[int],
    Literal[1, "a"],
    types.Card | types.Invoice | None,
    int | str | UUID | date | datetime | Decimal | types.Color | list[int],
    list[types.Loose[int] | types.Box[int] | None],
    RawValue,
    Branch,
]
HERE = types.__name__


def tag(code: int, value: object) -> msgspec.msgpack.Ext:
    return Ext(code, encode(value))


def named(code: int, cls: str, content: object) -> bytes:
    return encode(tag(code, [f"{HERE}:{cls}", content]))


def nested_tags(levels: int) -> bytes:
    data = b"\x90"
    for _ in range(levels):
        data = encode(Ext(1, b"\x91" + data))
    return data


ALIKE = 10_000


def alike() -> dict[str, bytes]:
    """Keys and elements with one hash: that of an int is what is left after a division by a known prime."""
    ids = [encode(Ext(11, (each * (2**61 - 1)).to_bytes(16, "big"))) for each in range(1, ALIKE + 1)]
    length = struct.pack(">I", ALIKE)
    keys = b"\xdf" + length + b"".join(each + b"\x01" for each in ids)
    elements = b"\xdd" + length + b"".join(ids)
    keys_in_lists = b"\xdf" + length + b"".join(b"\x91" + each + b"\x01" for each in ids)
    boxed = [
        encode(tag(16, [f"{HERE}:Box", {"content": Ext(4, (each * (2**61 - 1)).to_bytes(17, "big"))}]))
        for each in range(ALIKE)
    ]
    return {
        "elements": encode(Ext(2, elements)),
        "elements in a list": elements,
        "elements of a class": encode(Ext(3, b"\xdd" + length + b"".join(boxed))),
        "keys": keys,
        "keys deep inside": b"\x91\x81\xa1a" + encode(Ext(1, b"\x92\x01" + keys)),
        "keys of a record": encode(Ext(16, b"\x92\xa3a:b\x81\xa1a" + keys)),
        "keys that are lists": keys_in_lists,
    }


def bodies(size: int) -> dict[str, bytes]:
    """Name -> what stands behind the first byte; those that can be large have about ``size`` bytes."""
    many = struct.pack(">I", size)
    huge = Ext(4, b"\x7f" * size)
    return {
        "lists without end": b"\x91" * 100_000,
        "maps without end": b"\x81\x01" * 100_000,
        "deep lists": b"\x91" * 100_000 + b"\x01",
        "deep maps": b"\x81\x01" * 100_000 + b"\x01",
        "deep tags": nested_tags(5_000),
        "deep enough for the decoder": b"\x91" * 300 + b"\x01",
        "length of a list": b"\xdd\xff\xff\xff\xff",
        "length of a map": b"\xdf\xff\xff\xff\xff\x01\x01",
        "length of bytes": b"\xc6\xff\xff\xff\xff" + bytes(9),
        "length of text": b"\xdb\xff\xff\xff\xff" + bytes(9),
        "length of a tag": b"\xc9\xff\xff\xff\xff\x01" + bytes(9),
        "length of a tagged list": encode(Ext(1, b"\xdd\xff\xff\xff\xff")),
        "one key twice": b"\x82\xa1a\x01\xa1a\x02",
        "a list as key": b"\x81\x91\x01\x01",
        "a map as key": b"\x81\x80\x01",
        "bytes behind the end": b"\x01\x01",
        "an unknown tag": encode(Ext(77, b"")),
        "a timestamp": encode(Ext(-1, bytes(4))),
        "a record of an unknown class": encode(tag(16, ["os:system", {"command": "true"}])),
        "a record of a module to be imported": encode(tag(16, ["antigravity:x", {"a": 1}])),
        "an enum of an unknown class": encode(tag(17, ["this:Color", "RED", "red"])),
        "an enum of another class": encode(tag(17, ["other:Level", "LOW", 1])),
        "a codec that nobody has": encode(tag(19, ["pickle", b"cos\nsystem\n"])),
        "a record that is no map": named(16, "Card", 1),
        "a record with numbers for names": named(16, "Card", {1: 2}),
        "a record without fields": named(16, "Card", {}),
        "a record whose class is a number": encode(Ext(16, b"\x92\x01\x80")),
        "a named tuple that is too long": named(18, "Duo", [1] * (size // 4)),
        "a huge int": encode(huge),
        "a huge negative int": encode(Ext(4, b"\x80" * size)),
        "a huge int as key": b"\x81" + encode(huge) + b"\x01",
        "a huge int in an enum": encode(tag(17, [f"{HERE}:Color", "X", huge])),
        "a huge int in a flag": encode(tag(17, [f"{HERE}:Mask", "X", huge])),
        "an exponent": encode(tag(12, "1e999999999")),
        "an exponent without end": encode(tag(12, "1E+" + "9" * 30)),
        "digits of a Decimal": encode(tag(12, "9" * size)),
        "digits": encode("9" * size),
        "a number that signals": encode(tag(12, "sNaN")),
        "a zone above": encode(tag(7, ["2020-01-01", 0, "../../etc/passwd"])),
        "a zone at the root": encode(tag(7, ["2020-01-01", 0, "/etc/passwd"])),
        "a zone that is a folder": encode(tag(7, ["2020-01-01", 0, "Europe"])),
        "a zone with a null": encode(tag(7, ["2020-01-01", 0, "a\0b"])),
        "a long zone": encode(tag(7, ["2020-01-01", 0, "a" * size])),
        "an offset": encode(tag(7, ["2020-01-01", 0, [10**18, None]])),
        "half an offset": encode(tag(7, ["2020-01-01", 0, [1.5, 7]])),
        "a fold": encode(tag(7, ["2020-01-01", 7, None])),
        "half a date": encode(tag(7, ["2020-01-01"])),
        "a long date": encode(tag(8, "9" * size)),
        "days": encode(tag(10, [10**18, 0, 0])),
        "endless days": encode(tag(10, [float("inf"), 0, 0])),
        "no days": encode(tag(10, {"a": 1})),
        "a long id": encode(Ext(11, bytes(size))),
        "half a complex": encode(Ext(13, b"abc")),
        "a path of no flavour": encode(tag(14, [9, "a"])),
        "a path with a null": encode(tag(14, [0, "a\0b"])),
        "a long path": encode(tag(14, [0, "a/" * (size // 2)])),
        "text that is none": encode(Ext(5, b"\xff" * size)),
        "a set of lists": encode(tag(2, [[1]])),
        "a set of equals": encode(tag(2, [1, 1.0, True])),
        "an empty tag": encode(Ext(1, b"")),
        "an empty record": encode(Ext(16, b"\x90")),
        "empty lists": b"\xdd" + many + b"\x90" * size,
        "empty maps": b"\xdd" + many + b"\x80" * size,
        "empty sets": b"\xdd" + struct.pack(">I", size // 4) + encode(Ext(2, b"\x90")) * (size // 4),
    }
