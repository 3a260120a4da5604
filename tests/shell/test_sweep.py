"""A sweep is written once and let go afterwards, in order; if it cannot be written, nothing of it is let go."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from greenroom.actors import Future
from greenroom.runtime.core.messages import SignalReceived
from greenroom.runtime.model.errors import (
    GreenroomError,
    InternalError,
    JournalFullError,
    JournalInUseError,
    JournalWriteError,
)
from greenroom.runtime.shell.delivery import Delivery
from greenroom.runtime.shell.sweep import Sweep
from greenroom.runtime.shell.waiters import Waiters
from greenroom.storage import FencedError, FullError, Journal, MemoryStore, WriteError
from greenroom.testing import FaultyStore


class Taker:
    """Takes turns, and notes what it is told to take back."""

    def __init__(self) -> None:
        self.rolled_back: list[list[Delivery]] = []
        self.errors: list[GreenroomError] = []

    def roll_back(self, deliveries: list[Delivery], error: GreenroomError) -> None:
        self.rolled_back.append(deliveries)
        self.errors.append(error)


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryStore())


@pytest.fixture
def journal(store: FaultyStore) -> Journal:
    return Journal.on(store)


@pytest.fixture
def lost() -> list[GreenroomError]:
    return []


@pytest.fixture
def sweep(journal: Journal, lost: list[GreenroomError]) -> Sweep:
    return Sweep(journal, "here", lost=lost.append)


def delivery() -> Delivery:
    return Delivery(SignalReceived("name", b""))


def test_what_is_let_go_finds_the_batch_on_disk(sweep: Sweep, journal: Journal) -> None:
    found: list[int | None] = []
    sweep.batch.set_current("order", 7)
    sweep.after(lambda: found.append(journal.current_run("order")))
    assert journal.current_run("order") is None

    sweep.close()

    assert found == [7]


def test_releases_happen_in_the_order_they_were_asked_for_and_once(sweep: Sweep) -> None:
    done: list[int] = []
    sweep.batch.set_current("order", 1)
    for number in range(5):
        sweep.after(done.append, number)

    sweep.close()
    sweep.close()

    assert done == [0, 1, 2, 3, 4]
    assert sweep.commits == 1


def test_what_a_release_asks_for_is_written_and_let_go_in_the_same_close(sweep: Sweep, journal: Journal) -> None:
    done: list[int | None] = []

    def more() -> None:
        sweep.batch.set_current("second", 2)
        sweep.after(lambda: done.append(journal.current_run("second")))

    sweep.batch.set_current("first", 1)
    sweep.after(more)

    sweep.close()

    assert done == [2]
    assert sweep.commits == 2


def test_a_sweep_without_rows_is_let_go_without_a_commit(sweep: Sweep, store: FaultyStore) -> None:
    before = store.commits
    done: list[str] = []
    sweep.after(done.append, "answer")

    sweep.close()

    assert done == ["answer"]
    assert store.commits == before


def test_a_release_that_raises_keeps_no_other_from_happening(sweep: Sweep, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    sweep.batch.set_current("order", 1)
    sweep.after(done.append, "before")
    sweep.after(int, "no number")
    sweep.after(done.append, "after")

    sweep.close()

    assert done == ["before", "after"]
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]


@pytest.mark.parametrize(
    ("fault", "public"), [(FullError("x", "no room"), JournalFullError), (WriteError("x", "EIO"), JournalWriteError)]
)
def test_a_sweep_that_cannot_be_written_is_taken_back_and_never_let_go(
    sweep: Sweep, store: FaultyStore, journal: Journal, fault: Exception, public: type[GreenroomError]
) -> None:
    first, second = Taker(), Taker()
    one, two, three = delivery(), delivery(), delivery()
    released: list[str] = []
    undone: list[int] = []

    def undo(error: GreenroomError) -> None:
        undone.append(len(first.rolled_back))

    sweep.batch.set_current("order", 1)
    for taker, taken in ((first, one), (second, two), (first, three)):
        sweep.took_turn(taker, taken)
    sweep.after(released.append, "released")
    sweep.undo(undo)
    store.fail_commit(1, fault)

    sweep.close()

    assert released == []
    # What is undone is undone before the runs go back, each with all it took.
    assert undone == [0]
    assert first.rolled_back == [[one, three]]
    assert second.rolled_back == [[two]]
    assert [type(error) for error in first.errors + second.errors] == [public, public]
    assert first.errors[0].__cause__ is fault
    assert journal.current_run("order") is None


def test_a_turn_that_could_not_be_written_whole_takes_its_sweep_back(sweep: Sweep, journal: Journal) -> None:
    taker = Taker()
    taken = delivery()
    sweep.batch.set_current("half", 1)
    sweep.took_turn(taker, taken)
    sweep.spoil(KeyError("half way"))

    sweep.close()
    sweep.batch.set_current("whole", 2)
    sweep.close()

    assert taker.rolled_back == [[taken]]
    assert isinstance(taker.errors[0], InternalError)
    assert (journal.current_run("half"), journal.current_run("whole")) == (None, 2)


def test_a_journal_that_can_never_be_written_again_is_told(
    sweep: Sweep, store: FaultyStore, lost: list[GreenroomError]
) -> None:
    sweep.batch.set_current("order", 1)
    store.fail_commit(1)
    sweep.close()
    assert lost == []

    sweep.batch.set_current("order", 1)
    store.fail_commit(1, FencedError("the journal"))
    sweep.close()

    assert [type(error) for error in lost] == [JournalInUseError]


def test_the_sweep_after_one_that_failed_starts_empty(sweep: Sweep, store: FaultyStore, journal: Journal) -> None:
    sweep.batch.set_current("lost", 1)
    store.fail_commit(1)
    sweep.close()

    sweep.batch.set_current("kept", 2)
    sweep.close()

    assert journal.current_run("lost") is None
    assert journal.current_run("kept") == 2


def test_a_sweep_is_full_once_it_has_collected_its_bytes(journal: Journal, lost: list[GreenroomError]) -> None:
    sweep = Sweep(journal, "here", lost=lost.append, max_bytes=1000)
    assert not sweep.is_full()

    sweep.batch.put_mail(1, 1, bytes(1000))

    assert sweep.is_full()
    sweep.close()
    assert not sweep.is_full()


def test_waiters_are_given_once_and_by_run() -> None:
    waiters = Waiters()
    futures: list[Future[object]] = [Future() for _ in range(4)]
    for run_no, future in zip((1, 2, 1, 3), futures, strict=True):
        waiters.add(run_no, future)

    assert waiters.take(1) == [futures[0], futures[2]]
    assert waiters.take(1) == []
    assert waiters.take_all() == [futures[1], futures[3]]
    assert len(waiters) == 0


def test_a_batch_is_written_while_the_runtime_says_that_it_commits(store: FaultyStore, journal: Journal) -> None:
    stages: list[tuple[str, int]] = []

    @contextmanager
    def committing() -> Generator[None, None, None]:
        stages.append(("begun", store.commits))
        yield
        stages.append(("over", store.commits))

    sweep = Sweep(journal, "here", lost=lambda error: None, committing=committing())
    before = store.commits
    sweep.batch.set_current("order", 1)

    sweep.close()

    assert stages == [("begun", before), ("over", before + 1)]


def note(undone: list[str], name: str, error: GreenroomError) -> None:
    undone.append(name)


def test_what_is_undone_is_undone_backwards(sweep: Sweep, store: FaultyStore) -> None:
    undone: list[str] = []
    store.fail_commit()
    sweep.batch.set_current("order", 1)
    for name in ("first", "second"):
        sweep.undo(note, undone, name)
    sweep.close()

    assert undone == ["second", "first"]


def test_a_turn_of_which_nothing_was_written_is_not_rolled_back_with_a_later_sweep(
    sweep: Sweep, store: FaultyStore
) -> None:
    idle, busy = Taker(), Taker()
    undone: list[GreenroomError] = []
    sweep.took_turn(idle, delivery())
    sweep.undo(undone.append)
    sweep.close()

    store.fail_commit()
    sweep.took_turn(busy, delivery())
    sweep.batch.set_current("order", 1)
    sweep.close()

    assert (idle.rolled_back, undone) == ([], [])
    assert len(busy.rolled_back) == 1


def test_a_spoiled_sweep_with_nothing_to_write_is_rolled_back_at_once(sweep: Sweep, journal: Journal) -> None:
    taker = Taker()
    sweep.took_turn(taker, delivery())
    sweep.spoil(ZeroDivisionError("a fault of ours"))
    sweep.close()

    assert ["ZeroDivisionError('a fault of ours')" in str(error) for error in taker.errors] == [True]
    sweep.batch.set_current("order", 1)
    sweep.close()
    assert journal.current_run("order") == 1


def test_a_journal_that_is_lost_is_never_written_again(
    sweep: Sweep, store: FaultyStore, journal: Journal, lost: list[GreenroomError]
) -> None:
    taker = Taker()
    store.fail_commit(error=FencedError("here"))
    sweep.batch.set_current("first", 1)
    sweep.close()

    sweep.took_turn(taker, delivery())
    sweep.batch.set_current("second", 2)
    sweep.close()

    assert journal.current_run("second") is None
    assert [type(error) for error in taker.errors] == [JournalInUseError]
    assert len(lost) == 1
