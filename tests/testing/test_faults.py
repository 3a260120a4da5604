"""Commits that fail: nothing is let go, what has happened is taken again, and the runtime goes on."""

from __future__ import annotations

import pytest

from greenroom import activity, workflow
from greenroom.runtime.model.errors import JournalError
from greenroom.storage import FullError, MemoryStore, OutcomeUnknownError, StorageError, Tree, WriteError
from greenroom.testing import Crash, FaultyStore, TestRuntime

ROW: dict[Tree, dict[bytes, bytes | None]] = {Tree.RUNS: {b"key": b"value"}}


@activity.defn(name="faults.once")
def once() -> int:
    return 1


@workflow.defn(name="faults.worker")
async def worker() -> int:
    total = 0
    for _ in range(3):
        total += await workflow.execute_activity(once)
        await workflow.sleep(1)
    return total


def test_a_store_without_faults_is_the_store_below() -> None:
    store = FaultyStore(MemoryStore())

    store.commit(ROW)

    assert store.get(Tree.RUNS, b"key") == b"value"
    assert store.scan(Tree.RUNS, b"", b"\xff", limit=9) == [(b"key", b"value")]
    assert store.commits == 1
    assert (store.engine, store.read_only) == ("memory", False)


@pytest.mark.parametrize("error", [FullError("here", "full"), WriteError("here", "refused")])
def test_the_nth_commit_fails_as_was_asked_and_writes_nothing(error: StorageError) -> None:
    store = FaultyStore(MemoryStore())
    store.fail_commit(2, error)
    store.commit({})

    with pytest.raises(type(error)):
        store.commit(ROW)

    assert store.get(Tree.RUNS, b"key") is None
    store.commit(ROW)


def test_a_commit_that_fails_after_the_disk_has_it_does_not_know_its_outcome() -> None:
    store = FaultyStore(MemoryStore())
    store.fail_commit(after=True)

    with pytest.raises(OutcomeUnknownError):
        store.commit(ROW)

    assert store.get(Tree.RUNS, b"key") == b"value"


def test_a_store_that_has_crashed_takes_nothing_until_it_is_revived() -> None:
    store = FaultyStore(MemoryStore())
    store.crash_at_commit()

    for _ in range(2):
        with pytest.raises(Crash, match="crashed before the disk had commit 1"):
            store.commit(ROW)

    store.revive()
    store.commit(ROW)


def test_closing_leaves_the_store_below_open() -> None:
    inner = MemoryStore()
    store = FaultyStore(inner)

    store.close()

    assert inner.get(Tree.RUNS, b"key") is None


def test_a_start_that_cannot_be_written_is_refused_and_nothing_is_started() -> None:
    with TestRuntime() as runtime:
        runtime.store.fail_commit()
        started = runtime.start_workflow(worker, id="w")

        with pytest.raises(JournalError):
            runtime.wait(started)

        assert runtime.recorded() == []


@pytest.mark.parametrize("failing", range(1, 9))
def test_a_run_ends_the_same_whichever_commit_fails(failing: int) -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(worker, id="w"))
        runtime.store.fail_commit(failing, FullError("here", "full"))

        assert runtime.wait(handle.result()) == 3
