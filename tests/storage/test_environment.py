"""What disks and other tenants of this process do to an open store, done to a real one."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import lmdb
import pytest

from greenroom.storage import (
    ClosedError,
    CorruptError,
    FencedError,
    ForkedError,
    FormatError,
    FullError,
    InUseError,
    Journal,
    LocationError,
    OutcomeUnknownError,
    ReadError,
    StorageError,
    Tree,
    WriteError,
)
from greenroom.storage.engine import verify
from greenroom.storage.environment import Environment
from greenroom.storage.settings import Durability, Settings
from greenroom.storage.store import META_KEY

MIB = 1 << 20
SMALL = Settings(map_size=MIB, max_map_size=32 * MIB)
ALL = (b"", b"\xff" * 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def disk(path: Path) -> Iterator[Environment]:
    store = Environment.open(path, settings=SMALL)
    yield store
    store.close()


def put(store: Environment, key: bytes, value: bytes = b"value") -> None:
    store.commit({Tree.RUNS: {key: value}})


def engine_descriptors(path: Path) -> tuple[int, int]:
    """Return the engine's descriptors of the data file: the one for pages and the one for the last step of a commit."""
    found: dict[bool, int] = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if target == str(path / "journal" / "data.mdb"):
            flags = fcntl.fcntl(int(name), fcntl.F_GETFL)
            found[bool(flags & os.O_DSYNC)] = int(name)
    return found[False], found[True]


@contextmanager
def broken(path: Path, descriptor: int) -> Generator[None]:
    """Make every write to a descriptor of the engine fail."""
    kept = os.dup(descriptor)
    read_only = os.open(path / "journal" / "data.mdb", os.O_RDONLY)
    os.dup2(read_only, descriptor)
    os.close(read_only)
    try:
        yield
    finally:
        os.dup2(kept, descriptor, inheritable=False)
        os.close(kept)


@contextmanager
def limited(kind: int, soft: int) -> Generator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


@pytest.fixture
def brisk_threads() -> Iterator[None]:
    """Let threads change places often: each call of the engine gives the GIL away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(before)


def mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


# Opening


def test_a_second_open_in_this_process_names_this_process(path: Path, disk: Environment) -> None:
    with pytest.raises(InUseError, match=rf"in use by process {os.getpid()} on ") as caught:
        Environment.open(path)

    assert caught.value.pid == os.getpid()
    assert caught.value.path == str(path)


def test_a_reader_beside_the_owner_in_one_process_is_refused(path: Path, disk: Environment) -> None:
    put(disk, b"a")

    with pytest.raises(InUseError):
        Environment.open(path, settings=Settings(read_only=True))

    assert disk.get(Tree.RUNS, b"a") == b"value"


def test_a_store_opens_and_closes_many_times_in_one_process(path: Path) -> None:
    for number in range(20):
        store = Environment.open(path, settings=SMALL)
        put(store, b"%d" % number)
        store.close()

    before = set(os.listdir("/proc/self/fd"))
    store = Environment.open(path, settings=SMALL)
    assert len(store.scan(Tree.RUNS, *ALL, limit=99)) == 20
    store.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_opening_fails_without_leaving_the_lock_behind(path: Path) -> None:
    Environment.open(path, settings=SMALL).close()
    data = path / "journal" / "data.mdb"
    good = data.read_bytes()
    data.write_bytes(b"garbage" * 5000)

    with pytest.raises(FormatError, match="it is not an LMDB file; choose another directory"):
        Environment.open(path)

    data.write_bytes(good)
    Environment.open(path, settings=SMALL).close()


def test_a_file_of_another_engine_version_is_refused(path: Path) -> None:
    (path / "journal").mkdir(parents=True, mode=0o700)
    other = lmdb.open(str(path / "journal"), lib_version=1, mode=0o700)
    other.close()

    with pytest.raises(FormatError, match="it has LMDB data format"):
        Environment.open(path)


def test_an_lmdb_file_of_somebody_else_is_refused_and_left_alone(path: Path) -> None:
    (path / "journal").mkdir(parents=True, mode=0o700)
    other = lmdb.open(str(path / "journal"), lib_version=0, mode=0o700)
    with other.begin(write=True) as txn:
        txn.put(b"theirs", b"1")
    other.close()

    with pytest.raises(FormatError, match="an LMDB file, but not a journal of greenroom"):
        Environment.open(path)

    other = lmdb.open(str(path / "journal"), lib_version=0)
    with other.begin() as txn:
        assert list(txn.cursor()) == [(b"theirs", b"1")]
    other.close()


def test_an_empty_lmdb_file_is_no_journal_for_a_reader(path: Path) -> None:
    (path / "journal").mkdir(parents=True, mode=0o700)
    lmdb.open(str(path / "journal"), lib_version=0, mode=0o700).close()
    (path / "creating").touch(0o600)

    with pytest.raises(LocationError, match="it holds no journal"):
        Environment.open(path, settings=Settings(read_only=True))


@pytest.mark.parametrize("read_only", [False, True])
def test_an_empty_lmdb_file_does_not_become_a_journal(path: Path, read_only: bool) -> None:
    (path / "journal").mkdir(parents=True, mode=0o700)
    lmdb.open(str(path / "journal"), lib_version=0, mode=0o700).close()

    with pytest.raises(FormatError, match="an LMDB file with nothing in it, and no journal is being made here"):
        Environment.open(path, settings=Settings(read_only=read_only))


def test_a_directory_without_a_journal_is_none_for_a_reader(path: Path) -> None:
    (path / "journal").mkdir(parents=True, mode=0o700)
    path.chmod(0o700)

    with pytest.raises(LocationError, match="it holds no journal"):
        Environment.open(path, settings=Settings(read_only=True))


@pytest.mark.parametrize("size", [0, 4096, 8192])
def test_a_creation_that_was_cut_short_is_made_good(path: Path, size: int) -> None:
    (path / "journal").mkdir(parents=True, mode=0o700)
    (path / "journal" / "data.mdb").write_bytes(bytes(size))
    (path / "journal" / "data.mdb").chmod(0o600)
    (path / "creating").touch(0o600)

    store = Environment.open(path, settings=SMALL)

    put(store, b"a")
    assert store.get(Tree.RUNS, b"a") == b"value"
    store.close()


@pytest.mark.parametrize("size", [100, 5000])
def test_a_file_cut_off_within_its_meta_pages_is_damaged(path: Path, size: int) -> None:
    Environment.open(path, settings=SMALL).close()
    os.truncate(path / "journal" / "data.mdb", size)

    with pytest.raises(CorruptError, match=rf"it ends after {size} bytes, within the"):
        Environment.open(path)


def test_a_file_of_an_unknown_engine_version_is_refused(path: Path) -> None:
    Environment.open(path, settings=SMALL).close()
    with (path / "journal" / "data.mdb").open("r+b") as file:
        file.seek(16 + 4)
        file.write((9).to_bytes(4, "little"))

    with pytest.raises(FormatError, match="it has LMDB data format 9, this version reads format 1"):
        Environment.open(path)


def test_the_page_walk_says_what_it_cannot_walk(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"garbage" * 999)

    assert len(verify(str(tmp_path / "file"))) == 1


def test_an_owner_lock_replaced_at_the_last_moment_is_taken_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Environment.open(path, settings=SMALL).close()
    flock = fcntl.flock
    left_to_replace = [path / "owner.lock"]

    def flock_late(descriptor: int, operation: int) -> None:
        if left_to_replace:
            left_to_replace.pop().unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    store = Environment.open(path, settings=SMALL)

    with pytest.raises(InUseError):
        Environment.open(path)

    store.close()


def test_a_file_with_an_impossible_page_size_is_damaged(path: Path) -> None:
    Environment.open(path, settings=SMALL).close()
    with (path / "journal" / "data.mdb").open("r+b") as file:
        file.seek(16 + 24)
        file.write((12345).to_bytes(4, "little"))

    with pytest.raises(CorruptError, match="its page size is 12345"):
        Environment.open(path)


def test_a_truncated_file_is_refused_before_it_is_mapped(path: Path) -> None:
    store = Environment.open(path, settings=SMALL)
    for number in range(50):
        put(store, b"%d" % number, bytes(3000))
    store.close()
    os.truncate(path / "journal" / "data.mdb", 8 * 4096)

    with pytest.raises(CorruptError, match=r"it ends after 32768 of \d+ bytes"):
        Environment.open(path)


def test_a_file_that_lacks_free_pages_only_is_sound(path: Path) -> None:
    store = Environment.open(path, settings=SMALL)
    put(store, b"kept")
    put(store, b"big", bytes(40 * 4096))
    store.commit({Tree.RUNS: {b"big": None}})
    for number in range(5):
        put(store, b"later %d" % number)
    store.close()
    data = path / "journal" / "data.mdb"
    os.truncate(data, data.stat().st_size - 2 * 4096)

    store = Environment.open(path, settings=SMALL)

    assert store.get(Tree.RUNS, b"kept") == b"value"
    put(store, b"big again", bytes(40 * 4096))
    store.close()
    assert verify(str(data)) == []


def test_an_old_engine_package_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb, "__version__", "1.9.2")

    with pytest.raises(FormatError, match=r"lmdb package is version 1\.9\.2; install a newer one: pip install"):
        Environment.open(path)


def test_less_address_space_is_reserved_where_there_is_less(path: Path) -> None:
    with limited(resource.RLIMIT_AS, mapped_bytes() + 512 * MIB):
        store = Environment.open(path)

    put(store, b"a")
    assert store.get(Tree.RUNS, b"a") == b"value"
    store.close()


def test_no_address_space_at_all_is_said_plainly(path: Path) -> None:
    Environment.open(path, settings=SMALL).close()

    with limited(resource.RLIMIT_AS, mapped_bytes()), pytest.raises(FullError, match="Cannot allocate memory"):
        Environment.open(path)


# The files under an open store


def test_closing_another_descriptor_of_the_lock_files_drops_no_ownership(path: Path, disk: Environment) -> None:
    for name in ("owner.lock", "journal/lock.mdb"):
        (path / name).open("rb").close()

    with pytest.raises(InUseError):
        Environment.open(path)


@pytest.mark.parametrize("name", ["owner.lock", "journal/lock.mdb", "journal/data.mdb", "journal"])
def test_files_removed_or_replaced_under_the_owner_stop_it(path: Path, disk: Environment, name: str) -> None:
    put(disk, b"a")
    (path / name).rename(path / "away")

    with pytest.raises(LocationError, match="its files were moved, removed or replaced while it was open"):
        put(disk, b"b")

    if not (path / "away").is_dir():
        shutil.copy(path / "away", path / name)
        with pytest.raises(LocationError):
            put(disk, b"b")
    assert disk.get(Tree.RUNS, b"a") == b"value"
    assert disk.get(Tree.RUNS, b"b") is None


def test_the_owner_lock_says_nobody_after_closing(path: Path) -> None:
    store = Environment.open(path, settings=SMALL)
    assert str(os.getpid()) in (path / "owner.lock").read_text()

    store.close()

    assert (path / "owner.lock").read_text() == ""


def test_a_holder_that_left_no_name_is_an_unknown_one(path: Path, disk: Environment) -> None:
    for text in ("", "[]", '{"pid": "x", "host": "h"}'):
        (path / "owner.lock").write_text(text)

        with pytest.raises(InUseError, match="in use by an unknown process"):
            Environment.open(path)


def test_a_read_only_store_takes_no_lock_and_refuses_commits(path: Path) -> None:
    owner = Environment.open(path, settings=SMALL)
    put(owner, b"a")
    owner.close()

    reader = Environment.open(path, settings=Settings(read_only=True))

    assert reader.get(Tree.RUNS, b"a") == b"value"
    with pytest.raises(LocationError, match="it was opened read-only; open it for writing"):
        put(reader, b"b")
    reader.close()


# Room


@pytest.mark.usefixtures("brisk_threads")
def test_the_map_grows_under_readers_that_notice_nothing(disk: Environment) -> None:
    put(disk, b"first")
    done = threading.Event()
    failures: list[BaseException] = []
    reads: list[int] = []

    def read() -> None:
        count = 0
        try:
            while not done.is_set():
                assert disk.get(Tree.RUNS, b"first") == b"value"
                assert disk.scan(Tree.RUNS, b"f", b"g", limit=9) == [(b"first", b"value")]
                count += 1
        except BaseException as error:
            failures.append(error)
        reads.append(count)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        put(disk, b"k%03d" % number, bytes(500_000))
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(reads) == 3
    assert all(reads)
    assert len(disk.scan(Tree.RUNS, b"k", b"l", limit=200)) == 20


def test_a_full_map_refuses_the_batch_and_takes_a_smaller_one(path: Path) -> None:
    store = Environment.open(path, settings=Settings(map_size=MIB, max_map_size=2 * MIB))
    put(store, b"kept")

    with pytest.raises(FullError, match=r"it has reached its limit of 2097152 bytes \(max_map_size\)"):
        store.commit({Tree.RUNS: {b"a": b"1", b"big": bytes(4 * MIB)}})

    assert store.get(Tree.RUNS, b"a") is None
    put(store, b"small")
    assert [key for key, _ in store.scan(Tree.RUNS, *ALL, limit=9)] == [b"kept", b"small"]
    store.close()


def test_growth_stops_where_the_address_space_does(path: Path) -> None:
    store = Environment.open(path, settings=Settings(map_size=16 * MIB, max_map_size=1024 * MIB))
    big = bytes(20 * MIB)

    with (
        limited(resource.RLIMIT_AS, mapped_bytes() + 8 * MIB),
        pytest.raises(FullError, match=r"this process may not map more than 16777216 bytes"),
    ):
        put(store, b"big", big)

    put(store, b"small")
    assert store.get(Tree.RUNS, b"big") is None
    put(store, b"big", big)
    store.close()


@contextmanager
def no_more_files(path: Path) -> Generator[Environment]:
    """Open a store, and let one more file be open at a time: enough to look at the engine's, too few to reopen it."""
    descriptor = os.open("/dev/null", os.O_RDONLY)
    store = Environment.open(path, settings=SMALL)
    put(store, b"kept")
    os.close(descriptor)
    with limited(resource.RLIMIT_NOFILE, descriptor + 1):
        yield store


def test_growth_that_may_open_no_file_leaves_the_engine_alone(disk: Environment) -> None:
    put(disk, b"kept")

    with (
        limited(resource.RLIMIT_NOFILE, 3),
        pytest.raises(WriteError, match=r"cannot be reopened to grow: .*Too many open files; nothing was written"),
    ):
        put(disk, b"big", bytes(3 * MIB))

    assert disk.get(Tree.RUNS, b"kept") == b"value"
    assert disk.get(Tree.RUNS, b"big") is None
    put(disk, b"big", bytes(3 * MIB))
    assert disk.get(Tree.RUNS, b"big") == bytes(3 * MIB)


@pytest.mark.parametrize("is_read_first", [False, True])
def test_growth_that_loses_the_engine_is_made_good_by_the_next_use(path: Path, is_read_first: bool) -> None:
    with no_more_files(path) as disk:
        with pytest.raises(WriteError, match=r"cannot be reopened to grow: .*Too many open files; nothing was written"):
            put(disk, b"big", bytes(3 * MIB))
        with pytest.raises(WriteError, match=r"cannot be reopened: .*Too many open files; nothing was written"):
            put(disk, b"small")
        with pytest.raises(LocationError, match=r"Too many open files; close some files, or raise their limit"):
            disk.get(Tree.RUNS, b"kept")

    if is_read_first:
        assert disk.get(Tree.RUNS, b"kept") == b"value"
    put(disk, b"big", bytes(3 * MIB))
    assert disk.get(Tree.RUNS, b"kept") == b"value"
    assert disk.get(Tree.RUNS, b"big") == bytes(3 * MIB)
    disk.close()


def test_a_store_that_lost_its_engine_closes_and_opens_again(path: Path) -> None:
    with no_more_files(path) as store, pytest.raises(WriteError):
        put(store, b"big", bytes(3 * MIB))

    store.close()

    with pytest.raises(ClosedError):
        store.get(Tree.RUNS, b"kept")
    with pytest.raises(ClosedError):
        put(store, b"late")
    again = Environment.open(path, settings=SMALL)
    assert again.get(Tree.RUNS, b"kept") == b"value"
    again.close()


def test_a_data_file_emptied_under_its_owner_is_never_begun_again(path: Path) -> None:
    with no_more_files(path) as store, pytest.raises(WriteError):
        put(store, b"big", bytes(3 * MIB))
    data = path / "journal" / "data.mdb"
    os.truncate(data, 0)

    with pytest.raises(CorruptError, match="nothing is in it: the journal that was here is lost"):
        put(store, b"late")
    with pytest.raises(CorruptError, match="nothing is in it: the journal that was here is lost"):
        store.get(Tree.RUNS, b"kept")

    assert data.stat().st_size == 0
    store.close()


def test_a_data_file_cut_off_under_its_owner_is_refused_before_it_is_mapped_again(path: Path) -> None:
    with no_more_files(path) as store, pytest.raises(WriteError):
        put(store, b"big", bytes(3 * MIB))
    os.truncate(path / "journal" / "data.mdb", 2 * 4096)

    with pytest.raises(CorruptError, match=r"it ends after 8192 of \d+ bytes"):
        store.get(Tree.RUNS, b"kept")

    store.close()


def test_opening_where_no_file_may_be_opened_says_so(path: Path) -> None:
    Environment.open(path, settings=SMALL).close()

    lowest = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest)
    for limit in range(lowest, lowest + 4):
        with limited(resource.RLIMIT_NOFILE, limit), pytest.raises(LocationError, match="Too many open files"):
            Environment.open(path, settings=SMALL)

    Environment.open(path, settings=SMALL).close()


def test_a_file_size_limit_refuses_the_batch_and_the_same_batch_is_taken_later(path: Path, disk: Environment) -> None:
    put(disk, b"kept")
    batch = {Tree.RUNS: {b"big": bytes(MIB // 2)}}

    with (
        limited(resource.RLIMIT_FSIZE, 128 * 1024),
        pytest.raises(FullError, match=r"File too large|file size limit leaves -?\d+ bytes"),
    ):
        disk.commit(batch)

    assert disk.get(Tree.RUNS, b"big") is None
    disk.commit(batch)
    assert disk.get(Tree.RUNS, b"big") == bytes(MIB // 2)
    assert disk.get(Tree.RUNS, b"kept") == b"value"


# The two phases of a commit


def test_a_failure_in_the_data_phase_writes_nothing_and_leaves_the_store_usable(path: Path, disk: Environment) -> None:
    put(disk, b"a")
    pages, _ = engine_descriptors(path)

    with broken(path, pages), pytest.raises(WriteError, match="Bad file descriptor; nothing was written"):
        put(disk, b"b")

    assert disk.get(Tree.RUNS, b"b") is None
    put(disk, b"b")
    assert disk.get(Tree.RUNS, b"b") == b"value"


def test_a_failure_in_the_last_step_is_settled_by_reopening(path: Path, disk: Environment) -> None:
    disk.commit({Tree.META: {META_KEY: b"1"}})
    _, meta = engine_descriptors(path)
    os.dup2(os.open(path / "journal" / "data.mdb", os.O_RDONLY), meta)

    disk.commit({Tree.META: {META_KEY: b"2"}, Tree.RUNS: {b"b": b"value"}}, expect=b"1")

    assert disk.get(Tree.RUNS, b"b") == b"value"
    disk.commit({Tree.META: {META_KEY: b"3"}}, expect=b"2")


def test_a_batch_that_was_in_after_all_is_not_taken_for_somebody_elses(path: Path, disk: Environment) -> None:
    disk.commit({Tree.META: {META_KEY: b"2"}, Tree.RUNS: {b"b": b"value"}})
    _, meta = engine_descriptors(path)
    os.dup2(os.open(path / "journal" / "data.mdb", os.O_RDONLY), meta)

    # The engine compares before it writes, so this batch expects what it writes itself.
    disk.commit({Tree.META: {META_KEY: b"2"}, Tree.RUNS: {b"b": b"value"}}, expect=b"2")

    assert disk.get(Tree.RUNS, b"b") == b"value"


@pytest.mark.usefixtures("brisk_threads")
def test_reads_of_other_threads_wait_for_the_reopening(path: Path, disk: Environment) -> None:
    put(disk, b"a")
    _, meta = engine_descriptors(path)
    os.dup2(os.open(path / "journal" / "data.mdb", os.O_RDONLY), meta)
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                assert disk.get(Tree.RUNS, b"a") == b"value"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    put(disk, b"b")
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert disk.get(Tree.RUNS, b"b") == b"value"


def test_an_outcome_that_cannot_be_learnt_is_said_to_be_unknown(path: Path, disk: Environment) -> None:
    put(disk, b"a")
    _, meta = engine_descriptors(path)
    os.dup2(os.open(path / "journal" / "data.mdb", os.O_RDONLY), meta)
    in_use = max(int(name) for name in os.listdir("/proc/self/fd"))

    with (
        limited(resource.RLIMIT_NOFILE, 3),
        pytest.raises(OutcomeUnknownError, match=r"cannot be reopened: .*Too many open files"),
    ):
        put(disk, b"b")

    assert in_use >= 3
    with pytest.raises(ClosedError):
        disk.get(Tree.RUNS, b"a")
    disk.close()
    again = Environment.open(path, settings=SMALL)
    assert again.get(Tree.RUNS, b"a") == b"value"
    again.close()


def test_another_owner_that_wrote_through_the_same_store_fences_the_first(disk: Environment) -> None:
    old = Journal.on(disk)
    new = Journal.on(disk)
    batch = old.batch()
    batch.set_active(1)

    with pytest.raises(FencedError, match="taken over by another owner"):
        old.commit(batch)

    assert new.active() == []
    batch = new.batch()
    batch.set_active(2)
    new.commit(batch)


def test_damage_that_the_engine_meets_is_called_damage(path: Path) -> None:
    Environment.open(path, settings=SMALL).close()
    data = path / "journal" / "data.mdb"
    raw = bytearray(data.read_bytes())
    for page in range(2, len(raw) // 4096):
        raw[page * 4096 + 10 : page * 4096 + 12] = b"\0\0"
    data.write_bytes(raw)

    with pytest.raises(CorruptError, match="restore from a backup"):
        Environment.open(path, settings=SMALL)


# Closing and forking


def test_relaxed_durability_syncs_when_it_closes(path: Path) -> None:
    store = Environment.open(path, settings=SMALL._replace(durability=Durability.RELAXED))
    put(store, b"a")
    store.close()

    again = Environment.open(path, settings=SMALL)

    assert again.get(Tree.RUNS, b"a") == b"value"
    again.close()


def test_a_failing_last_sync_is_reported_and_the_store_is_closed_all_the_same(path: Path) -> None:
    store = Environment.open(path, settings=SMALL._replace(durability=Durability.RELAXED))
    put(store, b"a")
    pages, _ = engine_descriptors(path)
    reading, writing = os.pipe()
    os.dup2(writing, pages)

    with pytest.raises(WriteError, match=os.strerror(errno.EINVAL)):
        store.close()

    os.close(reading)
    os.close(writing)
    Environment.open(path, settings=SMALL).close()


def test_a_forked_child_is_refused_and_the_parent_unharmed(path: Path, disk: Environment) -> None:
    put(disk, b"a")

    child = os.fork()
    if not child:
        code = 1
        try:
            refused = 0
            for use in (partial(disk.get, Tree.RUNS, b"a"), partial(put, disk, b"b")):
                try:
                    use()
                except ForkedError as error:
                    refused += "after the fork, or start workers with the 'spawn' method" in str(error)
            disk.close()
            code = 0 if refused == 2 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    put(disk, b"c")
    assert disk.get(Tree.RUNS, b"c") == b"value"
    with pytest.raises(InUseError):
        Environment.open(path)


def test_a_forked_child_does_not_keep_a_closed_store_locked(path: Path) -> None:
    store = Environment.open(path, settings=SMALL)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)

    store.close()

    Environment.open(path, settings=SMALL).close()
    os.close(writing)
    os.waitpid(child, 0)
    os.close(reading)


def test_every_error_is_a_storage_error_that_names_its_place(path: Path) -> None:
    for kind in (ReadError, WriteError, FullError, OutcomeUnknownError):
        error = kind(str(path), "why")
        assert isinstance(error, StorageError)
        assert str(path) in str(error)
