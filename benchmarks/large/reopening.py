"""W6: the process is killed while all are parked: how soon has the next one heard of one, and of thousands?"""

from __future__ import annotations

import time
from pathlib import Path

from ..report import Figure, Report
from .process import forget_pages, started
from .sizes import Sizes

__all__ = ["reopen", "report"]

TARGET = "from process start: one signalled and ended in under 0.5 s, 5,000 in under 3 s; RssAnon under 150 MiB"
FIRST_S = 0.5
ALL_S = 3.0
MOST_MIB = 150.0


def reopen(journal: Path, parked: int, sizes: Sizes, environment: dict[str, str]) -> dict[str, Figure]:
    """Reopen the journal of a killed process; then once more with nothing of it in the system's memory.

    The first opening ends some of those that are parked, the second one their neighbours.
    """
    step = parked // sizes.ended
    warm = _reopen(journal, 0, step, sizes, environment)
    forget_pages(journal)
    cold = _reopen(journal, 1, step, sizes, environment)
    return {"parked": parked, "ended": sizes.ended, "killed": warm, "killed_and_forgotten": cold}


def _reopen(journal: Path, first: int, step: int, sizes: Sizes, environment: dict[str, str]) -> dict[str, float]:
    begin = time.monotonic()
    with started("reopened", journal, first, step, sizes.ended, environment=environment) as process:
        found = process.told()
    if found["ended"] != sizes.ended:
        raise RuntimeError(f"{found['ended']} of {sizes.ended} have ended")
    return {
        "imported_s": found["imported"] - begin,
        "opened_s": found["opened"] - begin,
        "first_answer_s": found["answered"] - begin,
        "all_done_s": found["done"] - begin,
        "rss_anon_mib": found["rss_anon_mib"],
    }


def report(found: dict[str, Figure]) -> Report:
    """The answer: what ``reopen`` has found, judged by the opening whose pages the system still has, as the process
    alone was killed."""
    killed, forgotten = found["killed"], found["killed_and_forgotten"]
    assert not isinstance(killed, float | int)
    assert not isinstance(forgotten, float | int)
    warm, cold = (
        {name: figure for name, figure in each.items() if isinstance(figure, float)} for each in (killed, forgotten)
    )
    ok = warm["first_answer_s"] < FIRST_S and warm["all_done_s"] < ALL_S and warm["rss_anon_mib"] < MOST_MIB
    summary = (
        f"{found['parked']} parked: the first answer after {warm['first_answer_s']:.2f} s, {found['ended']} ended "
        f"after {warm['all_done_s']:.2f} s; with nothing of the journal in the system's memory "
        f"{cold['first_answer_s']:.2f} and {cold['all_done_s']:.2f} s"
    )
    return Report("W6", TARGET, ok, found, summary)
