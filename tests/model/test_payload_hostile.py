"""Hostile bytes raise only the documented errors, in a time and a memory that grow with their number."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import tracemalloc
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenroom.runtime.core.commands import decode_commands
from greenroom.runtime.core.messages import decode_message
from greenroom.runtime.model.errors import PayloadDecodeError, PayloadEncodeError
from greenroom.runtime.model.failure_reading import to_exception
from greenroom.runtime.model.failures import Failure, FailureKind
from greenroom.runtime.model.payloads import Converter
from tests.model.hostile_payloads import HINTS, alike, bodies
from tests.model.payload_strategies import Box, typed_values

converter = Converter()
# `make fuzz` makes a hundred times as many.
MANY = settings(
    max_examples=100 * int(os.environ.get("FUZZ", "1")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SMALL = bodies(2_000)
LARGE = bodies(20_000)
ALIKE = alike()
SECONDS = 20  # what is not linear takes minutes for the large ones, or hours
# Of memory for each byte that is decoded: an empty container takes one byte, and a tree of it several objects.
BYTES = 400


def read(data: bytes) -> None:
    """Read a payload in every way; only the documented error may come out."""
    for hint in HINTS:
        with contextlib.suppress(PayloadDecodeError):
            converter.decode(data, hint)
    for hints in (None, (int, *HINTS[-4:])):
        with contextlib.suppress(PayloadDecodeError):
            converter.decode_args(data, hints)


def refused(data: bytes) -> str:
    try:
        converter.decode(data)
    except PayloadDecodeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", SMALL)
def test_a_hostile_payload_raises_only_the_documented_error(name: str) -> None:
    read(b"\x01" + SMALL[name])


@pytest.mark.parametrize("name", SMALL)
def test_an_error_does_not_quote_a_hostile_payload_at_length(name: str) -> None:
    assert len(refused(b"\x01" + LARGE[name])) < 2_500


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_hostile_payload_takes_bounded_time_and_memory(name: str) -> None:
    data = b"\x01" + LARGE[name]
    began = time.thread_time()

    for hint in (Any, dict[Any, Any], set[Any], int | str | list[Any]):
        tracemalloc.start()
        try:
            with contextlib.suppress(PayloadDecodeError):
                converter.decode(data, hint)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < BYTES * len(data) + 4_000_000

    assert time.thread_time() - began < SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("name", ALIKE)
def test_a_hash_that_thousands_share_does_not_take_the_square_of_their_number(name: str) -> None:
    began = time.thread_time()

    for hint in (set[UUID], frozenset[Box[int]]):
        with contextlib.suppress(PayloadDecodeError):
            converter.decode(b"\x01" + ALIKE[name], hint)
    with contextlib.suppress(PayloadDecodeError):
        converter.decode_args(b"\x01" + ALIKE[name], None)

    assert time.thread_time() - began < SECONDS


@pytest.mark.parametrize("name", ["elements", "keys", "keys deep inside", "keys of a record", "keys that are lists"])
def test_thousands_with_one_hash_are_refused(name: str) -> None:
    assert "have the hash of another one" in refused(b"\x01" + ALIKE[name])


def test_thousands_of_honest_keys_that_share_their_hashes_in_small_groups_are_read() -> None:
    grid = {(x, y, z): x for x in range(-15, 15) for y in range(-15, 15) for z in range(-15, 15)}

    assert len(grid) - len(set(map(hash, grid))) > 2_000
    for value, hint in ((grid, dict[tuple[int, int, int], int]), (set(grid), set[tuple[int, int, int]])):
        data = converter.encode(value)
        assert converter.decode(data) == value
        assert converter.decode(data, hint) == value


def test_what_could_not_be_read_for_its_hashes_is_not_written() -> None:
    @dataclass(frozen=True)
    class Alike:
        number: int

        def __hash__(self) -> int:
            return 1

    keys = {Alike(number): None for number in range(1_100)}

    for value in (keys, set(keys), frozenset(keys)):
        with pytest.raises(PayloadEncodeError, match="1,099 of 1,100 keys or elements have the hash of another one"):
            converter.encode(value)


def test_thousands_of_honest_keys_are_read() -> None:
    value = {UUID(int=number * 7919): (number, number + 1) for number in range(5_000)}

    assert converter.decode(converter.encode([{"ids": value, "all": set(value)}]), Any) == [
        {"ids": value, "all": set(value)}
    ]
    assert converter.decode(converter.encode(value), dict[UUID, tuple[int, ...]]) == value


def test_names_in_data_import_nothing() -> None:
    # What Python itself loads to look for a zone is loaded first.
    with contextlib.suppress(LookupError, OSError):
        ZoneInfo("Nowhere/Land")
    read(b"\x01\x90")
    before = set(sys.modules)

    for body in SMALL.values():
        read(b"\x01" + body)

    assert set(sys.modules) - before == set()


@MANY
@given(st.binary(max_size=80))
def test_random_bytes_raise_only_the_documented_error(data: bytes) -> None:
    read(data)
    read(b"\x01" + data)


@MANY
@given(
    typed_values(3), st.lists(st.tuples(st.integers(0), st.integers(0, 2), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_a_payload_that_was_changed_raises_only_the_documented_error(
    typed: tuple[Any, Any], changes: list[tuple[int, int, int]]
) -> None:
    hint, value = typed
    data = bytearray(converter.encode(value))

    for place, way, byte in changes:
        at = place % len(data) if data else 0
        data[at : at + (way != 2)] = b"" if way == 1 else bytes([byte])

    with contextlib.suppress(PayloadDecodeError):
        converter.decode(bytes(data), hint)
    read(bytes(data))


@MANY
@given(st.binary(max_size=80))
def test_random_records_raise_only_the_documented_error(data: bytes) -> None:
    for decode in (decode_message, decode_commands):
        with contextlib.suppress(ValueError):
            decode(data)


@pytest.mark.parametrize("name", SMALL)
def test_hostile_records_raise_only_the_documented_error(name: str) -> None:
    for decode in (decode_message, decode_commands):
        with pytest.raises(ValueError, match="not a"):
            decode(SMALL[name])


NUMBERS = st.integers(-(2**63), 2**63 - 1)
FAILURES = st.recursive(
    st.none(),
    lambda cause: st.builds(
        Failure,
        st.sampled_from(FailureKind),
        st.text(max_size=9),
        details=st.one_of(st.binary(max_size=9), st.binary(max_size=9).map(b"\x01".__add__)),
        cause=cause,
        next_retry_delay_ns=st.one_of(st.none(), NUMBERS),
        category=NUMBERS,
        facts=st.dictionaries(
            st.sampled_from(["type", "attempt", "retry_state", "run_id", "activity_id"]),
            st.one_of(st.none(), NUMBERS, st.text(max_size=3)),
        ),
    ),
    max_leaves=3,
).filter(lambda failure: failure is not None)


@MANY
@given(FAILURES)
def test_any_stored_failure_becomes_an_exception(failure: Failure) -> None:
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(failure), type=Failure)

    error = to_exception(stored, converter)

    assert error.message or not failure.message


def test_a_failure_with_a_thousand_causes_becomes_an_exception() -> None:
    failure = Failure(FailureKind.APPLICATION, "first")
    for _ in range(5_000):
        failure = Failure(FailureKind.APPLICATION, "later", cause=failure)

    error: BaseException | None = to_exception(failure, converter)

    for _ in range(5_000):
        assert error is not None
        error = error.__cause__
    assert str(error) == "first"
