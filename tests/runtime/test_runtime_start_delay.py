"""A start may be delayed: the run is there at once, and begins when it is time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from greenroom import (
    ApplicationError,
    ParentClosePolicy,
    RetryPolicy,
    TerminatedError,
    TimeoutError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateStage,
    workflow,
)
from greenroom.actors import ManualClock
from greenroom.runtime.model.instants import instant
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once

HOUR = timedelta(hours=1)


@workflow.defn
async def posts(policy: ParentClosePolicy, says: bool) -> None:
    """Has a letter written in an hour, and goes when it has said a word to it or not."""
    letter = await workflow.start_child_workflow(
        Letter.run, 1, id="letter", start_delay=HOUR, parent_close_policy=policy
    )
    await workflow.sleep(60)
    if says:
        await letter.signal(Letter.say, "now")


@workflow.defn
class Letter:
    """Tells when it has begun, and what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun = 0

    @workflow.run
    async def run(self, wanted: int = 0) -> tuple[int, list[str]]:
        self.begun = workflow.time_ns()
        await workflow.wait_condition(lambda: len(self.said) >= wanted)
        return self.begun, self.said

    @workflow.signal
    def say(self, word: str) -> None:
        self.said.append(word)

    @workflow.update
    def ask(self, word: str) -> str:
        self.said.append(word)
        return word.upper()


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Letter, posts], **options)


@pytest.mark.parametrize("evict", [False, True])
def test_a_run_begins_when_its_delay_is_over_and_not_before(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        now = runtime.clock.now_ns()
        letter = runtime.start_workflow(Letter.run, id="letter", start_delay=HOUR).get()

        runtime.advance(HOUR - timedelta(seconds=1))
        assert check(runtime.hands.journal) == []
        described = letter.describe().get()
        assert described.history_length == 0
        assert described.first_turn_time is not None
        assert runtime.wait(letter.result())[0] == now + 3600 * 10**9
        assert check(runtime.hands.journal) == []


def test_a_delayed_run_begins_in_a_runtime_that_is_opened_later() -> None:
    store, clock = MemoryStore(), ManualClock()
    with make(store, clock=clock, check_leaks=False) as runtime:
        runtime.start_workflow(Letter.run, id="letter", start_delay=HOUR).get()
    clock.advance(7200)

    with make(store, clock=clock) as runtime:
        begun, said = runtime.wait(runtime.get_workflow_handle("letter", result_type=tuple[int, list[str]]).result())

    assert begun == clock.now_ns()
    assert said == []


@workflow.defn(name="start_delay.times")
async def times() -> list[datetime]:
    info = workflow.info()
    if info.attempt == 1:
        raise ApplicationError("again")
    return [info.workflow_start_time, info.start_time]


def test_a_run_that_begins_later_knows_when_it_was_asked_for_and_when_it_began() -> None:
    policy = RetryPolicy(initial_interval=timedelta(minutes=1), jitter=0)
    with TestRuntime(workflows=[times]) as runtime:
        started = instant(runtime.clock.now_ns())

        handle = runtime.start_workflow(times, start_delay=HOUR, retry_policy=policy).get()
        asked, began = handle.result().get()

        assert runtime.get_workflow_handle(handle.id).describe().get().start_time == asked
        assert [asked - started, began - asked] == [HOUR, timedelta(minutes=1)]
        replay_every_prefix(runtime)


@pytest.mark.parametrize("evict", [False, True])
def test_a_signal_or_an_update_ends_the_delay(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        now = runtime.clock.now_ns()
        signalled = runtime.start_workflow(Letter.run, 1, id="signalled", start_delay=HOUR).get()
        updated = runtime.start_workflow(Letter.run, 1, id="updated", start_delay=HOUR).get()
        runtime.run_until_idle()

        signalled.signal(Letter.say, "now").get()
        answer = updated.start_update(Letter.ask, "now", wait_for_stage=WorkflowUpdateStage.COMPLETED).get()

        assert answer.result().get() == "NOW"
        assert signalled.result().get() == (now, ["now"])
        assert updated.result().get() == (now, ["now"])
        assert runtime.clock.now_ns() == now


@pytest.mark.parametrize("evict", [False, True])
def test_a_signal_of_another_workflow_ends_the_delay(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        now = runtime.clock.now_ns()
        runtime.start_workflow(posts, ParentClosePolicy.ABANDON, True).get()
        runtime.advance(120)

        assert runtime.get_workflow_handle("letter").result().get() == (now + 60 * 10**9, ["now"])


@pytest.mark.parametrize("evict", [False, True])
def test_a_delayed_run_is_terminated_with_its_parent_and_not_when_its_delay_is_over(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        runtime.start_workflow(posts, ParentClosePolicy.TERMINATE, False).get()
        runtime.advance(120)

        letter = runtime.get_workflow_handle("letter").describe().get()
        assert letter.status is WorkflowExecutionStatus.TERMINATED


@pytest.mark.parametrize("failures", [1, 3])
def test_a_delayed_run_whose_first_turn_cannot_be_written_begins_once(failures: int) -> None:
    with make() as runtime:
        letter = runtime.start_workflow(Letter.run, 1, start_delay=HOUR).get()
        for number in range(failures):
            runtime.store.fail_commit(number + 1)
        runtime.advance(HOUR + timedelta(seconds=10))
        letter.signal(Letter.say, "once").get()

        assert runtime.wait(letter.result())[1] == ["once"]
        (run,) = runtime.recorded()
        assert [type(message).__name__ for message in run.messages()] == ["WorkflowStarted", "SignalReceived"]


def test_a_delayed_run_can_be_terminated_and_asked_to_end_and_times_out() -> None:
    with make() as runtime:
        first, second, third = (
            runtime.start_workflow(Letter.run, 1, id=name, start_delay=HOUR, run_timeout=timeout).get()
            for name, timeout in (("first", None), ("second", None), ("third", 60))
        )
        first.terminate(reason="no more").get()
        second.cancel("enough").get()

        with pytest.raises(WorkflowFailureError) as ended:
            first.result().get()
        assert isinstance(ended.value.cause, TerminatedError)
        with pytest.raises(WorkflowFailureError, match="cancelled"):
            second.result().get()
        with pytest.raises(WorkflowFailureError) as timed_out:
            third.result().get()
        assert isinstance(timed_out.value.cause, TimeoutError)
        assert check(runtime.hands.journal) == []


def test_wherever_the_process_dies_a_delayed_run_begins_once() -> None:
    def scenario(runtime: TestRuntime) -> object:
        letter = start_once(runtime, Letter.run, id="letter", start_delay=HOUR)
        return letter.result().get()[1]

    assert crash_sweep(scenario, make=make).points >= 4


@workflow.defn
async def begins_again(again: bool = True) -> int:
    if again:
        workflow.continue_as_new(False)
    return workflow.time_ns()


def test_a_run_that_was_delayed_goes_on_as_new_without_a_delay() -> None:
    with TestRuntime(workflows=[begins_again]) as runtime:
        begun = runtime.clock.now_ns()

        ended = runtime.execute_workflow(begins_again, id="x", start_delay=HOUR).get()

        assert ended - begun == HOUR // timedelta(microseconds=1) * 1_000
