"""The example of a batch processor: every row goes out, from run to run, through failures, silence and crashes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from examples.batch_processor import TABLE, Export, Line, Progress
from greenroom import WorkflowHandle, activity
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once

HOUR = timedelta(hours=1)


class FailingLine(Line):
    """It goes dead at each of some rows, once."""

    def __init__(self, dies_at: list[int]) -> None:
        super().__init__(TABLE)
        self.deaths = dies_at

    @activity.defn
    def export(self, begin: int, end: int) -> int:
        self.dies_at = self.deaths.pop(0) if self.deaths else None
        return super().export(begin, end)


class SilentLine:
    """Its first attempt sends four rows, and is not heard of any more."""

    def __init__(self) -> None:
        self.line = Line(TABLE)
        self.is_silent = True

    @activity.defn(name="export")
    async def export(self, begin: int, end: int) -> int:
        if self.is_silent:
            self.is_silent = False
            self.line.export(begin, begin + 4)
            await asyncio.sleep(3600)
        return self.line.export(begin, end)


def exported(runtime: TestRuntime, pause: timedelta = HOUR) -> WorkflowHandle[Progress]:
    export: WorkflowHandle[Progress] = start_once(runtime, Export.run, Progress(pause=pause), id="export")
    return export


@pytest.mark.parametrize("evicts", [False, True], ids=["resident", "evicted"])
def test_every_row_goes_out_once_and_in_order_from_run_to_run(evicts: bool) -> None:
    line = Line(TABLE)
    with TestRuntime(activities=[line], evict_after_every_turn=evicts) as runtime:
        assert exported(runtime).result().get() == Progress(95, HOUR, runs=4)

        assert line.sent == TABLE
        assert len(runtime.recorded()) == 4
        assert max(len(run.turns) for run in runtime.recorded()) == 7
        replay_every_prefix(runtime)


@pytest.mark.parametrize("length", [0, 9, 10, 30, 31])
def test_a_table_of_any_length_is_exported(length: int) -> None:
    line = Line(TABLE[:length])
    with TestRuntime(activities=[line]) as runtime:
        assert exported(runtime).result().get().row == length

        assert line.sent == TABLE[:length]


def test_an_attempt_begins_where_the_one_before_it_has_failed() -> None:
    line = FailingLine([3, 7, 7])
    with TestRuntime(activities=[line]) as runtime:
        assert exported(runtime).result().get().row == 95

        assert line.sent == TABLE


def test_an_attempt_that_is_silent_for_too_long_is_followed_by_another() -> None:
    silent = SilentLine()
    with TestRuntime(activities=[silent]) as runtime:
        export = exported(runtime)

        runtime.advance(60)

        assert export.query(Export.rows).get() == 10
        assert silent.line.sent == TABLE[:10]


def test_a_pause_that_is_set_in_one_run_counts_in_the_next() -> None:
    with TestRuntime(activities=[Line(TABLE)]) as runtime:
        export = exported(runtime)
        began = runtime.clock.now_ns()
        runtime.advance(HOUR / 2)
        export.signal(Export.set_pause, 2 * HOUR)

        assert export.result().get().pause == 2 * HOUR

        assert runtime.clock.now_ns() - began == (1 + 8 * 2) * 3600 * 10**9


def test_a_crash_between_two_pages_repeats_neither() -> None:
    line = Line(TABLE)
    with TestRuntime(activities=[line]) as runtime:
        exported(runtime)
        runtime.advance(4 * HOUR)
        assert len(line.sent) == 50

        runtime.crash()

        export = runtime.get_workflow_handle("export", result_type=Progress)
        assert export.query(Export.rows).get() == 50
        assert export.result().get() == Progress(95, HOUR, runs=4)
        assert line.sent == TABLE


def test_an_export_outlives_any_crash() -> None:
    def scenario(runtime: TestRuntime) -> object:
        return exported(runtime).result().get()

    assert crash_sweep(scenario, make=lambda: TestRuntime(activities=[Line(TABLE[:45])])).points > 0
