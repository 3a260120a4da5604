"""Code that no longer asks for what the history has is told so, both sides with file and line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import StartTimer
from greenroom.runtime.core.messages import ActivityCompleted
from greenroom.runtime.model.errors import ContractError, NondeterminismError
from tests.core.driving import Drive

Start = Callable[..., Drive]


@workflow.defn
async def recorded() -> None:
    await asyncio.gather(workflow.start_activity("a"), workflow.start_activity("b"))
    await workflow.sleep(5)


@workflow.defn
async def other_order() -> None:
    await asyncio.gather(workflow.start_activity("b"), workflow.start_activity("a"))
    await workflow.sleep(5)


@workflow.defn
async def one_less() -> None:
    await workflow.start_activity("a")


@workflow.defn
async def one_more() -> None:
    await asyncio.gather(*(workflow.start_activity(name) for name in "abc"))


@workflow.defn
async def other_kind() -> None:
    workflow.start_activity("a")
    await workflow.sleep(5)


@workflow.defn
async def other_name() -> None:
    workflow.start_activity("a")
    await workflow.start_activity("c")


@workflow.defn
async def broken() -> None:
    workflow.start_activity("a")
    raise ValueError("a bug that the change made")


@workflow.defn
async def ends_at_once() -> str:
    return "done"


@workflow.defn
async def side_effect_first() -> None:
    workflow.side_effect(int)


@workflow.defn
async def says_why() -> None:
    await asyncio.gather(workflow.start_activity("a"), workflow.start_activity("b"))
    await workflow.sleep(5, summary="so that nobody is hurried")


def test_another_summary_of_a_timer_is_no_difference(drive: Start) -> None:
    run = drive(recorded)
    run.complete(1)
    run.complete(2)

    run.put_away(run.replayed(target=says_why))

    assert [each.name for each in run.all_of(StartTimer)] == [""]


@pytest.mark.parametrize(
    ("changed", "expected", "produced"),
    [
        (other_order, ["'a' #1", "'b' #2"], ["'b' #1", "'a' #2"]),
        (one_less, ["'a' #1", "'b' #2"], ["'a' #1"]),
        (one_more, ["'a' #1", "'b' #2"], ["'a' #1", "'b' #2", "'c' #3"]),
        (other_kind, ["'a' #1", "'b' #2"], ["'a' #1", "start-timer #2"]),
        (other_name, ["'a' #1", "'b' #2"], ["'a' #1", "'c' #2"]),
        (broken, ["'a' #1", "'b' #2"], ["'a' #1"]),
        (ends_at_once, ["'a' #1", "'b' #2"], ["complete-workflow"]),
        (side_effect_first, ["'a' #1", "'b' #2"], ["record-side-effect #1"]),
    ],
)
def test_a_difference_is_shown_side_by_side(
    drive: Start, changed: Any, expected: list[str], produced: list[str]
) -> None:
    run = drive(recorded)

    with pytest.raises(NondeterminismError) as caught:
        run.replayed(target=changed)

    error = caught.value
    assert (error.workflow_id, error.run_id, error.turn_no) == ("flow-1", "run-1", 0)
    assert all(part in line for part, line in zip(expected, error.expected, strict=True))
    assert all(part in line for part, line in zip(produced, error.produced, strict=True))


def test_what_the_code_raised_instead_is_told_too(drive: Start) -> None:
    run = drive(recorded)

    with pytest.raises(
        NondeterminismError, match="In this turn the code raised ValueError: a bug that the change made\n"
    ) as caught:
        run.replayed(target=broken)
    with pytest.raises(NondeterminismError) as other:
        run.replayed(target=other_name)

    assert isinstance(caught.value.__cause__, ValueError)
    assert "raised" not in str(other.value)
    assert other.value.__cause__ is None


def test_a_signal_that_no_longer_fits_is_told_with_the_reason(drive: Start) -> None:
    @workflow.defn
    class Number:
        @workflow.run
        async def run(self) -> None:
            await workflow.wait_condition(lambda: False)

        @workflow.signal
        def put(self, value: int) -> None:
            pass

    @workflow.defn
    class Text(Number):
        @workflow.run
        async def run(self) -> None:
            await workflow.wait_condition(lambda: False)

        @workflow.signal
        def put(self, value: str) -> None:  # type: ignore[override]
            pass

    run = drive(Number)
    run.signal("put", 1)

    with pytest.raises(ContractError, match="an int where str is annotated") as caught:
        run.replayed(target=Text)

    assert isinstance(caught.value.__cause__, NondeterminismError)
    (line,) = caught.value.__cause__.produced
    assert line.startswith("dead-letter-signal 'put' #1: args[0]: an int where str is annotated")


def test_both_sides_name_file_and_line(drive: Start) -> None:
    run = drive(recorded)
    first = recorded.definition.target.__code__.co_firstlineno
    other = other_name.definition.target.__code__.co_firstlineno

    with pytest.raises(NondeterminismError) as caught:
        run.replayed(target=other_name)

    assert caught.value.expected[1].endswith(f"at tests/core/test_nondeterminism.py:{first + 2}")
    assert caught.value.produced[1].endswith(f"at tests/core/test_nondeterminism.py:{other + 3}")


def test_the_turn_that_differs_is_named(drive: Start) -> None:
    run = drive(recorded)
    run.complete(1)
    run.complete(2)

    with pytest.raises(NondeterminismError, match="turn 2") as caught:
        run.replayed(target=awaits_only)

    assert caught.value.produced == ("complete-workflow",)


@workflow.defn
async def awaits_only() -> None:
    await asyncio.gather(workflow.start_activity("a"), workflow.start_activity("b"))


@workflow.defn
async def ends_with(value: int) -> int:
    return value


@workflow.defn
async def ends_with_more(value: int) -> int:
    return value + 1


def test_values_may_change_as_long_as_the_questions_stay(drive: Start) -> None:
    run = drive(ends_with, 1)

    execution = run.replayed(target=ends_with_more)

    assert execution.is_closed
    run.put_away(execution)


@workflow.defn
async def nothing_more() -> None:
    await workflow.signal_channel().receive("go")
    await workflow.signal_channel().receive("never")


@workflow.defn
async def measures_afterwards() -> None:
    await workflow.signal_channel().receive("go")
    try:
        workflow.side_effect(int)
    finally:
        await workflow.signal_channel().receive("never")


def test_a_side_effect_that_the_history_does_not_have_is_reported(drive: Start) -> None:
    run = drive(nothing_more)
    run.signal("go")

    with pytest.raises(NondeterminismError) as caught:
        run.replayed(target=measures_afterwards)

    assert caught.value.expected == ()
    assert "record-side-effect #1 at " in caught.value.produced[0]


@workflow.defn
async def waits_for_ever() -> None:
    await workflow.wait_condition(lambda: False)


@workflow.defn
async def waits_a_minute() -> None:
    await workflow.wait_condition(lambda: False, timeout=60)


@pytest.mark.parametrize(
    ("before", "after", "expected", "produced"),
    [
        (waits_for_ever, waits_a_minute, 0, 1),
        (waits_a_minute, waits_for_ever, 1, 0),
    ],
)
def test_a_timeout_that_a_condition_gets_or_loses_is_a_difference(
    drive: Start, before: Any, after: Any, expected: int, produced: int
) -> None:
    run = drive(before)

    with pytest.raises(NondeterminismError) as caught:
        run.replayed(target=after)

    assert (len(caught.value.expected), len(caught.value.produced)) == (expected, produced)
    assert "start-timer" in "".join([*caught.value.expected, *caught.value.produced])


@workflow.defn
async def breaks_later() -> None:
    await asyncio.gather(workflow.start_activity("a"), workflow.start_activity("b"))
    raise ValueError("now it breaks")


def test_a_bug_without_a_difference_is_reported_as_the_bug(drive: Start) -> None:
    run = drive(awaits_both_and_waits)
    run.complete(1)
    run.complete(2)

    with pytest.raises(WorkflowBugError, match="now it breaks"):
        run.replayed(target=breaks_later)


@workflow.defn
async def awaits_both_and_waits() -> None:
    await asyncio.gather(workflow.start_activity("a"), workflow.start_activity("b"))
    await workflow.signal_channel().receive("go")


def test_the_version_of_python_is_told_if_it_is_another(drive: Start) -> None:
    run = drive(recorded)
    run.is_replayed = False

    with pytest.raises(NondeterminismError) as caught:
        run.execution.replay(ActivityCompleted(1, run.converter.encode(None)), run.now_ns, run.turns[0].commands)

    assert caught.value.recorded_python == "3.11"
    assert caught.value.running_python == f"{sys.version_info.major}.{sys.version_info.minor}"


HASHING = """
import asyncio, sys
from greenroom.runtime import workflow
from tests.core.driving import Drive

@workflow.defn
async def flow() -> list[str]:
    order: list[str] = []
    async def child(name: str) -> None:
        try:
            await workflow.sleep(100)
        except asyncio.CancelledError:
            order.append(name)
            await workflow.execute_activity(name)
    async def failing() -> None:
        await workflow.signal_channel().receive("go")
        raise RuntimeError
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(child(f"child {number}"))
            group.create_task(failing())
    except* RuntimeError:
        pass
    handles = [workflow.start_activity(f"handle {n}") for n in range(12)]
    done, waiting = await asyncio.wait(handles, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    tasks = [asyncio.create_task(asyncio.sleep(0, str(n))) for n in range(12)]
    order += [await each for each in asyncio.as_completed(tasks)]
    return order

junk = [object() for _ in range(int(sys.argv[1]))]
run = Drive(flow)
run.send(run.started)
run.signal("go")
for command in run.last:
    if type(command).__name__ == "ScheduleActivity":
        run.complete(command.id)
run.complete(run.last[3].id)
run.replay_prefixes()
print([(turn.message, turn.commands) for turn in run.turns])
assert run.execution.is_closed
"""


@pytest.mark.slow
def test_the_order_of_sets_of_tasks_is_the_same_in_every_process() -> None:
    outputs = {_output_of(HASHING, seed) for seed in (0, 1, 77)}

    assert len(outputs) == 1
    assert "child 11" in outputs.pop()


def _output_of(program: str, seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", program, str(seed * 1000)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout
