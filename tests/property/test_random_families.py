"""Families of workflows: replayed from any prefix, put away at every rest or run in another process, they have the same
histories."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from greenroom.runtime.core.commands import (
    CancelExternal,
    CancelTimer,
    CancelWorkflow,
    Command,
    CompleteWorkflow,
    ContinueAsNew,
    FailWorkflow,
    RecordSideEffect,
    RequestCancelChild,
    ScheduleActivity,
    SignalExternal,
    SignalWithStart,
    StartChild,
    StartTimer,
)
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.testing import TestRuntime
from greenroom.testing.recorded import run_headers
from tests.property.families import digest, drive, replay_all

RUNNING, SUSPENDED = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.SUSPENDED
ROOT = Path(__file__).parents[2]
FEW = range(40)
MANY = range(len(FEW), 120 * int(os.environ.get("FUZZ", "1")))
ASKED = (
    *(StartTimer, CancelTimer, ScheduleActivity, RecordSideEffect, SignalExternal, SignalWithStart, CancelExternal),
    *(StartChild, RequestCancelChild, ContinueAsNew, FailWorkflow, CancelWorkflow, CompleteWorkflow),
)
ENDED = [status for status in WorkflowExecutionStatus if status not in (RUNNING, SUSPENDED)]


class RestlessRuntime(TestRuntime):
    """Whenever nothing is left to do for now, all runs are put away and brought back.

    Between two rests they stay: who is first to be awake is first to be heard, so that otherwise some would see the
    same things in another order.
    """

    is_resting = False

    def run_until_idle(self) -> None:
        super().run_until_idle()
        if self.is_resting or not self.is_open:
            return
        self.is_resting = True
        self.evictions += self.hands.directory.evict()
        for run_no, header in list(run_headers(self.hands.journal)):
            actor = self.hands.directory.of_run(run_no) if header.closed_ns is None else None
            if actor is not None:
                actor.wake()
        super().run_until_idle()
        self.is_resting = False


def ends_as_in_memory(seed: int) -> None:
    with TestRuntime(seed=seed) as runtime:
        in_memory = drive(runtime, seed)
        assert [run.header.workflow_id for run in in_memory if run.header.closed_ns is None] == []
        assert replay_all(runtime) > 0

    with RestlessRuntime(seed=seed) as runtime:
        put_away = drive(runtime, seed)

    assert [run.turns for run in put_away] == [run.turns for run in in_memory]
    assert [run.header for run in put_away] == [run.header for run in in_memory]


@functools.cache
def digest_here() -> str:
    return digest(MANY)


def digest_elsewhere(seeds: range, *, hash_seed: int, garbage: int) -> str:
    """The digest that a process of its own comes to."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.property.families", str(seeds.start), str(seeds.stop), str(garbage)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("seed", FEW)
def test_a_family_put_away_at_every_rest_or_replayed_from_any_prefix_ends_as_one_kept_in_memory(seed: int) -> None:
    ends_as_in_memory(seed)


@pytest.mark.slow
@pytest.mark.aside
def test_hundreds_of_families_put_away_or_replayed_end_as_those_kept_in_memory() -> None:
    for seed in MANY:
        ends_as_in_memory(seed)


@pytest.mark.slow
@pytest.mark.aside
def test_families_have_the_same_histories_in_a_process_with_other_hashes_and_another_heap() -> None:
    elsewhere = digest_elsewhere(MANY, hash_seed=4_000_000_000, garbage=77_777)

    assert elsewhere == digest_here()


def test_the_families_ask_for_everything_and_end_in_every_way() -> None:
    asked: Counter[type[Command]] = Counter()
    ended: Counter[WorkflowExecutionStatus] = Counter()
    for seed in FEW:
        with TestRuntime(seed=seed) as runtime:
            runs = drive(runtime, seed)
        ended.update(WorkflowExecutionStatus(run.header.status) for run in runs)
        asked.update(type(command) for run in runs for commands in run.commands() for command in commands)

    assert [kind for kind in ASKED if asked[kind] < 3] == []
    assert [status for status in ENDED if ended[status] < 3] == []
