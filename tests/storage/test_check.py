"""Check is silent about a sound journal and names each promise that was broken on purpose."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.storage import (
    Attempt,
    Batch,
    CorruptError,
    DelayedMail,
    DueKind,
    InUseError,
    Journal,
    LocationError,
    MemoryStore,
    Meta,
    Problem,
    RunHeader,
    SignalKey,
    Timer,
    Tree,
    Update,
    check,
    keys,
    pack_prefixes,
)
from greenroom.storage.codec import encode, encode_turn, seal
from greenroom.storage.keys import Kind
from greenroom.storage.store import META_KEY, Changes

Break = Callable[[MemoryStore, Batch], None]

OPEN, CLOSED = 1, 2
FOUND = pack_prefixes([b"kind=a", b"kind=b"])
HEADER = RunHeader("open", "r1", "T", 1, 5, None, 90, "r1", "3.11", 0, 0, 0, b"", b"", "")


def fill(journal: Journal) -> None:
    """Write an open run with one of everything that waits, a closed one, and a dead letter."""
    batch = journal.batch()
    opened, closed = batch.new_run_no(), batch.new_run_no()
    assert (opened, closed) == (OPEN, CLOSED)
    batch.put_header(OPEN, HEADER._replace(indexed=FOUND))
    batch.put_attributes(OPEN, b"", FOUND)
    batch.set_current("open", OPEN)
    batch.set_active(OPEN)
    batch.put_timer(OPEN, DueKind.RUN_TIMEOUT, 0, 90)
    batch.put_timer(OPEN, DueKind.TIMER, 1, 50)
    batch.put_attempt(OPEN, Attempt(2, 1, 60, False, b"s", b""))
    batch.put_attempt(OPEN, Attempt(3, 1, None, True, b"s", b""))
    batch.put_attempt(OPEN, Attempt(4, 1, None, False, b"s", b"", b"details"))
    batch.put_mail(OPEN, 7, b"hello")
    batch.put_update(OPEN, Update("under way", b""))
    batch.put_update(CLOSED, Update("done", b"outcome"))
    batch.delay_mail(OPEN, DelayedMail(5, 95, b"later", False))
    batch.put_signal_key(OPEN, SignalKey("heard"))
    batch.put_signal_key(CLOSED, SignalKey("heard"))
    for run_no in (OPEN, CLOSED):
        crc = 0
        for turn_no in range(3):
            crc = batch.append_turn(run_no, turn_no, turn_no, b"m", b"c", crc)
    batch.put_header(CLOSED, HEADER._replace(workflow_id="closed", closed_ns=9, turns=3, crc=crc))
    batch.set_current("closed", CLOSED)
    batch.put_dead_letter(CLOSED, 8, "closed", b"late")
    journal.commit(batch)


@pytest.fixture
def memory() -> MemoryStore:
    store = MemoryStore()
    fill(Journal.on(store))
    return store


def row_of(tree: Tree, store: MemoryStore, place: int) -> tuple[bytes, bytes]:
    return store.scan(tree, b"", b"\xff" * 20, limit=100)[place]


def test_a_sound_journal_has_no_problems(memory: MemoryStore) -> None:
    assert check(Journal.on(memory)) == []


def drop_header(store: MemoryStore, batch: Batch) -> None:
    store.commit({Tree.RUNS: {keys.HEADER_KEY.pack(OPEN, 0): None}})


def drop_turn(store: MemoryStore, batch: Batch) -> None:
    store.commit({Tree.RUNS: {keys.TURN_KEY.pack(OPEN, Kind.TURN, 1): None}})


def drop_last_turn_of_closed(store: MemoryStore, batch: Batch) -> None:
    store.commit({Tree.RUNS: {keys.TURN_KEY.pack(CLOSED, Kind.TURN, 2): None}})


def replace_turn(store: MemoryStore, batch: Batch) -> None:
    value, _ = encode_turn(1, 2, b"forged", b"")
    store.commit({Tree.RUNS: {keys.TURN_KEY.pack(OPEN, Kind.TURN, 1): value}})


def damage_header(store: MemoryStore, batch: Batch) -> None:
    store.commit({Tree.RUNS: {keys.HEADER_KEY.pack(OPEN, 0): b"damaged"}})


def newer_header(store: MemoryStore, batch: Batch) -> None:
    import zlib

    key = keys.HEADER_KEY.pack(OPEN, 0)
    body = b"\x91\x07"
    store.commit({Tree.RUNS: {key: body + zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "big")}})


def add_mail_to_closed(store: MemoryStore, batch: Batch) -> None:
    batch.put_mail(CLOSED, 1, b"")


def unfinished_update_of_closed(store: MemoryStore, batch: Batch) -> None:
    batch.put_update(CLOSED, Update("forgotten", b""))


def update_of_another_id(store: MemoryStore, batch: Batch) -> None:
    key = keys.update_key(OPEN, "one")
    store.commit({Tree.RUNS: {key: encode(key, Update("other", b""))}})


def signal_key_of_another_signal(store: MemoryStore, batch: Batch) -> None:
    key = keys.signal_key(OPEN, "one")
    store.commit({Tree.RUNS: {key: encode(key, SignalKey("other"))}})


def activate_nobody(store: MemoryStore, batch: Batch) -> None:
    batch.set_active(1_000)


def activate_closed(store: MemoryStore, batch: Batch) -> None:
    batch.set_active(CLOSED)


def timeout_of_closed(store: MemoryStore, batch: Batch) -> None:
    batch.put_timer(CLOSED, DueKind.RUN_TIMEOUT, 0, 90)


def timer_at_another_time(store: MemoryStore, batch: Batch) -> None:
    key = keys.DUE_KEY.pack(keys.DUE, 51, OPEN, DueKind.TIMER, 1)
    store.commit({Tree.DUE: {key: seal(key)}})


def timer_of_no_kind(store: MemoryStore, batch: Batch) -> None:
    due = keys.DUE_KEY.pack(keys.DUE, 5, OPEN, 9, 4)
    row = keys.TIMER_KEY.pack(OPEN, Kind.TIMER, 9, 4)
    store.commit({Tree.DUE: {due: seal(due)}, Tree.RUNS: {row: encode(row, Timer(4, 5, 9))}})


def delayed_without_due(store: MemoryStore, batch: Batch) -> None:
    store.commit({Tree.DUE: {keys.DUE_KEY.pack(keys.DUE, 95, OPEN, DueKind.DELAYED, 5): None}})


def delayed_of_closed(store: MemoryStore, batch: Batch) -> None:
    batch.delay_mail(CLOSED, DelayedMail(1, 96, b"too late", True))


def due_without_item(kind: int) -> Break:
    def run(store: MemoryStore, batch: Batch) -> None:
        key = keys.DUE_KEY.pack(keys.DUE, 5, OPEN, kind, 77)
        store.commit({Tree.DUE: {key: seal(key)}})

    return run


def mail_without_item(store: MemoryStore, batch: Batch) -> None:
    key = keys.WAITING_KEY.pack(keys.WAITING, 1, CLOSED)
    store.commit({Tree.DUE: {key: seal(key)}})


def drop_due(place: int) -> Break:
    def run(store: MemoryStore, batch: Batch) -> None:
        store.commit({Tree.DUE: {row_of(Tree.DUE, store, place)[0]: None}})

    return run


def damage_due(place: int) -> Break:
    def run(store: MemoryStore, batch: Batch) -> None:
        key, _ = row_of(Tree.DUE, store, place)
        store.commit({Tree.DUE: {key: b"\0\0\0\0"}})

    return run


def strange(tree: Tree, key: bytes) -> Break:
    def run(store: MemoryStore, batch: Batch) -> None:
        store.commit({tree: {key: b"?"}})

    return run


def drop_attribute(store: MemoryStore, batch: Batch) -> None:
    store.commit({Tree.ATTRIBUTES: {keys.attribute_key(b"kind=a", OPEN): None}})


def attribute_of(run_no: int, prefix: bytes) -> Break:
    def run(store: MemoryStore, batch: Batch) -> None:
        batch.put_attributes(run_no, b"", pack_prefixes([prefix]))

    return run


def damage_list_of_attributes(store: MemoryStore, batch: Batch) -> None:
    batch.put_header(OPEN, HEADER._replace(indexed=FOUND[:-1]))


def id_of_nobody(store: MemoryStore, batch: Batch) -> None:
    batch.set_current("nobody", 1_000)


def id_of_another(store: MemoryStore, batch: Batch) -> None:
    batch.set_current("another", OPEN)


def change_meta(next_run_no: int = 100, next_seq: int = 100) -> Break:
    def run(store: MemoryStore, batch: Batch) -> None:
        meta = Meta(1, "uuid", 1, 1, next_run_no, next_seq, 0, "")
        store.commit({Tree.META: {META_KEY: encode(META_KEY, meta)}})

    return run


BREAKS: list[tuple[str, Break, str, int | None]] = [
    ("no header", drop_header, "run 1: it has rows but no header", OPEN),
    ("missing turn", drop_turn, "run 1: turn 1 is missing before turn 2 of run 1", OPEN),
    ("lost end", drop_last_turn_of_closed, "run 2: it was closed after 3 turns (checksum", CLOSED),
    ("forged turn", replace_turn, "turn 1 of run 1: the checksum does not match", OPEN),
    ("damaged header", damage_header, "the header of run 1: the checksum does not match", OPEN),
    ("newer header", newer_header, "the header of run 1: it has format 7", OPEN),
    ("mail for closed", add_mail_to_closed, "run 2: it is closed, yet 1 items wait for it", CLOSED),
    ("update without outcome", unfinished_update_of_closed, "run 2: it is closed, yet 1 updates have no", CLOSED),
    ("update of another id", update_of_another_id, "update 'one' of run 1: the row is that of update 'other'", OPEN),
    (
        "signal key of another signal",
        signal_key_of_another_signal,
        "signal key 'one' of run 1: the row is that of signal key 'other'",
        OPEN,
    ),
    ("nobody is active", activate_nobody, "run 1000: it is marked active and has no header", 1_000),
    ("closed is active", activate_closed, "run 2: it is marked active and is closed", CLOSED),
    ("closed has timeout", timeout_of_closed, "run 2: item 0 (kind 3) is due at 90 and does not wait", CLOSED),
    ("wrong time", timer_at_another_time, "run 1: item 1 (kind 1) is due at 51 and does not wait", OPEN),
    ("no kind of timer", timer_of_no_kind, "timer 4 (kind 9) of run 1: no version of greenroom writes", OPEN),
    ("no such timer", due_without_item(1), "run 1: item 77 (kind 1) is due at 5", OPEN),
    ("no such delayed mail", due_without_item(5), "run 1: item 77 (kind 5) is due at 5", OPEN),
    ("delayed mail that is never due", delayed_without_due, "delayed mail 5 of run 1: nothing makes it due", OPEN),
    ("delayed mail of a closed run", delayed_of_closed, "it is closed, yet 1 items wait for it", CLOSED),
    ("no such attempt", due_without_item(2), "run 1: item 77 (kind 2) is due at 5", OPEN),
    ("no such mail", mail_without_item, "run 2: mail 1 is due and is not there", CLOSED),
    ("mail not due", drop_due(0), "mail 1 of run 1: nothing makes it due", OPEN),
    ("timer not due", drop_due(2), "timer 1 (kind 1) of run 1: nothing makes it due", OPEN),
    ("attempt not due", drop_due(3), "activity 2 of run 1: nothing makes it due", OPEN),
    ("timeout not due", drop_due(4), "the header of run 1: nothing makes it due", OPEN),
    ("damaged mail due", damage_due(0), "the due row 0000000000", None),
    ("damaged marks", damage_due(1), "the due row 010000000000000000: the checksum does not match", None),
    ("damaged timer due", damage_due(2), "the due row 02000000000000003200000000000000010100000001", None),
    ("strange due", strange(Tree.DUE, b"\x09"), "the due row 09: no version of greenroom writes such a row", None),
    ("strange row", strange(Tree.RUNS, b"\0" * 7 + b"\1\x55"), "the row with the unknown key 000000000000000155", OPEN),
    ("short row", strange(Tree.RUNS, b"\0"), "the row with the unknown key 00: no version", None),
    (
        "attribute not found",
        drop_attribute,
        "run 1: nothing finds it by its attribute 6b696e643d61: the row is",
        OPEN,
    ),
    ("attribute of nobody", attribute_of(1_000, b"a"), "it is one of run 1000, which has no header", 1_000),
    ("attribute of another", attribute_of(CLOSED, b"a"), "the attribute row 61000000000000000", CLOSED),
    ("unknown attribute", attribute_of(OPEN, b"kind=c"), "run 1 has no such attribute", OPEN),
    (
        "list of attributes",
        damage_list_of_attributes,
        "run 1: its list of attribute rows is cut off",
        OPEN,
    ),
    (
        "damaged attribute",
        strange(Tree.ATTRIBUTES, b"a" * 9),
        "attribute row 616161616161616161: the checksum",
        None,
    ),
    ("short attribute", strange(Tree.ATTRIBUTES, b"a" * 8), "6161616161616161: no version of greenroom writes", None),
    ("id of nobody", id_of_nobody, "workflow id 'nobody': its current run 1000 does not exist", 1_000),
    ("id of another", id_of_another, "workflow id 'another': its current run 1 is one of 'open'", OPEN),
    ("damaged id", strange(Tree.IDS, b"open"), "workflow id 'open': the checksum does not match", None),
    ("damaged letter", strange(Tree.DEAD, b"\0" * 8), "dead letter 0: the checksum does not match", None),
    ("run number reused", change_meta(next_run_no=2), "run 2 exists and the next number to give is 2", None),
    ("sequence reused", change_meta(next_seq=2), "sequence number 2 is taken and the next one to give is 2", None),
    ("damaged meta", strange(Tree.META, META_KEY), "the journal's own row: the checksum does not match", None),
]


@pytest.mark.parametrize(("broken", "words", "run_no"), [case[1:] for case in BREAKS], ids=[case[0] for case in BREAKS])
def test_a_broken_promise_is_named(memory: MemoryStore, broken: Break, words: str, run_no: int | None) -> None:
    journal = Journal.on(memory)
    batch = journal.batch()

    broken(memory, batch)
    journal.commit(batch)
    problems = check(journal)

    matching = [problem for problem in problems if words in str(problem)]
    assert matching, problems
    assert matching[0].run_no == run_no


def test_a_damaged_run_is_reported_once_and_the_others_are_sound(memory: MemoryStore) -> None:
    replace_turn(memory, Journal.on(memory).batch())

    assert [problem.run_no for problem in check(Journal.on(memory))] == [OPEN]


def test_damaged_items_are_that_runs_problem_and_not_twice(memory: MemoryStore) -> None:
    rows = memory.scan(Tree.RUNS, *keys.kind_range(OPEN, Kind.MAIL, Kind.TIMER), limit=9)
    memory.commit({Tree.RUNS: {key: value[:-1] + b"?" for key, value in rows}})

    problems = check(Journal.on(memory))

    assert [problem.what for problem in problems] == ["the checksum does not match"] * 5
    assert {problem.run_no for problem in problems} == {OPEN}


def test_a_damaged_header_is_not_reported_again_by_what_refers_to_it(memory: MemoryStore) -> None:
    damage_header(memory, Journal.on(memory).batch())

    problems = check(Journal.on(memory))

    assert [problem.where for problem in problems] == ["the header of run 1", "workflow id 'open'"]


def test_a_missing_own_row_is_named(memory: MemoryStore) -> None:
    journal = Journal.on(memory)
    memory.commit({Tree.META: {META_KEY: None}})

    assert check(journal) == [Problem("the journal's own row", "it is missing")]


class _BusyStore(MemoryStore):
    """A store that somebody writes to while it is walked."""

    def __init__(self) -> None:
        super().__init__()
        self.late: Changes = {}

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        value = super().get(tree, key)
        if tree is Tree.DUE and self.late:
            late, self.late = self.late, {}
            self.commit(late)
        return value


def test_what_only_looked_broken_while_it_was_written_is_not_reported() -> None:
    store = _BusyStore()
    journal = Journal.on(store)
    fill(journal)
    key, value = row_of(Tree.DUE, store, 0)
    store.commit({Tree.DUE: {key: None}})
    meta = encode(META_KEY, Meta(1, "uuid", 2, 99, 100, 100, 0, ""))
    store.late = {Tree.DUE: {key: value}, Tree.META: {META_KEY: meta}}

    assert check(journal) == []


# Directories


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    journal = Journal.open(tmp_path / "store", map_size=1 << 20)
    fill(journal)
    journal.close()
    return tmp_path / "store"


def test_a_sound_directory_has_no_problems_and_can_be_opened_afterwards(directory: Path) -> None:
    assert check(directory) == []

    Journal.open(directory).close()


def test_a_directory_that_this_process_has_open_is_refused(directory: Path) -> None:
    journal = Journal.open(directory)

    with pytest.raises(InUseError):
        check(directory)

    assert check(journal) == []
    journal.close()


def test_a_broken_promise_on_disk_is_found(directory: Path) -> None:
    journal = Journal.open(directory)
    journal.store.commit({Tree.RUNS: {keys.HEADER_KEY.pack(OPEN, 0): None}})
    journal.close()

    assert "run 1: it has rows but no header" in [str(problem) for problem in check(directory)]


def test_a_directory_without_a_journal_is_no_journal_to_check(tmp_path: Path) -> None:
    with pytest.raises(LocationError, match="no such directory"):
        check(tmp_path / "nowhere")
    with pytest.raises(LocationError):
        check(tmp_path)


def test_damaged_pages_are_found_without_the_engine(directory: Path) -> None:
    data = directory / "journal" / "data.mdb"
    raw = bytearray(data.read_bytes())
    for page in range(2, len(raw) // 4096):
        raw[page * 4096 + 10 : page * 4096 + 12] = b"\0\0"
    data.write_bytes(raw)

    problems = check(directory)

    assert problems
    assert {problem.where for problem in problems} == {"the data file"}


def test_garbage_and_cut_files_are_problems_not_crashes(directory: Path) -> None:
    data = directory / "journal" / "data.mdb"
    os.truncate(data, 5000)
    assert "within the second meta page" in str(check(directory)[0])

    data.write_bytes(b"garbage" * 999)
    assert "it is not an LMDB file" in str(check(directory)[0])


def test_a_damaged_own_row_on_disk_is_a_problem(directory: Path) -> None:
    journal = Journal.open(directory)
    journal.store.commit({Tree.META: {META_KEY: b"damaged"}})
    journal.close()

    assert check(directory) == [Problem("the journal's own row", "the checksum does not match")]
    with pytest.raises(CorruptError):
        Journal.open(directory)


def test_runs_without_an_own_row_are_damage(directory: Path) -> None:
    journal = Journal.open(directory)
    journal.store.commit({Tree.META: {META_KEY: None}})
    journal.close()

    assert check(directory) == [Problem("the journal's own row", "it is missing although there are runs")]
