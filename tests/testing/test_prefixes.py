"""Replaying every prefix of a history: what is deterministic passes, what is not is seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol

import pytest

from greenroom import ApplicationError, BlockingCallError, Future, WorkflowFailureError, activity, workflow
from greenroom.runtime.model.errors import NondeterminismError
from greenroom.testing import TestRuntime, replay, replay_every_prefix

counter = itertools.count()


class Greetings(Protocol):
    @property
    def scenario(self) -> Callable[[TestRuntime], list[object]]: ...


@activity.defn(name="prefixes.take")
def take(number: int) -> int:
    return number


@workflow.defn(name="prefixes.impure")
async def impure() -> None:
    await workflow.sleep(1)
    if next(counter) == 0:
        await workflow.execute_activity(take, 1)
    else:
        await workflow.sleep(2)


@workflow.defn(name="prefixes.other_argument")
async def other_argument() -> None:
    await workflow.sleep(1)
    await workflow.execute_activity(take, next(counter))


@workflow.defn(name="prefixes.recorded")
async def recorded() -> int:
    first = workflow.side_effect(lambda: next(counter))
    await workflow.sleep(1)
    await workflow.execute_activity(take, first)
    return first + workflow.side_effect(lambda: next(counter))


NEVER: Future[str] = Future()


@workflow.defn(name="prefixes.blocking")
async def blocking() -> str:
    try:
        return NEVER.get(timeout=0.001)
    except BlockingCallError:
        return "refused"


@pytest.fixture(autouse=True)
def _count_from_zero() -> None:
    global counter
    counter = itertools.count()


def test_every_prefix_of_the_greeter_is_replayed(greetings: Greetings) -> None:
    with TestRuntime() as runtime:
        greetings.scenario(runtime)
        turns = sum(len(run.turns) + 1 for run in runtime.recorded())

        assert replay_every_prefix(runtime) == turns


def test_recorded_side_effects_are_not_performed_again() -> None:
    with TestRuntime() as runtime:
        assert runtime.wait(runtime.execute_workflow(recorded)) == 1

        replay_every_prefix(runtime)

    assert next(counter) == 2


def test_a_run_that_was_ended_before_it_began_is_replayed_as_what_it_is() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(recorded, start_delay=3600))
        runtime.wait(handle.terminate("not today"))
        (run,) = runtime.recorded()

        assert replay_every_prefix(runtime) == 2

        run.turns.append(run.turns[0])
        with pytest.raises(AssertionError, match="was ended before it began, and has gone on"):
            replay(run, runtime.hands)


def test_a_wait_that_the_dispatcher_refuses_is_refused_in_a_replay_too() -> None:
    with TestRuntime() as runtime:
        assert runtime.wait(runtime.execute_workflow(blocking)) == "refused"

        assert replay_every_prefix(runtime) == 2


def test_code_that_takes_another_way_is_seen() -> None:
    with TestRuntime() as runtime:
        runtime.wait(runtime.execute_workflow(impure))

        with pytest.raises(NondeterminismError):
            replay_every_prefix(runtime)


def test_code_that_asks_the_same_with_another_argument_is_seen_and_told_what_differs() -> None:
    with TestRuntime() as runtime:
        runtime.wait(runtime.execute_workflow(other_argument, id="w"))

        with pytest.raises(AssertionError) as caught:
            replay_every_prefix(runtime)

    first, difference = str(caught.value).splitlines()
    assert first == "turn 1 of workflow 'w' asked for something else after the first 0 turns were replayed:"
    assert difference.startswith("  schedule-activity 'prefixes.take' #2 (tests/testing/test_prefixes.py:")
    assert difference.endswith("): args was recorded as [0], and is [1]")


def test_code_that_asks_the_same_in_another_line_is_the_same() -> None:
    @workflow.defn(name="prefixes.moved")
    async def before() -> None:
        await workflow.execute_activity(take, 1)

    @workflow.defn(name="prefixes.moved")
    async def after() -> None:
        await workflow.execute_activity(take, 1)

    with TestRuntime(workflows=[before]) as runtime:
        runtime.wait(runtime.execute_workflow(before))
        store = runtime.store

    with TestRuntime(store, workflows=[after]) as runtime:
        assert replay_every_prefix(runtime) == 3


@workflow.defn(name="prefixes.failing")
async def fails() -> None:
    await workflow.sleep(1)
    try:
        int("none")
    except ValueError as error:
        raise ApplicationError("no number") from error


@workflow.defn(name="prefixes.failing")
async def fails_elsewhere() -> None:
    await workflow.sleep(1)
    try:
        int("none")
    except ValueError as error:
        raise ApplicationError("no number") from error


@workflow.defn(name="prefixes.failing")
async def fails_otherwise() -> None:
    await workflow.sleep(1)
    try:
        int("no")
    except ValueError as error:
        raise ApplicationError("no number") from error


def test_a_failure_is_the_same_in_another_line_and_not_of_another_cause() -> None:
    with TestRuntime(workflows=[fails]) as runtime:
        with pytest.raises(WorkflowFailureError):
            runtime.wait(runtime.execute_workflow(fails))
        store = runtime.store

    with TestRuntime(store, workflows=[fails_elsewhere]) as runtime:
        assert replay_every_prefix(runtime) == 3
    with (
        TestRuntime(store, workflows=[fails_otherwise]) as runtime,
        pytest.raises(AssertionError, match="failure was recorded as"),
    ):
        replay_every_prefix(runtime)


@workflow.defn(name="prefixes.by_size")
async def by_size() -> int:
    while workflow.info().history_size < 1000:
        await workflow.sleep(1)
    return workflow.info().history_length


def test_the_size_of_its_history_is_what_it_was_after_each_prefix() -> None:
    with TestRuntime() as runtime:
        turns = runtime.wait(runtime.execute_workflow(by_size))

        assert replay_every_prefix(runtime) == turns + 1


def test_a_whole_run_is_replayed_when_no_prefix_is_given() -> None:
    with TestRuntime() as runtime:
        runtime.wait(runtime.execute_workflow(recorded))
        (run,) = runtime.recorded()

        replay(run, runtime.hands)
