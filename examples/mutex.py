"""A lock that outlives crashes: one workflow has it at a time, and those that wait for it get it in order.

The lock is a workflow of its own, and the queue in front of it is its mailbox: who wants the lock sends a signal and
waits for one. Signals between workflows are delivered exactly once, so no request is lost and none counts twice. A
lock that lives for years continues as new now and then; the requests that it has not read go on to the next run.

Who dies with the lock, or sits on it, must not keep it for ever: it is lent for a limited time. And who has slept past
that time must not go on as if nothing had happened: each grant has a number, and a resource refuses an old one.

Run it with ``python examples/mutex.py``: three workflows share a printer; then one of two falls asleep with the lock.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from greenroom import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    FailureError,
    Runtime,
    WorkflowHandle,
    WorkflowIDConflictPolicy,
    activity,
    workflow,
)
from greenroom.testing import TestRuntime

LEASE = timedelta(minutes=10)  # how long the lock is lent
GRANTS_A_RUN = 100
SECONDS = 10  # how long this program waits for any one answer


@dataclass(frozen=True)
class Request:
    holder: str
    token: str  # of this request alone: an id may ask for the lock again and again


@workflow.defn
async def mutex(grants: int = 0) -> None:
    signals = workflow.signal_channel()
    while True:
        request = await signals.receive("acquire", result_type=Request)
        grants += 1
        try:
            holder = workflow.get_external_workflow_handle(request.holder)
            await holder.signal(f"acquired {request.token}", grants)
            async with workflow.timeout(LEASE):
                while await signals.receive("release", result_type=str) != request.token:
                    pass  # of one that had lost the lock by then
        except (ApplicationError, TimeoutError):
            pass  # the holder has ended while it waited, or has had the lock for too long
        if grants % GRANTS_A_RUN == 0:
            workflow.continue_as_new(grants)


@asynccontextmanager
async def locked(lock_id: str) -> AsyncGenerator[int, None]:
    """Have the lock; gives the number of the grant. For workflow code."""
    lock = workflow.get_external_workflow_handle(lock_id)
    token = str(workflow.uuid4())
    await lock.signal("acquire", Request(workflow.info().workflow_id, token))
    try:
        yield await workflow.signal_channel().receive(f"acquired {token}", result_type=int)
    except (FailureError, asyncio.CancelledError, TimeoutError):
        await lock.signal("release", token)
        raise
    # A bug passes by here: its turn is discarded, and the lock comes back when its time is over.
    await lock.signal("release", token)


class Printer:
    def __init__(self) -> None:
        self.newest = 0
        self.pages: list[str] = []

    @activity.defn
    def print_page(self, grant: int, page: str) -> None:
        if grant < self.newest:
            raise ApplicationError(
                "somebody else has the printer now",
                type="LockLost",
                non_retryable=True,
                category=ApplicationErrorCategory.BENIGN,
            )
        self.newest = grant
        self.pages.append(page)


@workflow.defn
async def print_document(lock_id: str, pages: list[str], nap: timedelta = timedelta(0)) -> str:
    try:
        async with locked(lock_id) as grant:
            for page in pages:
                await workflow.sleep(nap)
                await workflow.execute_activity_method(Printer.print_page, grant, page)
    except ActivityError as error:
        return f"not printed: {error.cause}"
    return f"printed under grant {grant}"


def open_lock(runtime: Runtime) -> str:
    """The lock of the printer: whoever comes first begins it."""
    policy = WorkflowIDConflictPolicy.USE_EXISTING
    return runtime.start_workflow(mutex, id="printer", id_conflict_policy=policy).get(timeout=SECONDS).id


def three_at_once(runtime: Runtime, printer: Printer) -> None:
    lock_id = open_lock(runtime)
    jobs: list[tuple[str, WorkflowHandle[str]]] = []
    for name in ("Ada", "Bob", "Cid"):
        pages = [f"{name} {page}" for page in (1, 2, 3)]
        jobs.append((name, runtime.start_workflow(print_document, lock_id, pages).get(timeout=SECONDS)))
    for name, job in jobs:
        print(f"{name}: {job.result().get(timeout=SECONDS)}")
    print("pages:", ", ".join(printer.pages))


def one_falls_asleep(runtime: TestRuntime, printer: Printer) -> None:
    lock_id = open_lock(runtime)
    dan = runtime.start_workflow(print_document, lock_id, ["Dan 1"], timedelta(hours=1)).get()
    eve = runtime.start_workflow(print_document, lock_id, ["Eve 1"]).get()
    print("Eve:", eve.result().get())
    found = eve.describe().get()
    assert found.close_time is not None
    print("  after", found.close_time - found.start_time)
    print("Dan:", dan.result().get())
    print("pages:", ", ".join(printer.pages))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shared = Printer()
        with Runtime(Path(folder) / "printer.journal", activities=[shared]) as runtime:
            three_at_once(runtime, shared)
    other = Printer()
    with TestRuntime(activities=[other]) as test_runtime:
        one_falls_asleep(test_runtime, other)
