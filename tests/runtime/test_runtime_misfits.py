"""An argument that does not fit is refused with the name of what was called and of the parameter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from greenroom import Future, PayloadDecodeError, WorkflowHandle, WorkflowQueryFailedError, workflow
from greenroom import WorkflowUpdateFailedError as UpdateFailed
from greenroom.testing import TestRuntime

TEXT: Any = "much"


@workflow.defn(name="misfits")
class Priced:
    def __init__(self) -> None:
        self.prices: dict[str, int] = {}

    @workflow.run
    async def run(self, most: int) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def note(self, what: str, cents: int) -> None:
        self.prices[what] = cents

    @workflow.update
    def price(self, what: str, cents: int) -> int:
        self.prices[what] = cents
        return sum(self.prices.values())

    @workflow.query
    def cheaper(self, cents: int) -> list[str]:
        return [what for what, price in self.prices.items() if price < cents]


def priced(runtime: TestRuntime) -> WorkflowHandle[None]:
    return runtime.start_workflow(Priced.run, 10, id="it").get()


CALLS: list[tuple[Callable[[WorkflowHandle[None]], Future[Any]], str]] = [
    (lambda run: run.signal(Priced.note, "tea", TEXT), "signal 'note' cannot take its argument 'cents'"),
    (lambda run: run.execute_update(Priced.price, "tea", TEXT), "update 'price' cannot take its argument 'cents'"),
    (lambda run: run.query(Priced.cheaper, TEXT), "query 'cheaper' cannot take its argument 'cents'"),
]


@pytest.mark.parametrize(("call", "told"), CALLS)
def test_a_message_is_refused_at_the_call_with_its_name_and_that_of_the_parameter(
    call: Callable[[WorkflowHandle[None]], Future[Any]], told: str
) -> None:
    with TestRuntime(workflows=[Priced]) as runtime:
        run = priced(runtime)
        with pytest.raises(PayloadDecodeError) as refused:
            call(run)

    assert refused.value.reason.startswith(f"{told}: a str where int is annotated; ")


def test_a_start_is_refused_with_the_name_of_the_workflow_and_of_the_parameter() -> None:
    with TestRuntime(workflows=[Priced]) as runtime, pytest.raises(PayloadDecodeError) as refused:
        runtime.start_workflow(Priced.run, TEXT)

    told = "args[0]: workflow 'misfits' cannot take its argument 'most': a str where int is annotated; "
    assert str(refused.value).startswith(told)


@workflow.defn(name="misfits.begins")
async def begins(how: str) -> str:
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "child": lambda: workflow.start_child_workflow(Priced.run, TEXT),
        "detached": lambda: workflow.signal_with_start(
            Priced.run, TEXT, id="it", signal=Priced.note, signal_args=["tea", 1]
        ),
    }
    try:
        if how == "again":
            workflow.continue_as_new(TEXT, workflow=Priced.run)
        await calls[how]()
    except PayloadDecodeError as error:
        return str(error)
    return "taken"


@pytest.mark.parametrize("how", ["child", "detached", "again"])
def test_a_start_by_a_workflow_is_refused_with_the_name_of_the_workflow_and_of_the_parameter(how: str) -> None:
    with TestRuntime(workflows=[Priced, begins]) as runtime:
        told = runtime.execute_workflow(begins, how).get()

    assert told.startswith(
        "args[0]: workflow 'misfits' cannot take its argument 'most': a str where int is annotated; "
    )


def test_by_name_the_handler_refuses_with_the_name_of_the_parameter() -> None:
    with TestRuntime(workflows=[Priced]) as runtime:
        run = priced(runtime)
        with pytest.raises(
            UpdateFailed, match=r"'price'.* its handler cannot take its argument 'cents': a str where int"
        ):
            run.execute_update("price", "tea", TEXT).get()
        with pytest.raises(WorkflowQueryFailedError, match=r"'cheaper'.* its handler cannot take its argument 'cents'"):
            run.query("cheaper", TEXT).get()
