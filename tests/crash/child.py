"""The process that is killed: a real runtime under load; what is acknowledged goes to the parent at once."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from greenroom import Runtime
from greenroom.actors import Future
from greenroom.runtime.client import WorkflowHandle
from greenroom.runtime.model.errors import GreenroomError, RuntimeClosedError, WorkflowNotFoundError

from .faults import plant
from .load import Order, courier, record_effects_to
from .points import arm

__all__ = ["Orders", "main"]

IN_FLIGHT = 100
WAIT_S = 30.0


class Orders(NamedTuple):
    """What the parent wants of a child.

    Args:
        journal: the journal's directory.
        effects: descriptor where activities append what they did.
        acks: descriptor where acknowledgements go.
        seed: with the generation, what the load is drawn from.
        generation: how many processes had the journal before.
        known: open runs as (workflow id, type).
        operations: how many things the load does before the runtime is closed.
        pause_ms: the longest pause between two of them.
        heal: finish every known run and wait for its result, instead of putting load on.
        point: where to be killed, and ...
        occurrence: ... the how-many-th time.
        fault: the control to plant.
        map_size: bytes of address space to begin with; 0 for the default.
    """

    journal: str
    effects: int
    acks: int
    seed: str
    generation: int
    known: list[tuple[str, str]]
    operations: int = 4000
    pause_ms: float = 5.0
    heal: bool = False
    point: str = ""
    occurrence: int = 0
    fault: str = ""
    map_size: int = 0


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


class Client:
    """Puts load on a runtime from one thread, and reports every acknowledgement on the thread that it comes on."""

    def __init__(self, runtime: Runtime, orders: Orders, reporter: Reporter) -> None:
        self._runtime = runtime
        self._orders = orders
        self._say = reporter.say
        self._random = Random(f"{orders.seed}/{orders.generation}")
        self._slots = threading.Semaphore(IN_FLIGHT)
        self._open = [workflow_id for workflow_id, kind in orders.known if kind == "Order"]
        self._tokens = 0
        self._started = 0
        self._pause = threading.Event()

    def put_load(self) -> None:
        """Start, signal and finish at random until the operations are used up or the runtime closes."""
        for _ in range(self._orders.operations):
            self._slots.acquire()
            choice = self._random.random()
            if choice < 0.08 or len(self._open) < 3:
                self._start_order()
            elif choice < 0.16:
                self._start_courier()
            elif choice < 0.20:
                workflow_id = self._open.pop(self._random.randrange(len(self._open)))
                self._signal(workflow_id, "finish")
                self._watch(self._runtime.get_workflow_handle(workflow_id))
            else:
                self._signal(self._random.choice(self._open), "item")
            self._pause.wait(self._random.random() * self._orders.pause_ms / 1000)
        for _ in range(IN_FLIGHT):
            self._slots.acquire()

    def heal(self) -> bool:
        """Finish what is open; whether everything ended in time."""
        results: list[tuple[str, Future[Any]]] = []
        for workflow_id, kind in self._orders.known:
            if kind == "Order":
                self._slots.acquire()
                self._signal(workflow_id, "finish")
            results.append((workflow_id, self._watch(self._runtime.get_workflow_handle(workflow_id))))
        for workflow_id, result in results:
            try:
                result.get(timeout=WAIT_S)
            except Exception as error:
                self._say("error", f"{workflow_id} did not finish: {error!r}")
                return False
        return True

    def _start_order(self) -> None:
        workflow_id = f"order-{self._orders.generation}-{self._started}"
        peers = self._random.sample(self._open, min(3, len(self._open)))
        self._started += 1
        self._open.append(workflow_id)
        self._say("starting", workflow_id)
        start = self._runtime.start_workflow(Order.run, peers, id=workflow_id)
        start.add_done_callback(partial(self._acknowledged, ["start", workflow_id]))

    def _start_courier(self) -> None:
        workflow_id = f"courier-{self._orders.generation}-{self._started}"
        self._started += 1
        self._say("starting", workflow_id)
        start = self._runtime.start_workflow(courier, self._random.choice(self._open), id=workflow_id)
        start.add_done_callback(partial(self._acknowledged, ["start", workflow_id]))

    def _signal(self, workflow_id: str, name: str) -> None:
        token = f"c{self._orders.generation}.{self._tokens}"
        self._tokens += 1
        self._say("sending", token, workflow_id)
        sent = self._runtime.get_workflow_handle(workflow_id).signal(name, token)
        sent.add_done_callback(partial(self._acknowledged, ["signal", token, workflow_id]))

    def _acknowledged(self, line: list[str], future: Future[Any]) -> None:
        try:
            value = future.get()
            if line[0] == "start":
                handle: WorkflowHandle[Any] = value
                line.append(handle.run_id or "")
                self._watch(handle)
            self._say(*line)
        except WorkflowNotFoundError:
            self._say("refused", *line)
        except RuntimeClosedError:
            # Whether it was taken is not known to the caller.
            pass
        except GreenroomError as error:
            self._say("error", f"{line}: {error!r}")
        finally:
            self._slots.release()

    def _watch(self, handle: WorkflowHandle[Any]) -> Future[Any]:
        result = handle.result()
        result.add_done_callback(partial(self._ended, handle.id, handle.run_id))
        return result

    def _ended(self, workflow_id: str, run_id: str | None, future: Future[Any]) -> None:
        try:
            self._say("result", workflow_id, run_id, future.get())
        except (WorkflowNotFoundError, RuntimeClosedError):
            # Its start was never acknowledged, or it goes on after the next opening.
            pass
        except GreenroomError as error:
            self._say("error", f"{workflow_id}: {error!r}")


def main(argument: str) -> int:
    """Do what the parent wants; 0 if nobody killed this process on the way."""
    orders = Orders(*json.loads(argument))
    faulthandler.enable()
    reporter = Reporter(orders.acks)
    record_effects_to(orders.effects)
    if orders.fault:
        plant(orders.fault)
    if orders.point:
        arm(orders.point, orders.occurrence)
    logging.getLogger("greenroom").addHandler(Complaints(reporter))
    options: dict[str, Any] = {"map_size": orders.map_size} if orders.map_size else {}
    reporter.say("opening")
    runtime = Runtime(orders.journal, activity_threads=4, **options)
    with runtime:
        reporter.say("open")
        client = Client(runtime, orders, reporter)
        work: Callable[[], object] = client.heal if orders.heal else client.put_load
        is_done = work() is not False
    reporter.say("closed")
    return 0 if is_done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
