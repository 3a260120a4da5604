"""What type checkers make of updates. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, assert_type

from greenroom import (
    HandlerUnfinishedPolicy,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
    workflow,
)

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

    @workflow.update
    def close(self) -> None:
        """Takes nothing, and returns nothing."""

    @workflow.update(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def fill(self, item: str, *counts: int) -> dict[str, int]:
        return {item: sum(counts)}

    @fill.validator  # type: ignore[arg-type]
    def waiting(self, item: str, *counts: int) -> bool:
        """Gives something."""
        return True


async def results_are_those_of_the_handler(handle: WorkflowHandle[None]) -> None:
    assert_type(await handle.execute_update(Shop.buy, "tea"), int)
    assert_type(await handle.execute_update(Shop.drop, "tea"), list[str])
    assert_type(await handle.execute_update(Shop.drop, "tea", 2, id="u"), list[str])
    assert_type(await handle.execute_update(Shop.close), None)
    assert_type(await handle.execute_update(Shop.fill, "tea", 1, 2, 3), dict[str, int])
    assert_type(await handle.execute_update("buy", "tea", result_type=int), int)
    assert_type(await handle.execute_update("drop it", "tea", 2), Any)
    assert_type(handle.execute_update(Shop.buy, "tea").get(timeout=1), int)
    started = await handle.start_update(Shop.buy, "tea", wait_for_stage=ACCEPTED)
    assert_type(started, WorkflowUpdateHandle[int])
    assert_type(await started.result(), int)
    assert_type(await handle.start_update(Shop.drop, "tea", wait_for_stage=ACCEPTED), WorkflowUpdateHandle[list[str]])
    assert_type(await handle.start_update(Shop.close, wait_for_stage=ACCEPTED, id="u"), WorkflowUpdateHandle[None])
    assert_type(
        await handle.start_update(Shop.fill, "tea", 1, 2, wait_for_stage=ACCEPTED), WorkflowUpdateHandle[dict[str, int]]
    )
    by_name = await handle.start_update("buy", "tea", wait_for_stage=ACCEPTED, result_type=int)
    assert_type(by_name, WorkflowUpdateHandle[int])
    assert_type(await handle.start_update("buy", "tea", wait_for_stage=ACCEPTED), WorkflowUpdateHandle[Any])


def handles_are_those_of_the_handler(handle: WorkflowHandle[None]) -> None:
    assert_type(handle.get_update_handle("u", result_type=int), WorkflowUpdateHandle[int])
    assert_type(handle.get_update_handle("u"), WorkflowUpdateHandle[Any])
    assert_type(handle.get_update_handle_for(Shop.buy, "u"), WorkflowUpdateHandle[int])
    assert_type(handle.get_update_handle_for(Shop.drop, id="u"), WorkflowUpdateHandle[list[str]])
    handle.get_update_handle_for("buy", "u")  # type: ignore[call-overload]
    handle.get_update_handle_for(Shop.buy)  # type: ignore[call-overload]
    handle.get_update_handle_for(Shop.buy, 1)  # type: ignore[call-overload]
    handle.get_update_handle(1)  # type: ignore[call-overload]
    handle.get_update_handle("u", result_type="int")  # type: ignore[call-overload]


def arguments_that_do_not_fit_are_refused(handle: WorkflowHandle[None], shop: Shop) -> None:
    handle.execute_update(Shop.buy, 1)  # type: ignore[arg-type]
    handle.execute_update(Shop.buy)  # type: ignore[arg-type, call-arg]
    handle.execute_update(Shop.buy, "tea", 1)  # type: ignore[arg-type, call-arg]
    handle.execute_update(Shop.buy, shop, "tea")  # type: ignore[arg-type, call-arg]
    handle.execute_update(Shop.drop, "tea", "most")  # type: ignore[arg-type, call-arg]
    handle.execute_update(Shop.close, 1)  # type: ignore[arg-type]
    handle.execute_update(Shop.fill)  # type: ignore[arg-type, call-arg]
    handle.execute_update(Shop.fill, "tea", 1, "2")  # type: ignore[arg-type, call-arg]
    handle.start_update(Shop.buy, 1, wait_for_stage=ACCEPTED)  # type: ignore[arg-type]
    handle.start_update(Shop.buy, wait_for_stage=ACCEPTED)  # type: ignore[arg-type, call-arg]
    handle.start_update(Shop.drop, "tea", 1, 2, wait_for_stage=ACCEPTED)  # type: ignore[arg-type, call-arg]
    handle.start_update(Shop.drop, shop, "tea", wait_for_stage=ACCEPTED)  # type: ignore[arg-type, call-arg]
    handle.start_update(Shop.close, None, wait_for_stage=ACCEPTED)  # type: ignore[arg-type]
    handle.start_update(Shop.fill, "tea", "1", wait_for_stage=ACCEPTED)  # type: ignore[arg-type, call-arg]


def options_that_there_are_not_are_refused(handle: WorkflowHandle[None]) -> None:
    handle.execute_update(Shop.buy, "tea", update_id="u")  # type: ignore[call-overload]
    handle.execute_update(Shop.buy, item="tea")  # type: ignore[call-overload]
    handle.execute_update(Shop.buy, "tea", result_type=int)  # type: ignore[call-overload]
    handle.execute_update("buy", "tea", update_id="u")  # type: ignore[call-overload]
    handle.execute_update(Shop.buy, "tea", wait_for_stage=ACCEPTED)  # type: ignore[call-overload]
    handle.start_update(Shop.buy, "tea")  # type: ignore[call-overload]
    handle.start_update("buy", "tea")  # type: ignore[call-overload]
    handle.start_update(Shop.buy, "tea", stage=ACCEPTED)  # type: ignore[call-overload]
    handle.start_update("buy", "tea", wait_for_stage=ACCEPTED, timeout=1)  # type: ignore[call-overload]


def options_of_another_type_are_refused(handle: WorkflowHandle[None]) -> None:
    handle.execute_update(Shop.buy, "tea", id=1)  # type: ignore[call-overload]
    handle.execute_update("buy", "tea", result_type="int")  # type: ignore[call-overload]
    handle.start_update(Shop.buy, "tea", wait_for_stage=2)  # type: ignore[call-overload]
    handle.start_update(Shop.close, wait_for_stage="accepted")  # type: ignore[call-arg, call-overload]
    handle.start_update("buy", "tea", wait_for_stage=None)  # type: ignore[call-overload]


def what_is_no_update_is_refused(handle: WorkflowHandle[None], shop: Shop) -> None:
    handle.execute_update()  # type: ignore[call-overload]
    handle.execute_update(7)  # type: ignore[call-overload]
    handle.execute_update(shop)  # type: ignore[call-overload]
    handle.start_update(None, wait_for_stage=ACCEPTED)  # type: ignore[call-overload]
    handle.start_update(wait_for_stage=ACCEPTED)  # type: ignore[call-overload]


async def results_of_another_type_are_refused(handle: WorkflowHandle[None]) -> None:
    waiting: str = await handle.execute_update(Shop.buy, "tea")  # type: ignore[arg-type]
    at_once: str = await handle.execute_update(Shop.drop, "tea")  # type: ignore[arg-type]
    by_name: str = await handle.execute_update("buy", "tea", result_type=int)  # type: ignore[arg-type]
    started: WorkflowUpdateHandle[str] = await handle.start_update(Shop.buy, "tea", wait_for_stage=ACCEPTED)  # type: ignore[arg-type]
    del waiting, at_once, by_name, started


def why_an_update_failed_is_known(error: WorkflowUpdateFailedError) -> None:
    is_rejected: bool = error.is_rejected
    is_bug: bool = error.is_bug
    code: int = error.is_bug.code  # type: ignore[attr-defined]
    del is_rejected, is_bug, code
