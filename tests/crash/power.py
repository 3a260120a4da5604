"""Power cuts: the writes and syncs of a loaded runtime are logged, and images of what a cut may leave are opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

from .faults import FAULTS
from .image_reader import Wish
from .shim import Shim
from .site import ROOT, Site, When
from .tally import Tally

__all__ = ["control", "power_cuts"]

MEMORY = Path("/dev/shm")
HEAL_EVERY = 500
CONTROL_IMAGES = 200
CONTROL_SHARE = 0.9
SMALL_MAP = 1 << 16


class Reading(NamedTuple):
    """What became of the images.

    Args:
        seen: how many were opened.
        promising: how many of them with something acknowledged.
        promises: acknowledgements that were looked for.
        findings: number of the image → what was found.
    """

    seen: int
    promising: int
    promises: int
    findings: dict[int, list[str]]


def power_cuts(folder: Path, seed: str, number: int, count: int, shim: Shim) -> Tally:
    """Log one load, killed once on the way, and open ``count`` images of it."""
    name = "power cuts (images)"
    seed = f"{seed}/power/{number}"
    site = Site(folder, seed)
    environment = shim.logging(folder / "disk.log")
    map_size = SMALL_MAP if number % 2 else 0
    dice = Random(seed)
    first = site.run(
        kill=When(0.005 * dice.random(), promises=dice.randrange(20, 50)), environment=environment, map_size=map_size
    )
    second = site.run(operations=40, environment=environment, map_size=map_size)
    findings = [f"recording: {finding}" for finding in first.findings + second.findings]
    if not second.is_done:
        findings.append("recording: the second process did not come to its end")
    if findings:
        return Tally(name, count, 0, 0, [f"log {number} (seed {seed}): {finding}" for finding in findings])
    with _workplace(folder) as place:
        reading = _read(Wish(str(folder / "disk.log"), str(place), count, seed, HEAL_EVERY, keep_going=False))
    findings = [f"image {image}: {what}" for image, found in reading.findings.items() for what in found]
    if not findings:
        shutil.rmtree(folder, ignore_errors=True)
    where = f"log {number} (seed {seed}, kept in {folder})"
    return Tally(name, count, reading.seen, reading.promises, [f"{where}: {finding}" for finding in findings])


def control(folder: Path, seed: str, shim: Shim) -> Tally:
    """A journal that is never synced must be found out by nearly every image."""
    fault = "sync=False"
    expected = FAULTS[fault].finding
    site = Site(folder, f"{seed}/{fault}")
    site.run(operations=150, environment=shim.logging(folder / "disk.log"), fault=fault)
    with _workplace(folder) as place:
        reading = _read(
            Wish(str(folder / "disk.log"), str(place), CONTROL_IMAGES, f"{seed}/{fault}", 0, keep_going=True)
        )
    lost = sum(any(expected in what for what in found) for found in reading.findings.values())
    name = f"control: {fault}"
    if lost and len(reading.findings) >= CONTROL_SHARE * reading.promising:
        shutil.rmtree(folder, ignore_errors=True)
        return Tally(name, 1, 1, reading.promises, [])
    what = f"{name}: noticed in {len(reading.findings)} of {reading.promising} images, {lost} with something lost"
    return Tally(name, 1, 0, reading.promises, [f"{what} (see {folder})"])


@contextmanager
def _workplace(folder: Path) -> Generator[Path]:
    """A directory for images, in memory if there is such a place; what is worth keeping is moved to the folder."""
    place = Path(tempfile.mkdtemp(prefix="greenroom-images-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield place
        for kept in place.glob("image-*.mdb"):
            shutil.move(kept, folder / kept.name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _read(wish: Wish) -> Reading:
    """Open images in processes of their own; one that dies is a finding of its image, and ends the reading."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.image_reader", json.dumps(wish)], cwd=ROOT, capture_output=True, text=True
    )
    seen = promising = promises = 0
    findings: dict[int, list[str]] = {}
    for line in done.stdout.splitlines():
        kind, number, *rest = cast("list[Any]", json.loads(line))
        if kind == "image":
            acknowledgements: int = rest[-1]
            seen = number
            promising += acknowledgements > 0
            promises += acknowledgements
        else:
            findings[number] = rest[0]
    if done.returncode and not (findings and done.returncode == 1):
        last = " ".join(done.stderr.strip().splitlines()[-1:])
        findings[seen] = [f"the process that opened it ended with code {done.returncode}: {last}"]
    return Reading(seen, promising, promises, findings)
