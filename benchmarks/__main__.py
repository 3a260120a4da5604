"""Runs all benchmarks, or the named ones, each in a process of its own: ``python -m benchmarks [--quick] [name …]``."""

from __future__ import annotations

import argparse
import subprocess
import sys

__all__ = ["NAMES", "main"]

NAMES = (
    "w1_throughput",
    "w2_latency",
    "w3_signals",
    "w4_messages",
    "w7_history",
    "w8_recovery",
    "w9_relatives",
    "replay_beside_signals",
    "overdue_turns",
    "signal_backlog",
    "crash_points",
    "import_time",
    "actors",
)


def main() -> int:
    """Run them one after the other; 1 if one failed or, at full size, missed its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--quick", action="store_true", help="smallest sizes: shows that it works, judges nothing")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)} (there are: {', '.join(NAMES)})")
    flags = ["--quick"] if options.quick else []
    codes = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *flags], check=False).returncode
        for name in options.names or NAMES
    ]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
