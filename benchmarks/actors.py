"""What does an actor cost beside one of pykka's with a thread of its own: memory, to start it, and to speak to it?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import pykka

from greenroom.actors import Actor

from .report import Figure, Report, run

__all__ = ["measure", "print_figures"]

TARGET = "at most 600 bytes and 13 µs an actor; no way to speak to it takes longer than 1.1 x that to pykka's"
MOST_BYTES = 600
MOST_START_US = 13.0
LEAST_RATIO = 1 / 1.1

ROOT = Path(__file__).resolve().parents[1]


class _Threaded(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return _receive(self, message)


class _Shared(Actor):
    def on_receive(self, message: Any) -> Any:
        return _receive(self, message)


def _receive(actor: pykka.Actor, message: Any) -> Any:
    """A number is passed on to the other one until it is 0; a callable is called; anything else is the answer."""
    if type(message) is tuple:
        left, other, over = message
        if left:
            other.tell((left - 1, actor.actor_ref, over))
        else:
            over.set()
    return message


_KINDS: dict[str, type[pykka.Actor]] = {"ours": _Shared, "pykka": _Threaded}


class _Sizes(NamedTuple):
    """How many of each are made, spoken to, and sent."""

    ours: int
    pykka: int
    ours_many: int
    pykka_many: int
    tells: int
    asks: int
    hops: int


QUICK = _Sizes(ours=2_000, pykka=200, ours_many=500, pykka_many=100, tells=5_000, asks=200, hops=500)
# Of 10,000 threads each wakes up 200 times a second to ask for the interpreter, and nothing else is done.
FULL = _Sizes(ours=200_000, pykka=2_000, ours_many=10_000, pykka_many=1_000, tells=100_000, asks=5_000, hops=30_000)


def measure(*, quick: bool) -> Report:
    """Each figure in a process of its own, ours and pykka's in turn; the best of the rounds counts."""
    rounds, sizes = (1, QUICK) if quick else (3, FULL)
    taken = [_round(sizes) for _ in range(rounds)]
    ours, theirs, launched = (_best([each[which] for each in taken]) for which in ("ours", "pykka", "launched"))
    ratios = {name: theirs[name] / figure for name, figure in ours.items()}
    is_slower = any(ratios[name] < LEAST_RATIO for name in ("tell_one_us", "tell_many_us", "ask_us", "hop_us"))
    is_kept = launched["bytes"] <= MOST_BYTES and launched["start_us"] <= MOST_START_US and not is_slower
    figures: dict[str, Figure] = {
        "rounds": rounds,
        "sizes": sizes._asdict(),
        "launched": launched,
        "ours": ours,
        "pykka": theirs,
        "ratios": ratios,
    }
    summary = (
        f"{launched['bytes']:.0f} bytes and {launched['start_us']:.1f} µs an actor, {ours['bytes']:.0f} and "
        f"{ours['start_us']:.1f} with an entry in the registry; pykka's {theirs['bytes']:.0f} and "
        f"{theirs['start_us']:.0f}; a tell {ours['tell_one_us']:.2f} µs ({ratios['tell_one_us']:.1f} x), among "
        f"{sizes.ours_many} {ours['tell_many_us']:.2f} ({ratios['tell_many_us']:.1f} x, pykka's among "
        f"{sizes.pykka_many}), an ask {ours['ask_us']:.0f} ({ratios['ask_us']:.1f} x), from one to the other "
        f"{ours['hop_us']:.2f} ({ratios['hop_us']:.1f} x)"
    )
    return Report("actors", TARGET, is_kept, figures, summary)


def _round(sizes: _Sizes) -> dict[str, dict[str, float]]:
    found = {"launched": _figures("ours", "weigh_launched", sizes.ours)}
    for kind, count, many in (("ours", sizes.ours, sizes.ours_many), ("pykka", sizes.pykka, sizes.pykka_many)):
        found[kind] = {
            **_figures(kind, "weigh", count),
            **_figures(kind, "speak", sizes.tells, sizes.asks, sizes.hops),
            **_figures(kind, "speak_to_many", sizes.tells, many),
        }
    return found


def _best(rounds: list[Mapping[str, float]]) -> dict[str, float]:
    return {name: min(each[name] for each in rounds) for name in rounds[0]}


def _figures(kind: str, what: str, *sizes: int) -> dict[str, float]:
    """Measured in another process, which is not asked to end its actors."""
    code = f"from benchmarks.actors import print_figures; print_figures({kind!r}, {what!r}, {sizes!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def print_figures(kind: str, what: str, sizes: tuple[int, ...]) -> None:
    """Measure here, and leave at once: to stop thousands of threads takes longer than all the rest."""
    print(json.dumps(_MEASURES[what](_KINDS[kind], *sizes)), flush=True)
    os._exit(0)


def _weigh(make: Callable[[], object], count: int) -> dict[str, float]:
    """Bytes and time of each, with all of them there."""
    # The first one makes what all share.
    kept = [make()]
    before = _rss_bytes()
    began = perf_counter()
    for _ in range(count):
        kept.append(make())
    seconds = perf_counter() - began
    return {"bytes": (_rss_bytes() - before) / count, "start_us": 1e6 * seconds / count}


def _weigh_started(kind: type[pykka.Actor], count: int) -> dict[str, float]:
    return _weigh(kind.start, count)


def _weigh_launched(kind: type[pykka.Actor], count: int) -> dict[str, float]:
    def make() -> Actor:
        actor = _Shared()
        actor.launch()
        return actor

    return _weigh(make, count)


def _rss_bytes() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))


def _speak(kind: type[pykka.Actor], tells: int, asks: int, hops: int) -> dict[str, float]:
    one, other = kind.start(), kind.start()
    one.ask(None)
    began = perf_counter()
    for _ in range(tells):
        one.tell(None)
    one.ask(None)
    tell_one = (perf_counter() - began) / tells

    trips: list[float] = []
    for _ in range(asks):
        began = perf_counter()
        one.ask(None)
        trips.append(perf_counter() - began)

    over = threading.Event()
    began = perf_counter()
    one.tell((hops, other, over))
    over.wait()
    hop = (perf_counter() - began) / hops
    return {"tell_one_us": 1e6 * tell_one, "ask_us": 1e6 * median(trips), "hop_us": 1e6 * hop}


def _speak_to_many(kind: type[pykka.Actor], tells: int, many: int) -> dict[str, float]:
    refs = [kind.start() for _ in range(many)]
    for ref in refs:
        ref.ask(None)
    began = perf_counter()
    for _ in range(tells // many):
        for ref in refs:
            ref.tell(None)
    # Each has a last message: an answer that is there says that all before it were handled.
    answers = [ref.ask(None, block=False) for ref in refs]
    pykka.get_all(answers)
    return {"tell_many_us": 1e6 * (perf_counter() - began) / (tells // many * many)}


_MEASURES: dict[str, Callable[..., dict[str, float]]] = {
    "weigh": _weigh_started,
    "weigh_launched": _weigh_launched,
    "speak": _speak,
    "speak_to_many": _speak_to_many,
}


if __name__ == "__main__":
    run(measure)
