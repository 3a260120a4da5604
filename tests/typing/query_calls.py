"""What type checkers make of queries. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, assert_type

from greenroom import QueryRejectCondition, WorkflowHandle, workflow


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


async def answers_are_those_of_the_handler(handle: WorkflowHandle[None]) -> None:
    assert_type(await handle.query(Shop.total), int)
    assert_type(await handle.query(Shop.items), list[str])
    assert_type(await handle.query(Shop.items, 1, "t"), list[str])
    assert_type(await handle.query(Shop.total, reject_condition=QueryRejectCondition.NOT_OPEN), int)
    assert_type(await handle.query("total", result_type=int), int)
    assert_type(await handle.query("the items", 1, 2, 3), Any)
    assert_type(handle.query(Shop.total).get(timeout=1), int)


def arguments_are_those_of_the_handler(handle: WorkflowHandle[None]) -> None:
    handle.query(Shop.items, "one")  # type: ignore[arg-type]
    handle.query(Shop.total, 1)  # type: ignore[arg-type]
    handle.query(Shop.total, reject_condition=2)  # type: ignore[call-arg, call-overload]
    handle.query(Shop.total, most=1)  # type: ignore[call-overload]
    handle.query(7)  # type: ignore[call-overload]
