"""A memo holds any values by name, each a payload of its own."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.runtime.model.memos import (
    MEMO_LIMIT,
    check_memo,
    decode_memo,
    decode_memo_changes,
    encode_memo,
    memo_changes,
    merged_memo,
)
from greenroom.runtime.model.payloads import Converter


def test_a_memo_comes_back_from_its_bytes_in_its_order(converter: Converter) -> None:
    changes = memo_changes({"b": (1, 2), "a": {"x": b"y"}, "gone": None}, converter, "memo")

    memo = decode_memo(encode_memo(changes))

    assert [(key, converter.decode(payload)) for key, payload in memo.items()] == [("b", (1, 2)), ("a", {"x": b"y"})]
    assert decode_memo_changes(encode_memo(changes)) == changes
    assert encode_memo({}) == b""
    assert decode_memo(None) == {}


def test_changes_replace_add_and_take_away() -> None:
    assert merged_memo({"a": b"1", "b": b"2"}, {"a": None, "b": b"3", "c": b"4", "d": None}) == {"b": b"3", "c": b"4"}


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([("a", 1)], TypeError, "memo is given a list; give a dict of names and values"),
        ({1: "a"}, TypeError, "memo is given a name that is an int"),
        ({"": 1}, ValueError, "memo is given the name '' of 0 bytes"),
        ({"x" * 481: 1}, ValueError, "of 481 bytes, allowed are 1 to 480"),
        ({"\ud800": 1}, ValueError, "lone surrogates"),
    ],
)
def test_what_is_no_memo_is_refused(converter: Converter, given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        memo_changes(given, converter, "memo")


def test_a_memo_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="the memo of the run would take 262,"):
        check_memo({"a": b"x" * MEMO_LIMIT})


def test_bytes_that_are_no_memo_are_told() -> None:
    with pytest.raises(ValueError, match="not the memo of a run"):
        decode_memo(b"\xc1")
