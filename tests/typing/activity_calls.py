"""What type checkers make of calls of activities. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from greenroom import RetryPolicy, activity, workflow
from greenroom.runtime.workflow import ActivityHandle


@activity.defn
def charge(order: str, cents: int = 1) -> bytes:
    return order.encode() * cents


@activity.defn
async def ship(order: str) -> int:
    return len(order)


class Shop:
    """A class with activities."""

    @activity.defn
    def pack(self, item: str, count: int = 1) -> bytes:
        return item.encode() * count

    @activity.defn
    async def send(self, item: str) -> int:
        return len(item)


async def results_are_those_of_the_activity(shop: Shop) -> None:
    assert_type(workflow.start_activity(charge, "a"), ActivityHandle[bytes])
    assert_type(workflow.start_activity(ship, "a"), ActivityHandle[int])
    assert_type(workflow.start_activity(shop.pack, "a", 2), ActivityHandle[bytes])
    assert_type(workflow.start_activity("charge", "a", 2, result_type=bytes), ActivityHandle[bytes])
    assert_type(workflow.start_activity("charge", "a", 2), ActivityHandle[Any])
    assert_type(await workflow.execute_activity(charge, "a", 2), bytes)
    assert_type(await workflow.execute_activity(ship, "a"), int)
    assert_type(await workflow.execute_activity("charge", "a", result_type=bytes), bytes)
    assert_type(await workflow.execute_activity("charge", "a"), Any)
    assert_type(workflow.start_activity_method(Shop.pack, "a"), ActivityHandle[bytes])
    assert_type(workflow.start_activity_method(Shop.send, "a"), ActivityHandle[int])
    assert_type(await workflow.execute_activity_method(Shop.pack, "a", 2), bytes)
    assert_type(await workflow.execute_activity_method(Shop.send, "a"), int)


async def every_call_takes_every_option() -> None:
    workflow.start_activity(
        charge,
        "a",
        start_to_close_timeout=1,
        schedule_to_close_timeout=0.5,
        schedule_to_start_timeout=timedelta(seconds=1),
        retry_policy=RetryPolicy(maximum_attempts=3),
        summary="a line",
    )
    workflow.start_activity(ship, "a", start_to_close_timeout=None, retry_policy=None, summary=None)
    workflow.start_activity("charge", "a", result_type=bytes, summary="a line")
    await workflow.execute_activity(charge, "a", schedule_to_start_timeout=1, summary="a line")
    await workflow.execute_activity(ship, "a", schedule_to_close_timeout=timedelta(days=1))
    await workflow.execute_activity("charge", "a", start_to_close_timeout=1)
    workflow.start_activity_method(Shop.pack, "a", start_to_close_timeout=1)
    await workflow.execute_activity_method(Shop.send, "a", summary="a line")


async def arguments_that_do_not_fit_are_refused() -> None:
    workflow.start_activity(charge, 1)  # type: ignore[arg-type]
    workflow.start_activity(charge, "a", 1, 2)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(charge)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(ship, 1)  # type: ignore[arg-type]
    workflow.start_activity("charge", "a", result_type="bytes")  # type: ignore[call-overload]
    workflow.start_activity(charge, "a", result_type=bytes)  # type: ignore[call-overload]
    workflow.start_activity(3)  # type: ignore[call-overload]
    await workflow.execute_activity(charge, 1)  # type: ignore[arg-type]
    await workflow.execute_activity(charge)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(ship, "a", "b")  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(None, "a")  # type: ignore[call-overload]
    workflow.start_activity_method(Shop.pack, 1)  # type: ignore[arg-type]
    workflow.start_activity_method(Shop.pack)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity_method(Shop.send, 1)  # type: ignore[arg-type]
    await workflow.execute_activity_method(Shop.send, "a", 1)  # type: ignore[arg-type, call-arg]


async def options_that_there_are_not_are_refused() -> None:
    workflow.start_activity(charge, "a", timeout=1)  # type: ignore[call-overload]
    workflow.start_activity("charge", "a", timeout=1)  # type: ignore[call-overload]
    workflow.start_activity("charge", result_type=bytes, timeout=1)  # type: ignore[call-overload]
    await workflow.execute_activity(ship, "a", timeout=1)  # type: ignore[call-overload]
    await workflow.execute_activity("charge", timeout=1)  # type: ignore[call-overload]
    workflow.start_activity_method(Shop.pack, "a", timeout=1)  # type: ignore[call-overload]
    await workflow.execute_activity_method(Shop.send, "a", timeout=1)  # type: ignore[call-overload]


async def options_of_another_type_are_refused() -> None:
    workflow.start_activity(charge, "a", start_to_close_timeout="1 s")  # type: ignore[call-overload]
    workflow.start_activity("charge", "a", retry_policy=3)  # type: ignore[call-overload]
    await workflow.execute_activity(charge, "a", summary=1)  # type: ignore[call-overload]
    await workflow.execute_activity("charge", schedule_to_start_timeout="1 s")  # type: ignore[call-overload]
    workflow.start_activity_method(Shop.pack, "a", summary=1)  # type: ignore[call-overload]
    await workflow.execute_activity_method(Shop.send, "a", schedule_to_close_timeout="1 s")  # type: ignore[call-overload]


async def results_of_another_type_are_refused() -> None:
    by_function: int = await workflow.execute_activity(charge, "a")  # type: ignore[arg-type]
    by_name: str = await workflow.execute_activity("charge", result_type=int)  # type: ignore[arg-type]
    by_method: str = await workflow.execute_activity_method(Shop.send, "a")  # type: ignore[arg-type]
    del by_function, by_name, by_method
