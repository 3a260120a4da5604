"""What comes of several futures is a future again, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from greenroom.actors import BlockingCallError, Dispatcher, Future, WaitTimeoutError, wait_all, wait_first


def futures(number: int) -> list[Future[int]]:
    return [Future[int]() for _ in range(number)]


def test_the_first_that_has_an_outcome_is_given_and_the_others_go_on() -> None:
    given = futures(3)
    first = wait_first(given)
    assert not first.done()

    given[1].set(7)
    given[0].set(5)

    assert first.get() is given[1]
    assert first.get().get() == 7
    assert not given[2].done()


def test_the_first_may_be_a_failure() -> None:
    given = futures(2)
    first = wait_first(given)

    given[1].fail(ValueError("mine"))

    assert first.get() is given[1]
    with pytest.raises(ValueError, match="mine"):
        first.get().get()


def test_of_several_that_are_done_the_first_of_the_list_counts() -> None:
    given = futures(3)
    for each in (given[2], given[1]):
        each.set(1)

    assert wait_first(given).get() is given[1]
    assert wait_first(reversed(given)).get() is given[2]


def test_all_results_come_in_the_order_given() -> None:
    given = futures(3)
    whole = wait_all([*given, given[0]])
    for number in (2, 0, 1):
        assert not whole.done()
        given[number].set(number)

    assert whole.get() == [0, 1, 2, 0]
    assert wait_all(list[Future[int]]()).get() == []


def test_a_failure_is_given_at_once_and_the_others_go_on() -> None:
    given = futures(3)
    whole = wait_all(given)

    given[2].fail(ValueError("mine"))

    with pytest.raises(ValueError, match="mine"):
        whole.get()
    assert not given[0].done()
    given[0].set(1)


def test_failures_may_stand_among_the_results() -> None:
    given = futures(2)
    error = ValueError("mine")
    whole = wait_all(given, return_exceptions=True)
    given[1].fail(error)
    assert not whole.done()
    given[0].set(1)

    assert whole.get() == [1, error]


def test_derived_futures_count_when_those_behind_them_do() -> None:
    plain, other = futures(2)
    doubled, failing = plain.map(lambda value: value * 2), other.map(lambda value: value // 0)
    whole, kept = wait_all([doubled, plain]), wait_all([doubled, failing], return_exceptions=True)

    plain.set(4)
    other.set(1)

    assert whole.get() == [8, 4]
    assert [type(each) for each in kept.get()] == [int, ZeroDivisionError]
    with pytest.raises(ZeroDivisionError):
        wait_all([failing]).get()


def test_both_are_awaited_without_blocking_the_loop() -> None:
    given = futures(2)

    def settle() -> None:
        for number, each in enumerate(given):
            each.set(number)

    async def main() -> tuple[Future[int], list[int]]:
        asyncio.get_running_loop().call_soon(settle)
        return await asyncio.gather(wait_first(given), wait_all(given))

    first, whole = asyncio.run(main())

    assert first is given[0]
    assert whole == [0, 1]


def test_a_wait_may_be_given_up_and_begun_again() -> None:
    given = futures(2)
    first, whole = wait_first(given), wait_all(given)
    with pytest.raises(WaitTimeoutError):
        first.get(timeout=0)
    with pytest.raises(WaitTimeoutError):
        whole.get(timeout=0)

    for each in given:
        each.set(1)

    assert (first.get(), whole.get()) == (given[0], [1, 1])


@pytest.mark.parametrize("several", [wait_first, wait_all])
def test_neither_blocks_a_dispatcher_thread(
    several: Callable[[list[Future[int]]], Future[Any]], dispatcher: Dispatcher
) -> None:
    refused = Future[str]()

    def ask() -> None:
        try:
            several(futures(1)).get()
        except BlockingCallError as error:
            refused.set(type(error).__name__)

    dispatcher.call_soon(ask)

    assert refused.get(timeout=30) == "BlockingCallError"


@pytest.mark.parametrize("several", [wait_first, wait_all])
def test_nothing_is_left_behind_in_those_that_go_on(several: Callable[[list[Future[int]]], Future[Any]]) -> None:
    done, pending = futures(2)
    gone = weakref.ref(done)
    outcome = several([done, pending])
    done.fail(ValueError("mine"))
    assert outcome.done()

    del done, outcome
    gc.collect()

    assert gone() is None
    pending.set(1)


def test_many_threads_may_settle_at_once(threads: Callable[[Callable[[], object]], threading.Thread]) -> None:
    for _ in range(50):
        given, start = futures(8), threading.Barrier(8)
        first, whole = wait_first(given), wait_all(given)

        def settle(future: Future[int], start: threading.Barrier = start) -> None:
            start.wait(30)
            future.set(1)

        for each in given:
            threads(lambda each=each: settle(each))  # type: ignore[misc]  # mypy knows no type for a default of a lambda

        assert whole.get(timeout=30) == [1] * 8
        assert first.get(timeout=30) in given


def test_what_cannot_be_waited_for_is_refused() -> None:
    wrong: list[Any] = [Future[int](), pykka.ThreadingFuture[int]()]

    with pytest.raises(
        TypeError, match=r"wait_first waits for futures, such as handle.result\(\) gives, and this is <"
    ):
        wait_first(wrong)
    with pytest.raises(TypeError, match="wait_all waits for futures"):
        wait_all(wrong)
    with pytest.raises(ValueError, match="nothing to wait for, and would wait for ever"):
        wait_first(list[Future[int]]())
