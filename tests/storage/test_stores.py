"""The contract of a store, kept by both."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenroom.storage import ClosedError, FencedError, MemoryStore, Store, Tree
from greenroom.storage.store import META_KEY, plan

OpenStore = Callable[[], Store]
ALL = (b"", b"\xff" * 20)


def test_a_committed_batch_is_read_back_and_kept(open_store: OpenStore) -> None:
    store = open_store()
    store.commit({Tree.RUNS: {b"b": b"2", b"a": b"1"}, Tree.IDS: {b"x": b""}})

    again = open_store()

    assert again.get(Tree.RUNS, b"a") == b"1"
    assert again.scan(Tree.RUNS, *ALL, limit=9) == [(b"a", b"1"), (b"b", b"2")]
    assert again.get(Tree.IDS, b"x") == b""
    assert again.get(Tree.IDS, b"a") is None


def test_none_deletes_and_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    store.commit({Tree.DUE: {b"a": b"1", b"b": b"2"}})

    store.commit({Tree.DUE: {b"a": None, b"zz": None}})

    assert store.scan(Tree.DUE, *ALL, limit=9) == [(b"b", b"2")]


def test_a_value_is_replaced(store: Store) -> None:
    store.commit({Tree.META: {b"k": b"old"}})

    store.commit({Tree.META: {b"k": b"new"}})

    assert store.get(Tree.META, b"k") == b"new"


@pytest.mark.parametrize(
    ("start", "stop", "limit", "reverse", "expected"),
    [
        (b"b", b"d", 9, False, [b"b", b"c"]),
        (b"b", b"d", 9, True, [b"c", b"b"]),
        (b"", b"\xff", 2, False, [b"a", b"b"]),
        (b"", b"\xff", 2, True, [b"d", b"c"]),
        (b"aa", b"c", 9, False, [b"b"]),
        (b"aa", b"cc", 9, True, [b"c", b"b"]),
        (b"x", b"z", 9, False, []),
        (b"x", b"z", 9, True, []),
        (b"", b"a", 9, True, []),
        (b"d", b"b", 9, False, []),
        (b"d", b"b", 9, True, []),
        (b"", b"\xff", 0, False, []),
        (b"", b"", 5, True, []),
    ],
)
def test_a_scan_takes_a_half_open_range(
    store: Store,
    start: bytes,
    stop: bytes,
    limit: int,
    reverse: bool,
    expected: list[bytes],
) -> None:
    store.commit({Tree.RUNS: dict.fromkeys((b"d", b"a", b"c", b"b"), b"")})

    assert [key for key, _ in store.scan(Tree.RUNS, start, stop, limit=limit, reverse=reverse)] == expected


def test_an_empty_tree_has_no_rows_either_way(store: Store) -> None:
    assert store.scan(Tree.DEAD, *ALL, limit=5) == []
    assert store.scan(Tree.DEAD, *ALL, limit=5, reverse=True) == []


def test_the_fence_refuses_a_batch_and_leaves_everything_as_it_was(store: Store) -> None:
    store.commit({Tree.META: {META_KEY: b"mine"}})
    store.commit({Tree.META: {META_KEY: b"theirs"}}, expect=b"mine")

    with pytest.raises(FencedError, match="taken over by another owner"):
        store.commit({Tree.META: {META_KEY: b"mine again"}, Tree.RUNS: {b"a": b"1"}}, expect=b"mine")

    assert store.get(Tree.META, META_KEY) == b"theirs"
    assert store.get(Tree.RUNS, b"a") is None
    store.commit({Tree.RUNS: {b"a": b"2"}}, expect=b"theirs")
    assert store.get(Tree.RUNS, b"a") == b"2"


def test_a_closed_store_refuses_and_closing_twice_is_no_error(store: Store) -> None:
    store.close()
    store.close()

    with pytest.raises(ClosedError, match="open it again"):
        store.get(Tree.RUNS, b"a")
    with pytest.raises(ClosedError):
        store.scan(Tree.RUNS, *ALL, limit=1)
    with pytest.raises(ClosedError):
        store.commit({})


def test_a_store_names_its_engine(store: Store) -> None:
    assert store.engine.split(" ")[0] in {"memory", "lmdb"}
    assert not store.read_only


@pytest.mark.parametrize("key", [b"", b"x" * 512])
def test_a_key_that_no_store_can_hold_is_a_value_error(store: Store, key: bytes) -> None:
    store.commit({Tree.RUNS: {b"x" * 511: b"longest"}})

    with pytest.raises(ValueError, match="a key is empty or longer than 511 bytes"):
        store.commit({Tree.RUNS: {key: b"value", b"a": b"1"}})

    assert store.get(Tree.RUNS, key) is None
    assert store.get(Tree.RUNS, b"a") is None


KEYS = st.binary(min_size=1, max_size=3)
ROWS = st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=90)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(batches=st.lists(ROWS, max_size=4), start=KEYS, stop=KEYS, limit=st.integers(0, 20), reverse=st.booleans())
def test_any_batches_leave_what_a_dict_would_hold(
    store: Store, batches: list[dict[bytes, bytes | None]], start: bytes, stop: bytes, limit: int, *, reverse: bool
) -> None:
    store.commit({Tree.DEAD: {key: None for key, _ in store.scan(Tree.DEAD, *ALL, limit=10_000)}})
    model: dict[bytes, bytes] = {}

    for rows in batches:
        store.commit({Tree.DEAD: rows})
        for key, value in rows.items():
            model.pop(key, None)
            if value is not None:
                model[key] = value
        expected = sorted((item for item in model.items() if start <= item[0] < stop), reverse=reverse)[:limit]
        assert store.scan(Tree.DEAD, start, stop, limit=limit, reverse=reverse) == expected

    assert store.scan(Tree.DEAD, *ALL, limit=10_000) == sorted(model.items())


def test_a_memory_store_does_not_keep_the_callers_dicts() -> None:
    store = MemoryStore()
    rows: dict[bytes, bytes | None] = {b"a": b"1"}
    store.commit({Tree.RUNS: rows})

    rows[b"b"] = b"2"

    assert store.get(Tree.RUNS, b"b") is None


def test_a_plan_has_sorted_puts_and_the_keys_to_delete() -> None:
    assert plan({Tree.RUNS: {b"b": b"2", b"c": None, b"a": b"1"}}) == [
        (Tree.RUNS, [(b"a", b"1"), (b"b", b"2")], [b"c"]),
    ]
