"""What the journal promises, on both stores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.storage import (
    Attempt,
    ClosedError,
    CorruptError,
    DeadLetter,
    DelayedMail,
    Due,
    DueKind,
    FencedError,
    Journal,
    LocationError,
    Mail,
    MemoryStore,
    RunHeader,
    SignalKey,
    Store,
    Timer,
    Tree,
    Turn,
    Update,
    keys,
)

OpenJournal = Callable[[], Journal]


def write_turns(journal: Journal, run_no: int, count: int) -> int:
    batch = journal.batch()
    crc = 0
    for turn_no in range(count):
        crc = batch.append_turn(run_no, turn_no, turn_no * 10, b"m%d" % turn_no, b"c%d" % turn_no, crc)
    journal.commit(batch)
    return crc


def test_a_committed_run_is_found_after_reopening(reopen: OpenJournal, header: RunHeader) -> None:
    journal = reopen()
    batch = journal.batch()
    run_no = batch.new_run_no()
    batch.put_header(run_no, header)
    batch.set_current("order-1", run_no)
    crc = batch.append_turn(run_no, 0, 5, b"started", b"schedule", 0)
    journal.commit(batch)

    again = reopen()

    assert again.current_run("order-1") == run_no
    assert again.header(run_no) == header
    assert again.turns(run_no) == [Turn(0, 5, b"started", b"schedule", crc)]


def test_a_batch_that_is_not_committed_leaves_no_trace(reopen: OpenJournal, header: RunHeader) -> None:
    journal = reopen()
    batch = journal.batch()
    batch.put_header(1, header)
    batch.put_mail(1, 0, b"hello")

    again = reopen()

    assert again.header(1) is None
    assert again.waiting() == []


def test_opening_counts_the_epoch_up_and_keeps_the_identity(reopen: OpenJournal) -> None:
    first = reopen()

    second = reopen()

    assert second.epoch == first.epoch + 1
    assert second.store_uuid == first.store_uuid


def test_an_older_owner_is_fenced(header: RunHeader) -> None:
    store = MemoryStore()
    old = Journal.on(store)
    new = Journal.on(store)
    batch = old.batch()
    batch.put_header(1, header)

    with pytest.raises(FencedError):
        old.commit(batch)

    assert new.header(1) is None


def test_each_commit_counts_the_sequence_up_and_an_empty_one_does_not(journal: Journal) -> None:
    before = journal.sequence

    journal.commit(journal.batch())
    write_turns(journal, 1, 1)

    assert journal.sequence == before + 1


def test_numbers_are_not_given_twice_after_reopening(reopen: OpenJournal) -> None:
    journal = reopen()
    batch = journal.batch()
    runs = {batch.new_run_no() for _ in range(3)}
    seq = batch.put_mail(max(runs), 0, b"x")
    journal.commit(batch)

    again = reopen().batch()

    assert again.new_run_no() == max(runs) + 1
    assert again.put_mail(1, 0, b"y") == seq + 1


def test_turns_are_read_in_slices_with_and_without_the_checksum_before(journal: Journal) -> None:
    write_turns(journal, 7, 10)
    everything = journal.turns(7)

    with_crc = journal.turns(7, first=4, limit=3, crc=everything[3].crc)
    without_crc = journal.turns(7, first=4, limit=3)

    assert [turn.turn_no for turn in everything] == list(range(10))
    assert with_crc == without_crc == everything[4:7]
    assert journal.turns(7, first=10) == []
    assert journal.turns(7, first=99) == []


def test_mail_waits_in_order_until_it_is_taken(journal: Journal) -> None:
    batch = journal.batch()
    first = batch.put_mail(1, 10, b"a")
    other = batch.put_mail(2, 11, b"b")
    second = batch.put_mail(1, 12, b"c")
    journal.commit(batch)
    assert [run for _, run in journal.waiting()] == [1, 2, 1]
    assert journal.mail(1) == [Mail(first, 10, b"a"), Mail(second, 12, b"c")]
    assert journal.mail(1, after=first) == [Mail(second, 12, b"c")]

    batch = journal.batch()
    batch.take_mail(1, first)
    journal.commit(batch)

    assert journal.mail(1) == [Mail(second, 12, b"c")]
    assert journal.mail(2) == [Mail(other, 11, b"b")]
    assert [run for _, run in journal.waiting()] == [2, 1]


def test_active_runs_are_listed_until_cleared(journal: Journal) -> None:
    batch = journal.batch()
    for run_no in (3, 1, 2):
        batch.set_active(run_no)
    journal.commit(batch)

    batch = journal.batch()
    batch.clear_active(2)
    journal.commit(batch)

    assert [run for _, run in journal.active()] == [1, 3]


def test_marks_of_a_batch_that_was_not_written_are_not_kept(journal: Journal) -> None:
    lost = journal.batch()
    lost.set_active(1)

    batch = journal.batch()
    batch.set_active(2)
    journal.commit(batch)

    assert [run for _, run in journal.active()] == [2]


def test_what_is_marked_so_already_is_nothing_to_write(journal: Journal) -> None:
    batch = journal.batch()
    batch.set_active(1)
    journal.commit(batch)

    batch = journal.batch()
    batch.set_active(1)
    batch.clear_active(2)
    assert len(batch) == 0

    batch.clear_active(1)
    batch.set_active(1)
    journal.commit(batch)
    assert [run for _, run in journal.active()] == [1]


def test_runs_that_are_marked_together_share_rows(journal: Journal) -> None:
    batch = journal.batch()
    for run_no in range(200, 300):
        batch.set_active(run_no)
    journal.commit(batch)

    assert [run for _, run in journal.active()] == list(range(200, 300))
    assert len({key for key, _ in journal.active()}) == 2


def test_pages_go_on_after_the_last_key(journal: Journal) -> None:
    batch = journal.batch()
    for run_no in range(7):
        batch.set_active(300 * run_no)
        batch.put_mail(run_no, 0, b"")
        batch.put_timer(run_no, DueKind.TIMER, 0, run_no)
    journal.commit(batch)

    runs: list[int] = []
    after = b""
    while page := journal.active(after=after, limit=3):
        runs += [run for _, run in page]
        after = page[-1][0]

    assert runs == list(range(0, 2100, 300))


def test_due_lists_what_is_due_by_time_and_nothing_later(journal: Journal) -> None:
    batch = journal.batch()
    batch.put_timer(1, DueKind.TIMER, 4, 30)
    batch.put_timer(2, DueKind.RUN_TIMEOUT, 0, 20)
    batch.put_attempt(3, Attempt(9, 2, 10, False, b"s", b"f"))
    batch.put_timer(4, DueKind.TIMER, 1, 31)
    journal.commit(batch)

    due = journal.due(until_ns=30)

    assert due == [Due(10, 3, 2, 9), Due(20, 2, 3, 0), Due(30, 1, 1, 4)]
    assert journal.due(until_ns=9) == []
    assert len(journal.due(until_ns=2**64 - 2)) == 4
    assert journal.due(until_ns=-5) == []


def test_a_dropped_timer_is_due_no_more(journal: Journal) -> None:
    batch = journal.batch()
    batch.put_timer(1, DueKind.TIMER, 4, 30)
    batch.put_timer(1, DueKind.RUN_TIMEOUT, 0, 40)
    journal.commit(batch)
    assert journal.timers(1) == [Timer(4, 30)]

    batch = journal.batch()
    batch.drop_timer(1, DueKind.TIMER, 4, 30)
    batch.drop_timer(1, DueKind.RUN_TIMEOUT, 0, 40)
    journal.commit(batch)

    assert journal.timers(1) == []
    assert journal.due(until_ns=100) == []


def test_a_replaced_attempt_is_due_at_its_new_time_only(journal: Journal) -> None:
    batch = journal.batch()
    batch.put_attempt(1, Attempt(5, 1, 100, False, b"s", b""))
    journal.commit(batch)

    batch = journal.batch()
    batch.put_attempt(1, Attempt(5, 2, 200, True, b"s", b"boom"), previous_next_ns=100)
    journal.commit(batch)

    assert journal.attempts(1) == [Attempt(5, 2, 200, True, b"s", b"boom")]
    assert journal.due(until_ns=1000) == [Due(200, 1, DueKind.ATTEMPT, 5)]

    batch = journal.batch()
    batch.drop_attempt(1, 5, 200)
    batch.drop_attempt(1, 6, None)
    journal.commit(batch)

    assert journal.attempts(1) == []
    assert journal.due(until_ns=1000) == []


def test_items_returns_all_that_waits_for_one_run(journal: Journal) -> None:
    batch = journal.batch()
    seq = batch.put_mail(1, 3, b"hello")
    batch.put_attempt(1, Attempt(1, 1, None, True, b"", b""))
    batch.put_timer(1, DueKind.TIMER, 2, 9)
    batch.put_timer(1, DueKind.TIMER, 3, 9)
    batch.put_mail(2, 3, b"not this one")
    journal.commit(batch)

    items = journal.items(1)

    assert items.mail == [Mail(seq, 3, b"hello")]
    assert items.attempts == [Attempt(1, 1, None, True, b"", b"")]
    assert items.timers == [Timer(2, 9), Timer(3, 9)]


def test_delayed_mail_is_due_at_its_time_until_it_is_dropped(journal: Journal) -> None:
    batch = journal.batch()
    later, sooner = DelayedMail(1, 90, b"later", False), DelayedMail(2, 80, b"sooner", True)
    batch.delay_mail(1, later)
    batch.delay_mail(1, sooner)
    journal.commit(batch)
    assert journal.items(1).delayed == [later, sooner]
    assert journal.due(until_ns=100) == [Due(80, 1, DueKind.DELAYED, 2), Due(90, 1, DueKind.DELAYED, 1)]
    batch = journal.batch()
    batch.drop_delayed(1, sooner)
    journal.commit(batch)

    assert journal.items(1).delayed == [later]
    assert journal.due(until_ns=100) == [Due(90, 1, DueKind.DELAYED, 1)]


def test_an_update_is_found_by_its_id_with_its_last_outcome(journal: Journal) -> None:
    batch = journal.batch()
    batch.put_update(1, Update("u", b""))
    batch.put_update(1, Update("ü" * 240, b"long"))
    batch.put_update(2, Update("u", b"of another run"))
    journal.commit(batch)
    batch = journal.batch()
    batch.put_update(1, Update("u", b"done"))
    journal.commit(batch)

    assert journal.update(1, "u") == Update("u", b"done")
    assert journal.update(1, "nobody") is None
    assert journal.items(1).updates == [Update("u", b"done"), Update("ü" * 240, b"long")]
    with pytest.raises(ValueError, match=r"update id '.*' has 482 bytes"):
        batch.put_update(1, Update("ü" * 241, b""))


def test_the_key_of_a_signal_is_found_in_its_run_alone(journal: Journal) -> None:
    batch = journal.batch()
    for key in ("a", "ü" * 240):
        batch.put_signal_key(1, SignalKey(key, 5, is_carried=True))
    batch.put_signal_key(2, SignalKey("b"))
    journal.commit(batch)

    assert [journal.has_signal_key(1, key) for key in ("a", "b", "ü" * 240)] == [True, False, True]
    assert journal.items(1).signal_keys == [SignalKey(key, 5, is_carried=True) for key in ("a", "ü" * 240)]
    with pytest.raises(ValueError, match=r"signal id '.*' has 482 bytes"):
        batch.put_signal_key(1, SignalKey("ü" * 241))


def test_more_items_than_a_slice_are_all_returned(journal: Journal) -> None:
    batch = journal.batch()
    for item in range(2_500):
        batch.put_attempt(1, Attempt(item, 1, None, False, b"", b""))
    journal.commit(batch)

    assert [attempt.item for attempt in journal.attempts(1)] == list(range(2_500))


def test_dead_letters_are_listed_newest_first(journal: Journal) -> None:
    batch = journal.batch()
    seqs = [batch.put_dead_letter(1, 5, f"reason {n}", b"m") for n in range(3)]
    journal.commit(batch)

    letters = journal.dead_letters(limit=2)

    assert letters == [DeadLetter(seqs[2], 1, 5, "reason 2", b"m"), DeadLetter(seqs[1], 1, 5, "reason 1", b"m")]


def test_a_workflow_id_of_480_bytes_is_taken_and_a_longer_one_refused(journal: Journal) -> None:
    batch = journal.batch()

    batch.set_current("x" * 480, 1)
    journal.commit(batch)

    assert journal.current_run("x" * 480) == 1
    with pytest.raises(ValueError, match="481 bytes of UTF-8, allowed are 1 to 480"):
        batch.set_current("x" * 481, 1)
    with pytest.raises(ValueError, match="0 bytes"):
        journal.current_run("")


@pytest.mark.parametrize("kind", [0, DueKind.ATTEMPT, 9, 255])
def test_only_timers_run_timeouts_and_starts_are_timers(journal: Journal, kind: int) -> None:
    with pytest.raises(ValueError, match="no kind of timer"):
        journal.batch().put_timer(1, kind, 1, 1)


def test_a_row_that_no_version_writes_is_damage(store: Store) -> None:
    journal = Journal.on(store)
    store.commit({Tree.RUNS: {keys.HEADER_KEY.pack(1, 0x33): b"?"}})

    with pytest.raises(CorruptError, match="no version of greenroom writes such a row") as caught:
        journal.items(1)

    assert caught.value.run_no == 1


def test_a_read_only_journal_refuses_commits(tmp_path: Path) -> None:
    Journal.open(tmp_path / "store").close()
    journal = Journal.open(tmp_path / "store", read_only=True)
    epoch = journal.epoch
    batch = journal.batch()
    batch.set_active(1)

    with pytest.raises(LocationError, match="read-only"):
        journal.commit(batch)

    journal.close()
    again = Journal.open(tmp_path / "store", read_only=True)
    assert again.epoch == epoch
    again.close()


def test_an_unknown_durability_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="durability is 'memory'; give 'full' or 'relaxed'"):
        Journal.open(tmp_path / "store", durability="memory")

    assert not (tmp_path / "store").exists()


def test_a_batch_knows_how_much_it_holds(journal: Journal, header: RunHeader) -> None:
    batch = journal.batch()
    assert not batch

    batch.append_turn(1, 0, 0, b"m" * 1000, b"", 0)
    batch.put_mail(1, 0, b"")

    assert len(batch) == 3
    assert batch.size > 1000


def test_a_closed_journal_refuses_and_leaves_a_store_that_it_was_given_open(store: Store) -> None:
    journal = Journal.on(store)

    journal.close()
    journal.close()

    with pytest.raises(ClosedError):
        journal.header(1)
    with pytest.raises(ClosedError):
        journal.commit(journal.batch())
    assert Journal.on(store).header(1) is None
