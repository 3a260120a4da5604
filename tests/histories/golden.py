"""Workflows whose histories are kept as files: what was recorded by a released format must be replayed for ever.

``python -m tests.histories.golden`` records what the present format has no files of yet, on the Python at hand. Files
that are there are never written again: they are what users have on their disks.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from greenroom import activity, workflow
from greenroom.runtime.model.errors import ActivityError, ApplicationError
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.storage import MemoryStore, Tree
from greenroom.storage.codec import FORMAT
from greenroom.testing import FaultyStore, TestRuntime
from tests.histories import golden_copies, golden_keys, golden_kinds, golden_notes, golden_relatives, golden_versions

FOLDER = Path(__file__).parent


@activity.defn(name="golden.add")
def add(left: int, right: int) -> int:
    return left + right


@activity.defn(name="golden.flaky")
def flaky(failures: int) -> int:
    if activity.info().attempt <= failures:
        raise ValueError(f"attempt {activity.info().attempt}")
    return activity.info().attempt


@activity.defn(name="golden.refuse")
def refuse(reason: str) -> None:
    raise ApplicationError(reason, {"why": reason}, type="Refused", non_retryable=True)


@workflow.defn(name="golden.activities")
async def activities(numbers: list[int]) -> list[Any]:
    sums = await asyncio.gather(*(workflow.execute_activity(add, number, 1) for number in numbers))
    attempts = await workflow.execute_activity(flaky, 2, retry_policy=RetryPolicy(maximum_attempts=5))
    try:
        await workflow.execute_activity(refuse, "closed today", summary="will fail")
    except ActivityError as error:
        return [*sums, attempts, type(error.cause).__name__]
    return []


@workflow.defn(name="golden.waiting")
async def waiting() -> list[str]:
    log: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await workflow.sleep(seconds, summary=name)
        log.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(after(30, "late"))
        group.create_task(after(10, "early"))
    try:
        async with asyncio.timeout(5):
            await workflow.execute_activity("golden.add", 1, 2, start_to_close_timeout=60)
            await asyncio.sleep(3600)
    except TimeoutError:
        log.append("timeout")
    try:
        await asyncio.wait_for(workflow.wait_condition(lambda: len(log) > 99), 2)
    except TimeoutError:
        log.append("never")
    return log


@workflow.defn(name="golden.values")
async def values() -> list[str]:
    recorded = workflow.side_effect(lambda: 12345)
    drawn = workflow.random().randrange(10**9)
    ids = f"{workflow.uuid4()} {workflow.uuid7()}"
    await workflow.sleep(1)
    return [str(recorded), str(drawn), ids, workflow.now().isoformat()]


@workflow.defn(name="golden.greeter")
class Greeter:
    """Signals from clients and from another workflow, a handler with an activity, and a channel."""

    def __init__(self) -> None:
        self.greeted: list[str] = []

    @workflow.run
    async def run(self, count: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.greeted) >= count)
        last = await workflow.signal_channel().receive("farewell", timeout=86400.0, result_type=str)
        return [*self.greeted, last]

    @workflow.signal
    async def greet(self, sender: str, number: int) -> None:
        total = await workflow.execute_activity(add, number, 40)
        self.greeted.append(f"{sender} {total}")
        if sender != "client":
            await workflow.get_external_workflow_handle(sender).signal("greeting", total)


@workflow.defn(name="golden.guest")
async def guest(greeter_id: str, number: int) -> int:
    me = workflow.info().workflow_id
    await workflow.get_external_workflow_handle(greeter_id).signal(Greeter.greet, me, number)
    total: int = await workflow.signal_channel().receive("greeting", result_type=int)
    return total


@workflow.defn(name="golden.failing")
async def failing() -> None:
    await workflow.sleep(0)
    raise ApplicationError("it was not to be", 7, type="Fate")


def record(runtime: TestRuntime) -> None:
    """Have the runs take place: the greeter is left open, in the middle of its work."""
    for name, workflow_, args in (
        ("activities", activities, [[1, 2, 3]]),
        ("waiting", waiting, []),
        ("values", values, []),
        ("failing", failing, []),
    ):
        runtime.start_workflow(str(workflow_.definition.name), *args, id=name)
        runtime.advance(3600)
    greeter = runtime.wait(runtime.start_workflow(Greeter.run, 2, id="greeter"))
    runtime.wait(greeter.signal(Greeter.greet, "client", 1))
    runtime.start_workflow(guest, "greeter", 2, id="guest")
    runtime.run_until_idle()


RECORDINGS: dict[str, Callable[[TestRuntime], None]] = {
    "": record,
    "-copies": golden_copies.record,
    "-keys": golden_keys.record,
    "-kinds": golden_kinds.record,
    "-notes": golden_notes.record,
    "-relatives": golden_relatives.record,
    "-versions": golden_versions.record,
}
"""What is recorded, by the end of the names of its files; what is new gets a recording of its own."""


def dump(store: FaultyStore) -> list[list[str]]:
    """All rows of a store: the tree's name, key and value in hex."""
    return [[tree.name, key.hex(), value.hex()] for tree, key, value in _rows(store)]


def _rows(store: FaultyStore) -> Iterator[tuple[Tree, bytes, bytes]]:
    for tree in Tree:
        for key, value in store.scan(tree, b"", b"\xff" * 600, limit=1_000_000):
            yield tree, key, value


def load(path: Path) -> MemoryStore:
    """A store with the rows of a file."""
    store = MemoryStore()
    changes: dict[Tree, dict[bytes, bytes | None]] = {}
    for tree, key, value in json.loads(path.read_text(encoding="utf-8"))["rows"]:
        changes.setdefault(Tree[tree], {})[bytes.fromhex(key)] = bytes.fromhex(value)
    store.commit(changes)
    return store


def runtime_on(store: MemoryStore | None = None) -> TestRuntime:
    """A runtime that knows the golden workflows."""
    return TestRuntime(store, converter=golden_kinds.converter())


def golden_files(recording: str | None = None) -> list[Path]:
    """The journals that are kept, oldest format first.

    Args:
        recording: which of `RECORDINGS`; None for all.
    """
    files = sorted(FOLDER.glob("format-*/*.json"))
    return [path for path in files if recording is None or recording_of(path) == recording]


def recording_of(path: Path) -> str:
    """Which of `RECORDINGS` a file is."""
    _, dash, name = path.stem.removeprefix("python-").partition("-")
    return dash + name


if __name__ == "__main__":
    folder = FOLDER / f"format-{FORMAT}"
    folder.mkdir(exist_ok=True)
    for name_, record_ in RECORDINGS.items():
        path_ = folder / f"python-{sys.version_info.major}.{sys.version_info.minor}{name_}.json"
        if path_.exists():
            print(f"{path_} is there; what a format has recorded is never recorded again")
            continue
        with runtime_on() as runtime_:
            record_(runtime_)
            rows = ",\n  ".join(json.dumps(row) for row in dump(runtime_.store))
            path_.write_text('{"rows": [\n  ' + rows + "\n]}\n", encoding="utf-8")
