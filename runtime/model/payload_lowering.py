"""Any value as a tree that msgpack can hold, tagged by the table in `payload_tags`."""

from __future__ import annotations

import dataclasses
import inspect
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath, PurePosixPath
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import msgspec
from msgspec.msgpack import Ext

from .payload_tags import (
    BYTEARRAY,
    COMPLEX,
    DATE,
    DATETIME,
    DECIMAL,
    ENUM,
    FROZENSET,
    INT,
    NAMED_TUPLE,
    PATH,
    RECORD,
    SET,
    TEXT,
    TIME,
    TIMEDELTA,
    TUPLE,
    UUID_,
    Unfit,
    is_kind,
    name_of,
)

__all__ = ["MAX_DEPTH", "lower", "pack"]

MAX_DEPTH = 100  # well inside every recursion limit, even called from deep user code

pack: Callable[[object], bytes] = msgspec.msgpack.Encoder().encode


def lower(value: object, depth: int = 0) -> Any:
    """The value as a tree that msgpack can hold.

    Raises:
        Unfit: some part of it cannot be stored.
    """
    kind = type(value)
    if kind in _AS_IS:
        return value
    return (_LOWER.get(kind) or _LOWER_FOUND.get(kind) or _found(kind))(value, depth)


_AS_IS = frozenset({bool, float, bytes, type(None)})


def _found(kind: type) -> Callable[[Any, int], Any]:
    function = _choose(kind)
    _LOWER_FOUND[kind] = function
    return function


def _choose(kind: Any) -> Callable[[Any, int], Any]:
    if is_kind(kind, Enum):
        return _enum
    if is_kind(kind, tuple) and hasattr(kind, "_fields"):
        return _named_tuple
    if is_kind(kind, msgspec.Struct):
        return _record_of(name_of(kind), kind.__struct_fields__)
    name = name_of(kind)
    if dataclasses.is_dataclass(kind):
        return _record_of(name, tuple(field.name for field in dataclasses.fields(kind)))
    if is_kind(kind, PurePath):
        return _path
    for plain, function in _LOWER.items():  # datetime stands before date there, because it is one
        if is_kind(kind, plain):
            return function  # a subclass of a plain type is stored as the plain type
    if hasattr(kind, "__await__"):
        return _awaitable
    raise Unfit(
        f"object of type '{kind.__qualname__}' cannot be stored; pass plain data such as a dataclass, a dict or a "
        "list, or give the runtime a converter that knows the type"
    )


def _awaitable(value: Any, depth: int) -> Any:
    if inspect.iscoroutine(value):
        # Else Python warns, wherever the collector happens to run, that it was never awaited.
        value.close()
    raise Unfit(f"object of type '{type(value).__qualname__}' cannot be stored; was an await forgotten?")


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise Unfit(f"nested deeper than {MAX_DEPTH} levels, or contains itself; pass a flatter value")
    return depth + 1


def _items(values: Iterable[object], depth: int) -> list[Any]:
    depth = _deeper(depth)
    lowered: list[Any] = []
    try:
        for value in values:
            lowered.append(lower(value, depth))
    except Unfit as err:
        raise err.under(f"[{len(lowered)}]") from None
    return lowered


def _tuple(value: tuple[object, ...], depth: int) -> Ext:
    return Ext(TUPLE, pack(_items(value, depth)))


def _set(value: Iterable[object], depth: int) -> Ext:
    code = FROZENSET if isinstance(value, frozenset) else SET
    elements = sorted(pack(lowered) for lowered in _items(value, depth))
    return Ext(code, pack([msgspec.Raw(element) for element in elements]))


def _dict(value: Mapping[object, object], depth: int) -> Any:
    depth = _deeper(depth)
    lowered: list[tuple[Any, Any]] = []
    is_plain = True
    for key, item in value.items():
        try:
            low = lower(key, depth)
            is_plain = is_plain and type(low) is not Ext
            lowered.append((low, lower(item, depth)))
        except Unfit as err:
            raise err.under(f"[{_shown(key)}]") from None
    if is_plain:
        return dict(lowered)
    body = b"".join(pack(key) + pack(item) for key, item in lowered)
    return msgspec.Raw(struct.pack(">BI", 0xDF, len(lowered)) + body)


def _shown(key: object) -> str:
    return repr(key)[:60] if isinstance(key, (str, int, float, bytes, type(None))) else f"a {type(key).__qualname__}"


def _str(value: str, depth: int) -> Any:
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return Ext(TEXT, text.encode("utf-8", "surrogatepass"))
    return text


def _int(value: int, depth: int) -> Any:
    number = int.__index__(value)
    if -(2**63) <= number < 2**64:
        return number
    return Ext(INT, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def _datetime(value: datetime, depth: int) -> Ext:
    zone = value.tzinfo
    if not value.fold and (zone is None or zone is UTC):
        return Ext(DATETIME, pack(datetime.isoformat(value)))
    naive = datetime.isoformat(value.replace(tzinfo=None))
    return Ext(DATETIME, pack([naive, value.fold, _zone(zone, value.utcoffset(), value)]))


def _time(value: time, depth: int) -> Ext:
    zone = value.tzinfo
    if not value.fold and zone is None:
        return Ext(TIME, pack(time.isoformat(value)))
    naive = time.isoformat(value.replace(tzinfo=None))
    return Ext(TIME, pack([naive, value.fold, _zone(zone, value.utcoffset(), None)]))


def _zone(zone: tzinfo | None, offset: timedelta | None, at: datetime | None) -> object:
    if zone is None:
        return None
    if isinstance(zone, ZoneInfo) and zone.key:
        return zone.key
    if offset is None:
        raise Unfit(f"a tzinfo of type '{type(zone).__qualname__}' has no offset here; use zoneinfo.ZoneInfo")
    microseconds = offset // timedelta(microseconds=1)
    name = zone.tzname(at)
    return [microseconds, None if name == timezone(offset).tzname(None) else name]


def _path(value: PurePath, depth: int) -> Ext:
    flavour = 0 if isinstance(value, Path) else 1 if isinstance(value, PurePosixPath) else 2
    return Ext(PATH, pack([flavour, lower(str(value))]))


def _enum(value: Enum, depth: int) -> Ext:
    found: list[Any] = [name_of(type(value)), value.name]
    try:
        found.append(lower(value.value, _deeper(depth)))
    except Unfit:
        if found[1] is None:
            raise
    return Ext(ENUM, pack(found))


def _named_tuple(value: tuple[object, ...], depth: int) -> Ext:
    return Ext(NAMED_TUPLE, pack([name_of(type(value)), _items(value, depth)]))


def _record_of(name: str, fields: tuple[str, ...]) -> Callable[[Any, int], Ext]:
    def lowered(value: object, depth: int) -> Ext:
        depth = _deeper(depth)
        found: dict[str, Any] = {}
        for field in fields:
            try:
                found[field] = lower(getattr(value, field), depth)
            except AttributeError:
                raise Unfit(f"a '{name}' without a value for this field; set it").under(f".{field}") from None
            except Unfit as err:
                raise err.under(f".{field}") from None
        return Ext(RECORD, pack([name, found]))

    return lowered


def _timedelta(value: timedelta, depth: int) -> Ext:
    return Ext(TIMEDELTA, pack([value.days, value.seconds, value.microseconds]))


_LOWER: dict[type, Callable[[Any, int], Any]] = {
    str: _str,
    int: _int,
    list: _items,
    dict: _dict,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    bytearray: lambda value, depth: Ext(BYTEARRAY, bytes(value)),
    datetime: _datetime,
    date: lambda value, depth: Ext(DATE, pack(date.isoformat(value))),
    time: _time,
    timedelta: _timedelta,
    UUID: lambda value, depth: Ext(UUID_, value.bytes),
    Decimal: lambda value, depth: Ext(DECIMAL, pack(Decimal.__str__(value))),
    complex: lambda value, depth: Ext(COMPLEX, struct.pack(">dd", value.real, value.imag)),
    float: lambda value, depth: float.__float__(value),
    bytes: lambda value, depth: bytes(memoryview(value)),
}
_LOWER_FOUND: WeakKeyDictionary[type, Callable[[Any, int], Any]] = WeakKeyDictionary()
