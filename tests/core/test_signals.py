"""Signals: a handler hears, a channel reads, what nobody takes is kept in the one order it came in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CancelTimer, DeadLetterSignal, StartTimer
from greenroom.runtime.core.handlers import Signals
from greenroom.runtime.core.mailbag import Mailbag
from greenroom.runtime.core.messages import SignalReceived
from tests.core.driving import Drive

Start = Callable[..., Drive]


@dataclass
class Item:
    """What is put into a basket."""

    name: str
    count: int = 1


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @workflow.signal
    def put(self, item: Item, gift: bool = False) -> None:
        self.seen.append([type(item).__name__, item.name, gift])

    @workflow.signal(name="slowly", description="takes its time")
    async def put_slowly(self, name: str) -> None:
        self.seen.append(f"{name} begins")
        await workflow.execute_activity(name)
        self.seen.append(f"{name} ends")

    @workflow.signal(dynamic=True)
    async def anything(self, name: str, *args: Any) -> None:
        self.seen.append([name, *args])

    @workflow.signal
    def close(self) -> None:
        self.seen.append("close")

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: "close" in self.seen)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.seen


def test_a_named_handler_gets_typed_arguments_and_defaults(drive: Start) -> None:
    run = drive(Basket)

    run.signal("put", Item("book"))
    run.signal("put", Item("pen"), True)
    run.signal("close")

    assert run.result[:2] == [["Item", "book", False], ["Item", "pen", True]]


def test_the_catch_all_hears_what_no_other_hears(drive: Start) -> None:
    run = drive(Basket)

    run.signal("unknown", 1, "two")
    run.signal("close")

    assert run.result == [["unknown", 1, "two"], "close"]


def test_async_handlers_overlap_and_the_run_can_wait_for_them(drive: Start) -> None:
    run = drive(Basket)

    run.signal("slowly", "a")
    run.signal("slowly", "b")
    run.signal("close")
    run.complete(2)
    waited = not run.execution.is_closed
    run.complete(1)

    assert waited
    assert run.result == ["a begins", "b begins", "close", "b ends", "a ends"]


def test_a_signal_that_cannot_be_decoded_becomes_a_dead_letter(drive: Start) -> None:
    run = drive(Basket)

    asked = run.signal("put", {"no": "item"})
    run.signal("close")

    (letter,) = run.all_of(DeadLetterSignal)
    assert asked == [letter]
    assert (letter.name, letter.sender) == ("put", "")
    assert "Item" in letter.reason
    assert run.result == ["close"]


def test_damaged_bytes_become_a_dead_letter(drive: Start) -> None:
    run = drive(Basket)

    run.signal("put", payload=b"\x01\xc1")
    run.send(SignalReceived("put", b"", "somebody"))

    assert [letter.sender for letter in run.all_of(DeadLetterSignal)] == ["", "somebody"]


@pytest.mark.parametrize(
    ("args", "reason"), [((), "the handler misses item"), ((Item("a"), True, 2), "the handler takes 2 arguments, 3")]
)
def test_a_signal_that_does_not_fit_its_handler_does_not_stop_the_run(
    drive: Start, args: tuple[object, ...], reason: str
) -> None:
    run = drive(Basket)

    run.signal("put", *args)
    run.signal("close")

    assert run.all_of(DeadLetterSignal)[0].reason.startswith(reason)
    assert run.result == ["close"]


@workflow.defn
async def registering() -> list[Any]:
    seen: list[Any] = []

    def hear(name: str) -> Callable[..., None]:
        def handler(*args: Any) -> None:
            seen.append([name, *args])

        return handler

    wait = workflow.signal_channel()
    await wait.receive("step")
    workflow.set_signal_handler("a", hear("a"))
    known = workflow.get_signal_handler("a") is not None
    await wait.receive("step")
    workflow.set_dynamic_signal_handler(hear("any"))
    dynamic = workflow.get_dynamic_signal_handler() is not None
    workflow.set_dynamic_signal_handler(None)
    workflow.set_signal_handler("a", None)
    workflow.set_signal_handler("a", None)
    gone = [workflow.get_signal_handler("a"), workflow.get_dynamic_signal_handler()]
    await wait.receive("step")
    return [seen, known, dynamic, gone, wait.poll("a"), wait.poll("a")]


def test_handlers_come_and_go_and_what_was_kept_comes_in_one_order(drive: Start) -> None:
    run = drive(registering)

    for name, value in (("b", 1), ("a", 2), ("c", 3), ("a", 4), ("b", 5)):
        run.signal(name, value)
    run.signal("step")
    run.signal("step")
    run.signal("a", 6)
    run.signal("step")

    # Not b and b and then c: what was kept has one order over all names.
    seen = [["a", 2], ["a", 4], ["any", "b", 1], ["any", "c", 3], ["any", "b", 5]]
    assert run.result == [seen, True, True, [None, None], 6, None]


@workflow.defn
class Replacing:
    """Replaces and removes the handlers of its class."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @workflow.signal
    def hear(self, number: int) -> None:
        self.seen.append(["declared", number])

    @workflow.signal(dynamic=True)
    def anything(self, name: str, number: int) -> None:
        self.seen.append(["declared for all", name, number])

    def hear_set(self, number: int) -> None:
        self.seen.append(["set", number])

    def anything_set(self, name: str, number: int) -> None:
        self.seen.append(["set for all", name, number])

    @workflow.run
    async def run(self) -> list[Any]:
        found = [workflow.get_signal_handler("hear") == self.hear, workflow.get_signal_handler("other") is None]
        found.append(workflow.get_dynamic_signal_handler() == self.anything)
        await workflow.wait_condition(lambda: len(self.seen) == 2)
        workflow.set_signal_handler("hear", self.hear_set)
        workflow.set_dynamic_signal_handler(self.anything_set)
        await workflow.wait_condition(lambda: len(self.seen) == 4)
        workflow.set_signal_handler("hear", None)
        await workflow.wait_condition(lambda: len(self.seen) == 5)
        workflow.set_dynamic_signal_handler(None)
        channel = workflow.signal_channel()
        return [found, self.seen, await channel.receive("hear"), await channel.receive("other")]


def test_handlers_of_the_class_are_replaced_and_removed_and_the_catch_all_too(drive: Start) -> None:
    run = drive(Replacing)

    for name, number in (("hear", 1), ("other", 2), ("hear", 3), ("other", 4), ("hear", 5), ("hear", 6), ("other", 7)):
        run.signal(name, number)

    found, seen, *kept = run.result
    assert found == [True, True, True]
    assert seen[:2] == [["declared", 1], ["declared for all", "other", 2]]
    assert seen[2:] == [["set", 3], ["set for all", "other", 4], ["set for all", "hear", 5]]
    assert kept == [6, 7]


set_anything: Any = workflow.set_signal_handler


@workflow.defn
async def setting_nonsense() -> None:
    set_anything("a", 5)


def test_a_handler_must_be_callable(drive: Start) -> None:
    run = drive(setting_nonsense, start=False)

    with pytest.raises(WorkflowBugError, match="a signal handler is an int; give a function"):
        run.send(run.started)


@workflow.defn
async def with_a_builtin() -> dict[str, int]:
    found: dict[str, int] = {}
    workflow.set_signal_handler("update", found.update)
    await workflow.wait_condition(lambda: found)
    return found


def test_a_function_that_tells_nothing_of_its_arguments_can_be_a_handler(drive: Start) -> None:
    run = drive(with_a_builtin)

    run.signal("update", {"a": 1})

    assert run.result == {"a": 1}


@workflow.defn
class SetInInit:
    def __init__(self) -> None:
        self.seen: list[str] = []
        workflow.set_signal_handler("hear", lambda: self.seen.append("set in __init__"))

    @workflow.signal
    def hear(self) -> None:
        self.seen.append("of the class")

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.seen)
        return self.seen


def test_a_handler_set_in_init_stays(drive: Start) -> None:
    run = drive(SetInInit)

    run.signal("hear")

    assert run.result == ["set in __init__"]


# Channels.


@workflow.defn
async def reading() -> list[Any]:
    channel = workflow.signal_channel()
    first = await channel.receive("item", result_type=Item)
    empty = channel.is_empty("item")
    await channel.receive("step")
    full = channel.is_empty("item")
    return [first.name, empty, full, await channel.receive("item"), channel.poll("item", result_type=str), None]


def test_a_channel_reads_in_order_by_name(drive: Start) -> None:
    run = drive(reading)

    run.signal("item", Item("book"))
    run.signal("item", 1, 2)
    run.signal("item", "three")
    unread = run.execution.unread_signals
    run.signal("step")

    assert unread == 2
    assert run.result == ["book", True, False, [1, 2], "three", None]


@workflow.defn
async def reading_nothing() -> Any:
    return await workflow.signal_channel().receive("empty")


def test_a_signal_without_arguments_is_read_as_none(drive: Start) -> None:
    run = drive(reading_nothing)

    run.signal("empty")

    assert run.result is None


def test_a_channel_puts_aside_what_it_cannot_decode_and_waits_on(drive: Start) -> None:
    run = drive(reading)

    run.signal("item", 5)
    run.signal("item", Item("book"))

    assert [letter.name for letter in run.all_of(DeadLetterSignal)] == ["item"]


@workflow.defn
async def reading_in_time(timeout: timedelta | float) -> Any:
    try:
        return await workflow.signal_channel().receive("item", timeout=timeout)
    except TimeoutError as error:
        return str(error)


def test_a_read_in_time_takes_its_timer_back(drive: Start) -> None:
    run = drive(reading_in_time, timedelta(seconds=5))

    run.signal("item", 1)

    assert [each.id for each in run.all_of(CancelTimer)] == [1]
    assert run.result == 1


def test_a_read_that_takes_too_long_says_so(drive: Start) -> None:
    run = drive(reading_in_time, timedelta(seconds=5))

    run.fire()

    assert run.result == "no signal 'item' came within 0:00:05"


@pytest.mark.parametrize("timeout", [0, -1.5, timedelta(days=-1)])
def test_a_timeout_of_zero_or_less_does_not_wait(drive: Start, timeout: timedelta | float) -> None:
    run = drive(reading_in_time, timeout)

    assert run.all_of(StartTimer) == []
    assert run.result == "no signal 'item' is there"


@workflow.defn
async def several_readers() -> list[Any]:
    channel = workflow.signal_channel()
    got: list[Any] = []

    async def read(name: str) -> None:
        got.append([name, await channel.receive("item")])

    first, second, third = (asyncio.create_task(read(name)) for name in "abc")
    await channel.receive("stop")
    second.cancel()
    await asyncio.gather(first, third)
    return got


def test_readers_are_served_in_the_order_they_came_and_a_cancelled_one_is_passed_over(drive: Start) -> None:
    run = drive(several_readers)

    run.signal("item", 1)
    run.signal("stop")
    run.signal("item", 2)

    assert run.result == [["a", 1], ["c", 2]]


@workflow.defn
async def cancelled_while_others_wait() -> list[Any]:
    channel = workflow.signal_channel()
    got: list[Any] = []

    async def read(name: str) -> None:
        got.append([name, await channel.receive("item")])

    first, second = (asyncio.create_task(read(name)) for name in "ab")

    await channel.receive("stop")
    first.cancel()
    await second
    return got


def test_a_reader_that_is_cancelled_while_others_wait_leaves_no_gap(drive: Start) -> None:
    run = drive(cancelled_while_others_wait)

    run.signal("stop")
    run.signal("item", 1)

    assert run.result == [["b", 1]]


@workflow.defn
async def cancelled_by_a_handler() -> list[Any]:
    channel = workflow.signal_channel()
    got: list[Any] = []

    async def read(name: str) -> None:
        got.append([name, await channel.receive("item")])

    tasks = [asyncio.create_task(read(name)) for name in "ab"]
    stop = asyncio.get_running_loop().create_future()

    def hear() -> None:
        tasks[0].cancel()
        stop.set_result(None)

    workflow.set_signal_handler("both", hear)
    await stop
    await tasks[1]
    return got


def test_a_reader_cancelled_by_a_handler_passes_the_next_signal_on(drive: Start) -> None:
    run = drive(cancelled_by_a_handler)

    run.signal("both")
    run.signal("item", 1)

    assert run.result == [["b", 1]]


@workflow.defn
async def woken_and_cancelled() -> list[Any]:
    channel = workflow.signal_channel()
    got: list[Any] = []

    async def read(name: str) -> None:
        got.append([name, await channel.receive("item")])

    tasks = [asyncio.create_task(read(name)) for name in "ab"]
    await asyncio.sleep(0)
    signals: Any = vars(type(channel))["_signals"].__get__(channel)
    signals.deliver(SignalReceived("item", b"\x01\x91\x01"))
    tasks[0].cancel()
    await tasks[1]
    return got


def test_a_reader_that_is_cancelled_after_it_was_woken_wakes_the_next(drive: Start) -> None:
    run = drive(woken_and_cancelled)

    assert run.result == [["b", 1]]


def readers_of(signals: Signals) -> object:
    return vars(Signals)["_readers"].__get__(signals)


@workflow.defn
async def polling_with_timeouts(times: int) -> int:
    channel = workflow.signal_channel()
    for _ in range(times):
        try:
            await channel.receive("never", timeout=1)
        except TimeoutError:
            continue
    return times


def test_readers_that_gave_up_are_forgotten(drive: Start) -> None:
    run = drive(polling_with_timeouts, 3)

    for _ in range(3):
        run.fire()

    signals: Any = run.execution._signals  # pyright: ignore[reportPrivateUsage]  # nothing else tells of readers
    assert run.result == 3
    assert readers_of(signals) == {}


@workflow.defn
async def all_readers_cancelled() -> int:
    channel = workflow.signal_channel()
    readers = [asyncio.create_task(channel.receive("item")) for _ in range(3)]
    await channel.receive("stop")
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    return int(await channel.receive("item"))


def test_a_signal_waits_for_the_next_reader_if_all_gave_up(drive: Start) -> None:
    run = drive(all_readers_cancelled)

    run.signal("stop")
    run.signal("item", 1)

    assert run.result == 1


@workflow.defn
async def woken_and_all_cancelled() -> list[Any]:
    channel = workflow.signal_channel()
    readers = [asyncio.create_task(channel.receive("item")) for _ in range(2)]
    await asyncio.sleep(0)
    signals: Any = vars(type(channel))["_signals"].__get__(channel)
    signals.deliver(SignalReceived("item", b"\x01\x91\x01"))
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    return [channel.poll("item"), *[reader.cancelled() for reader in readers]]


def test_a_signal_stays_if_all_readers_are_cancelled_when_one_was_woken(drive: Start) -> None:
    run = drive(woken_and_all_cancelled)

    assert run.result == [1, True, True]


@workflow.defn
class HandlerOverChannel:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        channel = workflow.signal_channel()
        reader = asyncio.create_task(channel.receive("item"))
        await channel.receive("step")
        workflow.set_signal_handler("item", self.seen.append)
        await channel.receive("step")
        workflow.set_signal_handler("item", None)
        return [self.seen, await reader]


def test_a_handler_goes_before_a_channel_until_it_is_removed(drive: Start) -> None:
    run = drive(HandlerOverChannel)

    run.signal("step")
    run.signal("item", 1)
    run.signal("step")
    run.signal("item", 2)

    assert run.result == [[1], 2]


@workflow.defn
async def with_two_channels() -> list[Any]:
    first = workflow.signal_channel()
    reading = asyncio.create_task(first.receive("item"))
    await asyncio.sleep(0)
    second = workflow.signal_channel()
    await second.receive("step")
    return [await reading, await second.receive("item"), first.poll("item"), second.poll("item")]


def test_a_second_channel_replaces_none_and_reads_from_the_same_mail(drive: Start) -> None:
    run = drive(with_two_channels)

    for number in (1, 2, 3):
        run.signal("item", number)
    run.signal("step")

    assert run.result == [1, 2, 3, None]


@workflow.defn
class FailingHandler:
    @workflow.signal
    def fail(self) -> None:
        raise ValueError("a bug in the handler")

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


def test_a_bug_in_a_handler_is_a_bug_of_the_run(drive: Start) -> None:
    run = drive(FailingHandler)

    with pytest.raises(WorkflowBugError, match="a bug in the handler"):
        run.signal("fail")


def test_signals_before_the_main_function_reads_are_kept(drive: Start) -> None:
    run = drive(reading_in_time, 60)
    run.signal("other", 1)

    assert run.execution.unread_signals == 1


# The bag.

names = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.one_of(st.tuples(st.just("put"), names), st.tuples(st.sampled_from(["take", "all"]), names))))
def test_the_bag_is_a_list_that_is_taken_from_by_name(steps: list[tuple[str, str]]) -> None:
    bag, model = Mailbag(), list[SignalReceived]()

    for number, (what, name) in enumerate(steps):
        signal = SignalReceived(name, b"%d" % number)
        mine = [each for each in model if each.name == name]
        if what == "put":
            bag.put(signal)
            model.append(signal)
        elif what == "take":
            assert bag.take(name) == (mine[0] if mine else None)
            model = [each for each in model if not mine or each is not mine[0]]
        else:
            assert list(bag.take_all(name)) == mine
            model = [each for each in model if each.name != name]
        assert bag.has(name) == any(each.name == name for each in model)

    assert len(bag) == len(model)
    assert list(bag.take_all()) == model
    assert len(bag) == 0
