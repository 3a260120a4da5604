"""A power cut while a journal is made: whatever part of the first pages is there, the next opening begins again."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.storage import CorruptError, FormatError, Journal, LocationError

PAGES = 8192


def first_pages(folder: Path) -> bytes:
    """The two pages that the engine writes before anything else."""
    Journal.open(folder).close()
    return (folder / "journal" / "data.mdb").read_bytes()[:PAGES]


def leave(path: Path, data: bytes, *, is_creating: bool) -> None:
    """Lay out what a creation left behind."""
    (path / "journal").mkdir(parents=True, mode=0o700)
    path.chmod(0o700)
    (path / "journal" / "data.mdb").write_bytes(data)
    (path / "journal" / "data.mdb").chmod(0o600)
    if is_creating:
        (path / "creating").touch(0o600)


@pytest.mark.parametrize("kept", [0, 512, 3072, 4096, 4608, 7680])
def test_opening_begins_again_after_any_part_of_a_creation(tmp_path: Path, kept: int) -> None:
    leave(tmp_path / "cut", first_pages(tmp_path / "whole")[:kept], is_creating=True)

    journal = Journal.open(tmp_path / "cut")

    assert journal.epoch == 1
    journal.close()


def test_opening_begins_again_when_only_the_second_page_was_written(tmp_path: Path) -> None:
    leave(tmp_path / "cut", bytes(4096) + first_pages(tmp_path / "whole")[4096:], is_creating=True)

    journal = Journal.open(tmp_path / "cut")

    assert journal.epoch == 1
    journal.close()


def test_a_damaged_journal_is_never_begun_again(tmp_path: Path) -> None:
    leave(tmp_path / "damaged", first_pages(tmp_path / "whole")[:3072], is_creating=False)

    with pytest.raises((CorruptError, FormatError)):
        Journal.open(tmp_path / "damaged")


def test_the_mark_of_creation_is_gone_once_a_journal_is_open(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "new")

    assert not (tmp_path / "new" / "creating").exists()
    journal.close()


def test_a_creation_that_got_through_is_ended_by_the_next_opening(tmp_path: Path) -> None:
    Journal.open(tmp_path / "new").close()
    (tmp_path / "new" / "creating").touch(0o600)

    journal = Journal.open(tmp_path / "new")

    assert journal.epoch == 2
    assert not (tmp_path / "new" / "creating").exists()
    journal.close()


def test_a_reader_finds_no_journal_where_a_creation_was_cut_short(tmp_path: Path) -> None:
    leave(tmp_path / "cut", first_pages(tmp_path / "whole")[:3072], is_creating=True)

    with pytest.raises(LocationError, match="holds no journal"):
        Journal.open(tmp_path / "cut", read_only=True)
