"""What type checkers make of waiting in workflows. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, assert_type

from greenroom import workflow


async def number() -> int:
    return 1


async def text() -> str:
    return ""


async def results_of_gather_are_those_of_what_is_gathered(flag: bool) -> None:
    assert_type(await workflow.gather(number(), text()), tuple[int, str])
    assert_type(await workflow.gather(number(), text(), number()), tuple[int, str, int])
    assert_type(await workflow.gather(number(), text(), number(), text()), tuple[int, str, int, str])
    assert_type(await workflow.gather(number(), text(), number(), text(), text()), tuple[int, str, int, str, str])
    assert_type(await workflow.gather(*[number(), number()]), list[int])
    assert_type(
        await workflow.gather(number(), text(), return_exceptions=True), tuple[int | BaseException, str | BaseException]
    )
    assert_type(await workflow.gather(*[number()], return_exceptions=True), list[int | BaseException])
    assert_type(await workflow.gather(number(), text(), return_exceptions=flag), Any)


async def the_winner_of_a_race_is_one_of_those_who_run(handle: workflow.ActivityHandle[bytes]) -> None:
    assert_type(await workflow.race(number(), text()), int | str)
    assert_type(await workflow.race(number(), text(), handle), int | str | bytes)
    assert_type(await workflow.race(*[number(), number()]), int)


async def what_is_waited_for_comes_back_as_it_is(handle: workflow.ActivityHandle[bytes]) -> None:
    assert_type(
        await workflow.wait([handle]), tuple[list[workflow.ActivityHandle[bytes]], list[workflow.ActivityHandle[bytes]]]
    )
    tasks = [asyncio.create_task(number())]
    done, pending = await workflow.wait(tasks, timeout=timedelta(seconds=5), return_when=asyncio.FIRST_COMPLETED)
    assert_type(done, list[asyncio.Task[int]])
    assert_type(pending, list[asyncio.Task[int]])
    for each in workflow.as_completed([number(), number()], timeout=5):
        assert_type(await each, int)
    assert_type(await workflow.wait_for(text(), 5), str)
    assert_type(await workflow.wait_for(handle, None), bytes)
    assert_type(await workflow.resolved(5), int)
    assert_type(workflow.new_lock(), asyncio.Lock)
    async with workflow.timeout(timedelta(seconds=5)) as limit:
        assert_type(limit, workflow.Timeout)


async def what_cannot_be_awaited_is_refused() -> None:
    await workflow.gather(number)  # type: ignore[call-overload]
    await workflow.race(1, 2)  # type: ignore[call-overload]
    await workflow.wait_for(text, 5)  # type: ignore[arg-type]
    await workflow.wait_for(text(), "5 s")  # type: ignore[arg-type]
    workflow.timeout("5 s")  # type: ignore[arg-type]
    workflow.timeout_at(5)  # type: ignore[arg-type]
    workflow.rejected("no")  # type: ignore[arg-type]
    workflow.as_completed(text())  # type: ignore[arg-type]


async def coroutines_are_not_waited_for() -> None:
    await workflow.wait([number()])  # type: ignore[type-var]


async def results_of_another_type_are_refused() -> None:
    first: str = await workflow.wait_for(number(), 5)  # type: ignore[arg-type]
    second: list[int] = await workflow.gather(number(), text())  # type: ignore[assignment]
    del first, second
