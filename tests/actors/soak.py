"""``python -m tests.actors.soak``: ten million tells between a hundred thousand actors, and a million from threads."""

from __future__ import annotations

import argparse
import sys
from time import perf_counter

from greenroom.actors import Dispatcher
from tests.actors.floods import Flood, Flow


def main() -> int:
    """Tell, count, and say what was lost; 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.actors.soak", description=__doc__)
    parser.add_argument("--actors", type=int, default=100_000)
    parser.add_argument("--tells", type=int, default=100, help="of each actor, to ten others")
    parser.add_argument("--threads", type=int, default=4, help="that tell from outside at the same time")
    parser.add_argument("--tells-of-threads", type=int, default=250_000, help="of each thread, to a thousand actors")
    options = parser.parse_args()
    dispatcher = Dispatcher(name="flooded")
    dispatcher.start()
    flood = Flood(
        dispatcher,
        actors=options.actors,
        threads=options.threads,
        flow=Flow(options.tells, fan=10, burst=10),
        thread_flow=Flow(options.tells_of_threads, fan=min(1000, options.actors), burst=0),
    )
    began = perf_counter()
    flood.run()
    seconds = perf_counter() - began
    lost, disordered = flood.lost(), flood.disordered()
    print(
        f"{flood.tells:,} tells between {options.actors:,} actors, {options.threads} threads among the senders: "
        f"{lost} lost, {disordered} out of order, {flood.tells / seconds:,.0f} a second"
    )
    return int(bool(lost or disordered))


if __name__ == "__main__":
    sys.exit(main())
