"""One workflow runs every type that is not declared, and gets what each was started with unread."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from greenroom import NotRegisteredError, RawValue, Runtime, workflow
from greenroom.runtime.model.errors import InvalidWorkflowError
from greenroom.runtime.model.registry import Registry
from greenroom.storage import MemoryStore
from tests.runtime.rig import WAIT, runtime_on


@workflow.defn(name="dynamic.named")
async def named(number: int) -> str:
    return f"named {number}"


class Interpreter:
    """Declared where it cannot run what other tests ask for."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        self.size = len(args)
        self.heard: list[str] = []

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> list[Any]:
        await workflow.wait_condition(lambda: bool(self.heard))
        read = [workflow.payload_converter().decode(raw.payload, Any) for raw in args]
        return [workflow.info().workflow_type, self.size, *read, *self.heard]

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)


async def echo(args: Sequence[RawValue]) -> list[Any]:
    """A catch-all written as a function."""
    return [workflow.info().workflow_type, *(workflow.payload_converter().decode(raw.payload) for raw in args)]


@pytest.mark.usefixtures("declared")
def test_a_dynamic_workflow_runs_every_type_that_is_not_declared_and_its_arguments_come_unread() -> None:
    catch_all = workflow.defn(dynamic=True)(Interpreter)

    with Runtime.in_memory(workflows=[named, catch_all]) as runtime:
        handle = runtime.start_workflow("any name", 1, {"two": 2}).get(timeout=WAIT)
        handle.signal(Interpreter.hear, "word").get(timeout=WAIT)

        assert handle.result().get(timeout=WAIT) == ["any name", 2, 1, {"two": 2}, "word"]
        assert handle.describe().get(timeout=WAIT).workflow_type == "any name"
        assert runtime.execute_workflow("dynamic.named", 3).get(timeout=WAIT) == "named 3"


@pytest.mark.usefixtures("declared")
def test_a_function_may_be_dynamic_and_is_started_with_any_number_of_arguments() -> None:
    catch_all: Any = workflow.defn(dynamic=True)(echo)

    with Runtime.in_memory(workflows=[catch_all]) as runtime:
        assert runtime.execute_workflow("one").get(timeout=WAIT) == ["one"]
        assert runtime.execute_workflow("other", 1, "b", None).get(timeout=WAIT) == ["other", 1, "b", None]


@pytest.mark.usefixtures("declared")
def test_a_run_of_a_dynamic_workflow_comes_back_under_the_type_that_was_asked_for() -> None:
    catch_all = workflow.defn(dynamic=True)(Interpreter)
    store = MemoryStore()
    with runtime_on(store, workflows=[catch_all]) as runtime:
        runtime.start_workflow("asked", 7, id="kept").get(timeout=WAIT)

    with runtime_on(store, workflows=[named, catch_all]) as runtime:
        handle = runtime.get_workflow_handle("kept")
        handle.signal("hear", "late").get(timeout=WAIT)

        assert handle.result().get(timeout=WAIT) == ["asked", 1, 7, "late"]


@pytest.mark.usefixtures("declared")
def test_a_dynamic_workflow_is_not_started_by_reference() -> None:
    catch_all = workflow.defn(dynamic=True)(Interpreter)

    with Runtime.in_memory(workflows=[catch_all]) as runtime:
        with pytest.raises(TypeError, match=r"is dynamic and runs every workflow type .* pass the name"):
            runtime.start_workflow(Interpreter)
        with pytest.raises(ValueError, match="workflow name"):
            runtime.start_workflow("")


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("how", ["as a child", "with a signal"])
def test_a_workflow_does_not_start_a_dynamic_one_by_reference(how: str) -> None:
    catch_all = workflow.defn(dynamic=True)(Interpreter)

    @workflow.defn
    async def starting() -> str:
        try:
            if how == "as a child":
                await workflow.execute_child_workflow(Interpreter)
            await workflow.signal_with_start(Interpreter, id="another", signal="hear")
        except TypeError as error:
            return str(error)
        return ""

    with Runtime.in_memory(workflows=[catch_all, starting]) as runtime:
        assert "is dynamic and runs every workflow type" in runtime.execute_workflow(starting).get(timeout=WAIT)


class Counter:
    """A dynamic workflow that goes on as new, as itself and as another type."""

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any:
        [number] = (workflow.payload_converter().decode(raw.payload, int) for raw in args)
        if number == 0:
            workflow.continue_as_new(1)
        if number == 1:
            workflow.continue_as_new(2, workflow=f"another than {workflow.info().workflow_type}")
        try:
            workflow.continue_as_new(workflow=Counter)
        except TypeError as error:
            return [workflow.info().workflow_type, str(error)]


@pytest.mark.usefixtures("declared")
def test_a_dynamic_workflow_goes_on_as_the_type_that_was_asked_for_or_as_another() -> None:
    catch_all = workflow.defn(dynamic=True)(Counter)

    with Runtime.in_memory(workflows=[catch_all]) as runtime:
        handle = runtime.start_workflow("a type", 0, id="flow").get(timeout=WAIT)
        last, refusal = handle.result().get(timeout=WAIT)

    assert last == "another than a type"
    assert "is dynamic and runs every workflow type" in refusal


@pytest.mark.usefixtures("declared")
def test_a_workflow_that_is_referred_to_and_not_listed_is_not_given_to_the_dynamic_one() -> None:
    catch_all = workflow.defn(dynamic=True)(Interpreter)

    with (
        Runtime.in_memory(workflows=[catch_all]) as runtime,
        pytest.raises(NotRegisteredError, match=r"no workflow named 'dynamic.named' \(declared: none\)"),
    ):
        runtime.start_workflow(named, 1)


@pytest.mark.usefixtures("declared")
def test_a_runtime_has_one_dynamic_workflow_at_most() -> None:
    both: list[object] = [workflow.defn(dynamic=True)(Interpreter), workflow.defn(dynamic=True)(echo)]

    with pytest.raises(
        ValueError, match=r"two workflow definitions are dynamic, \S+Interpreter and \S+echo; a runtime"
    ):
        Runtime.in_memory(workflows=both)


def test_of_dynamic_workflows_that_nobody_has_listed_the_last_counts_and_the_log_says_so(
    declared: Registry[Any], caplog: pytest.LogCaptureFixture
) -> None:
    workflow.defn(dynamic=True)(Interpreter)
    with caplog.at_level(logging.WARNING, logger="greenroom"):
        workflow.defn(dynamic=True)(Interpreter)
        workflow.defn(dynamic=True)(echo)

    assert declared.get("anything").target is echo
    assert declared.names() == []
    [record] = caplog.records
    assert "the dynamic workflow of tests.runtime.test_runtime_dynamic.echo takes the place" in record.getMessage()


async def takes_nothing() -> None:
    """Is told nothing."""


async def takes_any(args: Any) -> None:
    """Does not say what it takes."""


async def takes_values(args: Sequence[int]) -> None:
    """Would have to decode what it cannot know."""


async def takes_each(*args: RawValue) -> None:
    """Is called with one argument."""


async def takes_more(args: Sequence[RawValue], copies: int = 1) -> None:
    """Takes what nobody gives."""


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("function", [takes_nothing, takes_any, takes_values, takes_each, takes_more])
def test_a_dynamic_workflow_must_take_its_arguments_unread(function: Any) -> None:
    with pytest.raises(InvalidWorkflowError, match=r"must take one argument: args: Sequence\[RawValue\]"):
        workflow.defn(dynamic=True)(function)


@pytest.mark.usefixtures("declared")
def test_a_dynamic_workflow_has_no_name() -> None:
    with pytest.raises(InvalidWorkflowError, match="leave out name="):
        workflow.defn(name="mine", dynamic=True)(Interpreter)
