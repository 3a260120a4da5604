"""A run ends, and another one of its workflow goes on: in one transaction, and nothing that was sent is lost."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom import WorkflowExecutionStatus, WorkflowUpdateStage, workflow
from greenroom.runtime.model.errors import WorkflowContinuedAsNewError
from greenroom.storage import check
from greenroom.testing import TestRuntime, crash_sweep, start_once

RUNNING, CONTINUED = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW


@workflow.defn
class Counter:
    """Counts signals, and goes on as new after every ``each`` of them until it has seen ``until``."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    @workflow.run
    async def run(self, until: int, each: int, before: list[int] | None = None) -> list[int]:
        before = before or []
        await workflow.wait_condition(lambda: len(self.seen) >= each)
        seen = before + self.seen
        if len(seen) < until:
            workflow.continue_as_new(until, each, seen)
        return seen

    @workflow.signal
    def add(self, number: int) -> None:
        self.seen.append(number)

    @workflow.update
    def subtract(self, number: int) -> int:
        return -number

    @workflow.query
    def count(self) -> int:
        return len(self.seen)


@workflow.defn
async def reads(until: int, before: list[int]) -> list[int]:
    """The same with a channel, of which it reads one message a run."""
    number: int = await workflow.signal_channel().receive("add", result_type=int)
    before.append(number)
    if len(before) < until:
        workflow.continue_as_new(until, before)
    return before


@workflow.defn
async def sends(to: str, count: int) -> None:
    reader = workflow.get_external_workflow_handle(to)
    for number in range(count):
        await reader.signal("add", number)


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Counter, reads, sends], **options)


@pytest.mark.parametrize("evict", [False, True])
def test_a_run_that_continues_as_new_has_its_result_from_the_last_one(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        counter = runtime.start_workflow(Counter.run, 6, 2, id="counter").get()
        result = counter.result()
        for number in range(6):
            counter.signal(Counter.add, number).get()

        assert result.get() == [*range(6)]
        runs = runtime.recorded()
        assert [WorkflowExecutionStatus(run.header.status).name for run in runs] == [
            "CONTINUED_AS_NEW",
            "CONTINUED_AS_NEW",
            "COMPLETED",
        ]
        assert {run.header.first_run_id for run in runs} == {runs[0].header.run_id}
        assert check(runtime.hands.journal) == []


def test_what_was_sent_and_not_read_goes_on_in_order() -> None:
    with make() as runtime:
        reader = runtime.start_workflow(reads, 20, list[int](), id="reader").get()
        for number in range(20):
            reader.signal("add", number)

        assert reader.result().get() == [*range(20)]
        assert len(runtime.recorded()) == 20
        assert runtime.hands.journal.dead_letters() == []


def test_who_asks_a_run_for_an_update_that_it_hands_on_before_it_can_answer_hears_of_it_from_the_next() -> None:
    with make() as runtime:
        counter = runtime.start_workflow(Counter.run, 2, 1, id="counter").get()
        signalled = counter.signal(Counter.add, 0)
        admitted = counter.start_update(Counter.subtract, 5, id="u", wait_for_stage=WorkflowUpdateStage.ADMITTED)
        found = counter.get_update_handle("u", result_type=int).result()

        assert found.get() == -5
        signalled.get()
        assert admitted.get().result().get() == -5
        assert len(runtime.recorded()) == 2
        assert check(runtime.hands.journal) == []


def test_handles_of_the_start_speak_to_the_run_that_is_there_and_those_of_one_run_do_not() -> None:
    with make() as runtime:
        counter = runtime.start_workflow(Counter.run, 4, 1, id="counter").get()
        first = runtime.get_workflow_handle("counter", run_id=counter.run_id)
        counter.signal(Counter.add, 0).get()

        assert counter.describe().get().run_id != counter.run_id
        assert first.describe().get().status is CONTINUED
        with pytest.raises(WorkflowContinuedAsNewError) as caught:
            first.result(follow_runs=False).get()
        assert caught.value.new_run_id == counter.describe().get().run_id
        for number in range(1, 4):
            counter.signal(Counter.add, number).get()
        assert first.result().get() == [0, 1, 2, 3]


def test_a_chain_is_not_taken_for_another_workflow_of_the_same_id() -> None:
    with make() as runtime:
        one = runtime.start_workflow(Counter.run, 1, 1, id="counter").get()
        one.signal(Counter.add, 0).get()
        assert one.result().get() == [0]
        other = runtime.start_workflow(Counter.run, 1, 1, id="counter").get()

        with pytest.raises(Exception, match="has ended"):
            one.signal(Counter.add, 1).get()
        pinned = runtime.get_workflow_handle("counter", first_execution_run_id=one.run_id)
        assert pinned.result().get() == [0]
        other.signal(Counter.add, 7).get()
        assert other.result().get() == [7]


def test_wherever_the_process_dies_no_signal_is_lost_or_doubled() -> None:
    def scenario(runtime: TestRuntime) -> object:
        reader = start_once(runtime, reads, 4, [], id="reader")
        start_once(runtime, sends, "reader", 4, id="sender")
        return reader.result().get()

    swept = crash_sweep(scenario, make=make)

    assert swept.points > 10
