"""What goes into a payload comes out of it, with the same types, under its annotation and under Any."""

from __future__ import annotations

import collections
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.runtime.model.payloads import Converter

T = TypeVar("T")
OrderId = NewType("OrderId", UUID)
converter = Converter()


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mood(StrEnum):
    GOOD = "red"


class Right(Flag):
    READ = 1
    WRITE = 2


class Shape(Enum):
    UNIT = (1, 1)
    MARKER = object()


class Point(NamedTuple):
    x: int
    y: float = 0.0


@dataclass(frozen=True)
class Card:
    number: str
    until: date


@dataclass(frozen=True)
class Invoice:
    number: str
    until: date


@dataclass
class Order:
    id: UUID
    lines: list[tuple[str, Decimal]] = field(default_factory=list[tuple[str, Decimal]])
    paid_by: Card | Invoice | None = None
    colors: frozenset[Color] = frozenset()
    parent: Order | None = None


@dataclass
class Doubling:
    price: int
    tax: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.price *= 2
        self.tax = -1


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T
    others: tuple[Box[T], ...] = ()


class Event(msgspec.Struct, frozen=True):
    at: datetime
    who: str | UUID


class Settings(TypedDict):
    level: Level
    until: NotRequired[date]


def scalars() -> st.SearchStrategy[Any]:
    zones = st.sampled_from([None, UTC, timezone(timedelta(hours=-3, seconds=7)), ZoneInfo("Europe/Lisbon")])
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=-(2**200), max_value=2**200),
        st.floats(allow_nan=False),
        st.text(st.characters()),
        st.text(st.characters(categories=["Cs"]), max_size=3),
        st.binary(),
        st.datetimes(timezones=zones),
        st.dates(),
        st.times(timezones=st.sampled_from([None, UTC])),
        st.timedeltas(),
        st.uuids(),
        st.decimals(allow_nan=False),
        st.complex_numbers(allow_nan=False),
        st.lists(st.sampled_from(["a", "b", "é"]), max_size=3).map(lambda parts: Path(*parts)),
    )


def values() -> st.SearchStrategy[Any]:
    keys = st.recursive(scalars(), lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(keys, inner, max_size=4),
            st.sets(keys, max_size=4),
            st.frozensets(keys, max_size=4),
        ),
        max_leaves=12,
    )


kind_of: Callable[[Any], Any] = type


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down."""
    kind = kind_of(left)
    if kind is not kind_of(right):
        return False
    if issubclass(kind, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if issubclass(kind, dict):
        return len(left) == len(right) and all(
            same(one, other) and same(left[one], right[other]) for one, other in zip(left, right, strict=True)
        )
    if kind is datetime:
        return (left, left.tzinfo, left.fold) == (right, right.tzinfo, right.fold)
    return bool(left == right)


@given(values())
def test_any_value_comes_back_exactly_without_an_annotation(value: Any) -> None:
    assert same(converter.decode(converter.encode(value)), value)


@given(st.lists(values(), max_size=4))
def test_any_arguments_come_back_exactly_without_annotations(args: list[Any]) -> None:
    assert same(converter.decode_args(converter.encode_args(tuple(args)), None), args)


@given(values())
def test_equal_values_have_equal_bytes(value: Any) -> None:
    data = converter.encode(value)

    assert converter.encode(converter.decode(data)) == data


@given(values())
def test_the_fast_way_and_the_walk_agree(value: Any) -> None:
    data = converter.encode([value])

    assert same(converter.decode(data, list[Any]), converter.decode(data, Sequence[Any]))


st.register_type_strategy(Decimal, st.decimals(allow_nan=False))
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(complex, st.complex_numbers(allow_nan=False))
HINTS: list[Any] = [
    Decimal,
    bool,
    int,
    float,
    str,
    bytes,
    complex,
    UUID,
    date,
    time,
    timedelta,
    Color,
    Level,
    Mood,
    Right,
    Card,
    Order,
    Point,
    Event,
    list[int],
    list[Order],
    dict[str, int],
    dict[int, list[str]],
    dict[tuple[int, Color], Card],
    set[Color],
    frozenset[Card],
    set[tuple[int, str]],
    tuple[int, str, Color],
    tuple[Card, ...],
    tuple[()],
    Optional[Card],  # noqa: UP045  # the old way of writing is another type
    int | None,
    Union[Card, Invoice],  # noqa: UP007  # the old way of writing is another type
    str | UUID,
    date | datetime,
    int | float,
    Color | str,
    Color | Mood | Level,
    list[int] | tuple[int, ...],
    set[int] | frozenset[int] | None,
    dict[str, Card | Invoice | None],
    list[dict[str, tuple[set[int], date | datetime | None]]],
    dict[str, Sequence[int]],
    Literal["a", 1, None],
    Annotated[Card, "metadata"],
    OrderId,
]


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_values_of_an_annotation_come_back_exactly(hint: Any) -> None:
    @settings(max_examples=20, deadline=None)
    @given(st.from_type(hint))
    def check(value: Any) -> None:
        assert same(converter.decode(converter.encode(value), hint), value)
        assert same(converter.decode_args(converter.encode_args((value, value)), (hint, hint)), [value, value])

    check()


NEAR: list[tuple[Any, Any]] = [
    (Box(1, (Box(2),)), Box[int]),
    (Box(UUID(int=1)), Box[str | UUID]),
    ([Box(Card("1", date(2030, 1, 1)))], list[Box[Card]]),
    ({"level": Level.HIGH}, Settings),
    ({"level": Level.LOW, "until": date(2030, 1, 1)}, Settings),
    (collections.OrderedDict(a=1), collections.OrderedDict[str, int]),
    (PurePosixPath("a/b"), PurePosixPath),
    (PureWindowsPath("a/b"), PureWindowsPath),
    (Path("a"), Path),
    (None, None),
    ((1, "a"), typing.Tuple),  # noqa: UP006  # the old way of writing is another type
    ([1, "a"], typing.List),  # noqa: UP006  # the old way of writing is another type
    ({1: "a"}, typing.Dict),  # noqa: UP006  # the old way of writing is another type
    (collections.Counter("aab"), typing.Counter),  # the old way of writing is another type
    (UUID(int=1), Annotated[UUID, ["metadata that cannot be hashed"]]),
    ([UUID(int=1)], list[Annotated[UUID, ["metadata that cannot be hashed"]]]),
    ({"a": {1: ["x"]}}, Mapping[str, Mapping[int, Sequence[str]]]),
    (Order(UUID(int=1), [("a", Decimal("1.50"))], parent=Order(UUID(int=2))), Order),
    (bytearray(b"x"), bytearray),
    (Right.READ | Right.WRITE, Right),
    (Shape.UNIT, Shape),
    (Shape.MARKER, Shape),
    ((1, {2}), Iterable[Any]),
    (frozenset({1}), AbstractSet[int]),
    (Card("1", date(2030, 1, 1)), object | Card),
    (True, int | float),
    ([True, 1, 1.0], list[int | float | None]),
    ({"a": True}, dict[str, timedelta | int | float]),
    (datetime(2030, 1, 1), date | str),
    (datetime(2030, 10, 27, 1, 30, fold=1, tzinfo=ZoneInfo("Europe/Lisbon")), datetime),
    (datetime(2030, 10, 27, 1, 30, fold=1), datetime),
    (time(1, 2, tzinfo=ZoneInfo("Europe/Lisbon")), time),
]


@pytest.mark.parametrize(("value", "hint"), NEAR, ids=str)
def test_what_strategies_do_not_make_comes_back_exactly_too(value: Any, hint: Any) -> None:
    assert same(converter.decode(converter.encode(value), hint), value)


def test_a_named_offset_keeps_its_name() -> None:
    value = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2), "CAT"))

    assert converter.decode(converter.encode(value)).tzname() == "CAT"


def test_an_offset_is_stored_while_another_thread_loads_the_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    value = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    monkeypatch.setitem(sys.modules, "zoneinfo", types.ModuleType("zoneinfo"))

    assert converter.decode(converter.encode(value)) == value


def test_nan_and_infinities_survive() -> None:
    low, high, nan = converter.decode(converter.encode([-math.inf, math.inf, math.nan]), list[float])

    assert (low, high) == (-math.inf, math.inf)
    assert math.isnan(nan)


def test_two_dataclasses_with_the_same_fields_are_told_apart_whatever_the_order_of_the_union() -> None:
    data = converter.encode([Card("1", date(2030, 1, 1)), Invoice("1", date(2030, 1, 1))])

    for hint in (list[Card | Invoice], list[Invoice | Card]):
        assert [type(value) for value in converter.decode(data, hint)] == [Card, Invoice]


def test_stored_fields_win_over_what_a_constructor_computes() -> None:
    value = Doubling(5)
    value.tax = 3

    assert converter.decode(converter.encode(value), Doubling) == value


def test_without_an_annotation_a_dataclass_is_a_dict_an_enum_its_value_and_a_named_tuple_a_tuple() -> None:
    value = {"card": Card("1", date(2030, 1, 1)), "color": Color.RED, "point": Point(1), "marker": Shape.MARKER}

    assert converter.decode(converter.encode(value)) == {
        "card": {"number": "1", "until": date(2030, 1, 1)},
        "color": "red",
        "point": (1, 0.0),
        "marker": "MARKER",
    }


def test_a_set_of_dataclasses_without_an_annotation_holds_their_items() -> None:
    assert converter.decode(converter.encode({Card("1", date(2030, 1, 1))})) == {
        (("number", "1"), ("until", date(2030, 1, 1)))
    }


def test_the_order_of_a_set_does_not_change_its_bytes() -> None:
    names = [f"name {number}" for number in range(50)]

    assert converter.encode(set(names)) == converter.encode({*reversed(names)})


def test_the_order_of_a_dict_is_kept() -> None:
    assert list(converter.decode(converter.encode({"b": 1, "a": 2}))) == ["b", "a"]


def test_subclasses_of_plain_types_are_stored_as_the_plain_type() -> None:
    class Text(str):
        pass

    found = converter.decode(converter.encode([Text("a"), collections.Counter("aab")]))

    assert same(found, ["a", {"a": 2, "b": 1}])
    assert type(converter.decode(converter.encode(Text("a")), Text)) is Text
    assert converter.decode(converter.encode(collections.Counter("aab")), collections.Counter[str]) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, 1.0),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, 2], set[int], {1, 2}),
        ("2030-01-01", date, date(2030, 1, 1)),
        ("00000000-0000-0000-0000-000000000001", OrderId, UUID(int=1)),
        ("red", Color, Color.RED),
        (1.5, timedelta, timedelta(seconds=1.5)),
        ({"number": "1", "until": "2030-01-01"}, Card | None, Card("1", date(2030, 1, 1))),
        ([1, 2.5], Point, Point(1, 2.5)),
        ("a/b", Path, Path("a/b")),
    ],
    ids=str,
)
def test_plain_data_becomes_what_the_annotation_means(value: Any, hint: Any, expected: Any) -> None:
    assert same(converter.decode(converter.encode(value), hint), expected)


def test_a_class_that_was_renamed_or_got_a_field_with_a_default_still_reads_old_data() -> None:
    @dataclass
    class NewCard:
        number: str
        until: date
        note: str = ""

    assert converter.decode(converter.encode(Card("1", date(2030, 1, 1))), NewCard) == NewCard("1", date(2030, 1, 1))


def test_a_field_that_was_removed_is_ignored() -> None:
    def version(fields: dict[str, type]) -> Any:
        cls: Any = msgspec.defstruct("Thing", [*fields.items()], module="app")
        return cls

    old, new = version({"a": int, "b": int}), version({"a": int})

    assert converter.decode(converter.encode(old(1, 2)), new) == new(1)


def test_fewer_values_than_annotations_are_fine_and_more_come_without_one() -> None:
    data = converter.encode_args((Color.RED, Color.BLUE))

    assert converter.decode_args(data, (Color, Color, int)) == [Color.RED, Color.BLUE]
    assert converter.decode_args(data, (Color,)) == [Color.RED, "blue"]
    assert converter.decode_args(data, ()) == ["red", "blue"]
    assert converter.decode_args(converter.encode_args(()), (int,)) == []


def test_more_than_fifteen_arguments_are_fine() -> None:
    args = tuple(range(40))

    assert converter.decode_args(converter.encode_args(args), (int,) * 40) == list(args)
    assert converter.decode_args(converter.encode_args(args), None) == list(args)
