"""What user code raises that is meant for whoever runs the test comes out of whoever drives the runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from greenroom import WorkflowExecutionStatus, activity, workflow
from greenroom.testing import TestRuntime
from greenroom.testing.executor import ManualExecutor


def fail() -> None:
    pytest.fail("in the fake")


def skip() -> None:
    pytest.skip("in the fake")


def leave() -> None:
    pytest.exit("in the fake")


def interrupt() -> None:
    raise KeyboardInterrupt("in the fake")


def end() -> None:
    raise SystemExit("in the fake")


WAYS: dict[str, Callable[[], None]] = {each.__name__: each for each in (fail, skip, leave, interrupt, end)}


@activity.defn(name="escapes.sync")
def sync_activity(way: str) -> None:
    WAYS[way]()


@activity.defn(name="escapes.async")
async def async_activity(way: str) -> None:
    await asyncio.sleep(1)
    WAYS[way]()


@workflow.defn(name="escapes.calls")
async def calls(kind: str, way: str) -> None:
    await workflow.execute_activity({"sync": sync_activity, "async": async_activity}[kind], way)


@workflow.defn(name="escapes.runs")
class Runs:
    def __init__(self) -> None:
        self.way = ""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(self.way))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.go())

    async def go(self) -> None:
        WAYS[self.way]()

    @workflow.signal
    def later(self, way: str) -> None:
        self.way = way

    @workflow.signal
    def now(self, way: str) -> None:
        WAYS[way]()

    @workflow.query
    def ask(self, way: str) -> None:
        WAYS[way]()

    @workflow.update
    def change(self, way: str) -> None:
        WAYS[way]()

    @workflow.update
    def check(self, way: str) -> None:
        pass

    @check.validator
    def _(self, way: str) -> None:
        WAYS[way]()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_it_comes_out_of_an_activity(kind: str, way: str) -> None:
    with TestRuntime() as runtime:
        run = runtime.start_workflow(calls, kind, way, id="calls").get()

        with pytest.raises(BaseException, match="in the fake") as raised:
            run.result().get()

        assert type(raised.value).__name__ in ("Failed", "Skipped", "Exit", "KeyboardInterrupt", "SystemExit")
        # It has failed as others do besides, and is due again.
        (pending,) = run.describe().get().pending_activities
        assert pending.attempt == 2


@pytest.mark.parametrize("guard", ["static", "strict"])
@pytest.mark.parametrize("way", WAYS)
def test_it_comes_out_of_a_workflow(way: str, guard: str) -> None:
    with TestRuntime(guard=guard) as runtime:
        run = runtime.start_workflow(Runs.run, id="runs").get()
        for signal in (Runs.later, Runs.now):
            run.signal(signal, way)
            with pytest.raises(BaseException, match="in the fake"):
                runtime.advance(timedelta(seconds=1))
            run.resume(skip=True)
            runtime.run_until_idle()

        assert run.describe().get().status is WorkflowExecutionStatus.RUNNING


@pytest.mark.parametrize("way", WAYS)
def test_it_comes_out_of_what_a_run_is_asked(way: str) -> None:
    with TestRuntime() as runtime:
        run = runtime.start_workflow(Runs.run, id="runs").get()

        with pytest.raises(BaseException, match=r"^in the fake$"):
            run.query(Runs.ask, way).get()
        for update in (Runs.change, Runs.check):
            with pytest.raises(BaseException, match=r"^in the fake$"):
                run.execute_update(update, way).get()


def test_what_escapes_while_a_runtime_closes_comes_out_of_that() -> None:
    class Cleaning:
        @activity.defn(name="escapes.async")
        async def clean(self, way: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                WAYS[way]()

    runtime = TestRuntime(activities=[Cleaning()]).open()
    runtime.start_workflow(calls, "async", "fail").get()
    runtime.run_until_idle()

    with pytest.raises(BaseException, match=r"^in the fake$"):
        runtime.close()

    assert not runtime.is_open


def test_other_failures_stay_within() -> None:
    class Flaky:
        @activity.defn(name="escapes.sync")
        def flaky(self, way: str) -> None:
            assert activity.info().attempt > 1

    with TestRuntime(activities=[Flaky()]) as runtime:
        runtime.execute_workflow(calls, "sync", "").get()


def test_an_executor_lets_out_what_is_meant_for_the_test() -> None:
    executor = ManualExecutor()
    stopped, failed = executor.submit(interrupt), executor.submit(int, "no number")

    with pytest.raises(KeyboardInterrupt):
        executor.perform_next()
    assert executor.perform_next()

    assert isinstance(stopped.exception(), KeyboardInterrupt)
    assert isinstance(failed.exception(), ValueError)
