"""A workflow goes on from an earlier turn of its run, as another run in the place of that one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from greenroom import (
    CopiedRun,
    NondeterminismError,
    ResetReapplyType,
    RetryPolicy,
    Runtime,
    TerminatedError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowSuspendedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
    workflow,
)
from greenroom.storage import MemoryStore, Tree, check
from greenroom.storage.keys import TURN_KEY, Kind
from greenroom.testing import TestRuntime, crash_sweep, start_once
from tests.runtime.copied import Steps, begun, make, performed, work

STATUS = WorkflowExecutionStatus


@pytest.fixture(autouse=True)
def _forget_what_was_performed() -> None:
    performed.clear()


@pytest.mark.parametrize("evict", [False, True])
def test_what_was_answered_by_then_is_kept_and_the_rest_is_performed_anew(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        steps = begun(runtime, "x")

        again = steps.reset(to=1).get()
        runtime.run_until_idle()
        steps.signal(Steps.hear, "end").get()

        assert again.result().get() == ["A", "B", "x", "end"]
        assert performed == ["a", "b", "b"]
        assert check(runtime.hands.journal) == []


def test_the_run_before_is_terminated_and_the_workflow_is_the_new_one() -> None:
    with make() as runtime:
        steps = begun(runtime)
        waiting = steps.result()

        again = steps.reset(to="last", reason="to try").get()
        old = runtime.get_workflow_handle("steps", run_id=steps.run_id)
        with pytest.raises(WorkflowFailureError) as ended:
            old.result(follow_runs=False).get()
        steps.signal(Steps.hear, "end").get()

        assert (str(ended.value.cause), type(ended.value.cause)) == ("reset to turn 2: to try", TerminatedError)
        assert old.describe().get().status is STATUS.TERMINATED
        assert again.run_id != steps.run_id
        assert again.describe().get().first_run_id == again.first_execution_run_id == steps.run_id
        assert waiting.get() == old.result().get() == ["A", "B", "end"]


def test_it_is_told_where_a_run_comes_from() -> None:
    with make() as runtime:
        steps = begun(runtime)

        again = steps.reset(to=1, reason="to try").get()
        found = again.describe().get()
        events = again.fetch_history().get().events

        assert found.copied_from == CopiedRun("steps", str(steps.run_id), 1, "to try")
        facts = {"workflow": "steps", "run": steps.run_id, "turn": 1, "reason": "to try"}
        assert [(event.turn, event.facts) for event in events if event.kind == "HistoryCopied"] == [(2, facts)]
        old = runtime.get_workflow_handle("steps", run_id=steps.run_id).fetch_history().get().events[-1]
        assert (old.kind, old.facts["next_run"]) == ("WorkflowReset", again.run_id)
        again.terminate().get()


def test_a_run_that_has_failed_is_repaired() -> None:
    with make() as runtime:
        steps = begun(runtime, "fail")
        with pytest.raises(WorkflowFailureError):
            steps.result().get()

        steps.reset(to="last", reapply=ResetReapplyType.NONE).get()
        steps.signal(Steps.hear, "end").get()

        assert steps.result().get() == ["A", "B", "end"]
        assert performed == ["a", "b"]
        statuses = [STATUS(run.header.status) for run in runtime.recorded()]
        assert statuses == [STATUS.FAILED, STATUS.COMPLETED]


def test_a_run_that_has_failed_is_repaired_while_its_repetition_is_waited_for() -> None:
    with make() as runtime:
        policy = RetryPolicy(initial_interval=3600, maximum_attempts=2)
        steps = begun(runtime, "fail", retry_policy=policy)
        waiting = steps.result()
        steps.signal(Steps.hear, "x").get()
        failed = runtime.get_workflow_handle("steps", run_id=steps.run_id)

        failed.reset(to="last", reapply=ResetReapplyType.NONE).get()
        steps.signal(Steps.hear, "end").get()

        # What the repetition was sent and had not read goes on.
        assert waiting.get() == ["A", "B", "x", "end"]
        statuses = [STATUS(run.header.status) for run in runtime.recorded()]
        assert statuses == [STATUS.FAILED, STATUS.TERMINATED, STATUS.COMPLETED]
        assert check(runtime.hands.journal) == []


def version(*, has_bug: bool) -> type:
    @workflow.defn(name="Versioned")
    class Versioned:
        def __init__(self) -> None:
            self.sum = 0

        @workflow.run
        async def run(self) -> int:
            await workflow.wait_condition(lambda: self.sum > 9)
            return self.sum

        @workflow.signal
        def add(self, number: int) -> None:
            if has_bug and number == 3:
                raise ValueError("three is too much")
            self.sum += number - 1 if has_bug else number

    return Versioned


def test_a_suspended_run_goes_on_from_before_its_bug_with_all_its_mail() -> None:
    store = MemoryStore()
    with make(version(has_bug=True), store=store) as runtime:
        sums = runtime.start_workflow("Versioned", id="sums").get()
        for number in (2, 3, 4):
            sums.signal("add", number).get()
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(sums.result())
    with make(version(has_bug=False), store=store) as runtime:
        sums = runtime.get_workflow_handle("sums")

        sums.reset(to=0).get()
        sums.signal("add", 1).get()

        assert runtime.wait(sums.result()) == 2 + 3 + 4 + 1
        assert check(runtime.hands.journal) == []


@pytest.mark.parametrize(
    ("reapply", "heard"),
    [
        (ResetReapplyType.SIGNAL, ["x", "z"]),
        (ResetReapplyType.NONE, []),
        (ResetReapplyType.ALL_ELIGIBLE, ["x", "y", "z"]),
    ],
)
def test_the_mail_that_came_later_is_given_to_the_new_run(reapply: ResetReapplyType, heard: list[str]) -> None:
    with make() as runtime:
        steps = begun(runtime, "x")
        steps.start_update(Steps.tell, "y", wait_for_stage=WorkflowUpdateStage.ACCEPTED).get()
        steps.signal(Steps.hear, "z").get()

        again = steps.reset(to=2, reapply=reapply).get()
        runtime.run_until_idle()

        assert again.query(Steps.state).get()[0] == heard
        again.terminate().get()


def test_who_waits_for_an_update_that_was_taken_by_then_hears_of_it_from_the_new_run() -> None:
    with make() as runtime:
        steps = begun(runtime)
        update = steps.start_update(Steps.tell, "y", wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="tell").get()
        told = update.result()

        steps.reset(to=3).get()
        steps.signal(Steps.hear, "end").get()

        assert told.get() == 2
        assert steps.get_update_handle("tell").result().get() == 2


@pytest.mark.parametrize("reapply", [ResetReapplyType.NONE, ResetReapplyType.ALL_ELIGIBLE])
def test_the_handle_of_an_update_that_a_reset_has_taken_along_follows_it(reapply: ResetReapplyType) -> None:
    with make() as runtime:
        steps = begun(runtime)
        # Taken by the turn of the reset, or told again by it.
        turn = 3 if reapply is ResetReapplyType.NONE else 2
        update = steps.start_update(Steps.tell, "y", wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="tell").get()

        steps.reset(to=turn, reapply=reapply).get()
        early = update.result()
        steps.reset(to=turn if reapply is ResetReapplyType.NONE else 1, reapply=reapply).get()
        late = update.result()
        runtime.run_until_idle()
        steps.signal(Steps.hear, "end").get()

        assert update.run_id == steps.run_id
        assert [early.get(), late.get(), update.result().get()] == [2, 2, 2]


def test_the_handle_of_an_update_that_a_reset_has_left_behind_tells_that_its_run_has_ended() -> None:
    with make() as runtime:
        steps = begun(runtime)
        update = steps.start_update(Steps.tell, "y", wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="tell").get()

        again = steps.reset(to=2).get()

        with pytest.raises(WorkflowUpdateFailedError, match="AcceptedUpdateCompletedWorkflow"):
            update.result().get()
        again.terminate().get()


def test_a_signal_with_a_key_that_was_heard_by_then_is_not_heard_again() -> None:
    with make() as runtime:
        steps = begun(runtime)
        steps.signal(Steps.hear, "x", idempotency_key="first").get()

        again = steps.reset(to="last").get()
        again.signal(Steps.hear, "y", idempotency_key="first").get()

        assert again.query(Steps.state).get()[0] == ["x"]
        again.terminate().get()


@workflow.defn
class Sleeper:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self) -> list[float]:
        begun = workflow.time_ns()
        await workflow.sleep(100)
        woken = workflow.time_ns()
        await workflow.sleep(100)
        return [(woken - begun) / 1e9, (workflow.time_ns() - begun) / 1e9]

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)


@pytest.mark.parametrize(("waited", "expected"), [(40, [100, 200]), (150, [150, 250])])
def test_timers_are_due_when_they_were(waited: int, expected: list[float]) -> None:
    with make(Sleeper) as runtime:
        sleeper = runtime.start_workflow(Sleeper.run, id="sleeper").get()
        runtime.advance(waited)

        again = sleeper.reset(to=0).get()

        assert runtime.wait(again.result()) == expected


def test_limits_of_time_count_from_the_reset() -> None:
    with make() as runtime:
        limit = timedelta(seconds=60)
        steps = begun(runtime, execution_timeout=limit)
        runtime.advance(50)

        again = steps.reset(to=1).get()
        runtime.advance(50)
        steps.signal(Steps.hear, "end").get()

        assert again.result().get() == ["A", "B", "end"]


@workflow.defn
async def impatient() -> str:
    options: Any = {"schedule_to_close_timeout": 60, "retry_policy": RetryPolicy(maximum_attempts=1)}
    await workflow.sleep(1)
    result: str = await workflow.execute_activity(work, "slow", **options)
    await workflow.sleep(1000)
    return result


def test_an_activity_that_is_performed_anew_has_all_its_time() -> None:
    with make(impatient) as runtime:
        run = runtime.start_workflow(impatient, id="impatient").get()
        runtime.advance(500)

        again = run.reset(to=1).get()

        assert runtime.wait(again.result()) == "SLOW"
        assert performed == ["slow", "slow"]


@workflow.defn
class Changed:
    @workflow.run
    async def run(self, *steps: str) -> list[str]:
        await workflow.sleep(1)
        return []


def test_code_that_does_not_fit_the_turns_suspends_the_new_run_under_its_own_name() -> None:
    store = MemoryStore()
    with make(store=store) as runtime:
        old = begun(runtime, "x").run_id
    changed = workflow.defn(name="Steps")(Changed)
    with TestRuntime(store, workflows=[changed], activities=[work]) as runtime:
        steps = runtime.get_workflow_handle("steps")

        again = steps.reset(to=2).get()
        with pytest.raises(WorkflowSuspendedError):
            again.result().get()
        why = str(again.describe().get().suspended_error)

        assert NondeterminismError.__name__ in why
        assert str(again.run_id) in why
        assert str(old) not in why
    with make(store=store) as runtime:
        steps = runtime.get_workflow_handle("steps")
        steps.signal(Steps.hear, "end").get()
        assert runtime.wait(steps.result()) == ["A", "B", "x", "end"]


def test_a_run_can_begin_anew() -> None:
    with make() as runtime:
        steps = begun(runtime, "x")

        again = steps.reset(to="start").get()
        runtime.run_until_idle()
        steps.signal(Steps.hear, "end").get()

        assert again.result().get() == ["A", "B", "x", "end"]
        assert performed == ["a", "b", "a", "b"]
        assert again.describe().get().copied_from == CopiedRun("steps", str(steps.run_id), -1)


def test_a_run_that_was_reset_can_be_reset() -> None:
    with make() as runtime:
        steps = begun(runtime, "x", "y")
        steps.reset(to=3).get()
        runtime.run_until_idle()

        before_it = steps.reset(to=1).get()
        runtime.run_until_idle()
        behind_it = steps.reset(to="last").get()
        steps.signal(Steps.hear, "end").get()

        assert behind_it.result().get() == ["A", "B", "x", "y", "end"]
        assert performed == ["a", "b", "b"]
        source = behind_it.describe().get().copied_from
        assert source is not None
        assert source.run_id == before_it.run_id
        assert check(runtime.hands.journal) == []


def test_a_reset_goes_back_to_before_damage() -> None:
    store = MemoryStore()
    with make(store=store) as runtime:
        begun(runtime, "x", "y")
        run_no = runtime.recorded()[0].run_no
    damaged = TURN_KEY.pack(run_no, Kind.TURN, 3)
    store.commit({Tree.RUNS: {damaged: b"no turn"}})
    runtime = make(store=store).open()
    steps = runtime.get_workflow_handle("steps")

    again = steps.reset(to=2).get()
    steps.signal(Steps.hear, "end").get()

    assert again.result().get() == ["A", "B", "end"]
    # What is damaged is still there.
    runtime.close(check_leaks=False)


def reset_once(runtime: TestRuntime) -> list[str]:
    steps = start_once(runtime, Steps.run, "a", "b", id="steps")
    runtime.run_until_idle()
    found = runtime.wait(steps.describe())
    if found.status is STATUS.RUNNING and found.copied_from is None:
        runtime.wait(steps.signal(Steps.hear, "x", idempotency_key="x"))
        steps = runtime.wait(steps.reset(to=1))
    if runtime.wait(steps.describe()).status is STATUS.RUNNING:
        runtime.wait(steps.signal(Steps.hear, "end", idempotency_key="end"))
    return runtime.wait(steps.result())


def test_a_reset_survives_a_crash_at_any_commit() -> None:
    swept = crash_sweep(reset_once, make=make)

    assert swept.points > 10


def repair_once(runtime: TestRuntime) -> list[str]:
    steps = start_once(runtime, Steps.run, "a", "b", id="steps")
    runtime.run_until_idle()
    if runtime.wait(steps.describe()).copied_from is None:
        if runtime.wait(steps.describe()).status is STATUS.RUNNING:
            runtime.wait(steps.signal(Steps.hear, "fail", idempotency_key="fail"))
        runtime.wait(steps.reset(to="last", reapply=ResetReapplyType.NONE))
    if runtime.wait(steps.describe()).status is STATUS.RUNNING:
        runtime.wait(steps.signal(Steps.hear, "end", idempotency_key="end"))
    return runtime.wait(steps.result())


def test_the_reset_of_a_run_that_has_ended_survives_a_crash_at_any_commit() -> None:
    swept = crash_sweep(repair_once, make=make)

    assert swept.points > 10


def test_a_reset_can_be_awaited() -> None:
    async def main() -> list[str]:
        async with Runtime.in_memory(workflows=[Steps], activities=[work]) as runtime:
            steps = await runtime.start_workflow(Steps.run, id="steps")
            again = await steps.reset(to="last")
            await again.signal(Steps.hear, "end")
            return await again.result()

    assert asyncio.run(main()) == ["end"]
