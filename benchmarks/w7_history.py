"""How fast does one run of many sequential activities go, and how fast is its history replayed, whatever its length?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from struct import Struct

from greenroom import Runtime
from greenroom.storage import Tree

from .flows import greet, steps
from .journals import SYNCS_A_COMMIT, commits_in, journal_folder, last_rows
from .limits import Row, bare_commits, bare_replay
from .long_history import replay_seconds, write_history
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = (
    "live at least 0.5 of one bare commit a step; replay at least 50,000 turns/s, and as fast (0.75) at 100,000 turns "
    "as at 10,000"
)
SHARE_OF_BARE = 0.5
REPLAY_TURNS_PER_S = 50_000
LINEAR = 0.75

_turn_key = Struct(">QBI").pack


def measure(*, quick: bool) -> Report:
    """Live: ours, bare, ours, bare …; the median of the rounds counts. Replay: short, long, bare, short, long, bare …;
    the best of each counts."""
    count, short, long = (100, 500, 1500) if quick else (5000, 10_000, 100_000)
    live_rounds, rounds = (1, 1) if quick else (7, 3)
    rounds_of_live = [_live(count) for _ in range(live_rounds)]
    live, bare_live, commits = (median(figures) for figures in zip(*rounds_of_live, strict=True))
    replays, bare = _replays((short, long), rounds)
    linearity = replays[long] / replays[short]
    ratio = median(ours / limit for ours, limit, _ in rounds_of_live)
    figures: dict[str, Figure] = {
        "rounds": rounds,
        "live": {
            "rounds": live_rounds,
            "steps": count,
            "steps_per_s": live,
            "commits_per_step": commits,
            "syncs_per_step": SYNCS_A_COMMIT * commits,
            "bare_steps_per_s": bare_live,
            "ratio": ratio,
        },
        "replay": {
            "short_turns": short,
            "long_turns": long,
            "short_turns_per_s": replays[short],
            "long_turns_per_s": replays[long],
            "long_events_per_s": 2 * replays[long],
            "linearity": linearity,
            "bare_turns_per_s": bare,
            "ratio": replays[long] / bare,
        },
    }
    ok = ratio >= SHARE_OF_BARE and replays[long] >= REPLAY_TURNS_PER_S and linearity >= LINEAR
    summary = (
        f"live {live:,.0f} steps/s ({ratio:.2f} of a bare commit a step); replay {replays[short]:,.0f} turns/s of "
        f"{short:,}, {replays[long]:,.0f} of {long:,} ({replays[long] / bare:.2f} of a bare replay)"
    )
    return Report("W7", TARGET, ok, figures, summary)


def _live(count: int) -> tuple[float, float, float]:
    """Steps a second of ours and of bare commits, and ours's commits a step."""
    with journal_folder() as folder:
        with Runtime(folder / "journal", workflows=[steps], activities=[greet]) as runtime:
            begin = time.perf_counter()
            runtime.execute_workflow(steps, count).get(timeout=600)
            ours = count / (time.perf_counter() - begin)
        commits = commits_in(folder / "journal") / count
        (folder / "bare").mkdir()
        bare = count / sum(bare_commits(folder / "bare", _units(folder / "journal", count)))
    return ours, bare, commits


def _units(path: Path, count: int) -> Iterator[list[list[Row]]]:
    """One commit a step: the row of a turn as the journal holds it, and the journal's own row."""
    turn = last_rows(path, Tree.RUNS, 2)[0][1]
    ((_, meta),) = last_rows(path, Tree.META, 1)
    for number in range(count):
        yield [[(b"runs", _turn_key(1, 16, number), turn), (b"meta", b"meta", meta)]]


def _replays(lengths: tuple[int, int], rounds: int) -> tuple[dict[int, float], float]:
    """Turns a second for each length, and of the bare replay of the longest."""
    best = dict.fromkeys(lengths, 0.0)
    bare = 0.0
    for _ in range(rounds):
        for turns in lengths:
            with journal_folder() as folder:
                write_history(folder, turns)
                best[turns] = max(best[turns], turns / replay_seconds(folder))
        with journal_folder() as folder:
            bare = max(bare, max(lengths) / bare_replay(folder, max(lengths)))
    return best, bare


if __name__ == "__main__":
    run(measure)
