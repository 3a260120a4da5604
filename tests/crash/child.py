"""The process that is killed: a real runtime under load; what is acknowledged goes to the parent at once."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from greenroom import Runtime
from greenroom.runtime.shell import retention
from greenroom.storage import deletion

from .books import KEPT_S, slip
from .client import Client
from .faults import plant
from .load import record_effects_to
from .orders import Orders
from .points import arm

__all__ = ["main"]

SLICE = 2
GRAIN_NS = 5_000_000


class Reporter:
    """Writes lines to the parent: one call of the system each, so that a line is there whole or not at all."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, *line: Any) -> None:
        """Send one line."""
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


class Complaints(logging.Handler):
    """What the library logs as an error is an error of the run of this harness."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.ERROR)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the parent."""
        self._reporter.say("error", self.format(record)[-2000:])


def main(argument: str) -> int:
    """Do what the parent wants; 0 if nobody killed this process on the way."""
    orders = Orders(*json.loads(argument))
    faulthandler.enable()
    reporter = Reporter(orders.acks)
    record_effects_to(orders.effects)
    if orders.point:
        arm(orders.point, orders.occurrence)
    if orders.fault:
        # A fault sees what is released before the points do, which wrap it.
        plant(orders.fault)
    logging.getLogger("greenroom").addHandler(Complaints(reporter))
    # What is deleted is so in several commits, and as soon as its time has come: there is more to be killed.
    deletion.SLICE, retention.GRAIN_NS = SLICE, GRAIN_NS
    options: dict[str, Any] = {"map_size": orders.map_size} if orders.map_size else {}
    reporter.say("opening")
    runtime = Runtime(orders.journal, activity_threads=4, retention_by_type={slip: KEPT_S}, **options)
    with runtime:
        reporter.say("open")
        client = Client(runtime, orders, reporter.say)
        work: Callable[[], object] = client.heal if orders.heal else client.put_load
        is_done = work() is not False
    reporter.say("closed")
    return 0 if is_done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
