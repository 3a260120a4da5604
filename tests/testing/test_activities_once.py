"""What is over is over: an activity is not performed again because its run comes back from the journal."""

from __future__ import annotations

import pytest

from greenroom import activity, workflow
from greenroom.testing import TestRuntime

performed: list[int] = []


@activity.defn(name="once.note")
def note(number: int) -> int:
    performed.append(number)
    return number


@workflow.defn(name="once.notes")
async def notes(count: int) -> int:
    total = 0
    for number in range(count):
        total += await workflow.execute_activity(note, number)
    return total


@workflow.defn(name="once.mended")
class Mended:
    is_broken = True

    @workflow.run
    async def run(self) -> int:
        handle = workflow.start_activity(note, 7)
        await workflow.wait_condition(lambda: handle.done())
        if Mended.is_broken:
            raise RuntimeError("a bug")
        return handle.result()


@pytest.fixture(autouse=True)
def _nothing_performed() -> None:
    performed.clear()


def test_an_activity_of_an_evicted_run_is_performed_once() -> None:
    with TestRuntime(evict_after_every_turn=True) as runtime:
        result = runtime.wait(runtime.execute_workflow(notes, 3, id="w"))

        assert runtime.evictions > 0

    assert result == 3
    assert performed == [0, 1, 2]


def test_an_activity_whose_outcome_could_not_be_written_is_not_performed_again() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(notes, 1, id="w"))
        runtime.perform_activity()
        runtime.store.fail_commit()

        result = runtime.wait(handle.result())

    assert result == 0
    assert performed == [0]


def test_an_activity_whose_outcome_waits_on_disk_is_not_performed_again(caplog: pytest.LogCaptureFixture) -> None:
    Mended.is_broken = True
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(Mended.run, id="w"))
        runtime.run_until_idle()

        runtime.crash()
        Mended.is_broken = False
        handle = runtime.get_workflow_handle("w")
        runtime.wait(handle.resume())
        runtime.run_until_idle()
        result = runtime.wait(handle.result())

    assert result == 7
    assert performed == [7]
    assert "is suspended: RuntimeError: a bug" in caplog.text
