"""A run that is asked to end: its main function gets a cancellation where it waits, and decides what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from greenroom import activity, workflow
from greenroom.runtime.model.errors import (
    ActivityError,
    ApplicationError,
    CancelledError,
    WorkflowClosedError,
    WorkflowFailureError,
    WorkflowNotFoundError,
)
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once

performed: list[str] = []


@activity.defn(name="cancel.charge")
def charge(what: str) -> str:
    performed.append(what)
    return f"charged {what}"


@activity.defn(name="cancel.refund")
def refund(what: str) -> str:
    performed.append(f"refund {what}")
    return f"refunded {what}"


@workflow.defn(name="cancel.sleeps")
async def sleeps() -> str:
    await workflow.sleep(1000)
    return "slept"


@workflow.defn(name="cancel.cleans")
async def cleans_up(end: str) -> str:
    try:
        await workflow.sleep(1000)
    except asyncio.CancelledError:
        done = await workflow.execute_activity(refund, str(workflow.cancellation_reason()))
        if end == "raises":
            raise
        if end == "fails":
            raise ApplicationError("the refund is not enough") from None
        if end == "sleeps":
            await workflow.sleep(5)
        return done
    return "never"


@workflow.defn(name="cancel.shields")
async def shields() -> str:
    inner: asyncio.Future[str] = asyncio.ensure_future(workflow.execute_activity(charge, "safe"))
    try:
        return await asyncio.shield(inner)
    except asyncio.CancelledError:
        return f"kept: {await inner}"


@workflow.defn(name="cancel.cancels itself")
async def cancels_itself() -> None:
    raise asyncio.CancelledError("by itself")


@workflow.defn(name="cancel.group")
async def group() -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(workflow.sleep(1000 + number))


@workflow.defn(name="cancel.shields_all")
class ShieldsAll:
    def __init__(self) -> None:
        self.is_time = False

    @workflow.run
    async def run(self) -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await workflow.sleep(1000)

    @workflow.signal
    async def give_up(self) -> None:
        await workflow.wait_condition(lambda: self.is_time)
        raise asyncio.CancelledError("given up")

    @workflow.signal
    def now(self) -> None:
        self.is_time = True

    @workflow.query
    def tell(self) -> bool:
        return self.is_time


@workflow.defn(name="cancel.handles")
class Handles:
    is_mended = False

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        try:
            await workflow.sleep(1000)
        except asyncio.CancelledError:
            await workflow.wait_condition(workflow.all_handlers_finished)
        return self.heard

    @workflow.update
    async def ask(self, word: str) -> str:
        await workflow.sleep(10)
        self.heard.append(word)
        return f"heard {word}"

    @workflow.signal
    async def hear(self, word: str) -> None:
        await workflow.sleep(10)
        if word == "poison" and not self.is_mended:
            raise LookupError("no such word")
        self.heard.append(word)


@workflow.defn(name="cancel.at once")
async def at_once() -> str:
    try:
        await workflow.sleep(1000)
    except asyncio.CancelledError:
        return f"cancelled in run: {workflow.cancellation_reason()}"
    return "never"


@workflow.defn(name="cancel.uncancels")
async def uncancels() -> str:
    try:
        await workflow.sleep(1000)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
    try:
        async with asyncio.timeout(5):
            await workflow.sleep(1000)
    except TimeoutError:
        pass
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(workflow.sleep(1000))
            tasks.create_task(workflow.execute_activity(gives_up))
    except ExceptionGroup as errors:
        return f"timed out and failed as usual: {len(errors.exceptions)}"
    return "never"


@activity.defn(name="cancel.gives up")
def gives_up() -> None:
    raise CancelledError("given up")


@workflow.defn(name="cancel.lets out")
async def lets_out_an_activity_that_was_cancelled() -> None:
    try:
        await workflow.sleep(5)
    except asyncio.CancelledError:
        pass
    await workflow.execute_activity(gives_up)


@workflow.defn(name="cancel.waits on")
class WaitsOn:
    """Catches the request, and then waits for everything there is."""

    def __init__(self) -> None:
        self.is_met = False

    @workflow.signal
    def meet(self) -> None:
        self.is_met = True

    @workflow.run
    async def run(self) -> list[str]:
        try:
            await workflow.sleep(1000)
        except asyncio.CancelledError:
            seen = ["cancelled"]
        else:
            return []
        channel, lock = workflow.signal_channel(), asyncio.Lock()
        await workflow.sleep(1)
        seen.append(await workflow.execute_activity(charge, "more"))
        seen += await asyncio.gather(workflow.execute_activity(charge, "a"), workflow.execute_activity(charge, "b"))
        for waiting in (
            workflow.wait_condition(lambda: self.is_met, timeout=1),
            channel.receive("word", timeout=1),
            workflow.wait_for(channel.receive("word"), 1),
            asyncio.wait_for(channel.receive("word"), 1),
        ):
            try:
                await waiting
            except TimeoutError:
                seen.append("late")
        async with lock:
            seen.append(str(await channel.receive("word")))
        await workflow.wait_condition(lambda: self.is_met)
        return seen


CLEANED: list[str] = []


@workflow.defn(name="cancel.has a finally")
async def has_a_finally() -> None:
    try:
        await workflow.sleep(1000)
    finally:
        CLEANED.append("finally")
        await workflow.execute_activity(refund, "too late")
        CLEANED.append("never")


@workflow.defn(name="cancel.groups")
async def lets_out_a_group(with_bad: bool) -> None:
    async def clean_up(number: int) -> None:
        try:
            await workflow.sleep(1000)
        except asyncio.CancelledError:
            if with_bad and number == 1:
                raise ApplicationError("not cleaned up") from None
            await workflow.execute_activity(gives_up)

    async with asyncio.TaskGroup() as tasks:
        for number in range(2):
            tasks.create_task(clean_up(number))


WORKFLOWS = [
    *(lets_out_a_group, sleeps, cleans_up, shields, cancels_itself, group, Handles, at_once, uncancels),
    *(lets_out_an_activity_that_was_cancelled, WaitsOn, has_a_finally, ShieldsAll),
]


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    options.setdefault("auto_skip", True)
    return TestRuntime(store, workflows=WORKFLOWS, activities=[charge, gives_up, refund], **options)


@pytest.fixture(autouse=True)
def _forget() -> None:
    performed.clear()
    CLEANED.clear()


def cause_of(runtime: TestRuntime, future: Any) -> BaseException | None:
    with pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(future)
    return caught.value.cause


def test_a_run_that_lets_the_cancellation_out_is_cancelled() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(sleeps, id="s"))
        runtime.wait(handle.cancel("no longer wanted"))

        assert isinstance(cause_of(runtime, handle.result()), CancelledError)
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.CANCELLED
        assert runtime.wait(handle.describe()).pending_timers == []
        assert runtime.wait(handle.fetch_history()).kinds() == [
            "WorkflowStarted",
            "TimerStarted",
            "WorkflowCancelRequested",
            "TimerCancelled",
            "WorkflowCancelled",
        ]
        why = {"failure": "cancelled: no longer wanted"}
        assert runtime.wait(handle.fetch_history()).events[-1].facts == why
        replay_every_prefix(runtime)


@workflow.defn(name="cancel.parent")
async def waits_for_a_child() -> str:
    return await workflow.execute_child_workflow(sleeps, id="child")


@workflow.defn(name="cancel.words")
async def says_so_itself() -> str:
    try:
        await workflow.sleep(1000)
    except asyncio.CancelledError:
        raise CancelledError("not in this weather") from None
    return "slept"


@workflow.defn(name="cancel.performs")
async def performs() -> str:
    return await workflow.execute_activity(charge, "a trip", start_to_close_timeout=10)


@pytest.mark.parametrize(
    ("run", "asked", "told"),
    [
        (sleeps, "top", "cancelled: bad weather"),
        (waits_for_a_child, "top", "cancelled: bad weather"),
        (waits_for_a_child, "child", "cancelled: bad weather"),
        (performs, "top", "cancelled: bad weather"),
        (says_so_itself, "top", "not in this weather"),
    ],
)
def test_who_waits_for_a_cancelled_run_or_for_its_parent_is_told_the_reason(run: Any, asked: str, told: str) -> None:
    with TestRuntime(workflows=[sleeps, waits_for_a_child, says_so_itself, performs], activities=[charge]) as runtime:
        result = runtime.wait(runtime.start_workflow(run, id="top")).result()
        while runtime.step():
            pass
        runtime.wait(runtime.get_workflow_handle(asked).cancel("bad weather"))

        cause = cause_of(runtime, result)
        while cause is not None and cause.__cause__ is not None:
            cause = cause.__cause__
        assert (type(cause), str(cause)) == (CancelledError, told)


def test_the_history_says_of_a_child_that_it_was_cancelled() -> None:
    with TestRuntime(workflows=[sleeps, waits_for_a_child]) as runtime:
        top = runtime.wait(runtime.start_workflow(waits_for_a_child, id="top"))
        while runtime.step():
            pass
        runtime.wait(runtime.get_workflow_handle("child").cancel())
        runtime.run_until_idle()

        events = runtime.wait(top.fetch_history()).events
        [failed] = [event.facts["failure"] for event in events if event.kind == "ChildWorkflowFailed"]
        assert failed == "child workflow failed <- cancelled"


def test_a_reason_as_long_as_one_may_be_cancels_a_run() -> None:
    with make() as runtime:
        result = runtime.wait(runtime.start_workflow(sleeps, id="s")).result()
        runtime.wait(runtime.get_workflow_handle("s").cancel("x" * 20_000))

        assert str(cause_of(runtime, result)).startswith("cancelled: xxx")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("returns", WorkflowExecutionStatus.COMPLETED),
        ("sleeps", WorkflowExecutionStatus.COMPLETED),
        ("raises", WorkflowExecutionStatus.CANCELLED),
        ("fails", WorkflowExecutionStatus.FAILED),
    ],
)
def test_a_run_that_has_caught_it_cleans_up_and_ends_as_it_decides(end: str, status: WorkflowExecutionStatus) -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(cleans_up, end, id="c"))
        runtime.wait(handle.cancel("the order"))
        runtime.advance(3600)

        assert performed == ["refund the order"]
        assert runtime.wait(handle.describe()).status is status
        replay_every_prefix(runtime)


def test_what_is_shielded_goes_on() -> None:
    with make(auto_skip=False) as runtime:
        started = runtime.start_workflow(shields, id="s")
        runtime.get_workflow_handle("s").cancel()
        handle = runtime.wait(started)

        assert runtime.wait(handle.result()) == "kept: charged safe"


def test_only_the_first_request_counts_and_the_others_leave_no_trace() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(cleans_up, "sleeps", id="c"))
        runtime.wait(handle.cancel("first"))
        length = len(runtime.wait(handle.fetch_history()).events)
        runtime.wait(handle.cancel("second"))
        runtime.wait(handle.cancel("third"))

        assert len(runtime.wait(handle.fetch_history()).events) == length
        assert runtime.wait(handle.result()) == "refunded first"


def test_a_request_is_known_to_a_run_that_was_put_away() -> None:
    with make(evict_after_every_turn=True) as runtime:
        handle = runtime.wait(runtime.start_workflow(cleans_up, "sleeps", id="c"))
        runtime.wait(handle.cancel("first"))
        runtime.wait(handle.cancel("second"))

        assert runtime.wait(handle.result()) == "refunded first"
        assert runtime.wait(handle.fetch_history()).kinds().count("WorkflowCancelRequested") == 1


def test_a_request_before_the_first_turn_is_delivered_inside_run() -> None:
    with make(auto_skip=False) as runtime:
        started = runtime.start_workflow(at_once, id="a")
        cancelled = runtime.get_workflow_handle("a").cancel("early")
        handle = runtime.wait(started)
        runtime.wait(cancelled)

        assert runtime.wait(handle.result()) == "cancelled in run: early"


def test_a_request_to_a_suspended_run_waits_until_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with make(check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Handles.run, id="h"))
        runtime.wait(handle.signal(Handles.hear, "poison"))
        runtime.advance(20)
        runtime.wait(handle.cancel("meanwhile"))
        while_suspended = runtime.wait(handle.describe())
        monkeypatch.setattr(Handles, "is_mended", True)
        runtime.wait(handle.resume())

        assert while_suspended.status is WorkflowExecutionStatus.SUSPENDED
        assert runtime.wait(handle.result()) == ["poison"]
        assert runtime.wait(handle.fetch_history()).kinds().count("WorkflowCancelRequested") == 1


def test_handlers_of_signals_are_not_cancelled() -> None:
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Handles.run, id="h"))
        runtime.wait(handle.signal(Handles.hear, "still here"))
        runtime.wait(handle.cancel())
        runtime.advance(20)

        assert runtime.wait(handle.result()) == ["still here"]


def test_handlers_of_updates_are_not_cancelled() -> None:
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Handles.run, id="h"))
        asked = handle.execute_update(Handles.ask, "still here")
        runtime.run_until_idle()
        runtime.wait(handle.cancel())
        assert not asked.done()
        runtime.advance(20)

        assert runtime.wait(asked) == "heard still here"
        assert runtime.wait(handle.result()) == ["still here"]
        replay_every_prefix(runtime)


def test_one_that_was_caught_is_not_raised_again_by_what_is_waited_for_later() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(WaitsOn.run, id="w"))
        runtime.wait(handle.cancel())
        runtime.advance(10)
        runtime.wait(handle.signal("word", "at last"))
        runtime.wait(handle.signal(WaitsOn.meet))

        charged = ["charged more", "charged a", "charged b"]
        assert runtime.wait(handle.result()) == ["cancelled", *charged, *["late"] * 4, "at last"]
        replay_every_prefix(runtime)


@pytest.mark.parametrize(
    ("is_asked", "status"), [(True, WorkflowExecutionStatus.CANCELLED), (False, WorkflowExecutionStatus.FAILED)]
)
def test_an_activity_that_failed_of_a_cancellation_ends_a_run_as_cancelled_only_if_that_was_asked_to_end(
    is_asked: bool, status: WorkflowExecutionStatus
) -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(lets_out_an_activity_that_was_cancelled, id="l"))
        if is_asked:
            runtime.wait(handle.cancel())
        runtime.advance(10)

        error = cause_of(runtime, handle.result())
        assert isinstance(error, ActivityError)
        assert isinstance(error.cause, CancelledError)
        assert runtime.wait(handle.describe()).status is status
        replay_every_prefix(runtime)


def test_a_run_that_is_terminated_is_put_away_where_it_waits_and_asks_for_nothing_more() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(has_a_finally, id="f"))
        before = runtime.wait(handle.fetch_history()).kinds()
        runtime.wait(handle.terminate(reason="enough"))
        runtime.advance(2000)

        assert runtime.wait(handle.fetch_history()).kinds() == [*before, "WorkflowTerminated"]
        assert (CLEANED, performed) == (["finally"], [])


def test_a_run_that_cancels_itself_has_failed() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(cancels_itself, id="c"))

        assert isinstance(cause_of(runtime, handle.result()), CancelledError)
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.FAILED


@pytest.mark.parametrize(("asked", "status"), [(True, "CANCELLED"), (False, "FAILED")])
def test_a_handler_that_lets_a_cancellation_out_ends_the_run_by_the_same_rule(asked: bool, status: str) -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(ShieldsAll, id="s"))
        runtime.wait(handle.signal(ShieldsAll.give_up))
        if asked:
            runtime.wait(handle.cancel())
        runtime.wait(handle.signal(ShieldsAll.now))

        assert isinstance(cause_of(runtime, handle.result()), CancelledError)
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus[status]
        replay_every_prefix(runtime)


def test_a_task_group_is_cancelled_with_its_run() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(group, id="g"))
        runtime.wait(handle.cancel())
        runtime.run_until_idle()

        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.CANCELLED
        assert runtime.wait(handle.fetch_history()).kinds().count("TimerCancelled") == 3
        replay_every_prefix(runtime)


@pytest.mark.parametrize(
    ("with_bad", "status"), [(False, WorkflowExecutionStatus.CANCELLED), (True, WorkflowExecutionStatus.FAILED)]
)
def test_a_group_of_nothing_but_cancellations_is_one(with_bad: bool, status: WorkflowExecutionStatus) -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(lets_out_a_group, with_bad, id="g"))
        runtime.wait(handle.cancel())
        runtime.advance(3600)

        assert runtime.wait(handle.describe()).status is status
        replay_every_prefix(runtime)


def test_a_history_in_which_such_a_handler_has_failed_the_run_is_replayed_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def is_none(error: BaseException) -> bool:
        return False

    with make() as runtime, monkeypatch.context() as before:
        before.setattr("greenroom.runtime.core.endings.is_cancellation", is_none)
        handle = runtime.wait(runtime.start_workflow(ShieldsAll, id="s"))
        runtime.wait(handle.signal(ShieldsAll.give_up))
        runtime.wait(handle.cancel())
        runtime.wait(handle.signal(ShieldsAll.now))
        before.undo()

        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.FAILED
        assert runtime.wait(handle.query(ShieldsAll.tell))


def test_limits_and_groups_of_a_task_that_uncancels_work_as_usual_afterwards() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(uncancels, id="u"))
        runtime.wait(handle.cancel())

        assert runtime.wait(handle.result()) == "timed out and failed as usual: 1"


def test_nobody_can_cancel_what_has_ended_or_is_not_there() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(cancels_itself, id="c"))
        runtime.run_until_idle()
        with pytest.raises(WorkflowClosedError):
            runtime.wait(handle.cancel())
        with pytest.raises(WorkflowNotFoundError):
            runtime.wait(runtime.get_workflow_handle("nobody").cancel())
        with pytest.raises(TypeError, match="the reason is an int; give a string"):
            handle.cancel(7)  # type: ignore[arg-type]


def test_a_cancelled_run_ends_the_same_whenever_it_is_crashed() -> None:
    def scenario(runtime: TestRuntime) -> object:
        handle = start_once(runtime, cleans_up, "raises", id="c")
        try:
            runtime.wait(handle.cancel("the order"))
        except WorkflowClosedError:
            pass
        return type(cause_of(runtime, handle.result())).__name__

    assert crash_sweep(scenario, make=make).points > 0
