"""Records survive the way to bytes and back; bytes that were not written there never become a record."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.storage import (
    Attempt,
    CorruptError,
    DeadLetter,
    DelayedMail,
    FormatError,
    Mail,
    Meta,
    RunHeader,
    Timer,
    Turn,
    Update,
    keys,
)
from greenroom.storage.codec import (
    chain_start,
    decode,
    decode_pointer,
    decode_turns,
    encode,
    encode_pointer,
    encode_turn,
    seal,
    sealed,
    turn_crc,
)
from greenroom.storage.keys import Kind
from greenroom.storage.records import Retention

INT = st.integers(-(2**63), 2**64 - 1)
OPTIONAL = st.none() | INT
TEXT = st.text(max_size=30)
BYTES = st.binary(max_size=60)
KEY = st.binary(min_size=1, max_size=25)

HEADERS = st.builds(
    RunHeader,
    *(TEXT, TEXT, TEXT, INT, INT, OPTIONAL, OPTIONAL, TEXT, TEXT),
    *(INT, INT, INT, BYTES, BYTES, TEXT, INT, BYTES, BYTES, OPTIONAL),
)
MAIL = st.builds(Mail, INT, INT, BYTES)
ATTEMPTS = st.builds(Attempt, INT, INT, OPTIONAL, st.booleans(), BYTES, BYTES, BYTES)
TIMERS = st.builds(Timer, INT, INT, INT)
UPDATES = st.builds(Update, TEXT, BYTES)
DELAYED = st.builds(DelayedMail, INT, INT, BYTES, st.booleans())
KEPT = st.builds(Retention, TEXT)
LETTERS = st.builds(DeadLetter, INT, INT, INT, TEXT, BYTES)
METAS = st.builds(Meta, INT, TEXT, INT, INT, INT, INT, INT, TEXT)
ROW = keys.MAIL_KEY.pack(1, Kind.MAIL, 2)


READERS: list[Callable[[bytes, bytes], object]] = [
    partial(decode, RunHeader),
    partial(decode, Mail),
    partial(decode, Attempt),
    partial(decode, Timer),
    partial(decode, Update),
    partial(decode, DelayedMail),
    partial(decode, Retention),
    partial(decode, DeadLetter),
    partial(decode, Meta),
]


def with_checksum(body: bytes, seed: int) -> bytes:
    return body + zlib.crc32(body, seed).to_bytes(4, "big")


def packed(*fields: object) -> bytes:
    data: bytes = msgpack.packb(fields)
    return data


@given(key=KEY, record=st.one_of(HEADERS, MAIL, ATTEMPTS, TIMERS, UPDATES, DELAYED, KEPT, LETTERS, METAS))
def test_every_record_survives_the_way_to_bytes_and_back(key: bytes, record: Any) -> None:
    assert decode(record.__class__, key, encode(key, record)) == record


@given(run_no=st.integers(0, 2**64 - 1), crc=st.integers(0, 2**32 - 1), time_ns=INT, message=BYTES, commands=BYTES)
def test_a_turn_survives_the_way_to_bytes_and_back(
    run_no: int, crc: int, time_ns: int, message: bytes, commands: bytes
) -> None:
    data, new_crc = encode_turn(crc, time_ns, message, commands)

    turns = decode_turns(run_no, [(keys.TURN_KEY.pack(run_no, Kind.TURN, 3), data)], 3, crc)

    assert turns == [Turn(3, time_ns, message, commands, new_crc)]
    assert turn_crc(data) == new_crc


@given(data=st.binary(max_size=200), seeded=st.booleans())
def test_hostile_bytes_raise_only_documented_errors(data: bytes, *, seeded: bool) -> None:
    turn_key = keys.TURN_KEY.pack(1, Kind.TURN, 0)
    record = with_checksum(data, zlib.crc32(ROW)) if seeded else data
    turn = with_checksum(data, chain_start(1)) if seeded else data

    for read in READERS:
        with pytest.raises((CorruptError, FormatError)):
            read(ROW, record)
    with pytest.raises((CorruptError, FormatError)):
        decode_turns(1, [(turn_key, turn)], 0, chain_start(1))
    with pytest.raises(CorruptError):
        decode_pointer(ROW, data)


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INT | st.floats() | TEXT | BYTES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(fields=st.lists(JUNK, max_size=16))
def test_well_formed_junk_with_the_right_checksum_is_still_refused(fields: list[Any]) -> None:
    nested: list[Any] = [[]]
    data = with_checksum(packed(1, *fields, nested), zlib.crc32(ROW))

    for read in READERS:
        with pytest.raises(CorruptError):
            read(ROW, data)


@pytest.mark.parametrize(
    "bomb", [b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", b"\xc1", b"\x81\x90\x90", b"\xd6\xff\0\0\0\0"]
)
def test_bombs_are_refused(bomb: bytes) -> None:
    with pytest.raises(CorruptError):
        decode(Mail, ROW, with_checksum(bomb, zlib.crc32(ROW)))


def test_a_record_under_another_key_is_refused() -> None:
    data = encode(ROW, Mail(2, 3, b"x"))

    with pytest.raises(CorruptError, match="checksum") as caught:
        decode(Mail, keys.MAIL_KEY.pack(2, Kind.MAIL, 2), data)

    assert caught.value.run_no == 2


def test_a_newer_format_is_no_damage() -> None:
    record = with_checksum(packed(2, 2, 3, b"x", "new"), zlib.crc32(ROW))
    turn = with_checksum(packed(2, 3, b"", b"", "new"), chain_start(1))

    with pytest.raises(FormatError, match=r"mail 2 of run 1: it has format 2, this version reads up to 1; upgrade"):
        decode(Mail, ROW, record)
    with pytest.raises(FormatError, match="turn 0 of run 1"):
        decode_turns(1, [(keys.TURN_KEY.pack(1, Kind.TURN, 0), turn)], 0, chain_start(1))


def test_a_record_written_before_a_field_was_added_gets_its_default() -> None:
    data = with_checksum(packed(1, 5, 99), zlib.crc32(ROW))

    assert decode(Timer, ROW, data) == Timer(5, 99, 1)


@pytest.mark.parametrize(
    ("fields", "why"),
    [((1, 2), "2 fields instead of 3"), ((1, 2, b"", 4), "4 fields"), ((1, True, b""), "bool instead of int")],
)
def test_a_record_of_the_wrong_shape_is_refused(fields: tuple[object, ...], why: str) -> None:
    with pytest.raises(CorruptError, match=why):
        decode(Mail, ROW, with_checksum(packed(1, *fields), zlib.crc32(ROW)))


def test_the_place_of_damage_is_named_for_every_kind() -> None:
    with pytest.raises(CorruptError, match="the journal's own row"):
        decode(Meta, b"meta", b"")
    with pytest.raises(CorruptError, match="dead letter 9"):
        decode(DeadLetter, keys.LETTER_KEY.pack(9), b"")


def chain(run_no: int, count: int) -> list[tuple[bytes, bytes]]:
    rows: list[tuple[bytes, bytes]] = []
    crc = chain_start(run_no)
    for turn_no in range(count):
        data, crc = encode_turn(crc, turn_no, b"m", b"c")
        rows.append((keys.TURN_KEY.pack(run_no, Kind.TURN, turn_no), data))
    return rows


class Tampering(NamedTuple):
    name: str
    rows: list[tuple[bytes, bytes]]


def tamperings() -> list[Tampering]:
    rows = chain(1, 5)
    other = chain(2, 5)
    swapped = [rows[0], (rows[1][0], rows[2][1]), (rows[2][0], rows[1][1]), *rows[3:]]
    return [
        Tampering("a turn is missing", [*rows[:2], *rows[3:]]),
        Tampering("the first turn is missing", rows[1:]),
        Tampering("two turns are swapped", swapped),
        Tampering("a turn of another run", [*rows[:2], (rows[2][0], other[2][1]), *rows[3:]]),
        Tampering("a run under another number", [(key, data) for (key, _), (_, data) in zip(rows, other, strict=True)]),
        Tampering("an older version of a turn", [(rows[0][0], encode_turn(7, 0, b"m", b"c")[0]), *rows[1:]]),
    ]


@pytest.mark.parametrize("tampering", tamperings(), ids=lambda tampering: tampering.name)
def test_a_chain_that_was_tampered_with_is_refused(tampering: Tampering) -> None:
    with pytest.raises(CorruptError) as caught:
        decode_turns(1, tampering.rows, 0, chain_start(1))

    assert caught.value.run_no == 1


def test_a_turn_of_the_wrong_shape_is_refused() -> None:
    data = with_checksum(packed(1, 2, b""), chain_start(1))

    with pytest.raises(CorruptError, match="fields of a turn"):
        decode_turns(1, [(keys.TURN_KEY.pack(1, Kind.TURN, 0), data)], 0, chain_start(1))


@given(key=KEY, other=KEY, run_no=st.integers(0, 2**64 - 1))
def test_rows_without_a_record_are_bound_to_their_key(key: bytes, other: bytes, run_no: int) -> None:
    assert sealed(key, seal(key))
    assert decode_pointer(key, encode_pointer(key, run_no)) == run_no
    if zlib.crc32(key) != zlib.crc32(other):
        assert not sealed(other, seal(key))
        with pytest.raises(CorruptError):
            decode_pointer(other, encode_pointer(key, run_no))


def test_a_record_that_cannot_be_packed_leaves_the_next_one_alone() -> None:
    with pytest.raises(OverflowError):
        encode(ROW, Mail(2, 2**70, b"x" * 100))

    assert decode(Mail, ROW, encode(ROW, Mail(2, 3, b"y"))) == Mail(2, 3, b"y")
