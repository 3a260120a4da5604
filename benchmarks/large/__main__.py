"""Parks workflows, asks what they cost, kills the process, opens the journal again: ``python -m benchmarks.large``."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from ..journals import journal_folder
from ..report import Report, say
from .oversleeping import oversleep
from .oversleeping import report as report_oversleeping
from .parking import park
from .parking import report as report_parking
from .process import started
from .reopening import reopen
from .reopening import report as report_reopening
from .sizes import FULL, QUICK, Sizes
from .turns import compare
from .turns import report as report_turns

__all__ = ["main"]


def main() -> int:
    """Measure everything; 1 if at full size a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smallest sizes: shows that it works, judges nothing")
    quick: bool = parser.parse_args().quick
    reports = _measure(QUICK if quick else FULL)
    for each in reports:
        say(each, quick=quick)
    return 0 if quick or all(each.ok for each in reports) else 1


def _measure(sizes: Sizes) -> list[Report]:
    with journal_folder() as folder:
        environment = _environment(folder / "bytecode")
        parked: dict[str, dict[str, float]] = {}
        overslept: dict[str, float] = {}
        for name, case in sizes.alone.items():
            with journal_folder() as alone:
                with started("parked", alone / "journal", environment=environment) as process:
                    parked[name] = park(process, case, sizes)
                if case.far_s is not None:
                    overslept = oversleep(alone / "journal", case.parked, environment)
        with ExitStack() as stack:
            few, many = (
                stack.enter_context(started("parked", folder / name, environment=environment))
                for name in ("few", "many")
            )
            park(few, sizes.few, sizes)
            parked[f"{sizes.many.parked:,}, signal or far timer"] = park(many, sizes.many, sizes)
            turns = compare(few, many, sizes)
        # Both processes have been killed.
        reopened = reopen(folder / "many", sizes.many.parked, sizes, environment)
    return [report_parking(parked), report_turns(turns), report_reopening(reopened), report_oversleeping(overslept)]


def _environment(bytecode: Path) -> dict[str, str]:
    """The variables of all processes: bytecode is kept, as where greenroom is installed."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


if __name__ == "__main__":
    sys.exit(main())
