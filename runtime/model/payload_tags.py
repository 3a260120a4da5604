"""What plain msgpack cannot tell apart is tagged: the codes below are stored, and a code never changes its meaning.

====  ============  ==============================================  ==============================
code  value         data                                            decoded without an annotation
====  ============  ==============================================  ==============================
1     tuple         list of elements                                tuple
2     set           list of elements in the order of their bytes    set
3     frozenset     the same                                        frozenset
4     int           beyond 64 bits: two's complement, big endian    int
5     str           with lone surrogates: UTF-8 that lets them be   str
6     bytearray     the bytes                                       bytearray
7     datetime      ISO 8601, or [naive ISO 8601, fold, zone]       datetime
8     date          ISO 8601                                        date
9     time          as datetime                                     time
10    timedelta     [days, seconds, microseconds]                   timedelta
11    UUID          16 bytes                                        UUID
12    Decimal       text                                            Decimal
13    complex       two doubles, big endian                         complex
14    path          [flavour, text]                                 Path, or the pure flavour
16    record        [class, {field: value}]                         dict
17    enum          [class, member, value], or [class, member]      the value, or the member's name
18    named tuple   [class, list of elements]                       tuple
19    own           [name of its `TypeCodec`, what that has made]   what that makes of it
====  ============  ==============================================  ==============================

A zone is nil (naive), text (a ``ZoneInfo`` key) or [microseconds, name or nil] (a fixed offset; any other ``tzinfo``
becomes the offset it has at that instant). A class is written as ``module:qualified name`` and is only ever compared
with the classes that an annotation allows: nothing is imported. Records are dataclasses, ``msgspec.Struct`` and
pydantic models; of a model the fields are what it dumps.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import msgspec

from .payload_codecs import TypeCodec
from .work_errors import FailureError

__all__ = [
    "BYTEARRAY",
    "COMPLEX",
    "DATE",
    "DATETIME",
    "DECIMAL",
    "ENUM",
    "FROZENSET",
    "INT",
    "MAX_ALIKE",
    "NAMED_TUPLE",
    "OWN",
    "PATH",
    "RECORD",
    "SET",
    "TEXT",
    "TIME",
    "TIMEDELTA",
    "TUPLE",
    "UUID_",
    "Node",
    "Trees",
    "Unfit",
    "any_hook",
    "is_kind",
    "kind_of",
    "name_of",
    "spread",
    "untag",
]

TUPLE, SET, FROZENSET, INT, TEXT, BYTEARRAY, DATETIME, DATE, TIME, TIMEDELTA, UUID_, DECIMAL, COMPLEX, PATH = range(
    1, 15
)
RECORD, ENUM, NAMED_TUPLE, OWN = 16, 17, 18, 19

_unpack: Callable[[Any], Any] = msgspec.msgpack.Decoder().decode


# By other names, so that checkers do not take Any for a container of Unknown.
kind_of: Callable[[Any], Any] = type
is_kind: Callable[[Any, Any], bool] = issubclass


_MAX_REASON = 2_000


class Unfit(Exception):
    """A value and its bytes do not fit; the path to the place is collected on the way out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        # It may quote the data, and hostile data would fill the log.
        self.reason = reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]} [cut]"
        self.steps: list[str] = []

    def under(self, step: str) -> Unfit:
        """The same, seen from the container that holds the place."""
        self.steps.append(step)
        return self

    @property
    def path(self) -> str:
        """Such as ``args[0].items[3]``."""
        return "".join(reversed(self.steps)).removeprefix(".")


class Node:
    """A tagged value whose Python form depends on the annotation; hashed by identity, so that it can be a key."""

    __slots__ = ("code", "content", "name", "value")

    def __init__(self, code: int, content: Any, name: str = "", value: Any = None) -> None:
        self.code = code
        self.content = content
        self.name = name
        self.value = value


def name_of(cls: type) -> str:
    """How a class is written in data."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _moment(parse: Callable[[str], Any], data: Any) -> Any:
    found = _unpack(data)
    if kind_of(found) is str:
        return parse(found)
    text, fold, zone = found[0], found[1], found[2]
    info: tzinfo | None = None
    if isinstance(zone, str):
        from zoneinfo import ZoneInfo  # it takes its time to load, and few values have a zone of it

        info = ZoneInfo(zone)
    elif zone is not None:
        offset = timedelta(microseconds=zone[0])
        info = timezone(offset) if zone[1] is None else timezone(offset, zone[1])
    return _with_zone(parse(text), fold, info)


def _with_zone(naive: Any, fold: int, zone: tzinfo | None) -> Any:
    return naive.replace(fold=fold, tzinfo=zone)


_FLAVOURS: tuple[type[PurePath], ...] = (Path, PurePosixPath, PureWindowsPath)


def _pathed(data: Any) -> PurePath:
    flavour: int
    flavour, text = _decode_any(data)
    return _FLAVOURS[flavour](text)


_LEAVES: dict[int, Callable[[Any], Any]] = {
    INT: lambda data: int.from_bytes(data, "big", signed=True),
    TEXT: lambda data: bytes(data).decode("utf-8", "surrogatepass"),
    BYTEARRAY: bytearray,
    DATETIME: lambda data: _moment(datetime.fromisoformat, data),
    DATE: lambda data: date.fromisoformat(_unpack(data)),
    TIME: lambda data: _moment(time.fromisoformat, data),
    TIMEDELTA: lambda data: timedelta(*_unpack(data)),
    UUID_: lambda data: UUID(bytes=bytes(data)),
    DECIMAL: lambda data: Decimal(_unpack(data)),
    COMPLEX: lambda data: complex(*struct.unpack(">dd", data)),
    PATH: _pathed,
}


def any_hook(code: int, data: memoryview) -> object:
    leaf = _LEAVES.get(code)
    if leaf is not None:
        return leaf(data)
    if code == TUPLE:
        return tuple(_decode_any(data))
    if code in (SET, FROZENSET):
        return _distinct(_decode_any(data), code)
    raise Unfit(
        "what this tag is without an annotation depends on where it stands"
    )  # the caller decodes a tree instead


_decode_any: Callable[[Any], Any] = msgspec.msgpack.Decoder(ext_hook=any_hook).decode


class Trees:
    """Reads payloads as tagged trees.

    Args:
        codecs: name to codec of the types that the user has added.
    """

    def __init__(self, codecs: Mapping[str, TypeCodec[Any]]) -> None:
        self._codecs = codecs
        self.decode: Callable[[Any], Any] = msgspec.msgpack.Decoder(ext_hook=self._hook).decode
        self._decode_list: Callable[[Any], list[Any]] = msgspec.msgpack.Decoder(list[Any], ext_hook=self._hook).decode

    def _hook(self, code: int, data: memoryview) -> object:
        leaf = _LEAVES.get(code)
        if leaf is not None:
            return leaf(data)
        parts = self._decode_list(data)
        if code == TUPLE:
            return tuple(parts)
        if code in (SET, FROZENSET):
            return Node(code, parts)
        name = parts[0]
        if not isinstance(name, str):
            raise ValueError("a class name is not text")
        if code == RECORD and len(parts) == 2 and isinstance(parts[1], dict):
            return Node(code, parts[1], name)
        if code == NAMED_TUPLE and len(parts) == 2 and isinstance(parts[1], list):
            return Node(code, parts[1], name)
        if code == ENUM and len(parts) in (2, 3):
            return Node(code, parts[1], name, parts[2] if len(parts) == 3 else parts[1])
        if code == OWN and len(parts) == 2:
            return Node(code, parts[1], name, self._codecs.get(name))
        raise ValueError(f"unknown tag {code}")


def _distinct(values: list[Any], code: int) -> set[Any] | frozenset[Any]:
    found = set(spread(values))
    if len(found) != len(values):
        raise Unfit("elements of a set become equal without their classes; annotate the value with its type")
    return frozenset(found) if code == FROZENSET else found


def spread(values: list[Any]) -> list[Any]:
    """The same values, if a set or a dict of them is made in a time that grows with their number.

    Hashes of numbers and tuples are no secret: somebody may send thousands that are all alike. Honest ones come in
    small groups: -1 and -2 have one hash, and so have points with such coordinates.

    Raises:
        TypeError: one of them cannot be hashed.
        Unfit: too many share their hashes.
    """
    if len(values) <= MAX_ALIKE:
        return values
    hashes = list(map(hash, values))
    alike = len(values) - len(set(hashes))
    if alike > MAX_ALIKE:
        comparisons = sum(count * (count - 1) // 2 for count in Counter(hashes).values())
        if comparisons > max(_MAX_COMPARISONS, len(values)):
            raise Unfit(
                f"{alike:,} of {len(values):,} keys or elements have the hash of another one, which takes "
                f"{comparisons:,} comparisons; pass them as a list"
            )
    return values


MAX_ALIKE = 1_000
_MAX_COMPARISONS = MAX_ALIKE * (MAX_ALIKE + 1) // 2


def untag(tree: Any) -> Any:
    """The plain value of a tree, without any annotation.

    Raises:
        Unfit: keys or elements that were distinct are not, once their classes are left out.
    """
    kind = kind_of(tree)
    if kind is list:
        return [untag(item) for item in tree]
    if kind is tuple:
        return tuple([untag(item) for item in tree])
    if kind is dict:
        return _untagged_dict(tree)
    if kind is not Node:
        return tree
    if tree.code == ENUM:
        return untag(tree.value)
    if tree.code == RECORD:
        return _untagged_dict(tree.content)
    if tree.code == NAMED_TUPLE:
        return tuple([untag(item) for item in tree.content])
    if tree.code == OWN:
        return _own(tree)
    return _distinct([_hashable(untag(item)) for item in tree.content], tree.code)


def _own(tree: Node) -> Any:
    codec: TypeCodec[Any] | None = tree.value
    if codec is None:
        raise Unfit(f"no TypeCodec is named {tree.name!r:.80}; give the converter the one that made it")
    content = untag(tree.content)
    try:
        return codec.decode(content)
    except FailureError:
        raise  # it is meant to fail whoever reads the value
    except Exception as err:  # a user's codec may raise anything
        raise Unfit(f"the codec {codec.name!r} cannot decode it: {type(err).__name__}: {err}") from err


def _untagged_dict(tree: dict[Any, Any]) -> dict[Any, Any]:
    keys = spread([_hashable(untag(key)) for key in tree])
    found = dict(zip(keys, map(untag, tree.values()), strict=True))
    if len(found) != len(tree):
        raise Unfit("keys of a dict become equal without their classes; annotate the value with its type")
    return found


def _hashable(value: Any) -> Any:
    """A stand-in for what cannot be a key without its class: a record is a tuple of its (field, value) pairs."""
    kind = kind_of(value)
    if kind is dict:
        return tuple((key, _hashable(item)) for key, item in value.items())
    if kind is list or kind is tuple:
        return tuple(_hashable(item) for item in value)
    return frozenset(value) if kind is set else value
