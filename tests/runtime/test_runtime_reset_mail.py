"""What a run was sent, when another one goes on from an earlier turn of it: all of it comes, and none of it twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom import (
    ApplicationError,
    ResetReapplyType,
    RetryPolicy,
    WorkflowHandle,
    WorkflowSuspendedError,
    workflow,
)
from greenroom.storage import check
from greenroom.testing import TestRuntime
from tests.runtime.copied import Steps, begun, make


def heard(runtime: TestRuntime, handle: WorkflowHandle[Any]) -> list[str]:
    runtime.run_until_idle()
    words: list[str] = handle.query(Steps.state).get()[0]
    handle.terminate().get()
    assert check(runtime.hands.journal) == []
    return words


@pytest.mark.parametrize("reapply", [ResetReapplyType.SIGNAL, ResetReapplyType.NONE])
def test_what_waits_for_a_suspended_run_goes_on_once(reapply: ResetReapplyType) -> None:
    with make() as runtime:
        steps = begun(runtime)
        steps.suspend().get()
        for word in ("x", "y"):
            steps.signal(Steps.hear, word).get()

        again = steps.reset(to=2, reapply=reapply).get()

        assert heard(runtime, again) == ["x", "y"]


def test_an_update_that_was_taken_later_and_comes_again_is_heard_of_by_who_waits() -> None:
    with make() as runtime:
        steps = begun(runtime)
        told = steps.execute_update(Steps.tell, "y", id="tell")
        runtime.run_until_idle()

        again = steps.reset(to=2, reapply=ResetReapplyType.ALL_ELIGIBLE).get()
        runtime.run_until_idle()
        again.signal(Steps.hear, "end").get()

        assert told.get() == 2


def test_what_comes_later_comes_to_the_new_run_once() -> None:
    with make() as runtime:
        steps = begun(runtime, "x")
        steps.signal(Steps.hear, "later", delay=60).get()

        again = steps.reset(to=2).get()
        runtime.advance(100)

        assert heard(runtime, again) == ["x", "later"]


broken: set[str] = set()


@workflow.defn
class Reader:
    """Reads what it was sent when it is told to go on a second time; fails at the first time while it is broken."""

    def __init__(self) -> None:
        self.told = 0

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.told > 0)
        if "reader" in broken:
            raise ApplicationError("broken")
        await workflow.wait_condition(lambda: self.told > 1)
        channel = workflow.signal_channel()
        words: list[str] = []
        while (word := channel.poll("word")) is not None:
            words.append(word)
        return words

    @workflow.signal
    def go_on(self) -> None:
        self.told += 1

    @workflow.update
    def count(self) -> int:
        return self.told


def test_an_update_that_had_its_outcome_by_then_keeps_it() -> None:
    with TestRuntime(workflows=[Reader]) as runtime:
        reader = runtime.start_workflow(Reader.run, id="reader").get()
        assert reader.execute_update(Reader.count, id="count").get() == 0
        reader.signal(Reader.go_on).get()

        again = reader.reset(to="last").get()
        runtime.run_until_idle()

        assert again.get_update_handle("count").result().get() == 0
        assert again.execute_update(Reader.count, id="count").get() == 0
        assert again.execute_update(Reader.count, id="another").get() == 1
        again.terminate().get()


@pytest.mark.parametrize(
    ("to", "reapply", "expected"),
    [
        (0, ResetReapplyType.SIGNAL, ["first", "second", "while it waits"]),
        (1, ResetReapplyType.SIGNAL, ["first", "second", "while it waits"]),
        (0, ResetReapplyType.NONE, ["while it waits"]),
        (1, ResetReapplyType.NONE, ["first", "while it waits"]),
    ],
)
def test_what_a_repetition_was_given_unread_does_not_come_twice(
    to: int, reapply: ResetReapplyType, expected: list[str]
) -> None:
    policy = RetryPolicy(initial_interval=timedelta(hours=1), maximum_attempts=2)
    with TestRuntime(workflows=[Reader]) as runtime:
        reader = runtime.start_workflow(Reader.run, id="reader", retry_policy=policy).get()
        for word in ("first", "second"):
            reader.signal("word", word).get()
        failed = runtime.get_workflow_handle("reader", run_id=reader.run_id)
        failed.signal("nobody reads it", "and it does not go on").get()
        broken.add("reader")
        reader.signal(Reader.go_on).get()
        broken.clear()
        reader.signal("word", "while it waits").get()

        mended = failed.reset(to=to, reapply=reapply).get()
        for _ in range(1 if reapply is ResetReapplyType.SIGNAL else 2):
            mended.signal(Reader.go_on).get()

        assert runtime.wait(mended.result()) == expected
        assert check(runtime.hands.journal) == []


@workflow.defn
class Fussy:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.words)
        return self.words

    @workflow.signal
    def hear(self, word: str) -> None:
        if word == "bug":
            raise KeyError(word)
        self.words.append(word)


def test_a_signal_that_was_skipped_does_not_come_again() -> None:
    with TestRuntime(workflows=[Fussy]) as runtime:
        fussy = runtime.start_workflow(Fussy.run, id="fussy").get()
        fussy.signal(Fussy.hear, "x").get()
        fussy.signal(Fussy.hear, "bug").get()
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(fussy.result())
        fussy.resume(skip=True).get()
        fussy.signal(Fussy.hear, "y").get()

        again = fussy.reset(to=0).get()
        again.signal(Fussy.hear, "end").get()

        assert runtime.wait(again.result()) == ["x", "y", "end"]
