"""A process is killed in the middle of an activity: how soon has the next process brought the run to its end?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from .journals import journal_folder, percentile
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "under 300 ms from process start to run done, less the activity's own time"
LIMIT_MS = 300.0

_BARE = "import asyncio, lmdb, msgpack; import sys; lmdb.open(sys.argv[1], readonly=True, lock=False).info()"


def measure(*, quick: bool) -> Report:
    """Bare, ours, bare, ours …; the median counts. The activity takes 1 s, not 5 s: its own time is taken off."""
    seconds, rounds = (0.2, 1) if quick else (1.0, 7)
    bare: list[float] = []
    ours: list[dict[str, float]] = []
    with journal_folder() as bytecode:
        environment = _environment(bytecode)
        _round(seconds, environment)
        for _ in range(rounds):
            taken, found = _round(seconds, environment)
            bare.append(taken)
            ours.append(found)
    from_start, from_open, imports = (
        1e3 * percentile([each[name] for each in ours], 0.5) for name in ("from_start", "from_open", "imports")
    )
    bare_ms = 1e3 * percentile(bare, 0.5)
    figures: dict[str, Figure] = {
        "activity_s": seconds,
        "rounds": rounds,
        "from_start_ms": from_start,
        "from_start_best_ms": 1e3 * min(each["from_start"] for each in ours),
        "from_start_worst_ms": 1e3 * max(each["from_start"] for each in ours),
        "until_imported_ms": imports,
        "from_open_ms": from_open,
        "bare_process_ms": bare_ms,
        "ratio": from_start / bare_ms,
    }
    summary = (
        f"{from_start:.0f} ms from process start ({imports:.0f} of it until everything is imported), {from_open:.0f} "
        f"from opening; a process that only opens the file takes {bare_ms:.0f} ms"
    )
    return Report("W8", TARGET, from_start < LIMIT_MS, figures, summary)


def _environment(bytecode: Path) -> dict[str, str]:
    """The variables of all processes: bytecode is kept, as where greenroom is installed."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _round(seconds: float, environment: dict[str, str]) -> tuple[float, dict[str, float]]:
    """Kill one process, and give what a bare one and the next of ours take."""
    with journal_folder() as folder:
        _kill_in_the_middle(folder, seconds, environment)
        return _bare(folder, environment), _restart(folder, seconds, environment)


def _process(folder: Path, seconds: float, part: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.nap", str(folder / "journal"), str(seconds), part]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _kill_in_the_middle(folder: Path, seconds: float, environment: dict[str, str]) -> None:
    with _process(folder, seconds, "start", environment) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "napping\n":
            raise RuntimeError("the process to be killed ended before its activity began")
        time.sleep(seconds / 2)
        process.send_signal(signal.SIGKILL)


def _restart(folder: Path, seconds: float, environment: dict[str, str]) -> dict[str, float]:
    """Seconds of the parts of a recovery, without the activity's own time; all processes share the monotonic clock."""
    begin = time.monotonic()
    with _process(folder, seconds, "finish", environment) as process:
        output, _ = process.communicate(timeout=60)
    moments = json.loads(output.splitlines()[-1])
    own = moments["slept"]
    return {
        "from_start": moments["done"] - begin - own,
        "from_open": moments["done"] - moments["imported"] - own,
        "imports": moments["imported"] - begin,
    }


def _bare(folder: Path, environment: dict[str, str]) -> float:
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", _BARE, str(folder / "journal" / "journal")], check=True, env=environment)
    return time.monotonic() - begin


if __name__ == "__main__":
    run(measure)
