"""The process that opens images of power cuts: damage that kills the engine kills it, and its parent counts that."""

from __future__ import annotations

import json
import shutil
import sys
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import Journal, LocationError, StorageError, check

from .audit import audit
from .evidence import Evidence
from .images import Image, images
from .runs import read_runs
from .shim import read_log
from .site import Site

__all__ = ["Wish", "main"]

MOST_FINDINGS = 5
NOTHING_YET = ("it holds no journal", "nothing has been written to it yet")
HEALER = 1_000_000


class Wish(NamedTuple):
    """What the parent wants.

    Args:
        log: what the shim logged.
        folder: where images are laid out, best in memory.
        images: how many.
        seed: what they are drawn from.
        heal_every: after so many images, open one with the whole runtime and have everything end; 0 for never.
        keep_going: go on after findings, as controls need.
    """

    log: str
    folder: str
    images: int
    seed: str
    heal_every: int
    keep_going: bool


def main(argument: str) -> int:
    """Print a line before each image and a line of findings after it."""
    wish = Wish(*json.loads(argument))
    folder = Path(wish.folder)
    failed = 0
    for number, (image, evidence) in enumerate(images(list(read_log(Path(wish.log))), wish.images, wish.seed), 1):
        print(json.dumps(["image", number, image.position, image.unsynced, evidence.acknowledgements]), flush=True)
        journal = _lay_out(folder, image)
        findings = examine(journal, evidence)
        if not findings and wish.heal_every and number % wish.heal_every == 0:
            findings = _heal(folder, wish.seed, number, evidence)
        if findings:
            failed += 1
            print(json.dumps(["findings", number, findings[:MOST_FINDINGS]]), flush=True)
            if not wish.keep_going:
                (folder / f"image-{number}.mdb").write_bytes(image.data)
                if failed == MOST_FINDINGS:
                    return 1
    return 0


def _lay_out(folder: Path, image: Image) -> Path:
    journal = folder / "journal"
    shutil.rmtree(journal, ignore_errors=True)
    (journal / "journal").mkdir(parents=True, mode=0o700)
    file = journal / "journal" / "data.mdb"
    file.touch(0o600)
    file.write_bytes(image.data)
    if image.is_creating:
        (journal / "creating").touch(0o600)
    return journal


def examine(path: Path, evidence: Evidence) -> list[str]:
    """Open what a power cut left, as an owner would, and hold it against what had been acknowledged."""
    try:
        try:
            problems = list(map(str, check(path)))
        except LocationError as error:
            problems = [str(error)]
        is_excused = not evidence.acknowledgements and any(nothing in str(problems) for nothing in NOTHING_YET)
        if problems and not is_excused:
            return [f"check: {problem}" for problem in problems]
        # Where nothing was on disk yet, an owner must be able to begin all the same.
        journal = Journal.open(path)
        try:
            return audit(journal, evidence)
        finally:
            journal.close()
    except (StorageError, ValueError) as error:
        return [f"it cannot be read: {error!r}"]


def _heal(folder: Path, seed: str, number: int, evidence: Evidence) -> list[str]:
    """Open an image with the whole runtime: everything that is in it must come to its end."""
    journal = Journal.open(folder / "journal", read_only=True)
    try:
        runs = read_runs(journal)
    finally:
        journal.close()
    known = [
        (run.header.workflow_id, run.header.workflow_type)
        for run in runs
        if run.status is WorkflowExecutionStatus.RUNNING
    ]
    site = Site(folder, f"{seed}/{number}", generation=HEALER, evidence=deepcopy(evidence), known=known)
    findings = site.heal().findings
    (folder / "effects.log").unlink()
    return findings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
