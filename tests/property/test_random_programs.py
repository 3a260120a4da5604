"""Put away after each turn, replayed from any prefix or run in another process, a workflow has the same history."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.testing import TestRuntime, replay_every_prefix
from tests.property.programs import digest, drive, index_problems

ROOT = Path(__file__).parents[2]
FEW = range(60)
MANY = range(500)


def ends_as_in_memory(seed: int) -> None:
    with TestRuntime(seed=seed) as runtime:
        in_memory = drive(runtime, seed)
        assert replay_every_prefix(runtime) == len(in_memory.turns) + 1

    with TestRuntime(seed=seed, evict_after_every_turn=True) as runtime:
        evicted = drive(runtime, seed)
        assert runtime.evictions > 0 or len(evicted.turns) == 1
        assert index_problems(runtime) == []

    assert evicted.turns == in_memory.turns
    assert evicted.header == in_memory.header


@functools.cache
def digest_here() -> str:
    return digest(MANY)


def digest_elsewhere(seeds: range, *, hash_seed: int, garbage: int) -> str:
    """The digest that a process of its own comes to."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.property.programs", str(seeds.start), str(seeds.stop), str(garbage)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("seed", FEW)
def test_a_program_put_away_after_every_turn_or_replayed_from_any_prefix_ends_as_one_kept_in_memory(seed: int) -> None:
    ends_as_in_memory(seed)


@pytest.mark.slow
@pytest.mark.aside
def test_five_hundred_programs_put_away_or_replayed_end_as_those_kept_in_memory() -> None:
    for seed in MANY[len(FEW) :]:
        ends_as_in_memory(seed)


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize(("hash_seed", "garbage"), [(1, 10_000), (4_000_000_000, 77_777)])
def test_a_program_has_the_same_history_in_a_process_with_other_hashes_and_another_heap(
    hash_seed: int, garbage: int
) -> None:
    elsewhere = digest_elsewhere(MANY, hash_seed=hash_seed, garbage=garbage)

    assert elsewhere == digest_here()
