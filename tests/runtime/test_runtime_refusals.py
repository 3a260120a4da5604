"""Whoever sends an update can tell a refusal by the workflow from a bug in its code, and both from a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from greenroom import (
    ApplicationError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
    activity,
    workflow,
)
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime


@activity.defn(name="refusals.nobody")
def nobody() -> None:
    """Is listed by no runtime here."""


@workflow.defn(name="refusals")
class Home:
    def __init__(self) -> None:
        self.gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.guests: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "the last" in self.guests)
        return self.guests

    @workflow.update
    async def let(self, guest: str) -> int:
        self.guests.append(guest)
        if guest == "a bug":
            raise KeyError("oops")
        if guest == "an activity":
            await workflow.execute_activity(nobody)
        if guest == "a failure":
            raise ApplicationError("no room")
        if guest == "a failure, later":
            await workflow.sleep(1)
            raise ApplicationError("no room")
        if guest == "the end":
            await workflow.wait_condition(lambda: False)
        return len(self.guests)

    @let.validator
    def check(self, guest: str) -> Any:
        if guest == "a refusal":
            raise KeyError("not that one")
        if guest == "what it may not":
            workflow.random()
        if guest == "a wake-up":
            self.gate.set_result(None)
        return asyncio.sleep(1) if guest == "a wait" else None


@workflow.defn(name="refusals")
class MendedHome:
    def __init__(self) -> None:
        self.gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.guests: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "the last" in self.guests)
        return self.guests

    @workflow.update
    async def let(self, guest: str) -> int:
        self.guests.append(guest)
        return len(self.guests)


def home(runtime: TestRuntime) -> WorkflowHandle[Any]:
    return runtime.start_workflow(Home.run, id="home").get()


def failed(call: Callable[[], object]) -> WorkflowUpdateFailedError:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("guest", "is_rejected", "is_bug"),
    [
        ("a refusal", True, False),
        (7, True, False),
        ("a bug", True, True),
        ("an activity", True, True),
        ("what it may not", True, True),
        ("a wake-up", True, True),
        ("a wait", True, True),
        ("a failure", False, False),
        ("a failure, later", False, False),
    ],
)
def test_a_refusal_a_bug_and_a_failure_of_an_update_can_be_told_apart(
    guest: Any, is_rejected: bool, is_bug: bool
) -> None:
    with TestRuntime(workflows=[Home], activities=[]) as runtime:
        error = failed(lambda: home(runtime).execute_update("let", guest, id="u").get())

    assert (error.is_rejected, error.is_bug) == (is_rejected, is_bug)


def test_an_update_that_nobody_hears_is_a_refusal() -> None:
    with TestRuntime(workflows=[Home]) as runtime:
        error = failed(lambda: home(runtime).execute_update("come in").get())

    assert (error.is_rejected, error.is_bug) == (True, False)


def test_an_update_whose_run_ends_is_no_refusal() -> None:
    with TestRuntime(workflows=[Home]) as runtime:
        run = home(runtime)
        waiting = run.execute_update(Home.let, "the end")
        run.execute_update(Home.let, "the last").get()
        error = failed(waiting.get)

    assert (error.is_rejected, error.is_bug) == (False, False)


def test_the_message_says_which_it_was_and_what_to_do() -> None:
    with TestRuntime(workflows=[Home]) as runtime:
        run = home(runtime)
        told = {
            guest: str(failed(run.execute_update(Home.let, guest, id="u").get))
            for guest in ("a bug", "a refusal", "a failure")
        }

    assert told == {
        "a bug": "update 'let' (u) of workflow 'home' was not taken because of a bug in the workflow's code, not "
        "refused by it: KeyError: 'oops'; the run is as it was before, mend the code and send the update again",
        "a refusal": "update 'let' (u) of workflow 'home' was rejected: KeyError: 'not that one'",
        "a failure": "update 'let' (u) of workflow 'home' failed: no room",
    }


def test_mended_code_takes_the_update_that_was_refused_for_a_bug_under_the_same_id() -> None:
    store = MemoryStore()
    with TestRuntime(store, workflows=[Home]) as runtime:
        failed(lambda: home(runtime).execute_update(Home.let, "a bug", id="u").get())

    with TestRuntime(store, workflows=[MendedHome]) as runtime:
        assert runtime.get_workflow_handle("home").execute_update("let", "a bug", id="u").get() == 1


@pytest.mark.parametrize(("guest", "is_bug"), [("a bug", True), ("a refusal", False)])
def test_what_was_admitted_and_refused_is_told_the_same_after_a_restart(guest: str, is_bug: bool) -> None:
    store = MemoryStore()
    with TestRuntime(store, workflows=[Home]) as runtime:
        admitted = (
            home(runtime).start_update(Home.let, guest, id="u", wait_for_stage=WorkflowUpdateStage.ADMITTED).get()
        )
        first = failed(admitted.result().get)

    with TestRuntime(store, workflows=[Home]) as runtime:
        later = failed(lambda: runtime.get_workflow_handle("home").get_update_handle("u").result().get())

    assert [(error.is_rejected, error.is_bug) for error in (first, later)] == [(True, is_bug)] * 2
