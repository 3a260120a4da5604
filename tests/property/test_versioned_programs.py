"""Random changes of code under a run: whatever is changed by the rules, and whenever, the run goes on as it began."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import pytest

from greenroom import activity, workflow
from greenroom.runtime.core.commands import RecordPatch, ScheduleActivity
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.property.seeds import seeds

PLACES = 5
ROUNDS = 3
MODES = ("before", "patched", "deprecated", "cleaned")


class Place(NamedTuple):
    """What the code does in one place.

    Attributes:
        mode: how far the change from the old way to the new one has come.
        newest: the newest version of another change in that place; -1 if there is none yet.
        waits: whether there is a timer in it.
    """

    mode: str
    newest: int
    waits: bool


@activity.defn(name="versioned.step")
def step(way: str) -> str:
    return way


code: list[Place] = []
"""What the code of the workflow is at present."""


@workflow.defn(name="versioned.program")
async def program() -> list[str]:
    done: list[str] = []
    for _ in range(ROUNDS):
        for number, place in enumerate(code):
            done.append(await workflow.execute_activity(step, way_at(number, place)))
            if place.waits:
                await workflow.sleep(1)
    return done


def way_at(number: int, place: Place) -> str:
    version = -1
    if place.newest >= 0:
        version = workflow.get_version(f"change {number}", workflow.DEFAULT_VERSION, place.newest)
    if place.mode == "patched":
        return f"{'new' if workflow.patched(f'patch {number}') else 'old'} {number} {version}"
    if place.mode == "deprecated":
        workflow.deprecate_patch(f"patch {number}")
    return f"{'old' if place.mode == 'before' else 'new'} {number} {version}"


def first_code(dice: Random) -> list[Place]:
    return [Place(dice.choice(MODES), dice.randrange(-1, 3), dice.random() < 0.3) for _ in range(PLACES)]


def change(dice: Random, ways: list[str], markers: dict[str, bool]) -> None:
    """Change the code in random places, as far as the run that is under way allows it.

    Args:
        ways: those that the run took.
        markers: patch to whether it is deprecated, for each that the run has recorded.
    """
    for number, place in enumerate(code):
        took = next((way.split()[0] for way in ways if way.split()[1] == str(number)), None)
        may_follow = {
            "before": True,
            "patched": took in (None, "new"),
            "deprecated": markers.get(f"patch {number}", True),
        }
        mode = place.mode
        if dice.random() < 0.4 and may_follow.get(mode):
            mode = MODES[MODES.index(mode) + 1]
        code[number] = place._replace(mode=mode, newest=place.newest + dice.randrange(2))


def recorded_of(runtime: TestRuntime) -> tuple[list[str], dict[str, bool]]:
    (run,) = runtime.recorded()
    commands = [command for turn in run.commands() for command in turn]
    markers = {each.name: each.is_deprecated for each in commands if isinstance(each, RecordPatch)}
    converter = runtime.hands.converter
    ways: list[Any] = [
        converter.decode_args(each.args, None)[0] for each in commands if isinstance(each, ScheduleActivity)
    ]
    return ways, markers


@pytest.mark.parametrize("seed", seeds(5, 30))
@pytest.mark.parametrize("evicted", [False, True])
def test_a_run_keeps_the_ways_that_it_took_whatever_is_changed_under_it(seed: int, evicted: bool) -> None:
    dice = Random(seed)
    code[:] = first_code(dice)
    store = MemoryStore()
    clock = None
    for opening in range(10):
        with TestRuntime(store, clock=clock, evict_after_every_turn=evicted, seed=seed) as runtime:
            clock = runtime.clock
            if opening == 0:
                runtime.wait(runtime.start_workflow(program, id="program"))
            for _ in range(dice.randrange(12)):
                runtime.step()
                runtime.advance(1)
            change(dice, *recorded_of(runtime))

    with TestRuntime(store, clock=clock, evict_after_every_turn=evicted) as runtime:
        done = runtime.wait(runtime.get_workflow_handle("program", result_type=list[str]).result())

    assert len(done) == PLACES * ROUNDS
    assert done == done[:PLACES] * ROUNDS


@pytest.mark.parametrize("seed", seeds(5, 30))
def test_a_run_with_patches_and_versions_replays_from_any_prefix(seed: int) -> None:
    code[:] = first_code(Random(seed))

    with TestRuntime(seed=seed) as runtime:
        runtime.wait(runtime.execute_workflow(program))
        (run,) = runtime.recorded()

        assert replay_every_prefix(runtime) == len(run.turns) + 1
