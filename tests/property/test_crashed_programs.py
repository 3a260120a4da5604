"""A program that is crashed again and again, and whose commits fail, ends all the same, and its history is sound."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from greenroom.runtime.core.messages import ActivityCompleted, ActivityFailed, ExternalSignalResolved, TimerFired
from greenroom.runtime.model.errors import JournalError, WorkflowClosedError
from greenroom.testing import Crash, RecordedRun, TestRuntime, replay_every_prefix
from tests.property.programs import Program, case, end, index_problems, send

FEW = range(60)
MANY = range(len(FEW), 300)
MOST_CRASHES = 6


def plan_trouble(runtime: TestRuntime, dice: Random) -> None:
    """Let one of the next commits crash or fail, or none."""
    commit = dice.randint(1, 12)
    match dice.choice(("before", "after", "fails", "none")):
        case "before":
            runtime.store.crash_at_commit(commit, "before")
        case "after":
            runtime.store.crash_at_commit(commit, "after")
        case "fails":
            runtime.store.fail_commit(commit)
        case _:
            pass


def drive(runtime: TestRuntime, seed: int, signals: list[tuple[float, str, int]]) -> None:
    """Go on with the program of a seed; signals that have been acknowledged are taken off the list."""
    started = runtime.start_workflow(Program.run, case(seed).program, id="program", request_id="the start")
    handle = runtime.wait(started)
    runtime.run_until_idle()
    while signals:
        seconds, name, value = signals[0]
        runtime.advance(seconds)
        try:
            runtime.wait(send(handle, name, value))
        except WorkflowClosedError:
            pass
        signals.pop(0)
    end(runtime, handle)


def drive_through_trouble(runtime: TestRuntime, seed: int) -> RecordedRun:
    dice = Random(seed)
    _, signals = case(seed)
    runtime.open()
    plan_trouble(runtime, dice)
    while True:
        try:
            drive(runtime, seed, signals)
        except Crash:
            runtime.crash()
            if runtime.crashes < MOST_CRASHES:
                plan_trouble(runtime, dice)
        except JournalError:
            # The request was refused because it could not be written: the client asks again.
            continue
        else:
            (run,) = runtime.recorded()
            return run


def outcomes(run: RecordedRun) -> Counter[tuple[str, int]]:
    """How often the outcome of each command is recorded."""
    counted: Counter[tuple[str, int]] = Counter()
    for message in run.messages():
        if isinstance(message, (ActivityCompleted, ActivityFailed)):
            counted["activity", message.id] += 1
        elif isinstance(message, (TimerFired, ExternalSignalResolved)):
            counted[type(message).__name__, message.id] += 1
    return counted


def survives(seed: int) -> None:
    runtime = TestRuntime(seed=seed, evict_after_every_turn=seed % 2 == 0)

    run = drive_through_trouble(runtime, seed)

    assert set(outcomes(run).values()) <= {1}
    assert index_problems(runtime) == []
    assert replay_every_prefix(runtime) == len(run.turns) + 1
    runtime.close()


@pytest.mark.parametrize("seed", FEW)
def test_a_program_that_crashes_and_fails_to_write_ends_with_every_outcome_recorded_once(seed: int) -> None:
    survives(seed)


@pytest.mark.slow
@pytest.mark.aside
def test_hundreds_of_programs_survive_crashes_and_failed_commits() -> None:
    for seed in MANY:
        survives(seed)
