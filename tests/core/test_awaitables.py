"""What nobody in a workflow can wait for is refused at once, with what to do instead; nothing waits for ever."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pykka
import pytest

from greenroom.actors import Future
from greenroom.runtime import activity, workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from tests.core.driving import Drive

Start = Callable[..., Drive]

CURE = (
    "; a workflow can only wait for what it made itself or got from greenroom.workflow: wait for anything else in an "
    "activity"
)

ELSEWHERE = asyncio.new_event_loop()
ELSEWHERE.close()
DONE_ELSEWHERE: asyncio.Future[int] = ELSEWHERE.create_future()
DONE_ELSEWHERE.set_result(1)


class Yields:
    """Awaiting it gives the loop something that it does not know."""

    def __await__(self) -> Any:
        yield 5


class Awaitable:
    """Awaiting it gives a number, by way of the loop."""

    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()
        return 7


async def do(name: str) -> Any:
    return await workflow.execute_activity(name)


@activity.defn(name="core tests: charge")
def charge() -> None:
    """Is never performed."""


async def numbers() -> AsyncIterator[int]:
    yield 1


FOREIGN: dict[str, Callable[[], Any]] = {
    "another loop": ELSEWHERE.create_future,
    "done in another loop": lambda: DONE_ELSEWHERE,
    "pool": concurrent.futures.Future[int],
    "runtime": Future,
    "actor": pykka.ThreadingFuture,
}
KINDS = {
    "another loop": "a future of another event loop",
    "done in another loop": "a future of another event loop",
    "pool": "a future of a pool of threads or processes",
    "runtime": "a future of a runtime, of a handle or of an actor",
    "actor": "a future of a runtime, of a handle or of an actor",
}

# What type checkers would refuse.
unchecked: Any = workflow

CALLS: dict[str, Callable[[Any], Any]] = {
    "gather": lambda each: unchecked.gather(do("a"), each),
    "race": lambda each: unchecked.race(do("a"), each),
    "as_completed": lambda each: unchecked.as_completed([do("a"), each]),
    "wait": lambda each: unchecked.wait([workflow.resolved(1), each]),
    "wait_for": lambda each: unchecked.wait_for(each, 5),
}


@workflow.defn(failure_exception_types=(Exception,))
async def waiting_for_the_foreign(call: str, kind: str, catch: bool) -> str:
    try:
        await CALLS[call](FOREIGN[kind]())
    except TypeError:
        if not catch:
            raise
    return "went on"


@pytest.mark.parametrize("catch", [False, True])
@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("call", CALLS)
def test_what_is_foreign_is_a_bug_at_once_whatever_the_code_catches(
    drive: Start, call: str, kind: str, catch: bool
) -> None:
    # Whether it is done already is nothing that a replay could repeat.
    run = drive(waiting_for_the_foreign, call, kind, catch, start=False)

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)
    gc.collect()

    which = "" if call == "wait_for" else "argument 2, "
    assert str(caught.value) == f"{call} cannot wait for {which}{KINDS[kind]}{CURE}"


BARE: dict[str, Callable[[], Any]] = {
    "another loop": ELSEWHERE.create_future,
    "something unknown": Yields,
    "pool": concurrent.futures.Future,
    "number": lambda: 5,
    "in a group": lambda: in_a_group(Yields()),
}


async def in_a_group(awaitable: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(awaited(awaitable))


async def awaited(awaitable: Any) -> Any:
    return await awaitable


@workflow.defn
async def awaiting_the_foreign(kind: str) -> None:
    await BARE[kind]()


@pytest.mark.parametrize("kind", BARE)
def test_awaiting_what_is_foreign_is_an_explained_bug_at_once(drive: Start, kind: str) -> None:
    run = drive(awaiting_the_foreign, kind, start=False)

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)

    cause: Any = caught.value.__cause__
    if kind == "in a group":
        (cause,) = cause.exceptions
    else:
        assert CURE in str(caught.value)
    assert cause.__notes__ == [CURE.removeprefix("; ")]


@workflow.defn
async def wrapping() -> None:
    await asyncio.wrap_future(concurrent.futures.Future[int]())


def test_wrapping_the_future_of_a_pool_is_refused_where_it_would_wait_for_ever(drive: Start) -> None:
    run = drive(wrapping, start=False)

    with pytest.raises(WorkflowBugError, match=r"asyncio\.wrap_future cannot be used in a workflow: .* in an activity"):
        run.send(run.started)


@workflow.defn(static_check=False)
async def reaching_outside(what: str) -> str:
    reach: dict[str, Callable[[], Any]] = {
        "connection": lambda: asyncio.open_connection("localhost", 1),
        "server": lambda: asyncio.start_server(print, "localhost", 1),
        "process": lambda: asyncio.create_subprocess_exec("true"),
        "shell": lambda: asyncio.create_subprocess_shell("true"),
        "thread": lambda: asyncio.to_thread(print),
        "name": lambda: asyncio.get_running_loop().getaddrinfo("localhost", 1),
    }
    await reach[what]()
    return "went on"


@pytest.mark.parametrize("what", ["connection", "server", "process", "shell", "thread", "name"])
def test_a_coroutine_that_reaches_outside_is_refused_where_it_does(drive: Start, what: str) -> None:
    run = drive(reaching_outside, what, start=False)

    with pytest.raises(WorkflowBugError, match=r"cannot be used in a workflow: .* do it in an activity"):
        run.send(run.started)


UNAWAITABLE: dict[str, Callable[[], Any]] = {
    "function": lambda: do,
    "activity": lambda: charge,
    "lambda": lambda: lambda: do("a"),
    "class": lambda: Awaitable,
    "list": lambda: [do("b"), do("c")],
    "generator": numbers,
    "number": lambda: 5,
    "nothing": lambda: None,
}
SAID = {
    "function": "the function 'do' itself: call it, do(…)",
    "activity": "the activity 'charge' itself: write workflow.execute_activity(charge, …)",
    "lambda": "the function '<lambda>' itself: call it, <lambda>(…)",
    "class": "the function 'Awaitable' itself: call it, Awaitable(…)",
    "generator": "an async generator: read it with async for",
    "number": "an int, which nobody can await",
    "nothing": "a NoneType, which nobody can await",
}


@workflow.defn
async def waiting_for_what_is_none(call: str, what: str) -> str:
    try:
        await CALLS[call](UNAWAITABLE[what]())
    except TypeError as error:
        return str(error)
    return "went on"


@pytest.mark.parametrize("what", SAID)
@pytest.mark.parametrize("call", CALLS)
def test_what_cannot_be_awaited_is_refused_at_once_and_nothing_is_begun(drive: Start, call: str, what: str) -> None:
    run = drive(waiting_for_what_is_none, call, what)
    # A coroutine that was left alone would warn now, which fails the test.
    gc.collect()

    which = "" if call == "wait_for" else "argument 2, "
    assert run.result == f"{call} cannot wait for {which}{SAID[what]}"
    assert run.names() == [""]


@workflow.defn
async def waiting_for_a_list(call: str) -> str:
    try:
        await CALLS[call]([workflow.resolved(1)])
    except TypeError as error:
        return str(error)
    return "went on"


@pytest.mark.parametrize(("call", "cure"), [("gather", "gather(*…)"), ("race", "race(*…)"), ("wait_for", "gather(*…)")])
def test_who_passes_a_list_is_told_how_to_wait_for_what_is_in_it(drive: Start, call: str, cure: str) -> None:
    assert drive(waiting_for_a_list, call).result.endswith(f"a list: write {cure} to wait for what is in it")


@workflow.defn
async def waiting_for_anything_awaitable() -> list[Any]:
    gathered = await workflow.gather(Awaitable(), do("a"))
    return [*gathered, await workflow.race(Awaitable()), await workflow.wait_for(Awaitable(), 5)]


def test_an_object_that_can_be_awaited_is_waited_for(drive: Start) -> None:
    run = drive(waiting_for_anything_awaitable)

    run.complete(1, "A")

    assert run.result == [7, "A", 7, 7]
