"""How many are parked, and how much is asked of them."""

from __future__ import annotations

from typing import NamedTuple

from .parked import FAR_S

__all__ = ["FULL", "QUICK", "Case", "Sizes"]


class Case(NamedTuple):
    """What one journal holds.

    Attributes:
        far_s: how far away the timer of each is, in seconds; None for runs that await a signal and nothing else.
    """

    parked: int
    far_s: float | None = FAR_S


class Sizes(NamedTuple):
    """The sizes of one measurement.

    Attributes:
        alone: name → a case of which the cost of parking is wanted, and what it takes to wake all that have a timer.
        few: the case that turns are compared with.
        many: the case that everything is asked of.
        idle_s: for how many seconds nothing is done.
        ended: how many are signalled and end after the reopening.
    """

    alone: dict[str, Case]
    few: Case
    many: Case
    idle_s: float
    turns: int
    rounds: int
    updates: int
    ended: int


FULL = Sizes(
    alone={
        "100,000 that await a signal": Case(100_000, None),
        "100,000 that await a signal or a far timer": Case(100_000),
    },
    few=Case(10_000),
    many=Case(1_000_000),
    idle_s=30.0,
    turns=1000,
    rounds=9,
    updates=500,
    ended=5000,
)
QUICK = Sizes(
    alone={"100 that await a signal": Case(100, None), "100 that await a signal or a far timer": Case(100)},
    few=Case(100),
    many=Case(300),
    idle_s=0.1,
    turns=20,
    rounds=1,
    updates=20,
    ended=30,
)
