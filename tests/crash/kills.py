"""Kills at named points and at random instants: one journal again and again, until a last opening ends everything."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

from .faults import FAULTS
from .points import ENGINE_POINTS, POINTS
from .shim import Shim
from .site import End, Site, When
from .tally import Tally

__all__ = ["control", "named_point", "random_instants", "several_points"]

Kill = Callable[[Site], End]

WARM_UP = When(0.0, promises=40)
SMALL_MAP = 1 << 16
CONTROL_TRIES = 12
CONTROL_GENERATIONS = 2
CONTROL_COMMITS = 50
OPERATIONS = {"close": 30, "recovery": 200}


def named_point(folder: Path, seed: str, point: str, shim: Shim) -> Tally:
    """Kill at one point, once for each of its occurrences."""
    return _campaign(point, folder, seed, [_kill_of(point, each, shim) for each in _occurrences(point)])


def several_points(folder: Path, seed: str, points: Sequence[str], shim: Shim) -> Tally:
    """Kill once at each of several points of one journal."""
    kills = [_kill_of(point, min(2, max(_occurrences(point))), shim) for point in points]
    return _campaign("named points", folder, f"{seed}/{points[0]}", kills)


def random_instants(folder: Path, seed: str, number: int, count: int) -> Tally:
    """Kill one journal's processes at random instants: under load, after some promises, and while it is opened."""
    dice = Random(f"{seed}/instants/{number}")
    whens: list[When] = []
    for kill in range(count):
        match kill % 3:
            case 0:
                whens.append(When(dice.random() * 0.3))
            case 1:
                whens.append(When(dice.random() * 0.01, promises=dice.randrange(1, 100)))
            case _:
                whens.append(When(dice.random() * 0.06, "opening"))
    kills = [partial(_kill_when, when) for when in whens]
    return _campaign("random instants", folder, f"{seed}/{number}", kills)


def control(folder: Path, seed: str, fault: str, shim: Shim) -> Tally:
    """Break the library on purpose: a kill must bring it to light within some tries."""
    broken = FAULTS[fault]
    promises = 0
    for occurrence in range(1, CONTROL_TRIES + 1):
        site = Site(folder / str(occurrence), f"{seed}/{occurrence}")
        for generation in range(CONTROL_GENERATIONS):
            if broken.point:
                end = site.run(point=broken.point, occurrence=occurrence + 3 * generation, fault=fault)
            else:
                # The page is about to be written: the threads that were let go too early have had the time of a sync.
                step = broken.commits + 5 * occurrence + CONTROL_COMMITS * generation
                end = site.run(environment=shim.killing("meta", step), fault=fault)
            if any(broken.finding in finding for finding in end.findings):
                shutil.rmtree(folder, ignore_errors=True)
                return Tally(f"control: {fault}", 1, 1, promises + site.evidence.acknowledgements, [])
        promises += site.evidence.acknowledgements
    return Tally(f"control: {fault}", 1, 0, promises, [f"{fault}: not noticed in {CONTROL_TRIES} tries (see {folder})"])


def _occurrences(point: str) -> Sequence[int]:
    return POINTS[point] if point in POINTS else ENGINE_POINTS[point][1]


def _kill_of(point: str, occurrence: int, shim: Shim) -> Kill:
    if point in POINTS:
        return partial(_kill_at, point, occurrence)
    return partial(_kill_in_engine, shim.killing(ENGINE_POINTS[point][0], occurrence))


def _kill_at(point: str, occurrence: int, site: Site) -> End:
    stage = point.partition(":")[0]
    end = site.run(
        point=point,
        occurrence=occurrence,
        operations=OPERATIONS.get(stage, 4000),
        map_size=SMALL_MAP if stage == "growth" else 0,
    )
    if end.is_done and not end.findings and occurrence > 1:
        # How many runs there are to be brought back is a matter of chance.
        return _kill_at(point, occurrence // 2, site)
    return end


def _kill_in_engine(environment: dict[str, str], site: Site) -> End:
    return site.run(environment=environment)


def _kill_when(when: When, site: Site) -> End:
    return site.run(kill=when)


def _campaign(name: str, folder: Path, seed: str, kills: Sequence[Kill]) -> Tally:
    """Warm a journal up, kill its processes one after the other, and see that the last one ends everything."""
    site = Site(folder, f"{seed}/{name}")
    end = site.run(kill=WARM_UP)
    findings = [f"warming up: {finding}" for finding in end.findings]
    done = 0
    for number, kill in enumerate(kills):
        if findings:
            break
        end = kill(site)
        done += end.is_killed
        findings = [f"kill {number}: {finding}" for finding in end.findings]
        if not end.is_killed:
            findings.append(f"kill {number}: the process came to its end without being killed")
    if not findings:
        findings = site.heal().findings
    promises = site.evidence.acknowledgements + len(site.evidence.effects)
    if not findings:
        shutil.rmtree(folder, ignore_errors=True)
    where = f"{name} (seed {seed}, kept in {folder})"
    return Tally(name, len(kills), done, promises, [f"{where}: {finding}" for finding in findings])
