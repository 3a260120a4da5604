"""A read that fails once delays what depends on it, and loses nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from greenroom import activity, workflow
from greenroom.storage import MemoryStore, OutcomeUnknownError, ReadError, Tree
from greenroom.storage.keys import ACTIVE, DUE, WAITING
from greenroom.testing import TestRuntime

performed: list[int] = []


@activity.defn(name="unread.work")
def work() -> str:
    performed.append(1)
    return "worked"


@workflow.defn(name="unread.worker")
async def worker() -> str:
    return await workflow.execute_activity(work)


@workflow.defn(name="unread.sleeper")
async def sleeper() -> str:
    await workflow.sleep(10)
    return "slept"


class UnreadableStore(MemoryStore):
    """A store of which single reads fail.

    Attributes:
        scans: what the next failing scans are of: kinds of rows in the tree of what is due.
        skipped: how many reads of a run's row go well before that.
        gets: how many reads of a run's row are to fail.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scans: list[int] = []
        self.skipped = 0
        self.gets = 0

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        if tree is Tree.DUE and start[:1] and start[0] in self.scans:
            self.scans.remove(start[0])
            raise self._error()
        return super().scan(tree, start, stop, limit=limit, reverse=reverse)

    def get(self, tree: Tree, key: bytes) -> bytes | None:
        if tree is Tree.RUNS and self.gets:
            if not self.skipped:
                self.gets -= 1
                raise self._error()
            self.skipped -= 1
        return super().get(tree, key)

    def _error(self) -> ReadError:
        return ReadError("here", "the disk did not answer")


@pytest.fixture
def store() -> UnreadableStore:
    performed.clear()
    return UnreadableStore()


@pytest.fixture
def runtime(store: UnreadableStore) -> TestRuntime:
    return TestRuntime(store, workflows=[worker, sleeper], activities=[work])


def drive_until_asked(runtime: TestRuntime) -> None:
    """Take the turns that there are, and perform nothing."""
    while runtime.step():
        pass


@pytest.mark.parametrize("kind", [ACTIVE, WAITING])
def test_recovery_goes_on_after_a_page_that_could_not_be_read(
    runtime: TestRuntime, store: UnreadableStore, kind: int, caplog: pytest.LogCaptureFixture
) -> None:
    with runtime:
        runtime.start_workflow(worker, id="w")
        drive_until_asked(runtime)
        runtime.crash()
        store.scans = [kind]

        assert runtime.wait(runtime.get_workflow_handle("w").result()) == "worked"

    assert performed == [1]
    assert store.scans == []
    assert "the disk did not answer" in caplog.text


def test_recovery_goes_on_with_the_run_whose_header_could_not_be_read(
    runtime: TestRuntime, store: UnreadableStore, caplog: pytest.LogCaptureFixture
) -> None:
    with runtime:
        for name in "abc":
            runtime.start_workflow(worker, id=name)
        drive_until_asked(runtime)
        runtime.crash()
        store.gets = 1
        drive_until_asked(runtime)
        handles = [runtime.get_workflow_handle(name) for name in "abc"]
        runtime.advance(timedelta(seconds=1))

        assert [runtime.wait(handle.result()) for handle in handles] == ["worked"] * 3

    assert performed == [1, 1, 1]
    assert store.gets == 0
    assert "the disk did not answer" in caplog.text


def test_recovery_takes_the_rest_of_a_block_after_a_run_that_could_not_be_read(
    runtime: TestRuntime, store: UnreadableStore
) -> None:
    with runtime:
        names = [str(number) for number in range(8)]
        for name in names:
            runtime.start_workflow(worker, id=name)
        drive_until_asked(runtime)
        runtime.crash()
        store.skipped, store.gets = 3, 1

        results = [runtime.get_workflow_handle(name).result() for name in names]
        runtime.advance(timedelta(seconds=2))

        assert [result.get(timeout=0) for result in results] == ["worked"] * 8
        assert store.gets == 0


def test_recovery_concludes_nothing_from_a_journal_that_is_lost(runtime: TestRuntime, store: UnreadableStore) -> None:
    with runtime:
        for number in range(600):
            runtime.start_workflow(worker, id=str(number))
        drive_until_asked(runtime)
        runtime.crash()
        runtime.store.fail_commit(error=OutcomeUnknownError("the store", "nobody knows"))
        runtime.start_workflow(worker, id="late")
        while runtime.hands.dispatcher.sweep():
            pass
        runtime.crash()

        assert len(runtime.hands.journal.active(limit=1000)) == 600
        assert runtime.wait(runtime.get_workflow_handle("599").result()) == "worked"


def test_timers_are_looked_for_again_after_a_page_that_could_not_be_read(
    runtime: TestRuntime, store: UnreadableStore, caplog: pytest.LogCaptureFixture
) -> None:
    with runtime:
        runtime.start_workflow(sleeper, id="s")
        drive_until_asked(runtime)
        store.scans = [DUE, DUE, DUE]
        runtime.crash()

        assert runtime.wait(runtime.get_workflow_handle("s").result()) == "slept"

    assert store.scans == []
    assert caplog.text.count("the disk did not answer") == 3


def test_a_timer_whose_run_could_not_be_read_fires_a_little_later(
    runtime: TestRuntime, store: UnreadableStore, caplog: pytest.LogCaptureFixture
) -> None:
    with runtime:
        runtime.start_workflow(sleeper, id="s")
        drive_until_asked(runtime)
        runtime.crash()
        drive_until_asked(runtime)
        store.gets = 1
        runtime.advance(timedelta(seconds=11))

        assert store.gets == 0
        assert runtime.wait(runtime.get_workflow_handle("s").result()) == "slept"

    assert "the disk did not answer" in caplog.text
