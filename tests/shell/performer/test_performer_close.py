"""Abandoning and closing: what is no longer waited for is told so, dropped, and never keeps anybody."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import pytest

from greenroom.runtime import activity
from greenroom.runtime.model.cancellation import CANCEL_REQUESTED
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.shell.performer import Failed, Outcome, Performer, Task

Make = Callable[..., Task]
Reports = SimpleQueue[tuple[Task, Outcome]]


def test_an_abandoned_thread_sees_it_and_its_outcome_is_dropped(
    performer: Performer, make: Make, reports: Reports
) -> None:
    begun, gate, seen = threading.Event(), threading.Event(), SimpleQueue[bool]()

    def wait() -> None:
        seen.put(activity.is_cancelled())
        with activity.shield_thread_cancel_exception():
            begun.set()
            gate.wait(10)
            seen.put(activity.is_cancelled())

    performer.perform(make(wait))
    assert begun.wait(10)
    performer.abandon((7, 1, 1), CANCEL_REQUESTED)
    assert not performer.performing((7, 1, 1))
    gate.set()

    assert [seen.get(timeout=10), seen.get(timeout=10)] == [False, True]
    performer.close(grace=10)
    assert reports.empty()


def test_the_next_attempt_is_reported_while_the_abandoned_one_still_runs(
    performer: Performer, make: Make, reports: Reports
) -> None:
    begun, gate = threading.Event(), threading.Event()

    def once_stuck() -> int:
        attempt = activity.info().attempt
        if attempt == 1:
            begun.set()
            gate.wait(10)
        return attempt

    performer.perform(make(once_stuck, attempt=1))
    assert begun.wait(10)
    performer.abandon((7, 1, 1), CANCEL_REQUESTED)
    performer.perform(make(once_stuck, attempt=2))

    assert reports.get(timeout=10)[0].info.attempt == 2
    gate.set()
    performer.close(grace=10)
    assert reports.empty()


def test_abandoned_while_it_waits_for_a_thread_it_never_begins(converter: Converter, make: Make) -> None:
    begun, gate, ran = threading.Event(), threading.Event(), list[str]()
    reports: Reports = SimpleQueue()

    def hold() -> None:
        begun.set()
        gate.wait(10)

    def note() -> None:
        ran.append("ran")

    performer = Performer(converter=converter, report=lambda task, outcome: reports.put((task, outcome)), threads=1)
    performer.perform(make(hold, item=1))
    performer.perform(make(note, item=2))
    performer.perform(make(hold, item=3))
    assert begun.wait(10)
    performer.abandon((7, 2, 1), CANCEL_REQUESTED)
    gate.set()

    assert [reports.get(timeout=10)[0].item for _ in range(2)] == [1, 3]
    assert ran == []
    assert performer.close(grace=10) == 0


def test_abandoning_what_is_not_performed_does_nothing(performer: Performer) -> None:
    performer.abandon((1, 1, 1), CANCEL_REQUESTED)

    assert not performer.performing((1, 1, 1))


def test_closing_waits_for_what_runs_and_has_its_report(performer: Performer, make: Make, reports: Reports) -> None:
    begun, begun_async = threading.Event(), threading.Event()

    def until_shutdown() -> bool:
        begun.set()
        return activity.wait_for_worker_shutdown_sync(timedelta(seconds=10)) and activity.is_worker_shutdown()

    async def until_shutdown_async() -> bool:
        assert not activity.is_worker_shutdown()
        begun_async.set()
        return await activity.wait_for_worker_shutdown(10) and activity.is_worker_shutdown()

    performer.perform(make(until_shutdown, item=1))
    performer.perform(make(until_shutdown_async, item=2))
    assert begun.wait(10)
    assert begun_async.wait(10)

    assert performer.close(grace=10) == 0

    assert {task.item for task, _ in (reports.get_nowait(), reports.get_nowait())} == {1, 2}


def test_closing_says_what_it_waits_for_if_that_takes_long(
    performer: Performer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    begun, told = threading.Event(), threading.Event()

    def goes_on() -> bool:
        begun.set()
        return told.wait(10)

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    performer.perform(make(goes_on))
    assert begun.wait(10)
    handler, logger = Told(), logging.getLogger("greenroom")
    logger.addHandler(handler)
    try:
        assert performer.close(grace=20) == 0
    finally:
        logger.removeHandler(handler)

    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith("closing waits up to 19 s more for what goes on (1 activities): 'goes_on' of workflow ")


def test_closing_does_not_say_that_it_waits_for_nothing(
    converter: Converter, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, gate = threading.Event(), threading.Event()

    def report(task: Task, outcome: Outcome) -> None:
        begun.set()
        gate.wait(10)

    monkeypatch.setattr("greenroom.runtime.shell.performer.QUIET_SECONDS", 0.0)
    performer = Performer(converter=converter, report=report, threads=1)
    performer.perform(make(threading.get_ident))
    assert begun.wait(10)

    performer.close(grace=0.01)
    gate.set()

    assert caplog.messages == []


def test_closing_leaves_behind_what_does_not_end_and_drops_its_outcome(
    performer: Performer, make: Make, reports: Reports
) -> None:
    begun, begun_async, gate, cleaned = (threading.Event() for _ in range(4))

    def stuck() -> None:
        begun.set()
        gate.wait(10)

    async def waiting() -> None:
        begun_async.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    performer.perform(make(stuck, item=1))
    performer.perform(make(waiting, item=2))
    assert begun.wait(10)
    assert begun_async.wait(10)

    assert performer.close(grace=0) == 2

    assert cleaned.is_set()
    assert not performer.performing((7, 1, 1))
    gate.set()
    assert reports.empty()


def test_what_had_not_begun_is_not_performed_after_closing(converter: Converter, make: Make) -> None:
    begun, gate, ran = threading.Event(), threading.Event(), list[str]()
    reports: Reports = SimpleQueue()

    def hold() -> None:
        begun.set()
        activity.wait_for_worker_shutdown_sync()

    def note() -> None:
        ran.append("ran")

    performer = Performer(converter=converter, report=lambda task, outcome: reports.put((task, outcome)), threads=1)
    performer.perform(make(hold, item=1))
    performer.perform(make(note, item=2))
    assert begun.wait(10)

    assert performer.close(grace=10) == 0

    assert [reports.get_nowait()[0].item, reports.empty(), ran] == [1, True, []]
    gate.set()


def test_a_closed_performer_takes_nothing(performer: Performer, make: Make, reports: Reports) -> None:
    performer.close(grace=0)

    performer.perform(make(threading.get_ident))

    assert not performer.performing((7, 1, 1))
    assert reports.empty()


def test_closing_twice_gives_the_same_answer(performer: Performer, make: Make) -> None:
    begun, gate = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        gate.wait(10)

    performer.perform(make(stuck))
    assert begun.wait(10)

    assert [performer.close(grace=0), performer.close(grace=10)] == [1, 1]
    gate.set()


def test_closing_ends_its_threads_and_its_loop(performer: Performer, make: Make, result: Any) -> None:
    async def where() -> str:
        return threading.current_thread().name

    def also_where() -> str:
        return threading.current_thread().name

    performer.perform(make(where, item=1))
    performer.perform(make(also_where, item=2))
    names = {result(), result()}

    performer.close(grace=10)

    assert names.isdisjoint(thread.name for thread in threading.enumerate())


def test_closing_from_the_loop_itself_does_not_wait_for_its_tasks(
    performer: Performer, make: Make, reports: Reports
) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    async def main() -> int:
        performer.use_loop(asyncio.get_running_loop())
        performer.perform(make(wait))
        while performer.started_at_ns((7, 1, 1)) is None:
            await asyncio.sleep(0)
        return performer.close(grace=3600)

    assert asyncio.run(main()) == 1
    assert reports.empty()


def test_an_async_activity_that_the_application_cancels_meanwhile_is_left_behind(
    performer: Performer, make: Make, reports: Reports
) -> None:
    async def wait() -> None:
        await activity.wait_for_worker_shutdown(10)
        tasks.append(asyncio.current_task())
        shutting_down.set()
        await asyncio.Event().wait()

    tasks: list[Any] = []
    shutting_down = asyncio.Event()

    async def main() -> int:
        performer.use_loop(asyncio.get_running_loop())
        performer.perform(make(wait))
        while performer.started_at_ns((7, 1, 1)) is None:
            await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(performer.close, grace=10))
        await asyncio.wait_for(shutting_down.wait(), 10)
        tasks[0].cancel()
        return await closing

    assert asyncio.run(main()) == 1
    assert reports.empty()


def test_a_sync_activity_that_leaves_early_is_performed_again_by_the_next_opening(
    performer: Performer, make: Make, reports: Reports
) -> None:
    def leave() -> None:
        activity.wait_for_worker_shutdown_sync(10)
        raise asyncio.CancelledError

    performer.perform(make(leave))
    while performer.started_at_ns((7, 1, 1)) is None:
        threading.Event().wait(0.001)

    assert performer.close(grace=10) == 1
    assert reports.empty()


@pytest.mark.slow
def test_an_async_activity_that_will_not_be_cancelled_is_left_alone(performer: Performer, make: Make) -> None:
    begun: SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = SimpleQueue()
    over = threading.Event()

    async def stubborn() -> None:
        release = asyncio.Event()
        begun.put((asyncio.get_running_loop(), release))
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        over.set()

    performer.perform(make(stubborn))
    loop, release = begun.get(timeout=10)

    left = performer.close(grace=0)

    loop.call_soon_threadsafe(release.set)
    assert left == 1
    assert over.wait(10)


def test_no_outcome_is_lost_or_told_twice_when_closing_races_with_work(converter: Converter, make: Make) -> None:
    for _ in range(30):
        told: list[int] = []

        def tell(task: Task, outcome: Outcome, told: list[int] = told) -> None:
            told.append(task.item)

        performer = Performer(converter=converter, report=tell, threads=3)
        ran: list[int] = []

        def note(number: int, ran: list[int] = ran) -> int:
            ran.append(number)
            return number

        for number in range(20):
            performer.perform(make(note, number, item=number))
        left = performer.close(grace=10)

        assert left == 0
        assert sorted(told) == sorted(ran)


def test_reports_of_failing_callbacks_do_not_end_the_thread(converter: Converter, make: Make, caplog: Any) -> None:
    told: SimpleQueue[int] = SimpleQueue()

    def report(task: Task, outcome: Outcome) -> None:
        told.put(task.item)
        if task.item == 1:
            raise RuntimeError("the dispatcher is gone")

    performer = Performer(converter=converter, report=report, threads=1)
    performer.perform(make(threading.get_ident, item=1))
    performer.perform(make(threading.get_ident, item=2))

    assert [told.get(timeout=10), told.get(timeout=10)] == [1, 2]
    assert performer.close(grace=10) == 0
    assert "the dispatcher is gone" in caplog.text


def test_a_failure_after_the_notice_is_still_reported(performer: Performer, make: Make, reports: Reports) -> None:
    begun = threading.Event()

    def give_up() -> None:
        begun.set()
        activity.wait_for_worker_shutdown_sync(10)
        raise InterruptedError("shutting down")

    performer.perform(make(give_up))
    assert begun.wait(10)
    performer.close(grace=10)

    _, outcome = reports.get_nowait()
    assert isinstance(outcome, Failed)
    assert outcome.failure.type == "InterruptedError"
