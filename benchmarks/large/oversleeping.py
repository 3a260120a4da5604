"""What does it take to open a journal of which every timer came due while nobody looked?"""

from __future__ import annotations

from pathlib import Path

from ..report import Figure, Report
from .process import started

__all__ = ["oversleep", "report"]

TARGET = "RssAnon under 150 MiB however much was missed"
MOST_MIB = 150.0


def oversleep(journal: Path, parked: int, environment: dict[str, str]) -> dict[str, float]:
    """Open the journal of a killed process on a day when all that is parked in it is due."""
    with started("overslept", journal, parked, environment=environment) as process:
        return {"parked": parked, **process.told()}


def report(found: dict[str, float]) -> Report:
    """The answer: what ``oversleep`` has found."""
    figures: dict[str, Figure] = dict(found)
    summary = (
        f"{found['parked']:.0f} missed timers: all fired and their runs ended after {found['all_done_s']:.1f} s, "
        f"{found['cpu_us_each']:.0f} µs of CPU each, {found['rss_anon_highest_mib']:.0f} MiB at most"
    )
    is_kept = found["rss_anon_highest_mib"] < MOST_MIB and found["ended_by_timer"] == 1.0
    return Report("oversleeping", TARGET, is_kept, figures, summary)
