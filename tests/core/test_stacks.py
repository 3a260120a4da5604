"""Where the tasks of a run wait is told from its own code: every task, and no line of the library."""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.messages import RunTerminated
from greenroom.runtime.model.handler_definitions import ENHANCED_STACK_TRACE_QUERY, STACK_TRACE_QUERY
from tests.core.driving import Drive

Start = Callable[..., Drive]

HERE = "tests/core/test_stacks.py"


def asked(run: Drive, query: str = STACK_TRACE_QUERY) -> Any:
    return run.converter.decode(run.execution.query(query, run.converter.encode_args(())))


def line_of(text: str) -> int:
    """The line of this file that ends with a remark."""
    with open(__file__, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if line.endswith(f"# {text}\n"))


async def never() -> None:
    await workflow.wait_condition(lambda: False)  # never


@workflow.defn(name="stacks.Waiting")
class Waiting:
    @workflow.run
    async def run(self) -> None:
        self.beside = asyncio.create_task(never(), name="beside")
        await self.step()  # run

    async def step(self) -> None:
        await workflow.sleep(60)  # step

    @workflow.signal
    async def nudge(self) -> None:
        await never()  # nudge

    @workflow.update
    async def change(self) -> None:
        await never()  # change


def test_each_task_is_named_by_what_it_is_for_and_told_with_its_lines(drive: Start) -> None:
    run = drive(Waiting)
    run.signal("nudge")

    assert asked(run) == "\n".join(
        [
            "Stack of stacks.Waiting (most recent call last):",
            f'  File "{HERE}", line {line_of("run")}, in Waiting.run',
            "    await self.step()  # run",
            f'  File "{HERE}", line {line_of("step")}, in Waiting.step',
            "    await workflow.sleep(60)  # step",
            "",
            "Stack of beside (never) (most recent call last):",
            f'  File "{HERE}", line {line_of("never")}, in never',
            "    await workflow.wait_condition(lambda: False)  # never",
            "",
            "Stack of signal nudge (most recent call last):",
            f'  File "{HERE}", line {line_of("nudge")}, in Waiting.nudge',
            "    await never()  # nudge",
            f'  File "{HERE}", line {line_of("never")}, in never',
            "    await workflow.wait_condition(lambda: False)  # never",
        ]
    )


def test_the_same_is_told_as_data_with_the_text_of_the_functions(drive: Start) -> None:
    run = drive(Waiting)

    told = asked(run, ENHANCED_STACK_TRACE_QUERY)

    source = told["sources"][HERE]
    assert told["stacks"] == [
        {
            "name": "stacks.Waiting",
            "locations": [
                {"file_path": HERE, "line": line_of("run"), "function_name": "Waiting.run", "internal_code": False},
                {"file_path": HERE, "line": line_of("step"), "function_name": "Waiting.step", "internal_code": False},
            ],
        },
        {
            "name": "beside (never)",
            "locations": [
                {"file_path": HERE, "line": line_of("never"), "function_name": "never", "internal_code": False}
            ],
        },
    ]
    assert source["content"].splitlines()[line_of("step") - 1 - source["line_offset"]].endswith("# step")
    assert source["content"].startswith("async def never")
    assert source["content"].endswith("# step\n")


async def several() -> None:
    await asyncio.gather(never(), never())


async def several_of_ours() -> None:
    await workflow.gather(never(), never())


async def racing() -> None:
    await workflow.race(never(), never())


async def in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(never())
        group.create_task(never())


async def numbers() -> AsyncGenerator[int, None]:
    yield 1
    await never()
    yield 2


async def in_generator() -> None:
    async for _ in numbers():
        pass


async def in_closing() -> None:
    generator = slow_to_close()
    await anext(generator)
    await generator.aclose()


async def slow_to_close() -> AsyncGenerator[int, None]:
    try:
        yield 1
    finally:
        await never()


@contextlib.asynccontextmanager
async def slow_to_open() -> AsyncGenerator[None, None]:
    await never()
    yield


async def in_context() -> None:
    async with slow_to_open():
        pass


class ByHand:
    def __await__(self) -> Generator[Any, None, None]:
        return never().__await__()


async def awaiting_by_hand() -> None:
    await ByHand()


@types.coroutine
def old_style() -> Generator[Any, Any, None]:
    yield from never().__await__()


async def awaiting_old_style() -> None:
    await old_style()


# Name of a way → the function that waits so; its stack, and those of the tasks that it makes.
WAYS: dict[str, tuple[Callable[[], Any], *tuple[list[str], ...]]] = {
    "gather": (several, ["several"], ["never"], ["never"]),
    "our gather": (several_of_ours, ["several_of_ours"], ["never"], ["never"]),
    "race": (racing, ["racing"], ["never"], ["never"]),
    "group": (in_group, ["in_group"], ["never"], ["never"]),
    "generator": (in_generator, ["in_generator", "numbers", "never"]),
    "closing": (in_closing, ["in_closing", "slow_to_close", "never"]),
    "context": (in_context, ["in_context", "slow_to_open", "never"]),
    "by hand": (awaiting_by_hand, ["awaiting_by_hand", "never"]),
    "old style": (awaiting_old_style, ["awaiting_old_style", "old_style", "never"]),
}


@workflow.defn(name="stacks.way")
async def way(name: str) -> None:
    await WAYS[name][0]()


@pytest.mark.parametrize("name", WAYS)
def test_whatever_way_code_waits_in_its_innermost_line_is_told(drive: Start, name: str) -> None:
    run = drive(way, name)

    told = asked(run, ENHANCED_STACK_TRACE_QUERY)["stacks"]

    main, *others = WAYS[name][1:]
    assert [[place["function_name"] for place in stack["locations"]] for stack in told] == [["way", *main], *others]


def test_a_task_that_is_not_in_workflow_code_is_told_all_the_same(drive: Start) -> None:
    run = drive(beside_an_event)

    assert "Stack of watching (Event.wait) (most recent call last):\n  (no line of workflow code)" in asked(run)


@workflow.defn(name="stacks.beside_an_event")
async def beside_an_event() -> None:
    watching = asyncio.create_task(asyncio.Event().wait(), name="watching")
    await watching


def test_a_run_that_is_brought_back_tells_the_same_and_its_tasks_wait_on(drive: Start) -> None:
    run = drive(Waiting)
    before = asked(run)

    run.put_away(run.execution)
    run.execution = run.replayed()

    assert asked(run) == before
    assert run.execution.tasks() != []


def test_a_run_that_has_ended_has_no_tasks_though_its_code_still_waits(drive: Start) -> None:
    run = drive(Waiting)

    run.send(RunTerminated("enough"))

    assert asked(run) == "no tasks: the run has ended"
    assert asked(run, ENHANCED_STACK_TRACE_QUERY) == {"sources": {}, "stacks": []}


async def made() -> None:
    await workflow.sleep(1)  # made


def test_code_whose_text_is_nowhere_is_told_by_its_lines(drive: Start) -> None:
    moved = types.FunctionType(made.__code__.replace(co_filename="nowhere.py"), {"workflow": workflow}, "made")
    moved.__module__ = __name__
    run = drive(workflow.defn(name="stacks.made", static_check=False)(moved))

    assert asked(run).splitlines()[1:] == [f'  File "nowhere.py", line {line_of("made")}, in made']
    assert asked(run, ENHANCED_STACK_TRACE_QUERY)["sources"] == {}
    run.fire()


@workflow.defn(name="stacks.steps")
async def steps() -> None:
    await workflow.gather(asyncio.create_task(anext(slow_numbers()), name="next"), never())


async def slow_numbers() -> AsyncGenerator[int, None]:
    await never()
    yield 1


def test_a_task_that_is_a_step_of_a_generator_is_told_by_the_code_in_it(drive: Start) -> None:
    run = drive(steps)

    stacks = {stack["name"]: stack["locations"] for stack in asked(run, ENHANCED_STACK_TRACE_QUERY)["stacks"]}

    assert [place["function_name"] for place in stacks["next (slow_numbers)"]] == ["slow_numbers", "never"]
    assert "Stack of next (slow_numbers) (most recent call last):" in asked(run)


@workflow.defn(name="stacks.many")
async def many(count: int) -> None:
    await asyncio.gather(*[never() for _ in range(count)])


def test_of_thousands_of_tasks_the_first_are_told_and_the_rest_are_counted(drive: Start) -> None:
    run = drive(many, 3_500)

    told, stacks = asked(run), asked(run, ENHANCED_STACK_TRACE_QUERY)["stacks"]

    assert told.startswith("Stack of stacks.many (most recent call last):")
    assert told.endswith("\n\n(and 2,001 tasks more)")
    assert told.count("Stack of") == len(stacks) - 1 == 1_500
    assert stacks[-1] == {"name": "(and 2,001 tasks more)", "locations": []}
