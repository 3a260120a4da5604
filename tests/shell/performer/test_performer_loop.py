"""Async activities: performed on the application's loop, or on one of our own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest

from greenroom.runtime import activity
from greenroom.runtime.model.cancellation import CANCEL_REQUESTED
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.shell.performer import Completed, Failed, NeverBegan, Outcome, Performer, Task

Make = Callable[..., Task]
Fails = Callable[[], Failed]


async def where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_without_a_loop_they_run_on_one_of_our_own(performer: Performer, make: Make, result: Any) -> None:
    performer.perform(make(where))

    assert result() == "greenroom-activity-loop"


def test_given_a_loop_they_run_there(performer: Performer, make: Make) -> None:
    async def main() -> str:
        performer.use_loop(asyncio.get_running_loop())
        task = make(where)
        await asyncio.to_thread(performer.perform, task)
        while performer.performing((7, 1, 1)):
            await asyncio.sleep(0)
        return threading.current_thread().name

    assert asyncio.run(main()) == threading.current_thread().name


def test_once_they_run_on_a_loop_of_our_own_no_other_is_taken(performer: Performer, make: Make, result: Any) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="before the first item"):
            performer.use_loop(asyncio.get_running_loop())

    performer.perform(make(where, item=1))
    asyncio.run(main())
    performer.perform(make(where, item=2))

    assert [result(), result()] == ["greenroom-activity-loop"] * 2


def test_on_the_applications_loop_they_see_its_context_variables(
    performer: Performer, make: Make, reports: SimpleQueue[tuple[Task, Outcome]], result: Any
) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")

    async def serve() -> str:
        before = tenant.get()
        tenant.set("changed")
        return before

    async def main() -> None:
        tenant.set("ada")
        performer.use_loop(asyncio.get_running_loop())
        for item in (1, 2):
            await asyncio.to_thread(performer.perform, make(serve, item=item))
        await asyncio.to_thread(lambda: seen.extend([result(), result()]))

    seen: list[str] = []
    asyncio.run(main())

    assert seen == ["ada", "ada"]


def test_many_handed_over_at_once_wake_the_loop_once(
    performer: Performer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    wakes: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe

        def counted(callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
            wakes.append(callback)
            return wake(callback, *args, context=context)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        performer.use_loop(loop)
        # This thread holds the loop, so nothing can begin in between.
        for item in range(100):
            performer.perform(make(where, item=item))
        while any(performer.performing((7, item, 1)) for item in range(100)):
            await asyncio.sleep(0)

    asyncio.run(main())

    assert len(wakes) == 1


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_no_exception_ends_the_loop(
    performer: Performer, make: Make, failed: Fails, result: Any, error: BaseException
) -> None:
    async def leave() -> None:
        raise error

    performer.perform(make(leave))
    failed()

    performer.perform(make(where))
    assert result() == "greenroom-activity-loop"


def test_system_exit_in_a_task_of_the_activity_does_not_end_the_loop(
    performer: Performer, make: Make, outcome: Any, result: Any
) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def start() -> None:
        await asyncio.gather(asyncio.ensure_future(leave()), return_exceptions=True)

    performer.perform(make(start))
    outcome()

    performer.perform(make(where, item=2))
    assert result() == "greenroom-activity-loop"


def test_abandoning_cancels(
    performer: Performer, make: Make, reports: SimpleQueue[tuple[Task, Outcome]], result: Any
) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert activity.is_cancelled()
            cancelled.set()
            raise

    performer.perform(make(wait))
    assert begun.wait(10)

    performer.abandon((7, 1, 1), CANCEL_REQUESTED)

    assert cancelled.wait(10)
    performer.perform(make(where, attempt=2))
    assert result() == "greenroom-activity-loop"
    assert reports.empty()


def test_abandoned_before_it_begins_it_never_does(performer: Performer, make: Make, converter: Converter) -> None:
    ran: list[int] = []

    async def note(number: int) -> None:
        ran.append(number)

    async def main() -> None:
        performer.use_loop(asyncio.get_running_loop())
        performer.perform(make(note, 1, item=1))
        performer.perform(make(note, 2, item=2))
        performer.abandon((7, 1, 1), CANCEL_REQUESTED)
        while performer.performing((7, 2, 1)):
            await asyncio.sleep(0)

    asyncio.run(main())

    assert ran == [2]


def test_tasks_cancelled_by_the_application_are_reported(
    performer: Performer, make: Make, reports: SimpleQueue[tuple[Task, Outcome]]
) -> None:
    async def wait(begun: bool) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        performer.use_loop(asyncio.get_running_loop())
        performer.perform(make(wait, True, item=1))
        while performer.started_at_ns((7, 1, 1)) is None:
            await asyncio.sleep(0)
        performer.perform(make(wait, False, item=2))
        # One turn of the loop makes the second task, which has not taken its first step then.
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(main())

    ended = {task.item: type(outcome) for task, outcome in (reports.get(timeout=10) for _ in range(2))}
    assert ended == {1: Failed, 2: NeverBegan}


def test_a_closed_loop_is_a_failure_that_can_be_retried(performer: Performer, make: Make, failed: Fails) -> None:
    async def main() -> None:
        performer.use_loop(asyncio.get_running_loop())

    asyncio.run(main())

    performer.perform(make(where))

    failure = failed().failure
    assert "loop is closed" in failure.message
    assert not failure.non_retryable


def test_the_facts_are_seen_in_threads_that_the_activity_asks(performer: Performer, make: Make, result: Any) -> None:
    async def ask() -> str:
        return await asyncio.to_thread(lambda: activity.info().idempotency_key)

    performer.perform(make(ask, item=3))

    assert result() == "run-7:3"


def test_activities_side_by_side_see_their_own_facts(performer: Performer, make: Make, converter: Converter) -> None:
    outcomes: dict[int, Any] = {}

    async def who() -> str:
        await asyncio.sleep(0)
        return activity.info().activity_id

    asyncs = Performer(converter=converter, report=lambda task, outcome: outcomes.update({task.item: outcome}))
    for item in range(20):
        asyncs.perform(make(who, item=item))
    assert asyncs.close(grace=10) == 0

    answered = {item: converter.decode(each.result) for item, each in outcomes.items() if isinstance(each, Completed)}
    assert all(answer == str(item) for item, answer in answered.items())
