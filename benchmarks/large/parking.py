"""What does a workflow that waits cost: time to start it, disk, memory, and a runtime that has nothing to do?"""

from __future__ import annotations

from ..report import Figure, Report
from .process import Process
from .sizes import Case, Sizes

__all__ = ["park", "report"]

TARGET = "none resident beyond the bound, RssAnon under 150 MiB in all, idle under 0.2 % of a core"
MOST_MIB = 150.0
MOST_IDLE_PERCENT = 0.2
MAX_RESIDENTS = 2000


def park(process: Process, case: Case, sizes: Sizes) -> dict[str, float]:
    """Park what the case wants, and look at the process while nothing happens."""
    parked = process.ask("park", case.parked, case.far_s)
    idle = process.ask("idle", sizes.idle_s)
    each = 1024 * (idle["rss_anon_mib"] - parked["rss_anon_before_mib"]) / case.parked
    return {"parked": case.parked, **parked, **idle, "rss_anon_kib_each": each}


def report(found: dict[str, dict[str, float]]) -> Report:
    """The answer.

    Args:
        found: name of the case → what ``park`` has found.
    """
    ok = all(
        each["residents"] <= MAX_RESIDENTS
        and max(each["rss_anon_mib"], each["rss_anon_highest_mib"]) < MOST_MIB
        and each["idle_cpu_percent"] < MOST_IDLE_PERCENT
        for each in found.values()
    )
    figures: dict[str, Figure] = {"max_residents": MAX_RESIDENTS, **found}
    summary = "; ".join(
        f"{name}: {each['per_s']:.0f} starts/s, {each['disk_bytes_each']:.0f} bytes of disk and "
        f"{each['rss_anon_kib_each']:.2f} KiB of memory each, {each['rss_anon_highest_mib']:.0f} MiB at most, "
        f"{each['residents']:.0f} resident, idle {each['idle_cpu_percent']:.3f} %"
        for name, each in found.items()
    )
    return Report("parking", TARGET, ok, figures, summary)
