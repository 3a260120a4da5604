"""Closing a runtime: it comes to an end, hears what was held back, and fails nothing that was only stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greenroom import Future, Runtime, activity, workflow
from greenroom.runtime.model.errors import JournalWriteError, RuntimeClosedError
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT

performed: list[int] = []


@workflow.defn(name="closing.player")
class Player:
    """Answers each ball, for ever."""

    def __init__(self) -> None:
        self.balls = self.answered = 0

    @workflow.run
    async def run(self, other: str) -> None:
        while True:
            await workflow.wait_condition(lambda: self.balls > self.answered)
            self.answered += 1
            await workflow.get_external_workflow_handle(other).signal("ball")

    @workflow.signal
    def ball(self) -> None:
        self.balls += 1


@activity.defn(name="closing.stay")
async def stay() -> str:
    await asyncio.Event().wait()
    return "never"


@activity.defn(name="closing.stay")
async def stay_no_longer() -> str:
    return "done"


@workflow.defn(name="closing.stays")
async def stays() -> str:
    return await workflow.execute_activity("closing.stay", result_type=str)


@activity.defn(name="closing.once", retry_policy=RetryPolicy(maximum_attempts=1))
def once() -> str:
    performed.append(activity.info().attempt)
    return "once"


@workflow.defn(name="closing.careful")
async def careful() -> str:
    return await workflow.execute_activity(once)


@workflow.defn(name="closing.listener")
class Listener:
    def __init__(self) -> None:
        self.heard = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.heard >= 2)
        return self.heard

    @workflow.signal
    def hear(self) -> None:
        self.heard += 1


@pytest.fixture(autouse=True)
def _nothing_performed() -> None:
    performed.clear()


def ended(result: Future[Any]) -> Future[Any]:
    """The future, once it has an outcome of either kind."""
    over = threading.Event()
    result.add_done_callback(lambda _: over.set())
    assert over.wait(WAIT)
    return result


def test_runs_that_write_to_each_other_do_not_keep_a_runtime_open(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Runtime(path, workflows=[Player]) as runtime:
        ann = runtime.start_workflow(Player.run, "bob", id="ann").get(timeout=WAIT)
        runtime.start_workflow(Player.run, "ann", id="bob").get(timeout=WAIT)
        ann.signal(Player.ball).get(timeout=WAIT)
        closing = threading.Thread(target=runtime.close, daemon=True)
        closing.start()
        closing.join(WAIT)
        assert not closing.is_alive()

    with Runtime(path, workflows=[Player]) as runtime:
        # The ball is on disk, wherever it was.
        for name in ("ann", "bob"):
            runtime.get_workflow_handle(name).terminate(reason="enough").get(timeout=WAIT)


def test_an_application_that_cancels_all_its_tasks_fails_no_workflow(tmp_path: Path) -> None:
    path = tmp_path / "journal"

    async def main() -> None:
        started = asyncio.Event()

        async def serve() -> None:
            async with Runtime(path, workflows=[stays], activities=[stay], shutdown_grace=0.5) as runtime:
                await runtime.start_workflow(stays, id="stays")
                started.set()
                await asyncio.Event().wait()

        serving = asyncio.create_task(serve())
        await started.wait()
        # The end of asyncio.run cancels this task and those of the activities together.
        assert not serving.done()

    asyncio.run(main())

    with Runtime(path, workflows=[stays], activities=[stay_no_longer]) as runtime:
        assert runtime.get_workflow_handle("stays").result().get(timeout=WAIT) == "done"


def test_who_waits_for_a_held_run_that_is_ended_gets_an_answer() -> None:
    runtime = TestRuntime(workflows=[Listener], auto_skip=False, check_leaks=False).open()
    handle = runtime.start_workflow(Listener.run, id="listener").get()
    runtime.store.fail_commit()
    with pytest.raises(JournalWriteError):
        handle.signal("hear").get()
    futures: list[Future[Any]] = [handle.signal("hear"), handle.describe(), handle.terminate(reason="enough")]
    futures.append(handle.signal("hear"))

    runtime.run_until_idle()
    runtime.close()

    assert [future.done() for future in futures] == [True] * len(futures)


def test_an_outcome_that_was_held_back_is_recorded_when_the_runtime_closes() -> None:
    with TestRuntime(workflows=[careful], activities=[once], auto_skip=False) as runtime:
        runtime.start_workflow(careful, id="careful")
        while not performed:
            assert runtime.step() or runtime.perform_activity()
        runtime.store.fail_commit()
        runtime.run_until_idle()
        runtime.close()
        runtime.open()

        runtime.run_until_idle()

        assert runtime.get_workflow_handle("careful").result().get() == "once"

    assert performed == [1]


def test_an_attempt_that_was_dropped_before_it_began_is_not_written_down_as_begun() -> None:
    with TestRuntime(workflows=[careful], activities=[once]) as runtime:
        runtime.start_workflow(careful, id="careful").get()
        while runtime.step():
            pass
        # It asks for its permit, and is dropped before the dispatcher hears of that.
        assert runtime.perform_activity()
        runtime.close()
        runtime.open()

        assert runtime.get_workflow_handle("careful").result().get() == "once"

    assert performed == [1]


def test_counted_attempts_that_had_not_begun_when_the_runtime_closed_are_made_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    options: dict[str, Any] = {"workflows": [careful], "activities": [once]}
    for _ in range(3):
        with Runtime(path, shutdown_grace=0, **options) as runtime:
            ids = [future.get(timeout=WAIT).id for future in [runtime.start_workflow(careful) for _ in range(40)]]
        begun = len(performed)

        with Runtime(path, **options) as runtime:
            results = [runtime.get_workflow_handle(each).result() for each in ids]
            lost = [result for result in results if ended(result).exception() is not None]

        # Those that had begun and were left behind may be lost; none that had not.
        assert len(performed) == 40
        assert len(lost) <= begun
        performed.clear()


def test_an_outcome_that_could_not_be_told_yet_is_recorded_when_the_runtime_closes() -> None:
    with TestRuntime(workflows=[careful], activities=[once], auto_skip=False) as runtime:
        runtime.start_workflow(careful, id="careful")
        while not performed:
            assert runtime.step() or runtime.perform_activity()
        runtime.hands.directory.evict()
        runtime.store.fail_read(1)
        runtime.run_until_idle()
        runtime.close()
        runtime.open()

        assert runtime.get_workflow_handle("careful").result().get() == "once"

    assert performed == [1]


@pytest.mark.parametrize("commits", [1, 2, 3])
def test_an_outcome_is_recorded_though_the_last_commits_fail(commits: int) -> None:
    with TestRuntime(workflows=[careful], activities=[once], auto_skip=False) as runtime:
        runtime.start_workflow(careful, id="careful")
        while not performed:
            assert runtime.step() or runtime.perform_activity()
        for n in range(1, commits + 1):
            runtime.store.fail_commit(n)
        runtime.close()
        runtime.open()

        assert runtime.get_workflow_handle("careful").result().get() == "once"

    assert performed == [1]


def test_a_begin_that_never_was_is_taken_back_though_the_last_commit_fails() -> None:
    with TestRuntime(workflows=[careful], activities=[once]) as runtime:
        runtime.start_workflow(careful, id="careful").get()
        while runtime.step():
            pass
        assert runtime.perform_activity()
        # The begin is on disk; the thread that asked for it has not heard so.
        assert runtime.step()
        runtime.store.fail_commit()
        runtime.close()
        runtime.open()

        assert runtime.get_workflow_handle("careful").result().get() == "once"

    assert len(performed) == 1


@pytest.fixture
def hears_ctrl_c() -> Iterator[None]:
    """Whoever runs the tests may have it ignored, as a shell does in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
def test_closing_again_goes_on_where_an_interrupt_stopped_it(tmp_path: Path) -> None:
    path, go_on = tmp_path / "journal", threading.Event()
    is_under_way = threading.Event()

    @activity.defn(name="closing.slow")
    def slow() -> str:
        is_under_way.set()
        if activity.wait_for_worker_shutdown_sync(WAIT):
            os.kill(os.getpid(), signal.SIGINT)
        go_on.wait(WAIT)
        return "slow"

    @workflow.defn(name="closing.waits")
    async def waits() -> str:
        return await workflow.execute_activity(slow)

    runtime = Runtime(path, workflows=[waits], activities=[slow], shutdown_grace=WAIT).open()
    handle = runtime.start_workflow(waits).get(timeout=WAIT)
    assert is_under_way.wait(WAIT)
    with pytest.raises(KeyboardInterrupt):
        runtime.close()
    with pytest.raises(RuntimeClosedError):
        handle.describe().get(timeout=WAIT)
    go_on.set()

    assert runtime.close() == 0

    with Runtime(path, workflows=[waits], activities=[]) as runtime:
        assert runtime.get_workflow_handle(handle.id).result().get(timeout=WAIT) == "slow"
