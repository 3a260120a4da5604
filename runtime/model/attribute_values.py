"""What a search attribute can hold: seven types, what is allowed of each, and how a run's attributes are stored.

Stored they are a msgpack map: name → [type, value]; a time is microseconds since 1970, UTC. They are never handed to a
converter or a codec: what is to be searched for must be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, cast

import msgspec

from .articles import with_article

__all__ = [
    "ATTRIBUTES_LIMIT",
    "LIST_LIMIT",
    "NAME_LIMIT",
    "NUMBER_LIMIT",
    "TEXT_LIMIT",
    "Changes",
    "SearchAttributeIndexedValueType",
    "Stored",
    "check_attributes",
    "check_name",
    "checked_value",
    "decode_attributes",
    "encode_attributes",
    "merged",
    "shown",
]

NAME_LIMIT = 128
"""Longest name in bytes of UTF-8."""

TEXT_LIMIT = 4_096
"""Longest text or keyword in bytes of UTF-8."""

LIST_LIMIT = 100
"""Most keywords of a list."""

NUMBER_LIMIT = 100
"""Most attributes of a run."""

ATTRIBUTES_LIMIT = 40 * 1024
"""Most bytes of all attributes of a run."""

_INT_RANGE = range(-(2**63), 2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# What a filter over runs calls otherwise.
_RESERVED = frozenset(
    {
        *("WorkflowId", "WorkflowType", "RunId", "ExecutionStatus", "ExecutionTime", "ExecutionDuration"),
        *("StartTime", "CloseTime", "TaskQueue", "HistoryLength", "ParentWorkflowId", "ParentRunId", "RootWorkflowId"),
    }
)


class SearchAttributeIndexedValueType(IntEnum):
    """The type of a search attribute; the numbers are stored."""

    TEXT = 1
    KEYWORD = 2
    INT = 3
    DOUBLE = 4
    BOOL = 5
    DATETIME = 6
    KEYWORD_LIST = 7


_Type = SearchAttributeIndexedValueType

Stored = dict[str, tuple[int, Any]]
"""Name → type and value, as they are stored."""

Changes = Mapping[str, tuple[int, Any]]
"""The same; None as a value takes the attribute away."""


def check_name(name: object) -> str:
    """A name that an attribute can have.

    Raises:
        TypeError: it is no string.
        ValueError: it is empty or too long, cannot be written in UTF-8, or means something of every run.
    """
    if type(name) is not str:
        raise TypeError(f"the name of a search attribute is {with_article(type(name).__name__)}; give a string")
    size = _size(name, f"the name {name!r} of a search attribute")
    if not 0 < size <= NAME_LIMIT:
        raise ValueError(
            f"the name {name[:40]!r} of a search attribute has {size} bytes of UTF-8, allowed are 1 to {NAME_LIMIT}"
        )
    if name in _RESERVED:
        raise ValueError(f"every run has a {name} of its own; give the search attribute another name")
    return name


def checked_value(name: str, kind: SearchAttributeIndexedValueType, value: object) -> Any:
    """A value as it is stored; None for an empty list, which is no value.

    Raises:
        TypeError: it is not of that type.
        ValueError: it cannot be stored, or is larger than allowed.
    """
    return _CHECKS[kind](f"search attribute {name!r}", value)


def shown(kind: int, value: Any) -> Any:
    """A stored value as people see it."""
    if kind == _Type.DATETIME:
        return _EPOCH + value * _MICROSECOND
    return list(value) if kind == _Type.KEYWORD_LIST else value


def merged(stored: Changes, changes: Changes) -> Stored:
    """What is stored once the changes are made."""
    return {name: pair for name, pair in {**stored, **changes}.items() if pair[1] is not None}


def encode_attributes(attributes: Changes) -> bytes:
    """Attributes, or changes of them, as bytes; none for no attributes."""
    return _encode(attributes) if attributes else b""


def decode_attributes(data: bytes | None) -> Stored:
    """Read what ``encode_attributes`` made.

    Raises:
        ValueError: the bytes are not attributes of types known to this release.
    """
    if not data:
        return {}
    try:
        stored: Stored = _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not the search attributes of a run: {error}") from error
    return stored


def check_attributes(stored: Stored) -> None:
    """See that a run may have so many.

    Raises:
        ValueError: they are too many, or too large together.
    """
    if len(stored) > NUMBER_LIMIT:
        raise ValueError(f"the run would have {len(stored)} search attributes, allowed are {NUMBER_LIMIT}")
    size = len(encode_attributes(stored))
    if size > ATTRIBUTES_LIMIT:
        raise ValueError(
            f"the search attributes of the run would take {size:,} bytes, allowed are {ATTRIBUTES_LIMIT:,}; "
            "what is not searched for belongs into the memo"
        )


def _wrong(what: str, value: object, wanted: str) -> TypeError:
    return TypeError(f"{what} is given {with_article(type(value).__name__)}; give {wanted}")


def _size(text: str, what: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds lone surrogates, which UTF-8 cannot write") from None


def _text(what: str, value: object) -> str:
    if type(value) is not str:
        raise _wrong(what, value, "a str")
    size = _size(value, what)
    if size > TEXT_LIMIT:
        raise ValueError(f"{what} has {size:,} bytes of UTF-8, allowed are {TEXT_LIMIT:,}; shorten it")
    return value


def _int(what: str, value: object) -> int:
    if type(value) is not int:
        raise _wrong(what, value, "an int")
    if value not in _INT_RANGE:
        raise ValueError(f"{what} is beyond 64 bits; give a number from -2**63 to 2**63 - 1, or a keyword")
    return value


def _float(what: str, value: object) -> float:
    # Type checkers let an int stand for a float.
    if type(value) is not float and type(value) is not int:
        raise _wrong(what, value, "a float")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{what} is too large for a float") from None
    if number != number:
        raise ValueError(f"{what} is not a number, which is neither before nor behind any other; leave it out")
    return number or 0.0  # zero has one sign here


def _bool(what: str, value: object) -> bool:
    if type(value) is not bool:
        raise _wrong(what, value, "True or False")
    return value


def _datetime(what: str, value: object) -> int:
    if not isinstance(value, datetime):
        raise _wrong(what, value, "an aware datetime")
    if value.utcoffset() is None:
        raise ValueError(f"{what} needs an aware datetime: which time zone is meant?")
    microseconds = (value - _EPOCH) // _MICROSECOND
    try:
        shown(_Type.DATETIME, microseconds)
    except OverflowError:
        raise ValueError(f"{what} is given a time that has no date in UTC") from None
    return microseconds


def _keywords(what: str, value: object) -> list[str] | None:
    if type(value) is not list and type(value) is not tuple:
        raise _wrong(what, value, "a list of str")
    keywords: list[Any] = list(cast(list[Any], value))
    if len(keywords) > LIST_LIMIT:
        raise ValueError(f"{what} has {len(keywords):,} keywords, allowed are {LIST_LIMIT}")
    return [_text(f"{what} [{place}]", keyword) for place, keyword in enumerate(keywords)] or None


_CHECKS: dict[SearchAttributeIndexedValueType, Callable[[str, object], Any]] = {
    _Type.TEXT: _text,
    _Type.KEYWORD: _text,
    _Type.INT: _int,
    _Type.DOUBLE: _float,
    _Type.BOOL: _bool,
    _Type.DATETIME: _datetime,
    _Type.KEYWORD_LIST: _keywords,
}

_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(dict[str, tuple[SearchAttributeIndexedValueType, Any]]).decode
