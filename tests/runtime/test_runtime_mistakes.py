"""Mistakes that people make are told in words that say what to do."""

from __future__ import annotations

import gc
import warnings
from typing import Any, cast

import pytest

from greenroom import Runtime, activity, workflow
from greenroom.runtime.model.errors import InvalidActivityError, PayloadEncodeError, WorkflowSuspendedError
from greenroom.testing import TestRuntime

here: list[TestRuntime] = []


@activity.defn(name="mistakes.greet")
async def greet(name: str) -> str:
    return f"Hi, {name}"


@workflow.defn(name="mistakes.hello")
async def hello(name: str) -> str:
    return f"Hello, {name}"


@workflow.defn(name="mistakes.calls")
async def calls_an_activity() -> Any:
    return await workflow.execute_activity(cast("Any", greet)("Kyle"))


@workflow.defn(name="mistakes.forgets")
async def forgets_to_await() -> Any:
    return workflow.execute_activity(greet, "Kyle")


@workflow.defn(name="mistakes.starts")
async def starts_another() -> str:
    here[0].start_workflow(hello, "Kyle", id="another")
    return "started"


@workflow.defn(name="mistakes.signals")
async def signals_by_a_handle() -> str:
    here[0].get_workflow_handle("another").signal("more")
    return "sent"


@workflow.defn(name="mistakes.side effect")
async def starts_another_aside() -> str:
    return str(workflow.side_effect(lambda: here[0].start_workflow(hello, "Kyle", id="another")))


@workflow.defn(name="mistakes.sleeps")
async def sleeps_for_nothing() -> None:
    await workflow.sleep(cast("Any", None))


@workflow.defn(name="mistakes.limits")
async def limits_to_nothing() -> str:
    return await workflow.execute_activity(greet, "Kyle", start_to_close_timeout=0)


WORKFLOWS = [
    hello,
    calls_an_activity,
    forgets_to_await,
    limits_to_nothing,
    starts_another,
    starts_another_aside,
    signals_by_a_handle,
    sleeps_for_nothing,
]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mistakes.calls", r"this is a call of greet\(\); pass greet itself and then its arguments: the runtime calls"),
        ("mistakes.forgets", "object of type 'coroutine' cannot be stored; was an await forgotten\\?"),
        ("mistakes.starts", "workflow code called a runtime or a handle of one, and a replay would call it again"),
        ("mistakes.signals", "workflow code called a runtime or a handle of one, and a replay would call it again"),
        ("mistakes.side effect", "workflow code called a runtime or a handle of one"),
        ("mistakes.limits", "start_to_close_timeout is 0; a limit is longer than nothing, or None for none"),
        ("mistakes.sleeps", "duration is None; give a timedelta or a number of seconds"),
    ],
)
def test_a_bug_in_a_workflow_is_told_where_it_is_made(name: str, told: str) -> None:
    with warnings.catch_warnings(), TestRuntime(workflows=WORKFLOWS, activities=[greet]) as runtime:
        warnings.simplefilter("error")
        here[:] = [runtime]
        with pytest.raises(WorkflowSuspendedError, match=told):
            runtime.wait(runtime.execute_workflow(name))
    # A coroutine that nobody closes is told now, and is what the test fails with.
    gc.collect()


def test_nothing_is_started_or_sent_by_workflow_code_that_is_refused() -> None:
    with TestRuntime(workflows=WORKFLOWS, activities=[greet]) as runtime:
        here[:] = [runtime]
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(runtime.execute_workflow(starts_another))

        assert runtime.wait(runtime.start_workflow(hello, "Kyle", id="another")).id == "another"


def test_a_call_in_the_place_of_a_workflow_is_refused_and_closed() -> None:
    with warnings.catch_warnings(), Runtime.in_memory(workflows=[hello]) as runtime:
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=r"this is a call of hello\(\); pass hello itself and then its arguments"):
            runtime.execute_workflow(cast("Any", hello("Kyle")))


def test_a_coroutine_as_an_argument_asks_for_an_await() -> None:
    with Runtime.in_memory(workflows=[hello]) as runtime:
        coroutine = cast("Any", hello)("Kyle")
        with pytest.raises(PayloadEncodeError, match="was an await forgotten"):
            runtime.execute_workflow(hello, coroutine)


@pytest.mark.parametrize("option", ["workflows", "activities"])
@pytest.mark.parametrize("given", [hello, "hello"])
def test_one_thing_in_the_place_of_a_list_is_refused(option: str, given: object) -> None:
    with pytest.raises(TypeError, match=f"{option} is .*; give a list"):
        Runtime.in_memory(**{option: cast("Any", given)})


@pytest.mark.parametrize("option", ["run_timeout", "execution_timeout"])
def test_no_time_at_all_is_no_limit_of_a_run(option: str) -> None:
    with Runtime.in_memory(workflows=[hello]) as runtime, pytest.raises(ValueError, match=f"{option} is 0; a limit is"):
        runtime.execute_workflow(hello, "Kyle", **cast("Any", {option: 0}))


@pytest.mark.parametrize("option", ["start_to_close_timeout", "schedule_to_close_timeout", "schedule_to_start_timeout"])
def test_no_time_at_all_is_no_limit_of_an_activity(option: str) -> None:
    with pytest.raises(InvalidActivityError, match=f"{option} is 0; a limit is longer than nothing, or None for none"):
        activity.defn(**cast("Any", {option: 0}))(lambda: None)
