"""Activities in processes: what crosses, what is heard there, and what is left when one of them or the parent dies."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenroom import (
    ActivityCancellationType,
    ActivityError,
    ApplicationError,
    InvalidActivityError,
    Runtime,
    WorkflowFailureError,
    activity,
    workflow,
)
from greenroom.runtime.model.payloads import Converter
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime
from tests.runtime import process_activities as there
from tests.runtime.process_activities import Order
from tests.runtime.rig import ROOT, WAIT, runtime_on

pytestmark = pytest.mark.slow

BY_NAME: dict[str, Any] = {each.__name__: each for each in there.ALL}


@workflow.defn
async def performs(name: str, *args: Any) -> Any:
    return await workflow.execute_activity(BY_NAME[name], *args)


@workflow.defn
async def carries(order: Order) -> Order:
    return await workflow.execute_activity(there.double, order)


@workflow.defn
async def cancels(name: str, path: str) -> Any:
    handle = workflow.start_activity(
        BY_NAME[name], path, cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    )
    await workflow.signal_channel().receive("now")
    handle.cancel()
    return await handle


@workflow.defn
async def waits_for_nothing() -> str:
    return "done"


def processes_of(runtime: Runtime) -> dict[int, Any]:
    """The processes that a runtime has."""
    hands: Any = vars(runtime)["_hands"]
    workers: dict[int, Any] = hands.performer._processes._workers
    return workers


def send_much(worker: Any) -> None:
    with worker._sending, contextlib.suppress(OSError):
        worker._connection.send(b"x" * 10_000_000)


def runtime_for(store: MemoryStore | None = None, *, processes: int = 1, **options: Any) -> Runtime:
    return runtime_on(
        MemoryStore() if store is None else store,
        workflows=[performs, carries, cancels, waits_for_nothing],
        activities=there.ALL,
        activity_processes=processes,
        **options,
    )


def appears(path: Path) -> None:
    """Wait until a process has written a file."""
    until = threading.Event()
    for _ in range(round(WAIT * 100)):
        if path.exists() and path.read_text():
            return
        until.wait(0.01)
    raise AssertionError(f"{path} was never written")


def is_let_go(path: Path) -> bool:
    """Whether the lock of a file is free in time: whoever held it is dead."""
    free = threading.Event()

    def take() -> None:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            free.set()

    threading.Thread(target=take, daemon=True).start()
    return free.wait(WAIT)


def cause_of(call: Callable[[], object]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as caught:
        call()
    assert isinstance(caught.value.cause, ActivityError)
    assert isinstance(caught.value.cause.cause, ApplicationError)
    return caught.value.cause.cause


def test_arguments_results_facts_and_failures_cross_and_a_process_is_used_again() -> None:
    with runtime_for() as runtime:
        doubled = runtime.execute_workflow(carries, Order("tea", (1, 2))).get(timeout=WAIT)
        places = [runtime.execute_workflow(performs, "where").get(timeout=WAIT) for _ in range(2)]
        cause = cause_of(lambda: runtime.execute_workflow(performs, "fail_in_pieces").get(timeout=WAIT))

    assert doubled == Order("teatea", (1, 2, 1, 2))
    assert places[0]["pid"] == places[1]["pid"] != os.getpid()
    assert places[0]["key"] != places[1]["key"]
    assert (places[0]["id"], places[0]["attempt"]) == ("1", 1)
    assert (cause.message, cause.type, cause.details, cause.non_retryable) == ("no money", "Poor", ({"left": 3},), True)
    assert "in fail_in_pieces" in cause.stack


def test_a_process_asks_the_predicate_of_its_activity() -> None:
    with runtime_for() as runtime:
        cause = cause_of(lambda: runtime.execute_workflow(performs, "fail_again_and_again").get(timeout=WAIT))

    assert (cause.message, cause.type, cause.non_retryable) == ("never, at attempt 3", "OSError", True)


@pytest.mark.parametrize("how", ["kill", "segfault"])
def test_a_process_that_dies_fails_its_attempt_and_the_next_has_another_and_what_was_said(how: str) -> None:
    with runtime_for() as runtime:
        handle = runtime.start_workflow(performs, "die_once", how).get(timeout=WAIT)
        assert handle.result().get(timeout=WAIT) == "attempt 2 after ('alive',)"


def test_a_process_that_dies_says_how(tmp_path: Path) -> None:
    with runtime_for() as runtime:
        handle = runtime.start_workflow(performs, "hold", str(tmp_path / "x")).get(timeout=WAIT)
        appears(tmp_path / "x")
        os.kill(int((tmp_path / "x").read_text()), signal.SIGKILL)
        cause = cause_of(lambda: handle.result().get(timeout=WAIT))

    assert cause.type == "ProcessDied"
    assert "has died (killed by SIGKILL)" in cause.message


def test_a_death_is_seen_though_a_forked_process_keeps_the_pipe(tmp_path: Path) -> None:
    with runtime_for() as runtime:
        handle = runtime.start_workflow(performs, "fork_and_die", str(tmp_path / "x")).get(timeout=WAIT)
        try:
            cause = cause_of(lambda: handle.result().get(timeout=WAIT))
        finally:
            appears(tmp_path / "x")
            os.kill(int((tmp_path / "x").read_text()), signal.SIGKILL)

    assert "has died (exit code 3)" in cause.message


def test_a_process_does_not_end_by_the_signals_that_end_a_whole_service(tmp_path: Path) -> None:
    with runtime_for() as runtime:
        assert runtime.execute_workflow(performs, "endure", str(tmp_path / "x")).get(timeout=WAIT) == "endured"


def test_a_process_that_takes_nothing_holds_up_nobody_else(tmp_path: Path) -> None:
    with runtime_for() as runtime:
        handle = runtime.start_workflow(performs, "stand_still", str(tmp_path / "x"), "y").get(timeout=WAIT)
        appears(tmp_path / "x")
        worker = next(iter(processes_of(runtime).values()))
        # Someone is stuck in sending it more than a pipe holds, as with large arguments.
        stuck = threading.Thread(target=send_much, args=(worker,), daemon=True)
        stuck.start()
        handle.cancel().get(timeout=WAIT)
        again = runtime.start_workflow(waits_for_nothing).get(timeout=WAIT)
        assert again.result().get(timeout=WAIT) == "done"
    assert not worker.is_alive


def test_a_process_that_says_what_cannot_be_read_is_ended_and_its_attempt_has_failed() -> None:
    with runtime_for() as runtime:
        runtime.execute_workflow(performs, "where").get(timeout=WAIT)
        worker = next(iter(processes_of(runtime).values()))
        worker._receive = lambda: 1 // 0
        cause = cause_of(lambda: runtime.execute_workflow(performs, "where").get(timeout=WAIT))
        assert (cause.type, "ZeroDivisionError" in cause.message) == ("ProcessDied", True)
        assert runtime.execute_workflow(performs, "where").get(timeout=WAIT)["pid"] != os.getpid()


def test_another_activity_that_stands_in_its_place_is_not_performed() -> None:
    with runtime_for() as runtime:
        cause = cause_of(lambda: runtime.execute_workflow(performs, "replaced").get(timeout=WAIT))

    assert cause.non_retryable
    assert "what stands there is activity 'another'" in cause.message


def test_a_process_that_dies_leaves_the_others_alone(tmp_path: Path) -> None:
    with runtime_for(processes=2) as runtime:
        doomed = runtime.start_workflow(performs, "hold", str(tmp_path / "doomed")).get(timeout=WAIT)
        spared = runtime.start_workflow(cancels, "until_cancelled", str(tmp_path / "spared")).get(timeout=WAIT)
        appears(tmp_path / "doomed")
        appears(tmp_path / "spared")
        os.kill(int((tmp_path / "doomed").read_text()), signal.SIGKILL)
        cause_of(lambda: doomed.result().get(timeout=WAIT))
        spared.signal("now").get(timeout=WAIT)
        assert str(spared.result().get(timeout=WAIT)).startswith("heard True")


@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_heartbeats_of_a_process_keep_it_alive_and_go_to_the_next_attempt(seconds: float) -> None:
    # The second attempt needs a process, and that of the first hangs once it is silent.
    with runtime_for(processes=2) as runtime:
        assert runtime.execute_workflow(performs, "beat_on", seconds).get(timeout=WAIT) == "after many"


def test_a_process_hears_that_its_attempt_is_cancelled(tmp_path: Path) -> None:
    with runtime_for() as runtime:
        handle = runtime.start_workflow(cancels, "until_cancelled", str(tmp_path / "x")).get(timeout=WAIT)
        appears(tmp_path / "x")
        handle.signal("now").get(timeout=WAIT)
        assert str(handle.result().get(timeout=WAIT)).startswith("heard True ActivityCancellationDetails(")


def test_a_process_hears_that_the_runtime_closes_and_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    store = MemoryStore()
    with runtime_for(store, shutdown_grace=WAIT) as runtime:
        runtime.start_workflow(performs, "until_shutdown", str(tmp_path / "x"), id="x").get(timeout=WAIT)
        appears(tmp_path / "x")
    (tmp_path / "x").unlink()
    with runtime_for(store, shutdown_grace=WAIT):
        appears(tmp_path / "x")


def test_closing_ends_a_process_that_would_not(tmp_path: Path) -> None:
    runtime = runtime_for(shutdown_grace=0).open()
    runtime.start_workflow(performs, "hold", str(tmp_path / "x")).get(timeout=WAIT)
    appears(tmp_path / "x")

    assert runtime.close() == 1

    assert is_let_go(tmp_path / "x")


def test_closing_ends_a_process_that_has_nothing_to_do() -> None:
    with runtime_for() as runtime:
        pid = runtime.execute_workflow(performs, "where").get(timeout=WAIT)["pid"]
        os.kill(pid, 0)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_closing_while_a_process_starts_leaves_none_behind() -> None:
    with runtime_for(shutdown_grace=0) as runtime:
        runtime.start_workflow(performs, "where").get(timeout=WAIT)

    assert multiprocessing.active_children() == []


PROGRAM = """
import sys
from greenroom import Runtime, activity, workflow
from tests.runtime import process_activities as there

@activity.defn(executor="process")
def here(text: str) -> str:
    return f"{text} in {__name__}"

@workflow.defn
async def ask() -> str:
    return await workflow.execute_activity(here, "said")

@workflow.defn
async def hold(path: str) -> None:
    await workflow.execute_activity(there.hold, path)

if __name__ == "__main__":
    with Runtime.in_memory(activity_processes=2) as runtime:
        print(runtime.execute_workflow(ask).get(timeout=60), flush=True)
        if len(sys.argv) > 1:
            runtime.execute_workflow(hold, sys.argv[1]).get(timeout=60)
"""


def program(folder: Path, *args: str) -> subprocess.Popen[str]:
    (folder / "program.py").write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, str(folder / "program.py"), *args],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_an_activity_of_the_script_that_is_run_is_found(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        assert running.communicate(timeout=WAIT * 2)[0] == "said in __mp_main__\n"
    assert running.returncode == 0


def test_a_script_that_guards_nothing_is_told_so_instead_of_running_once_more(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        """
from greenroom import RetryPolicy, Runtime, WorkflowFailureError, activity, workflow

@activity.defn(executor="process", retry_policy=RetryPolicy(maximum_attempts=1))
def compute() -> int:
    return 1

@workflow.defn
async def computes() -> int:
    return await workflow.execute_activity(compute)

print("here")
with Runtime.in_memory() as runtime:
    try:
        runtime.execute_workflow(computes).get(timeout=60)
    except WorkflowFailureError as error:
        print(error.cause.cause.type)
"""
    )
    ended = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=WAIT,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ended.stdout.split() == ["here", "here", "ProcessNotStarted"]
    assert "keep what the script does under if __name__ == '__main__':" in ended.stderr


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with program(tmp_path, str(tmp_path / "x")) as running:
        appears(tmp_path / "x")
        running.kill()
    assert is_let_go(tmp_path / "x")


class Unsendable(Converter):
    """A converter that no process can have."""

    def __reduce__(self) -> Any:
        raise TypeError("it stays here")


def test_a_converter_that_no_process_can_have_is_a_failure_that_says_so() -> None:
    with runtime_for(converter=Unsendable()) as runtime:
        cause = cause_of(lambda: runtime.execute_workflow(performs, "where").get(timeout=WAIT))

    assert cause.message == "no process can be started: it stays here"


def test_a_test_runtime_performs_them_itself() -> None:
    with TestRuntime(workflows=[performs], activities=there.ALL) as runtime:
        assert runtime.wait(runtime.execute_workflow(performs, "where"))["pid"] == os.getpid()


class Methods:
    """Its methods need an instance."""

    def method(self) -> None: ...


async def asynchronous() -> None: ...


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (asynchronous, "a process performs plain functions"),
        (Methods().method, "no instance to call it on"),
        (Methods.method, "no instance to call it on"),
        (lambda: None, "move it to the top of a module"),
    ],
)
def test_what_a_process_cannot_find_is_refused_where_it_is_declared(target: Any, reason: str) -> None:
    with pytest.raises(InvalidActivityError, match=reason):
        activity.defn(name="x", executor="process")(target)


def test_another_executor_is_refused() -> None:
    other: Any = "gpu"
    with pytest.raises(InvalidActivityError, match="give 'thread' or 'process'"):
        activity.defn(executor=other)(there.touch)


def test_what_is_declared_in_no_file_is_refused() -> None:
    code = "from greenroom import activity\n@activity.defn(executor='process')\ndef f(): ...\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert "a program that is no file" in done.stderr


def test_no_processes_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Runtime.in_memory(activity_processes=0).open()
