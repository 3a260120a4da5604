"""An attempt that needs a permit begins when it is granted, and not before."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest

from greenroom.runtime.model.cancellation import CANCEL_REQUESTED
from greenroom.runtime.model.values import changed
from greenroom.runtime.shell.performer import Outcome, Performer, Task
from greenroom.runtime.shell.task import Permit

Make = Callable[..., Task]
Reports = SimpleQueue[tuple[Task, Outcome]]
Asked = SimpleQueue[tuple[Task, Callable[[bool], None]]]


def work() -> str:
    return threading.current_thread().name


async def work_async() -> str:
    return threading.current_thread().name


@pytest.fixture
def asked() -> Asked:
    return SimpleQueue()


@pytest.fixture
def ask(asked: Asked) -> Permit:
    def ask(task: Task, granted: Callable[[bool], None]) -> None:
        asked.put((task, granted))

    return ask


@pytest.fixture(params=[work, work_async])
def task(request: pytest.FixtureRequest, make: Make, ask: Permit) -> Task:
    return changed(make(request.param), permit=ask)


def test_it_begins_when_the_permit_is_granted(performer: Performer, task: Task, asked: Asked, result: Any) -> None:
    performer.perform(task)
    who, granted = asked.get(timeout=10)
    assert who is task
    assert performer.performing((7, 1, 1))
    assert performer.started_at_ns((7, 1, 1)) is None

    granted(True)

    assert result().startswith("greenroom-activity-")


def test_refused_it_is_neither_performed_nor_reported(
    performer: Performer, task: Task, asked: Asked, reports: Reports
) -> None:
    performer.perform(task)
    _, granted = asked.get(timeout=10)

    granted(False)

    assert performer.close(grace=10) == 0
    assert not performer.performing((7, 1, 1))
    assert reports.empty()


def test_abandoned_it_no_longer_waits_for_the_permit(
    performer: Performer, task: Task, asked: Asked, reports: Reports
) -> None:
    performer.perform(task)
    _, granted = asked.get(timeout=10)

    performer.abandon((7, 1, 1), CANCEL_REQUESTED)
    granted(True)

    assert performer.close(grace=10) == 0
    assert reports.empty()


def test_what_waits_for_its_permit_when_the_performer_closes_has_not_begun(
    performer: Performer, task: Task, asked: Asked, reports: Reports
) -> None:
    performer.perform(task)
    _, granted = asked.get(timeout=10)

    assert performer.close(grace=10) == 0
    granted(True)

    assert performer.never_begun == [task]
    assert reports.empty()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("greenroom-activity")]


def test_a_permit_that_comes_after_the_loop_has_closed_is_ignored(
    performer: Performer, make: Make, asked: Asked, ask: Permit
) -> None:
    task = changed(make(work_async), permit=ask)

    async def main() -> None:
        performer.use_loop(asyncio.get_running_loop())
        performer.perform(task)
        while asked.empty():
            await asyncio.sleep(0)

    asyncio.run(main())
    _, granted = asked.get(timeout=10)

    granted(True)

    assert not performer.performing((7, 1, 1))
