"""The strict net: what workflow code calls that a replay could not repeat is refused, whatever it does about it."""

from __future__ import annotations

import asyncio
import datetime
import gc
import importlib.util
import io
import logging
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep as nap
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from greenroom import NondeterministicCallError, Runtime, WorkflowSuspendedError, activity, workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.testing import TestRuntime, replay, seeded_store

now = datetime.datetime.now


@dataclass
class Stamped:
    at: datetime.datetime = field(default_factory=datetime.datetime.now)


def through_a_function() -> float:
    return time.monotonic()


class Stamps(logging.Formatter):
    """As many write one of their own."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{datetime.datetime.now()} {os.environ.get('HOST')} {record.getMessage()}"


def log_with_a_formatter() -> None:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(Stamps())
    handler.handle(logging.LogRecord("tests", logging.INFO, __file__, 1, "hello", None, None))
    assert "hello" in handler.stream.getvalue()


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a clock": (time.time, "time.time"),
    "a clock by another name": (lambda: now(), "datetime.datetime.now"),
    "a clock of a class": (lambda: datetime.date.today(), "datetime.date.today"),
    "a clock through a function": (through_a_function, "time.monotonic"),
    "a clock as the default of a field": (Stamped, "datetime.datetime.now"),
    "sleeping": (lambda: nap(0), "time.sleep"),
    "dice": (random.random, "random.random"),
    "dice of the library": (lambda: random.choice([1, 2]), "random.choice"),
    "a generator without a seed": (lambda: random.Random().random(), "random.Random"),
    "a secret": (lambda: secrets.token_bytes(4), "secrets.token_bytes"),
    "an id": (uuid.uuid4, "uuid.uuid4"),
    "the environment": (lambda: os.environ["PATH"], "os.environ"),
    "the environment by a function": (lambda: os.getenv("PATH"), "os.getenv"),
    "a file": (lambda: open(os.devnull).close(), "open"),
    "a path": (lambda: Path(os.devnull).read_bytes(), "pathlib.Path.read_bytes"),
    "whether there is a file": (lambda: os.path.exists(os.devnull), "os.path.exists"),
    "a thread": (lambda: threading.Thread(target=print).start(), "threading.Thread"),
    "a pool": (lambda: ThreadPoolExecutor(), "concurrent.futures.ThreadPoolExecutor"),
    "a socket": (lambda: socket.socket().close(), "socket.socket"),
    "a process": (lambda: subprocess.run(["true"], check=False), "subprocess.run"),
    "a process of the system": (lambda: os.posix_spawn("/bin/true", ["true"], {}), "os.posix_spawn"),
    "a loop": (lambda: asyncio.Runner(), "asyncio.Runner"),
}

ALLOWED: dict[str, Callable[[], object]] = {
    "logging": lambda: logging.getLogger("tests").info("hello"),
    "a formatter of one's own": log_with_a_formatter,
    "a traceback": lambda: traceback.format_stack(),
    "an import": lambda: importlib.import_module("colorsys"),
    "the run's own dice": lambda: workflow.random().choice([1, 2]),
    "the run's own ids": lambda: workflow.uuid4(),
    "the run's own clock": lambda: workflow.now(),
    "a seeded generator": lambda: random.Random(4).random(),
    "a side effect": lambda: workflow.side_effect(time.time),
    "a time zone": lambda: ZoneInfo("UTC").key,
    "reckoning with times": lambda: datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(1),
    "printing": lambda: print("", end=""),
}

CALLS = {**{name: call for name, (call, _) in REFUSED.items()}, **ALLOWED}


@workflow.defn(name="strict.calls", static_check=False)
async def calls(name: str) -> str:
    CALLS[name]()
    return "done"


@workflow.defn(name="strict.catches", static_check=False)
async def catches(name: str) -> str:
    try:
        CALLS[name]()
    except BaseException:
        await workflow.sleep(1)
    return "done"


@workflow.defn(name="strict.opens", static_check=False)
async def opens(name: str) -> str:
    with workflow.unsafe.sandbox_unrestricted():
        CALLS[name]()
    return "done"


def reason_of(runtime: Runtime, flow: Any, *args: object) -> str:
    """Why the run of a workflow was suspended."""
    with pytest.raises(WorkflowSuspendedError) as caught:
        runtime.execute_workflow(flow, *args).get(timeout=30)
    return caught.value.reason


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "greenroom")


@pytest.mark.parametrize("what", REFUSED)
def test_a_call_that_a_replay_could_not_repeat_suspends_the_run_and_says_why(what: str) -> None:
    with TestRuntime() as runtime:
        reason = reason_of(runtime, calls, what)

    assert NondeterministicCallError.__name__ in reason
    assert f"workflow code called {REFUSED[what][1]}, " in reason
    assert "test_strict_net.py:" in reason


@pytest.mark.parametrize("what", REFUSED)
def test_it_does_so_though_the_code_catches_the_error(what: str) -> None:
    with TestRuntime() as runtime:
        assert f"called {REFUSED[what][1]}, " in reason_of(runtime, catches, what)


@pytest.mark.parametrize("what", ALLOWED)
def test_what_a_replay_repeats_or_nobody_decides_by_is_left_alone(what: str) -> None:
    with TestRuntime() as runtime:
        assert runtime.execute_workflow(calls, what).get() == "done"


@pytest.mark.parametrize("what", ["a clock", "dice", "the environment", "a file", "a socket"])
def test_a_block_can_turn_the_net_off(what: str) -> None:
    with TestRuntime() as runtime:
        assert runtime.execute_workflow(opens, what).get() == "done"


def test_the_message_says_what_to_do() -> None:
    with TestRuntime() as runtime:
        reason = reason_of(runtime, calls, "sleeping")

    assert "time.sleep, which holds up every workflow" in reason
    assert "use await workflow.sleep(…), or turn the check off for these lines" in reason
    assert "with workflow.unsafe.sandbox_unrestricted()" in reason


@workflow.defn(name="strict.two-tasks", static_check=False)
async def two_tasks() -> None:
    async def elsewhere() -> None:
        time.time()

    with workflow.unsafe.sandbox_unrestricted():
        await workflow.sleep(1)
        time.time()
    await asyncio.create_task(elsewhere())


def test_a_block_opens_the_net_for_its_own_task_alone() -> None:
    with TestRuntime() as runtime:
        assert "called time.time, " in reason_of(runtime, two_tasks)


@activity.defn(name="strict.reads-the-clock")
def reads_the_clock() -> bool:
    return time.time() > 0


@workflow.defn(name="strict.asks-an-activity")
async def asks_an_activity() -> bool:
    return await workflow.execute_activity(reads_the_clock)


def test_an_activity_may_do_anything() -> None:
    with TestRuntime() as runtime:
        assert runtime.execute_workflow(asks_an_activity).get()


def installed(folder: Path, text: str) -> Any:
    """A module that is imported from a folder of installed packages."""
    file = folder / "site-packages" / f"installed_{folder.name}.py"
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_workflow_that_is_installed_is_workflow_code_all_the_same(tmp_path: Path) -> None:
    text = """
import time
from greenroom import workflow

@workflow.defn(name="strict.installed", static_check=False)
async def flow():
    time.time()
"""
    module = installed(tmp_path, text)

    with TestRuntime() as runtime:
        assert "called time.time, " in reason_of(runtime, module.flow)


@pytest.mark.parametrize(("call", "is_let_through"), [("read_clock", True), ("open_socket", False)])
def test_an_installed_library_may_read_the_clock_but_not_reach_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, is_let_through: bool
) -> None:
    text = """
import socket, time

def read_clock():
    time.time()

def open_socket():
    socket.socket().close()
"""
    monkeypatch.setitem(CALLS, "a library", getattr(installed(tmp_path, text), call))

    with TestRuntime() as runtime:
        if is_let_through:
            assert runtime.execute_workflow(calls, "a library").get() == "done"
        else:
            assert "called socket.socket, " in reason_of(runtime, calls, "a library")


def test_a_module_that_is_imported_in_a_turn_may_read_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
import os

def host():
    return os.environ.get("HOST")

class Settings:
    host = os.environ.get("HOST")

HOST = host()
"""
    (tmp_path / "settings_of_orders.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(CALLS, "settings", lambda: importlib.import_module("settings_of_orders"))

    with TestRuntime() as runtime:
        assert runtime.execute_workflow(calls, "settings").get() == "done"


@workflow.defn(name="strict.process", static_check=False)
async def looks_at_the_process() -> tuple[bool, bool]:
    return gc.isenabled(), sys.getprofile() is None


def test_nothing_is_left_of_it_between_turns_and_no_garbage_is_collected_in_one() -> None:
    with TestRuntime() as runtime:
        assert runtime.execute_workflow(looks_at_the_process).get() == (False, False)

        assert (gc.isenabled(), sys.getprofile()) == (True, None)


def test_a_profiler_that_is_at_work_keeps_its_place() -> None:
    seen: list[str] = []

    def profiler(_frame: object, event: str, _arg: object) -> None:
        seen.append(event)

    with TestRuntime() as runtime:
        future = runtime.execute_workflow(calls, "a clock")
        sys.setprofile(profiler)
        try:
            runtime.run_until_idle()
            assert sys.getprofile() is profiler
        finally:
            sys.setprofile(None)
        assert future.get() == "done"


def test_without_being_asked_a_runtime_has_no_net() -> None:
    with Runtime.in_memory(workflows=[calls, looks_at_the_process]) as runtime:
        assert runtime.execute_workflow(calls, "a clock").get(timeout=30) == "done"
        assert runtime.execute_workflow(looks_at_the_process).get(timeout=30) == (True, True)


def test_a_runtime_that_asks_for_it_watches_its_own_thread_alone() -> None:
    reads: list[float] = []

    def read() -> None:
        while not is_over.is_set():
            reads.append(time.time())

    is_over = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    try:
        with Runtime.in_memory(workflows=[calls], guard="strict") as runtime:
            assert "called time.time, " in reason_of(runtime, calls, "a clock")
            assert runtime.execute_workflow(calls, "the run's own dice").get(timeout=30) == "done"
    finally:
        is_over.set()
        reader.join()

    assert reads


def test_a_guard_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="give 'static' or 'strict'"):
        Runtime("journal", guard="lax")


@workflow.defn(name="strict.later", static_check=False)
async def decides_by_the_clock() -> None:
    if time.time() > 0:
        await workflow.sleep(60)


def test_a_history_from_without_the_net_is_refused_for_the_call_and_not_for_what_follows_from_it() -> None:
    store = seeded_store(1)
    with TestRuntime(store, guard="static") as runtime:
        runtime.start_workflow(decides_by_the_clock, id="later").get()

    with TestRuntime(store) as runtime, pytest.raises(WorkflowSuspendedError) as caught:
        runtime.get_workflow_handle("later").result().get()

    assert "called time.time, " in caught.value.reason


def test_a_history_can_be_held_against_the_net() -> None:
    with TestRuntime(guard="static") as runtime:
        runtime.start_workflow(decides_by_the_clock).get()
        (run,) = runtime.recorded()

    with TestRuntime() as strict, pytest.raises(WorkflowBugError, match=r"called time\.time, "):
        replay(run, strict.hands)
