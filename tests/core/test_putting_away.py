"""A run that is put away ends quietly: its cleanup runs, asks for nothing, prints nothing and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core import loop as loop_module
from tests.core.driving import Drive

Start = Callable[..., Drive]

ENDED: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    ENDED.clear()


async def child(name: str) -> None:
    try:
        await workflow.sleep(100)
    finally:
        ENDED.append(name)


@workflow.defn
async def group() -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            for name in "abc":
                tasks.create_task(child(name))
    finally:
        ENDED.append("group")


def test_children_end_before_the_group_that_holds_them(drive: Start) -> None:
    run = drive(group)
    run.is_replayed = False

    run.finish()

    assert ENDED == ["c", "b", "a", "group"]


@workflow.defn
async def asking_in_cleanup() -> None:
    async def cleanup(name: str) -> None:
        ENDED.append(f"never {name}")

    try:
        await workflow.sleep(100)
    finally:
        ENDED.append("cleanup")
        for ask in (
            lambda: workflow.start_activity("undo"),
            lambda: workflow.side_effect(int),
            lambda: workflow.set_signal_handler("a", print),
            lambda: asyncio.get_running_loop().call_later(5, print),
        ):
            try:
                ask()
            except BaseException as error:
                ENDED.append(type(error).__name__)
        await asyncio.gather(cleanup("a"), cleanup("b"))
        ENDED.append("never gets here")


def test_cleanup_runs_but_cannot_ask_for_anything(drive: Start) -> None:
    run = drive(asking_in_cleanup)
    run.is_replayed = False

    run.finish()

    assert ENDED[0] == "cleanup"
    assert ENDED[1:] == ["RunPutAway"] * 4
    assert len(run.turns) == 1


@workflow.defn
async def cancelling_in_cleanup() -> None:
    handle = workflow.start_activity("slow")
    timer = asyncio.create_task(child("timer"))
    try:
        await asyncio.sleep(0)
        await workflow.sleep(100)
    finally:
        handle.cancel()
        timer.cancel()
        ENDED.append("main")
        await workflow.execute_activity("undo")


def test_cleanup_may_cancel_what_is_waited_for(drive: Start) -> None:
    run = drive(cancelling_in_cleanup)
    run.is_replayed = False

    run.finish()

    assert ENDED == ["timer", "main"]


@workflow.defn
async def swallowing() -> None:
    for _ in range(5):
        try:
            await workflow.sleep(100)
        except BaseException as error:
            ENDED.append(type(error).__name__)
            try:
                await asyncio.sleep(0)
            except BaseException:
                ENDED.append("again")


def test_a_coroutine_that_swallows_its_end_a_few_times_ends(drive: Start) -> None:
    run = drive(swallowing)
    run.is_replayed = False

    run.finish()

    assert ENDED[:2] == ["RunPutAway", "again"]


async def holds_on() -> None:
    while True:
        try:
            await asyncio.get_running_loop().create_future()
        except BaseException:
            continue


@workflow.defn
async def stubborn() -> None:
    await holds_on()


def test_a_coroutine_that_would_not_end_is_reported_and_kept(drive: Start) -> None:
    run = drive(stubborn)
    run.stubborn = 1
    run.is_replayed = False
    kept: list[object] = vars(loop_module)["_KEPT"]
    before = len(kept)

    (text,) = run.execution.close()
    gc.collect()

    assert "_main" in text
    # Where it waits, the innermost last.
    assert re.search(r"waits at tests/core/test_putting_away\.py:\d+ \(stubborn\), .*:\d+ \(holds_on\)$", text)
    assert len(kept) == before + 1


async def slow_numbers(name: str) -> AsyncIterator[int]:
    try:
        await workflow.sleep(1)
        yield 1
        yield 2
    finally:
        ENDED.append(name)
        try:
            await asyncio.sleep(0)
        finally:
            ENDED.append(f"{name} at last")


@workflow.defn
async def with_generators() -> None:
    async for _ in slow_numbers("abandoned"):
        break
    async for _ in slow_numbers("running"):
        pass


def test_generators_that_wait_and_generators_that_were_abandoned_end(drive: Start) -> None:
    run = drive(with_generators)
    run.fire()
    run.is_replayed = False

    run.finish()

    assert ENDED == ["running", "running at last", "abandoned", "abandoned at last"]


async def endless() -> AsyncIterator[int]:
    while True:
        try:
            yield 1
        except BaseException:
            continue


async def holding_on() -> AsyncIterator[int]:
    yield 1
    while True:
        try:
            await asyncio.get_running_loop().create_future()
        except BaseException:
            continue


@workflow.defn
async def with_stubborn_generators() -> None:
    async for _ in endless():
        break
    generator = holding_on()
    await anext(generator)
    task = asyncio.ensure_future(anext(generator))
    await asyncio.sleep(0)
    await task


def test_generators_that_would_not_end_are_reported(drive: Start) -> None:
    run = drive(with_stubborn_generators)
    run.is_replayed = False
    run.stubborn = 3

    stubborn = run.execution.close()

    assert sum("async_generator object" in text for text in stubborn) == 2


@asynccontextmanager
async def held() -> AsyncGenerator[None]:
    try:
        await workflow.sleep(100)
        yield
    finally:
        ENDED.append("released")


@workflow.defn
async def entering() -> None:
    async with held():
        ENDED.append("never inside")


def test_a_context_manager_that_is_being_entered_ends(drive: Start) -> None:
    run = drive(entering)
    run.is_replayed = False

    run.finish()

    assert ENDED == ["released"]


@workflow.defn
async def leaving_tasks() -> str:
    tasks = [asyncio.create_task(child("left behind")), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    tasks.clear()
    return "done"


async def failing() -> None:
    raise ValueError("nobody looks at this")


def test_tasks_that_a_closed_run_leaves_behind_end_quietly(drive: Start) -> None:
    run = drive(leaving_tasks)
    run.is_replayed = False

    run.finish()
    gc.collect()

    assert ENDED == ["left behind"]


def test_a_failed_task_that_nobody_looked_at_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    run = Drive(forgetting)

    run.send(run.started)
    gc.collect()
    run.execution.close()

    assert {record.getMessage() for record in caplog.records} == {"Task exception was never retrieved"}


@workflow.defn
async def forgetting() -> None:
    for _ in range(20):
        task = asyncio.create_task(failing())
        await asyncio.sleep(0)
        del task
    await workflow.sleep(5)


@workflow.defn
async def with_a_generator() -> None:
    async for _ in slow_numbers("dropped"):
        await workflow.sleep(1)


def test_a_run_that_is_dropped_without_being_put_away_runs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    run = Drive(with_a_generator)
    run.send(run.started)
    run.fire()

    del run
    gc.collect()

    assert ENDED == []
    assert [record.getMessage() for record in caplog.records] == ["Task was destroyed but it is pending!"]


def test_a_run_that_never_started_is_put_away(drive: Start) -> None:
    run = drive(group, start=False)

    run.finish()

    assert run.execution.close() == []
