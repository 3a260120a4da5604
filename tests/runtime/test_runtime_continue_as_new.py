"""A run ends, and another one of its workflow goes on: in one transaction, and nothing that was sent is lost."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from greenroom import (
    RetryPolicy,
    SearchAttributeKey,
    TimeoutError,
    WorkflowClosedError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
    workflow,
)
from greenroom.runtime.model.errors import WorkflowContinuedAsNewError, WorkflowUpdateNotFoundError
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
async def goes_on_unread(before: int) -> list[int]:
    """Reads only what comes after it was told to go on, which is everything for the run that does."""
    channel = workflow.signal_channel()
    if not before:
        await channel.receive("go on")
        workflow.continue_as_new(1)
    return [await channel.receive("add", result_type=int) for _ in range(4)]


@workflow.defn
async def sends(to: str, count: int) -> None:
    reader = workflow.get_external_workflow_handle(to)
    for number in range(count):
        await reader.signal("add", number)


@workflow.defn
async def reads_later(is_first: bool) -> list[int]:
    """Lets all numbers lie in its first run, and reads five in its second."""
    channel = workflow.signal_channel()
    if is_first:
        await channel.receive("go")
        workflow.continue_as_new(False)
    return [await channel.receive("add", result_type=int) for _ in range(5)]


@workflow.defn
async def rolls(rounds: int) -> None:
    if rounds:
        workflow.continue_as_new(rounds - 1)


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Counter, reads, reads_later, goes_on_unread, sends, rolls], **options)


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


@pytest.mark.parametrize("evict", [False, True])
def test_what_the_code_had_been_told_and_what_lay_in_the_mail_of_others_goes_on_in_one_order(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        reader = runtime.start_workflow(reads_later, True, id="reader").get()
        for number in (10, 11):
            reader.signal("add", number).get()
        runtime.start_workflow(sends, "reader", 1)
        reader.signal("go")
        runtime.step()  # the sender's turn: its signal lies on disk behind the other one
        reader.signal("add", 12)
        reader.signal("add", 13)

        assert reader.result().get() == [10, 11, 0, 12, 13]
        assert check(runtime.hands.journal) == []


def test_an_update_is_looked_for_in_a_chain_of_any_length() -> None:
    with make(guard="static") as runtime:
        first = runtime.start_workflow(rolls, 1000, id="long").get()
        first.result().get()
        of_first_run = runtime.get_workflow_handle("long", run_id=first.run_id)

        with pytest.raises(WorkflowUpdateNotFoundError):
            of_first_run.get_update_handle("never asked for").result().get()


@pytest.mark.parametrize("evict", [False, True])
def test_what_a_run_was_told_and_has_not_read_goes_on_before_what_comes_behind_it(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        reader = runtime.start_workflow(goes_on_unread, 0, id="reader").get()
        for number in range(2):
            reader.signal("add", number).get()
        reader.signal("go on")
        for number in range(2, 4):
            reader.signal("add", number)

        assert reader.result().get() == [0, 1, 2, 3]
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
        asked_before = first.result(follow_runs=False)
        counter.signal(Counter.add, 0).get()

        assert counter.describe().get().run_id != counter.run_id
        assert first.describe().get().status is CONTINUED
        with pytest.raises(WorkflowContinuedAsNewError) as caught:
            first.result(follow_runs=False).get()
        assert caught.value.new_run_id == counter.describe().get().run_id
        assert isinstance(asked_before.exception(), WorkflowContinuedAsNewError)
        for number in range(1, 4):
            counter.signal(Counter.add, number).get()
        assert first.result().get() == [0, 1, 2, 3]


def test_a_chain_is_not_taken_for_another_workflow_of_the_same_id() -> None:
    with make() as runtime:
        one = runtime.start_workflow(Counter.run, 2, 1, id="counter").get()
        for number in range(2):
            one.signal(Counter.add, number).get()
        assert one.result().get() == [0, 1]
        other = runtime.start_workflow(Counter.run, 1, 1, id="counter").get()

        with pytest.raises(Exception, match="has ended"):
            one.signal(Counter.add, 1).get()
        pinned = runtime.get_workflow_handle("counter", first_execution_run_id=one.run_id)
        assert pinned.result().get() == [0, 1]
        other.signal(Counter.add, 7).get()
        assert other.result().get() == [7]


def test_wherever_the_process_dies_no_signal_is_lost_or_doubled() -> None:
    def scenario(runtime: TestRuntime) -> object:
        reader = start_once(runtime, reads, 4, [], id="reader")
        start_once(runtime, sends, "reader", 4, id="sender")
        return reader.result().get()

    swept = crash_sweep(scenario, make=make)

    assert swept.points > 10


@workflow.defn
class Relay:
    """Is taken on by its handlers, as each of them tries to."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self, number: int) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.words)
        return [str(number), *self.words]

    @workflow.signal
    def go_on(self, number: int) -> None:
        try:
            workflow.continue_as_new(number)
        except Exception:
            self.words.append("caught")

    @workflow.signal
    async def linger(self) -> None:
        await workflow.sleep(60)

    @workflow.update
    def go_on_asked(self, number: int) -> None:
        workflow.continue_as_new(number)

    @workflow.update
    async def say(self, word: str) -> str:
        self.words.append(word)
        return word


@workflow.defn
async def facts(step: int) -> list[object]:
    """What the second and the third run of a chain are told of its limits and of its retries."""
    info = workflow.info()
    policy = None if info.retry_policy is None else info.retry_policy.maximum_attempts
    await workflow.sleep(20)
    if step == 1:
        workflow.continue_as_new(2)
    if step == 2:
        workflow.continue_as_new(3, run_timeout=30, retry_policy=None, backoff_start_interval=5)
    limits = (info.run_timeout, info.execution_timeout)
    return [*limits, policy, info.attempt, info.continued_run_id not in (None, info.first_run_id)]


@workflow.defn
async def shifts(step: int) -> int:
    await workflow.sleep(20)
    workflow.continue_as_new(step + 1)


def test_what_catches_exceptions_does_not_hold_up_a_signal_handler_that_goes_on_as_new() -> None:
    with TestRuntime(workflows=[Relay]) as runtime:
        relay = runtime.start_workflow(Relay.run, 1, id="relay").get()
        relay.signal(Relay.go_on, 2).get()
        relay.execute_update(Relay.say, "end").get()

        assert relay.result().get() == ["2", "end"]


def test_an_update_handler_cannot_go_on_as_new_and_is_told_what_to_do() -> None:
    with TestRuntime(workflows=[Relay]) as runtime:
        relay = runtime.start_workflow(Relay.run, 1, id="relay").get()

        with pytest.raises(WorkflowUpdateFailedError) as failed:
            relay.execute_update(Relay.go_on_asked, 2).get()
        assert "have the main function wait for it" in str(failed.value.cause)
        relay.execute_update(Relay.say, "end").get()
        assert relay.result().get() == ["1", "end"]
        assert len(runtime.recorded()) == 1


def test_an_update_that_is_admitted_and_not_taken_goes_on_with_its_id() -> None:
    with TestRuntime(workflows=[Relay]) as runtime:
        relay = runtime.start_workflow(Relay.run, 1, id="relay").get()
        runtime.run_until_idle()
        relay.signal(Relay.go_on, 2)
        waits = relay.start_update(Relay.say, "end", id="last", wait_for_stage=WorkflowUpdateStage.COMPLETED)

        assert waits.get().result().get() == "end"
        assert relay.result().get() == ["2", "end"]
        assert len(runtime.recorded()) == 2


@pytest.mark.parametrize("stage", [WorkflowUpdateStage.ADMITTED, WorkflowUpdateStage.COMPLETED])
def test_an_update_of_one_run_alone_is_not_taken_by_the_next_one(stage: WorkflowUpdateStage) -> None:
    with TestRuntime(workflows=[Relay]) as runtime:
        relay = runtime.start_workflow(Relay.run, 1, id="relay").get()
        runtime.run_until_idle()
        first = runtime.get_workflow_handle("relay", run_id=relay.run_id)
        relay.signal(Relay.go_on, 2)
        asked = first.start_update(Relay.say, "end", id="last", wait_for_stage=stage)

        if stage is WorkflowUpdateStage.ADMITTED:
            with pytest.raises(WorkflowUpdateFailedError) as failed:
                asked.get().result().get()
            assert getattr(failed.value.cause, "type", "") == "AdmittedUpdateCompletedWorkflow"
            with pytest.raises(WorkflowUpdateFailedError):
                first.get_update_handle("last").result().get()
        else:
            with pytest.raises(WorkflowClosedError, match="CONTINUED_AS_NEW"):
                asked.get()
        assert check(runtime.hands.journal) == []
        relay.execute_update(Relay.say, "end").get()
        assert relay.result().get() == ["2", "end"]


def test_an_update_of_one_run_alone_that_waits_while_it_is_suspended_ends_with_it() -> None:
    with TestRuntime(workflows=[Relay]) as runtime:
        relay = runtime.start_workflow(Relay.run, 1, id="relay").get()
        first = runtime.get_workflow_handle("relay", run_id=relay.run_id)
        relay.suspend("for a while").get()
        relay.signal(Relay.go_on, 2).get()
        asked = first.start_update(Relay.say, "end", id="last", wait_for_stage=WorkflowUpdateStage.ADMITTED).get()
        runtime.crash()
        runtime.get_workflow_handle("relay").resume().get()

        with pytest.raises(WorkflowUpdateFailedError):
            runtime.get_workflow_handle("relay", run_id=relay.run_id).get_update_handle(asked.id).result().get()


def test_a_run_that_goes_on_as_new_while_handlers_are_at_work_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with TestRuntime(workflows=[Relay]) as runtime, caplog.at_level(logging.WARNING, "greenroom"):
        relay = runtime.start_workflow(Relay.run, 1, id="relay").get()
        relay.signal(Relay.linger).get()
        relay.signal(Relay.go_on, 2).get()
        runtime.run_until_idle()

        assert any("while a handler was at work" in record.message for record in caplog.records)
        relay.terminate().get()


def test_the_next_run_has_the_limits_and_the_policy_of_this_one_unless_it_is_given_others() -> None:
    with TestRuntime(workflows=[facts]) as runtime:
        begun, policy = runtime.clock.now_ns(), RetryPolicy(maximum_attempts=7)

        result = runtime.execute_workflow(facts, 1, run_timeout=25, execution_timeout=90, retry_policy=policy).get()
        kept = runtime.execute_workflow(facts, 3, run_timeout=25, execution_timeout=90, retry_policy=policy).get()

        assert result == [timedelta(seconds=30), timedelta(seconds=90), None, 1, True]
        assert kept == [timedelta(seconds=25), timedelta(seconds=90), 7, 1, False]
        assert runtime.clock.now_ns() - begun == (20 + 20 + 5 + 20 + 20) * 10**9


def test_the_limit_of_a_chain_goes_on_over_its_runs_and_that_of_a_run_begins_anew() -> None:
    with TestRuntime(workflows=[shifts]) as runtime:
        begun = runtime.clock.now_ns()

        with pytest.raises(WorkflowFailureError) as failed:
            runtime.execute_workflow(shifts, 0, run_timeout=25, execution_timeout=90).get()

        assert isinstance(failed.value.cause, TimeoutError)
        assert runtime.clock.now_ns() - begun == 90 * 10**9
        assert len(runtime.recorded()) == 5


@workflow.defn
async def long_lived(runs: int) -> int:
    """Reads until it is told that its history is long."""
    channel, read = workflow.signal_channel(), 0
    while not workflow.info().is_continue_as_new_suggested():
        await channel.receive("page", result_type=str)
        read += 1
    if runs > 1:
        workflow.continue_as_new(runs - 1)
    return read


@workflow.defn
async def waits_for_length() -> list[int]:
    info = workflow.info()
    await workflow.sleep(1)
    kept = [info.history_length, info.get_current_history_length()]
    await workflow.wait_condition(info.is_continue_as_new_suggested)
    return kept


@workflow.defn
async def asks_twice() -> list[bool]:
    first = workflow.info()
    told = [workflow.info() is first]
    workflow.upsert_search_attributes([SearchAttributeKey.for_int("pages").value_set(1)])
    told.append(workflow.info() is first)
    second = workflow.info()
    await workflow.sleep(1)
    return [*told, workflow.info() is second]


def test_what_a_run_is_told_of_itself_is_made_once_until_it_is_another_thing() -> None:
    with TestRuntime(workflows=[asks_twice]) as runtime:
        assert runtime.wait(runtime.execute_workflow(asks_twice)) == [True, False, False]


def test_what_a_run_was_told_of_itself_stays_and_what_it_asks_is_as_it_is_now() -> None:
    with TestRuntime(workflows=[waits_for_length]) as runtime:
        handle = runtime.start_workflow(waits_for_length, id="waits").get()
        runtime.advance(1)
        for _ in range(18):
            handle.signal("page", "x" * 10**6).get()

        assert handle.result().get() == [1, 2]


@workflow.defn
async def keeps_info() -> int:
    info = workflow.info()
    await workflow.signal_channel().receive("go")
    await workflow.sleep(1)
    return info.get_current_history_length()


def test_what_a_run_has_kept_of_itself_answers_for_the_run_that_a_reset_has_made_too() -> None:
    with TestRuntime(workflows=[keeps_info]) as runtime:
        handle = runtime.start_workflow(keeps_info, id="keeps").get()
        handle.signal("other").get()

        again = handle.reset(to=1).get()
        again.signal("go").get()

        assert again.result().get() == again.describe().get().history_length == 5


def test_a_run_is_told_when_its_history_is_long_and_the_next_one_begins_anew() -> None:
    with TestRuntime(workflows=[long_lived]) as runtime:
        reader = runtime.start_workflow(long_lived, 2, id="reader").get()
        for _ in range(36):
            reader.signal("page", "x" * 10**6).get()

        assert reader.result().get() == 18
        assert len(runtime.recorded()) == 2
