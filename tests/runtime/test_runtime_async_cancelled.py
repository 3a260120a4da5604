"""What the application cancels before an attempt of an async activity has begun is no attempt, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from greenroom import Runtime, activity, workflow
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.runtime.shell.performer import Performer
from greenroom.runtime.shell.settings import Seams
from greenroom.storage import MemoryStore, Store, WriteError
from tests.runtime.rig import WAIT, FaultyStore, runtime_on

performed: list[int] = []


@activity.defn(retry_policy=RetryPolicy(maximum_attempts=1))
async def only_once() -> str:
    performed.append(activity.info().attempt)
    return "done"


@workflow.defn
async def once() -> str:
    return await workflow.execute_activity(only_once)


class Granted(Performer):
    """A performer whose first attempt is never told that it has its permit."""

    __slots__ = ()
    tell: ClassVar[list[Callable[[], object]]] = []
    is_first: ClassVar[bool] = True

    async def _permitted_on_loop(self, attempt: Any, permit: Any) -> bool:
        if Granted.is_first:
            Granted.is_first = False
            loop, (tell,) = asyncio.get_running_loop(), Granted.tell

            def granted(is_granted: bool) -> None:
                loop.call_soon_threadsafe(tell)

            permit(attempt.task, granted)
            await asyncio.Event().wait()
        return await super()._permitted_on_loop(attempt, permit)


@pytest.fixture(autouse=True)
def _begin_anew() -> None:
    performed.clear()
    Granted.tell.clear()
    Granted.is_first = True


def runtime_with(store: Store) -> Runtime:
    runtime = runtime_on(store, workflows=[once], activities=[only_once])
    vars(runtime)["_seams"] = Seams(performer=Granted)
    return runtime


@pytest.mark.slow
def test_an_attempt_that_is_cancelled_behind_its_permit_begins_later_and_is_the_first_still(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def program() -> str:
        granted = asyncio.Event()
        Granted.tell.append(granted.set)
        async with runtime_with(MemoryStore()) as runtime:
            handle = await runtime.start_workflow(once)
            await asyncio.wait_for(granted.wait(), WAIT)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            return str(await asyncio.wait_for(handle.result(), WAIT))

    assert (asyncio.run(program()), performed) == ("done", [1])
    assert "was cancelled by the application before attempt 1 began; it begins in 1 s" in caplog.text


@pytest.mark.slow
def test_an_attempt_that_is_cancelled_begins_later_though_that_cannot_be_written_at_first() -> None:
    store = FaultyStore(MemoryStore())

    async def program() -> str:
        granted = asyncio.Event()
        Granted.tell.append(granted.set)
        async with runtime_with(store) as runtime:
            handle = await runtime.start_workflow(once)
            await asyncio.wait_for(granted.wait(), WAIT)
            next_commit = store.commits + 1
            store.refuse = lambda number, changes: WriteError("store", "no") if number == next_commit else None
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            return str(await asyncio.wait_for(handle.result(), WAIT))

    assert (asyncio.run(program()), performed) == ("done", [1])


@pytest.mark.slow
def test_an_attempt_that_is_cancelled_by_the_end_of_the_program_is_performed_by_the_next() -> None:
    store = MemoryStore()

    async def program() -> None:
        granted = asyncio.Event()
        Granted.tell.append(granted.set)

        async def serve() -> None:
            async with runtime_with(store) as runtime:
                await runtime.start_workflow(once, id="once")
                await asyncio.Event().wait()

        serving = asyncio.create_task(serve())
        await asyncio.wait_for(granted.wait(), WAIT)
        assert not serving.done()

    asyncio.run(program())
    left_behind = list(performed)
    with runtime_with(store) as runtime:
        result = runtime.get_workflow_handle("once").result().get(timeout=WAIT)

    assert (left_behind, result, performed) == ([], "done", [1])
