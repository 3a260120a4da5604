"""What a run leaves when it ends, and who is told: failed tasks that nothing awaited, signals that nothing read."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from greenroom import workflow
from greenroom.testing import TestRuntime

kept: list[Any] = []


async def fails() -> None:
    await workflow.sleep(1)
    raise LookupError("a slip in a background task")


@workflow.defn(name="left.begins")
class Begins:
    """Begins a task that fails, and keeps it or not."""

    @workflow.run
    async def run(self, how: str) -> str:
        self.task: asyncio.Task[None] | None = None
        task = asyncio.create_task(fails(), name="the reminder")
        if how == "kept":
            self.task = task
        elif how == "awaited":
            try:
                await task
            except LookupError:
                return "seen"
        elif how == "cancelled":
            task.cancel()
        del task
        await workflow.sleep(10)
        return "done"


@workflow.defn(name="left.listens")
class Listens:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(10)
        return "done"

    @workflow.signal
    def known(self) -> None:
        """One that is heard."""


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "has ended" in record.getMessage()]


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize("how", ["kept", "dropped"])
def test_a_task_that_failed_and_that_nothing_awaited_is_told_of_once_when_its_run_ends(
    how: str, evict: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with TestRuntime(workflows=[Begins], evict_after_every_turn=evict) as runtime:
        assert runtime.wait(runtime.execute_workflow(Begins.run, how, id="w")) == "done"

    [message] = told(caplog)
    assert message.startswith("workflow 'w' ")
    assert (
        "nothing had awaited its task 'the reminder', which failed: LookupError('a slip in a background task')"
        in message
    )
    [record] = [record for record in caplog.records if "has ended" in record.getMessage()]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


@pytest.mark.parametrize("how", ["awaited", "cancelled"])
def test_a_task_whose_end_was_seen_or_meant_is_not_told_of(how: str, caplog: pytest.LogCaptureFixture) -> None:
    with TestRuntime(workflows=[Begins]) as runtime:
        runtime.wait(runtime.execute_workflow(Begins.run, how))

    assert told(caplog) == []


def test_signals_that_nothing_has_read_are_told_of_by_name_when_their_run_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with TestRuntime(workflows=[Listens], auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Listens.run, id="w"))
        for name in ("renamed", "known", "misspelt", "renamed"):
            runtime.wait(handle.signal(name))
        runtime.advance(10)

    assert told(caplog) == [
        "workflow 'w' has ended (COMPLETED) with 3 signals that nothing in it had read: 'misspelt', 'renamed'; they "
        "are dead letters, kept as long as the run is. Is there a handler of that name, or a channel that is read?"
    ]
