"""What cannot be stored, or is not what was stored, is refused with its place and a way out."""

from __future__ import annotations

import collections
import struct
from dataclasses import InitVar, dataclass
from datetime import date
from enum import Enum
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greenroom.runtime.model.errors import PayloadDecodeError, PayloadEncodeError, PayloadTooLargeError
from greenroom.runtime.model.payload_limits import MAX_DECODED
from greenroom.runtime.model.payloads import Converter


class Color(Enum):
    RED = "red"


@dataclass
class Line:
    name: str
    extra: Any = None


@dataclass
class Order:
    items: list[Line]


@dataclass
class Strict:
    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise RuntimeError("no name")


@dataclass
class NeedsMore:
    name: InitVar[str]


@dataclass
class Dangling:
    when: Missing  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]  # the point of it


converter = Converter()


def test_the_error_names_the_place_of_what_cannot_be_stored() -> None:
    order = Order([Line("a"), Line("b", {"k": struct.Struct("B")})])

    with pytest.raises(PayloadEncodeError) as caught:
        converter.encode_args((1, order))

    assert caught.value.path == "args[1].items[1].extra['k']"
    assert str(caught.value).startswith(
        "args[1].items[1].extra['k']: object of type 'Struct' cannot be stored; pass plain data"
    )


@pytest.mark.parametrize(
    "value", [object(), {1: {object()}}, collections.deque[int](), Line, Color, {object(): 1}], ids=str
)
def test_what_is_not_data_is_refused(value: object) -> None:
    with pytest.raises(PayloadEncodeError):
        converter.encode(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(PayloadEncodeError, match="contains itself"):
        converter.encode(value)


def test_a_value_of_a_hundred_levels_comes_back() -> None:
    value: Any = 1
    for _ in range(50):
        value = [(value,)]

    assert converter.decode(converter.encode(value)) == value


def test_a_field_without_a_value_is_refused() -> None:
    line = Line("a")
    del line.name

    with pytest.raises(PayloadEncodeError, match=r"value\.name: .*without a value"):
        converter.encode(line)


def test_a_payload_over_the_limit_is_refused_with_both_numbers() -> None:
    small = Converter(limit=100)

    with pytest.raises(PayloadTooLargeError) as caught:
        small.encode("x" * 200)

    assert (caught.value.size, caught.value.limit) == (203, 100)
    for args in (("x" * 200,), ((b"x" * 200,),)):
        with pytest.raises(PayloadTooLargeError):
            small.encode_args(args)


def test_a_limit_that_was_lowered_does_not_make_old_payloads_unreadable() -> None:
    data = converter.encode("x" * 200)

    assert Converter(limit=100).decode(data, str) == "x" * 200


def test_a_payload_larger_than_what_is_ever_decoded_is_refused() -> None:
    with pytest.raises(PayloadDecodeError, match="is the most that is decoded"):
        converter.decode(b"\x01\xc6" + struct.pack(">I", MAX_DECODED) + bytes(MAX_DECODED))


@pytest.mark.parametrize(
    ("value", "hint", "place"),
    [
        ("a", int, ""),
        ([Line("a"), 3], list[Line], "[1]"),
        ({"a": 1}, dict[str, str], "['a']"),
        ({"a": 1}, dict[int, int], "['a']"),
        (Order([Line("a"), Line(3)]), Order, "items[1].name"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the point of it
        ((1, 2), tuple[int, int, int], ""),
        (Line("a"), Color, ""),
        (Line("a"), Color | Order, ""),
        ("green", Color, ""),
        (Color.RED, Line, ""),
        ("not a date", date, ""),
        (Strict("x"), NeedsMore, ""),
        ({"name": ""}, Strict, ""),
        ({"name": "a"}, Line | Strict, ""),
        (Line("a"), Dangling, ""),
        (1, "int", ""),
        ([[1], [1]], set[list[int]], ""),
    ],
    ids=str,
)
def test_what_does_not_fit_its_annotation_is_refused_with_its_place(value: Any, hint: Any, place: str) -> None:
    with pytest.raises(PayloadDecodeError) as caught:
        converter.decode(converter.encode(value), hint)

    assert caught.value.path == place


def test_beneath_it_stands_what_the_users_code_has_raised_and_nothing_else() -> None:
    with pytest.raises(PayloadDecodeError) as caught:
        converter.decode(converter.encode("text"), int)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__

    with pytest.raises(PayloadDecodeError) as caught:
        converter.decode(converter.encode({"name": ""}), Strict)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_argument_that_does_not_fit_is_named_by_its_number() -> None:
    with pytest.raises(PayloadDecodeError, match=r"^args\[1\]: a str where int is annotated"):
        converter.decode_args(converter.encode_args((1, "a")), (int, int))


def test_classes_that_an_annotation_does_not_name_are_never_made() -> None:
    data = converter.encode(Line("a"))

    with pytest.raises(PayloadDecodeError, match="a 'Line' where Order is annotated"):
        converter.decode(data, Order)


def test_keys_that_become_equal_without_their_classes_are_an_error_and_not_a_loss() -> None:
    data = converter.encode({Color.RED: 1, "red": 2})

    with pytest.raises(PayloadDecodeError, match="annotate the value"):
        converter.decode(data)
    assert converter.decode(data, dict[Color | str, int]) == {Color.RED: 1, "red": 2}


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(PayloadDecodeError, match="codec 7"):
        converter.decode(b"\x07abc")


HINTS: list[Any] = [
    Any,
    int,
    str,
    list[int],
    dict[str, Any],
    Order,
    Color,
    set[Line],
    tuple[int, ...],
    Line | Order | None,
    date | str,
]


def _tag(code: int, value: object) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(value))


_tagged = st.builds(msgspec.msgpack.Ext, st.integers(-128, 127), st.binary(max_size=30))
_near = st.recursive(
    st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=5), st.binary(max_size=5), _tagged),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.builds(_tag, st.integers(1, 19), inner),
    ),
    max_leaves=15,
).map(lambda value: b"\x01" + msgspec.msgpack.encode(value))


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda data: b"\x01" + data), _near))
@example(b"")
@example(b"\x01")
@example(b"\x01\xdd\xff\xff\xff\xff")
@example(b"\x01\xc6\xff\xff\xff\xff")
@example(b"\x01" + b"\x91" * 5_000)
@example(b"\x01" + b"\x81\x01" * 5_000)
@example(b"\x01\xd4\x07\x00")
@example(b"\x01" + msgspec.msgpack.encode(msgspec.msgpack.Ext(7, msgspec.msgpack.encode(["2020-01-01", 0, "America"]))))
@example(
    b"\x01"
    + msgspec.msgpack.encode(msgspec.msgpack.Ext(7, msgspec.msgpack.encode(["2020-01-01", 0, "../../etc/passwd"])))
)
@example(b"\x01" + msgspec.msgpack.encode(msgspec.msgpack.Ext(12, msgspec.msgpack.encode("1E+" + "9" * 30))))
def test_hostile_bytes_raise_only_the_decode_error(data: bytes) -> None:
    for hint in HINTS:
        try:
            converter.decode(data, hint)
        except PayloadDecodeError:
            pass
    for hints in (None, (int, Order, Any)):
        try:
            converter.decode_args(data, hints)
        except PayloadDecodeError:
            pass


def test_tags_nested_without_end_raise_only_the_decode_error() -> None:
    data = b"\x90"
    for _ in range(3_000):
        data = msgspec.msgpack.encode([msgspec.msgpack.Ext(1, data)])

    with pytest.raises(PayloadDecodeError):
        converter.decode(b"\x01" + data)
