"""A parent is told which attempt of a child was the last, and why there was no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom import ApplicationError, ChildWorkflowError, RetryPolicy, RetryState, workflow
from greenroom.testing import TestRuntime, replay_every_prefix

Told = tuple[int, RetryState | None]

TWICE = RetryPolicy(initial_interval=1, maximum_attempts=2)
POLICIES = {
    "none": None,
    "two attempts": TWICE,
    "not this": RetryPolicy(initial_interval=1, non_retryable_error_types=["NoLuck"]),
    "late": RetryPolicy(initial_interval=10),
}


@workflow.defn(name="attempts.child")
async def child(how: str) -> None:
    if how == "waits":
        await workflow.sleep(30)
    if how == "goes on" and workflow.info().attempt > 1:
        workflow.continue_as_new("fails")
    raise ApplicationError("not yet", type="NoLuck")


@workflow.defn(name="attempts.parent")
async def parent(how: str, policy: str, limits: dict[str, Any]) -> Told:
    begun = await workflow.start_child_workflow(child, how, id="child", retry_policy=POLICIES[policy], **limits)
    try:
        await begun
    except ChildWorkflowError as error:
        return error.attempt, error.retry_state
    return 0, None


@workflow.defn(name="attempts.heard")
async def hears_late() -> Told:
    begun = await workflow.start_child_workflow(child, "fails", id="child", retry_policy=TWICE)
    # It waits beside another thing: a reset goes back to before it has heard of the end.
    heard = asyncio.ensure_future(begun)
    await workflow.signal_channel().receive("go")
    try:
        await heard
    except ChildWorkflowError as error:
        return error.attempt, error.retry_state
    return 0, None


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[parent, child, hears_late], **options)


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize(
    ("how", "policy", "limits", "told"),
    [
        ("fails", "none", {}, (1, RetryState.RETRY_POLICY_NOT_SET)),
        ("fails", "two attempts", {}, (2, RetryState.MAXIMUM_ATTEMPTS_REACHED)),
        ("fails", "not this", {}, (1, RetryState.NON_RETRYABLE_FAILURE)),
        ("fails", "late", {"execution_timeout": 15.0}, (2, RetryState.TIMEOUT)),
        ("waits", "two attempts", {"run_timeout": 5.0}, (2, RetryState.MAXIMUM_ATTEMPTS_REACHED)),
        ("waits", "two attempts", {"execution_timeout": 5.0}, (1, RetryState.TIMEOUT)),
        ("goes on", "two attempts", {}, (2, RetryState.MAXIMUM_ATTEMPTS_REACHED)),
    ],
)
def test_a_parent_is_told_the_last_attempt_of_its_child_and_why_it_was_the_last(
    how: str, policy: str, limits: dict[str, Any], told: Told, evict: bool
) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        assert tuple(runtime.execute_workflow(parent, how, policy, limits, id="top").get()) == told

        replay_every_prefix(runtime)


@pytest.mark.parametrize(
    ("ends", "state"),
    [("terminate", RetryState.NON_RETRYABLE_FAILURE), ("cancel", RetryState.CANCEL_REQUESTED)],
)
def test_a_child_that_somebody_has_ended_is_not_repeated_and_its_parent_is_told_why(
    ends: str, state: RetryState
) -> None:
    with make() as runtime:
        no_limits: dict[str, Any] = {}
        top = runtime.start_workflow(parent, "waits", "two attempts", no_limits, id="top").get()
        while runtime.step():
            pass
        getattr(runtime.get_workflow_handle("child"), ends)().get()

        assert tuple(top.result().get()) == (1, state)


def test_a_parent_that_was_reset_to_before_the_end_of_its_child_is_told_the_same() -> None:
    with make() as runtime:
        top = runtime.start_workflow(hears_late, id="top").get()
        runtime.advance(60)
        last = top.fetch_history().get().events[-1]
        assert last.kind == "ChildWorkflowFailed"

        again = top.reset(to=last.turn - 1).get()
        again.signal("go").get()

        assert tuple(again.result().get()) == (2, RetryState.MAXIMUM_ATTEMPTS_REACHED)


def test_a_repeated_child_that_was_reset_goes_on_counting() -> None:
    with make() as runtime:
        top = runtime.start_workflow(parent, "waits", "two attempts", {"run_timeout": 40.0}, id="top").get()
        runtime.advance(31)
        while runtime.step():
            pass
        runtime.get_workflow_handle("child").reset(to="last").get()

        assert tuple(top.result().get()) == (2, RetryState.MAXIMUM_ATTEMPTS_REACHED)
