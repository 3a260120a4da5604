"""What activity code can ask while it runs, and what it is told where nothing runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from greenroom.runtime import activity
from greenroom.runtime.model.errors import NotInActivityError
from greenroom.runtime.shell.performer import Performer, Task

Make = Callable[..., Task]


def test_info_tells_the_facts_of_the_attempt(performer: Performer, make: Make, result: Any) -> None:
    seen: list[activity.Info] = []

    def ask() -> bool:
        seen.append(activity.info())
        return activity.in_activity()

    performer.perform(make(ask, item=5, attempt=3))

    assert result()
    (info,) = seen
    assert (info.activity_id, info.activity_type, info.attempt) == ("5", "ask", 3)
    assert (info.workflow_id, info.run_id, info.workflow_type) == ("order-7", "run-7", "order")
    assert info.scheduled_time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert info.current_attempt_scheduled_time == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert info.start_to_close_timeout == timedelta(seconds=30)
    assert (info.schedule_to_close_timeout, info.schedule_to_start_timeout) == (None, None)
    assert (info.retry_policy, info.priority, info.task_queue) == (None, None, None)


def test_the_attempt_began_when_its_thread_took_it(performer: Performer, make: Make, result: Any) -> None:
    def ask() -> int:
        assert activity.info() is activity.info()
        assert activity.info().started_time == datetime(1970, 1, 1, tzinfo=UTC)
        return activity.info().started_at_ns

    performer.perform(make(ask))

    assert result() == 42


def test_the_idempotency_key_is_the_same_for_every_attempt(performer: Performer, make: Make, result: Any) -> None:
    def key() -> str:
        return activity.info().idempotency_key

    keys: set[str] = set()
    for attempt in (1, 2, 3):
        performer.perform(make(key, item=5, attempt=attempt))
        keys.add(result())

    assert keys == {"run-7:5"}


@pytest.mark.parametrize(
    "ask", [activity.info, activity.is_cancelled, activity.is_worker_shutdown, activity.wait_for_worker_shutdown_sync]
)
def test_outside_an_activity_there_is_nothing_to_ask(ask: Callable[[], object]) -> None:
    assert not activity.in_activity()

    with pytest.raises(NotInActivityError, match=rf"activity\.{ask.__name__}\(\) was called outside an activity"):
        ask()


def test_the_logger_adds_the_attempt(
    performer: Performer, make: Make, result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def log() -> None:
        activity.logger.warning("100%% of %s", "it", extra={"customer": "ada"})

    performer.perform(make(log, attempt=2))
    result()

    (record,) = caplog.records
    assert record.getMessage() == "100% of it"
    facts = vars(record)
    assert (facts["activity_type"], facts["activity_id"], facts["attempt"]) == ("log", "1", 2)
    assert (facts["workflow_id"], facts["run_id"], facts["customer"]) == ("order-7", "run-7", "ada")


def test_the_logger_works_outside_an_activity(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        activity.logger.info("hello")

    assert not hasattr(caplog.records[0], "activity_id")


def test_a_wait_for_the_shutdown_ends_by_its_timeout(performer: Performer, make: Make, result: Any) -> None:
    def wait() -> bool:
        return activity.wait_for_worker_shutdown_sync(0)

    async def wait_async() -> bool:
        return await activity.wait_for_worker_shutdown(timedelta(0))

    performer.perform(make(wait))
    assert result() is False
    performer.perform(make(wait_async))
    assert result() is False


def test_a_blocking_wait_on_the_loop_is_refused(performer: Performer, make: Make, result: Any) -> None:
    async def wait() -> str:
        with pytest.raises(RuntimeError, match="wait_for_worker_shutdown"):
            activity.wait_for_worker_shutdown_sync()
        return "refused"

    performer.perform(make(wait))

    assert result() == "refused"


def test_a_shutdown_that_has_begun_is_not_waited_for() -> None:
    shutdown = activity.Notice()
    shutdown.begin()

    assert shutdown.wait(None)
    assert asyncio.run(shutdown.wait_async(None))


def test_a_test_can_stand_in_for_the_runtime(make: Make) -> None:
    attempt = activity.Attempt(make(_ask, item=9).info, activity.Notice())
    token = activity.CURRENT.set(attempt)

    assert _ask() == "9"

    activity.CURRENT.reset(token)
    assert not activity.in_activity()


def _ask() -> str:
    return activity.info().activity_id
