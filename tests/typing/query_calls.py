"""What type checkers make of queries. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, assert_type

from greenroom import Future, QueryRejectCondition, WorkflowHandle, workflow

NOT_OPEN = QueryRejectCondition.NOT_OPEN


@workflow.defn
class Shop:
    """A workflow with queries."""

    @workflow.run
    async def run(self) -> None:
        """Sells."""

    @workflow.query
    def total(self) -> int:
        return 0

    @workflow.query(name="the items")
    def items(self, most: int = 3, prefix: str = "") -> list[str]:
        return [prefix] * most

    @workflow.query(description="what some cost")
    def prices(self, first: str, *others: str) -> dict[str, int] | None:
        return dict.fromkeys((first, *others), 0)


async def answers_are_those_of_the_handler(handle: WorkflowHandle[None]) -> None:
    assert_type(await handle.query(Shop.total), int)
    assert_type(await handle.query(Shop.items), list[str])
    assert_type(await handle.query(Shop.items, 1), list[str])
    assert_type(await handle.query(Shop.items, 1, "t"), list[str])
    assert_type(await handle.query(Shop.prices, "tea"), dict[str, int] | None)
    assert_type(await handle.query(Shop.prices, "tea", "milk", "rum"), dict[str, int] | None)
    assert_type(await handle.query(Shop.total, reject_condition=NOT_OPEN), int)
    assert_type(await handle.query("total", result_type=int), int)
    assert_type(await handle.query("total", 1, result_type=list[int], reject_condition=NOT_OPEN), list[int])
    assert_type(await handle.query("the items", 1, 2, 3), Any)
    assert_type(handle.query(Shop.total).get(timeout=1), int)


def arguments_that_do_not_fit_are_refused(handle: WorkflowHandle[None], shop: Shop) -> None:
    handle.query(Shop.items, "one")  # type: ignore[arg-type]
    handle.query(Shop.items, 1, 2)  # type: ignore[arg-type, call-arg]
    handle.query(Shop.items, 1, "t", 3)  # type: ignore[arg-type, call-arg]
    handle.query(Shop.items, shop, 1)  # type: ignore[arg-type, call-arg]
    handle.query(Shop.total, 1)  # type: ignore[arg-type]
    handle.query(Shop.total, shop)  # type: ignore[arg-type]
    handle.query(Shop.prices)  # type: ignore[arg-type, call-arg]
    handle.query(Shop.prices, "tea", 1)  # type: ignore[arg-type, call-arg]


def options_that_there_are_not_are_refused(handle: WorkflowHandle[None]) -> None:
    handle.query(Shop.items, most=1)  # type: ignore[call-overload]
    handle.query(Shop.total, reject=NOT_OPEN)  # type: ignore[call-overload]
    handle.query("total", reject=NOT_OPEN)  # type: ignore[call-overload]
    handle.query("total", result_type=int, timeout=1)  # type: ignore[call-overload]
    handle.query(Shop.total, result_type=int)  # type: ignore[call-overload]


def options_of_another_type_are_refused(handle: WorkflowHandle[None]) -> None:
    handle.query(Shop.total, reject_condition=2)  # type: ignore[call-arg, call-overload]
    handle.query(Shop.total, reject_condition=None)  # type: ignore[call-arg, call-overload]
    handle.query("total", reject_condition="not open")  # type: ignore[call-overload]
    handle.query("total", result_type="int")  # type: ignore[call-overload]


def what_is_no_query_is_refused(handle: WorkflowHandle[None], shop: Shop) -> None:
    handle.query()  # type: ignore[call-overload]
    handle.query(7)  # type: ignore[call-overload]
    handle.query(None)  # type: ignore[call-overload]
    handle.query(shop.total())  # type: ignore[call-overload]
    handle.query(shop)  # type: ignore[call-overload]


async def answers_of_another_type_are_refused(handle: WorkflowHandle[None]) -> None:
    by_reference: str = await handle.query(Shop.total)  # type: ignore[arg-type, call-arg]
    by_name: str = await handle.query("total", result_type=int)  # type: ignore[arg-type]
    future: Future[str] = handle.query(Shop.total)  # type: ignore[arg-type, call-arg]
    del by_reference, by_name, future
