"""A run whose code has a bug: restarted with growing waits, then suspended, and taken up again, with or without the
message that it stopped at."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from greenroom import Runtime, Supervision, WorkflowUpdateStage, activity, workflow
from greenroom.runtime.core.messages import SignalReceived, decode_message
from greenroom.runtime.model.errors import WorkflowSuspendedError
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.runtime.rig import WAIT, error_of

RUNNING, SUSPENDED = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.SUSPENDED

broken: list[str] = []
"""Words that the code below cannot take now."""


@activity.defn(name="supervision.echo")
def echo(word: str) -> str:
    return word


@workflow.defn(name="supervision.words")
class Words:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self, wanted: int = 3) -> list[str]:
        self.take("start")
        await workflow.wait_condition(lambda: len(self.words) >= wanted)
        return self.words

    @workflow.signal
    async def say(self, word: str) -> None:
        self.take(word)
        self.words.append(word)

    @workflow.signal
    async def ask(self, word: str) -> None:
        answer = await workflow.execute_activity(echo, word)
        self.take(f"answer {answer}")
        self.words.append(answer)

    @workflow.signal
    async def wait(self, seconds: int) -> None:
        await workflow.sleep(seconds)
        self.take("timer")
        self.words.append("timer")

    @workflow.update
    def count(self) -> int:
        return len(self.words)

    @workflow.query
    def said(self) -> list[str]:
        return list(self.words)

    def take(self, word: str) -> None:
        if word in broken:
            raise LookupError(f"cannot take {word}")


@pytest.fixture(autouse=True)
def mended() -> None:
    broken.clear()


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    options.setdefault("check_leaks", False)
    options.setdefault("supervision", Supervision())
    return TestRuntime(store, workflows=[Words], activities=[echo], **options)


def start(runtime: TestRuntime, wanted: int = 3) -> Any:
    return runtime.wait(runtime.start_workflow(Words.run, wanted, id="words"))


def status(runtime: TestRuntime, handle: Any) -> WorkflowExecutionStatus:
    described = handle.describe()
    while not described.done():
        assert runtime.step()
    found: WorkflowExecutionStatus = described.get().status
    return found


def test_a_run_is_restarted_with_growing_waits_and_then_suspended(caplog: pytest.LogCaptureFixture) -> None:
    broken.append("poison")
    with make(auto_skip=False) as runtime, caplog.at_level(logging.WARNING, "greenroom"):
        handle = start(runtime)
        began_ns = runtime.clock.now_ns()
        runtime.wait(handle.signal(Words.say, "poison"))
        waits: list[float] = []
        while status(runtime, handle) is RUNNING:
            assert runtime.next_deadline_ns is not None
            waits.append((runtime.next_deadline_ns - runtime.clock.now_ns()) / 1e9)
            runtime.clock.advance_to(runtime.next_deadline_ns)
            runtime.run_until_idle()

        assert waits == [0.2, 0.4, 0.8]
        assert runtime.clock.now_ns() - began_ns == 1_400_000_000
        with pytest.raises(WorkflowSuspendedError, match="cannot take poison"):
            runtime.wait(handle.result())
    told = [record.getMessage() for record in caplog.records]
    assert [line.startswith("workflow 'words'") and "is restarted in" in line for line in told] == [True] * 3 + [False]


def test_a_bug_that_goes_away_costs_a_restart_and_loses_nothing() -> None:
    broken.append("a")
    with make(auto_skip=False) as runtime:
        handle = start(runtime)
        runtime.wait(handle.signal(Words.say, "a"))
        described = runtime.wait(handle.describe())
        assert (described.status, described.restarts) == (RUNNING, 1)
        assert "cannot take a" in described.suspended_error
        broken.clear()
        runtime.advance(1)
        for word in "bc":
            runtime.wait(handle.signal(Words.say, word))

        assert runtime.wait(handle.result()) == ["a", "b", "c"]
        assert runtime.wait(handle.describe()).suspended_error is None
        replay_every_prefix(runtime)


def test_mail_that_comes_before_the_restart_is_on_disk_and_keeps_its_order() -> None:
    store = MemoryStore()
    broken.append("a")
    with make(store, auto_skip=False) as runtime:
        handle = start(runtime, wanted=4)
        for word in "abc":
            runtime.wait(handle.signal(Words.say, word))
        assert len(runtime.hands.journal.waiting()) == 3
        broken.clear()
        runtime.crash()
        handle = runtime.get_workflow_handle("words")
        runtime.wait(handle.signal(Words.say, "d"))

        assert runtime.wait(handle.result()) == ["a", "b", "c", "d"]


def test_what_it_stopped_at_is_taken_first_though_its_row_came_later() -> None:
    @workflow.defn(name="supervision.sender")
    async def sender() -> None:
        await workflow.get_external_workflow_handle("words").signal(Words.say, "from a run")

    broken.append("first")
    with TestRuntime(workflows=[Words, sender], activities=[echo], auto_skip=False, check_leaks=False) as runtime:
        handle = start(runtime, wanted=2)
        runtime.hands.dispatcher.sweep()
        handle.signal(Words.say, "first")
        # The row of the run's signal is numbered in the sweep in which the client's is decided.
        runtime.start_workflow(sender, id="sender")
        runtime.run_until_idle()
        assert status(runtime, handle) is SUSPENDED
        broken.clear()
        runtime.wait(handle.resume())

        assert runtime.wait(handle.result()) == ["first", "from a run"]


def test_while_it_waits_for_its_restart_it_is_asked_by_its_history_and_can_be_ended() -> None:
    broken.append("poison")
    with make(auto_skip=False) as runtime:
        handle = start(runtime)
        runtime.wait(handle.signal(Words.say, "a"))
        runtime.wait(handle.signal(Words.say, "poison"))

        assert runtime.wait(handle.query(Words.said)) == ["a"]
        admitted = runtime.wait(handle.start_update(Words.count, wait_for_stage=WorkflowUpdateStage.ADMITTED))
        waiting = handle.execute_update(Words.count)
        runtime.run_until_idle()
        assert not waiting.done()
        runtime.wait(handle.terminate(reason="enough"))
        assert status(runtime, handle) is WorkflowExecutionStatus.TERMINATED
        assert "before the update was taken" in str(error_of(admitted.result()))
        assert waiting.exception() is not None
        runtime.advance(10)


def test_an_update_that_waits_for_a_restart_is_answered_after_it() -> None:
    broken.append("poison")
    with make(auto_skip=False) as runtime:
        handle = start(runtime)
        runtime.wait(handle.signal(Words.say, "poison"))
        waiting = handle.execute_update(Words.count)
        runtime.run_until_idle()
        broken.clear()
        runtime.advance(1)

        assert waiting.get() == 1


def test_restarts_are_counted_within_the_period_only() -> None:
    broken.append("poison")
    with make(auto_skip=False, supervision=Supervision(max_restarts=1, period=10)) as runtime:
        handle = start(runtime)
        for _ in range(3):
            broken[:] = ["poison"]
            runtime.wait(handle.signal(Words.say, "poison"))
            broken.clear()
            runtime.advance(11)
        assert runtime.wait(handle.result()) == ["poison"] * 3


def test_no_restarts_at_all_suspend_at_the_first_bug() -> None:
    broken.append("poison")
    with make(auto_skip=False, supervision=Supervision(max_restarts=0)) as runtime:
        handle = start(runtime)
        runtime.wait(handle.signal(Words.say, "poison"))

        assert status(runtime, handle) is SUSPENDED


def test_a_bug_in_the_first_turn_is_restarted_too_and_the_start_is_not_lost() -> None:
    broken.append("start")
    with make(auto_skip=False) as runtime:
        handle = start(runtime, wanted=0)
        assert status(runtime, handle) is RUNNING
        broken.clear()
        runtime.advance(1)

        assert runtime.wait(handle.result()) == []


def test_a_signal_with_a_bug_suspends_the_run_and_is_taken_after_resume_with_mended_code() -> None:
    store = MemoryStore()
    broken.append("poison")
    with make(store) as runtime:
        handle = start(runtime, wanted=2)
        runtime.wait(handle.signal(Words.say, "poison"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())
        runtime.wait(handle.signal(Words.say, "behind"))
        broken.clear()
        runtime.wait(handle.resume())

        assert runtime.wait(handle.result()) == ["poison", "behind"]
        replay_every_prefix(runtime)


def test_a_bug_that_passes_a_finally_that_waits_is_told_after_it() -> None:
    @workflow.defn(name="supervision.tidy")
    async def tidy() -> None:
        try:
            raise LookupError("a bug")
        finally:
            await workflow.execute_activity(echo, "cleaned up")

    with TestRuntime(workflows=[tidy], activities=[echo], check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(tidy, id="tidy"))
        with pytest.raises(WorkflowSuspendedError, match="a bug"):
            runtime.wait(handle.result())

        assert runtime.wait(handle.fetch_history()).kinds() == ["WorkflowStarted", "ActivityScheduled"]


# Without the message.


@pytest.mark.parametrize("is_reopened", [False, True])
def test_a_run_can_go_on_without_the_message_that_it_stopped_at(
    is_reopened: bool, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    broken.append("poison")
    with make(store, evict_after_every_turn=True) as runtime:
        handle = start(runtime, wanted=2)
        runtime.wait(handle.signal(Words.say, "poison"))
        runtime.wait(handle.signal(Words.say, "a"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())
        assert "handle.resume(skip=True) goes on without what it stopped at (SignalReceived 'say')." in caplog.text
        if is_reopened:
            runtime.crash()
            handle = runtime.get_workflow_handle("words")
        assert runtime.wait(handle.describe()).stopped_at == "SignalReceived 'say'"
        runtime.wait(handle.resume(skip=True))
        assert "goes on without a message (SignalReceived 'say'); what waits for it waits on" in caplog.text
        runtime.wait(handle.signal(Words.say, "b"))

        assert runtime.wait(handle.result()) == ["a", "b"]
        [letter] = runtime.hands.journal.dead_letters()
        skipped = decode_message(letter.message)
        assert isinstance(skipped, SignalReceived)
        assert (skipped.name, letter.reason) == ("say", "skipped: the code of its run could not take it")
        [event] = [event for event in runtime.wait(handle.fetch_history()).events if event.kind == "MessageSkipped"]
        assert event.facts == {"message": "SignalReceived", "name": "say", "args": ["poison"]}
        replay_every_prefix(runtime)


def test_the_outcome_of_an_activity_can_be_skipped_and_what_waited_for_it_waits_on() -> None:
    broken.append("answer x")
    with make() as runtime:
        handle = start(runtime, wanted=1)
        runtime.wait(handle.signal(Words.ask, "x"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())
        assert runtime.wait(handle.describe()).stopped_at == "ActivityCompleted #1"
        runtime.wait(handle.resume(skip=True))
        runtime.run_until_idle()
        found = runtime.wait(handle.describe())
        assert (found.pending_activities, found.stopped_at) == ([], None)
        runtime.crash()
        handle = runtime.get_workflow_handle("words")
        runtime.wait(handle.signal(Words.say, "a"))

        assert runtime.wait(handle.result()) == ["a"]
        replay_every_prefix(runtime)


def test_a_timer_can_be_skipped_and_does_not_fire_again() -> None:
    broken.append("timer")
    with make() as runtime:
        handle = start(runtime, wanted=1)
        runtime.wait(handle.signal(Words.wait, 5))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())
        assert runtime.wait(handle.describe()).stopped_at == "TimerFired #1"
        runtime.wait(handle.resume(skip=True))
        assert runtime.wait(handle.describe()).pending_timers == []
        runtime.advance(timedelta(days=1))
        runtime.wait(handle.signal(Words.say, "a"))

        assert runtime.wait(handle.result()) == ["a"]
        replay_every_prefix(runtime)


def test_while_it_waits_for_its_restart_the_message_can_be_skipped() -> None:
    broken.append("poison")
    with make(auto_skip=False) as runtime:
        handle = start(runtime, wanted=1)
        runtime.wait(handle.signal(Words.say, "poison"))
        runtime.wait(handle.resume(skip=True))
        runtime.wait(handle.signal(Words.say, "a"))

        assert runtime.wait(handle.result()) == ["a"]


def test_there_is_not_always_a_message_to_skip(caplog: pytest.LogCaptureFixture) -> None:
    broken.append("start")
    with make() as runtime:
        handle = start(runtime)
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())
        assert runtime.wait(handle.describe()).stopped_at == "WorkflowStarted"
        assert "skip=True" not in caplog.text
        with pytest.raises(ValueError, match="cannot skip its start"):
            runtime.wait(handle.resume(skip=True))
        broken.clear()
        runtime.wait(handle.resume())
        with pytest.raises(ValueError, match="there is nothing to skip"):
            runtime.wait(handle.resume(skip=True))


def test_a_marker_moves_nothing_in_the_run_not_even_its_clock() -> None:
    @workflow.defn(name="supervision.clock")
    class Clock:
        @workflow.run
        async def run(self) -> str:
            until = workflow.now() + timedelta(seconds=60)
            await workflow.wait_condition(lambda: workflow.now() >= until)
            return await workflow.execute_activity(echo, "late")

        @workflow.signal
        def bad(self) -> None:
            raise LookupError("a bug")

        @workflow.signal
        def wake(self) -> None:
            """Has the condition asked."""

    with TestRuntime(workflows=[Clock], activities=[echo]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Clock.run, id="clock"))
        runtime.advance(100)
        runtime.wait(handle.signal(Clock.bad))
        runtime.wait(handle.resume(skip=True))
        runtime.run_until_idle()
        assert runtime.wait(handle.describe()).status is RUNNING
        runtime.wait(handle.signal(Clock.wake))

        assert runtime.wait(handle.result()) == "late"
        replay_every_prefix(runtime)


def test_what_it_stopped_at_stays_first_if_the_process_dies_after_the_resume() -> None:
    store = MemoryStore()
    broken.append("first")
    with make(store, auto_skip=False, supervision=Supervision(max_restarts=0)) as runtime:
        handle = start(runtime, wanted=2)
        handle.signal(Words.say, "first")
        # Its row comes before that of the signal, which is kept only when its turn fails.
        admitted = handle.start_update(Words.count, id="u", wait_for_stage=WorkflowUpdateStage.ADMITTED)
        runtime.run_until_idle()
        assert admitted.done()
        broken.clear()
        handle.resume()
        # The run is brought back, and the process dies before it has taken anything.
        while runtime.wait(handle.describe()).status is SUSPENDED:
            assert runtime.step()
        runtime.crash()
        handle = runtime.get_workflow_handle("words")
        runtime.run_until_idle()

        assert runtime.wait(handle.get_update_handle("u").result()) == 1


def test_a_run_that_waits_for_its_restart_is_not_brought_back_sooner_by_an_opening_that_goes_on() -> None:
    broken.append("start")
    with make(auto_skip=False) as runtime:
        handle = runtime.start_workflow(Words.run, id="words")
        runtime.run_until_idle()
        assert handle.done()

        assert runtime.wait(runtime.get_workflow_handle("words").describe()).restarts == 1


def test_a_skip_that_cannot_be_written_changes_nothing() -> None:
    broken.append("poison")
    with make() as runtime:
        handle = start(runtime, wanted=1)
        runtime.wait(handle.signal(Words.say, "poison"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())
        runtime.store.fail_commit(1)
        assert error_of(handle.resume(skip=True)) is not None
        runtime.run_until_idle()
        runtime.advance(10)
        assert runtime.wait(handle.describe()).status is SUSPENDED
        runtime.wait(handle.resume(skip=True))
        runtime.wait(handle.signal(Words.say, "a"))

        assert runtime.wait(handle.result()) == ["a"]


# The value.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_restarts": -1}, "give 0 to 1000"),
        ({"max_restarts": 1.5}, "give a whole number"),
        ({"backoff_coefficient": 0.5}, "1 or more"),
        ({"backoff_coefficient": "2"}, "give a number"),
        ({"period": None}, "period is None"),
        ({"max_restarts": 10, "period": 5}, "no run would ever be suspended"),
    ],
)
def test_a_supervision_that_makes_no_sense_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        Supervision(**options)


def test_a_real_runtime_restarts_and_suspends_and_other_runs_go_on() -> None:
    broken.append("poison")
    supervision = Supervision(max_restarts=2, period=5, initial_interval=0.01)
    with Runtime.in_memory(workflows=[Words], activities=[echo], supervision=supervision) as runtime:
        sick, sound = (runtime.start_workflow(Words.run, 1, id=name).get(timeout=WAIT) for name in ("sick", "sound"))
        sick.signal(Words.say, "poison").get(timeout=WAIT)
        sound.signal(Words.say, "a").get(timeout=WAIT)

        assert sound.result().get(timeout=WAIT) == ["a"]
        assert isinstance(error_of(sick.result()), WorkflowSuspendedError)
