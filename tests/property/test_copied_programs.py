"""A program that is reset to any of its turns, or forked at one, goes on from there: in memory, put away or crashed."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from greenroom.runtime.core.messages import HistoryCopied
from greenroom.storage import check
from greenroom.testing import Crash, RecordedRun, TestRuntime, replay_every_prefix
from greenroom.testing.faults import When
from tests.property.programs import drive, end

FEW = range(25)
SWEPT = range(100, 105)
FORK = "fork"


def copy(runtime: TestRuntime, seed: int) -> list[RecordedRun]:
    """Reset or fork the run of a seed at a turn, and see the copy end."""
    dice = Random(seed)
    # What is copied must be the same in every attempt: the last turn of an ended run cannot be.
    turn = dice.randrange(max(1, len(runtime.recorded()[0].turns) - 1))
    handle: Any = runtime.get_workflow_handle(f"program-{seed}")
    copied = handle.reset(to=turn) if dice.random() < 0.5 else handle.fork(at=turn, id=FORK)
    end(runtime, runtime.wait(copied))
    return runtime.recorded()


def is_copyable(runtime: TestRuntime) -> bool:
    return len(runtime.recorded()[0].turns) > 1


def goes_on_as_in_memory(seed: int) -> None:
    kept: list[list[RecordedRun]] = []
    for evict in (False, True):
        with TestRuntime(seed=seed, evict_after_every_turn=evict) as runtime:
            drive(runtime, seed)
            if not is_copyable(runtime):
                return
            kept.append(copy(runtime, seed))
            assert check(runtime.hands.journal) == []
            if not evict:
                assert replay_every_prefix(runtime) > 2

    in_memory, evicted = kept
    source, made = in_memory
    mark = next(number for number, each in enumerate(made.messages()) if isinstance(each, HistoryCopied))
    assert [turn._replace(crc=0) for turn in made.turns[:mark]] == [
        turn._replace(crc=0) for turn in source.turns[:mark]
    ]
    assert made.header.closed_ns is not None
    assert [run.turns for run in evicted] == [run.turns for run in in_memory]
    assert [run.header for run in evicted] == [run.header for run in in_memory]


def is_copied_once_after_a_crash(seed: int, commit: int, when: When) -> bool:
    """Crash at a commit of the copying; False if there are not so many."""
    with TestRuntime(seed=seed) as runtime:
        drive(runtime, seed)
        if not is_copyable(runtime):
            return False
        runtime.store.crash_at_commit(commit, when)
        try:
            copy(runtime, seed)
        except Crash:
            runtime.crash()
        runtime.advance(10_000)
        source, *made = runtime.recorded()
        assert len(made) <= 1
        assert made or when == "before"
        assert all(run.header.closed_ns is not None for run in (source, *made))
        assert check(runtime.hands.journal) == []
        replay_every_prefix(runtime)
        return runtime.crashes > 0


@pytest.mark.parametrize("seed", FEW)
def test_a_copied_program_put_away_after_every_turn_or_replayed_ends_as_one_kept_in_memory(seed: int) -> None:
    goes_on_as_in_memory(seed)


@pytest.mark.parametrize("seed", SWEPT)
def test_wherever_the_process_dies_a_program_is_copied_once_and_comes_to_its_end(seed: int) -> None:
    for when in ("before", "after"):
        commit = 1
        while commit < 8 and is_copied_once_after_a_crash(seed, commit, when):
            commit += 1
