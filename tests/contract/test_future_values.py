"""What pykka promises of futures; of its own and of ours."""

from __future__ import annotations

import asyncio
import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from tests.contract.kinds import FUTURES

Kind = type[pykka.Future[Any]]


def test_get_returns_the_value_again_and_again(future_class: Kind) -> None:
    future = future_class()

    future.set([1])

    assert future.get() is future.get()


def test_set_without_a_value_sets_none(future_class: Kind) -> None:
    future = future_class()

    future.set()

    assert future.get() is None


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_get_raises_timeout_if_nothing_came(future_class: Kind, timeout: float) -> None:
    with pytest.raises(pykka.Timeout, match=f"{timeout} s"):
        future_class().get(timeout=timeout)


def test_an_outcome_is_set_once(future_class: Kind) -> None:
    future = future_class()
    future.set(1)

    with pytest.raises(queue.Full):
        future.set(2)
    with pytest.raises(queue.Full):
        future.set_exception((ValueError, ValueError(), None))
    with pytest.raises(queue.Full):
        future.set_get_hook(lambda timeout: 3)

    assert future.get() == 1


def test_nothing_is_set_on_a_future_with_a_hook(future_class: Kind) -> None:
    future = future_class()
    future.set_get_hook(lambda timeout: timeout)

    with pytest.raises(queue.Full):
        future.set(2)
    with pytest.raises(queue.Full):
        future.set_exception((ValueError, ValueError(), None))

    assert future.get(timeout=None) is None


def test_set_exception_takes_the_one_being_handled_and_keeps_its_traceback(future_class: Kind) -> None:
    future, error = future_class(), ValueError("mine")
    try:
        raise error
    except ValueError:
        future.set_exception()

    depths: list[int] = []
    for _ in range(3):
        with pytest.raises(ValueError, match="mine") as caught:
            future.get()
        assert caught.value is error
        depths.append(len(caught.traceback))

    assert depths[0] == depths[2]


def test_set_exception_makes_the_exception_if_only_its_type_is_given(future_class: Kind) -> None:
    future = future_class()

    future.set_exception((KeyError, None, None))

    with pytest.raises(KeyError):
        future.get()


def test_map_filter_join_and_reduce_are_computed_when_asked_for(future_class: Kind) -> None:
    source, other = future_class(), future_class()
    mapped, filtered = source.map(len), source.filter(lambda item: item > 1)
    joined, total = source.join(other), source.reduce(lambda a, b: a + b, 10)

    source.set([1, 2, 3])
    other.set("other")

    assert mapped.get(timeout=1) == 3
    assert filtered.get(timeout=1) == [2, 3]
    assert joined.get(timeout=1) == [[1, 2, 3], "other"]
    assert total.get(timeout=1) == 16


def test_a_derived_value_is_computed_once(future_class: Kind) -> None:
    source, calls = future_class(), list[int]()
    derived = source.map(calls.append)
    source.set(1)

    derived.get()
    derived.get()

    assert calls == [1]


def test_a_derived_future_raises_what_its_source_raises_and_may_be_asked_again(future_class: Kind) -> None:
    source = future_class()
    derived = source.map(str)

    with pytest.raises(pykka.Timeout):
        derived.get(timeout=0)
    source.set(1)

    assert derived.get() == "1"


def test_get_waits_for_another_thread(
    future_class: Kind, threads: Callable[[Callable[[], object]], threading.Thread]
) -> None:
    question, answer = future_class(), future_class()
    threads(lambda: answer.set(question.get() + 1))

    question.set(1)

    assert answer.get(timeout=30) == 2


def test_get_all_collects_values_in_order(future_class: Kind) -> None:
    futures = [future_class() for _ in range(3)]
    for number, future in enumerate(futures):
        future.set(number)

    assert pykka.get_all(futures) == [0, 1, 2]


def test_a_future_that_is_set_with_nothing_to_raise_still_returns_falsy_values(future_class: Kind) -> None:
    values: list[Any] = [0, "", False, None, []]
    for value in values:
        future = future_class()
        future.set(value)

        assert future.get(timeout=0) is value


def test_the_traceback_that_is_given_is_the_one_that_is_seen(future_class: Kind) -> None:
    def fails_here() -> None:
        raise ValueError("mine")

    future = future_class()
    try:
        fails_here()
    except ValueError as error:
        future.set_exception((type(error), error, error.__traceback__))

    with pytest.raises(ValueError, match="mine") as caught:
        future.get()
    assert "fails_here" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_a_get_hook_is_given_the_timeout_and_called_once(future_class: Kind) -> None:
    timeouts: list[float | None] = []

    def hook(timeout: float | None) -> str:
        timeouts.append(timeout)
        return "computed"

    future = future_class()
    future.set_get_hook(hook)

    assert [future.get(timeout=60), future.get(timeout=1), future.get()] == ["computed"] * 3
    assert timeouts == [pytest.approx(60, abs=30)]


def test_a_get_hook_that_raises_is_called_again(future_class: Kind) -> None:
    calls: list[int] = []

    def hook(timeout: float | None) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise pykka.Timeout
        return len(calls)

    future = future_class()
    future.set_get_hook(hook)

    with pytest.raises(pykka.Timeout):
        future.get()
    assert future.get() == 2


def test_the_timeout_of_a_joined_future_is_that_of_its_sources(future_class: Kind) -> None:
    done, pending = future_class(), future_class()
    done.set(1)

    with pytest.raises(pykka.Timeout):
        done.join(pending).get(timeout=0.001)
    with pytest.raises(pykka.Timeout):
        pykka.get_all([done, pending], timeout=0.001)


def test_derived_futures_may_be_derived_from(future_class: Kind) -> None:
    source = future_class()

    derived = source.filter(lambda item: item % 2).map(sum).map(str)
    source.set(range(6))

    assert derived.get(timeout=0) == "9"


def test_map_is_given_the_whole_value_and_filter_and_reduce_need_items(future_class: Kind) -> None:
    items, number, empty = future_class(), future_class(), future_class()
    items.set({"name": "x"})
    number.set(1)
    empty.set([])

    assert items.map(lambda value: value["name"]).get() == "x"
    with pytest.raises(TypeError):
        number.filter(bool).get()
    with pytest.raises(TypeError):
        number.reduce(max).get()
    with pytest.raises(TypeError):
        empty.reduce(max).get()
    assert empty.reduce(max, 5).get() == 5


def test_what_a_function_of_a_derived_future_raises_is_raised_by_get(future_class: Kind) -> None:
    source = future_class()
    source.set(0)

    with pytest.raises(ZeroDivisionError):
        source.map(lambda value: 1 // value).get()


def test_several_threads_may_wait_for_one_future(
    future_class: Kind, threads: Callable[[Callable[[], object]], threading.Thread]
) -> None:
    future, came = future_class(), list[int]()
    waiting = [threads(lambda: came.append(future.get(timeout=30))) for _ in range(4)]

    future.set(7)
    for thread in waiting:
        thread.join(30)

    assert came == [7, 7, 7, 7]


def test_a_future_that_is_done_may_be_awaited_again_and_again(future_class: Kind) -> None:
    value, failed = future_class(), future_class()
    value.set(1)
    failed.set_exception((ValueError, ValueError("mine"), None))

    async def main() -> tuple[int, int]:
        with pytest.raises(ValueError, match="mine"):
            await failed
        return await value, await value

    assert asyncio.run(main()) == (1, 1)


def test_an_awaited_future_waits_for_another_thread(
    future_class: Kind, threads: Callable[[Callable[[], object]], threading.Thread]
) -> None:
    future = future_class()

    async def main() -> int:
        threads(lambda: future.set(5))
        value: int = await future
        return value

    assert asyncio.run(main()) == 5


def test_futures_of_both_kinds_may_be_joined(future_class: Kind) -> None:
    first, others = future_class(), [each() for each in FUTURES]
    for number, future in enumerate([first, *others]):
        future.set(number)

    assert first.join(*others).get(timeout=30) == [0, 1, 2]
