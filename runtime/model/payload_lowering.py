"""Any value as a tree that msgpack can hold, tagged by the table in `payload_tags`."""

from __future__ import annotations

import inspect
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
from msgspec.msgpack import Ext

from .articles import with_article
from .payload_codecs import RawValue, TypeCodec
from .payload_models import dump, dump_adapted, is_adapted, is_model
from .payload_records import fields_of, is_dataclass
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
    OWN,
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
    spread,
)
from .work_errors import FailureError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["KNOWN", "MAX_DEPTH", "Lowering", "pack"]

MAX_DEPTH = 100  # well inside every recursion limit, even called from deep user code

pack: Callable[[object], bytes] = msgspec.msgpack.Encoder().encode

_AS_IS = frozenset({bool, float, bytes, type(None)})

Lower = Callable[[Any, int], Any]
"""Given a value and how many containers hold it, gives what msgpack can hold."""


class Lowering:
    """Makes trees of values; called with one, it gives the tree or raises ``Unfit``.

    Args:
        codecs: those of the types that the user has added.
        max_depth: how many containers may hold a value.
    """

    def __init__(self, codecs: Iterable[TypeCodec[Any]] = (), max_depth: int = MAX_DEPTH) -> None:
        self._codecs = {codec.cls: codec for codec in codecs}
        self._max_depth = max_depth
        # datetime stands before date here, because it is one.
        self._known: dict[type, Lower] = {
            **_LEAVES,
            list: self._items,
            dict: self._dict,
            tuple: lambda value, depth: Ext(TUPLE, pack(self._items(value, depth))),
            set: self._set,
            frozenset: self._set,
        }
        self._found: WeakKeyDictionary[type, Lower] = WeakKeyDictionary()

    def __call__(self, value: object, depth: int = 0) -> Any:
        kind = type(value)
        if kind in _AS_IS:
            return value
        return (self._known.get(kind) or self._found.get(kind) or self._find(kind))(value, depth)

    def _find(self, kind: type) -> Lower:
        function = self._found[kind] = self._choose(kind)
        return function

    def _choose(self, kind: Any) -> Lower:
        for base in kind.__mro__ if self._codecs else ():
            if base in self._codecs:
                return self._own(self._codecs[base])
        if is_kind(kind, Enum):
            return self._enum
        if is_kind(kind, tuple) and hasattr(kind, "_fields"):
            return self._named_tuple
        if is_kind(kind, msgspec.Struct):
            return _no_raw_value if kind is RawValue else self._record(name_of(kind), kind.__struct_fields__)
        name = name_of(kind)
        if is_dataclass(kind):
            plain = next((plain for plain in self._known if is_kind(kind, plain)), None)
            if plain is not None:
                raise Unfit(
                    f"'{name.partition(':')[2]}' is a dataclass and {with_article(plain.__name__)}, and only one of "
                    "them could be stored; keep what the other one holds in a field"
                )
            return self._record(name, tuple(field.name for field in fields_of(kind)))
        if is_model(kind):
            return lambda value, depth: Ext(RECORD, pack([name, self._dict(dump(value), depth)]))
        if is_kind(kind, PurePath):
            return _path
        if is_adapted(kind):
            return lambda value, depth: self(dump_adapted(value), depth)
        for plain, function in self._known.items():
            if is_kind(kind, plain):
                return function  # a subclass of a plain type is stored as the plain type
        if hasattr(kind, "__await__"):
            return _awaitable
        raise Unfit(
            f"object of type '{kind.__qualname__}' cannot be stored; pass plain data such as a dataclass, a dict or a "
            "list, or give the runtime a converter that knows the type: Converter(types=[TypeCodec(…)])"
        )

    def _deeper(self, depth: int) -> int:
        if depth >= self._max_depth:
            raise Unfit(f"nested deeper than {self._max_depth} levels, or contains itself; pass a flatter value")
        return depth + 1

    def _items(self, values: Iterable[object], depth: int) -> list[Any]:
        depth = self._deeper(depth)
        lowered: list[Any] = []
        try:
            for value in values:
                lowered.append(self(value, depth))
        except Unfit as err:
            raise err.under(f"[{len(lowered)}]") from None
        return lowered

    def _set(self, value: Iterable[object], depth: int) -> Ext:
        code = FROZENSET if isinstance(value, frozenset) else SET
        # What could not be read is not written.
        elements = sorted(pack(lowered) for lowered in self._items(spread([*value]), depth))
        return Ext(code, pack([msgspec.Raw(element) for element in elements]))

    def _dict(self, value: Mapping[object, object], depth: int) -> Any:
        depth = self._deeper(depth)
        lowered: list[tuple[Any, Any]] = []
        is_plain = True
        for key, item in value.items():
            try:
                low = self(key, depth)
                is_plain = is_plain and type(low) is not Ext
                lowered.append((low, self(item, depth)))
            except Unfit as err:
                raise err.under(f"[{_shown(key)}]") from None
        found: Any = dict(lowered) if is_plain else {pack(key): pack(item) for key, item in lowered}
        if len(found) != len(lowered):
            raise Unfit("keys of a dict become equal when they are stored; use keys of plain types")
        if is_plain:
            return found
        spread([*value])
        body = b"".join(key + item for key, item in found.items())
        return msgspec.Raw(struct.pack(">BI", 0xDF, len(lowered)) + body)

    def _enum(self, value: Enum, depth: int) -> Ext:
        found: list[Any] = [name_of(type(value)), value.name]
        try:
            found.append(self(value.value, self._deeper(depth)))
        except Unfit:
            if found[1] is None:
                raise
        return Ext(ENUM, pack(found))

    def _named_tuple(self, value: tuple[object, ...], depth: int) -> Ext:
        return Ext(NAMED_TUPLE, pack([name_of(type(value)), self._items(value, depth)]))

    def _record(self, name: str, fields: tuple[str, ...]) -> Lower:
        def lowered(value: object, depth: int) -> Ext:
            depth = self._deeper(depth)
            found: dict[str, Any] = {}
            for field in fields:
                try:
                    found[field] = self(getattr(value, field), depth)
                except AttributeError:
                    raise Unfit(f"a '{name}' without a value for this field; set it").under(f".{field}") from None
                except Unfit as err:
                    raise err.under(f".{field}") from None
            return Ext(RECORD, pack([name, found]))

        return lowered

    def _own(self, codec: TypeCodec[Any]) -> Lower:
        def lowered(value: Any, depth: int) -> Ext:
            try:
                data = codec.encode(value)
            except FailureError:
                raise  # it is meant to fail whoever sends the value
            except Exception as err:  # a user's codec may raise anything
                raise Unfit(f"the codec {codec.name!r} cannot encode it: {type(err).__name__}: {err}") from err
            return Ext(OWN, pack([codec.name, self(data, self._deeper(depth))]))

        return lowered


def _awaitable(value: Any, depth: int) -> Any:
    if inspect.iscoroutine(value):
        # Else Python warns, wherever the collector happens to run, that it was never awaited.
        value.close()
    raise Unfit(f"object of type '{type(value).__qualname__}' cannot be stored; was an await forgotten?")


def _no_raw_value(value: RawValue, depth: int) -> Any:
    raise Unfit("a RawValue stands for a whole argument or result; decode it to make it a part of another value")


def _shown(key: object) -> str:
    if not isinstance(key, (str, int, float, bytes, type(None))):
        return with_article(type(key).__qualname__)
    return "an int" if isinstance(key, int) and key.bit_length() > 64 else repr(key)[:60]


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
    # Whoever has a zone of it has loaded it; another thread may be about to.
    zone_info: Any = getattr(sys.modules.get("zoneinfo"), "ZoneInfo", None)
    if zone_info is not None and isinstance(zone, zone_info):
        key: str | None = cast("ZoneInfo", zone).key
        if key:
            return key
    if offset is None:
        raise Unfit(f"a tzinfo of type '{type(zone).__qualname__}' has no offset here; use zoneinfo.ZoneInfo")
    microseconds = offset // timedelta(microseconds=1)
    name: Any = zone.tzname(at)
    if name is not None and not isinstance(name, str):
        raise Unfit(f"a tzinfo of type '{type(zone).__qualname__}' whose name is no text; use zoneinfo.ZoneInfo")
    return [microseconds, None if name == timezone(offset).tzname(None) else name]


def _path(value: PurePath, depth: int) -> Ext:
    flavour = 0 if isinstance(value, Path) else 1 if isinstance(value, PurePosixPath) else 2
    return Ext(PATH, pack([flavour, _str(str(value), depth)]))


def _timedelta(value: timedelta, depth: int) -> Ext:
    return Ext(TIMEDELTA, pack([value.days, value.seconds, value.microseconds]))


_LEAVES: dict[type, Lower] = {
    str: _str,
    int: _int,
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
KNOWN = frozenset({*_LEAVES, *_AS_IS, list, dict, tuple, set, frozenset, object})
"""The classes that are stored as they are, and need no codec."""
