"""The workflows and activities that are measured: the same small ones that the peers were measured with."""

from __future__ import annotations

import asyncio
import threading

from greenroom import activity, workflow

__all__ = [
    "ARRIVED",
    "STOP_SPINNING",
    "Counter",
    "Lanes",
    "Tally",
    "arrive",
    "greet",
    "one",
    "spin",
    "spinning",
    "steps",
    "three",
    "unread",
]

STOP_SPINNING = threading.Event()
ARRIVED = threading.Event()


@activity.defn
def greet(name: str) -> str:
    """The trivial step."""
    return "Hi, " + name


@activity.defn
def spin() -> int:
    """Compute in Python until told to stop: the thread never lets go of the interpreter by itself."""
    rounds = 0
    while not STOP_SPINNING.is_set():
        for number in range(1000):
            rounds += number & 1
    return rounds


@activity.defn
def arrive() -> None:
    """Tell the benchmark that everything before this is on disk."""
    ARRIVED.set()


@workflow.defn
async def three(name: str) -> list[str]:
    """Three steps, one after the other."""
    return [await workflow.execute_activity(greet, name) for _ in range(3)]


@workflow.defn
async def one(name: str) -> str:
    """One step."""
    return await workflow.execute_activity(greet, name)


@workflow.defn
async def steps(count: int) -> int:
    """Many steps, one after the other."""
    for _ in range(count):
        await workflow.execute_activity(greet, "Kyle")
    return count


@workflow.defn
async def spinning() -> int:
    """Keep one thread busy."""
    return await workflow.execute_activity(spin)


@workflow.defn
class Lanes:
    """Many steps in lanes side by side, each lane a sequence, so that a long history is written in few commits."""

    def __init__(self) -> None:
        self.may_end = False

    @workflow.run
    async def run(self, count: int, lanes: int) -> int:
        """Take ``count`` steps in all, say so, and wait for ``end``."""
        await asyncio.gather(*(self._lane(count // lanes) for _ in range(lanes)))
        await workflow.execute_activity(arrive)
        await workflow.wait_condition(lambda: self.may_end)
        return count

    async def _lane(self, count: int) -> None:
        for _ in range(count):
            await workflow.execute_activity(greet, "Kyle")

    @workflow.signal
    def end(self) -> None:
        """Let the run end."""
        self.may_end = True


@workflow.defn
class Counter:
    """Counts signals by a handler."""

    def __init__(self) -> None:
        self.total = 0
        self.may_end = False

    @workflow.run
    async def run(self) -> int:
        """Return the count once ``end`` has come."""
        await workflow.wait_condition(lambda: self.may_end)
        return self.total

    @workflow.signal
    def add(self, number: int) -> None:
        """Count."""
        self.total += number

    @workflow.signal
    def end(self) -> None:
        """Let the run end."""
        self.may_end = True


@workflow.defn
class Tally:
    """Returns its count once it is as high as wanted; it takes updates and queries meanwhile."""

    def __init__(self) -> None:
        self.total = 0

    @workflow.run
    async def run(self, wanted: int) -> int:
        """Count."""
        await workflow.wait_condition(lambda: self.total >= wanted)
        return self.total

    @workflow.signal
    def add(self, number: int) -> None:
        """Count."""
        self.total += number

    @workflow.update
    def raise_by(self, number: int) -> int:
        """Count, and say how far."""
        self.total += number
        return self.total

    @workflow.query
    def so_far(self) -> int:
        """How far the count is."""
        return self.total


@workflow.defn
async def unread() -> int:
    """Reads one ``end`` and leaves every other signal unread."""
    count: int = await workflow.signal_channel().receive("end", result_type=int)
    return count
