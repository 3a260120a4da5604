"""What the parent wants of a child."""

from __future__ import annotations

from typing import NamedTuple

from .fates import Limits

__all__ = ["Orders"]


class Orders(NamedTuple):
    """What one child is to do.

    Args:
        journal: the journal's directory.
        effects: descriptor where activities append what they did.
        acks: descriptor where acknowledgements go.
        seed: with the generation, what the load is drawn from.
        generation: how many processes had the journal before.
        known: open runs as (workflow id, type).
        updates: updates that others have asked for before, as (workflow id, update id): to be asked for again.
        starts: starts that others have asked for before, as (workflow id, type, limits): to be asked for again.
        signals: signals with keys that others have sent before, as (workflow id, name, token): to be sent again.
        ended: slips that have ended and are still there.
        operations: how many things the load does before the runtime is closed.
        pause_ms: the longest pause between two of them.
        heal: finish every known run and wait for its result, instead of putting load on.
        point: where to be killed, and ...
        occurrence: ... the how-many-th time.
        fault: the control to plant.
        map_size: bytes of address space to begin with; 0 for the default.
    """

    journal: str
    effects: int
    acks: int
    seed: str
    generation: int
    known: list[tuple[str, str]]
    updates: list[tuple[str, str]]
    starts: list[tuple[str, str, Limits]]
    signals: list[tuple[str, str, str]]
    ended: list[str]
    operations: int = 4000
    pause_ms: float = 5.0
    heal: bool = False
    point: str = ""
    occurrence: int = 0
    fault: str = ""
    map_size: int = 0
