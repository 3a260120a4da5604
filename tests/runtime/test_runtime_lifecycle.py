"""Opening and closing: what a runtime takes from the process, it gives back, and nothing of it is left hanging."""

from __future__ import annotations

import gc
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pykka
import pytest

from greenroom import Runtime, activity, workflow
from greenroom.actors import Future
from greenroom.runtime.model.errors import (
    InvalidActivityError,
    JournalInUseError,
    NotRegisteredError,
    RuntimeClosedError,
    WorkflowSuspendedError,
)
from tests.runtime.rig import WAIT, Gate, error_of, python

gates: dict[str, Gate] = {}


@activity.defn
def wait_at(gate: str) -> str:
    gates[gate].pass_through()
    return gate


@activity.defn
def wait_for_the_end(gate: str) -> str:
    gates[gate].pass_through()
    activity.wait_for_worker_shutdown_sync(timeout=WAIT)
    return "ended in time"


@workflow.defn
class Waiting:
    def __init__(self) -> None:
        self.seen: list[int] = []

    @workflow.run
    async def run(self, enough: int = 1) -> list[int]:
        await workflow.wait_condition(lambda: len(self.seen) >= enough)
        return self.seen

    @workflow.signal
    def see(self, number: int) -> None:
        self.seen.append(number)


@workflow.defn
async def through_a_gate(gate: str) -> str:
    return await workflow.execute_activity(wait_at, gate)


@workflow.defn
async def until_the_end(gate: str) -> str:
    return await workflow.execute_activity(wait_for_the_end, gate)


WORKFLOWS = [Waiting, through_a_gate, until_the_end]


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.node.name
    gates[name] = Gate()
    yield name
    gates.pop(name).open()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def open_runtime(path: Path, **options: Any) -> Runtime:
    return Runtime(path, workflows=WORKFLOWS, **options)


def test_what_was_acknowledged_is_there_after_closing_and_opening(path: Path) -> None:
    with open_runtime(path) as runtime:
        handle = runtime.start_workflow(Waiting.run, 3, id="waiting").get(timeout=WAIT)
        handle.signal(Waiting.see, 1).get(timeout=WAIT)
        handle.signal(Waiting.see, 2).get(timeout=WAIT)

    with open_runtime(path) as runtime:
        again = runtime.get_workflow_handle("waiting", run_id=handle.run_id)
        again.signal(Waiting.see, 3).get(timeout=WAIT)
        assert again.result().get(timeout=WAIT) == [1, 2, 3]

    with open_runtime(path) as runtime:
        assert runtime.get_workflow_handle("waiting").result().get(timeout=WAIT) == [1, 2, 3]


def test_an_activity_that_was_left_behind_is_performed_by_the_next_opening(path: Path, gate: str) -> None:
    with open_runtime(path, shutdown_grace=0) as runtime:
        runtime.start_workflow(through_a_gate, gate, id="gated").get(timeout=WAIT)
        gates[gate].arrived()
        left = runtime.close()
    gates[gate].open()

    with open_runtime(path) as runtime:
        assert runtime.get_workflow_handle("gated").result().get(timeout=WAIT) == gate

    assert left == 1


def test_an_activity_that_ends_within_the_grace_period_is_recorded(path: Path, gate: str) -> None:
    gates[gate].open()
    with open_runtime(path, shutdown_grace=WAIT) as runtime:
        runtime.start_workflow(until_the_end, gate, id="gated").get(timeout=WAIT)
        gates[gate].arrived()
        left = runtime.close()

    with open_runtime(path, activities=[]) as runtime:
        result = runtime.get_workflow_handle("gated").result().get(timeout=WAIT)

    assert (left, result) == (0, "ended in time")


def test_closing_twice_does_nothing_the_second_time(path: Path) -> None:
    runtime = open_runtime(path).open()

    assert runtime.close() == 0
    assert runtime.close() == 0
    assert not runtime.is_open


def test_opening_an_open_runtime_is_refused_and_leaves_it_open(path: Path) -> None:
    with open_runtime(path) as runtime:
        with pytest.raises(RuntimeError, match="is open already"):
            runtime.open()

        assert runtime.execute_workflow(Waiting.run, 0).get(timeout=WAIT) == []


def test_a_closed_runtime_opens_again(path: Path) -> None:
    runtime = open_runtime(path)
    for number in range(3):
        with runtime:
            assert runtime.execute_workflow(Waiting.run, 0, id=f"run-{number}").get(timeout=WAIT) == []


def test_a_closed_runtime_refuses_every_call(path: Path) -> None:
    runtime = open_runtime(path)
    with runtime:
        handle = runtime.start_workflow(Waiting.run, id="waiting").get(timeout=WAIT)

    for call in (
        lambda: runtime.start_workflow(Waiting.run),
        lambda: runtime.execute_workflow(Waiting.run),
        lambda: runtime.get_workflow_handle("waiting"),
    ):
        with pytest.raises(RuntimeClosedError, match="this one is not open"):
            call()
    refused: list[Future[Any]] = [
        handle.result(),
        handle.signal(Waiting.see, 1),
        handle.terminate(),
        handle.resume(),
        handle.describe(),
        handle.fetch_history(),
    ]
    for future in refused:
        error = error_of(future)
        assert isinstance(error, RuntimeClosedError)
        assert error.was_open


def test_a_handle_of_an_earlier_opening_says_so(path: Path) -> None:
    runtime = open_runtime(path)
    with runtime:
        handle = runtime.start_workflow(Waiting.run, id="waiting").get(timeout=WAIT)

    with runtime, pytest.raises(RuntimeClosedError, match="get a new handle from one that is open"):
        handle.describe().get(timeout=WAIT)


def test_whoever_waits_for_a_result_is_told_that_the_runtime_closed(path: Path) -> None:
    with open_runtime(path) as runtime:
        results = [runtime.execute_workflow(Waiting.run) for _ in range(10)]
        runtime.start_workflow(Waiting.run).get(timeout=WAIT)

    for future in results:
        assert isinstance(error_of(future), RuntimeClosedError)


def test_every_call_made_while_it_closes_is_answered(path: Path) -> None:
    futures: list[Any] = []
    with open_runtime(path) as runtime:
        handle = runtime.start_workflow(Waiting.run, 10**9).get(timeout=WAIT)
        many = threading.Event()

        def send() -> None:
            for number in range(100_000):
                future = handle.signal(Waiting.see, number)
                futures.append(future)
                if number == 500:
                    many.set()
                if isinstance(future.exception(), RuntimeClosedError):
                    return

        sender = threading.Thread(target=send)
        sender.start()
        assert many.wait(WAIT)
    sender.join(WAIT)

    accepted = 0
    for future in futures:
        try:
            future.get(timeout=WAIT)
            accepted += 1
        except RuntimeClosedError:
            pass
    with open_runtime(path) as runtime:
        described = runtime.get_workflow_handle(handle.id).describe().get(timeout=WAIT)
    assert described.history_length == 1 + accepted


def test_a_second_runtime_on_the_journal_is_told_who_owns_it(path: Path) -> None:
    with open_runtime(path), pytest.raises(JournalInUseError) as caught:
        open_runtime(path).open()

    assert caught.value.pid == os.getpid()
    assert str(path) in str(caught.value)
    assert "which is this one: a runtime that it has opened has not been closed" in str(caught.value)


def test_a_second_runtime_is_told_so_without_the_traceback_of_what_says_no_more(path: Path) -> None:
    with open_runtime(path), pytest.raises(JournalInUseError) as caught:
        open_runtime(path).open()

    told = "".join(traceback.format_exception(caught.value))
    assert told.count("Traceback") == 1
    assert "InUseError" in told


def test_runtimes_on_several_journals_work_side_by_side(tmp_path: Path) -> None:
    runtimes = [open_runtime(tmp_path / f"journal-{n}").open() for n in range(5)]
    try:
        results = [runtime.execute_workflow(Waiting.run, 0, id="same") for runtime in runtimes]
        assert [result.get(timeout=WAIT) for result in results] == [[]] * 5
    finally:
        for runtime in runtimes:
            runtime.close()


def test_many_openings_leave_no_threads_and_no_files_behind(path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with open_runtime(path) as runtime:
        runtime.execute_workflow(Waiting.run, 0).get(timeout=WAIT)
    threads, files = threading.active_count(), descriptors()

    for _ in range(40):
        with open_runtime(path) as runtime:
            runtime.execute_workflow(Waiting.run, 0).get(timeout=WAIT)

    assert threading.active_count() <= threads
    assert descriptors() <= files


def test_the_switch_interval_is_what_it_was_once_the_last_runtime_is_closed(tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    with open_runtime(tmp_path / "one"):
        with open_runtime(tmp_path / "two", switch_interval=0.0005):
            assert sys.getswitchinterval() == pytest.approx(0.0005)
        assert sys.getswitchinterval() < before

    assert sys.getswitchinterval() == before


def test_the_collectors_threshold_is_what_it_was_once_the_last_runtime_is_closed(tmp_path: Path) -> None:
    before = gc.get_threshold()
    with open_runtime(tmp_path / "one"):
        with open_runtime(tmp_path / "two", gc_threshold=20_000):
            assert gc.get_threshold() == (20_000, *before[1:])
        assert gc.get_threshold() == (10_000, *before[1:])

    assert gc.get_threshold() == before


def test_the_settings_of_the_process_are_left_alone_on_request(path: Path) -> None:
    before = sys.getswitchinterval(), gc.get_threshold()
    with open_runtime(path, switch_interval=None, gc_threshold=None):
        assert (sys.getswitchinterval(), gc.get_threshold()) == before
    assert (sys.getswitchinterval(), gc.get_threshold()) == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"activity_threads": 0}, ValueError),
        ({"activities": [print]}, InvalidActivityError),
        ({"activities": [object()]}, InvalidActivityError),
        ({"workflows": [print]}, TypeError),
        ({"workflows": [wait_at]}, TypeError),
        ({"activities": [Waiting]}, InvalidActivityError),
        ({"durability": "sometimes"}, ValueError),
        ({"switch_interval": 0}, ValueError),
        ({"switch_interval": -1.0}, ValueError),
        ({"switch_interval": float("nan")}, ValueError),
        ({"gc_threshold": 0}, ValueError),
        ({"gc_threshold": 5000.0}, ValueError),
        ({"gc_threshold": 1 << 31}, ValueError),
        ({"shutdown_grace": -1}, ValueError),
    ],
)
def test_a_wrong_option_is_refused_and_leaves_the_journal_free(
    path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    before = sys.getswitchinterval(), gc.get_threshold()
    with pytest.raises(error):
        Runtime(path, **options).open()

    assert (sys.getswitchinterval(), gc.get_threshold()) == before
    with open_runtime(path) as runtime:
        assert runtime.execute_workflow(Waiting.run, 0).get(timeout=WAIT) == []


def test_an_unknown_durability_is_refused_at_the_call_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="durability is 'fast'; give 'full' or 'relaxed'"):
        Runtime.in_memory(durability="fast")


class Nowhere:
    """A path that is empty once it is asked for."""

    def __fspath__(self) -> str:
        return ""


@pytest.mark.parametrize("empty", ["", Nowhere()])
def test_an_empty_path_is_refused(empty: str | Nowhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match="the path of the journal is empty; give a directory"):
        Runtime(empty)

    assert list(tmp_path.iterdir()) == []


def test_only_listed_workflows_run(path: Path) -> None:
    with (
        Runtime(path, workflows=[through_a_gate]) as runtime,
        pytest.raises(NotRegisteredError, match="through_a_gate"),
    ):
        runtime.start_workflow(Waiting.run)


def test_a_run_whose_workflow_is_no_longer_listed_waits_for_it(path: Path) -> None:
    with open_runtime(path) as runtime:
        handle = runtime.start_workflow(Waiting.run, id="waiting").get(timeout=WAIT)

    with Runtime(path, workflows=[through_a_gate]) as runtime:
        runtime.get_workflow_handle("waiting").signal("see", 1).get(timeout=WAIT)
        error = error_of(runtime.get_workflow_handle("waiting").result())
        assert isinstance(error, WorkflowSuspendedError)
        assert "Waiting" in str(error)

    with open_runtime(path) as runtime:
        assert runtime.get_workflow_handle("waiting", run_id=handle.run_id).result().get(timeout=WAIT) == [1]


def test_relaxed_durability_keeps_what_was_acknowledged_when_it_is_closed(path: Path) -> None:
    with open_runtime(path, durability="relaxed") as runtime:
        runtime.start_workflow(Waiting.run, id="waiting").get(timeout=WAIT).signal(Waiting.see, 7).get(timeout=WAIT)

    with open_runtime(path) as runtime:
        assert runtime.get_workflow_handle("waiting").result().get(timeout=WAIT) == [7]


def test_sync_activities_run_on_the_executor_that_was_given(path: Path, gate: str) -> None:
    gates[gate].open()
    with (
        ThreadPoolExecutor(1, thread_name_prefix="mine") as executor,
        open_runtime(path, activity_executor=executor) as runtime,
    ):
        assert runtime.execute_workflow(through_a_gate, gate).get(timeout=WAIT) == gate
        assert any(thread.name.startswith("mine") for thread in threading.enumerate())


def test_a_runtime_in_memory_forgets_everything_when_it_closes() -> None:
    runtime = Runtime.in_memory(workflows=WORKFLOWS)
    with runtime:
        assert runtime.execute_workflow(Waiting.run, 0).get(timeout=WAIT) == []


def test_its_repr_says_where_and_whether_it_is_open(path: Path) -> None:
    runtime = open_runtime(path)

    assert repr(runtime) == f"<Runtime {str(path)!r} closed>"
    with runtime:
        assert repr(runtime) == f"<Runtime {str(path)!r} open>"
        assert repr(runtime.get_workflow_handle("one")) == "<WorkflowHandle 'one'>"


LEFT_OPEN = """
import sys
from greenroom import Runtime, activity, workflow
from greenroom.actors import Future

@activity.defn
def stuck() -> None:
    import threading
    threading.Event().wait()

@workflow.defn
async def busy() -> None:
    await workflow.execute_activity(stuck)

runtime = Runtime(sys.argv[1]).open()
runtime.start_workflow(busy, id="busy").get(timeout=30)
print("bye")
"""


@pytest.mark.slow
def test_a_runtime_left_open_does_not_keep_the_interpreter_from_exiting(path: Path) -> None:
    process = python(LEFT_OPEN, str(path))

    out, err = process.communicate(timeout=WAIT)

    assert (process.returncode, out, err) == (0, "bye\n", "")
    with Runtime(path, workflows=[], activities=[]) as runtime:
        assert runtime.get_workflow_handle("busy").describe().get(timeout=WAIT).workflow_type == "busy"


INTERRUPTED = """
import os, signal, sys, threading
from greenroom import Runtime, workflow

@workflow.defn
async def for_ever() -> None:
    await workflow.wait_condition(lambda: False)

heard = threading.Event()

def raise_once(number: int, frame: object) -> None:
    if not heard.is_set():
        heard.set()
        raise KeyboardInterrupt

# Whoever runs the tests may have it ignored, as a shell does in the background.
signal.signal(signal.SIGINT, raise_once)

def interrupt() -> None:
    main = threading.main_thread().ident
    while sys._current_frames()[main].f_code.co_name != "_wait":
        pass
    # Python misses one that comes between its last look and its sleep; people press the keys again.
    while not heard.is_set():
        os.kill(os.getpid(), signal.SIGINT)
        heard.wait(0.1)

with Runtime(sys.argv[1]) as runtime:
    handle = runtime.start_workflow(for_ever, id="for-ever").get(timeout=30)
    try:
        threading.Thread(target=interrupt).start()
        handle.result().get()
    except KeyboardInterrupt:
        print("interrupted", handle.describe().get(timeout=30).status.name)
"""


@pytest.mark.slow
def test_ctrl_c_ends_a_blocking_get_and_nothing_else(path: Path) -> None:
    process = python(INTERRUPTED, str(path))

    out, err = process.communicate(timeout=WAIT)

    assert (process.returncode, out, err) == (0, "interrupted RUNNING\n", "")


def test_pykkas_stop_all_closes_what_is_open(tmp_path: Path) -> None:
    first = Runtime(tmp_path / "first").open()
    second = Runtime(tmp_path / "second").open()

    assert pykka.ActorRegistry.stop_all(timeout=60) == [True, True]

    assert not first.is_open
    assert not second.is_open
    assert pykka.ActorRegistry.get_all() == []
    with first:
        assert len(pykka.ActorRegistry.get_all()) == 1
    assert pykka.ActorRegistry.get_all() == []
