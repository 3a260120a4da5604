"""Key order is tuple order; ids and names have limits."""

from __future__ import annotations

from struct import Struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.storage import keys
from greenroom.storage.keys import Kind

U8 = st.integers(0, 2**8 - 1)
U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)

LAYOUTS = {
    keys.HEADER_KEY: st.tuples(U64, U8),
    keys.TURN_KEY: st.tuples(U64, U8, U32),
    keys.MAIL_KEY: st.tuples(U64, U8, U64),
    keys.TIMER_KEY: st.tuples(U64, U8, U8, U32),
    keys.WAITING_KEY: st.tuples(U8, U64, U64),
    keys.ACTIVE_KEY: st.tuples(U8, U64),
    keys.DUE_KEY: st.tuples(U8, U64, U64, U8, U32),
    keys.LETTER_KEY: st.tuples(U64),
}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.format)
@given(data=st.data())
def test_the_order_of_keys_is_the_order_of_tuples(layout: Struct, data: st.DataObject) -> None:
    one = data.draw(LAYOUTS[layout])
    other = data.draw(LAYOUTS[layout])

    assert (layout.pack(*one) < layout.pack(*other)) == (one < other)


@given(run_no=st.integers(0, 2**64 - 2), number=U32, wide=U64, kind=U8)
def test_every_row_of_a_run_lies_in_its_range_and_no_other(run_no: int, number: int, wide: int, kind: int) -> None:
    start, stop = keys.run_range(run_no)

    rows = [
        keys.HEADER_KEY.pack(run_no, Kind.HEADER),
        keys.TURN_KEY.pack(run_no, Kind.TURN, number),
        keys.MAIL_KEY.pack(run_no, Kind.MAIL, wide),
        keys.ATTEMPT_KEY.pack(run_no, Kind.ATTEMPT, number),
        keys.TIMER_KEY.pack(run_no, Kind.TIMER, kind, number),
    ]

    assert all(start <= row < stop for row in rows)
    assert rows == sorted(rows)
    assert stop < keys.run_range(run_no + 1)[0]


@given(key=st.binary(max_size=20), other=st.binary(max_size=20))
def test_nothing_lies_between_a_key_and_the_one_after(key: bytes, other: bytes) -> None:
    assert key < keys.after(key)
    assert other <= key or other >= keys.after(key)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (keys.HEADER_KEY.pack(7, Kind.HEADER), "the header of run 7"),
        (keys.TURN_KEY.pack(7, Kind.TURN, 3), "turn 3 of run 7"),
        (keys.MAIL_KEY.pack(7, Kind.MAIL, 5), "mail 5 of run 7"),
        (keys.ATTEMPT_KEY.pack(7, Kind.ATTEMPT, 2), "activity 2 of run 7"),
        (keys.TIMER_KEY.pack(7, Kind.TIMER, 1, 2), "timer 2 (kind 1) of run 7"),
        (keys.DELAYED_KEY.pack(7, Kind.DELAYED, 2), "delayed mail 2 of run 7"),
        (b"short", "the row with the unknown key 73686f7274"),
        (keys.TURN_KEY.pack(7, Kind.MAIL, 3), "the row with the unknown key 00000000000000072000000003"),
    ],
)
def test_a_key_is_described_in_words(key: bytes, words: str) -> None:
    assert keys.describe(key) == words


def test_a_workflow_id_is_counted_in_bytes_not_in_characters() -> None:
    assert keys.workflow_key("ä" * 240) == "ä".encode() * 240
    with pytest.raises(ValueError, match="482 bytes of UTF-8"):
        keys.workflow_key("ä" * 241)


def test_a_workflow_id_that_utf8_cannot_write_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        keys.workflow_key("\ud800")
