"""What type checkers make of calls of activities. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from greenroom import ActivityCancellationType, RetryPolicy, activity, workflow
from greenroom.runtime.workflow import ActivityHandle


@activity.defn
def charge(order: str, cents: int = 1) -> bytes:
    return order.encode() * cents


@activity.defn
async def ship(order: str) -> int:
    return len(order)


@activity.defn(name="a sum", start_to_close_timeout=5)
def total(first: int, *others: float) -> float:
    return first + sum(others)


@activity.defn(summary="a pause")
async def rest() -> None:
    return None


@activity.defn
def page(order: str, number: int, note: str | None, *, wide: bool = False) -> tuple[str, int]:
    return order + str(note), number * (1 + wide)


class Shop:
    """A class with activities."""

    @activity.defn
    def pack(self, item: str, count: int = 1) -> bytes:
        return item.encode() * count

    @activity.defn
    async def send(self, item: str) -> int:
        return len(item)

    @activity.defn(name="a shelf")
    def stack(self, *items: str) -> list[str]:
        return [*items]

    @activity.defn(no_thread_cancel_exception=True)
    async def close(self) -> None:
        return None


@activity.defn
class Till:
    """An activity written as a class."""

    def __call__(self, cents: int) -> float:
        return cents / 100


async def results_are_those_of_the_activity(shop: Shop, till: Till) -> None:
    assert_type(workflow.start_activity(charge, "a"), ActivityHandle[bytes])
    assert_type(workflow.start_activity(charge, "a", 2), ActivityHandle[bytes])
    assert_type(workflow.start_activity(ship, "a"), ActivityHandle[int])
    assert_type(workflow.start_activity(total, 1), ActivityHandle[float])
    assert_type(workflow.start_activity(total, 1, 2, 3.5, 4), ActivityHandle[float])
    assert_type(workflow.start_activity(rest), ActivityHandle[None])
    assert_type(workflow.start_activity(page, "a", 1, None), ActivityHandle[tuple[str, int]])
    assert_type(workflow.start_activity(shop.pack, "a", 2), ActivityHandle[bytes])
    assert_type(workflow.start_activity(shop.send, "a"), ActivityHandle[int])
    assert_type(workflow.start_activity(shop.close), ActivityHandle[None])
    assert_type(workflow.start_activity(till, 5), ActivityHandle[float])
    assert_type(workflow.start_activity("charge", "a", 2, result_type=bytes), ActivityHandle[bytes])
    assert_type(workflow.start_activity("charge", "a", 2), ActivityHandle[Any])
    assert_type(await workflow.start_activity(charge, "a"), bytes)
    assert_type(await workflow.execute_activity(charge, "a", 2), bytes)
    assert_type(await workflow.execute_activity(ship, "a"), int)
    assert_type(await workflow.execute_activity(total, 1, 2), float)
    assert_type(await workflow.execute_activity(rest), None)
    assert_type(await workflow.execute_activity(page, "a", 1, "note"), tuple[str, int])
    assert_type(await workflow.execute_activity(shop.pack, "a"), bytes)
    assert_type(await workflow.execute_activity(shop.stack, "a", "b", "c"), list[str])
    assert_type(await workflow.execute_activity(till, 5), float)
    assert_type(await workflow.execute_activity("charge", "a", result_type=bytes), bytes)
    assert_type(await workflow.execute_activity("charge", "a", result_type=list[int]), list[int])
    assert_type(await workflow.execute_activity("charge", "a"), Any)


async def methods_are_named_by_their_class() -> None:
    assert_type(workflow.start_activity_method(Shop.pack, "a"), ActivityHandle[bytes])
    assert_type(workflow.start_activity_method(Shop.send, "a"), ActivityHandle[int])
    assert_type(workflow.start_activity_method(Shop.stack, "a", "b"), ActivityHandle[list[str]])
    assert_type(workflow.start_activity_method(Shop.close), ActivityHandle[None])
    assert_type(await workflow.execute_activity_method(Shop.pack, "a", 2), bytes)
    assert_type(await workflow.execute_activity_method(Shop.send, "a"), int)
    assert_type(await workflow.execute_activity_method(Shop.stack), list[str])
    assert_type(await workflow.execute_activity_method(Shop.close), None)


async def what_is_declared_is_called_as_what_it_is(shop: Shop) -> None:
    assert_type(charge("a"), bytes)
    assert_type(await ship("a"), int)
    assert_type(total(1, 2), float)
    assert_type(shop.pack("a", count=2), bytes)
    assert_type(await shop.send("a"), int)
    assert_type(Till()(5), float)
    charge(1)  # type: ignore[arg-type]
    total()  # type: ignore[call-arg]
    shop.pack("a", "b")  # type: ignore[arg-type]


async def every_call_takes_every_option() -> None:
    workflow.start_activity(
        charge,
        "a",
        start_to_close_timeout=1,
        schedule_to_close_timeout=0.5,
        schedule_to_start_timeout=timedelta(seconds=1),
        heartbeat_timeout=5,
        retry_policy=RetryPolicy(maximum_attempts=3),
        cancellation_type=ActivityCancellationType.ABANDON,
        summary="a line",
    )
    workflow.start_activity(ship, "a", start_to_close_timeout=None, retry_policy=None, summary=None)
    workflow.start_activity("charge", "a", result_type=bytes, summary="a line")
    await workflow.execute_activity(charge, "a", schedule_to_start_timeout=1, summary="a line")
    await workflow.execute_activity(ship, "a", schedule_to_close_timeout=timedelta(days=1))
    await workflow.execute_activity("charge", "a", start_to_close_timeout=1)
    workflow.start_activity_method(Shop.pack, "a", start_to_close_timeout=1)
    await workflow.execute_activity_method(Shop.send, "a", summary="a line")


async def arguments_of_another_type_are_refused(shop: Shop, till: Till) -> None:
    workflow.start_activity(charge, 1)  # type: ignore[arg-type]
    workflow.start_activity(charge, "a", "b")  # type: ignore[arg-type, call-arg]
    workflow.start_activity(ship, 1)  # type: ignore[arg-type]
    workflow.start_activity(total, 1, 2, "3")  # type: ignore[arg-type, call-arg]
    workflow.start_activity(page, "a", None, None)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(shop.pack, 1)  # type: ignore[arg-type]
    workflow.start_activity(till, "5")  # type: ignore[arg-type]
    workflow.start_activity_method(Shop.pack, 1)  # type: ignore[arg-type]
    workflow.start_activity_method(Shop.stack, "a", 1)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(charge, 1)  # type: ignore[arg-type]
    await workflow.execute_activity(ship, b"a")  # type: ignore[arg-type]
    await workflow.execute_activity(total, "1")  # type: ignore[arg-type]
    await workflow.execute_activity(shop.send, 1)  # type: ignore[arg-type]
    await workflow.execute_activity_method(Shop.send, 1)  # type: ignore[arg-type]


async def too_many_arguments_are_refused(shop: Shop) -> None:
    workflow.start_activity(charge, "a", 1, 2)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(rest, 1)  # type: ignore[arg-type]
    workflow.start_activity(page, "a", 1, None, True)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(shop.close, 1)  # type: ignore[arg-type]
    workflow.start_activity_method(Shop.pack, "a", 1, 2)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(ship, "a", "b")  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(rest, None)  # type: ignore[arg-type]
    await workflow.execute_activity(shop.send, "a", 1)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity_method(Shop.send, "a", 1)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity_method(Shop.close, 1)  # type: ignore[arg-type]


async def too_few_arguments_are_refused(shop: Shop, till: Till) -> None:
    workflow.start_activity(charge)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(page, "a", 1)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(total)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(shop.pack)  # type: ignore[arg-type, call-arg]
    workflow.start_activity(till)  # type: ignore[arg-type, call-arg]
    workflow.start_activity_method(Shop.pack)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(charge)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(ship)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity(shop.send)  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity_method(Shop.send)  # type: ignore[arg-type, call-arg]


async def an_instance_is_no_argument_of_a_method(shop: Shop) -> None:
    workflow.start_activity_method(Shop.pack, shop, "a")  # type: ignore[arg-type, call-arg]
    await workflow.execute_activity_method(Shop.send, shop, "a")  # type: ignore[arg-type, call-arg]
    workflow.start_activity(Shop.pack, "a")  # type: ignore[arg-type]
    await workflow.execute_activity(Shop.send, "a")  # type: ignore[arg-type]


async def methods_of_an_instance_are_called_like_functions(shop: Shop) -> None:
    assert_type(workflow.start_activity(shop.pack, "a"), ActivityHandle[bytes])
    assert_type(workflow.start_activity(shop.send, "a"), ActivityHandle[int])
    workflow.start_activity_method(shop.pack, "a")  # type: ignore[arg-type]
    await workflow.execute_activity_method(shop.send, "a")  # type: ignore[arg-type]


async def arguments_of_the_activity_by_keyword_are_refused() -> None:
    workflow.start_activity(charge, order="a")  # type: ignore[call-overload]
    workflow.start_activity(page, "a", 1, None, wide=True)  # type: ignore[call-overload]
    workflow.start_activity_method(Shop.pack, "a", count=1)  # type: ignore[call-overload]
    await workflow.execute_activity(ship, order="a")  # type: ignore[call-overload]
    await workflow.execute_activity("ship", order="a")  # type: ignore[call-overload]
    await workflow.execute_activity_method(Shop.send, item="a")  # type: ignore[call-overload]


async def what_is_no_activity_is_refused() -> None:
    workflow.start_activity(3)  # type: ignore[call-overload]
    workflow.start_activity(charge("a"))  # type: ignore[call-overload]
    workflow.start_activity()  # type: ignore[call-overload]
    workflow.start_activity_method("charge", "a")  # type: ignore[call-overload]
    workflow.start_activity_method(3)  # type: ignore[call-overload]
    await workflow.execute_activity(None, "a")  # type: ignore[call-overload]
    await workflow.execute_activity(ship("a"))  # type: ignore[call-overload]
    await workflow.execute_activity_method(Shop, "a")  # type: ignore[arg-type]


async def options_that_there_are_not_are_refused() -> None:
    workflow.start_activity(charge, "a", timeout=1)  # type: ignore[call-overload]
    workflow.start_activity(ship, "a", start_to_close=1)  # type: ignore[call-overload]
    workflow.start_activity("charge", "a", timeout=1)  # type: ignore[call-overload]
    workflow.start_activity("charge", result_type=bytes, timeout=1)  # type: ignore[call-overload]
    await workflow.execute_activity(charge, "a", id="a")  # type: ignore[call-overload]
    await workflow.execute_activity(ship, "a", timeout=1)  # type: ignore[call-overload]
    await workflow.execute_activity("charge", timeout=1)  # type: ignore[call-overload]
    await workflow.execute_activity("charge", result_type=bytes, timeout=1)  # type: ignore[call-overload]
    workflow.start_activity_method(Shop.pack, "a", timeout=1)  # type: ignore[call-overload]
    await workflow.execute_activity_method(Shop.send, "a", timeout=1)  # type: ignore[call-overload]


async def options_of_another_type_are_refused() -> None:
    workflow.start_activity(charge, "a", start_to_close_timeout="1 s")  # type: ignore[call-overload]
    workflow.start_activity(ship, "a", cancellation_type="abandon")  # type: ignore[call-overload]
    workflow.start_activity("charge", "a", retry_policy=3)  # type: ignore[call-overload]
    workflow.start_activity("charge", "a", heartbeat_timeout="1 s")  # type: ignore[call-overload]
    await workflow.execute_activity(charge, "a", summary=1)  # type: ignore[call-overload]
    await workflow.execute_activity("charge", schedule_to_start_timeout="1 s")  # type: ignore[call-overload]
    workflow.start_activity_method(Shop.pack, "a", summary=1)  # type: ignore[call-overload]
    await workflow.execute_activity_method(Shop.send, "a", schedule_to_close_timeout="1 s")  # type: ignore[call-overload]


async def a_type_of_the_result_goes_with_a_name_and_is_a_type() -> None:
    workflow.start_activity("charge", "a", result_type="bytes")  # type: ignore[call-overload]
    workflow.start_activity(charge, "a", result_type=bytes)  # type: ignore[call-overload]
    await workflow.execute_activity("charge", "a", result_type=b"")  # type: ignore[call-overload]
    await workflow.execute_activity(ship, "a", result_type=int)  # type: ignore[call-overload]
    workflow.start_activity_method(Shop.pack, "a", result_type=bytes)  # type: ignore[call-overload]
    await workflow.execute_activity_method(Shop.pack, "a", result_type=bytes)  # type: ignore[call-overload]


async def results_of_another_type_are_refused() -> None:
    by_function: int = await workflow.execute_activity(charge, "a")  # type: ignore[arg-type]
    by_coroutine: str = await workflow.execute_activity(ship, "a")  # type: ignore[arg-type]
    by_name: str = await workflow.execute_activity("charge", result_type=int)  # type: ignore[arg-type]
    by_method: str = await workflow.execute_activity_method(Shop.send, "a")  # type: ignore[arg-type]
    handle: ActivityHandle[str] = workflow.start_activity(charge, "a")  # type: ignore[arg-type]
    of_method: ActivityHandle[str] = workflow.start_activity_method(Shop.send, "a")  # type: ignore[arg-type]
    del by_function, by_coroutine, by_name, by_method, handle, of_method


def options_of_a_declaration_are_checked() -> None:
    @activity.defn(start_to_close="5 s")  # type: ignore[call-overload, untyped-decorator]
    def misspelt() -> None:
        return None

    @activity.defn(start_to_close_timeout="5 s")  # type: ignore[call-overload, untyped-decorator]
    def mistyped() -> None:
        return None

    @activity.defn(executor="fibre")  # type: ignore[call-overload, untyped-decorator]
    def misplaced() -> None:
        return None


def pay_back(order: str, cents: int = 1) -> None:
    """Undoes a step."""


async def pay_back_later(order: str) -> str:
    return order


async def a_saga_takes_what_a_call_would_take() -> None:
    async with workflow.Saga(parallel=True) as saga:
        assert_type(saga, workflow.Saga)
        assert_type(saga.add(pay_back, "order"), None)
        saga.add(pay_back, "order", 5, start_to_close_timeout=5)
        saga.add(pay_back_later, "order")
        saga.add("by name", 1, "two", summary="a line")
        saga.add(pay_back, 5)  # type: ignore[arg-type]
        saga.add(pay_back, "order", summary=5)  # type: ignore[call-overload]
        assert_type(await saga.compensate(), None)
        assert_type(saga.failures, list[BaseException])
