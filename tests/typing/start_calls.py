"""What type checkers make of starts of workflows. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, assert_type

from greenroom import (
    Future,
    RawValue,
    Runtime,
    WorkflowHandle,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    wait_all,
    wait_first,
    workflow,
)


@workflow.defn
class Greeter:
    """A workflow written as a class."""

    @workflow.run
    async def run(self, most: int = 3) -> bytes:
        return b"" * most


@workflow.defn(name="of many")
class Porter:
    """A workflow that takes as much as it is given."""

    @workflow.run
    async def carry(self, name: str, *weights: float) -> float:
        return sum(weights) * len(name)


@workflow.defn
class Sleeper:
    """A workflow that takes nothing, and returns nothing."""

    @workflow.run
    async def run(self) -> None:
        return None


@dataclass
class Order:
    """Many inputs as one."""

    item: str
    cents: int = 0


@workflow.defn
class Shop:
    """A workflow of many arguments."""

    @workflow.init
    def __init__(self, order: Order, copies: int, note: str | None, *, extra: int = 0) -> None:
        self.order = order

    @workflow.run
    async def run(self, order: Order, copies: int, note: str | None, *, extra: int = 0) -> list[Order]:
        return [order] * copies


@workflow.defn
async def greeting(name: str) -> int:
    return len(name)


@workflow.defn(name="a sum")
async def total(first: int, *others: int) -> int:
    return first + sum(others)


@workflow.defn
async def pair(name: Order, number: int) -> tuple[Order, int]:
    return name, number


@workflow.defn
async def nothing() -> None:
    return None


async def results_are_those_of_the_workflow(runtime: Runtime) -> None:
    assert_type(await runtime.start_workflow(Greeter.run, 3), WorkflowHandle[bytes])
    assert_type(await runtime.start_workflow(Greeter.run), WorkflowHandle[bytes])
    assert_type(await runtime.start_workflow(Porter.carry, "Bo", 1, 2.5), WorkflowHandle[float])
    assert_type(await runtime.start_workflow(Sleeper.run), WorkflowHandle[None])
    assert_type(await runtime.start_workflow(Shop.run, Order("tea"), 2, None), WorkflowHandle[list[Order]])
    assert_type(await runtime.start_workflow(greeting, "Ada"), WorkflowHandle[int])
    assert_type(await runtime.start_workflow(total, 1), WorkflowHandle[int])
    assert_type(await runtime.start_workflow(total, 1, 2, 3, 4), WorkflowHandle[int])
    assert_type(await runtime.start_workflow(pair, Order("tea"), 1), WorkflowHandle[tuple[Order, int]])
    assert_type(await runtime.start_workflow(nothing), WorkflowHandle[None])
    assert_type(await runtime.start_workflow(nothing, id="x", request_id=None), WorkflowHandle[None])
    assert_type(await runtime.execute_workflow(Greeter.run, id="x", request_id="click-41"), bytes)
    assert_type(await runtime.start_workflow(Greeter.run, identity="ada"), WorkflowHandle[bytes])
    assert_type(runtime.get_workflow_handle("x", identity="ada", result_type=bytes), WorkflowHandle[bytes])
    assert_type(await runtime.start_workflow(Greeter, 3), WorkflowHandle[Any])
    assert_type(await runtime.start_workflow("Greeter", 3), WorkflowHandle[Any])
    assert_type(await runtime.execute_workflow(Greeter.run), bytes)
    assert_type(await runtime.execute_workflow(Porter.carry, "Bo"), float)
    assert_type(await runtime.execute_workflow(Sleeper.run), None)
    assert_type(await runtime.execute_workflow(Shop.run, Order("tea"), 2, "a note"), list[Order])
    assert_type(await runtime.execute_workflow(greeting, "Ada"), int)
    assert_type(await runtime.execute_workflow(total, 1, 2), int)
    assert_type(await runtime.execute_workflow(pair, Order("tea"), 1), tuple[Order, int])
    assert_type(await runtime.execute_workflow(nothing), None)
    assert_type(await runtime.execute_workflow(Greeter), Any)
    assert_type(await runtime.execute_workflow("Greeter"), Any)


async def handles_give_the_results_of_their_workflow(runtime: Runtime) -> None:
    handle = await runtime.start_workflow(Greeter.run)
    assert_type(await handle.result(), bytes)
    assert_type(handle.result().get(timeout=1), bytes)
    assert_type(await runtime.get_workflow_handle("greeter").result(), Any)
    assert_type(await runtime.get_workflow_handle("greeter", result_type=bytes).result(), bytes)


async def a_function_workflow_is_called_as_the_function_it_is() -> None:
    assert_type(await greeting("Ada"), int)
    assert_type(await pair(Order("tea"), number=1), tuple[Order, int])
    assert_type(await asyncio.create_task(total(1, 2)), int)
    assert_type(await asyncio.gather(greeting("Ada"), nothing()), tuple[int, None])
    assert_type(await workflow.wait_for(greeting("Ada"), 5), int)
    assert_type(asyncio.run(greeting("Ada")), int)
    await greeting(1)  # type: ignore[arg-type]
    await greeting()  # type: ignore[call-arg]


def a_function_workflow_of_any_arguments_takes_all(
    runtime: Runtime, of_any: workflow.FunctionWorkflow[..., int]
) -> None:
    assert_type(runtime.execute_workflow(of_any, 1, "a"), Future[int])
    called: Coroutine[Any, Any, int] = of_any(1, a=2)
    del called


def every_start_takes_every_option(runtime: Runtime) -> None:
    runtime.start_workflow(
        Greeter.run,
        3,
        id="greeter",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        run_timeout=0.5,
        execution_timeout=timedelta(seconds=1),
    )
    runtime.start_workflow(greeting, "Ada", id=None, run_timeout=None, execution_timeout=None)
    runtime.start_workflow("Greeter", id="greeter", run_timeout=1)
    runtime.execute_workflow(Greeter.run, id="greeter", execution_timeout=1)
    runtime.execute_workflow(greeting, "Ada", id="greeting", run_timeout=timedelta(days=1))
    runtime.execute_workflow(Greeter, id_conflict_policy=WorkflowIDConflictPolicy.FAIL)


def arguments_of_another_type_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Greeter.run, "Ada")  # type: ignore[arg-type]
    runtime.start_workflow(Greeter.run, id="x", request_id=41)  # type: ignore[call-overload, call-arg]
    runtime.start_workflow(Porter.carry, "Bo", 1, "2")  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(Porter.carry, 1)  # type: ignore[arg-type]
    runtime.start_workflow(Shop.run, "tea", 2, None)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(Shop.run, Order("tea"), 2, 3)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(greeting, 1)  # type: ignore[arg-type]
    runtime.start_workflow(total, 1, "2")  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(total, 1, 2, "3")  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(pair, 1, Order("tea"))  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(Greeter.run, "Ada")  # type: ignore[arg-type]
    runtime.execute_workflow(Porter.carry, "Bo", "2")  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(Shop.run, Order("tea"), None, None)  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(greeting, b"Ada")  # type: ignore[arg-type]
    runtime.execute_workflow(total, "1")  # type: ignore[arg-type]
    runtime.execute_workflow(pair, Order("tea"), "1")  # type: ignore[arg-type, call-arg]


def too_many_arguments_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Greeter.run, 1, 2)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(Sleeper.run, 1)  # type: ignore[arg-type]
    runtime.start_workflow(Shop.run, Order("tea"), 2, None, 4)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(greeting, "Ada", "Bo")  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(nothing, 1)  # type: ignore[arg-type]
    runtime.execute_workflow(Greeter.run, 1, 2)  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(Sleeper.run, None)  # type: ignore[arg-type]
    runtime.execute_workflow(pair, Order("tea"), 1, 2)  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(nothing, None)  # type: ignore[arg-type]


def too_few_arguments_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Porter.carry)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(Shop.run, Order("tea"), 2)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(greeting)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(total)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(pair, Order("tea"))  # type: ignore[arg-type]
    runtime.start_workflow(pair, 1)  # type: ignore[arg-type]
    runtime.execute_workflow(Porter.carry)  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(Shop.run)  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(greeting)  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(pair, 1)  # type: ignore[arg-type]


def an_instance_is_no_argument_of_a_method(runtime: Runtime, greeter: Greeter, porter: Porter) -> None:
    runtime.start_workflow(Greeter.run, greeter)  # type: ignore[arg-type]
    runtime.start_workflow(Greeter.run, greeter, 3)  # type: ignore[arg-type, call-arg]
    runtime.start_workflow(Porter.carry, porter, "Bo")  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(Greeter.run, greeter, 3)  # type: ignore[arg-type, call-arg]
    runtime.execute_workflow(Porter.carry, porter, "Bo", 1)  # type: ignore[arg-type, call-arg]


def what_is_no_workflow_is_refused(runtime: Runtime) -> None:
    runtime.start_workflow(3)  # type: ignore[call-overload]
    runtime.start_workflow(None)  # type: ignore[call-overload]
    runtime.start_workflow(greeting("Ada"))  # type: ignore[call-overload]
    runtime.start_workflow(len, "Ada")  # type: ignore[arg-type]
    runtime.start_workflow()  # type: ignore[call-overload]
    runtime.execute_workflow(3)  # type: ignore[call-overload]
    runtime.execute_workflow(Sleeper())  # type: ignore[call-overload]
    runtime.execute_workflow(len, "Ada")  # type: ignore[arg-type]


def arguments_of_the_workflow_by_keyword_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(greeting, name="Ada")  # type: ignore[call-overload]
    runtime.start_workflow("Greeter", most=3)  # type: ignore[call-overload]
    runtime.start_workflow(Shop.run, Order("tea"), 2, None, extra=1)  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter.run, most=3)  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter, most=3)  # type: ignore[call-overload]


def options_that_there_are_not_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Greeter.run, workflow_id="greeter")  # type: ignore[call-overload]
    runtime.start_workflow(greeting, "Ada", workflow_id="greeting")  # type: ignore[call-overload]
    runtime.start_workflow("Greeter", workflow_id="greeter")  # type: ignore[call-overload]
    runtime.start_workflow(Greeter, workflow_id="greeter")  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter.run, timeout=3)  # type: ignore[call-overload]
    runtime.execute_workflow(greeting, "Ada", timeout=3)  # type: ignore[call-overload]
    runtime.execute_workflow("Greeter", timeout=3)  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter, timeout=3)  # type: ignore[call-overload]


def options_of_another_type_are_refused(runtime: Runtime) -> None:
    runtime.start_workflow(Greeter.run, 3, id=3)  # type: ignore[call-overload]
    runtime.start_workflow(Greeter.run, 3, id_conflict_policy=None)  # type: ignore[call-overload]
    runtime.start_workflow(greeting, "Ada", run_timeout="1 s")  # type: ignore[call-overload]
    runtime.start_workflow(Greeter, id_reuse_policy=1)  # type: ignore[call-arg, call-overload]
    runtime.execute_workflow("Greeter", id_conflict_policy="fail")  # type: ignore[call-overload]
    runtime.execute_workflow(Greeter.run, 3, id_reuse_policy=WorkflowIDConflictPolicy.FAIL)  # type: ignore[call-overload]
    runtime.execute_workflow(greeting, "Ada", execution_timeout="1 s")  # type: ignore[call-overload]


async def results_of_another_type_are_refused(runtime: Runtime) -> None:
    by_method: str = await runtime.execute_workflow(Greeter.run, 3)  # type: ignore[arg-type]
    by_function: str = await runtime.execute_workflow(greeting, "Ada")  # type: ignore[arg-type]
    handle: WorkflowHandle[str] = await runtime.start_workflow(Greeter.run)  # type: ignore[arg-type, call-arg]
    of_function: WorkflowHandle[str] = await runtime.start_workflow(greeting, "Ada")  # type: ignore[arg-type]
    by_type: str = await runtime.get_workflow_handle("greeter", result_type=bytes).result()  # type: ignore[assignment]
    del by_method, by_function, handle, of_function, by_type


def what_cannot_be_a_workflow_is_refused() -> None:
    @workflow.defn  # type: ignore[arg-type]
    def waits_for_nothing() -> int:
        return 1

    @workflow.defn(name="waits for nothing")  # type: ignore[arg-type]
    def waits_for_nothing_either() -> int:
        return 1


@workflow.defn(dynamic=True)
class Interpreter:
    """A workflow that runs every type."""

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> int:
        assert_type(workflow.payload_converter().decode(args[0].payload, int), Any)
        return len(args)


@workflow.defn(dynamic=True)
async def interpret(args: Sequence[RawValue]) -> int:
    return len(args)


workflow.defn(dynamic="yes")  # type: ignore[call-overload]


@workflow.defn(name="interface")
class Interface(ABC):
    """What callers know of a workflow."""

    @workflow.run
    @abstractmethod
    async def run(self, name: str) -> int: ...


@workflow.defn(name="protocol")
class Spoken(Protocol):
    """What callers know of another."""

    @workflow.run
    async def run(self, name: str) -> int: ...


def an_interface_is_started_with_its_types(runtime: Runtime) -> None:
    assert_type(runtime.start_workflow(Interface.run, "a"), Future[WorkflowHandle[int]])
    assert_type(runtime.execute_workflow(Spoken.run, "a"), Future[int])
    runtime.start_workflow(Interface.run, 1)  # type: ignore[arg-type]
    runtime.execute_workflow(Spoken.run, 1)  # type: ignore[arg-type]


async def the_instance_is_what_it_is_declared_to_be() -> None:
    greeter: Greeter = workflow.instance()
    assert_type(await greeter.run(1), bytes)
    assert_type(workflow.in_workflow(), bool)


def several_are_waited_for_with_their_types(runtime: Runtime) -> None:
    futures = [runtime.execute_workflow(Greeter.run, number) for number in range(3)]
    assert_type(wait_first(futures), Future[Future[bytes]])
    assert_type(wait_first(futures).get(timeout=5).get(), bytes)
    assert_type(wait_all(futures).get(), list[bytes])
    assert_type(wait_all(futures, return_exceptions=True).get(), list[bytes | BaseException])
    wait_first([1])  # type: ignore[arg-type]


async def several_are_awaited_with_their_types(runtime: Runtime) -> None:
    handles = [await runtime.start_workflow(Greeter.run, number) for number in range(3)]
    assert_type(await wait_first(each.result() for each in handles), Future[bytes])
    assert_type(await wait_all(each.result() for each in handles), list[bytes])
