"""The workflows that the tests of the testing kernel run: the stateful greeter and those who want to be greeted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from greenroom import activity, workflow
from greenroom.testing import TestRuntime, start_once


@activity.defn(name="testing.greet")
def greet(name: str) -> str:
    return f"Hi, {name}"


@workflow.defn(name="testing.greeter")
class Greeter:
    def __init__(self) -> None:
        self.greeted = 0

    @workflow.run
    async def run(self, greetings: int) -> int:
        await workflow.wait_condition(lambda: self.greeted >= greetings)
        return self.greeted

    @workflow.signal
    async def greet(self, sender: str, name: str) -> None:
        greeting = await workflow.execute_activity(greet, name)
        await workflow.get_external_workflow_handle(sender).signal("greeting", greeting)
        self.greeted += 1


@workflow.defn(name="testing.greeting")
async def greeting(greeter_id: str, name: str) -> str:
    me = workflow.info().workflow_id
    await workflow.get_external_workflow_handle(greeter_id).signal(Greeter.greet, me, name)
    return await workflow.signal_channel().receive("greeting", result_type=str)


class Greeting(NamedTuple):
    """The greeter scenario and its parts."""

    greeter: Callable[..., Any]
    greeting: Any
    scenario: Callable[[TestRuntime], list[object]]


def _scenario(runtime: TestRuntime) -> list[object]:
    greeter = start_once(runtime, Greeter.run, 2, id="greeter")
    heard: list[object] = []
    for name in ("Kyle", "Ann"):
        heard.append(runtime.wait(start_once(runtime, greeting, "greeter", name, id=name).result()))
    heard.append(runtime.wait(greeter.result()))
    return heard


@pytest.fixture
def greetings() -> Greeting:
    return Greeting(Greeter.run, greeting, _scenario)
