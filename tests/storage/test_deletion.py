"""How runs leave a journal, and what the check says of what is left."""

from __future__ import annotations

import pytest

from greenroom.storage import (
    CorruptError,
    Journal,
    MemoryStore,
    RunHeader,
    SignalKey,
    StorageError,
    Tree,
    Update,
    check,
    delete_more,
    delete_run,
    keys,
    pack_prefixes,
)
from greenroom.storage.deletion import SLICE
from greenroom.testing import FaultyStore

END = b"\xff" * 512
LONG = 1_000


def closed_run(journal: Journal, *, turns: int = 3, updates: int = 40, letters: int = 1) -> tuple[int, RunHeader]:
    """Write a run that has ended, with all that such a one can have."""
    batch = journal.batch()
    run_no, crc = batch.new_run_no(), 0
    for turn_no in range(turns):
        crc = batch.append_turn(run_no, turn_no, 1, b"m", b"c", crc)
    for number in range(updates):
        batch.put_update(run_no, Update(f"u{number}", b"outcome"))
        batch.put_signal_key(run_no, SignalKey(f"k{number}"))
    for _ in range(letters):
        batch.put_dead_letter(run_no, 1, "nobody", b"letter")
    indexed = pack_prefixes([b"a", b"b"])
    header = RunHeader(
        *(f"w{run_no}", "r", "T", 2, 0, 1, None, "r", "3.11", 0, turns, crc, b"", b"done", ""), indexed=indexed
    )
    header = header._replace(expires_ns=9)
    batch.put_header(run_no, header)
    batch.put_attributes(run_no, b"", indexed)
    batch.put_expiry(run_no, 9)
    batch.set_current(header.workflow_id, run_no)
    journal.commit(batch)
    return run_no, header


def delete(journal: Journal, run_no: int, header: RunHeader) -> list[int]:
    """Delete a run to the end: how many rows each commit deletes."""
    batch = journal.batch()
    counts = [delete_run(journal, batch, run_no, header)[0]]
    journal.commit(batch)
    while journal.being_deleted():
        batch = journal.batch()
        counts.append(delete_more(journal, batch, run_no))
        journal.commit(batch)
        assert check(journal) == []
    return counts


def rows(store: MemoryStore) -> list[bytes]:
    return [key for tree in Tree if tree != Tree.META for key, _ in store.scan(tree, b"", END, limit=99_999)]


@pytest.mark.parametrize(
    ("turns", "updates"), [(1, 0), (3, 40), (SLICE, 0), (SLICE - 1, 600), (SLICE + 1, 0), (LONG, 0), (LONG, 1_200)]
)
def test_a_deleted_run_leaves_nothing_and_no_commit_is_long(turns: int, updates: int) -> None:
    store = MemoryStore()
    journal = Journal.on(store)
    kept = closed_run(journal)
    before = rows(store)
    run_no, header = closed_run(journal, turns=turns, updates=updates)
    assert check(journal) == []

    counts = delete(journal, run_no, header)

    assert rows(store) == before
    assert max(counts) < SLICE + 20
    assert journal.header(kept[0]) == kept[1]


def test_the_id_stays_with_a_later_run() -> None:
    journal = Journal.on(MemoryStore())
    run_no, header = closed_run(journal)
    batch = journal.batch()
    later = batch.new_run_no()
    batch.put_header(later, header._replace(closed_ns=None, turns=0, crc=0, indexed=b"", expires_ns=None))
    batch.set_current(header.workflow_id, later)
    journal.commit(batch)

    delete(journal, run_no, header)

    assert journal.current_run(header.workflow_id) == later
    assert check(journal) == []


def test_turns_that_a_header_does_not_count_are_deleted_too() -> None:
    store = MemoryStore()
    journal = Journal.on(store)
    run_no, header = closed_run(journal, turns=LONG)

    delete(journal, run_no, header._replace(turns=2))

    assert rows(store) == []


def test_a_damaged_note_does_not_delete_a_letter() -> None:
    store = MemoryStore()
    journal = Journal.on(store)
    run_no, header = closed_run(journal)
    [(key, _)] = [row for row in store.scan(Tree.RUNS, b"", END, limit=999) if row[0][8] == keys.Kind.LETTER]
    store.commit({Tree.RUNS: {key: b"????"}})
    assert [str(found) for found in check(journal)] == [
        f"the note of dead letter {journal.dead_letters()[0].seq} of run {run_no}: the checksum does not match"
    ]

    delete(journal, run_no, header)

    assert len(journal.dead_letters()) == 1


def test_a_run_whose_index_cannot_be_read_is_kept() -> None:
    journal = Journal.on(MemoryStore())
    run_no, header = closed_run(journal)
    batch = journal.batch()

    with pytest.raises(CorruptError, match="cut off"):
        delete_run(journal, batch, run_no, header._replace(indexed=b"\0"))

    assert not batch


def test_a_run_whose_id_cannot_be_read_is_kept() -> None:
    store = MemoryStore()
    journal = Journal.on(store)
    run_no, header = closed_run(journal)
    store.commit({Tree.IDS: {keys.workflow_key(header.workflow_id): b"????????????"}})
    batch = journal.batch()

    with pytest.raises(CorruptError, match="workflow id"):
        delete_run(journal, batch, run_no, header)

    assert not batch


@pytest.mark.parametrize("read", [1, 2, 3, 4])
def test_a_deletion_that_cannot_read_all_it_needs_changes_nothing(read: int) -> None:
    store = FaultyStore(MemoryStore())
    journal = Journal.on(store)
    run_no, header = closed_run(journal)
    batch = journal.batch()
    store.fail_read(read)

    with pytest.raises(StorageError):
        delete_run(journal, batch, run_no, header)

    assert not batch


def marked(journal: Journal, run_no: int, header: RunHeader) -> str:
    batch = journal.batch()
    batch.set_deleted(run_no)
    journal.commit(batch)
    return f"run {run_no}: it is being deleted and has a header"


def expires_otherwise(journal: Journal, run_no: int, header: RunHeader) -> str:
    batch = journal.batch()
    batch.put_expiry(run_no, 10)
    journal.commit(batch)
    return f"run {run_no}: it is to be deleted at 10, which it does not know"


def does_not_expire(journal: Journal, run_no: int, header: RunHeader) -> str:
    batch = journal.batch()
    batch.drop_expiry(run_no, 9)
    journal.commit(batch)
    return f"the header of run {run_no}: it is to be deleted at 9, and its row is missing"


def letterless(journal: Journal, run_no: int, header: RunHeader) -> str:
    seq = journal.dead_letters()[0].seq
    journal.store.commit({Tree.DEAD: {keys.LETTER_KEY.pack(seq): None}})
    return f"the note of dead letter {seq} of run {run_no}: there is no such dead letter"


@pytest.mark.parametrize("damage", [marked, expires_otherwise, does_not_expire, letterless])
def test_check_names_what_does_not_fit(damage: object) -> None:
    journal = Journal.on(MemoryStore())
    run_no, header = closed_run(journal)
    assert callable(damage)

    expected = damage(journal, run_no, header)

    assert [str(problem) for problem in check(journal)] == [expected]


def test_what_is_known_of_retention_is_kept_and_forgotten() -> None:
    journal = Journal.on(MemoryStore())
    assert journal.retention() == ""

    batch = journal.batch()
    batch.set_retention("ever")
    journal.commit(batch)
    assert journal.retention() == "ever"

    batch = journal.batch()
    batch.set_retention("")
    journal.commit(batch)
    assert journal.retention() == ""
