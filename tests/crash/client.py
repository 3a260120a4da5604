"""The clients of a child: they put load on its runtime, and report what is acknowledged on the thread it comes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from greenroom import Runtime, WorkflowIDConflictPolicy
from greenroom.actors import Future
from greenroom.runtime.client import WorkflowHandle
from greenroom.runtime.model.errors import (
    ApplicationError,
    CancelledError,
    GreenroomError,
    RuntimeClosedError,
    TerminatedError,
    TimeoutError,
    WorkflowFailureError,
    WorkflowNotFoundError,
)
from greenroom.runtime.model.retry import RetryPolicy

from .asking import Asking
from .bookkeeping import Bookkeeping
from .books import SLIP
from .fates import ENDING, RELAY, Limits
from .load import Order, courier
from .orders import Orders
from .posting import Posting
from .relay import Relay

__all__ = ["Client"]

IN_FLIGHT = 100
WAIT_S = 30.0
LONG_MS = 120_000
MS = 1_000_000
FEW_RELAYS = 2
MANY_RELAYS = 6
PARCELS = 9
REPEATED = RetryPolicy(initial_interval=0.005, maximum_interval=0.02)


class Client:
    """Puts load on a runtime from one thread.

    Args:
        say: tells the parent.
    """

    def __init__(self, runtime: Runtime, orders: Orders, say: Callable[..., None]) -> None:
        self._runtime = runtime
        self._orders = orders
        self._say = say
        self._random = Random(f"{orders.seed}/{orders.generation}")
        self._slots = threading.Semaphore(IN_FLIGHT)
        self._posting = Posting(runtime, orders.generation, self._random, say, self._slots)
        self._asking = Asking(runtime, orders.generation, self._random, say, self._slots)
        self._books = Bookkeeping(runtime, orders, self._random, say, self._slots, self._posting)
        self._open = [workflow_id for workflow_id, kind in orders.known if kind == "Order"]
        self._relays = [workflow_id for workflow_id, kind in orders.known if kind == "Relay"]
        self._couriers: list[str] = []
        self._over: set[str] = set()
        self._tokens = 0
        self._started = 0
        self._pause = threading.Event()

    def put_load(self) -> None:
        """Start, signal, update and end at random until the operations are used up or the runtime closes."""
        self._start_again()
        self._ask_again()
        for _ in range(self._orders.operations):
            choice = self._random.random()
            if choice < 0.07 or len(self._open) < 3:
                self._start_order()
            elif choice < 0.12:
                self._start_courier()
            elif choice < 0.15:
                self._finish_one()
            elif choice < 0.18:
                self._end_one()
            elif choice < 0.40:
                self._relay()
            elif choice < 0.57:
                self._asking.anew(self._one())
            elif choice < 0.72:
                self._books.work()
            else:
                self._posting.send_somehow(self._one(), "item")
            self._pause.wait(self._random.random() * self._orders.pause_ms / 1000)
        for _ in range(IN_FLIGHT):
            self._slots.acquire()

    def heal(self) -> bool:
        """Finish what is open; whether everything ended in time."""
        self._ask_again()
        results: list[tuple[str, Future[Any]]] = []
        for workflow_id, kind in self._orders.known:
            if kind == "Order":
                self._posting.send(workflow_id, "finish")
            elif kind == "Relay":
                self._posting.send(workflow_id, "parcel", ENDING)
            elif kind == "Book":
                self._books.shut(workflow_id)
            results.append((workflow_id, self._watch(self._runtime.get_workflow_handle(workflow_id))))
        for workflow_id, result in results:
            try:
                result.get(timeout=WAIT_S)
            except WorkflowFailureError:
                # It was ended, which is judged where it is reported.
                pass
            except WorkflowNotFoundError:
                if not workflow_id.startswith(SLIP):
                    raise
            except Exception as error:
                self._say("error", f"{workflow_id} did not finish: {error!r}")
                return False
        for _ in range(IN_FLIGHT):
            self._slots.acquire()
        return self._books.see_deleted(self._orders.ended)

    def _ask_again(self) -> None:
        for workflow_id, update_id in self._orders.updates:
            self._asking.again(workflow_id, update_id)
        for workflow_id, name, token in self._orders.signals:
            self._posting.send_again(workflow_id, name, token)

    def _start_again(self) -> None:
        """Start what somebody has wanted to be started, and does not know whether it was."""
        for workflow_id, kind, limits in self._orders.starts:
            is_relay = kind == "Relay"
            (self._relays if is_relay else self._open).append(workflow_id)
            args: list[Any] = [[], []] if is_relay else [[]]
            self._request(Relay.run if is_relay else Order.run, args, workflow_id, Limits(*limits))

    def _one(self) -> str:
        """An order that is open, as far as is known."""
        while True:
            workflow_id = self._random.choice(self._open)
            if workflow_id not in self._over or len(self._open) == 1:
                return workflow_id
            self._open.remove(workflow_id)

    def _relay(self) -> None:
        """Start a relay, or send one of them parcels, an update or its end."""
        self._relays = [workflow_id for workflow_id in self._relays if workflow_id not in self._over]
        choice = self._random.random()
        if len(self._relays) < MANY_RELAYS and (choice < 0.1 or len(self._relays) < FEW_RELAYS):
            self._start_relay()
            return
        workflow_id = self._random.choice(self._relays)
        if choice < 0.2:
            self._asking.once(workflow_id)
        elif choice < 0.23:
            self._end(workflow_id)
        elif choice < 0.27:
            self._posting.send(workflow_id, "parcel", ENDING)
        else:
            for _ in range(self._random.randrange(1, PARCELS)):
                self._posting.send(workflow_id, "parcel")
            if self._random.random() < 0.3:
                self._posting.send_later(workflow_id, "parcel")

    def _finish_one(self) -> None:
        workflow_id = self._one()
        self._open.remove(workflow_id)
        self._posting.send(workflow_id, "finish")
        self._watch(self._runtime.get_workflow_handle(workflow_id))

    def _end_one(self) -> None:
        """Ask a run to end, perhaps twice, or end it."""
        self._end(self._couriers.pop() if self._couriers and self._random.random() < 0.3 else self._one())

    def _end(self, workflow_id: str) -> None:
        handle = self._runtime.get_workflow_handle(workflow_id)
        for kind in self._random.choice((("cancel",), ("cancel", "cancel"), ("terminate",), ("cancel", "terminate"))):
            self._slots.acquire()
            reason = f"r{self._orders.generation}.{self._tokens}"
            self._tokens += 1
            self._say("ending", kind, workflow_id, reason)
            asked = handle.cancel(reason) if kind == "cancel" else handle.terminate(reason=reason)
            asked.add_done_callback(partial(self._acknowledged, [kind, workflow_id, reason]))

    def _next(self) -> str:
        self._started += 1
        return f"{self._orders.generation}-{self._started}"

    def _start_order(self) -> None:
        workflow_id = f"order-{self._next()}"
        peers = self._random.sample(self._open, min(3, len(self._open)))
        self._open.append(workflow_id)
        self._request(Order.run, [peers], workflow_id, self._limits())

    def _start_relay(self) -> None:
        """Start a relay that is repeated whenever it fails, perhaps a little later."""
        workflow_id = f"{RELAY}-{self._next()}"
        peers = self._random.sample(self._relays, min(3, len(self._relays)))
        self._relays.append(workflow_id)
        delay = timedelta(milliseconds=self._random.choice((0, 0, 5, 50)))
        self._request(Relay.run, [peers, []], workflow_id, Limits(), start_delay=delay)

    def _start_courier(self) -> None:
        workflow_id = f"courier-{self._next()}"
        self._couriers.append(workflow_id)
        self._say("starting", workflow_id)
        self._start(courier, [self._one()], workflow_id)

    def _request(self, workflow: Any, args: list[Any], workflow_id: str, limits: Limits, **options: Any) -> None:
        """Ask once or twice for a start: only the first one starts a run, whatever the policies say."""
        kind = "Relay" if workflow == Relay.run else "Order"
        self._say("starting", workflow_id, *limits, kind)
        run, execution = (None if limit is None else timedelta(milliseconds=limit // MS) for limit in limits)
        for _ in range(self._random.choice((1, 1, 1, 2))):
            self._start(
                workflow,
                args,
                workflow_id,
                run_timeout=run,
                execution_timeout=execution,
                retry_policy=REPEATED if kind == "Relay" else None,
                request_id=f"the start of {workflow_id}",
                id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
                **options,
            )

    def _start(self, workflow: Any, args: list[Any], workflow_id: str, **options: Any) -> None:
        self._slots.acquire()
        start = self._runtime.start_workflow(workflow, *args, id=workflow_id, **options)
        start.add_done_callback(partial(self._acknowledged, ["start", workflow_id]))

    def _limits(self) -> Limits:
        """Few orders have limits, and few of those are never reached."""
        short, other = (MS * self._random.randrange(20, 1000) for _ in range(2))
        long = MS * LONG_MS
        none = Limits()
        limits = (Limits(short), Limits(None, short), Limits(short, other), Limits(long, short), Limits(long, long))
        return self._random.choice((*limits, *[none] * 15))

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
        self._over.add(workflow_id)
        try:
            self._say("result", workflow_id, run_id, future.get())
        except (WorkflowNotFoundError, RuntimeClosedError):
            # Its start was never acknowledged, or it goes on after the next opening.
            pass
        except WorkflowFailureError as error:
            self._say("ended", workflow_id, run_id, *_how(error.cause), time.time_ns())
        except GreenroomError as error:
            self._say("error", f"{workflow_id}: {error!r}")


def _how(cause: BaseException | None) -> tuple[str, str]:
    """How a run ended without a result: its status, and why."""
    match cause:
        case CancelledError():
            return "CANCELLED", ""
        case TerminatedError(message=reason):
            return "TERMINATED", reason
        case TimeoutError(type=limit):
            return "TIMED_OUT", "" if limit is None else limit.name
        case ApplicationError(message=message):
            return "FAILED", message
        case _:
            return "FAILED", repr(cause)
