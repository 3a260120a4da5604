"""What a user adds to the converter: codecs of own types, limits, and payloads that are passed on unread."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Unpack

import pytest

from greenroom.runtime.model.errors import ApplicationError, PayloadDecodeError, PayloadEncodeError
from greenroom.runtime.model.payload_codecs import RawValue, TypeCodec
from greenroom.runtime.model.payloads import Converter


class Money:
    """Neither a dataclass nor anything else that the converter knows."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)


class Coins(Money):
    pass


@dataclass(frozen=True)
class Price:
    amount: Money
    per: str = "piece"


class Unit(enum.Enum):
    PIECE = object()


class Pair(NamedTuple):
    one: Any
    other: Any


class Amount(Decimal):
    pass


def unpriced(value: object) -> Any:
    raise RuntimeError("no price")


def failing(value: object) -> Any:
    raise ApplicationError("never", non_retryable=True)


MONEY = TypeCodec(Money, "money", lambda money: money.cents, Money)
UNIT = TypeCodec(Unit, "unit", lambda unit: unit.name, lambda name: Unit[name])
AMOUNT = TypeCodec(Amount, "amount", str, Amount)
PAIR = TypeCodec(Pair, "pair", lambda pair: [pair.other, pair.one], lambda data: Pair(data[1], data[0]))
converter = Converter(types=[MONEY, UNIT, AMOUNT, PAIR])
CASES: list[tuple[Any, Any]] = [
    (Money(3), Money),
    ([Money(3)], list[Money]),
    ({Money(3): Price(Money(4))}, dict[Money, Price]),
    ({Money(3), None}, set[Money | None]),
    (Money(3), Money | str),
    (Amount("1.50"), Amount),
    (Amount("1.50"), Decimal),
    (Unit.PIECE, Unit),
    ([Pair(Money(1), 2)], list[Pair]),
    (Price(Money(3)), Price),
]


@pytest.mark.parametrize(("value", "hint"), CASES, ids=str)
def test_a_type_with_a_codec_comes_back_under_its_annotation(value: Any, hint: Any) -> None:
    found = converter.decode(converter.encode(value), hint)

    assert (type(found), found) == (type(value), value)


def test_a_type_with_a_codec_comes_back_without_an_annotation_too() -> None:
    assert converter.decode(converter.encode([Money(3), {"a": (Money(4),)}])) == [Money(3), {"a": (Money(4),)}]


def test_a_subclass_is_stored_with_the_codec_of_the_nearest_class() -> None:
    assert converter.decode(converter.encode(Coins(3)), Money) == Money(3)


def test_what_a_codec_makes_of_another_class_does_not_fit() -> None:
    with pytest.raises(PayloadDecodeError, match="a 'money' where Price is annotated"):
        converter.decode(converter.encode(Money(3)), Price)


def test_a_value_whose_codec_is_missing_is_refused_by_its_name() -> None:
    for hint in (Any, Money):
        with pytest.raises(PayloadDecodeError, match="no TypeCodec is named 'money'"):
            Converter().decode(converter.encode(Money(3)), hint)


def test_what_a_codec_raises_is_told_with_its_place() -> None:
    broken = Converter(types=[TypeCodec(Money, "money", unpriced, unpriced)])

    with pytest.raises(PayloadEncodeError, match=r"^value\[1\]: the codec 'money' cannot encode it: .*no price"):
        broken.encode([1, Money(3)])
    with pytest.raises(PayloadDecodeError, match="the codec 'money' cannot decode it: RuntimeError: no price"):
        broken.decode(converter.encode([1, Money(3)]))


def test_a_failure_that_a_codec_raises_is_let_through() -> None:
    final = Converter(types=[TypeCodec(Money, "money", failing, failing)])

    with pytest.raises(ApplicationError, match="never"):
        final.encode(Money(3))
    with pytest.raises(ApplicationError, match="never"):
        final.decode(converter.encode(Money(3)))


@pytest.mark.parametrize("types", [[MONEY, MONEY], [MONEY, TypeCodec(Coins, "money", str, failing)]], ids=str)
def test_two_codecs_of_one_class_or_of_one_name_are_refused(types: Any) -> None:
    with pytest.raises(ValueError, match="is the second codec of that"):
        Converter(types=types)


def test_a_codec_of_what_is_stored_as_it_is_or_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="stored as it is"):
        Converter(types=[TypeCodec(Decimal, "decimal", str, Decimal)])
    with pytest.raises(ValueError, match="has no name"):
        TypeCodec(Money, "", str, failing)
    no_class: Any = "Money"
    with pytest.raises(TypeError, match="is for a class"):
        TypeCodec(no_class, "money", str, failing)


# --- raw values ---


@pytest.mark.parametrize("value", [1, "a", [Price(Money(3))], {"a": (1, 2)}, b"x" * 400], ids=str)
def test_a_raw_value_is_sent_as_it_is_and_got_as_it_is(value: Any) -> None:
    data = converter.encode(value)

    assert converter.encode(RawValue(data)) == data
    assert converter.decode(data, RawValue) == RawValue(data)
    assert converter.encode_args((1, RawValue(data), "z")) == converter.encode_args((1, value, "z"))
    assert converter.decode_args(converter.encode_args((1, value)), (int, RawValue)) == [1, RawValue(data)]


def test_all_arguments_that_follow_can_be_raw_values() -> None:
    data = converter.encode_args(("name", Money(1), [2]))

    found = converter.decode_args(data, (str, Unpack[tuple[RawValue, ...]]))

    assert found[0] == "name"
    assert [converter.decode(raw.payload) for raw in found[1:]] == [Money(1), [2]]
    assert converter.decode_args(converter.encode_args(()), (Unpack[tuple[RawValue, ...]],)) == []


def test_a_raw_value_is_not_a_part_of_a_value() -> None:
    with pytest.raises(PayloadEncodeError, match=r"value\[0\]: a RawValue stands for a whole argument"):
        converter.encode([RawValue(converter.encode(1))])
    with pytest.raises(PayloadDecodeError, match="annotates a whole argument"):
        converter.decode(converter.encode([1]), list[RawValue])


HALVES = [b"", b"\x01", b"\x01\x92\x01", b"\x01\x01\x01", b"\x80{}", b"\x01" + b"\x91" * 200 + b"\x01"]


@pytest.mark.parametrize("payload", HALVES, ids=["none", "empty", "half", "two", "other codec", "deep"])
def test_half_a_payload_cannot_swallow_the_arguments_behind_it(payload: bytes) -> None:
    with pytest.raises(PayloadEncodeError, match=r"^args\[1\]"):
        converter.encode_args((1, RawValue(payload), 2))


def test_a_raw_value_does_not_show_what_is_in_it() -> None:
    assert repr(RawValue(b"\x01\xa6secret")) == "RawValue(<8 bytes>)"


# --- limits ---


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 5, 30, 200])
def test_nesting_is_limited_where_it_is_encoded(depth: int) -> None:
    limited = Converter(max_depth=depth)

    assert limited.decode(limited.encode(nested(depth))) == nested(depth)
    with pytest.raises(PayloadEncodeError, match=f"nested deeper than {depth} levels"):
        limited.encode(nested(depth + 1))


def test_nesting_is_limited_where_it_is_decoded_whatever_the_setting() -> None:
    data = b"\x01" + b"\x91" * 201 + b"\x01"

    assert Converter(max_depth=1).decode(b"\x01" + b"\x91" * 200 + b"\x01") == nested(200)
    for hint in (Any, list[Any], tuple[Any, ...]):
        with pytest.raises(PayloadDecodeError, match="nested deeper than 200 levels"):
            converter.decode(data, hint)
    with pytest.raises(PayloadDecodeError, match="nested deeper than 200 levels"):
        converter.decode_args(data, None)


@pytest.mark.parametrize("setting", [{"limit": 0}, {"limit": 2**40}, {"max_depth": 0}, {"max_depth": 201}])
def test_a_limit_that_cannot_be_so_is_refused(setting: Any) -> None:
    with pytest.raises(ValueError, match="give a number from 1 to"):
        Converter(**setting)
