"""Activities that are performed in processes: they are found here by their names."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from greenroom import ApplicationError, activity
from greenroom.runtime.model.retry import RetryPolicy

ONCE = RetryPolicy(initial_interval=0.01, maximum_attempts=1)
TWICE = RetryPolicy(initial_interval=0.01, maximum_attempts=2)


@dataclass
class Order:
    """What is carried over and back."""

    item: str
    amounts: tuple[int, ...]


@activity.defn(executor="process", retry_policy=ONCE, name="there.is", aliases=["there.was"])
def renamed(number: int) -> int:
    return 2 * number


@activity.defn(executor="process", retry_policy=ONCE)
def double(order: Order) -> Order:
    return Order(order.item * 2, order.amounts * 2)


@activity.defn(executor="process", retry_policy=ONCE)
def where() -> dict[str, Any]:
    info = activity.info()
    return {"pid": os.getpid(), "id": info.activity_id, "key": info.idempotency_key, "attempt": info.attempt}


@activity.defn(executor="process", retry_policy=ONCE)
def fail_in_pieces() -> None:
    raise ApplicationError("no money", {"left": 3}, type="Poor", non_retryable=True)


def is_passing(error: BaseException) -> bool:
    return str(error) == "not yet"


@activity.defn(executor="process", retry_policy=RetryPolicy(initial_interval=0.01), is_retryable=is_passing)
def fail_again_and_again() -> None:
    raise OSError("not yet" if activity.info().attempt < 3 else f"never, at attempt {activity.info().attempt}")


@activity.defn(executor="process", retry_policy=TWICE)
def die_once(how: str) -> str:
    if activity.info().attempt == 1:
        activity.heartbeat("alive")
        time.sleep(0.3)
        if how == "segfault":
            ctypes.string_at(0)
        os.kill(os.getpid(), signal.SIGKILL)
    return f"attempt {activity.info().attempt} after {activity.info().heartbeat_details}"


@activity.defn(executor="process", retry_policy=TWICE, heartbeat_timeout=0.5)
def beat_on(seconds: float) -> str:
    until = time.monotonic() + seconds
    count = 0
    if activity.info().attempt == 1:
        while time.monotonic() < until:
            count += 1
            activity.heartbeat(count)
        if seconds > 0.5:
            time.sleep(60)
        raise OSError("no")
    (last,) = activity.info().heartbeat_details
    return f"after {'many' if last > 100 else last}"


@activity.defn(executor="process", retry_policy=ONCE)
def until_cancelled(path: str) -> str:
    touch(path)
    if activity.wait_for_cancelled_sync(30):
        return f"heard {activity.is_cancelled()} {activity.cancellation_details()}"
    return "never"


@activity.defn(executor="process", retry_policy=RetryPolicy(initial_interval=0.01))
def until_shutdown(path: str) -> str:
    touch(path)
    activity.wait_for_worker_shutdown_sync(30)
    raise asyncio.CancelledError


@activity.defn(executor="process", retry_policy=ONCE)
def hold(path: str) -> None:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(str(os.getpid()))
        file.flush()
        while True:
            sum(range(1000))


@activity.defn(executor="process", retry_policy=ONCE)
def stand_still(path: str, ballast: str) -> int:
    """Says who it is and takes nothing any more: what is sent to it fills the pipe."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    return len(ballast)


@activity.defn(executor="process", retry_policy=ONCE)
def fork_and_die(path: str) -> None:
    """What it has forked has its pipe, and outlives it."""
    forked = os.fork()
    if forked:
        with open(path, "w") as file:
            file.write(str(forked))
        os._exit(3)
    time.sleep(60)


@activity.defn(executor="process", retry_policy=ONCE)
def endure(path: str) -> str:
    """Is told by a service manager to end, as the whole service is."""
    touch(path)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
    return "endured"


@activity.defn(name="another", executor="process", retry_policy=TWICE)
def another() -> str:
    return "another"


@activity.defn(executor="process", retry_policy=TWICE)
def replaced() -> str:
    return "replaced"


# The name by which a process finds it leads to the other one.
replaced.__qualname__ = "another"


def touch(path: str) -> None:
    with open(path, "w") as file:
        file.write("here")


ALL = [
    *(double, where, fail_in_pieces, die_once, beat_on, until_cancelled, until_shutdown, hold),
    *(stand_still, fork_and_die, endure, replaced, fail_again_and_again),
]
