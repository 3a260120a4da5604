"""Programs that are asked to end: what they do about it is the same live, evicted after every turn, and replayed."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

import pytest

from greenroom import WorkflowExecutionStatus
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.property import programs
from tests.property.programs import Program, case
from tests.property.seeds import seeds


def cancelled(seed: int, *, evicts: bool) -> tuple[WorkflowExecutionStatus, str]:
    """How a program stands long after it was asked to end at some moment, and its history."""
    dice = Random(seed)
    programs.side_effects = itertools.count(seed)
    program, signals = case(seed)
    with TestRuntime(seed=seed, evict_after_every_turn=evicts, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Program.run, program, id="program"))
        asked = dice.randint(0, len(signals))
        for place, (seconds, name, value) in enumerate([*signals, (dice.uniform(0, 5), "nudge", 0)]):
            if place == asked:
                handle.cancel(f"at {place}")
                handle.cancel("again")
            runtime.advance(seconds)
            handle.signal(name, value)
        runtime.advance(100_000)
        replay_every_prefix(runtime)
        return runtime.wait(handle.describe()).status, str(runtime.wait(handle.fetch_history()))


@pytest.mark.parametrize("seed", seeds(20, 150))
def test_a_program_that_is_cancelled_is_the_same_kept_in_memory_or_evicted_after_every_turn(seed: int) -> None:
    assert cancelled(seed, evicts=True) == cancelled(seed, evicts=False)


def test_the_programs_end_in_every_way_that_a_cancelled_run_can() -> None:
    stands = Counter(cancelled(seed, evicts=False)[0] for seed in range(60))

    assert stands[WorkflowExecutionStatus.CANCELLED] > 5
    assert stands[WorkflowExecutionStatus.COMPLETED] > 5
    assert stands[WorkflowExecutionStatus.SUSPENDED] == 0
