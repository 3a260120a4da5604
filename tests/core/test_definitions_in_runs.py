"""Classes and functions as workflows, seen from their runs: inheritance, __init__, references."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from greenroom.runtime import workflow
from tests.core.driving import Drive, definition_of

Start = Callable[..., Drive]


@dataclass
class Input:
    """What the workflow is about."""

    name: str


@workflow.defn
class WithInput:
    @workflow.init
    def __init__(self, given: Input, count: int = 2) -> None:
        self.given = [type(given).__name__, count]

    @workflow.run
    async def run(self, given: Input, count: int = 2) -> list[Any]:
        return [*self.given, given.name, count]


def test_init_gets_the_same_typed_arguments_as_run(drive: Start) -> None:
    assert drive(WithInput, Input("a")).result == ["Input", 2, "a", 2]
    assert drive(WithInput, Input("a"), 5).result == ["Input", 5, "a", 5]


class Base:
    greeting = "hello"

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    def hear(self, name: str) -> None:
        self.heard.append(f"base {name}")

    @workflow.signal(name="other")
    def other(self) -> None:
        self.heard.append("other")

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.heard) == 2)
        return [self.greeting, *self.heard]


@workflow.defn
class English(Base):
    def hear(self, name: str) -> None:
        self.heard.append(f"english {name}")


@workflow.defn
class French(Base):
    greeting = "bonjour"


def test_an_override_keeps_the_name_of_the_handler_that_it_overrides(drive: Start) -> None:
    run = drive(English)

    run.signal("hear", "Kyle")
    run.signal("other")

    assert run.result == ["hello", "english Kyle", "other"]


def test_an_inherited_run_method_belongs_to_the_class_it_is_named_by(drive: Start) -> None:
    run = drive(French.run)

    run.signal("hear", "Kyle")
    run.signal("other")

    assert definition_of(English.run).name == "English"
    assert definition_of(French.run).name == "French"
    assert run.result == ["bonjour", "base Kyle", "other"]


@workflow.defn(name="core tests: adding")
async def adding(first: int, *rest: int) -> int:
    """Add numbers."""
    await asyncio.sleep(0)
    return first + sum(rest)


def test_a_function_takes_any_number_of_arguments(drive: Start) -> None:
    assert drive(adding, 1, 2, 3).result == 6


def test_a_function_workflow_is_still_the_function() -> None:
    assert asyncio.run(adding(1, 2)) == 3
    assert adding.__name__ == "adding"
    assert adding.__doc__ == "Add numbers."
    assert repr(adding) == "<workflow 'core tests: adding'>"
    assert repr(definition_of(adding)) == "<workflow 'core tests: adding'>"


def counted() -> int:
    """Called by a workflow's methods, without their self."""
    counter: Counter = workflow.instance()
    counter.count += 1
    return counter.count


@workflow.defn
class Counter:
    def __init__(self) -> None:
        self.count = 0

    @workflow.signal
    def hear(self) -> None:
        counted()

    @workflow.query
    def is_me(self) -> bool:
        return workflow.instance() is self

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: self.count == 1)
        return [workflow.instance() is self, await asyncio.create_task(self.later())]

    async def later(self) -> int:
        return counted()


def test_the_instance_is_the_object_that_runs_its_methods_and_tasks(drive: Start) -> None:
    run = drive(Counter)
    run.signal("hear")

    assert run.result == [True, 2]


def test_each_run_has_an_instance_of_its_own(drive: Start) -> None:
    first, second = drive(Counter), drive(Counter, run_id="run-2")
    first.signal("hear")

    assert (first.result, second.execution.is_closed) == ([True, 2], False)


@workflow.defn(failure_exception_types=(RuntimeError,))
class Early:
    def __init__(self) -> None:
        self.mine = workflow.instance()

    @workflow.run
    async def run(self) -> None:
        """Never runs."""


@workflow.defn(failure_exception_types=(RuntimeError,))
async def without_instance() -> None:
    workflow.instance()


def test_a_function_has_no_instance_and_a_class_has_none_while_it_is_made(drive: Start) -> None:
    for target in (Early, without_instance):
        failure = drive(target).failure
        assert "there is no instance: this workflow is a function" in str(failure)
