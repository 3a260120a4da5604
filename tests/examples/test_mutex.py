"""The example of a lock: one holder at a time, in order, whatever becomes of the holders and of the process."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

import pytest

from examples.mutex import GRANTS_A_RUN, LEASE, Printer, locked, mutex, print_document
from greenroom import ApplicationError, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle, workflow
from greenroom.testing import Crash, TestRuntime, replay_every_prefix, start_once

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@workflow.defn
async def fails_with_the_lock(lock_id: str) -> None:
    async with locked(lock_id):
        await workflow.sleep(SECOND)
        raise ApplicationError("no paper")


@workflow.defn
async def has_a_bug_with_the_lock(lock_id: str) -> None:
    async with locked(lock_id):
        raise KeyError("paper")


@workflow.defn
async def gives_up_waiting_and_comes_again(lock_id: str) -> list[int]:
    grants: list[int] = []
    for patience in (SECOND, HOUR):
        try:
            async with asyncio.timeout(patience.total_seconds()), locked(lock_id) as grant:
                grants.append(grant)
        except TimeoutError:
            grants.append(0)
    return grants


@pytest.fixture
def printer() -> Printer:
    return Printer()


def opened(runtime: TestRuntime) -> str:
    lock: WorkflowHandle[None] = start_once(runtime, mutex, id="printer")
    return lock.id


def document(runtime: TestRuntime, name: str, nap: timedelta = SECOND) -> WorkflowHandle[str]:
    handle: WorkflowHandle[str] = start_once(
        runtime, print_document, "printer", [f"{name} 1", f"{name} 2"], nap, id=name
    )
    return handle


@pytest.mark.parametrize("evicts", [False, True], ids=["resident", "evicted"])
def test_those_who_wait_get_the_lock_one_at_a_time_and_in_order(printer: Printer, evicts: bool) -> None:
    with TestRuntime(activities=[printer], evict_after_every_turn=evicts) as runtime:
        opened(runtime)
        documents = [document(runtime, name) for name in "abcd"]

        results = [each.result().get() for each in documents]

        assert results == [f"printed under grant {number}" for number in (1, 2, 3, 4)]
        assert printer.pages == ["a 1", "a 2", "b 1", "b 2", "c 1", "c 2", "d 1", "d 2"]
        replay_every_prefix(runtime)


def test_requests_go_on_to_the_next_run_of_the_lock(printer: Printer) -> None:
    many = GRANTS_A_RUN + 5
    with TestRuntime(activities=[printer]) as runtime:
        lock = runtime.get_workflow_handle(opened(runtime))
        documents = [document(runtime, str(number), timedelta(0)) for number in range(many)]

        results = [each.result().get() for each in documents]

        assert results == [f"printed under grant {number + 1}" for number in range(many)]
        assert lock.describe().get().history_length < 50


def test_a_holder_that_is_ended_while_it_waits_is_passed_by(printer: Printer) -> None:
    with TestRuntime(activities=[printer]) as runtime:
        opened(runtime)
        first, second, third = (document(runtime, name) for name in "abc")

        second.terminate(reason="not needed")

        assert first.result().get() == "printed under grant 1"
        assert third.result().get() == "printed under grant 3"
        assert printer.pages == ["a 1", "a 2", "c 1", "c 2"]


def test_a_holder_that_is_cancelled_gives_the_lock_back_at_once(printer: Printer) -> None:
    with TestRuntime(activities=[printer]) as runtime:
        opened(runtime)
        first, second = document(runtime, "a", HOUR), document(runtime, "b")
        began = runtime.clock.now_ns()

        first.cancel("not needed")

        assert second.result().get() == "printed under grant 2"
        assert runtime.clock.now_ns() - began == 2 * 10**9
        with pytest.raises(WorkflowFailureError):
            first.result().get()


def test_a_holder_that_fails_gives_the_lock_back_at_once(printer: Printer) -> None:
    with TestRuntime(activities=[printer]) as runtime:
        failing = runtime.start_workflow(fails_with_the_lock, opened(runtime)).get()
        second = document(runtime, "b")

        assert second.result().get() == "printed under grant 2"
        with pytest.raises(WorkflowFailureError):
            failing.result().get()


def test_who_gives_up_waiting_does_not_keep_the_lock_and_may_come_again(printer: Printer) -> None:
    with TestRuntime(activities=[printer]) as runtime:
        lock_id = opened(runtime)
        first = document(runtime, "a", timedelta(seconds=30))
        impatient = runtime.start_workflow(gives_up_waiting_and_comes_again, lock_id).get()
        third = document(runtime, "c")

        assert impatient.result().get() == [0, 4]
        assert first.result().get() == "printed under grant 1"
        assert third.result().get() == "printed under grant 3"


def test_a_lock_that_is_not_given_back_comes_back_after_its_time_and_not_before(printer: Printer) -> None:
    with TestRuntime(activities=[printer]) as runtime:
        lock_id = opened(runtime)
        buggy = runtime.start_workflow(has_a_bug_with_the_lock, lock_id).get()
        second = document(runtime, "b", timedelta(0))

        runtime.advance(LEASE - SECOND)
        assert printer.pages == []
        runtime.advance(SECOND)

        assert second.result().get() == "printed under grant 2"
        assert buggy.describe().get().status is WorkflowExecutionStatus.SUSPENDED


def test_who_has_slept_with_the_lock_for_too_long_prints_nothing(printer: Printer) -> None:
    with TestRuntime(activities=[printer]) as runtime:
        opened(runtime)
        sleeper, second = document(runtime, "a", HOUR), document(runtime, "b")

        assert second.result().get() == "printed under grant 2"
        assert sleeper.result().get() == "not printed: LockLost: somebody else has the printer now"
        assert document(runtime, "c").result().get() == "printed under grant 3"
        assert printer.pages == ["b 1", "b 2", "c 1", "c 2"]


def test_a_crash_loses_neither_the_lock_nor_those_who_wait_for_it(printer: Printer) -> None:
    with TestRuntime(activities=[printer]) as runtime:
        opened(runtime)
        for name in "abc":
            document(runtime, name)
        runtime.advance(3)

        runtime.crash()

        results = [runtime.get_workflow_handle(name).result().get() for name in "abc"]
        assert results == [f"printed under grant {number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("commit", range(1, 24))
def test_a_lock_outlives_a_crash_at_any_commit(printer: Printer, commit: int, when: Literal["before", "after"]) -> None:
    def results(runtime: TestRuntime) -> list[str]:
        opened(runtime)
        return [each.result().get() for each in [document(runtime, name) for name in "ab"]]

    with TestRuntime(activities=[printer]) as runtime:
        runtime.store.crash_at_commit(commit, when)
        with pytest.raises(Crash):
            results(runtime)

        runtime.crash()

        assert results(runtime) == ["printed under grant 1", "printed under grant 2"]
        # A page whose printing was done, and not recorded, is printed again.
        assert list(dict.fromkeys(printer.pages)) == ["a 1", "a 2", "b 1", "b 2"]
