"""``python -m tests.chains``: two workflows signal each other 100,000 times, continue as new, and are killed."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from .soak import Plan, Soak


def main() -> int:
    """Play one game and print its figures; 0 if nothing was lost, doubled or out of order."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.chains", description=__doc__)
    parser.add_argument("--signals", type=int, default=plan.signals, help="that each player sends the other")
    parser.add_argument("--every", type=int, default=plan.every, help="after so many a player continues as new")
    parser.add_argument("--window", type=int, default=plan.window, help="how many are on their way to either")
    parser.add_argument("--seed", default=plan.seed, help="what the turns between two kills are drawn from")
    parser.add_argument("--no-kills", action="store_true", help="one process for all, to see its memory")
    parser.add_argument("--directory", help="where the journal is made (default: the system's temporary directory)")
    options = parser.parse_args()
    kill_turns = None if options.no_kills else plan.kill_turns
    folder = Path(tempfile.mkdtemp(prefix="greenroom-chains-", dir=options.directory))
    began = perf_counter()
    soak = Soak(folder, Plan(options.signals, options.every, options.window, kill_turns, plan.look_every, options.seed))
    soak.play()
    seconds = perf_counter() - began
    _print(soak, seconds)
    if soak.findings:
        print(f"the journal is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _print(soak: Soak, seconds: float) -> None:
    for name, chain in soak.chains.items():
        print(f"{name}: {chain.runs:,} runs, {chain.turns:,} turns, {chain.carried:,} signals carried over unread")
    if soak.kills:
        print(f"{soak.kills} kills, {min(soak.new_turns):,} to {max(soak.new_turns):,} new turns before each")
    if any(soak.memory):
        first, last = (kib / 1024 for kib in soak.memory_of_quarters())
        print(f"RssAnon {first:.1f} MiB in the first quarter, {last:.1f} MiB in the last")
    for finding in soak.findings:
        print(finding)
    print(f"{len(soak.findings)} findings in {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
