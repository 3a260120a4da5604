"""Chance that a replay repeats: generators with streams of their own, one seed behind all of them, and its changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.dice import Dice
from greenroom.runtime.core.handler_table import HandlerError
from greenroom.runtime.model.errors import ReadOnlyContextError
from tests.core.driving import Drive

Start = Callable[..., Drive]

NEW = 7

# Of the run "run-1": histories rely on them.
OLD = 5649154386500085045
FIRST_OF_MAIN = 1715373415
FIRST_OF_NEW = 1294162383


def drawn(*generators: Random) -> list[list[int]]:
    return [[generator.getrandbits(32) for _ in range(4)] for generator in generators]


@workflow.defn(name="dice.drawing")
async def drawing(is_main_first: bool) -> list[Any]:
    values: dict[str, Any] = {}
    if is_main_first:
        values["main"] = drawn(workflow.random())
    first, second = workflow.new_random(), workflow.new_random()
    values["second"] = drawn(second)
    await workflow.sleep(1)
    values["first"] = drawn(first)
    values["third"] = drawn(workflow.new_random())
    if not is_main_first:
        values["main"] = drawn(workflow.random())
    return [values[name] for name in ("main", "first", "second", "third")]


def test_each_generator_has_a_stream_of_its_own_whatever_is_drawn_from_the_others(drive: Start) -> None:
    run, other = drive(drawing, True), drive(drawing, False)

    run.fire()
    other.fire()

    assert run.result == other.result
    assert len({tuple(values[0]) for values in run.result}) == 4


def test_another_run_has_other_streams_and_another_seed(drive: Start) -> None:
    run, other = drive(drawing, True), drive(drawing, True, run_id="run-2")

    run.fire()
    other.fire()

    assert all(mine != theirs for mine, theirs in zip(run.result, other.result, strict=True))
    assert run.execution.random_seed() != other.execution.random_seed()


def test_what_a_run_draws_stays_what_histories_have_of_it() -> None:
    dice = Dice("run-1")

    assert dice.main.getrandbits(32) == FIRST_OF_MAIN
    assert dice.new().getrandbits(32) == FIRST_OF_NEW
    assert dice.seed == OLD


def test_another_seed_gives_every_generator_another_stream_which_is_that_of_the_seed() -> None:
    one, other = Dice("run-1"), Dice("run-2")
    mine, theirs = [one.main, one.new(), one.new()], [other.main, other.new(), other.new()]
    before = drawn(*mine, *theirs)

    one.reseed(NEW)
    other.reseed(NEW)

    after = drawn(*mine)
    assert drawn(*theirs) == after
    assert drawn(one.new()) == drawn(other.new())
    assert not any(values in before for values in after)
    assert one.seed == other.seed == NEW


def test_who_wants_to_know_is_told_of_each_new_seed_in_order_once_all_generators_have_it() -> None:
    dice, told = Dice("run-1"), list[Any]()
    other = dice.new()
    dice.on_reseed(lambda seed: told.append(("first", seed, other.getrandbits(32))))
    dice.on_reseed(lambda seed: told.append(("second", seed, dice.seed)))

    dice.reseed(NEW)
    dice.reseed(OLD)

    assert [name for name, *_ in told] == ["first", "second"] * 2
    assert told[1] == ("second", NEW, NEW)
    assert told[2] == ("first", OLD, FIRST_OF_NEW)


def test_what_a_callback_raises_comes_out_after_all_generators_are_seeded() -> None:
    dice, plain = Dice("run-1"), Dice("run-1")
    dice.on_reseed(lambda seed: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        dice.reseed(NEW)

    plain.reseed(NEW)
    assert drawn(dice.main) == drawn(plain.main)


def test_who_wants_to_know_while_a_new_seed_is_told_hears_of_the_next_one() -> None:
    dice, told = Dice("run-1"), list[int]()

    def again(seed: int) -> None:
        told.append(seed)
        dice.on_reseed(again)

    dice.on_reseed(again)

    dice.reseed(NEW)
    dice.reseed(OLD)

    assert told == [NEW, OLD, OLD]


def test_a_callback_that_gives_something_to_be_awaited_is_refused() -> None:
    async def waits() -> None:
        """Cannot be waited for."""

    dice = Dice("run-1")
    dice.on_reseed(lambda seed: waits())

    with pytest.raises(TypeError, match="cannot wait: write it without async"):
        dice.reseed(NEW)


def test_a_generator_that_nobody_holds_is_not_kept() -> None:
    dice = Dice("run-1")

    dropped = weakref.ref(dice.new())

    assert dropped() is None


@workflow.defn(name="dice.Seeded")
class Seeded:
    def __init__(self) -> None:
        self.seed = workflow.random_seed()
        self.own = Random(self.seed)
        workflow.register_random_seed_callback(self.own.seed)

    @workflow.run
    async def run(self) -> list[int]:
        first = self.own.getrandbits(32)
        await workflow.sleep(1)
        return [first, self.own.getrandbits(32)]

    @workflow.query
    def current_seed(self) -> int:
        return workflow.random_seed()

    @workflow.query
    def makes_one(self) -> None:
        workflow.new_random()

    @workflow.query
    def wants_to_know(self) -> None:
        workflow.register_random_seed_callback(self.own.seed)


def test_a_run_seeds_a_generator_of_its_own_and_hears_when_to_do_it_again(drive: Start) -> None:
    run = drive(Seeded)
    before = [Random(OLD).getrandbits(32), Random(NEW).getrandbits(32)]

    run.execution.dice.reseed(NEW)
    run.is_replayed = False
    run.fire()

    assert run.result == before


def test_a_query_may_read_the_seed_and_nothing_else_of_it(drive: Start) -> None:
    run = drive(Seeded)
    no_args = run.converter.encode_args(())

    assert run.converter.decode(run.execution.query("current_seed", no_args)) == OLD
    for name in ("makes_one", "wants_to_know"):
        with pytest.raises(HandlerError) as refused:
            run.execution.query(name, no_args)
        assert isinstance(refused.value.__cause__, ReadOnlyContextError)
    run.fire()


@workflow.defn(name="dice.asking_for_what_cannot_be")
async def asking_for_what_cannot_be() -> list[str]:
    async def waits(seed: int) -> None:
        """Cannot be waited for."""

    said: list[str] = []
    callbacks: list[Any] = [waits, 5]
    for callback in callbacks:
        try:
            workflow.register_random_seed_callback(callback)
        except TypeError as error:
            said.append(str(error).partition(";")[2])
    return said


def test_a_callback_that_cannot_be_one_is_refused_where_it_is_given(drive: Start) -> None:
    assert drive(asking_for_what_cannot_be).result == [" give a function of the new seed, written without async"] * 2
