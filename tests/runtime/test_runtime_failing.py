"""Five thousand activities and workflows that fail in every way: each ends as documented, nothing is left behind."""

from __future__ import annotations

import asyncio
import builtins
import ctypes
import gc
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

import pytest

from greenroom import (
    ActivityError,
    ApplicationError,
    FailureError,
    RetryPolicy,
    Runtime,
    Supervision,
    TimeoutError,
    WorkflowFailureError,
    WorkflowSuspendedError,
    activity,
    workflow,
)
from tests.runtime.rig import ROOT, WAIT, error_of, python

RUNS = 5_000
ONCE = RetryPolicy(maximum_attempts=1)


class Awkward(Exception):
    """Cannot be shown, compared or made without arguments."""

    def __init__(self, first: object, second: object) -> None:
        super().__init__(first, second)

    def __str__(self) -> str:
        raise RuntimeError("cannot be shown")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("cannot be compared")

    __hash__ = None  # type: ignore[assignment]


class Stubborn(BaseException):
    """No ``except Exception`` takes it."""


class Halfway(ApplicationError):
    """Never calls the constructor of its base."""

    def __init__(self) -> None:
        pass


def circle() -> NoReturn:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def deep() -> NoReturn:
    error: BaseException = ValueError("the innermost")
    for number in range(500):
        outer = LookupError(f"number {number}")
        outer.__cause__ = error
        error = outer
    raise error


def recurse() -> int:
    return recurse() + 1


def group() -> NoReturn:
    raise ExceptionGroup("several", [ValueError("one"), ExceptionGroup("more", [KeyError("two")])])


def during() -> NoReturn:
    try:
        raise ValueError("the first")
    except ValueError:
        raise KeyError("the second") from None


def raising(make: Callable[[], BaseException]) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise make()

    return fail


class Way(NamedTuple):
    """One way to fail.

    Attributes:
        fail: does it.
        kind: the class of the failure that is told of an activity.
        type: its ``type``, or several that are allowed, if it is an ``ApplicationError``.
        is_failure: whether it fails a workflow too; otherwise it is a bug, and suspends it.
    """

    fail: Callable[[], object]
    kind: type[BaseException] = ApplicationError
    type: str | None = None
    is_failure: bool = False


WAYS: dict[str, Way] = {
    "plain": Way(raising(lambda: ValueError("no")), type="ValueError"),
    "without words": Way(raising(lambda: AssertionError()), type="AssertionError"),
    "application": Way(raising(lambda: ApplicationError("no", 1, type="Mine")), type="Mine", is_failure=True),
    "details that cannot be stored": Way(raising(lambda: ApplicationError("no", object())), is_failure=True),
    "non-retryable": Way(raising(lambda: ApplicationError("no", non_retryable=True)), is_failure=True),
    "a delay that makes no sense": Way(
        raising(lambda: ApplicationError("no", next_retry_delay=cast("Any", "soon"))), is_failure=True
    ),
    "awkward": Way(raising(lambda: Awkward(1, 2)), type="Awkward"),
    "halfway": Way(raising(Halfway), type="Halfway", is_failure=True),
    "stubborn": Way(raising(Stubborn), type="Stubborn"),
    "exit": Way(raising(lambda: SystemExit(3)), type="SystemExit"),
    "interrupt": Way(raising(lambda: KeyboardInterrupt()), type="KeyboardInterrupt"),
    "generator exit": Way(raising(lambda: GeneratorExit()), type="GeneratorExit"),
    # In a coroutine Python makes another one of it.
    "stop": Way(raising(lambda: StopIteration(1)), type="StopIteration RuntimeError"),
    # On a loop it may be the application that has cancelled the task.
    "cancelled": Way(raising(lambda: asyncio.CancelledError("no")), kind=FailureError, is_failure=True),
    "timeout": Way(raising(lambda: TimeoutError("slow")), kind=TimeoutError, is_failure=True),
    "python's timeout": Way(raising(lambda: builtins.TimeoutError("slow")), type="TimeoutError", is_failure=True),
    "circle": Way(circle, type="ValueError"),
    "deep": Way(deep, type="LookupError"),
    "enormous": Way(raising(lambda: ValueError("x" * 3_000_000)), type="ValueError"),
    "recursion": Way(recurse, type="RecursionError"),
    "memory": Way(raising(MemoryError), type="MemoryError"),
    "group": Way(group, type="ExceptionGroup"),
    "during another": Way(during, type="KeyError"),
    "lone surrogate": Way(raising(lambda: ValueError("\ud800")), type="ValueError"),
    "object": Way(object, type="PayloadEncodeError"),
    "function": Way(lambda: print, type="PayloadEncodeError"),
    "lock": Way(threading.Lock, type="PayloadEncodeError"),
    "generator": Way(lambda: iter([1]), type="PayloadEncodeError"),
    "too large": Way(lambda: b"x" * 3_000_000, type="PayloadTooLargeError"),
}


@activity.defn(name="failing.sync", retry_policy=ONCE)
def sync(way: str) -> Any:
    return WAYS[way].fail()


@activity.defn(name="failing.async", retry_policy=ONCE)
async def in_loop(way: str) -> Any:
    await asyncio.sleep(0)
    return WAYS[way].fail()


@workflow.defn(name="failing.by_activity")
async def by_activity(way: str, in_a_loop: bool) -> None:
    await workflow.execute_activity(in_loop if in_a_loop else sync, way)


@workflow.defn(name="failing.by_itself")
async def by_itself(way: str) -> Any:
    return WAYS[way].fail()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("greenroom").setLevel(logging.CRITICAL + 1)
    yield
    logging.getLogger("greenroom").setLevel(logging.NOTSET)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident_bytes() -> int:
    """Memory of the process that is not a mapped file, without what the allocator keeps for later."""
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")]
    return int(kilobytes) * 1024


def check(way: str, source: str, error: BaseException) -> None:
    """Hold an outcome against what is documented for that way to fail."""
    expected = WAYS[way]
    if source == "workflow" and not expected.is_failure:
        assert isinstance(error, WorkflowSuspendedError), (way, source, error)
        return
    assert isinstance(error, WorkflowFailureError), (way, source, error)
    cause = error.cause
    if source != "workflow":
        assert isinstance(cause, ActivityError), (way, source, error)
        cause = cause.cause
    assert isinstance(cause, expected.kind), (way, source, cause)
    if expected.type is not None:
        assert isinstance(cause, ApplicationError), (way, source, cause)
        assert cause.type in expected.type.split(), (way, source, cause)


def fail_many(runtime: Runtime, count: int) -> None:
    """Have that many runs fail, a hundred at a time."""
    cases = [(way, source) for way in WAYS for source in ("sync", "async", "workflow")]
    for begin in range(0, count, 100):
        started: list[tuple[str, str, Any]] = []
        for number in range(begin, begin + 100):
            way, source = cases[number % len(cases)]
            if source == "workflow":
                started.append((way, source, runtime.execute_workflow(by_itself, way)))
            else:
                started.append((way, source, runtime.execute_workflow(by_activity, way, source == "async")))
        for way, source, future in started:
            check(way, source, error_of(future))


def measure(path: Path) -> dict[str, int]:
    """Have all of them fail, and tell how much more there is of what afterwards."""
    logging.disable(logging.CRITICAL)
    threads, descriptors = threading.active_count(), open_descriptors()
    with Runtime(
        path,
        workflows=[by_activity, by_itself],
        activities=[sync, in_loop],
        supervision=Supervision(max_restarts=0),
        max_residents=20,
    ) as runtime:
        fail_many(runtime, RUNS // 5)
        gc.collect()
        objects, resident = len(gc.get_objects()), resident_bytes()
        fail_many(runtime, RUNS - RUNS // 5)
        # The runtime is as able as before.
        assert isinstance(error_of(runtime.execute_workflow(by_itself, "application")), WorkflowFailureError)
        gc.collect()
        more = {"objects": len(gc.get_objects()) - objects, "bytes": resident_bytes() - resident}
    gc.collect()
    return {**more, "threads": threading.active_count() - threads, "descriptors": open_descriptors() - descriptors}


@pytest.mark.slow
@pytest.mark.aside
def test_five_thousand_failures_end_as_documented_and_leave_nothing_behind(tmp_path: Path) -> None:
    # In a process of its own: what others have left behind is not in its memory.
    process = python("import tests.runtime.test_runtime_failing as failing; failing.main()", str(tmp_path), cwd=ROOT)
    output, errors = process.communicate(timeout=300)

    assert process.returncode == 0, errors
    more = json.loads(output)
    assert more["objects"] < RUNS // 10
    assert more["bytes"] < 32 * 1024 * 1024
    assert (more["threads"], more["descriptors"]) == (0, 0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("source", ["sync", "async", "workflow"])
def test_each_way_to_fail_ends_as_documented(way: str, source: str) -> None:
    with Runtime.in_memory(
        workflows=[by_activity, by_itself], activities=[sync, in_loop], supervision=Supervision(max_restarts=0)
    ) as runtime:
        if source == "workflow":
            handle = runtime.start_workflow(by_itself, way).get(timeout=WAIT)
        else:
            handle = runtime.start_workflow(by_activity, way, source == "async").get(timeout=WAIT)

        check(way, source, error_of(handle.result()))


def main() -> None:
    """Measure in a process of its own, in the directory that is given."""
    print(json.dumps(measure(Path(sys.argv[1]) / "journal")))
