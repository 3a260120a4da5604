"""A journal that was made before the index of attributes is read, and gets one from its next owner."""

from __future__ import annotations

from pathlib import Path

import lmdb

from greenroom.storage import Journal, RunHeader, Tree, check, pack_prefixes

MIB = 1 << 20


def made_without_attributes(path: Path) -> Path:
    """A journal as the first ones were made: without the tree of the index."""
    journal = Journal.open(path, map_size=MIB)
    batch = journal.batch()
    batch.put_header(batch.new_run_no(), RunHeader("a", "r", "T", 1, 0, None, None, "r", "3.11", 0, 0, 0, b"", b"", ""))
    journal.commit(batch)
    journal.close()
    environment = lmdb.open(str(path / "journal"), max_dbs=len(Tree), lib_version=0)
    with environment.begin(write=True) as txn:
        txn.drop(environment.open_db(b"attributes", txn=txn))
    environment.close()
    return path


def test_a_reader_of_a_journal_without_the_index_finds_nothing_in_it(tmp_path: Path) -> None:
    path = made_without_attributes(tmp_path / "old")

    journal = Journal.open(path, read_only=True)

    assert journal.attribute_runs(b"") == []
    assert check(journal) == []
    journal.close()


def test_the_next_owner_of_a_journal_without_the_index_makes_it(tmp_path: Path) -> None:
    path = made_without_attributes(tmp_path / "old")

    journal = Journal.open(path, map_size=MIB)
    batch = journal.batch()
    batch.put_attributes(1, b"", pack_prefixes([b"kind=a"]))
    journal.commit(batch)

    assert [run_no for _, run_no in journal.attribute_runs(b"kind=")] == [1]
    header = journal.header(1)
    assert header is not None
    assert header.workflow_id == "a"
    journal.close()
