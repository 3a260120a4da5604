"""An opening that fails or is given up half way leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from greenroom import Runtime, activity, workflow
from greenroom.runtime.shell.hands import Hands
from greenroom.storage import Journal, MemoryStore
from tests.runtime.rig import WAIT, runtime_on


@workflow.defn(name="opening.done")
async def done() -> str:
    return "done"


def open_runtime(path: Path) -> Runtime:
    return Runtime(path, workflows=[done], activities=[])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def settings() -> tuple[object, ...]:
    return sys.getswitchinterval(), gc.get_threshold()


def test_an_opening_for_which_there_is_no_thread_lets_the_journal_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = settings()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            open_runtime(path).open()
    after = settings()

    assert after == before
    with open_runtime(path) as runtime:
        assert runtime.execute_workflow(done).get(timeout=WAIT) == "done"


def test_an_interrupt_while_the_dispatcher_is_being_started_leaves_no_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_runtime(path).open()

    assert not [thread for thread in threading.enumerate() if thread.name == "greenroom"]
    with open_runtime(path) as runtime:
        assert runtime.execute_workflow(done).get(timeout=WAIT) == "done"


def test_an_activity_that_was_under_way_may_use_the_runtime_at_once() -> None:
    store = MemoryStore()
    begun: list[Runtime] = []
    told: list[str] = []

    @activity.defn(name="opening.asks")
    def asks() -> str:
        if not begun:
            threading.Event().wait(0.01)
            raise OSError("not yet")
        told.append(begun[0].execute_workflow(done).get(timeout=WAIT))
        return "asked"

    @workflow.defn(name="opening.waits")
    async def waits() -> str:
        return await workflow.execute_activity(asks)

    options: dict[str, Any] = {"workflows": [done, waits], "activities": [asks]}
    with runtime_on(store, **options) as runtime:
        runtime.start_workflow(waits, id="w").get(timeout=WAIT)
    runtime = runtime_on(store, **options)
    begun.append(runtime)
    with runtime:
        assert runtime.get_workflow_handle("w").result().get(timeout=WAIT) == "asked"

    assert told == ["done"]


def test_who_closes_late_leaves_what_was_opened_since(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = open_runtime(path).open()
    lock = LateLock()
    vars(runtime)["_closing"] = lock
    late = threading.Thread(target=runtime.close, name="late")
    late.start()
    assert lock.is_late.wait(WAIT)
    runtime.close()
    runtime.open()
    lock.may_enter.set()
    late.join(WAIT)

    assert runtime.is_open
    assert runtime.execute_workflow(done).get(timeout=WAIT) == "done"
    runtime.close()


class LateLock:
    """A lock that the thread "late" gets last."""

    def __init__(self) -> None:
        self.is_late, self.may_enter = threading.Event(), threading.Event()

    def __enter__(self) -> None:
        if threading.current_thread().name == "late":
            self.is_late.set()
            assert self.may_enter.wait(WAIT)

    def __exit__(self, *exception: object) -> None:
        """Nobody else waits."""


def test_a_forked_child_may_open_and_close_a_runtime_that_its_parent_has_open(tmp_path: Path) -> None:
    runtime = open_runtime(tmp_path / "journal").open()
    before = settings()
    child = os.fork()
    if child == 0:
        try:
            runtime.close()
            vars(runtime)["_open_journal"] = lambda: Journal.on(MemoryStore())
            runtime.open()
            held = settings()
            runtime.close()
            os._exit(0 if held == before and settings() != before else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    runtime.close()

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("how", ["once", "twice", "by the end of the program"])
def test_an_opening_that_is_cancelled_is_closed_again(path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    before = settings()
    recovering, may_go_on = threading.Event(), threading.Event()
    recover = Hands.recover

    def slow(hands: Hands) -> None:
        recovering.set()
        assert may_go_on.wait(WAIT)
        recover(hands)

    async def program() -> None:
        async def serve() -> None:
            async with open_runtime(path):
                raise AssertionError("it was not cancelled")

        serving = asyncio.create_task(serve())
        await asyncio.to_thread(recovering.wait, WAIT)
        if how == "by the end of the program":
            threading.Timer(0.05, may_go_on.set).start()
            return
        serving.cancel()
        await asyncio.sleep(0)
        if how == "twice":
            serving.cancel()
            await asyncio.sleep(0)
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await serving

    with monkeypatch.context() as patch:
        patch.setattr(Hands, "recover", slow)
        asyncio.run(program())

    assert settings() == before
    with open_runtime(path) as runtime:
        assert runtime.execute_workflow(done).get(timeout=WAIT) == "done"
