"""Search attributes hold exactly what their keys say, and stand in the index in the order of their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom import (
    SearchAttributeIndexedValueType,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)
from greenroom.runtime.model.attribute_index import CUT_AT, PREFIX_ROOM, prefixes_of, type_prefix, value_prefix
from greenroom.runtime.model.attribute_values import (
    LIST_LIMIT,
    NAME_LIMIT,
    NUMBER_LIMIT,
    TEXT_LIMIT,
    check_attributes,
    checked_value,
    decode_attributes,
    encode_attributes,
    shown,
)
from greenroom.runtime.model.search_attributes import stored_of, typed_of
from greenroom.storage import PREFIX_LIMIT

TEXT = SearchAttributeKey.for_text("Text")
KEYWORD = SearchAttributeKey.for_keyword("Keyword")
INT = SearchAttributeKey.for_int("Int")
FLOAT = SearchAttributeKey.for_float("Float")
BOOL = SearchAttributeKey.for_bool("Bool")
WHEN = SearchAttributeKey.for_datetime("When")
TAGS = SearchAttributeKey.for_keyword_list("Tags")

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HERE = timezone(timedelta(hours=2))

GOOD: list[tuple[SearchAttributeKey[Any], Any, Any]] = [
    (TEXT, "two words", "two words"),
    (KEYWORD, "", ""),
    (INT, -(2**63), -(2**63)),
    (FLOAT, 1.5, 1.5),
    (FLOAT, 2, 2.0),
    (FLOAT, float("-inf"), float("-inf")),
    (BOOL, False, False),
    (WHEN, NOON.astimezone(HERE), NOON),
    (WHEN, datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)),
    (TAGS, ("a", "b", "a"), ["a", "b", "a"]),
]

BAD: list[tuple[SearchAttributeKey[Any], Any, type[Exception], str]] = [
    (TEXT, b"bytes", TypeError, "search attribute 'Text' is given a bytes; give a str"),
    (KEYWORD, None, TypeError, "search attribute 'Keyword' is given a NoneType; give a str"),
    (KEYWORD, "\ud800", ValueError, "search attribute 'Keyword' holds lone surrogates"),
    (KEYWORD, "x" * (TEXT_LIMIT + 1), ValueError, "search attribute 'Keyword' has 4,097 bytes of UTF-8"),
    (INT, True, TypeError, "search attribute 'Int' is given a bool; give an int"),
    (INT, 1.0, TypeError, "search attribute 'Int' is given a float; give an int"),
    (INT, 2**63, ValueError, "search attribute 'Int' is beyond 64 bits"),
    (FLOAT, True, TypeError, "search attribute 'Float' is given a bool; give a float"),
    (FLOAT, float("nan"), ValueError, "search attribute 'Float' is not a number"),
    (FLOAT, 10**400, ValueError, "search attribute 'Float' is too large for a float"),
    (BOOL, 1, TypeError, "search attribute 'Bool' is given an int; give True or False"),
    (WHEN, NOON.date(), TypeError, "search attribute 'When' is given a date; give an aware datetime"),
    (WHEN, NOON.replace(tzinfo=None), ValueError, "search attribute 'When' needs an aware datetime"),
    (WHEN, datetime(1, 1, 1, tzinfo=HERE), ValueError, "search attribute 'When' is given a time that has no date"),
    (TAGS, "text", TypeError, "search attribute 'Tags' is given a str; give a list of str"),
    (TAGS, ["a", 1], TypeError, r"search attribute 'Tags' \[1\] is given an int; give a str"),
    (TAGS, ["a"] * (LIST_LIMIT + 1), ValueError, "search attribute 'Tags' has 101 keywords"),
]


@pytest.mark.parametrize(("key", "value", "comes_back"), GOOD)
def test_a_value_of_its_keys_type_comes_back_from_its_bytes(
    key: SearchAttributeKey[Any], value: Any, comes_back: Any
) -> None:
    attributes = TypedSearchAttributes([SearchAttributePair(key, value)])

    stored = typed_of(decode_attributes(encode_attributes(stored_of(attributes))))

    assert stored[key] == comes_back
    assert type(stored[key]) is type(comes_back)
    assert stored == attributes


@pytest.mark.parametrize(("key", "value", "error", "words"), BAD)
def test_a_value_of_another_type_is_refused_where_it_is_written(
    key: SearchAttributeKey[Any], value: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        key.value_set(value)
    with pytest.raises(error, match=words):
        TypedSearchAttributes([SearchAttributePair(key, value)])


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("", ValueError, "has 0 bytes of UTF-8, allowed are 1 to 128"),
        ("é" * 65, ValueError, "has 130 bytes of UTF-8"),
        ("\ud800", ValueError, "holds lone surrogates"),
        ("WorkflowType", ValueError, "every run has a WorkflowType of its own"),
        (7, TypeError, "the name of a search attribute is an int; give a string"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        SearchAttributeKey.for_int(name)


def test_a_key_without_a_type_is_refused() -> None:
    with pytest.raises(TypeError, match="no member of SearchAttributeIndexedValueType"):
        SearchAttributeKey("Name", 3)  # type: ignore[arg-type]


def test_attributes_are_read_by_their_keys() -> None:
    attributes = TypedSearchAttributes([SearchAttributePair(INT, 1), SearchAttributePair(KEYWORD, "k")])

    assert (attributes[INT], attributes.get(KEYWORD), attributes.get(TEXT), attributes.get(TEXT, "-")) == (
        *(1, "k", None, "-"),
    )
    assert INT in attributes
    assert TEXT not in attributes
    assert "Int" not in attributes
    assert SearchAttributeKey.for_keyword("Int") not in attributes
    assert [pair.key.name for pair in attributes] == ["Int", "Keyword"]
    assert len(attributes) == len(attributes.search_attributes) == 2
    assert repr(attributes) == "TypedSearchAttributes({'Int': 1, 'Keyword': 'k'})"
    with pytest.raises(KeyError, match="Text"):
        attributes[TEXT]


def test_attributes_are_updated_into_others_and_stay_as_they_are() -> None:
    one = TypedSearchAttributes([SearchAttributePair(INT, 1)])

    two = one.updated(SearchAttributePair(INT, 2), SearchAttributePair(BOOL, True))

    assert (one[INT], two[INT], two[BOOL]) == (1, 2, True)
    assert one != two
    assert TypedSearchAttributes.empty == TypedSearchAttributes()
    assert len({one, two, TypedSearchAttributes([SearchAttributePair(INT, 1)])}) == 2


def test_a_name_in_the_place_of_its_key_is_refused_with_what_to_give() -> None:
    attributes = TypedSearchAttributes([SearchAttributePair(KEYWORD, "a")])
    name: Any = KEYWORD.name

    for look in (attributes.get, attributes.__getitem__):
        with pytest.raises(TypeError, match=r"is no key; give that of its type, as SearchAttributeKey.for_keyword\('"):
            look(name)
    assert name not in attributes


def test_a_name_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'Int' is given twice"):
        TypedSearchAttributes([SearchAttributePair(INT, 1), SearchAttributePair(SearchAttributeKey.for_int("Int"), 2)])


def test_what_is_no_pair_is_refused() -> None:
    with pytest.raises(TypeError, match="give SearchAttributePair"):
        TypedSearchAttributes([("Int", 1)])  # type: ignore[list-item]


def test_a_change_tells_its_key_and_its_value() -> None:
    assert INT.value_set(3) == SearchAttributeUpdate(INT, 3)
    assert INT.value_unset() == SearchAttributeUpdate(INT, None)


def test_too_many_attributes_and_too_large_ones_are_refused() -> None:
    with pytest.raises(ValueError, match=f"would have 101 search attributes, allowed are {NUMBER_LIMIT}"):
        check_attributes({f"A{place}": (3, place) for place in range(NUMBER_LIMIT + 1)})
    with pytest.raises(ValueError, match="belongs into the memo"):
        check_attributes({f"A{place}": (2, "x" * TEXT_LIMIT) for place in range(11)})


@pytest.mark.parametrize("data", [b"\xc1", b"\x81\xa1a\x92\x09\x01", b"\x81\xa1a\x01"])
def test_bytes_that_are_no_attributes_are_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="not the search attributes of a run"):
        decode_attributes(data)


# The index.

MICROSECONDS = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(st.sampled_from("\0\x01aéz\U0001f600"), max_size=8) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)


def around(size: int, head: str, tail: str) -> str:
    return head + "a" * size + tail


LONG = st.builds(
    around,
    st.integers(CUT_AT - 6, CUT_AT + 6),
    st.sampled_from(["", "\0", "é"]),
    TEXTS,
)
ORDERED: dict[str, tuple[SearchAttributeKey[Any], st.SearchStrategy[Any]]] = {
    "text": (TEXT, TEXTS),
    "keyword": (KEYWORD, TEXTS),
    "int": (INT, st.integers(-(2**63), 2**63 - 1)),
    "float": (FLOAT, st.floats(allow_nan=False)),
    "bool": (BOOL, st.booleans()),
    "datetime": (WHEN, MICROSECONDS),
}


def place_of(key: SearchAttributeKey[Any], value: Any) -> bytes:
    kind = key.indexed_value_type
    return value_prefix(key.name, kind, checked_value(key.name, kind, value))


@pytest.mark.parametrize("kind", ORDERED)
def test_the_order_of_places_is_the_order_of_values(kind: str) -> None:
    key, values = ORDERED[kind]

    @given(values, values, st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1))
    def holds(one: Any, other: Any, run_no: int, other_run_no: int) -> None:
        place = place_of(key, one) + run_no.to_bytes(8, "big")
        other_place = place_of(key, other) + other_run_no.to_bytes(8, "big")

        if one != other:
            assert (place < other_place) is (one < other)
        else:
            assert (place < other_place) is (run_no < other_run_no)

    holds()


@given(LONG, LONG)
def test_texts_too_long_for_a_key_are_in_order_up_to_where_they_are_cut(one: str, other: str) -> None:
    place, other_place = place_of(KEYWORD, one), place_of(KEYWORD, other)
    head, other_head = (each.encode()[: CUT_AT // 2] for each in (one, other))

    assert len(place) <= PREFIX_ROOM
    assert (place == other_place) is (one == other)
    if head != other_head:
        assert (place < other_place) is (one < other)


@given(TEXTS, LONG)
def test_a_short_text_and_a_long_one_are_in_order(short: str, long: str) -> None:
    if short != long:
        assert (place_of(KEYWORD, short) < place_of(KEYWORD, long)) is (short < long)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_each_keyword_of_a_list_has_a_place(keywords: Sequence[str]) -> None:
    attributes = encode_attributes(stored_of(TypedSearchAttributes([SearchAttributePair(TAGS, list(keywords))])))

    head = type_prefix("Tags", SearchAttributeIndexedValueType.KEYWORD_LIST)
    places = prefixes_of(attributes)

    assert len(places) == len(keywords)
    assert all(place.startswith(head) for place in places)
    assert sorted(range(len(places)), key=places.__getitem__) == sorted(
        range(len(places)), key=lambda place: keywords[place]
    )


@pytest.mark.parametrize("length", range(6))
def test_a_text_that_is_cut_in_a_zero_is_not_found_as_one_that_ends_there(length: int) -> None:
    long = "a" * length + "\0" * CUT_AT

    places = [place_of(KEYWORD, "a" * length + "\0" * zeros) for zeros in range(CUT_AT // 2 + 1)]

    assert not any(place_of(KEYWORD, long).startswith(place) for place in places)


def test_the_longest_name_and_the_longest_text_fit_into_a_key() -> None:
    place = value_prefix("n" * NAME_LIMIT, SearchAttributeIndexedValueType.TEXT, "\0" * TEXT_LIMIT)

    assert PREFIX_ROOM == PREFIX_LIMIT
    assert PREFIX_LIMIT - 1 <= len(place) <= PREFIX_LIMIT


@pytest.mark.parametrize("other", [SearchAttributeKey.for_int, SearchAttributeKey.for_float])
def test_names_and_types_do_not_run_into_each_other(other: Callable[[str], SearchAttributeKey[Any]]) -> None:
    heads = {type_prefix(name, key("x").indexed_value_type) for name in ("a", "ab", "b") for key in (other, TEXT_KEY)}

    assert len(heads) == 6
    assert not any(one != two and one.startswith(two) for one in heads for two in heads)


TEXT_KEY = SearchAttributeKey.for_text


def test_zero_has_one_place_whatever_its_sign() -> None:
    assert place_of(FLOAT, -0.0) == place_of(FLOAT, 0.0)
    assert (
        str(shown(SearchAttributeIndexedValueType.DOUBLE, checked_value("a", FLOAT.indexed_value_type, -0.0))) == "0.0"
    )
