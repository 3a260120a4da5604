"""The same runtime in asyncio programs: nothing blocks the loop, and async activities run on it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from greenroom import Runtime, activity, workflow
from greenroom.runtime.model.errors import ApplicationError, RuntimeClosedError, WorkflowFailureError
from tests.runtime.rig import WAIT

seen: list[Any] = []


@activity.defn
async def on_the_loop(text: str) -> str:
    seen.append(asyncio.get_running_loop())
    await asyncio.sleep(0)
    return text.upper()


@activity.defn
def on_a_thread(text: str) -> str:
    seen.append(threading.current_thread())
    return text.lower()


@workflow.defn
class Chat:
    def __init__(self) -> None:
        self.lines: list[str] = []

    @workflow.run
    async def run(self, lines: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.lines) >= lines)
        loud = await workflow.execute_activity(on_the_loop, self.lines[0])
        soft = await workflow.execute_activity(on_a_thread, self.lines[-1])
        return [loud, soft]

    @workflow.signal
    def line(self, text: str) -> None:
        self.lines.append(text)


@workflow.defn
async def fails() -> None:
    raise ApplicationError("as asked")


OPTIONS: dict[str, Any] = {"workflows": [Chat, fails], "activities": [on_the_loop, on_a_thread]}


@pytest.fixture(autouse=True)
def _forget() -> None:
    seen.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_an_asyncio_program_awaits_what_a_synchronous_one_gets(path: Path) -> None:
    async def program() -> list[str]:
        async with Runtime(path, **OPTIONS) as runtime:
            handle = await runtime.start_workflow(Chat.run, 2, id="chat")
            await handle.signal(Chat.line, "Hello")
            await asyncio.gather(handle.signal(Chat.line, "World"), handle.describe())
            with pytest.raises(WorkflowFailureError, match="as asked"):
                await runtime.execute_workflow(fails)
            result = await handle.result()
            assert seen[0] is asyncio.get_running_loop()
            assert isinstance(seen[1], threading.Thread)
            assert seen[1] is not threading.main_thread()
            return result

    assert asyncio.run(program()) == ["HELLO", "world"]


def test_async_activities_of_a_synchronous_program_run_on_a_loop_of_their_own(path: Path) -> None:
    with Runtime(path, **OPTIONS) as runtime:
        handle = runtime.start_workflow(Chat.run, 1).get(timeout=WAIT)
        handle.signal(Chat.line, "Alone").get(timeout=WAIT)

        assert handle.result().get(timeout=WAIT) == ["ALONE", "alone"]
        assert isinstance(seen[0], asyncio.AbstractEventLoop)


def test_the_loop_goes_on_while_a_result_is_awaited(path: Path) -> None:
    async def program() -> int:
        async with Runtime(path, **OPTIONS) as runtime:
            handle = await runtime.start_workflow(Chat.run, 1)
            result = asyncio.ensure_future(wait_for(handle.result()))
            rounds = 0
            while not result.done():
                await asyncio.sleep(0)
                rounds += 1
                if rounds == 100:
                    await handle.signal(Chat.line, "now")
            assert await result == ["NOW", "now"]
            return rounds

    async def wait_for(future: Any) -> Any:
        return await future

    assert asyncio.run(program()) > 100


def test_two_loops_and_a_thread_wait_for_one_result(path: Path) -> None:
    async def awaited(future: Any) -> Any:
        return await asyncio.wait_for(wait_for(future), WAIT)

    async def wait_for(future: Any) -> Any:
        return await future

    with Runtime(path, **OPTIONS) as runtime:
        handle = runtime.start_workflow(Chat.run, 1).get(timeout=WAIT)
        result = handle.result()
        results: list[Any] = []
        threads = [threading.Thread(target=lambda: results.append(asyncio.run(awaited(result)))) for _ in range(2)]
        threads.append(threading.Thread(target=lambda: results.append(result.get(timeout=WAIT))))
        for thread in threads:
            thread.start()
        handle.signal(Chat.line, "All").get(timeout=WAIT)
        for thread in threads:
            thread.join(WAIT)

    assert results == [["ALL", "all"]] * 3


def test_a_waiter_that_is_cancelled_leaves_the_run_alone(path: Path) -> None:
    async def program() -> list[str]:
        async with Runtime(path, **OPTIONS) as runtime:
            handle = await runtime.start_workflow(Chat.run, 1)
            result = handle.result()

            async def wait() -> None:
                await result

            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await handle.signal(Chat.line, "On")
            return await result

    assert asyncio.run(program()) == ["ON", "on"]


def test_leaving_the_program_with_an_error_closes_the_runtime(path: Path) -> None:
    async def program() -> None:
        async with Runtime(path, **OPTIONS) as runtime:
            await runtime.start_workflow(Chat.run, 1, id="chat")
            raise LookupError("out")

    with pytest.raises(LookupError, match="out"):
        asyncio.run(program())
    with Runtime(path, **OPTIONS) as runtime:
        assert runtime.get_workflow_handle("chat").describe().get(timeout=WAIT).status.name == "RUNNING"


def test_what_is_awaited_when_it_closes_is_told(path: Path) -> None:
    async def program() -> BaseException | None:
        async with Runtime(path, **OPTIONS) as runtime:
            result = runtime.execute_workflow(Chat.run, 1)
        try:
            await result
        except RuntimeClosedError as error:
            return error
        return None

    assert asyncio.run(program()) is not None
