"""What type checkers make of signals. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from greenroom import Future, WorkflowHandle, workflow


@workflow.defn
class Shop:
    """A workflow with signals."""

    @workflow.run
    async def run(self) -> None:
        """Sells."""

    @workflow.signal
    def close(self) -> None:
        """Takes nothing."""

    @workflow.signal
    async def buy(self, item: str, most: int = 3) -> None:
        """Waits."""

    @workflow.signal(name="the prices")
    def price(self, item: str, *cents: int) -> None:
        """Takes as much as it is given."""

    @workflow.query
    def total(self) -> int:
        return 0

    @workflow.query
    def items(self, most: int) -> list[str]:
        return [""] * most

    @workflow.update
    async def drop(self, item: str) -> str:
        return item


def a_signal_gives_nothing(handle: WorkflowHandle[int]) -> None:
    assert_type(handle.signal(Shop.close), Future[None])
    assert_type(handle.signal(Shop.buy, "tea"), Future[None])
    assert_type(handle.signal(Shop.buy, "tea", 1), Future[None])
    assert_type(handle.signal(Shop.price, "tea"), Future[None])
    assert_type(handle.signal(Shop.price, "tea", 1, 2, 3), Future[None])
    assert_type(handle.signal("the prices", "tea", 1, 2, 3), Future[None])
    assert_type(handle.signal("close"), Future[None])
    assert_type(handle.signal("close").get(timeout=1), None)
    assert_type(handle.signal(Shop.buy, "tea", 1, idempotency_key="order-7"), Future[None])
    assert_type(handle.signal("close", idempotency_key=None), Future[None])
    assert_type(handle.signal(Shop.buy, "tea", 1, delay=timedelta(hours=1)), Future[None])
    assert_type(handle.signal("close", delay=0.5), Future[None])
    handle.signal(Shop.buy, "tea", idempotency_key=7)  # type: ignore[call-overload]
    handle.signal(Shop.buy, "tea", 1, delay="soon")  # type: ignore[call-overload, call-arg]


async def it_takes_the_same_in_a_workflow() -> None:
    other = workflow.get_external_workflow_handle("shop", run_id=None)
    assert_type(other, workflow.ExternalWorkflowHandle)
    assert_type(await other.signal(Shop.close), None)
    assert_type(await other.signal(Shop.buy, "tea"), None)
    assert_type(await other.signal(Shop.buy, "tea", 1), None)
    assert_type(await other.signal(Shop.price, "tea", 1, 2, 3), None)
    assert_type(await other.signal("the prices", "tea", 1, 2, 3), None)
    assert_type(await other.signal("close"), None)


def arguments_that_do_not_fit_are_refused(handle: WorkflowHandle[Any], shop: Shop) -> None:
    handle.signal(Shop.close, 1)  # type: ignore[arg-type]
    handle.signal(Shop.buy)  # type: ignore[arg-type, call-arg]
    handle.signal(Shop.buy, 1)  # type: ignore[arg-type]
    handle.signal(Shop.buy, "tea", "most")  # type: ignore[arg-type, call-arg]
    handle.signal(Shop.buy, "tea", 1, 2)  # type: ignore[arg-type, call-arg]
    handle.signal(Shop.buy, shop, "tea")  # type: ignore[arg-type, call-arg]
    handle.signal(Shop.price)  # type: ignore[arg-type, call-arg]
    handle.signal(Shop.price, "tea", 1, "2")  # type: ignore[arg-type, call-arg]


async def they_are_refused_in_a_workflow(shop: Shop) -> None:
    other = workflow.get_external_workflow_handle("shop")
    await other.signal(Shop.close, 1)  # type: ignore[arg-type]
    await other.signal(Shop.buy)  # type: ignore[arg-type, call-arg]
    await other.signal(Shop.buy, 1)  # type: ignore[arg-type]
    await other.signal(Shop.buy, "tea", "most")  # type: ignore[arg-type, call-arg]
    await other.signal(Shop.buy, "tea", 1, 2)  # type: ignore[arg-type, call-arg]
    await other.signal(Shop.buy, shop, "tea")  # type: ignore[arg-type, call-arg]
    await other.signal(Shop.price)  # type: ignore[arg-type, call-arg]
    await other.signal(Shop.price, "tea", 1, "2")  # type: ignore[arg-type, call-arg]


async def keywords_are_refused(handle: WorkflowHandle[Any]) -> None:
    other = workflow.get_external_workflow_handle("shop")
    handle.signal(Shop.buy, item="tea")  # type: ignore[call-overload]
    handle.signal(Shop.buy, "tea", most=1)  # type: ignore[call-overload]
    handle.signal("buy", "tea", most=1)  # type: ignore[call-overload]
    handle.signal(signal="buy")  # type: ignore[call-overload]
    await other.signal(Shop.buy, "tea", most=1)  # type: ignore[call-overload]
    await other.signal("buy", item="tea")  # type: ignore[call-overload]
    workflow.get_external_workflow_handle("shop", "run")  # type: ignore[call-arg]
    workflow.get_external_workflow_handle("shop", id="run")  # type: ignore[call-arg]


async def what_is_no_signal_is_refused(handle: WorkflowHandle[Any]) -> None:
    other = workflow.get_external_workflow_handle("shop")
    handle.signal()  # type: ignore[call-overload]
    handle.signal(7)  # type: ignore[call-overload]
    handle.signal(None)  # type: ignore[call-overload]
    handle.signal(Shop.total)  # type: ignore[arg-type, call-arg]
    handle.signal(Shop.items, 1)  # type: ignore[arg-type]
    handle.signal(Shop.drop, "tea")  # type: ignore[arg-type]
    await other.signal()  # type: ignore[call-overload]
    await other.signal(7)  # type: ignore[call-overload]
    await other.signal(Shop.total)  # type: ignore[arg-type, call-arg]
    await other.signal(Shop.items, 1)  # type: ignore[arg-type]
    await other.signal(Shop.drop, "tea")  # type: ignore[arg-type]


async def results_are_refused(handle: WorkflowHandle[Any]) -> None:
    by_reference: Future[int] = handle.signal(Shop.close)  # type: ignore[assignment]
    by_name: Future[int] = handle.signal("close")  # type: ignore[assignment]
    del by_reference, by_name
