"""Directories that cannot hold a journal are refused, each with its reason and its cure."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from greenroom.storage import Journal, LocationError, location

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / {root}/nfs rw - nfs4 server:/x rw
31 22 0:41 / {root}/with\\040space rw shared:1 - fuse.sshfs me@there:/ rw
32 22 0:42 / {root}/nfs/local rw - ext4 /dev/vdb rw
33 22 0:43 / {root}/twice rw - ext4 /dev/vdc rw
34 22 0:44 / {root}/twice rw - cifs //server/share rw
not a mount line
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS.format(root=tmp_path))
    monkeypatch.setattr(location, "MOUNTINFO", str(table))
    return tmp_path


@pytest.mark.parametrize(
    ("below", "kind"),
    [
        ("plain", "ext4"),
        ("nfs", "nfs4"),
        ("nfs/a/b", "nfs4"),
        ("nfs/local/x", "ext4"),
        ("nfsnot", "ext4"),
        ("with space/x", "fuse.sshfs"),
        ("twice", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_last_deepest_mount(mounts: Path, below: str, kind: str) -> None:
    assert location.file_system_of(str(mounts / below)) == kind


@pytest.mark.parametrize("below", ["nfs/journal", "with space/journal", "twice/journal"])
def test_a_remote_file_system_is_refused_unless_allowed(mounts: Path, below: str) -> None:
    path = mounts / below

    with pytest.raises(
        LocationError, match=r"file system, where locks and syncs are not dependable.*allow_remote=True"
    ):
        Journal.open(path)

    Journal.open(path, allow_remote=True).close()


def test_a_system_that_does_not_tell_is_taken_for_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location, "MOUNTINFO", str(tmp_path / "missing"))

    assert location.file_system_of(str(tmp_path)) is None
    Journal.open(tmp_path / "store").close()


def test_new_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "a" / "store")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*")}

    assert modes == {"store": 0o700, "journal": 0o700, "owner.lock": 0o600, "data.mdb": 0o600, "lock.mdb": 0o600}
    journal.close()


@pytest.mark.parametrize(
    ("name", "mode", "cure"),
    [
        ("", 0o770, "chmod go-w"),
        ("journal", 0o750, "chmod go-rwx"),
        ("journal/data.mdb", 0o640, "chmod go-rwx"),
        ("journal/lock.mdb", 0o606, "chmod go-rwx"),
        ("owner.lock", 0o644, "chmod go-rwx"),
    ],
)
def test_rights_of_others_are_refused(tmp_path: Path, name: str, mode: int, cure: str) -> None:
    Journal.open(tmp_path / "store").close()
    (tmp_path / "store" / name).chmod(mode)

    with pytest.raises(LocationError, match=f"other users have rights on it.*{cure}"):
        Journal.open(tmp_path / "store")


def test_an_ordinary_directory_made_by_hand_is_taken(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o755)

    Journal.open(tmp_path / "store").close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["", "journal/data.mdb"])
def test_what_belongs_to_another_user_is_refused(tmp_path: Path, name: str) -> None:
    Journal.open(tmp_path / "store").close()
    os.chown(tmp_path / "store" / name, 12345, 12345)

    with pytest.raises(LocationError, match="it belongs to user 12345 and this process runs as user 0"):
        Journal.open(tmp_path / "store")


def test_a_parent_open_to_all_is_refused_unless_sticky(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    with pytest.raises(LocationError, match="everybody may replace it"):
        Journal.open(tmp_path / "open" / "store")

    (tmp_path / "open").chmod(0o1777)
    Journal.open(tmp_path / "open" / "store").close()


def test_links_files_and_missing_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()

    with pytest.raises(LocationError, match=r"it is a symbolic link; name its target, .*/real, instead"):
        Journal.open(tmp_path / "link")
    with pytest.raises(LocationError, match="it is not a directory"):
        Journal.open(tmp_path / "file")
    with pytest.raises(LocationError, match=r"Not a directory|File exists"):
        Journal.open(tmp_path / "file" / "below")
    with pytest.raises(LocationError, match="there is no such directory"):
        Journal.open(tmp_path / "nowhere", read_only=True)
    with pytest.raises(LocationError, match="Not a directory"):
        Journal.open(tmp_path / "file" / "below", read_only=True)


def test_a_data_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path / "store").close()
    data = tmp_path / "store" / "journal" / "data.mdb"
    data.rename(tmp_path / "elsewhere.mdb")
    data.symlink_to(tmp_path / "elsewhere.mdb")

    with pytest.raises(LocationError, match="it is not an ordinary file"):
        Journal.open(tmp_path / "store")


def test_an_owner_lock_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store" / "owner.lock").mkdir(parents=True)

    with pytest.raises(LocationError, match="it is not an ordinary file"):
        Journal.open(tmp_path / "store")
