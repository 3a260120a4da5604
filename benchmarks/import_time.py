"""How long does a process take that imports greenroom, what workflows are written with, or what runs them?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from .journals import journal_folder, percentile
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "a process that imports greenroom takes under 150 ms"
LIMIT_MS = 150.0

# What the process does. The bare ones are the limits: Python alone, and the libraries without greenroom.
PROGRAMS = {
    "bare": "pass",
    "face": "import greenroom",
    "actors": "import greenroom.actors",
    "authoring": "from greenroom import activity, workflow",
    "runtime": "from greenroom import Runtime, activity, workflow",
    "testing": "from greenroom.testing import TestRuntime",
    "bare_libraries": "import asyncio, lmdb, logging, msgpack, msgspec, pykka",
}


def measure(*, quick: bool) -> Report:
    """All take turns, from the start of the process to its end; the best and the median of each."""
    rounds = 1 if quick else 20
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with journal_folder() as bytecode:
        for program in PROGRAMS.values():
            # As where greenroom is installed: bytecode is there.
            _seconds(program, bytecode)
        for _ in range(rounds):
            for name, program in PROGRAMS.items():
                taken[name].append(_seconds(program, bytecode))
    best = {name: 1e3 * min(each) for name, each in taken.items()}
    median = {name: 1e3 * percentile(each, 0.5) for name, each in taken.items()}
    ratio = (best["runtime"] - best["bare"]) / (best["bare_libraries"] - best["bare"])
    figures: dict[str, Figure] = {"rounds": rounds, "best_ms": best, "median_ms": median, "ratio": ratio}
    summary = (
        f"{median['face']:.0f} ms with `import greenroom` (best {best['face']:.0f}), where Python alone takes "
        f"{median['bare']:.0f}; {median['authoring']:.0f} with what workflows are written with, "
        f"{median['runtime']:.0f} with a runtime, whose libraries alone take {median['bare_libraries']:.0f}"
    )
    return Report("import time", TARGET, median["face"] < LIMIT_MS, figures, summary)


def _seconds(program: str, bytecode: Path) -> float:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    run(measure)
