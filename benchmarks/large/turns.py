"""Does a turn cost more where a million are parked than where ten thousand are?

Two runtimes, in turns: new workflows that come and go beside those that are parked, parked ones that are woken all over
the journal, and one that is updated while the residents are full.
"""

from __future__ import annotations

from inspect import signature

from greenroom import Runtime

from ..journals import percentile
from ..report import Figure, Report
from .process import Process
from .sizes import Sizes

__all__ = ["compare", "report"]

LIMIT = 1.25
_MOST_RESIDENTS: int = signature(Runtime).parameters["max_residents"].default
# What is left of them when room was made.
FULL = _MOST_RESIDENTS - _MOST_RESIDENTS // 16
TARGET = (
    "CPU time of a turn beside the many at most 1.25 x of that beside the few, passing by and waking up; "
    f"at least {FULL} residents in each round of updates"
)
KINDS = ("passing", "wake")


def compare(few: Process, many: Process, sizes: Sizes) -> dict[str, Figure]:
    """Few, many, few, many …; a ratio in each round from two measurements that follow each other, and the median of
    them."""
    figures: dict[str, Figure] = {}
    for kind in KINDS:
        pairs = [(few.ask(kind, sizes.turns), many.ask(kind, sizes.turns)) for _ in range(sizes.rounds)]
        figures[kind] = {
            "few_cpu_us": percentile([one["cpu_us"] for one, _ in pairs], 0.5),
            "many_cpu_us": percentile([other["cpu_us"] for _, other in pairs], 0.5),
            "ratio": percentile([other["cpu_us"] / one["cpu_us"] for one, other in pairs], 0.5),
            "few_us": percentile([one["us"] for one, _ in pairs], 0.5),
            "many_us": percentile([other["us"] for _, other in pairs], 0.5),
            "wall_ratio": percentile([other["us"] / one["us"] for one, other in pairs], 0.5),
        }
    for name, process in (("few", few), ("many", many)):
        rounds = [process.ask("updates", sizes.updates) for _ in range(sizes.rounds)]
        best = min(rounds, key=lambda each: each["p50_ms"])
        figures[f"updates_beside_{name}"] = {**best, "residents": min(each["residents"] for each in rounds)}
        figures[f"full_collection_beside_{name}"] = process.ask("collect")
    return figures


def report(figures: dict[str, Figure]) -> Report:
    """The answer: what ``compare`` has found, judged."""
    ratios = {kind: _figure(figures, kind, "ratio") for kind in KINDS}
    summary = (
        "; ".join(
            f"{kind}: {_figure(figures, kind, 'few_cpu_us'):.0f} and {_figure(figures, kind, 'many_cpu_us'):.0f} us of "
            f"CPU a turn, {ratio:.2f} x"
            for kind, ratio in ratios.items()
        )
        + f"; an update with the residents full: p50 {_figure(figures, 'updates_beside_many', 'p50_ms'):.2f} ms, p99 "
        f"{_figure(figures, 'updates_beside_many', 'p99_ms'):.2f} ms (beside the few "
        f"{_figure(figures, 'updates_beside_few', 'p99_ms'):.2f})"
    )
    is_full = all(_figure(figures, f"updates_beside_{name}", "residents") >= FULL for name in ("few", "many"))
    return Report("turns beside the parked", TARGET, is_full and max(ratios.values()) <= LIMIT, figures, summary)


def _figure(figures: dict[str, Figure], name: str, figure: str) -> float:
    found = figures[name]
    assert not isinstance(found, float | int)
    value = found[figure]
    assert isinstance(value, float | int)
    return value
