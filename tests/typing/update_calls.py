"""What type checkers make of updates. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, assert_type

from greenroom import WorkflowHandle, WorkflowUpdateHandle, WorkflowUpdateStage, workflow

ACCEPTED = WorkflowUpdateStage.ACCEPTED


@workflow.defn
class Shop:
    """A workflow with updates."""

    @workflow.run
    async def run(self) -> None:
        assert_type(await self.buy("tea"), int)
        assert_type(self.drop("tea", 1), list[str])
        self.drop(1)  # type: ignore[arg-type]

    @workflow.update
    async def buy(self, item: str) -> int:
        return len(item)

    @buy.validator
    def check(self, item: str) -> None:
        """Looks at it."""

    @workflow.update(name="drop it")
    def drop(self, item: str, most: int = 3) -> list[str]:
        return [item] * most

    @drop.validator  # type: ignore[arg-type]
    def misfit(self, item: int) -> None:
        """Takes something else than the update."""


async def results_are_those_of_the_handler(handle: WorkflowHandle[None]) -> None:
    assert_type(await handle.execute_update(Shop.buy, "tea"), int)
    assert_type(await handle.execute_update(Shop.drop, "tea"), list[str])
    assert_type(await handle.execute_update(Shop.drop, "tea", 2, id="u"), list[str])
    assert_type(await handle.execute_update("buy", "tea", result_type=int), int)
    assert_type(await handle.execute_update("drop it", "tea", 2), Any)
    started = await handle.start_update(Shop.buy, "tea", wait_for_stage=ACCEPTED)
    assert_type(started, WorkflowUpdateHandle[int])
    assert_type(await started.result(), int)
    assert_type(await handle.start_update(Shop.drop, "tea", wait_for_stage=ACCEPTED), WorkflowUpdateHandle[list[str]])
    assert_type(handle.get_update_handle("u", result_type=int), WorkflowUpdateHandle[int])
    assert_type(handle.get_update_handle("u"), WorkflowUpdateHandle[Any])
    assert_type(handle.get_update_handle_for(Shop.buy, "u"), WorkflowUpdateHandle[int])
    assert_type(handle.get_update_handle_for(Shop.drop, id="u"), WorkflowUpdateHandle[list[str]])
    handle.get_update_handle_for("buy", "u")  # type: ignore[call-overload]


def arguments_are_those_of_the_handler(handle: WorkflowHandle[None]) -> None:
    handle.execute_update(Shop.buy, 1)  # type: ignore[arg-type]
    handle.execute_update(Shop.buy)  # type: ignore[call-arg, arg-type]
    handle.start_update(Shop.buy, "tea")  # type: ignore[call-overload]
    handle.start_update(Shop.buy, 1, wait_for_stage=ACCEPTED)  # type: ignore[arg-type]
