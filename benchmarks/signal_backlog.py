"""Does a signal to a run in memory cost the same, however many signals came before it, handled or never read?"""

from __future__ import annotations

import time
from typing import Any

from greenroom import Runtime

from .flows import Counter, unread
from .journals import SYNCS_A_COMMIT, commits_in, journal_folder, percentile
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "the last signals of many cost at most 1.5 x the first, handled or left unread"
LIMIT = 1.5
IN_FLIGHT = 200


def measure(*, quick: bool) -> Report:
    """Handled, unread, handled, unread …. A window costs CPU time of the process: other programs do not count."""
    count, window, rounds = (600, 150, 1) if quick else (40_000, 2000, 3)
    kinds = {"handled": (Counter.run, "add"), "unread": (unread, "note")}
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for kind, (workflow, signal) in kinds.items():
            found = _flood(workflow, signal, count, window)
            if kind not in best or found["growth"] < best[kind]["growth"]:
                best[kind] = found
    worst = max(best.values(), key=lambda found: found["growth"])["growth"]
    figures: dict[str, Figure] = {"signals": count, "window": window, "rounds": rounds, **best, "ratio": worst}
    summary = ", ".join(
        f"{kind}: {found['first_us']:.0f} µs of CPU a signal at first, {found['last_us']:.0f} after {count - window:,}"
        for kind, found in best.items()
    )
    return Report("signal backlog", TARGET, worst <= LIMIT, figures, summary)


def _flood(workflow: Any, signal: str, count: int, window: int) -> dict[str, float]:
    """Microseconds of CPU a signal in the first windows and in the last ones (medians of a quarter of them)."""
    with journal_folder() as folder:
        with Runtime(folder / "journal", workflows=[Counter, unread]) as runtime:
            handle = runtime.start_workflow(workflow).get(timeout=60)
            begin = time.perf_counter()
            windows: list[float] = []
            for _ in range(count // window):
                cpu = time.process_time()
                pending = [handle.signal(signal, 1) for _ in range(IN_FLIGHT)]
                for number in range(window):
                    pending[number % IN_FLIGHT].get(timeout=60)
                    if number < window - IN_FLIGHT:
                        pending[number % IN_FLIGHT] = handle.signal(signal, 1)
                windows.append((time.process_time() - cpu) / window)
            seconds = time.perf_counter() - begin
            handle.terminate().get(timeout=60)
        commits = commits_in(folder / "journal") / count
    part = max(1, len(windows) // 4)
    first, last = percentile(windows[:part], 0.5), percentile(windows[-part:], 0.5)
    return {
        "first_us": 1e6 * first,
        "last_us": 1e6 * last,
        "growth": last / first,
        "signals_per_s": count / seconds,
        "syncs_per_signal": SYNCS_A_COMMIT * commits,
    }


if __name__ == "__main__":
    run(measure)
