"""What a run leaves behind when it ends or is put away: nothing that would wait for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest

from greenroom import activity, workflow
from greenroom.testing import TestRuntime

made: list[weakref.ref[Busy]] = []


@activity.defn(name="garbage.step")
def step(number: int) -> int:
    return number + 1


@workflow.defn(name="garbage.busy")
class Busy:
    """Uses a bit of everything that a run can wait for."""

    def __init__(self) -> None:
        self.heard = 0
        made.append(weakref.ref(self))

    @workflow.run
    async def run(self) -> int:
        await asyncio.gather(workflow.execute_activity(step, 1), workflow.sleep(1))
        await workflow.wait_condition(lambda: self.heard > 0)
        lost = workflow.start_activity(step, 2)
        lost.cancel()
        try:
            async with asyncio.timeout(60):
                await workflow.signal_channel().receive("end")
        except TimeoutError:
            pass
        return self.heard

    @workflow.signal
    async def hear(self) -> None:
        self.heard += await workflow.execute_activity(step, 0)


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    made.clear()
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_run_that_has_ended_is_gone_without_the_collector() -> None:
    with TestRuntime(workflows=[Busy], activities=[step]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Busy.run, id="busy"))
        runtime.wait(handle.signal("hear"))
        runtime.wait(handle.signal("end"))

        assert runtime.wait(handle.result()) == 1
        assert [each() for each in made] == [None]


def test_a_run_that_is_put_away_is_gone_without_the_collector() -> None:
    with TestRuntime(workflows=[Busy], activities=[step]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Busy.run, id="busy"))
        runtime.advance(timedelta(seconds=5))
        runtime.hands.directory.evict()

        assert [each() for each in made] == [None]
        runtime.wait(handle.signal("hear"))
        runtime.wait(handle.signal("end"))
        assert runtime.wait(handle.result()) == 1


waiting: list[weakref.ref[asyncio.Task[None]]] = []


@workflow.defn(name="garbage.parked")
class Parked:
    """Waits in tasks that wait for each other."""

    @workflow.run
    async def run(self) -> None:
        children = [asyncio.create_task(self.child()) for _ in range(3)]
        waiting.extend(weakref.ref(each) for each in (*children, workflow_task()))
        await asyncio.gather(*children)

    async def child(self) -> None:
        await workflow.wait_condition(lambda: False, timeout=3600)


def workflow_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def test_the_actor_and_the_tasks_of_a_run_that_is_put_away_are_gone_without_the_collector() -> None:
    waiting.clear()
    with TestRuntime(workflows=[Parked]) as runtime:
        runtime.wait(runtime.start_workflow(Parked.run, id="parked"))
        (actor,) = [weakref.ref(each) for each in runtime.hands.directory.residents()]
        runtime.hands.directory.evict()
        runtime.run_until_idle()

        assert actor() is None
        assert [each() for each in waiting] == [None] * 4
