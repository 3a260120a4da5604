"""ManualExecutor: a real executor that performs one call at a time, when it is told to."""

from __future__ import annotations

from random import Random

import pytest

from greenroom.testing import ManualExecutor


def test_nothing_is_performed_until_it_is_asked_for() -> None:
    executor = ManualExecutor()

    future = executor.submit(pow, 2, 5)

    assert not future.done()
    assert len(executor) == 1
    assert executor.perform_next()
    assert future.result(timeout=0) == 32
    assert not executor.perform_next()


def test_what_a_call_raises_belongs_to_its_future() -> None:
    executor = ManualExecutor()
    future = executor.submit(int, "x")

    executor.perform_next()

    assert isinstance(future.exception(timeout=0), ValueError)


def test_a_cancelled_call_is_not_performed() -> None:
    executor = ManualExecutor()
    called: list[int] = []
    executor.submit(called.append, 1).cancel()
    executor.submit(called.append, 2)

    executor.perform_next()

    assert called == [2]


def test_a_chooser_decides_the_order() -> None:
    orders: set[tuple[int, ...]] = set()
    for seed in range(30):
        executor = ManualExecutor(Random(seed))
        called: list[int] = []
        for number in range(3):
            executor.submit(called.append, number)
        while executor.perform_next():
            pass
        orders.add(tuple(called))

    assert len(orders) == 6


def test_shutting_down_performs_what_is_queued_and_takes_no_more() -> None:
    with ManualExecutor() as executor:
        future = executor.submit(pow, 2, 2)

    assert future.result(timeout=0) == 4
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(pow, 2, 2)


def test_shutting_down_may_cancel_what_is_queued() -> None:
    executor = ManualExecutor()
    future = executor.submit(pow, 2, 2)

    executor.shutdown(cancel_futures=True)

    assert future.cancelled()
