"""A run that has failed is repeated by another one, as its retry policy says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom import ApplicationError, RetryPolicy, WorkflowExecutionStatus, WorkflowFailureError, workflow
from greenroom.runtime.core.messages import SignalReceived, encode_message
from greenroom.storage import check
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once

POLICY = RetryPolicy(initial_interval=10, maximum_attempts=3)


@workflow.defn
class Stubborn:
    """Fails until its attempt is the one that is wanted."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @workflow.run
    async def run(self, attempt: int, kind: str = "") -> list[object]:
        info = workflow.info()
        if kind == "slow" and info.attempt < attempt:
            await workflow.sleep(3600)
        if kind == "late":
            await workflow.sleep(70)
        if info.attempt < attempt:
            raise ApplicationError("not yet", type=kind or None, non_retryable=kind == "final")
        if kind == "waits":
            await workflow.wait_condition(lambda: self.said != [])
        failure = workflow.get_last_failure()
        if kind == "goes on":
            workflow.continue_as_new(1)
        return [info.attempt, info.first_run_id == info.run_id, str(failure), self.said]

    @workflow.signal
    def say(self, word: str) -> None:
        self.said.append(word)


@workflow.defn(name="repeats.looking_back")
async def looking_back(seen: list[Any]) -> list[Any]:
    """What each run of a chain is told of the one before: the first, one that goes on as new, one that repeats it."""
    seen.append(
        [workflow.has_last_completion_result(), workflow.get_last_completion_result(int), workflow.get_last_failure()]
    )
    if len(seen) == 1:
        workflow.continue_as_new(seen)
    if workflow.info().attempt == 1:
        raise ApplicationError("not yet")
    return [*seen[:-1], [*seen[-1][:2], str(seen[-1][2])]]


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Stubborn], **options)


def test_a_failed_run_and_one_that_went_on_leave_no_result_and_a_failure_alone() -> None:
    with TestRuntime(workflows=[looking_back]) as runtime:
        seen: list[Any] = []
        result = runtime.execute_workflow(looking_back, seen, retry_policy=POLICY).get()

        assert result == [[False, None, None], [False, None, "not yet"]]
        replay_every_prefix(runtime)


@pytest.mark.parametrize("evict", [False, True])
def test_a_run_that_fails_is_repeated_after_a_growing_wait(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        begun = runtime.clock.now_ns()

        result = runtime.execute_workflow(Stubborn.run, 3, id="x", retry_policy=POLICY).get()

        assert result == [3, False, "not yet", []]
        assert runtime.clock.now_ns() - begun == 30 * 10**9
        assert [WorkflowExecutionStatus(run.header.status).name for run in runtime.recorded()] == [
            "FAILED",
            "FAILED",
            "COMPLETED",
        ]
        assert check(runtime.hands.journal) == []


def test_a_run_that_goes_on_as_new_repeats_nothing_and_knows_of_no_failure() -> None:
    with make() as runtime:
        result = runtime.execute_workflow(Stubborn.run, 2, "goes on", id="x", retry_policy=POLICY).get()

        assert result == [1, False, "None", []]


@pytest.mark.parametrize(("attempt", "kind", "runs"), [(4, "", 3), (2, "final", 1), (2, "Never", 1)])
def test_what_is_not_to_be_repeated_fails_for_good(attempt: int, kind: str, runs: int) -> None:
    policy = RetryPolicy(initial_interval=10, maximum_attempts=3, non_retryable_error_types=["Never"])
    with make() as runtime:
        with pytest.raises(WorkflowFailureError, match="not yet"):
            runtime.execute_workflow(Stubborn.run, attempt, kind, id="x", retry_policy=policy).get()

        assert len(runtime.recorded()) == runs


def test_without_a_policy_nothing_is_repeated() -> None:
    with make() as runtime:
        with pytest.raises(WorkflowFailureError, match="not yet"):
            runtime.execute_workflow(Stubborn.run, 2).get()

        assert len(runtime.recorded()) == 1


def test_a_run_that_is_over_its_own_limit_is_repeated_and_one_over_that_of_its_chain_is_not() -> None:
    with make() as runtime:
        late = runtime.execute_workflow(Stubborn.run, 2, "slow", id="late", run_timeout=60, retry_policy=POLICY)
        never = runtime.execute_workflow(
            Stubborn.run, 9, "slow", id="never", execution_timeout=90, retry_policy=RetryPolicy(initial_interval=5)
        )

        assert late.get()[0] == 2
        with pytest.raises(WorkflowFailureError):
            never.get()
        assert len([run for run in runtime.recorded() if run.header.workflow_id == "never"]) == 1


def test_a_repetition_that_the_limit_of_the_chain_leaves_no_time_for_is_not_begun() -> None:
    with make() as runtime:
        policy = RetryPolicy(initial_interval=40)
        limited = runtime.start_workflow(Stubborn.run, 3, "late", id="x", retry_policy=policy, execution_timeout=100)

        with pytest.raises(WorkflowFailureError, match="not yet"):
            limited.get().result().get()
        assert len(runtime.recorded()) == 1


@workflow.defn
async def stumbles() -> int:
    if workflow.info().attempt == 1:
        raise ValueError("a bug in the first turn")
    return workflow.info().attempt


def test_a_run_that_is_over_its_limit_before_its_first_turn_is_repeated_too() -> None:
    with TestRuntime(workflows=[stumbles]) as runtime:
        handle = runtime.start_workflow(stumbles, id="x", retry_policy=POLICY, run_timeout=60).get()
        runtime.run_until_idle()
        assert handle.describe().get().status is WorkflowExecutionStatus.SUSPENDED

        runtime.advance(timedelta(minutes=2))

        assert runtime.get_workflow_handle("x").result().get() == 2
        assert check(runtime.hands.journal) == []


def test_what_is_sent_while_a_repetition_is_waited_for_is_read_by_it() -> None:
    with make() as runtime:
        stubborn = runtime.start_workflow(Stubborn.run, 2, "waits", id="x", retry_policy=POLICY).get()
        runtime.run_until_idle()
        begun = runtime.clock.now_ns()
        stubborn.signal(Stubborn.say, "hello").get()
        runtime.run_until_idle()

        assert stubborn.describe().get().first_turn_time is not None
        assert stubborn.result().get() == [2, False, "waits: not yet", ["hello"]]
        assert runtime.clock.now_ns() - begun == 10 * 10**9


def test_a_request_to_end_that_the_end_of_the_run_overtakes_is_moot() -> None:
    with make() as runtime:
        handles = [
            runtime.start_workflow(Stubborn.run, 2, "waits", id=name, retry_policy=POLICY).get()
            for name in ("ends by itself", "is terminated")
        ]
        runtime.run_until_idle()
        for handle in handles:
            handle.signal(Stubborn.say, "hello").get()
            handle.cancel("too late").get()
        handles[1].terminate("enough").get()

        assert handles[0].result().get() == [2, False, "waits: not yet", ["hello"]]
        assert handles[1].describe().get().status is WorkflowExecutionStatus.TERMINATED
        assert [letter.message for letter in runtime.hands.journal.dead_letters()] == [
            encode_message(SignalReceived("say", runtime.hands.converter.encode_args(("hello",))))
        ]
        assert check(runtime.hands.journal) == []


def test_what_is_sent_to_a_run_that_is_over_its_limit_while_its_code_is_not_there_is_read_by_the_next() -> None:
    with make() as runtime:
        stubborn = runtime.start_workflow(Stubborn.run, 1, "waits", id="x", run_timeout=60, retry_policy=POLICY).get()
        stubborn.suspend().get()
        stubborn.signal(Stubborn.say, "hello").get()
        runtime.advance(61)

        assert check(runtime.hands.journal) == []
        assert stubborn.result().get() == [2, False, "run timeout passed", ["hello"]]
        assert runtime.hands.journal.dead_letters() == []


def test_wherever_the_process_dies_a_run_is_repeated_as_often_as_its_policy_says() -> None:
    def scenario(runtime: TestRuntime) -> object:
        return start_once(runtime, Stubborn.run, 3, id="x", retry_policy=POLICY).result().get()

    assert crash_sweep(scenario, make=make).points > 6


def test_what_is_no_policy_is_refused() -> None:
    with make() as runtime:
        wrong: Any = timedelta(seconds=1)
        with pytest.raises(TypeError, match="give a RetryPolicy"):
            runtime.start_workflow(Stubborn.run, 1, retry_policy=wrong)
