"""What a benchmark says: one line of JSON on stdout for programs, one line of English on stderr for people."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

__all__ = ["Figure", "Report", "run", "say"]


Figure: TypeAlias = "float | Mapping[str, Figure]"


class Report(NamedTuple):
    """The answer to one question.

    Attributes:
        workload: the benchmark's short name.
        target: what is promised, in words.
        ok: whether the figures keep the promise.
        figures: name → figure; a name ends in its unit, ratios have none.
        summary: the answer in one sentence.
    """

    workload: str
    target: str
    ok: bool
    figures: Mapping[str, Figure]
    summary: str


def run(measure: Callable[..., Report]) -> None:
    """Measure as the command line asks, print both lines, and exit with 1 if a full measurement misses its target."""
    parser = argparse.ArgumentParser(description=sys.modules[measure.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="smallest sizes: shows that it works, judges nothing")
    quick: bool = parser.parse_args().quick
    report = measure(quick=quick)
    say(report, quick=quick)
    sys.exit(0 if report.ok or quick else 1)


def say(report: Report, *, quick: bool) -> None:
    """Print both lines."""
    line = {
        "workload": report.workload,
        "target": report.target,
        "ok": report.ok,
        "quick": quick,
        **_rounded(report.figures),
    }
    print(json.dumps(line), flush=True)
    verdict = "kept" if report.ok else "missed"
    print(f"{report.workload}: {report.summary} [target {verdict}: {report.target}]", file=sys.stderr, flush=True)


def _rounded(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures with no more digits than they deserve."""
    return {name: _rounded(each) if isinstance(each, Mapping) else _short(each) for name, each in figures.items()}


def _short(figure: float) -> float:
    if isinstance(figure, float):
        return round(figure) if figure >= 1000 else float(f"{figure:.4g}")
    return figure
