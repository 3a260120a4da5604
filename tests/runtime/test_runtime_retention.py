"""Runs that are deleted by themselves a while after their end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from greenroom import RawValue, Runtime, WorkflowExecutionStatus, WorkflowHandle, WorkflowNotFoundError, workflow
from greenroom.actors import ManualClock
from greenroom.storage import MemoryStore, Store, WriteError, check
from greenroom.testing import TestRuntime, crash_sweep
from tests.runtime.ended_runs import rows_of, write_ended

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@workflow.defn(name="retention.short")
async def short(value: int = 0) -> int:
    return value


@workflow.defn(name="retention.audit", aliases=["audit_of_before"])
async def audit() -> str:
    return "kept"


@workflow.defn(name="retention.other_type")
async def other_type() -> None:
    pass


@workflow.defn(name="retention.parked")
async def parked() -> None:
    await workflow.wait_condition(lambda: False)


@workflow.defn(name="retention.chapters")
async def chapters(number: int) -> None:
    await workflow.sleep(30 * 60)
    if number:
        workflow.continue_as_new(number - 1)


def many(number: int = 300) -> Store:
    """A journal of runs that ended as the clock of a test begins, more of them than are seen to in one sweep."""
    store = MemoryStore()
    write_ended(store, *(f"w{each}" for each in range(number)), closed_ns=ManualClock().now_ns())
    return store


def is_there(handle: WorkflowHandle[Any]) -> bool:
    try:
        handle.describe().get()
    except WorkflowNotFoundError:
        return False
    return True


def run(runtime: TestRuntime, target: Any, workflow_id: str) -> WorkflowHandle[Any]:
    handle: WorkflowHandle[Any] = runtime.start_workflow(target, id=workflow_id).get()
    handle.result().get()
    return handle


def test_a_run_is_kept_for_its_time_and_then_leaves_nothing() -> None:
    store = MemoryStore()
    with TestRuntime(store, retention=HOUR) as runtime:
        handle = run(runtime, short, "a")

        runtime.advance(HOUR - timedelta(seconds=1))
        assert is_there(handle)
        assert check(runtime.hands.journal) == []

        runtime.advance(3)
        assert rows_of(store) == []


def test_an_open_run_is_kept_however_old_it_is() -> None:
    with TestRuntime(retention=HOUR) as runtime:
        handle = runtime.start_workflow(parked, id="a").get()

        runtime.advance(365 * DAY)

        assert handle.describe().get().status is WorkflowExecutionStatus.RUNNING


def test_without_retention_a_run_is_kept_for_ever() -> None:
    with TestRuntime() as runtime:
        handle = run(runtime, short, "a")

        runtime.advance(3650 * DAY)

        assert is_there(handle)


def test_a_workflow_type_may_be_kept_for_another_time() -> None:
    types = {audit: None, "retention.short": HOUR}
    with TestRuntime(retention=DAY, retention_by_type=types) as runtime:
        brief, long, other = run(runtime, short, "a"), run(runtime, audit, "b"), run(runtime, other_type, "c")

        runtime.advance(HOUR + timedelta(seconds=2))
        assert (is_there(brief), is_there(long), is_there(other)) == (False, True, True)

        runtime.advance(365 * DAY)
        assert (is_there(long), is_there(other)) == (True, False)


def test_each_run_of_a_chain_is_counted_from_its_own_end() -> None:
    with TestRuntime(retention=HOUR) as runtime:
        handle = runtime.start_workflow(chapters, 5, id="book").get()
        first = runtime.get_workflow_handle("book", run_id=handle.run_id)

        runtime.advance(2 * HOUR)

        assert not is_there(first)
        assert handle.describe().get().status is WorkflowExecutionStatus.RUNNING
        handle.result().get()


def test_what_ended_before_retention_was_given_is_found_at_the_next_opening() -> None:
    store = many()
    with TestRuntime(store) as runtime:
        runtime.start_workflow(parked, id="open").get()

    with TestRuntime(store, retention=HOUR) as runtime:
        runtime.run_until_idle()
        assert check(runtime.hands.journal) == []
        assert is_there(runtime.get_workflow_handle("w7"))

        runtime.advance(HOUR + timedelta(seconds=2))

        assert len(rows_of(store)) == 3  # a header, a turn and an id
        assert is_there(runtime.get_workflow_handle("open"))


@pytest.mark.parametrize(("before", "after"), [(HOUR, DAY), (DAY, HOUR), (HOUR, None), (None, HOUR)])
def test_another_retention_holds_for_what_has_ended_before(before: timedelta | None, after: timedelta | None) -> None:
    store = MemoryStore()
    with TestRuntime(store, retention=before) as runtime:
        run(runtime, short, "a")
        clock = runtime.clock

    with TestRuntime(store, retention=after, clock=clock) as runtime:
        runtime.run_until_idle()
        handle = runtime.get_workflow_handle("a")
        for waited in (HOUR, DAY):
            runtime.advance(waited + timedelta(seconds=2) - (HOUR if waited is DAY else timedelta()))
            assert is_there(handle) is (after is None or after > waited)
        assert check(runtime.hands.journal) == []


def test_what_comes_due_before_all_was_looked_at_is_not_deleted_too_early() -> None:
    store = MemoryStore()
    with TestRuntime(store, retention=HOUR) as runtime:
        handle = run(runtime, short, "a")
        clock = runtime.clock
    clock.advance(2 * HOUR)

    with TestRuntime(store, retention=DAY, clock=clock) as runtime:
        runtime.run_until_idle()

        assert is_there(runtime.get_workflow_handle("a", run_id=handle.run_id))
        runtime.advance(DAY)
        assert rows_of(store) == []


def test_what_came_due_while_nobody_looked_is_deleted_at_the_next_opening() -> None:
    store = many()
    with TestRuntime(store, retention=HOUR) as runtime:
        runtime.run_until_idle()
        assert len(rows_of(store)) > 300
        clock = runtime.clock
    clock.advance(2 * HOUR)

    with TestRuntime(store, retention=HOUR, clock=clock) as runtime:
        runtime.run_until_idle()

        assert rows_of(store) == []


def test_runs_that_end_while_it_is_off_are_found_when_it_is_on_again() -> None:
    store = MemoryStore()
    with TestRuntime(store, retention=HOUR) as runtime:
        clock = runtime.clock
    with TestRuntime(store, clock=clock) as runtime:
        run(runtime, short, "a")

    with TestRuntime(store, retention=HOUR, clock=clock) as runtime:
        runtime.advance(HOUR + timedelta(seconds=2))

        assert rows_of(store) == []


def test_one_run_that_is_deleted_by_hand_is_not_looked_for_again() -> None:
    store = MemoryStore()
    with TestRuntime(store, retention=HOUR) as runtime:
        run(runtime, short, "a").delete().get()

        assert rows_of(store) == []


def test_what_is_deleted_by_hand_while_all_are_looked_at_leaves_nothing() -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        run(runtime, short, "a")

    with TestRuntime(store, retention=HOUR) as runtime:
        runtime.get_workflow_handle("a").delete().get()
        runtime.run_until_idle()

        assert rows_of(store) == []


@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_commit_that_fails_puts_it_off(commit: int) -> None:
    store = many()
    runtime = TestRuntime(store, retention=HOUR)
    # The first one is that of opening it.
    runtime.store.fail_commit(1 + commit, WriteError("the disk", "no"))

    with runtime:
        runtime.run_until_idle()
        runtime.advance(HOUR + timedelta(seconds=10))

        assert rows_of(store) == []


@pytest.mark.parametrize("read", [1, 2, 3, 4, 5, 6])
def test_a_read_that_fails_puts_it_off(read: int) -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        run(runtime, short, "a")
    with TestRuntime(store, retention=HOUR) as runtime:
        runtime.store.fail_read(read)

        runtime.run_until_idle()
        runtime.advance(HOUR + timedelta(seconds=10))

        assert rows_of(store) == []


@pytest.mark.parametrize("read", [1, 2, 3, 4, 5])
def test_a_read_that_fails_when_its_time_has_come_puts_it_off(read: int) -> None:
    store = MemoryStore()
    with TestRuntime(store, retention=HOUR) as runtime:
        run(runtime, short, "a")
        runtime.run_until_idle()
        runtime.store.fail_read(read)

        runtime.advance(HOUR + timedelta(seconds=10))

        assert rows_of(store) == []


def test_wherever_the_process_dies_all_are_looked_at_and_deleted_in_the_end() -> None:
    def scenario(runtime: TestRuntime) -> object:
        runtime.run_until_idle()
        problems = check(runtime.hands.journal)
        runtime.advance(HOUR + timedelta(seconds=5))
        return problems, rows_of(runtime.store)

    swept = crash_sweep(scenario, make=lambda: TestRuntime(many(), retention=HOUR))

    assert swept.points >= 8


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retention": 0}, "retention is 0; a limit is longer than nothing, or None for none"),
        ({"retention": -1}, "a length of time is zero or more"),
        ({"retention": "1h"}, "retention is a str; give a timedelta or a number of seconds"),
        ({"retention_by_type": {"short": 0}}, "retention of short is 0"),
        ({"retention_by_type": {short: 1, "retention.short": 2}}, "'retention.short' twice"),
        ({"retention_by_type": {1: 2}}, "1 is not a workflow"),
        ({"retention_by_type": {"": 2}}, "workflow type is empty"),
        ({"retention_by_type": [short]}, "give a dict of workflow types and lengths of time"),
    ],
)
def test_a_retention_that_cannot_be_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        Runtime("never-opened", **options)


def test_a_workflow_that_is_given_stands_for_its_former_names() -> None:
    store = MemoryStore()
    with TestRuntime(store, retention_by_type={audit: HOUR}) as runtime:
        run(runtime, audit, "now")
        run(runtime, "audit_of_before", "before")
        kept = run(runtime, short, "kept")

        runtime.advance(HOUR + timedelta(seconds=2))

        assert is_there(kept)
        assert not is_there(runtime.get_workflow_handle("now"))
        assert not is_there(runtime.get_workflow_handle("before"))


def before_it_was_renamed() -> Store:
    """A journal with a run that ended when the audit had its former name."""

    @workflow.defn(name="audit_of_before")
    async def audit_of_before() -> None:
        pass

    store = MemoryStore()
    with TestRuntime(store, workflows=[audit_of_before]) as runtime:
        run(runtime, audit_of_before, "before")
    return store


@pytest.mark.parametrize("named", ["retention.audit", "audit_of_before", audit])
def test_each_name_of_a_workflow_stands_for_its_others(named: Any) -> None:
    store = before_it_was_renamed()
    with TestRuntime(store, workflows=[audit], retention=HOUR, retention_by_type={named: None}) as runtime:
        now = run(runtime, audit, "now")

        runtime.advance(DAY)

        assert (is_there(now), is_there(runtime.get_workflow_handle("before"))) == (True, True)


@pytest.mark.parametrize("given", ["retention.audit", audit])
def test_a_former_name_that_is_given_too_has_a_time_of_its_own(given: object) -> None:
    store, types = before_it_was_renamed(), {given: None, "audit_of_before": HOUR}
    with TestRuntime(store, workflows=[audit], retention_by_type=types) as runtime:
        now = run(runtime, audit, "now")

        runtime.advance(DAY)

        assert (is_there(now), is_there(runtime.get_workflow_handle("before"))) == (True, False)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("retention.audti", "(did you mean 'retention.audit' or 'retention.short'?)"),
        ("short", "(did you mean 'retention.short'?)"),
        ("gone", "(declared: 'retention.audit', 'retention.short')"),
    ],
)
def test_a_type_that_no_workflow_has_is_warned_of(named: str, told: str, caplog: pytest.LogCaptureFixture) -> None:
    with TestRuntime(workflows=[short, audit], retention=HOUR, retention_by_type={named: None}):
        pass

    [warning] = caplog.messages
    assert warning == (
        f"retention_by_type has {named!r}, which no workflow of this runtime is named {told}; it holds for runs of "
        "that type that older code has left, and for no others"
    )


def test_a_type_that_a_dynamic_workflow_serves_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    @workflow.defn(dynamic=True)
    async def anything(args: Sequence[RawValue]) -> None:
        pass

    types = {"retention.short": DAY, "audit_of_before": DAY, "whatever": None}
    with TestRuntime(workflows=[short, audit, anything], retention=HOUR, retention_by_type=types) as runtime:
        run(runtime, short, "a")

    assert caplog.messages == []
