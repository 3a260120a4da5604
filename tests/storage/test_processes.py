"""What other processes, mounts, signals and failing system calls do to a journal, done by real ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import pytest

from greenroom.storage import FormatError, FullError, InUseError, Journal, RunHeader, check
from greenroom.storage.environment import Environment

pytestmark = pytest.mark.aside

HEADER = RunHeader("w", "r", "T", 1, 0, None, None, "r", "", 0, 0, 0, b"", b"", "")
ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[str]"]

PRELUDE = """\
import json, os, sys
from greenroom.storage import *
path = sys.argv[1]

def add(batch, size=100):
    number = batch.new_run_no()
    batch.put_header(number, RunHeader("w", "r", "T", 1, 0, None, None, "r", "", 0, 0, 0, b"", b"", ""))
    batch.append_turn(number, 0, number, bytes(size), b"", 0)
    return number

def commit(journal, size=100):
    batch = journal.batch()
    number = add(batch, size)
    journal.commit(batch)
    return number
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(command: list[str]) -> list[str]:
    """Run a command and return the lines it printed."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def say(process: subprocess.Popen[str], word: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def works(command: list[str]) -> bool:
    return (
        shutil.which(command[0]) is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


needs_mounts = pytest.mark.skipif(
    not works(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]), reason="no file system can be mounted here"
)
needs_strace = pytest.mark.skipif(not works(["strace", "-o", "/dev/null", "true"]), reason="strace cannot trace here")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start scripts that speak over their standard streams; what still runs is ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = python(code, *arguments)
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment()))
        return started[-1]

    yield begin
    for process in started:
        end(process)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


# Ownership


def test_a_second_process_is_told_who_owns_the_journal(start: Start, path: Path) -> None:
    owner = start("journal = Journal.open(path); print('open', flush=True); input()", path)
    assert hear(owner) == "open"

    with pytest.raises(InUseError) as caught:
        Journal.open(path)

    assert caught.value.pid == owner.pid
    assert caught.value.host == os.uname().nodename
    end(owner)
    Journal.open(path).close()


def test_an_owner_that_was_killed_leaves_the_journal_free(start: Start, path: Path) -> None:
    owner = start("journal = Journal.open(path); commit(journal); print('open', flush=True); input()", path)
    assert hear(owner) == "open"
    os.kill(owner.pid, signal.SIGKILL)
    end(owner)

    journal = Journal.open(path)

    assert len(journal.turns(1)) == 1
    journal.close()


def test_a_reader_in_another_process_follows_an_owner_that_grows(start: Start, path: Path) -> None:
    journal = Journal.open(path, map_size=1 << 20)
    code = """
journal = Journal.open(path, read_only=True)
print(len(journal.turns(1)), flush=True)
for line in sys.stdin:
    print(len(journal.turns(int(line))), flush=True)
"""
    reader = start(code, path)
    assert hear(reader) == "0"

    for number in range(1, 9):
        batch = journal.batch()
        assert batch.new_run_no() == number
        batch.put_header(number, HEADER)
        batch.append_turn(number, 0, 0, bytes(1 << 20), b"", 0)
        journal.commit(batch)
        say(reader, str(number))
        assert hear(reader) == "1"

    assert run(python("print(check(path))", path)) == ["[]"]
    end(reader)
    journal.close()


def test_a_reader_here_follows_an_owner_elsewhere_that_grows(start: Start, path: Path) -> None:
    code = """
journal = Journal.open(path, map_size=1 << 20)
commit(journal)
print("open", flush=True)
for line in sys.stdin:
    print(commit(journal, 3 << 20), flush=True)
"""
    owner = start(code, path)
    assert hear(owner) == "open"
    journal = Journal.open(path, read_only=True)

    for _ in range(3):
        say(owner)
        number = int(hear(owner))
        assert len(journal.turns(number)[0].message) == 3 << 20

    assert journal.header(1) is not None
    end(owner)
    journal.close()


def test_a_journal_without_its_own_row_is_none_for_a_reader(path: Path) -> None:
    Environment.open(path).close()

    with pytest.raises(FormatError, match="nothing has been written to it yet; open it for writing once"):
        Journal.open(path, read_only=True)


def test_a_program_that_is_started_inherits_no_descriptor_of_the_journal(path: Path) -> None:
    code = """
import subprocess
journal = Journal.open(path)
commit(journal)
look = (
    "import os; fds = '/proc/self/fd/';"
    "print([os.readlink(fds + n) for n in os.listdir(fds) if os.path.exists(fds + n)])"
)
print(subprocess.run([sys.executable, "-c", look], close_fds=False, capture_output=True, text=True).stdout)
"""
    [links, *_] = run(python(code, path))

    assert "dev" in links or "pipe" in links
    assert str(path) not in links


WITNESS = """
import lmdb
env = lmdb.open(path + "/journal", readonly=True, lib_version=0)
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(env.readers()), flush=True)
"""

READER = """
import lmdb
env = lmdb.open(path + "/journal", readonly=True, lib_version=0)
txn = env.begin()
print("reading", flush=True)
input()
"""


def test_a_reader_that_was_killed_keeps_no_old_pages(start: Start, path: Path) -> None:
    journal = Journal.open(path)
    witness = start(WITNESS, path)
    assert hear(witness) == "ready"
    reader = start(READER, path)
    assert hear(reader) == "reading"
    say(witness)
    assert str(reader.pid) in json.loads(hear(witness))
    end(reader)

    for number in range(1_000):
        batch = journal.batch()
        batch.set_current("id", number)
        journal.commit(batch)

    say(witness)
    assert str(reader.pid) not in json.loads(hear(witness))
    journal.close()


def test_opening_clears_what_a_killed_reader_left(start: Start, path: Path) -> None:
    Journal.open(path).close()
    witness = start(WITNESS, path)
    assert hear(witness) == "ready"
    reader = start(READER, path)
    assert hear(reader) == "reading"
    end(reader)
    say(witness)
    assert str(reader.pid) in json.loads(hear(witness))

    journal = Journal.open(path)

    say(witness)
    assert str(reader.pid) not in json.loads(hear(witness))
    journal.close()


# Crashes


@pytest.mark.slow
def test_a_kill_in_the_middle_of_commits_loses_nothing_that_was_acknowledged(start: Start, path: Path) -> None:
    code = """
journal = Journal.open(path)
while True:
    batch = journal.batch()
    number = add(batch)
    batch.put_mail(number, number, b"mail")
    journal.commit(batch)
    os.write(1, b"%d\\n" % number)
"""
    acknowledged = 0
    for round_no in range(8):
        victim = start(code, path)
        first = int(hear(victim))
        assert victim.stdout is not None
        for _ in range(20 + 13 * round_no):
            acknowledged = int(hear(victim))
        victim.kill()
        rest = victim.stdout.read().split("\n")[:-1]
        acknowledged = int(rest[-1]) if rest else acknowledged
        end(victim)

        journal = Journal.open(path)
        assert all(
            len(journal.turns(number)) == len(journal.mail(number)) == 1 for number in range(first, acknowledged + 1)
        )
        # The one that was under way is there as a whole or not at all.
        assert len(journal.turns(acknowledged + 1)) == len(journal.mail(acknowledged + 1))
        assert check(journal) == []
        journal.close()


@needs_strace
@pytest.mark.slow
def test_a_kill_at_any_system_call_of_a_commit_leaves_it_whole_or_absent(path: Path) -> None:
    code = """
journal = Journal.open(path)
for _ in range(1, 6):
    batch = journal.batch()
    number = add(batch, 5000)
    batch.put_mail(number, number, b"mail")
    journal.commit(batch)
    os.write(1, b"%d\\n" % number)
"""
    kills = 0
    for call in ("pwrite64", "writev", "fdatasync"):
        for turn in (1, 3, 5, 8):
            here = path.with_name(f"{call}-{turn}")
            inject = f"inject={call}:signal=SIGKILL:when={turn}"
            command = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                f"trace={call}",
                "-e",
                inject,
                *python(code, here),
            ]
            done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
            kills += done.returncode != 0
            acknowledged = len(done.stdout.split())

            journal = Journal.open(here)
            there = [number for number in range(1, 6) if journal.turns(number)]
            assert there in (list(range(1, acknowledged + 1)), list(range(1, acknowledged + 2)))
            assert [number for number in range(1, 6) if journal.mail(number)] == there
            journal.close()
    assert kills >= 8


# Failing disks


@needs_mounts
def test_a_full_disk_refuses_the_batch_keeps_the_rest_and_takes_deletions(tmp_path: Path) -> None:
    code = """
path += "/store"
journal = Journal.open(path)
batch = journal.batch()
add(batch)
batch.put_mail(1, 0, b"kept")
seq = batch.put_mail(1, 0, b"goes")
journal.commit(batch)
last = 1
try:
    while True:
        last = commit(journal, 50_000)
except FullError as error:
    print(type(error).__name__, last > 5)
batch = journal.batch()
batch.take_mail(1, seq)
journal.commit(batch)
print([mail.message for mail in journal.mail(1)], all(len(journal.turns(n + 1)) == 1 for n in range(last)))
print(len(journal.turns(last + 1)))
journal.close()
print(check(path))
"""
    (tmp_path / "disk").mkdir()
    script = python(code, tmp_path / "disk")
    mount = f'mount -t tmpfs -o size=2m,mode=700 tmpfs {tmp_path / "disk"} && exec "$@"'

    lines = run(["unshare", "-m", "sh", "-c", mount, "sh", *script])

    assert lines == ["FullError True", "[b'kept'] True", "0", "[]"]


@needs_mounts
def test_a_disk_too_full_to_begin_with_is_said_plainly(tmp_path: Path) -> None:
    code = """
filler = os.open(path + "/filler", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(filler, bytes(4096))
except OSError:
    pass
try:
    Journal.open(path + "/store")
except (FullError, LocationError) as error:
    print(type(error).__name__, "No space left" in str(error) or "leaves 0 bytes" in str(error))
"""
    (tmp_path / "disk").mkdir()
    mount = f'mount -t tmpfs -o size=64k,mode=700 tmpfs {tmp_path / "disk"} && exec "$@"'

    [line] = run(["unshare", "-m", "sh", "-c", mount, "sh", *python(code, tmp_path / "disk")])

    assert line == "FullError True"


@needs_mounts
def test_a_read_only_mount_is_refused_for_writing_and_taken_for_reading(path: Path) -> None:
    journal = Journal.open(path)
    batch = journal.batch()
    batch.put_mail(1, 0, b"hello")
    journal.commit(batch)
    journal.close()
    code = """
try:
    Journal.open(path)
except LocationError as error:
    print(error.why, "|", error.cure)
reader = Journal.open(path, read_only=True)
print(reader.mail(1)[0].message)
reader.close()
"""
    mount = f'mount --bind {path} {path} && mount -o remount,ro,bind {path} && exec "$@"'

    lines = run(["unshare", "-m", "sh", "-c", mount, "sh", *python(code, path)])

    assert "Read-only file system" in lines[0]
    assert "choose a directory that this process may write" in lines[0]
    assert "read_only=" not in lines[0]
    assert lines[1] == "b'hello'"


def strace(inject: str, code: str, path: Path) -> list[str]:
    call = inject.partition(":")[0]
    options = ["-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={inject}"]
    return run(["strace", *options, *python(code, path)])


COMMIT_FIVE = """
journal = Journal.open(path)
for number in range(1, 6):
    try:
        commit(journal)
        print(number, "ok")
    except StorageError as error:
        print(number, type(error).__name__)
        if not isinstance(error, (WriteError, FullError)):
            break
"""


@needs_strace
@pytest.mark.parametrize("error", ["EIO", "EINTR"])
def test_one_failing_sync_is_not_noticed(path: Path, error: str) -> None:
    Journal.open(path).close()

    lines = strace(f"fdatasync:error={error}:when=3", COMMIT_FIVE, path)

    assert lines == [f"{number} ok" for number in range(1, 6)]
    journal = Journal.open(path)
    assert all(journal.turns(number) for number in range(1, 6))
    journal.close()


@needs_strace
def test_a_sync_that_keeps_failing_refuses_the_batch_and_what_was_refused_is_not_there(path: Path) -> None:
    Journal.open(path).close()

    lines = strace("fdatasync:error=EIO:when=3..5", COMMIT_FIVE, path)

    refused = [int(line.split()[0]) for line in lines if line.endswith("WriteError")]
    assert len(refused) == 1
    assert len(lines) == 5
    journal = Journal.open(path)
    assert [number for number in range(1, 6) if not journal.turns(number)] == refused
    journal.close()


@needs_strace
def test_a_disk_that_tells_nothing_of_its_room_refuses_the_batch_all_the_same(path: Path) -> None:
    Journal.open(path).close()
    faults = ["-e", "inject=fdatasync:error=EIO:when=3..5", "-e", "inject=statfs:error=EIO"]
    options = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,statfs", *faults]

    lines = run(["strace", *options, *python(COMMIT_FIVE, path)])

    assert [line.endswith("WriteError") for line in lines].count(True) == 1
    assert len(lines) == 5


@needs_strace
@pytest.mark.parametrize("when", ["2", "3", "4", "5", "6", "3+"])
def test_a_failing_write_is_settled_or_reported_truly(path: Path, when: str) -> None:
    Journal.open(path).close()

    lines = strace(f"pwrite64:error=EIO:when={when}", COMMIT_FIVE, path)

    journal = Journal.open(path)
    for line in lines:
        number, verdict = line.split()
        there = bool(journal.turns(int(number)))
        assert verdict in {"ok", "WriteError", "OutcomeUnknownError"}
        assert verdict == "OutcomeUnknownError" or there == (verdict == "ok")
    journal.close()


# Control: what the tests above would look like if the engine kept no promises


def test_the_engine_alone_would_let_a_second_process_in(path: Path) -> None:
    journal = Journal.open(path)
    directory = str(path / "journal")
    (path / "journal" / "lock.mdb").open("rb").close()
    code = "import lmdb\nlmdb.open(path, lib_version=0).close()\nprint('in')"

    assert run(python(code, directory)) == ["in"]
    assert lmdb.version() >= (0, 9, 31)
    with pytest.raises(InUseError):
        Journal.open(path)
    journal.close()


def test_full_error_is_what_a_small_limit_gives(path: Path) -> None:
    journal = Journal.open(path, max_map_size=1 << 20)
    batch = journal.batch()
    batch.append_turn(1, 0, 0, bytes(4 << 20), b"", 0)

    with pytest.raises(FullError, match="max_map_size"):
        journal.commit(batch)

    journal.close()
