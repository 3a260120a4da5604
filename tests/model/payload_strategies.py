"""Annotations with values of them, nested as deep as is asked for: every type that is stored exactly."""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

T = TypeVar("T")
K = TypeVar("K")


class Color(enum.Enum):
    RED = "red"
    BLUE = ("blue", 1)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mood(enum.StrEnum):
    GOOD = "red"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Mask(enum.IntFlag):
    ONE = 1
    TWO = 2


@dataclass(frozen=True)
class Card:
    number: str
    until: date


@dataclass(frozen=True)
class Invoice:
    number: str
    until: date


@dataclass
class Loose(Generic[T]):
    content: T
    notes: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Box(Generic[T]):
    content: T
    also: Optional[T] = None  # noqa: UP045  # the old way of writing is another type


@dataclass(frozen=True)
class Pair(Generic[K, T]):
    key: K
    value: T
    sum: int = field(init=False, default=0)


class Cell(msgspec.Struct, Generic[T], frozen=True):
    content: T


class Duo(NamedTuple, Generic[T]):
    one: T
    other: int = 0


class Keys(TypedDict, Generic[T], total=False):
    one: T
    other: int


OrderId = NewType("OrderId", UUID)


class Shape(NamedTuple):
    """An annotation and how values of it are made; ``keys`` tells whether they can be keys."""

    hint: Any
    values: st.SearchStrategy[Any]
    keys: bool


TEXT = st.one_of(st.text(max_size=6), st.text(st.characters(categories=["Cs"]), max_size=2))
ZONES = st.sampled_from(
    [
        None,
        UTC,
        timezone(timedelta(hours=-3, seconds=7)),
        timezone(timedelta(hours=2), "CAT"),
        ZoneInfo("Europe/Lisbon"),
    ]
)
FOLDS = st.sampled_from([0, 0, 1])
PARTS = st.lists(st.sampled_from(["a", "b", "é", ".."]), max_size=3)


def _folded(at: Any, fold: int) -> Any:
    return at.replace(fold=fold)


DATETIMES = st.builds(_folded, st.datetimes(timezones=ZONES), FOLDS)
TIMES = st.builds(_folded, st.times(timezones=ZONES), FOLDS)
BIG = st.one_of(st.integers(), st.integers(-(2**300), 2**300), st.sampled_from([2**63, 2**64, -(2**63) - 1]))
CARDS = st.builds(Card, TEXT, st.dates())

LEAVES: list[Shape] = [
    Shape(None, st.none(), True),
    Shape(bool, st.booleans(), True),
    Shape(int, BIG, True),
    Shape(float, st.one_of(st.floats(), st.sampled_from([-0.0])), True),
    Shape(complex, st.complex_numbers(), True),
    Shape(str, TEXT, True),
    Shape(bytes, st.binary(max_size=6), True),
    Shape(bytearray, st.binary(max_size=6).map(bytearray), False),
    Shape(datetime, DATETIMES, True),
    Shape(date, st.dates(), True),
    Shape(time, TIMES, True),
    Shape(timedelta, st.timedeltas(), True),
    Shape(UUID, st.uuids(), True),
    Shape(OrderId, st.uuids(), True),
    Shape(Decimal, st.one_of(st.decimals(), st.just(Decimal("-0.00"))).filter(lambda value: not value.is_snan()), True),
    Shape(Decimal, st.decimals(), False),  # one that signals cannot be hashed
    Shape(Path, PARTS.map(lambda parts: Path(*parts)), True),
    Shape(PurePath, PARTS.map(lambda parts: PureWindowsPath(*parts)), True),
    Shape(PurePosixPath, PARTS.map(lambda parts: PurePosixPath(*parts)), True),
    Shape(Color, st.sampled_from(Color), True),
    Shape(Level, st.sampled_from(Level), True),
    Shape(Mood, st.sampled_from(Mood), True),
    Shape(Right, st.sampled_from([Right(0), Right.READ, Right.READ | Right.WRITE]), True),
    Shape(Mask, st.sampled_from([Mask(0), Mask.ONE, Mask.ONE | Mask.TWO, Mask(9)]), True),
    Shape(Card, CARDS, True),
    Shape(Literal["a", 1, None], st.sampled_from(["a", 1, None]), True),
    Shape(Annotated[Card, "metadata"], CARDS, True),
    Shape(str | UUID, st.one_of(TEXT, st.uuids()), True),
    Shape(date | datetime, st.one_of(st.dates(), DATETIMES), True),
    Shape(Union[Card, Invoice], st.one_of(CARDS, st.builds(Invoice, TEXT, st.dates())), True),  # noqa: UP007  # as Optional
]


# By other names, so that checkers do not take what is checked for a container of Unknown.
kind_of: Callable[[Any], Any] = type
is_a: Callable[[Any, Any], bool] = isinstance
tuple_of: Callable[[Iterable[Any]], Any] = tuple


def filled(generic: Any, *hints: Any) -> Any:
    """A generic type with its arguments."""
    if len(hints) == 1:
        return generic[hints[0]]
    return generic[hints]


def made(cls: Any) -> Any:
    """A generic class without its arguments, which a frozen class with slots cannot take in when it is called."""
    return cls


def _few(shape: Shape) -> st.SearchStrategy[list[Any]]:
    return st.lists(shape.values, max_size=3)


def _distinct(shape: Shape) -> st.SearchStrategy[list[Any]]:
    return st.lists(shape.values, max_size=3, unique_by=lambda value: repr(plain(value)))


def _optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


def _list(of: Shape) -> Shape:
    return Shape(filled(list, of.hint), _few(of), False)


def _tuple(of: Shape) -> Shape:
    return Shape(filled(tuple, of.hint, ...), _few(of).map(tuple), of.keys)


def _sequence(of: Shape) -> Shape:
    return Shape(filled(Sequence, of.hint), st.one_of(_few(of), _few(of).map(tuple)), False)


def _deque(of: Shape) -> Shape:
    return Shape(
        filled(list, filled(Mapping, str, of.hint)), st.lists(st.dictionaries(TEXT, of.values, max_size=2)), False
    )


def _loose(of: Shape) -> Shape:
    return Shape(filled(Loose, of.hint), st.builds(made(Loose), of.values, st.lists(TEXT, max_size=2)), False)


def _box(of: Shape) -> Shape:
    values = st.builds(made(Box), content=of.values, also=_optional(of.values))
    return Shape(filled(Box, of.hint), values, of.keys)


def _cell(of: Shape) -> Shape:
    return Shape(filled(Cell, of.hint), of.values.map(made(Cell)), of.keys)


def _duo(of: Shape) -> Shape:
    return Shape(filled(Duo, of.hint), st.builds(made(Duo), of.values, BIG), of.keys)


def _typed_dict(of: Shape) -> Shape:
    return Shape(filled(Keys, of.hint), st.fixed_dictionaries({}, optional={"one": of.values, "other": BIG}), False)


def _optional_one(of: Shape) -> Shape:
    return Shape(filled(Optional, of.hint), _optional(of.values), of.keys)


def _set(of: Shape) -> Shape:
    return Shape(filled(set, of.hint), _distinct(of).map(set), False)


def _frozenset(of: Shape) -> Shape:
    return Shape(filled(frozenset, of.hint), _distinct(of).map(frozenset), True)


ONE: list[Callable[[Shape], Shape]] = [
    _list,
    _tuple,
    _sequence,
    _deque,
    _loose,
    _box,
    _cell,
    _duo,
    _typed_dict,
    _optional_one,
]
KEYED: list[Callable[[Shape], Shape]] = [_set, _frozenset]


def _dict(key: Shape, value: Shape) -> Shape:
    pairs = st.lists(st.tuples(key.values, value.values), max_size=3, unique_by=lambda pair: repr(plain(pair[0])))
    return Shape(filled(dict, key.hint, value.hint), pairs.map(dict), False)


def _ordered(key: Shape, value: Shape) -> Shape:
    shape = _dict(key, value)
    return Shape(
        filled(collections.OrderedDict, key.hint, value.hint), shape.values.map(collections.OrderedDict), False
    )


def _pair(key: Shape, value: Shape) -> Shape:
    return Shape(filled(Pair, key.hint, value.hint), st.builds(made(Pair), key.values, value.values), value.keys)


def _fixed(key: Shape, value: Shape) -> Shape:
    return Shape(filled(tuple, key.hint, value.hint), st.tuples(key.values, value.values), value.keys)


def _union(key: Shape, value: Shape) -> Shape:
    return Shape(filled(Union, key.hint, value.hint), st.one_of(key.values, value.values), value.keys)


TWO: list[Callable[[Shape, Shape], Shape]] = [_dict, _ordered, _pair, _fixed, _union]


@st.composite
def shapes(draw: st.DrawFn, depth: int = 4, *, keys: bool = False) -> Shape:
    """Annotations that hold up to ``depth`` others, one in another."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return _drawn(draw, LEAVES, keys=keys)
    way = draw(st.integers(0, 2))
    # What is made of them may have to be a key; of those that can, at least one is in each list.
    inner = draw(shapes(depth - 1, keys=keys or way == 1))
    if way == 2:
        key = draw(shapes(depth - 1, keys=True))
        return _drawn(draw, [make(key, inner) for make in TWO], keys=keys)
    return _drawn(draw, [make(inner) for make in (ONE if way == 0 else KEYED)], keys=keys)


def _drawn(draw: st.DrawFn, among: list[Shape], *, keys: bool) -> Shape:
    found: Shape = draw(st.sampled_from([shape for shape in among if shape.keys or not keys]))
    return found


@st.composite
def typed_values(draw: st.DrawFn, depth: int = 4) -> tuple[Any, Any]:
    """An annotation and a value of it."""
    shape = draw(shapes(depth))
    return shape.hint, draw(shape.values)


def fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a record."""
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if is_a(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return None


def plain(value: Any) -> Any:
    """What the docs say comes back of a value without an annotation."""
    if is_a(value, enum.Enum):
        return plain(value.value)
    fields = fields_of(value)
    if fields is not None:
        return {name: plain(item) for name, item in fields.items()}
    if is_a(value, dict):
        return {_key(plain(key)): plain(item) for key, item in value.items()}
    if is_a(value, (set, frozenset)):
        return kind_of(value)(_key(plain(element)) for element in value)
    if is_a(value, tuple):
        return tuple_of(map(plain, value))
    return [plain(item) for item in value] if is_a(value, list) else value


def _key(value: Any) -> Any:
    if is_a(value, dict):
        return tuple_of((key, _key(item)) for key, item in value.items())
    if is_a(value, (list, tuple)):
        return tuple_of(map(_key, value))
    return frozenset(value) if is_a(value, set) else value


def same(left: Any, right: Any) -> bool:
    """Equal in value and in type all the way down; unlike ``==``, not-a-number is the same as itself."""
    kind = kind_of(left)
    if kind is not kind_of(right):
        return False
    fields = fields_of(left)
    if fields is not None:
        others = fields_of(right) or {}
        return all(same(fields[name], others[name]) for name in fields)
    if issubclass(kind, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if issubclass(kind, dict):
        return len(left) == len(right) and all(map(same, left.items(), right.items()))
    if issubclass(kind, (set, frozenset)):
        return len(left) == len(right) and all(any(same(one, other) for other in right) for one in left)
    if kind is float or kind is complex or kind is Decimal:
        return repr(left) == repr(right)
    if kind is datetime or kind is time:
        return left.replace(tzinfo=None) == right.replace(tzinfo=None) and _zone(left) == _zone(right)
    return bool(left == right)


def _zone(moment: Any) -> object:
    return moment.fold, moment.tzinfo, moment.tzname()
