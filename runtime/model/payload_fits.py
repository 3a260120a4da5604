"""What an annotation asks of a single value, and how much slack it has.

A converter takes a tagged tree and its slack. A union tries all its members with less slack before any with more, so
that the order of its members never matters.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .articles import with_article
from .payload_tags import ENUM, FROZENSET, OWN, SET, Node, Unfit, is_kind, kind_of, name_of, untag

__all__ = [
    "EXACT",
    "LAX",
    "LEAVES",
    "NAMED",
    "RENAMED",
    "Converter",
    "anything",
    "brief",
    "coded",
    "enum",
    "instance",
    "is_called",
    "itself",
    "label",
    "made",
    "misfit",
    "path",
    "shape",
]

EXACT = 0  # the very types and classes
NAMED = 1  # the very classes; plain values may be what a person would have meant: a list for a tuple, text for a date
RENAMED = 2  # also a class of the same qualified name in another module
LAX = 3  # also a class of another name with the same fields, and a dict for a record

Converter = Callable[[Any, int], Any]


def label(hint: Any) -> str:
    """The annotation as people write it."""
    return "None" if hint is types.NoneType else hint.__qualname__ if isinstance(hint, type) else str(hint)


def shape(tree: Any) -> str:
    """What a tree holds, for messages."""
    if isinstance(tree, Node):
        kind = {SET: "set", FROZENSET: "frozenset"}.get(tree.code)
        return with_article(kind) if kind else f"a '{tree.name.partition(':')[2] or tree.name}'"
    if tree is None:
        return "None"
    return with_article(kind_of(tree).__name__)


def brief(value: Any) -> str:
    """A value of the data, for messages."""
    try:
        return repr(value)[:80]
    except Exception:  # an int with too many digits, or a class of the user's
        return shape(value)


def misfit(hint: Any, tree: Any) -> Unfit:
    hint = hint if isinstance(hint, str) else label(hint)
    return Unfit(f"{shape(tree)} where {hint} is annotated; change the annotation or send what it says")


def coded(hint: Any, tree: Any) -> Any:
    """What a codec of the user's makes of a tree, if that is of the annotated class."""
    if kind_of(tree) is Node and tree.code == OWN:
        value = untag(tree)
        if isinstance(value, hint):
            return value
    raise misfit(hint, tree)


def _leaf(kind: type, from_others: dict[type, Callable[[Any], Any]]) -> Converter:
    # Those that are of the kind anyway: a bool is an int, and not what a float is made of, if there is the choice.
    kinds = frozenset({kind, *(other for other, make in from_others.items() if make is itself)})

    def convert(tree: Any, slack: int) -> Any:
        if kind_of(tree) in kinds:
            return tree
        if slack >= NAMED:
            make = from_others.get(kind_of(tree))
            if make is not None:
                return made(kind, make, tree)
        return coded(kind, tree)

    return convert


def made(hint: Any, make: Callable[[Any], Any], value: Any) -> Any:
    try:
        return make(value)
    except (Unfit, MemoryError):
        raise
    except Exception as err:  # constructors, and __hash__ and __eq__, of the user's may raise anything
        raise Unfit(f"{shape(value)} that is no {label(hint)}: {err}") from err


def itself(value: Any) -> Any:
    return value


_MAX_DECIMAL_BITS = 16_384  # Python takes minutes to make a Decimal of an int of a megabyte


def _decimal(value: int) -> Decimal:
    if value.bit_length() > _MAX_DECIMAL_BITS:
        raise ValueError(f"it has {value.bit_length():,} bits, and {_MAX_DECIMAL_BITS:,} is the most")
    return Decimal(value)


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


_COERCIONS: tuple[tuple[type, dict[type, Callable[[Any], Any]]], ...] = (
    (types.NoneType, {}),
    (bool, {}),
    (int, {bool: itself}),
    (float, {int: float, bool: float}),
    (complex, {int: complex, float: complex}),
    (str, {}),
    (bytes, {bytearray: bytes}),
    (bytearray, {bytes: bytearray}),
    (datetime, {str: datetime.fromisoformat}),
    (date, {str: date.fromisoformat, datetime: itself}),
    (time, {str: time.fromisoformat}),
    (timedelta, {int: _seconds, float: _seconds}),
    (UUID, {str: UUID}),
    (Decimal, {str: Decimal, int: _decimal, float: Decimal}),
)
LEAVES: dict[Any, Converter] = {kind: _leaf(kind, others) for kind, others in _COERCIONS}


def anything(tree: Any, slack: int) -> Any:
    return untag(tree)


def instance(cls: Any) -> Converter:
    """A class without fields: an abstract class or protocol that plain values satisfy, or a subclass of a plain one."""
    base = next((base for base in (str, int, float, bytes) if is_kind(cls, base)), None)

    def convert(tree: Any, slack: int) -> Any:
        value = untag(tree)
        try:
            if isinstance(value, cls):
                return value
        except TypeError:  # a protocol that cannot be checked at run time
            return value
        if base is not None and slack >= NAMED and kind_of(value) is base:
            found = made(cls, cls, value)
            # Not compared as the user's class compares; only a NaN is not equal to itself.
            if not base.__eq__(found, value) and value == value:
                raise Unfit(f"{shape(value)} of which {label(cls)} makes another one; give the converter a TypeCodec")
            return found
        if is_kind(cls, kind_of(value)) and kind_of(value) is not object:
            raise Unfit(
                f"{shape(value)} where {label(cls)} is annotated, whose values are stored as that; "
                "annotate the plain type, or give the converter a TypeCodec"
            )
        raise misfit(cls, tree)

    return convert


def path(cls: type) -> Converter:
    def convert(tree: Any, slack: int) -> Any:
        if isinstance(tree, cls):
            return tree
        if slack >= NAMED and kind_of(tree) is str:
            return made(cls, cls, tree)
        return coded(cls, tree)

    return convert


def enum(cls: type[Enum]) -> Converter:
    name = name_of(cls)

    def convert(tree: Any, slack: int) -> Any:
        value: Any = tree
        member = None
        if kind_of(tree) is Node and tree.code == ENUM:
            if not is_called(tree.name, name, slack):
                raise misfit(cls, tree)
            value, member = untag(tree.value), tree.content
        elif slack < LAX or kind_of(tree) is Node:
            return coded(cls, tree)
        try:
            return cls(value)
        except Exception:  # a _missing_ of the user's may raise anything
            if isinstance(member, str) and member in cls.__members__:
                return cls.__members__[member]
        raise Unfit(f"{brief(value)} is no value of {label(cls)}; give one of {', '.join(cls.__members__)}")

    return convert


def is_called(stored: str, name: str, slack: int) -> bool:
    return slack == LAX or stored == name or (slack == RENAMED and stored.partition(":")[2] == name.partition(":")[2])
