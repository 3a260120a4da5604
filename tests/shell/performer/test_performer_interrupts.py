"""Cancelling a thread: the exception comes while its activity runs, or never; no other attempt ever gets it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest

from greenroom import CancelledError, activity
from greenroom.runtime.model.cancellation import CANCEL_REQUESTED, TIMED_OUT, WORKER_SHUTDOWN
from greenroom.runtime.model.failures import FailureKind
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.shell.interrupts import Interrupts
from greenroom.runtime.shell.performer import Completed, Failed, Outcome, Performer, Task

Make = Callable[..., Task]
Reports = SimpleQueue[tuple[Task, Outcome]]

KEY = 7, 1, 1


class Stage:
    """Where an activity and its test meet."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.seen: SimpleQueue[Any] = SimpleQueue()

    def next(self) -> Any:
        return self.seen.get(timeout=10)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def spin() -> None:
    while True:
        pass


def test_a_thread_that_computes_is_interrupted(performer: Performer, make: Make, stage: Stage, failed: Any) -> None:
    def compute() -> None:
        stage.begun.set()
        try:
            spin()
        except CancelledError:
            stage.seen.put(activity.cancellation_details())
            raise

    performer.perform(make(compute))
    assert stage.begun.wait(10)

    assert not performer.cancel(KEY, CANCEL_REQUESTED)

    assert stage.next() == activity.ActivityCancellationDetails(cancel_requested=True)
    assert failed().failure.kind is FailureKind.CANCELLED


def test_one_that_is_asked_to_end_may_complete_all_the_same(
    performer: Performer, make: Make, stage: Stage, result: Any
) -> None:
    def compute() -> str:
        stage.begun.set()
        try:
            spin()
        except CancelledError:
            pass
        return "cleaned up"

    performer.perform(make(compute))
    assert stage.begun.wait(10)

    performer.cancel(KEY, CANCEL_REQUESTED)

    assert result() == "cleaned up"


def test_an_abandoned_thread_is_interrupted_and_its_outcome_is_dropped(
    performer: Performer, make: Make, stage: Stage, reports: Reports, result: Any
) -> None:
    def compute(attempt: int) -> str:
        stage.begun.set()
        if attempt == 1:
            spin()
        return "second"

    performer.perform(make(compute, 1))
    assert stage.begun.wait(10)
    performer.abandon(KEY, TIMED_OUT)
    performer.perform(make(compute, 2, attempt=2))

    assert result() == "second"
    performer.close(grace=10)
    assert reports.empty()


def test_one_that_has_not_begun_never_will(converter: Converter, make: Make, stage: Stage) -> None:
    performer = Performer(converter=converter, report=lambda task, outcome: stage.seen.put(task.item), threads=1)

    def hold() -> None:
        stage.begun.set()
        stage.go.wait(10)

    performer.perform(make(hold))
    performer.perform(make(hold, item=2))
    assert stage.begun.wait(10)

    assert performer.cancel((7, 2, 1), CANCEL_REQUESTED)
    stage.go.set()

    assert stage.next() == 1
    assert performer.close(grace=10) == 0
    assert stage.seen.empty()


def test_one_that_is_not_performed_is_not_there_to_be_cancelled(performer: Performer) -> None:
    assert not performer.cancel(KEY, CANCEL_REQUESTED)


def test_nothing_is_raised_where_it_was_declared_so(
    performer: Performer, make: Make, stage: Stage, result: Any
) -> None:
    @activity.defn(no_thread_cancel_exception=True)
    def wait() -> bool:
        stage.begun.set()
        assert activity.wait_for_cancelled_sync(10)
        return activity.is_cancelled()

    performer.perform(make(wait))
    assert stage.begun.wait(10)
    performer.cancel(KEY, CANCEL_REQUESTED)

    assert result() is True


def test_a_shield_puts_the_exception_off_until_its_end(
    performer: Performer, make: Make, stage: Stage, result: Any
) -> None:
    def work() -> list[str]:
        did: list[str] = []
        try:
            with activity.shield_thread_cancel_exception():
                with activity.shield_thread_cancel_exception():
                    stage.begun.set()
                    assert activity.wait_for_cancelled_sync(10)
                    did.append("inner")
                did.append("outer")
            did.append("never")
        except CancelledError:
            did.append("cancelled")
        with activity.shield_thread_cancel_exception():
            did.append("once")
        return did

    performer.perform(make(work))
    assert stage.begun.wait(10)
    performer.cancel(KEY, CANCEL_REQUESTED)

    assert result() == ["inner", "outer", "cancelled", "once"]


def test_what_the_code_of_a_shield_raises_is_the_context_of_the_cancellation(
    performer: Performer, make: Make, stage: Stage, failed: Any
) -> None:
    def work() -> None:
        with activity.shield_thread_cancel_exception():
            stage.begun.set()
            activity.wait_for_cancelled_sync(10)
            raise LookupError("inside")

    performer.perform(make(work))
    assert stage.begun.wait(10)
    performer.cancel(KEY, CANCEL_REQUESTED)

    failure = failed().failure
    assert failure.kind is FailureKind.CANCELLED
    assert failure.cause.type == "LookupError"


def test_a_shield_on_another_thread_or_on_a_loop_does_nothing(performer: Performer, make: Make, result: Any) -> None:
    async def on_loop() -> str:
        with activity.shield_thread_cancel_exception():
            return await asyncio.to_thread(shielded)

    def shielded() -> str:
        with activity.shield_thread_cancel_exception():
            return "done"

    performer.perform(make(on_loop))

    assert result() == "done"


@pytest.mark.slow
@pytest.mark.parametrize("shielded", [False, True])
def test_no_attempt_ever_gets_the_exception_of_another(converter: Converter, make: Make, shielded: bool) -> None:
    """Attempts that end while they are cancelled, one after the other on one thread; the cancelled one may be hit
    anywhere, what runs behind it on the same thread never."""
    reports: Reports = SimpleQueue()
    performer = Performer(converter=converter, report=lambda task, outcome: reports.put((task, outcome)), threads=1)
    begun: SimpleQueue[int] = SimpleQueue()

    def short(number: int) -> int:
        begun.put(number)
        if shielded:
            with activity.shield_thread_cancel_exception():
                sum(range(number % 50))
        return sum(range(number % 90)) * 0 + number

    def innocent(number: int) -> int:
        return sum(range(200)) * 0 + number

    rounds = 1500
    for number in range(rounds):
        performer.perform(make(short, number, item=2 * number))
        performer.perform(make(innocent, number, item=2 * number + 1))
        begun.get(timeout=10)
        performer.cancel((7, 2 * number, 1), CANCEL_REQUESTED)
        ended = {task.item: outcome for task, outcome in (reports.get(timeout=10) for _ in range(2))}
        assert isinstance(ended[2 * number + 1], Completed)
        hit = ended[2 * number]
        assert isinstance(hit, Completed) or (isinstance(hit, Failed) and hit.failure.kind is FailureKind.CANCELLED)
    assert performer.close(grace=10) == 0


def test_the_executor_of_a_user_gets_its_thread_back_clean(
    converter: Converter, make: Make, stage: Stage, reports: Reports
) -> None:
    def compute() -> None:
        stage.begun.set()
        spin()

    with ThreadPoolExecutor(1) as executor:
        performer = Performer(
            converter=converter, report=lambda task, outcome: reports.put((task, outcome)), executor=executor
        )
        performer.perform(make(compute))
        assert stage.begun.wait(10)
        performer.cancel(KEY, CANCEL_REQUESTED)
        outcome = reports.get(timeout=10)[1]
        assert isinstance(outcome, Failed)

        assert executor.submit(lambda: "still there").result(10) == "still there"
        performer.close(grace=10)


def test_an_async_activity_that_is_asked_to_end_answers(
    performer: Performer, make: Make, stage: Stage, failed: Any
) -> None:
    async def wait() -> None:
        stage.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stage.seen.put((activity.is_cancelled(), activity.cancellation_details()))

    performer.perform(make(wait))
    assert stage.begun.wait(10)
    performer.cancel(KEY, CANCEL_REQUESTED)

    assert stage.next() == (True, CANCEL_REQUESTED)
    assert failed().failure.kind is FailureKind.CANCELLED


def test_what_an_async_activity_has_started_can_wait_for_its_cancellation(
    performer: Performer, make: Make, stage: Stage, result: Any
) -> None:
    async def wait() -> bool:
        watching = asyncio.create_task(activity.wait_for_cancelled())
        assert await activity.wait_for_cancelled(0) is False
        stage.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await watching
        return False

    performer.perform(make(wait))
    assert stage.begun.wait(10)
    performer.cancel(KEY, CANCEL_REQUESTED)

    assert result() is True


def test_when_the_grace_period_is_over_threads_are_interrupted_too(
    performer: Performer, make: Make, stage: Stage, reports: Reports
) -> None:
    def compute() -> None:
        stage.begun.set()
        try:
            spin()
        except CancelledError:
            stage.seen.put(activity.cancellation_details())
            raise

    performer.perform(make(compute))
    assert stage.begun.wait(10)

    assert performer.close(grace=0) == 1

    assert stage.next() == WORKER_SHUTDOWN
    assert reports.empty()


def test_the_first_reason_stays(performer: Performer, make: Make, stage: Stage) -> None:
    def wait() -> None:
        with activity.shield_thread_cancel_exception():
            stage.begun.set()
            stage.go.wait(10)
            stage.seen.put(activity.cancellation_details())

    performer.perform(make(wait))
    assert stage.begun.wait(10)
    performer.cancel(KEY, CANCEL_REQUESTED)
    performer.abandon(KEY, TIMED_OUT)
    stage.go.set()

    assert stage.next() == CANCEL_REQUESTED


def test_a_blocking_wait_for_the_cancellation_on_the_loop_is_refused(
    performer: Performer, make: Make, result: Any
) -> None:
    async def wait() -> str:
        with pytest.raises(RuntimeError, match="await wait_for_cancelled\\(\\)"):
            activity.wait_for_cancelled_sync()
        return "refused"

    performer.perform(make(wait))

    assert result() == "refused"


@pytest.mark.slow
def test_a_profiler_works_when_threads_have_been_interrupted() -> None:
    program = """
import sys, threading
from greenroom.runtime.model.errors import CancelledError
from greenroom.runtime.shell.interrupts import Interrupts

class Target:
    cancellation, depth, is_due, is_struck, thread = None, 0, False, False, None

interrupts = Interrupts()

def play(target, begun):
    try:
        interrupts.open(target)
        begun.set()
        while True:
            pass
    except CancelledError:
        pass
    interrupts.calm(target)

for _ in range(20):
    target, begun = Target(), threading.Event()
    thread = threading.Thread(target=play, args=(target, begun))
    thread.start()
    begun.wait()
    target.cancellation = True
    interrupts.strike(target)
    thread.join()

calls = []
sys.setprofile(lambda *event: calls.append(event))
sorted([1])
(lambda: None)()
sys.setprofile(None)
print("over", len(calls) > 0)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)

    assert ended.stdout == "over True\n", ended.stderr


class Struck:
    """What may be interrupted, with nothing else around it."""

    def __init__(self) -> None:
        self.cancellation: Any = None
        self.depth = 0
        self.is_due = False
        self.is_struck = False
        self.thread: int | None = None


def struck_while(act: Callable[[], object], *, times: int = 200) -> None:
    """Strike a thread again and again, at any moment, while it does this all the time."""
    interrupts = Interrupts()

    def play(target: Struck, begun: threading.Event) -> None:
        try:
            interrupts.open(target)
            begun.set()
            while True:
                act()
        except CancelledError:
            pass
        interrupts.calm(target)

    for _ in range(times):
        target, begun = Struck(), threading.Event()
        thread = threading.Thread(target=play, args=(target, begun), daemon=True)
        thread.start()
        assert begun.wait(10)
        target.cancellation = CANCEL_REQUESTED
        interrupts.strike(target)
        thread.join(60)
        assert not thread.is_alive()


def test_one_that_was_cancelled_before_it_begins_is_interrupted_at_once() -> None:
    interrupts, target = Interrupts(), Struck()
    target.cancellation = CANCEL_REQUESTED
    with pytest.raises(CancelledError):
        interrupts.open(target)
    interrupts.calm(target)
    assert target.is_struck


def test_an_interrupted_thread_leaves_the_locks_of_logging_free() -> None:
    class Counts(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            pass

    handler = Counts()
    logger = logging.Logger("interrupted")
    logger.addHandler(handler)

    def work() -> None:
        for _ in range(300):
            pass
        logger.info("a line")

    struck_while(work, times=100)

    free = handler.lock is not None and handler.lock.acquire(timeout=1)
    assert free


def test_an_interrupted_thread_leaves_what_others_wait_for_usable() -> None:
    notice = activity.Notice()
    struck_while(lambda: notice.wait(0.0001))

    woken = threading.Thread(target=notice.wait, args=(10,), daemon=True)
    woken.start()
    beginning = threading.Thread(target=notice.begin, daemon=True)
    beginning.start()
    beginning.join(10)
    woken.join(5)
    assert not beginning.is_alive()
    assert not woken.is_alive()


def test_a_thread_that_waits_in_a_lock_of_the_standard_library_is_interrupted() -> None:
    event = threading.Event()
    struck_while(lambda: event.wait(0.05), times=20)
