"""What tests of workflows are made with: the real runtime, driven by hand, with crashes and replays on demand."""

from __future__ import annotations

from .crash_sweep import CrashSweep, crash_sweep, start_once
from .errors import Crash, LeakError, StuckError, SweepError
from .executor import ManualExecutor
from .faults import FaultyStore
from .prefixes import replay, replay_every_prefix
from .recorded import RecordedRun, recorded_runs
from .runtime import TestRuntime
from .stores import seeded_store

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
