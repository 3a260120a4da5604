"""What tests of workflows are made with: the real runtime, driven by hand, with faults, crashes and replays on demand."""

from __future__ import annotations

from .errors import Crash, LeakError, StuckError
from .executor import ManualExecutor
from .faults import FaultyStore
from .recorded import RecordedRun, recorded_runs
from .runtime import TestRuntime
from .stores import seeded_store

__all__ = [
    "Crash",
    "FaultyStore",
    "LeakError",
    "ManualExecutor",
    "RecordedRun",
    "StuckError",
    "TestRuntime",
    "recorded_runs",
    "seeded_store",
]
