"""A history is read where it holds up nobody who did not ask for it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from greenroom import workflow
from greenroom.runtime.model.errors import WorkflowNotFoundError
from greenroom.storage import MemoryStore, Tree
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT, runtime_on


@workflow.defn(name="history.short")
async def short() -> str:
    return "done"


class WatchedStore(MemoryStore):
    """A store that tells which threads read runs, and has them wait until they may.

    Attributes:
        readers: the threads, in the order in which they read.
        may_read: whether reading goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[threading.Thread] = []
        self.may_read = threading.Event()
        self.may_read.set()

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        if tree is Tree.RUNS:
            self.readers.append(threading.current_thread())
            assert self.may_read.wait(WAIT)
        return super().scan(tree, start, stop, limit=limit, reverse=reverse)


OPTIONS: dict[str, Any] = {"workflows": [short], "activities": []}


def test_awaiting_a_history_leaves_the_loop_free_while_it_is_read() -> None:
    store = WatchedStore()

    async def program() -> list[str]:
        async with runtime_on(store, **OPTIONS) as runtime:
            await runtime.execute_workflow(short, id="short")
            store.readers.clear()
            store.may_read.clear()
            asking = asyncio.ensure_future(ask(runtime.get_workflow_handle("short").fetch_history()))
            while not store.readers:
                await asyncio.sleep(0)
            # The reader waits for this loop: it goes on, or the test fails.
            store.may_read.set()
            return await asking

    async def ask(history: Any) -> list[str]:
        return [event.kind for event in (await history).events]

    assert asyncio.run(program()) == ["WorkflowStarted", "WorkflowCompleted"]
    assert threading.main_thread() not in store.readers


def test_getting_a_history_reads_it_on_the_thread_that_gets_it() -> None:
    store = WatchedStore()
    with runtime_on(store, **OPTIONS) as runtime:
        runtime.execute_workflow(short, id="short").get(timeout=WAIT)
        store.readers.clear()

        history = runtime.get_workflow_handle("short").fetch_history().get(timeout=WAIT)

    assert [event.kind for event in history.events] == ["WorkflowStarted", "WorkflowCompleted"]
    assert store.readers == [threading.current_thread()]


def test_a_history_is_read_once_however_often_it_is_asked_for() -> None:
    store = WatchedStore()

    async def program() -> bool:
        async with runtime_on(store, **OPTIONS) as runtime:
            await runtime.execute_workflow(short, id="short")
            store.readers.clear()
            history = runtime.get_workflow_handle("short").fetch_history()
            return await history is await history

    assert asyncio.run(program())
    assert len(store.readers) == 1


def test_awaiting_the_history_of_an_unknown_run_tells_so() -> None:
    async def program() -> None:
        async with runtime_on(MemoryStore(), **OPTIONS) as runtime:
            with pytest.raises(WorkflowNotFoundError):
                await runtime.get_workflow_handle("nobody").fetch_history()

    asyncio.run(program())


def test_a_runtime_that_is_driven_by_hand_gives_histories_too() -> None:
    with TestRuntime(**OPTIONS) as runtime:
        runtime.wait(runtime.execute_workflow(short, id="short"))

        history = runtime.wait(runtime.get_workflow_handle("short").fetch_history())

    assert len(history.events) == 2
