"""Code that cannot go on: the run stops, nothing sent to it is lost, and it goes on once the code is mended."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from greenroom import Runtime, Supervision, activity, workflow
from greenroom.runtime.model.errors import (
    ApplicationError,
    TerminatedError,
    TimeoutType,
    WorkflowFailureError,
    WorkflowSuspendedError,
)
from greenroom.runtime.model.errors import TimeoutError as GreenroomTimeoutError
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime

performed: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    performed.clear()


@activity.defn
def work(name: str) -> str:
    performed[name] += 1
    return name


def named(name: str) -> Any:
    @activity.defn(name=name)
    def work_of_that_name() -> str:
        performed[name] += 1
        return name

    return work_of_that_name


@activity.defn
async def for_ever() -> None:
    await asyncio.sleep(10**6)


PARTS = ["part 0", "part 1", "part 2"]
ACTIVITIES = [work, for_ever, *map(named, "abcx")]


def counter(*, bug: bool) -> type:
    """Two versions of one workflow: one has a bug in its handler."""

    @workflow.defn(name="Counter")
    class Counter:
        def __init__(self) -> None:
            self.sum = 0

        @workflow.run
        async def run(self, goal: int) -> int:
            await workflow.wait_condition(lambda: self.sum >= goal)
            return self.sum

        @workflow.signal
        def add(self, number: int) -> None:
            if bug and number == 13:
                raise KeyError("thirteen is not handled")
            self.sum += number

    return Counter


def ordering(*steps: str) -> type:
    """Versions of one workflow that differ in the activities they ask for, by name."""

    @workflow.defn(name="Ordering")
    class Ordering:
        def __init__(self) -> None:
            self.go = False

        @workflow.run
        async def run(self) -> list[str]:
            done = [await workflow.execute_activity(step) for step in steps[:-1]]
            await workflow.wait_condition(lambda: self.go)
            return [*done, await workflow.execute_activity(steps[-1])]

        @workflow.signal
        def proceed(self) -> None:
            self.go = True

    return Ordering


def make(store: MemoryStore, *workflows: object, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=workflows, activities=ACTIVITIES, **options)


def suspend(runtime: TestRuntime, **options: Any) -> Any:
    """A run that has counted 1, could not count 13, and has 2 waiting behind that."""
    handle = runtime.wait(runtime.start_workflow("Counter", 16, id="counter", **options))
    for number in (1, 13, 2):
        runtime.wait(handle.signal("add", number))
    return handle


def test_a_bug_suspends_the_run_and_acknowledges_the_sender() -> None:
    with make(MemoryStore(), counter(bug=True)) as runtime:
        handle = runtime.wait(runtime.start_workflow("Counter", 16, id="counter"))
        waiting = handle.result()

        for number in (1, 13, 2):
            assert runtime.wait(handle.signal("add", number)) is None

        for future in (waiting, handle.result()):
            with pytest.raises(WorkflowSuspendedError, match="thirteen is not handled") as caught:
                runtime.wait(future)
            assert "KeyError" in caught.value.stack
            assert "in add" in caught.value.stack
            assert caught.value.run_id == handle.run_id
        described = runtime.wait(handle.describe())
        assert described.status.name == "SUSPENDED"
        assert described.waiting_messages == 2
        assert described.suspended_error is not None
        assert "in add" in described.suspended_error
        # The turn of the bug is not in the history, nor is what came after it.
        assert runtime.wait(handle.fetch_history()).kinds() == ["WorkflowStarted", "SignalReceived"]


def test_other_runs_go_on_beside_a_suspended_one() -> None:
    with make(MemoryStore(), counter(bug=True)) as runtime:
        suspend(runtime)

        other = runtime.wait(runtime.start_workflow("Counter", 1, id="other"))
        runtime.wait(other.signal("add", 1))

        assert runtime.wait(other.result()) == 1


def test_resuming_with_the_same_bug_suspends_again_and_loses_nothing() -> None:
    with make(MemoryStore(), counter(bug=True)) as runtime:
        handle = suspend(runtime)
        for _ in range(3):
            runtime.wait(handle.resume())
            runtime.run_until_idle()

            described = runtime.wait(handle.describe())

            assert (described.status.name, described.waiting_messages) == ("SUSPENDED", 2)


@pytest.mark.parametrize("evict", [False, True])
def test_opening_with_mended_code_goes_on_where_the_run_stopped(evict: bool) -> None:
    store = MemoryStore()
    with make(store, counter(bug=True), evict_after_every_turn=evict) as runtime:
        suspend(runtime)

    with make(store, counter(bug=False), evict_after_every_turn=evict) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("counter").result()) == 16


@workflow.defn(name="Busy")
async def busy() -> None:
    await workflow.execute_activity(for_ever)


@pytest.mark.parametrize("first", ["describe", "result"])
def test_one_that_is_asked_before_its_turn_to_be_tried_has_come_is_tried_all_the_same(first: str) -> None:
    store = MemoryStore()
    # More than opening brings back at a time: the one behind them comes later.
    others = [busy] * 520
    with make(store, counter(bug=True), busy) as runtime:
        for other in others:
            runtime.start_workflow(other)
        suspend(runtime)

    with make(store, counter(bug=False), busy) as runtime:
        handle = runtime.get_workflow_handle("counter")
        asked = getattr(handle, first)()
        runtime.run_until_idle()

        assert runtime.wait(handle.result() if first == "describe" else asked) == 16


def test_opening_with_the_bug_tries_once_more_and_suspends_again() -> None:
    store = MemoryStore()
    with make(store, counter(bug=True)) as runtime:
        suspend(runtime)

    with make(store, counter(bug=True)) as runtime:
        runtime.run_until_idle()
        described = runtime.wait(runtime.get_workflow_handle("counter").describe())

        assert (described.status.name, described.waiting_messages) == ("SUSPENDED", 2)


def test_resuming_after_the_code_is_mended_in_the_process_goes_on() -> None:
    store = MemoryStore()
    with make(store, counter(bug=True)) as runtime:
        handle = suspend(runtime)
        runtime.hands.workflows.add(vars(counter(bug=False))["__greenroom_workflow__"])

        runtime.wait(handle.resume())

        assert runtime.wait(handle.result()) == 16


def test_resuming_a_run_that_is_not_suspended_changes_nothing() -> None:
    with make(MemoryStore(), counter(bug=False)) as runtime:
        handle = runtime.wait(runtime.start_workflow("Counter", 3, id="counter"))
        runtime.wait(handle.signal("add", 1))

        runtime.wait(handle.resume())
        runtime.wait(handle.signal("add", 2))

        assert runtime.wait(handle.result()) == 3


def test_a_suspended_run_can_be_terminated() -> None:
    with make(MemoryStore(), counter(bug=True)) as runtime:
        handle = suspend(runtime)

        runtime.wait(handle.terminate(reason="given up"))

        with pytest.raises(WorkflowFailureError, match="given up") as caught:
            runtime.wait(handle.result())
        assert isinstance(caught.value.cause, TerminatedError)
        assert len(runtime.hands.journal.dead_letters()) == 2


@pytest.mark.parametrize("reopened", [False, True])
def test_a_suspended_run_times_out(reopened: bool) -> None:
    store = MemoryStore()
    with make(store, counter(bug=True)) as runtime:
        suspend(runtime, run_timeout=timedelta(seconds=30))
        if not reopened:
            runtime.advance(31)
            assert_timed_out(runtime)
    if reopened:
        with make(store, counter(bug=True), clock=runtime.clock) as runtime:
            runtime.run_until_idle()
            runtime.advance(31)
            assert_timed_out(runtime)


def assert_timed_out(runtime: TestRuntime) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(runtime.get_workflow_handle("counter").result())
    assert isinstance(caught.value.cause, GreenroomTimeoutError)
    assert caught.value.cause.type is TimeoutType.RUN


def test_a_bug_before_anything_was_recorded_keeps_the_start() -> None:
    @workflow.defn(name="Early")
    async def broken() -> str:
        raise ZeroDivisionError("at once")

    @workflow.defn(name="Early")
    async def mended() -> str:
        return "fine"

    store = MemoryStore()
    with make(store, broken) as runtime:
        handle = runtime.wait(runtime.start_workflow("Early", id="early"))
        with pytest.raises(WorkflowSuspendedError, match="at once"):
            runtime.wait(handle.result())

    with make(store, mended) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("early").result()) == "fine"


@pytest.mark.parametrize("end", ["timeout", "terminate"])
def test_a_run_that_was_suspended_before_anything_was_recorded_can_be_ended_while_it_is_tried_again(end: str) -> None:
    @workflow.defn(name="Early")
    async def broken() -> str:
        raise ZeroDivisionError("at once")

    store = MemoryStore()
    with make(store, broken) as runtime:
        runtime.wait(runtime.start_workflow("Early", id="early", run_timeout=30))
        runtime.run_until_idle()
    runtime.clock.advance(60 if end == "timeout" else 0)

    with make(store, broken, clock=runtime.clock) as again:
        handle = again.get_workflow_handle("early")
        if end == "terminate":
            again.wait(handle.terminate())
        again.run_until_idle()

        with pytest.raises(WorkflowFailureError):
            again.wait(handle.result())


@pytest.mark.parametrize("failures", [(), (Exception,)], ids=["", "every exception is a failure"])
def test_a_different_question_than_in_the_history_suspends_and_the_old_code_goes_on(
    failures: tuple[type[Exception], ...],
) -> None:
    store = MemoryStore()
    with make(store, ordering("a", "b", "c")) as runtime:
        runtime.wait(runtime.start_workflow("Ordering", id="ordering"))
        runtime.run_until_idle()

    with make(store, ordering("a", "x", "c"), failure_exception_types=failures) as runtime:
        handle = runtime.get_workflow_handle("ordering")
        runtime.wait(handle.signal("proceed"))
        waiting = handle.result()
        # The first is told by the run when it stops, the second by what the journal has of that.
        for result in (waiting, handle.result()):
            with pytest.raises(WorkflowSuspendedError, match="not deterministic") as caught:
                runtime.wait(result)
            assert "in the history" in str(caught.value)
            assert "activity 'x'" in str(caught.value)
            assert 'in `if workflow.patched("…"):` and keep the old' in str(caught.value)
            assert "in the history" in caught.value.stack

    with make(store, ordering("a", "b", "c")) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("ordering").result()) == ["a", "b", "c"]
    assert performed == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("reopened", [False, True])
def test_the_outcome_of_an_activity_that_ends_while_its_run_is_suspended_is_kept(reopened: bool) -> None:
    def version(*, bug: bool) -> type:
        @workflow.defn(name="Busy")
        class Busy:
            def __init__(self) -> None:
                self.notes: list[str] = []

            @workflow.run
            async def run(self) -> list[str]:
                done = await asyncio.gather(*(workflow.execute_activity(work, part) for part in PARTS))
                await workflow.wait_condition(lambda: bool(self.notes))
                return [*done, *self.notes]

            @workflow.signal
            def note(self, text: str) -> None:
                if bug:
                    raise LookupError(text)
                self.notes.append(text)

        return Busy

    store = MemoryStore()
    with make(store, version(bug=True)) as runtime:
        handle = runtime.wait(runtime.start_workflow("Busy", id="busy"))
        runtime.wait(handle.signal("note", "x"))
        runtime.run_until_idle()
        assert sum(performed.values()) == 3
        assert runtime.wait(handle.describe()).status.name == "SUSPENDED"
        if not reopened:
            runtime.hands.workflows.add(vars(version(bug=False))["__greenroom_workflow__"])
            runtime.wait(handle.resume())
            assert runtime.wait(handle.result()) == [*PARTS, "x"]
    if reopened:
        with make(store, version(bug=False)) as runtime:
            result = runtime.wait(runtime.get_workflow_handle("busy").result())
            assert result == [*PARTS, "x"]
    assert set(performed.values()) == {1}


def test_a_failure_closes_the_run_and_does_not_suspend_it() -> None:
    @workflow.defn(name="Failing")
    async def failing() -> None:
        raise ApplicationError("no stock", "detail", type="OutOfStock")

    with make(MemoryStore(), failing) as runtime, pytest.raises(WorkflowFailureError, match="no stock") as caught:
        runtime.wait(runtime.execute_workflow("Failing", id="failing"))
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.details) == ("OutOfStock", ("detail",))
    assert "failing" in cause.stack


def test_exceptions_that_were_declared_failures_close_the_run() -> None:
    @workflow.defn(name="Failing")
    async def failing() -> None:
        raise KeyError("gone")

    with (
        make(MemoryStore(), failing, failure_exception_types=[LookupError]) as runtime,
        pytest.raises(WorkflowFailureError, match="gone"),
    ):
        runtime.wait(runtime.execute_workflow("Failing", id="failing"))


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError])
def test_whatever_workflow_code_raises_stops_its_run_and_nothing_else(kind: type[BaseException]) -> None:
    @workflow.defn(name="Wild")
    async def wild() -> None:
        raise kind("wild")

    # On a thread: what drives a test runtime lets out what is meant for whoever runs the test.
    workflows, supervision = (wild, counter(bug=False)), Supervision(max_restarts=0)
    with Runtime.in_memory(workflows=workflows, supervision=supervision) as runtime:
        handle = runtime.start_workflow("Wild", id="wild").get(timeout=10)
        with pytest.raises(WorkflowSuspendedError):
            handle.result().get(timeout=10)

        assert runtime.execute_workflow("Counter", 0).get(timeout=10) == 0


def test_a_turn_that_asks_for_too_much_suspends_the_run() -> None:
    @workflow.defn(name="Greedy")
    async def greedy() -> None:
        await asyncio.gather(*(workflow.sleep(60) for _ in range(10_001)))

    with make(MemoryStore(), greedy) as runtime, pytest.raises(WorkflowSuspendedError, match="10,000"):
        runtime.wait(runtime.execute_workflow("Greedy", id="greedy"))


@activity.defn(name="second time lucky", retry_policy=RetryPolicy(initial_interval=1))
def second_time_lucky() -> str:
    performed["lucky"] += 1
    if activity.info().attempt == 1:
        raise OSError("once")
    return "lucky"


@activity.defn(name="counted", retry_policy=RetryPolicy(maximum_attempts=3))
def counted() -> str:
    performed["counted"] += 1
    return "counted"


PERFORMED_BY_NAME = {"lucky": second_time_lucky, "counted": counted}


@workflow.defn(name="Patient")
class Patient:
    """Waits for one activity, and stops at a signal that it was not made for."""

    is_mended = False

    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(PERFORMED_BY_NAME[name])

    @workflow.signal
    def poke(self) -> None:
        if not Patient.is_mended:
            raise KeyError("not thought of")


@pytest.mark.parametrize(("name", "attempts"), [("lucky", 2), ("counted", 1)])
def test_an_activity_that_ended_while_its_run_was_suspended_is_not_performed_again(name: str, attempts: int) -> None:
    Patient.is_mended = False
    with TestRuntime(workflows=[Patient], activities=[second_time_lucky, counted]) as runtime:
        runtime.start_workflow(Patient.run, name, id="p").get().signal("poke").get()
        runtime.advance(timedelta(minutes=10))
        assert performed[name] == attempts

        Patient.is_mended = True
        runtime.crash()
        runtime.run_until_idle()

        assert runtime.get_workflow_handle("p").result().get() == name
        assert check(runtime.hands.journal) == []

    assert performed[name] == attempts


def test_a_blocking_wait_in_a_workflow_is_told_what_workflows_do_instead() -> None:
    @workflow.defn
    async def impatient() -> None:
        runtime.get_workflow_handle("another").result().get()

    instead = r"do it in an activity, or speak to other workflows with workflow.get_external_workflow_handle"
    with make(MemoryStore(), impatient) as runtime, pytest.raises(WorkflowSuspendedError, match=instead):
        runtime.wait(runtime.execute_workflow(impatient, id="impatient"))


class TalkativeError(Exception):
    """Says more than anybody wants to read."""

    def __str__(self) -> str:
        return "\n".join(f"line {number}" for number in range(1000))


@workflow.defn
async def failing(how: str) -> None:
    if how == "group":
        async with asyncio.TaskGroup() as group:
            group.create_task(failing("in the group"))
    elif how == "chain":
        try:
            raise KeyError("what led to it")
        except KeyError as error:
            raise ValueError("the last of it") from error
    elif how == "talkative":
        raise TalkativeError
    else:
        raise ValueError(how)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("plain", r"ValueError: plain"),
        ("chain", r"ValueError: the last of it"),
        ("group", r"ExceptionGroup: unhandled errors in a TaskGroup \(1 sub-exception\)"),
        ("talkative", r".*TalkativeError: line 0\n(line \d+\n){29}…"),
    ],
)
def test_who_asks_later_why_a_run_is_suspended_is_told_what_the_exception_says(how: str, reason: str) -> None:
    with make(MemoryStore(), failing) as runtime:
        handle = runtime.wait(runtime.start_workflow(failing, how))
        runtime.run_until_idle()

        with pytest.raises(WorkflowSuspendedError) as caught:
            runtime.wait(handle.result())

    assert re.fullmatch(reason, caught.value.reason)


def test_the_log_tells_the_operator_which_run_is_suspended_why_and_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with make(MemoryStore(), failing) as runtime:
        runtime.run_until_idle()
        handle = runtime.wait(runtime.start_workflow(failing, "plain", id="w"))
        runtime.run_until_idle()

    (message,) = [record.getMessage() for record in caplog.records if "is suspended" in record.getMessage()]
    first, what_next = message.splitlines()
    assert first == f"workflow 'w' (run {handle.run_id}) is suspended: ValueError: plain"
    assert "handle.resume(), or opening the journal again with the mended code" in what_next


def test_the_log_has_the_reason_once_and_a_traceback_only_of_code_of_the_users(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow.defn(name="Changed")
    async def before() -> None:
        await workflow.sleep(60)

    @workflow.defn(name="Changed")
    async def after() -> None:
        await workflow.execute_activity(work, "x")

    store = MemoryStore()
    with make(store, before, failing, check_leaks=False) as runtime:
        runtime.wait(runtime.start_workflow("Changed", id="changed"))
        runtime.run_until_idle()
    with make(store, after, failing) as runtime:
        runtime.wait(runtime.get_workflow_handle("changed").resume())
        runtime.run_until_idle()
        runtime.wait(runtime.start_workflow(failing, "plain", id="w"))
        runtime.run_until_idle()

    differs, fails = [record for record in caplog.records if "is suspended" in record.getMessage()]
    assert "is not deterministic at turn 0" in differs.getMessage()
    assert differs.exc_info is None
    assert fails.exc_info is not None
    assert isinstance(fails.exc_info[1], ValueError)


def priced(price: Any) -> Any:
    """Versions of one workflow that differ in what they return."""

    @workflow.defn(name="Priced")
    async def priced(name: str) -> int:
        await workflow.execute_activity(work, name)
        result: int = price
        return result

    return priced


def test_a_run_that_returns_what_it_is_not_annotated_with_is_suspended_until_its_code_is_mended() -> None:
    store = MemoryStore()
    with make(store, priced("3 EUR")) as runtime:
        result = runtime.execute_workflow("Priced", "x", id="priced")
        with pytest.raises(WorkflowSuspendedError, match="workflow 'Priced' returned '3 EUR'"):
            runtime.wait(result)

    with make(store, priced(3)) as runtime:
        handle = runtime.get_workflow_handle("priced")
        runtime.wait(handle.resume())

        assert runtime.wait(handle.result()) == 3
    assert performed["x"] == 1


@activity.defn(name="suspension: send")
def send_by_mail() -> str:
    return "by mail"


@activity.defn(name="suspension: send")
def send_by_sms() -> str:
    return "by sms"


class Bank:
    """An activity that needs its instance."""

    @activity.defn(name="suspension: charge")
    def charge(self) -> str:
        return "charged"


@activity.defn(name="suspension: charge")
def charge_nobody() -> str:
    return "charged nobody"


@workflow.defn
async def sending() -> str:
    return await workflow.execute_activity(send_by_mail)


@workflow.defn
async def charging() -> str:
    return await workflow.execute_activity_method(Bank.charge)


def test_a_reference_to_an_activity_whose_name_another_has_taken_suspends_until_one_of_them_is_listed() -> None:
    store = MemoryStore()
    with TestRuntime(store, workflows=[sending]) as runtime:
        runtime.wait(runtime.start_workflow(sending, id="sending"))
        with pytest.raises(WorkflowSuspendedError, match=r"send_by_mail, and .*send_by_sms;"):
            runtime.wait(runtime.get_workflow_handle("sending").result())

    with TestRuntime(store, workflows=[sending], activities=[send_by_mail]) as runtime:
        handle = runtime.get_workflow_handle("sending")
        runtime.wait(handle.resume())

        assert runtime.wait(handle.result()) == "by mail"


def test_a_reference_to_a_method_is_not_taken_for_a_function_of_the_same_name() -> None:
    with (
        TestRuntime(workflows=[charging]) as runtime,
        pytest.raises(WorkflowSuspendedError, match=r"Bank\.charge"),
    ):
        runtime.wait(runtime.execute_workflow(charging))


@pytest.mark.parametrize(
    ("listed", "result"), [([Bank()], "charged"), ([charge_nobody], "charged nobody")], ids=["itself", "another"]
)
def test_what_is_listed_under_a_name_is_performed(listed: list[Any], result: str) -> None:
    with TestRuntime(workflows=[charging], activities=listed) as runtime:
        assert runtime.wait(runtime.execute_workflow(charging)) == result
