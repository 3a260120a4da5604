"""The index of attributes is found in order and in pages, and a header's list of its rows is read or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.storage import PREFIX_LIMIT, CorruptError, Journal, MemoryStore, Tree, keys, pack_prefixes
from greenroom.storage.attribute_rows import unpack_prefixes
from greenroom.storage.codec import seal

PREFIXES = st.sets(st.binary(min_size=1, max_size=40), max_size=6)


@given(PREFIXES)
def test_a_list_of_prefixes_comes_back_in_order(prefixes: set[bytes]) -> None:
    assert unpack_prefixes(pack_prefixes(prefixes)) == sorted(prefixes)


@pytest.mark.parametrize("data", [b"\0", b"\0\0", b"\0\1", b"\0\1a\0", b"\0\5abc"])
def test_a_list_that_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        unpack_prefixes(data)


@pytest.mark.parametrize("prefix", [b"", b"x" * (PREFIX_LIMIT + 1)])
def test_a_prefix_that_fits_no_key_is_refused(prefix: bytes) -> None:
    with pytest.raises(ValueError, match="allowed are 1 to 503"):
        pack_prefixes([prefix])


@given(PREFIXES, PREFIXES)
def test_rows_become_those_of_the_new_list(before: set[bytes], after: set[bytes]) -> None:
    journal = Journal.on(MemoryStore())
    for old, new in ((set[bytes](), before), (before, after)):
        batch = journal.batch()
        batch.put_attributes(7, pack_prefixes(old), pack_prefixes(new))
        journal.commit(batch)

    assert [key for key, _ in journal.attribute_runs(b"")] == [keys.attribute_key(each, 7) for each in sorted(after)]


def test_rows_that_stay_are_not_written_again() -> None:
    batch = Journal.on(MemoryStore()).batch()

    batch.put_attributes(7, pack_prefixes([b"a", b"b"]), pack_prefixes([b"b", b"a"]))

    assert not batch


def test_a_prefix_finds_all_that_begins_with_it_and_nothing_else() -> None:
    journal = Journal.on(MemoryStore())
    batch = journal.batch()
    for run_no, prefix in enumerate([b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff"], 1):
        batch.put_attributes(run_no, b"", pack_prefixes([prefix]))
    journal.commit(batch)

    found = {prefix: [run_no for _, run_no in journal.attribute_runs(prefix)] for prefix in (b"a", b"a\xff", b"\xff")}

    assert found == {b"a": [1, 2, 3], b"a\xff": [2, 3], b"\xff": [5]}


def test_damaged_rows_are_told_or_left_out() -> None:
    store = MemoryStore()
    journal = Journal.on(store)
    good = keys.attribute_key(b"a", 1)
    store.commit({Tree.ATTRIBUTES: {good: seal(good), keys.attribute_key(b"a", 2): b"????", b"short": b"?"}})
    damaged: list[CorruptError] = []

    page = journal.attribute_runs(b"", damaged=damaged)

    assert page == [(good, 1)]
    assert len(damaged) == 2
    with pytest.raises(CorruptError, match="the attribute row 61"):
        journal.attribute_runs(b"a")
