"""What tests of workflows are made with: the real runtime, driven by hand, with crashes and replays on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..loading import later

if TYPE_CHECKING:
    from .crash_sweeping import CrashSweep, crash_sweep, start_once
    from .errors import Crash, LeakError, StuckError, SweepError
    from .executor import ManualExecutor
    from .faults import FaultyStore
    from .prefixes import replay, replay_every_prefix
    from .recorded import RecordedRun, recorded_runs
    from .runtime import TestRuntime
    from .stores import seeded_store

# Name → the module it lives in.
_HOMES = {
    "Crash": ".errors",
    "CrashSweep": ".crash_sweeping",
    "FaultyStore": ".faults",
    "LeakError": ".errors",
    "ManualExecutor": ".executor",
    "RecordedRun": ".recorded",
    "StuckError": ".errors",
    "SweepError": ".errors",
    "TestRuntime": ".runtime",
    "crash_sweep": ".crash_sweeping",
    "recorded_runs": ".recorded",
    "replay": ".prefixes",
    "replay_every_prefix": ".prefixes",
    "seeded_store": ".stores",
    "start_once": ".crash_sweeping",
}

__all__ = [
    "Crash",
    "CrashSweep",
    "FaultyStore",
    "LeakError",
    "ManualExecutor",
    "RecordedRun",
    "StuckError",
    "SweepError",
    "TestRuntime",
    "crash_sweep",
    "recorded_runs",
    "replay",
    "replay_every_prefix",
    "seeded_store",
    "start_once",
]

if not TYPE_CHECKING:
    # A type checker would take any name for one that is there.
    __getattr__, __dir__ = later(globals(), _HOMES)
