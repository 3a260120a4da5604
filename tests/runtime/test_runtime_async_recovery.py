"""What was under way goes on where the program that opens the journal wants it, and closing stops nothing of the
program's."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from greenroom import Runtime, activity, workflow
from greenroom.actors import Future
from greenroom.runtime.shell.performer import Performer, Task
from greenroom.runtime.shell.settings import Seams
from greenroom.storage import MemoryStore
from tests.runtime.rig import WAIT, runtime_on

loops: list[asyncio.AbstractEventLoop] = []
began = threading.Event()
may_end = threading.Event()


@activity.defn
async def interrupted() -> str:
    loops.append(asyncio.get_running_loop())
    began.set()
    if not may_end.is_set():
        await asyncio.Event().wait()
    return threading.current_thread().name


@workflow.defn
async def asks() -> str:
    return await workflow.execute_activity(interrupted)


@workflow.defn
async def returns() -> str:
    return "done"


handed_over = threading.Event()


class TellingPerformer(Performer):
    """A performer that tells when it was given something to perform."""

    def perform(self, task: Task) -> None:
        super().perform(task)
        handed_over.set()


def hold_until_handed_over() -> None:
    assert handed_over.wait(WAIT)


OPTIONS: dict[str, Any] = {"workflows": [asks, returns], "activities": [interrupted], "shutdown_grace": 0}


@pytest.fixture(autouse=True)
def _forget() -> None:
    loops.clear()
    began.clear()
    may_end.clear()
    handed_over.clear()


@pytest.fixture
def store() -> MemoryStore:
    """A journal whose runtime went away inside an async activity."""
    store = MemoryStore()
    with runtime_on(store, **OPTIONS) as runtime:
        runtime.start_workflow(asks, id="asks").get(timeout=WAIT)
        assert began.wait(WAIT)
    may_end.set()
    loops.clear()
    return store


def reopened(store: MemoryStore) -> Runtime:
    """A runtime that takes up what was under way while the loop that opens it does something else."""
    runtime = runtime_on(store, **OPTIONS)
    vars(runtime)["_seams"] = Seams(performer=TellingPerformer)
    asyncio.get_running_loop().call_soon(hold_until_handed_over)
    return runtime


def test_an_async_activity_that_was_under_way_goes_on_on_the_callers_loop(store: MemoryStore) -> None:
    async def program() -> tuple[str, bool]:
        async with reopened(store) as runtime:
            ran_on = await runtime.get_workflow_handle("asks").result()
        return ran_on, loops == [asyncio.get_running_loop()]

    assert asyncio.run(program()) == (threading.current_thread().name, True)


def test_the_callers_loop_goes_on_after_the_runtime_is_closed(store: MemoryStore) -> None:
    async def program() -> str:
        async with reopened(store) as runtime:
            await runtime.get_workflow_handle("asks").result()
        # Whatever closing left on the loop gets its turn.
        await asyncio.to_thread(lambda: None)
        return "went on"

    assert asyncio.run(program()) == "went on"


def test_without_a_loop_of_the_caller_it_goes_on_on_a_loop_of_our_own(store: MemoryStore) -> None:
    with runtime_on(store, **OPTIONS) as runtime:
        ran_on = runtime.get_workflow_handle("asks").result().get(timeout=WAIT)

    assert ran_on == "greenroom-activity-loop"


def test_a_done_callback_cannot_close_the_runtime_and_is_told_so() -> None:
    told: Future[BaseException | None] = Future()

    def close(_: Any) -> None:
        try:
            runtime.close()
        except RuntimeError as error:
            told.set(error)
        else:
            told.set(None)

    with Runtime.in_memory(**OPTIONS) as runtime:
        runtime.start_workflow(asks, id="open").get(timeout=WAIT)
        runtime.execute_workflow(returns).add_done_callback(close)

        assert "close it on another thread" in str(told.get(timeout=WAIT))
        assert runtime.is_open
        assert runtime.execute_workflow(returns).get(timeout=WAIT) == "done"
