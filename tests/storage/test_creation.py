"""A journal is made once: a power cut meanwhile is made good, and one that was lost is never begun again unnoticed."""

from __future__ import annotations

import os
from functools import partial
from itertools import product
from pathlib import Path
from threading import Barrier, Thread

import pytest

from greenroom.storage import CorruptError, FormatError, InUseError, Journal, LocationError, check
from greenroom.storage.ownership import OwnerLock

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


def test_a_creation_leaves_its_mark_before_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    take = OwnerLock.take

    def look_and_take(path: str, journal: str) -> OwnerLock:
        seen.append(os.listdir(journal))
        return take(path, journal)

    monkeypatch.setattr(OwnerLock, "take", look_and_take)
    Journal.open(tmp_path / "new").close()
    Journal.open(tmp_path / "new").close()

    assert seen[0] == ["creating"]
    assert sorted(seen[1]) == ["journal", "owner.lock"]


DATA = ("none", "empty", "zeros", "good")
PLACES = [
    (mark, owner, folder, lock, data)
    for mark, owner, folder, lock in product((False, True), repeat=4)
    for data in DATA
    if folder or not (lock or data != "none")
]


def lay_out(tmp_path: Path, *, mark: bool, owner: bool, folder: bool, lock: bool, data: str) -> Path:
    """Lay out any part of what a journal in which something was acknowledged, or one being made, may consist of."""
    path = tmp_path / "journal"
    Journal.open(path).close()
    if not owner:
        (path / "owner.lock").unlink()
    if not lock:
        (path / "journal" / "lock.mdb").unlink()
    match data:
        case "none":
            (path / "journal" / "data.mdb").unlink()
        case "empty":
            os.truncate(path / "journal" / "data.mdb", 0)
        case "zeros":
            (path / "journal" / "data.mdb").write_bytes(bytes(65536))
        case _:
            pass
    if not folder:
        (path / "journal").rmdir()
    if mark:
        (path / "creating").touch(0o600)
    return path


def expected(*, mark: bool, owner: bool, lock: bool, data: str) -> str:
    if data == "good":
        return "there"
    return "new" if mark or not (owner or lock or data != "none") else "lost"


@pytest.mark.parametrize(("mark", "owner", "folder", "lock", "data"), PLACES)
def test_whatever_is_left_of_a_journal_is_opened_or_made_or_said_to_be_lost(
    tmp_path: Path, mark: bool, owner: bool, folder: bool, lock: bool, data: str
) -> None:
    path = lay_out(tmp_path, mark=mark, owner=owner, folder=folder, lock=lock, data=data)
    before = sorted(path.rglob("*"))

    match expected(mark=mark, owner=owner, lock=lock, data=data):
        case "there":
            Journal.open(path, read_only=True).close()
            assert check(path) == []
            journal = Journal.open(path)
            assert journal.epoch == 2
            journal.close()
        case "new":
            for read in (partial(Journal.open, path, read_only=True), partial(check, path)):
                with pytest.raises(LocationError, match="it holds no journal"):
                    read()
            journal = Journal.open(path)
            assert journal.epoch == 1
            journal.close()
            assert not (path / "creating").exists()
        case _:
            for read_only in (True, False, False):
                with pytest.raises(CorruptError, match="the journal that was here is lost"):
                    Journal.open(path, read_only=read_only)
            assert "the journal that was here is lost" in str(check(path))
            assert set(path.rglob("*")) - set(before) <= {path / "owner.lock"}


def test_looking_for_a_journal_where_there_is_none_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o700)

    with pytest.raises(LocationError, match="it holds no journal"):
        check(tmp_path / "empty")

    assert list((tmp_path / "empty").iterdir()) == []
    Journal.open(tmp_path / "empty").close()


def test_a_mark_that_cannot_be_left_is_said_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir(mode=0o700)
    (tmp_path / "new" / "creating").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LocationError, match="creating: Too many levels of symbolic links"):
        Journal.open(tmp_path / "new")

    assert os.listdir(tmp_path / "new") == ["creating"]


def test_many_who_make_one_journal_at_once_make_it_once(tmp_path: Path) -> None:
    together = Barrier(4)
    opened: list[Journal] = []
    refused: list[InUseError] = []

    def make() -> None:
        together.wait()
        try:
            opened.append(Journal.open(tmp_path / "new"))
        except InUseError as error:
            refused.append(error)

    threads = [Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(opened), len(refused)) == (1, 3)
    assert opened[0].epoch == 1
    assert not (tmp_path / "new" / "creating").exists()
    opened[0].close()
