"""A flipped byte is noticed, or makes no difference; it never becomes wrong data."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.storage import (
    Attempt,
    CorruptError,
    DueKind,
    FormatError,
    Journal,
    MemoryStore,
    RunHeader,
    Tree,
    check,
    keys,
)
from tests.runtime.rig import ROOT, python

HEADER = RunHeader("order", "r", "T", 1, 0, None, 90, "r", "3.11", 0, 0, 0, b"options", b"", "note")
EVERYTHING = (b"", b"\xff" * 64)


def fill(journal: Journal, runs: int = 2) -> None:
    batch = journal.batch()
    for _ in range(runs):
        run_no = batch.new_run_no()
        batch.put_header(run_no, HEADER._replace(workflow_id=f"order-{run_no}"))
        batch.set_current(f"order-{run_no}", run_no)
        crc = 0
        for turn_no in range(3):
            crc = batch.append_turn(run_no, turn_no, turn_no, b"message", b"commands", crc)
        batch.put_mail(run_no, 1, b"mail")
        batch.set_active(run_no)
        batch.put_timer(run_no, DueKind.TIMER, 1, 50)
        batch.put_timer(run_no, DueKind.RUN_TIMEOUT, 0, 90)
        batch.put_attempt(run_no, Attempt(2, 1, 60, False, b"schedule", b"failure"))
    batch.put_dead_letter(1, 1, "nobody", b"letter")
    journal.commit(batch)


def reads(journal: Journal) -> list[Callable[[], object]]:
    """Return every way to read the journal, those of run 1 first."""

    def of_run(run_no: int) -> list[Callable[[], object]]:
        return [
            lambda: journal.header(run_no),
            lambda: journal.turns(run_no),
            lambda: journal.items(run_no),
            lambda: journal.mail(run_no),
            lambda: journal.attempts(run_no),
            lambda: journal.timers(run_no),
            lambda: journal.current_run(f"order-{run_no}"),
        ]

    return [
        *of_run(1),
        *of_run(2),
        journal.waiting,
        journal.active,
        lambda: journal.due(until_ns=1_000),
        journal.dead_letters,
    ]


OF_RUN_1, OF_RUN_2 = slice(0, 7), slice(7, 14)


def outcomes(journal: Journal) -> list[object]:
    """Return what every read gives, with None for a read that found damage."""
    found: list[object] = []
    for read in reads(journal):
        try:
            found.append(read())
        except (CorruptError, FormatError):
            found.append(None)
    return found


def test_a_flipped_bit_in_any_row_is_noticed_and_harms_no_other_run() -> None:
    store = MemoryStore()
    journal = Journal.on(store)
    fill(journal)
    truth = outcomes(journal)
    dice = random.Random(20)
    tried = 0

    for tree in (Tree.RUNS, Tree.DUE, Tree.IDS, Tree.DEAD, Tree.ATTRIBUTES):
        for key, value in store.scan(tree, *EVERYTHING, limit=1_000):
            if tree is Tree.RUNS and key[8] == keys.Kind.LETTER:
                continue  # Read where a run is deleted, and by the check: see test_deletion.
            for place in range(len(value)):
                flipped = bytearray(value)
                flipped[place] ^= 1 << dice.randrange(8)
                store.commit({tree: {key: bytes(flipped)}})

                found = outcomes(journal)

                assert None in found, (tree, key, place)
                assert all(one in (None, true) for one, true in zip(found, truth, strict=True))
                if tree is Tree.RUNS:
                    harmed = OF_RUN_1 if keys.run_of(key) == 1 else OF_RUN_2
                    assert None in found[harmed]
                    assert found[: harmed.start] + found[harmed.stop :] == truth[: harmed.start] + truth[harmed.stop :]
                tried += 1
            store.commit({tree: {key: value}})

    assert outcomes(journal) == truth
    assert tried > 400


def test_a_flipped_bit_in_the_journals_own_row_keeps_it_closed() -> None:
    store = MemoryStore()
    fill(Journal.on(store))
    [(key, value)] = store.scan(Tree.META, *EVERYTHING, limit=9)

    for place in range(len(value)):
        flipped = bytearray(value)
        flipped[place] ^= 4
        store.commit({Tree.META: {key: bytes(flipped)}})
        with pytest.raises((CorruptError, FormatError)):
            Journal.on(store)


def test_damaged_due_rows_can_be_collected_instead_of_stopping_everybody() -> None:
    store = MemoryStore()
    journal = Journal.on(store)
    batch = journal.batch()
    for run_no in range(6):
        batch.put_mail(run_no, 0, b"")
    journal.commit(batch)
    rows = store.scan(Tree.DUE, *EVERYTHING, limit=9)
    store.commit({Tree.DUE: {rows[0][0]: b"", rows[3][0]: b"", rows[5][0]: b""}})
    damaged: list[CorruptError] = []

    with pytest.raises(CorruptError, match="the due row"):
        journal.waiting()
    first = journal.waiting(limit=2, damaged=damaged)
    second = journal.waiting(limit=2, after=first[-1][0], damaged=damaged)

    assert [run_no for _, run_no in first + second] == [1, 2, 4]
    assert len(damaged) == 3


def marked(store: MemoryStore, *runs: int) -> Journal:
    journal = Journal.on(store)
    batch = journal.batch()
    for run_no in runs:
        batch.set_active(run_no)
    journal.commit(batch)
    return journal


def test_a_damaged_row_of_marks_stands_for_every_run_that_it_can_have_told_of() -> None:
    store = MemoryStore()
    marked(store, 1, 700)
    rows = store.scan(Tree.DUE, *EVERYTHING, limit=9)
    store.commit({Tree.DUE: {rows[0][0]: b"damaged"}})
    damaged: list[CorruptError] = []

    journal = Journal.on(store)
    runs = [run_no for _, run_no in journal.active(damaged=damaged)]

    assert runs == [*range(256), 700]
    assert len(damaged) == 1
    with pytest.raises(CorruptError, match="the due row 010000000000000000: the checksum"):
        journal.active()


def test_the_next_mark_in_a_damaged_row_mends_it_and_forgets_no_run() -> None:
    store = MemoryStore()
    marked(store, 1)
    rows = store.scan(Tree.DUE, *EVERYTHING, limit=9)
    store.commit({Tree.DUE: {rows[0][0]: b"damaged"}})
    journal = Journal.on(store)

    batch = journal.batch()
    batch.clear_active(7)
    journal.commit(batch)

    assert [run_no for _, run_no in journal.active()] == [run_no for run_no in range(256) if run_no != 7]


@pytest.mark.aside
@pytest.mark.slow
def test_a_flipped_bit_in_the_file_is_noticed_or_makes_no_difference(tmp_path: Path) -> None:
    # In a process that holds little: it forks for each bit.
    code = "import sys; from tests.storage import test_damage; test_damage.flip_bits_of_a_file(sys.argv[1])"
    process = python(code, str(tmp_path), cwd=ROOT)
    _, errors = process.communicate(timeout=300)

    assert process.returncode == 0, errors


def flip_bits_of_a_file(folder: str) -> None:
    path = Path(folder) / "store"
    journal = Journal.open(path, map_size=1 << 20)
    for _ in range(4):
        fill(journal)
    truth = outcomes(journal)
    journal.close()
    data = path / "journal" / "data.mdb"
    good = data.read_bytes()
    dice = random.Random(7)
    verdicts: dict[int, int] = {}

    for _ in range(250):
        place = dice.randrange(len(good))
        flipped = bytearray(good)
        flipped[place] ^= 1 << dice.randrange(8)
        data.write_bytes(flipped)
        child = os.fork()
        if not child:
            code = 3
            try:
                if check(path):
                    code = 1
                else:
                    reader = Journal.open(path, read_only=True)
                    code = 0 if outcomes(reader) == truth else 2
            finally:
                os._exit(code)
        verdict = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        verdicts[verdict] = verdicts.get(verdict, 0) + 1

    assert set(verdicts) == {0, 1}, verdicts
