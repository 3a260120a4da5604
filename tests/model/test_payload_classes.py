"""Classes of the user's, with all that they may do, come back as they were or are refused: never as something else."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar, TypeVarTuple, Unpack
from uuid import UUID

import msgspec
import pytest

from greenroom.runtime.model.errors import PayloadDecodeError, PayloadEncodeError
from greenroom.runtime.model.payloads import Converter

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
Ts = TypeVarTuple("Ts")
converter = Converter()


@dataclass(frozen=True)
class Card:
    number: int


BoundT = TypeVar("BoundT", bound=Card)


@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class CardBox(Box[Card]):
    note: str = ""


@dataclass
class ListBox(Box[list[T]], Generic[T]):
    spare: T | None = None


@dataclass
class Pair(Generic[K, V]):
    key: K
    value: V


@dataclass
class Swapped(Pair[V, K], Generic[K, V]):
    first: K


class SwappedAgain(Swapped[UUID, V]):
    pass


@dataclass
class Left(Box[T]):
    left: T


@dataclass
class Right(Box[T]):
    right: T


@dataclass
class Both(Left[Card], Right[Card]):
    pass


@dataclass
class Bound(Generic[BoundT]):
    content: BoundT


class Struct(msgspec.Struct, Generic[T]):
    content: T


class CardStruct(Struct[Card]):
    pass


class Keys(TypedDict, Generic[T]):
    content: T


class CardKeys(Keys[Card]):
    more: Card


class Named(NamedTuple, Generic[T]):
    content: T


class CardNamed(Named[Card]):
    pass


CARD = Card(1)
ID = UUID(int=1)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (CardBox(CARD), CardBox),
        (ListBox([CARD], CARD), ListBox[Card]),
        (ListBox([ListBox([CARD])]), ListBox[ListBox[Card]]),
        (Swapped(CARD, ID, ID), Swapped[UUID, Card]),
        (SwappedAgain(CARD, ID, ID), SwappedAgain[Card]),
        (Both(CARD, CARD, CARD), Both),
        (Bound(CARD), Bound),
        (CardStruct(CARD), CardStruct),
        ({"content": CARD, "more": CARD}, CardKeys),
        (CardNamed(CARD), CardNamed),
    ],
    ids=repr,
)
def test_what_a_generic_base_is_of_is_known_in_its_subclasses(value: Any, hint: Any) -> None:
    assert converter.decode(converter.encode(value), hint) == value


class CardKeysAgain(CardKeys):
    pass


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="typed dicts know their bases")
def test_a_typed_dict_that_has_forgotten_what_its_base_is_of_is_refused() -> None:
    with pytest.raises(PayloadDecodeError, match="annotate 'content' in it again"):
        converter.decode(converter.encode({"content": CARD, "more": CARD}), CardKeysAgain)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ((1, CARD, "a"), tuple[int, Unpack[tuple[Card, str]]]),  # noqa: UP044  # the old way is another type
        ((1, CARD, "a"), tuple[int, *tuple[Card, *tuple[str]]]),
        ((CARD, CARD), tuple[*tuple[Card, ...]]),
    ],
    ids=repr,
)
def test_a_tuple_in_a_tuple_is_spread_out(value: Any, hint: Any) -> None:
    assert converter.decode(converter.encode(value), hint) == value


@dataclass
class Several(Generic[*Ts]):
    content: tuple[*Ts]


@pytest.mark.parametrize(
    ("value", "hint"),
    [((1, CARD), tuple[int, *tuple[Card, ...]]), (Several((1, CARD)), Several[int, Card])],
    ids=["tuple", "class"],
)
def test_a_tuple_of_a_length_that_is_not_known_is_refused_as_such(value: Any, hint: Any) -> None:
    with pytest.raises(PayloadDecodeError, match="says nothing about data"):
        converter.decode(converter.encode(value), hint)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type aliases and bounds that are evaluated late")
@pytest.mark.parametrize(
    "code",
    [
        "type hint = list[Missing]",
        "type hint[T] = dict[str, Missing[T]]",
        "class hint[T: Missing](TypedDict): content: T",
    ],
)
def test_a_late_annotation_that_cannot_be_resolved_is_told(code: str) -> None:
    names: dict[str, Any] = {"TypedDict": TypedDict}
    # 3.11 does not know the syntax, and annotations that are text are resolved in another place.
    exec(compile(code, "<late>", "exec", dont_inherit=True), names)  # noqa: S102

    with pytest.raises(PayloadDecodeError, match="name 'Missing' is not defined; import the names"):
        converter.decode(converter.encode({"content": 1}), names["hint"])


# Constructors.


@dataclass
class Growing:
    """Its constructor changes all that it is given."""

    names: list[str]
    counts: dict[str, int]
    seen: set[int]
    data: bytearray

    def __post_init__(self) -> None:
        self.names.append("made")
        self.counts["made"] = 1
        self.seen.add(len(self.seen))
        self.data.extend(b"x")


class ByHand(Growing):
    def __init__(self, names: list[str], counts: dict[str, int], seen: set[int], data: bytearray) -> None:
        super().__init__(names, counts, seen, data)


class GrowingStruct(msgspec.Struct):
    names: list[str]

    def __post_init__(self) -> None:
        self.names.append("made")


@dataclass
class GrowingInside:
    """Its constructor changes what is in that which it is given."""

    lists: dict[str, list[int]]
    pairs: tuple[list[int], set[int]]
    counted: Counter[str]
    ordered: OrderedDict[str, list[int]]

    def __post_init__(self) -> None:
        self.lists["a"].append(1)
        self.pairs[0].append(1)
        self.pairs[1].add(len(self.pairs[1]))
        self.counted["made"] += 1
        self.ordered["made"] = self.ordered.pop("made", [])
        self.ordered["made"].append(1)


@pytest.mark.parametrize(
    "value",
    [
        GrowingInside({"a": []}, ([], {7}), Counter("abb"), OrderedDict(made=[], last=[])),
        Growing(["a"], {"b": 2}, {3}, bytearray(b"d")),
        ByHand(["a"], {"b": 2}, {3}, bytearray(b"d")),
        GrowingStruct(["a"]),
    ],
    ids=repr,
)
def test_what_a_constructor_changes_in_place_is_put_back(value: Any) -> None:
    once = converter.decode(converter.encode(value), type(value))

    assert once == value
    assert converter.encode(once) == converter.encode(value)


class Doubled:
    def __get__(self, holder: Any, owner: Any) -> int:
        number: int = holder.__dict__["number"] if holder else 0
        return number

    def __set__(self, holder: Any, number: int) -> None:
        holder.__dict__["number"] = number * 2


@dataclass
class Doubling:
    number: Any = Doubled()


def test_a_field_that_does_not_keep_what_it_is_given_is_refused() -> None:
    with pytest.raises(PayloadDecodeError, match="its field 'number' does not keep what it is given"):
        converter.decode(converter.encode(Doubling(1)), Doubling)


# Two things at once.


@dataclass
class WithItems(dict[str, int]):
    number: int = 0


def test_a_dataclass_that_is_a_container_too_is_refused() -> None:
    with pytest.raises(PayloadEncodeError, match="'WithItems' is a dataclass and a dict, and only one of them"):
        converter.encode(WithItems(1))


class Loud(str):
    def __new__(cls, text: str) -> Loud:
        return super().__new__(cls, text + "!")


class Plus(int):
    def __new__(cls, number: int) -> Plus:
        return super().__new__(cls, number + 1)


@pytest.mark.parametrize("value", [Loud("a"), Plus(1), Plus(10**5000)], ids=lambda value: type(value).__name__)
def test_a_subclass_of_a_plain_type_that_makes_another_value_of_it_is_refused(value: Any) -> None:
    with pytest.raises(PayloadDecodeError, match=f"of which {type(value).__name__} makes another one"):
        converter.decode(converter.encode(value), type(value))


class Number(int):
    pass


class Real(float):
    pass


@pytest.mark.parametrize("value", [Number(10**5000), Real("nan"), Real("-0.0")], ids=lambda value: type(value).__name__)
def test_a_subclass_of_a_plain_type_comes_back_as_itself_whatever_its_value(value: Any) -> None:
    found = converter.decode(converter.encode(value), type(value))

    assert type(found) is type(value)
    assert converter.encode(found) == converter.encode(value)


class Names(list[str]):
    pass


class Day(date):
    pass


@pytest.mark.parametrize(("value", "plain"), [(Names(["a"]), "list"), (Day(2030, 1, 1), "date")], ids=repr)
def test_an_annotation_that_is_a_subclass_of_what_is_stored_is_told_as_such(value: Any, plain: str) -> None:
    with pytest.raises(PayloadDecodeError, match=f"a {plain} where {type(value).__name__} is annotated, whose values"):
        converter.decode(converter.encode(value), type(value))


# Keys and elements.


class Alone(str):
    """Equal to nothing but itself."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class AloneTuple(tuple[int]):
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@pytest.mark.parametrize("make", [lambda: Alone("a"), lambda: AloneTuple((1,))])
def test_keys_that_are_stored_alike_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(PayloadEncodeError, match="keys of a dict become equal when they are stored"):
        converter.encode({make(): 1, make(): 2})


def test_keys_that_the_annotation_makes_equal_are_refused() -> None:
    data = converter.encode({date(2030, 1, 1): 1, "2030-01-01": 2})

    with pytest.raises(PayloadDecodeError, match="are equal to each other"):
        converter.decode(data, dict[date, int])


@dataclass(frozen=True)
class Unhashable:
    number: int

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


@dataclass(frozen=True)
class Incomparable:
    number: int

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing")


@pytest.mark.parametrize("cls", [Unhashable, Incomparable])
def test_what_keys_and_elements_raise_is_the_documented_error(cls: Any) -> None:
    @dataclass(frozen=True)
    class Plain:
        number: int

    keys, elements = converter.encode({Plain(1): 1, Plain(2): 2}), converter.encode({Plain(1), Plain(2)})

    for data, hint in ((keys, dict[cls, int]), (elements, set[cls]), (elements, frozenset[cls])):
        with pytest.raises(PayloadDecodeError, match=r"no hash|no comparing"):
            converter.decode(data, hint)


# What a value's own methods raise.


class BadDict(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items")


class BadZone(tzinfo):
    def utcoffset(self, when: datetime | None, /) -> timedelta:
        raise RuntimeError("no offset")

    def tzname(self, when: datetime | None, /) -> None:
        return None

    def dst(self, when: datetime | None, /) -> None:
        return None


@dataclass
class BadField:
    number: int = field(default=0, repr=False)

    def __getattribute__(self, name: str) -> Any:
        if name == "number":
            raise RuntimeError("no field")
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(BadDict(), "no items"), (datetime(2030, 1, 1, tzinfo=BadZone()), "no offset"), (BadField(), "no field")],
    ids=["dict", "zone", "field"],
)
def test_what_methods_of_a_value_raise_is_the_documented_error(value: Any, reason: str) -> None:
    with pytest.raises(PayloadEncodeError, match=f"RuntimeError: {reason}; pass plain data"):
        converter.encode([value])


class Unnamed(tzinfo):
    def utcoffset(self, when: datetime | None, /) -> timedelta:
        return timedelta(hours=1)

    def tzname(self, when: datetime | None, /) -> Any:
        return 5

    def dst(self, when: datetime | None, /) -> None:
        return None


def test_a_zone_whose_name_is_no_text_is_refused_when_it_is_stored() -> None:
    with pytest.raises(PayloadEncodeError, match="whose name is no text"):
        converter.encode(datetime(2030, 1, 1, tzinfo=Unnamed()))
