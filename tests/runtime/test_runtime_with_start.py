"""A signal or an update that goes with a start: both are on disk, or neither."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom import (
    JournalError,
    ParentClosePolicy,
    WorkflowAlreadyStartedError,
    WorkflowFailureError,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
    workflow,
)
from greenroom.storage import check
from greenroom.testing import TestRuntime, crash_sweep, start_once

FAIL, USE, TERMINATE = (
    WorkflowIDConflictPolicy.FAIL,
    WorkflowIDConflictPolicy.USE_EXISTING,
    WorkflowIDConflictPolicy.TERMINATE_EXISTING,
)
ACCEPTED, COMPLETED = WorkflowUpdateStage.ACCEPTED, WorkflowUpdateStage.COMPLETED


@workflow.defn
class Cart:
    """Collects until it is closed; says in which order things happened."""

    def __init__(self) -> None:
        self.log: list[str] = ["init"]
        self.is_closed = False

    @workflow.run
    async def run(self, owner: str = "nobody") -> list[str]:
        self.log.append(f"run {owner}")
        await workflow.wait_condition(lambda: self.is_closed)
        return self.log

    @workflow.signal
    def add(self, item: str) -> None:
        self.log.append(item)
        self.is_closed = self.is_closed or item == "close"

    @workflow.update
    async def put(self, item: str) -> int:
        if item == "wait":
            await workflow.wait_condition(lambda: "go" in self.log)
        self.log.append(item)
        return len(self.log)

    @put.validator
    def check(self, item: str) -> None:
        if item == "bad":
            raise ValueError("not in this shop")


@workflow.defn
async def sends(cart: str, items: list[str]) -> None:
    for item in items:
        await workflow.signal_with_start(Cart.run, "by a workflow", id=cart, signal=Cart.add, signal_args=[item])


@workflow.defn
async def channel() -> str:
    word: str = await workflow.signal_channel().receive("word", result_type=str)
    return word


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Cart, sends, channel], **options)


@pytest.mark.parametrize("evict", [False, True])
def test_a_signal_that_goes_with_a_start_is_heard_before_the_main_function_begins(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        cart = runtime.signal_with_start(Cart.run, "Ada", id="cart", signal=Cart.add, signal_args=["tea"]).get()
        again = runtime.signal_with_start(Cart.run, "Bob", id="cart", signal=Cart.add, signal_args=["close"]).get()

        assert again.run_id == cart.run_id
        assert cart.result().get() == ["init", "tea", "run Ada", "close"]
        assert check(runtime.hands.journal) == []


def test_a_signal_that_goes_with_a_start_stands_behind_it_in_the_history() -> None:
    with make() as runtime:
        by_client = runtime.signal_with_start(Cart.run, "Ada", id="cart", signal=Cart.add, signal_args=["tea"]).get()
        sender = runtime.start_workflow(sends, "other", ["milk"], id="sender").get()
        sender.result().get()

        for handle, facts in [
            (by_client, {"name": "add", "args": ["tea"]}),
            (runtime.get_workflow_handle("other"), {"name": "add", "args": ["milk"], "sender": "sender"}),
        ]:
            events = handle.fetch_history().get().events
            assert [(each.number, each.turn, each.kind) for each in events[:2]] == [
                (1, 0, "WorkflowStarted"),
                (2, 0, "SignalReceived"),
            ]
            assert events[1].facts == facts
        asked = sender.fetch_history().get().events[1]
        assert (asked.kind, asked.facts["name"], asked.facts["args"]) == ("SignalWithStartInitiated", "add", ["milk"])


def test_a_signal_that_goes_with_a_start_waits_for_a_reader() -> None:
    with make() as runtime:
        handle = runtime.signal_with_start(channel, id="x", signal="word", signal_args=["hello"]).get()

        assert handle.result().get() == "hello"


def test_a_signal_of_who_waits_for_the_result_alone_survives_a_commit_that_fails() -> None:
    with make() as runtime:
        runtime.start_workflow(Cart.run, "Ada", id="cart").get()
        runtime.store.fail_commit()

        log = runtime.execute_workflow(Cart.run, id="cart", start_signal=Cart.add, start_signal_args=["close"])

        assert log.get() == ["init", "run Ada", "close"]


def test_policies_say_what_becomes_of_an_open_or_an_ended_run() -> None:
    with make() as runtime:
        runtime.start_workflow(Cart.run, id="cart").get()
        with pytest.raises(WorkflowAlreadyStartedError):
            runtime.start_workflow(
                Cart.run, id="cart", start_signal=Cart.add, start_signal_args=["x"], id_conflict_policy=FAIL
            ).get()
        other = runtime.start_workflow(
            Cart.run, "new", id="cart", start_signal=Cart.add, start_signal_args=["close"], id_conflict_policy=TERMINATE
        ).get()
        assert other.result().get() == ["init", "close", "run new"]
        with pytest.raises(WorkflowAlreadyStartedError):
            runtime.signal_with_start(
                Cart.run,
                id="cart",
                signal="add",
                signal_args=["x"],
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            ).get()


@pytest.mark.parametrize("evict", [False, True])
def test_a_workflow_signals_another_that_is_started_if_need_be(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        runtime.execute_workflow(sends, "cart", ["tea", "milk", "close"]).get()

        assert runtime.get_workflow_handle("cart").result().get() == [
            "init",
            "tea",
            "run by a workflow",
            "milk",
            "close",
        ]


@pytest.mark.parametrize("evict", [False, True])
def test_a_workflow_signals_the_run_whose_start_is_of_the_same_sweep(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        runtime.start_workflow(sends, "cart", ["tea", "close"])
        started = runtime.start_workflow(Cart.run, "by a client", id="cart")

        assert started.get().result().get() == ["init", "run by a client", "tea", "close"]
        assert check(runtime.hands.journal) == []


def test_a_start_and_what_a_workflow_says_to_it_are_lost_together() -> None:
    with make() as runtime:
        runtime.start_workflow(sends, "cart", ["tea", "close"], id="sender")
        started = runtime.start_workflow(Cart.run, "by a client", id="cart")
        runtime.store.fail_commit()

        with pytest.raises(JournalError):
            started.get()
        runtime.start_workflow(sends, "cart", ["tea", "close"])
        again = runtime.wait(runtime.start_workflow(Cart.run, "once more", id="cart"))

        assert again.result().get() == ["init", "run once more", "tea", "close"]
        assert check(runtime.hands.journal) == []


def test_wherever_the_process_dies_a_workflow_signals_with_start_once() -> None:
    def scenario(runtime: TestRuntime) -> object:
        start_once(runtime, sends, "cart", ["tea", "milk", "close"], id="sender").result().get()
        return runtime.get_workflow_handle("cart").result().get()

    assert crash_sweep(scenario, make=make).points > 4


@pytest.mark.parametrize("evict", [False, True])
def test_an_update_that_goes_with_a_start_is_taken_by_the_new_run_or_by_the_open_one(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        first = runtime.update_with_start(
            Cart.run, "Ada", id="cart", id_conflict_policy=USE, update=Cart.put, update_args=["tea"]
        ).get()
        second = runtime.update_with_start(
            Cart.run, "Bob", id="cart", id_conflict_policy=USE, update=Cart.put, update_args=["milk"]
        ).get()

        assert (first.result().get(), second.result().get()) == (3, 4)
        assert second.run_id == first.run_id


def with_start(runtime: TestRuntime, conflict: WorkflowIDConflictPolicy, item: str, **options: Any) -> Any:
    return runtime.update_with_start(
        *(Cart.run, "new"), id="cart", id_conflict_policy=conflict, update=Cart.put, update_args=[item], **options
    )


def test_an_update_id_that_the_run_has_is_attached_to_whatever_the_policies_say() -> None:
    with make() as runtime:
        cart = runtime.start_workflow(Cart.run, "old", id="cart").get()
        cart.execute_update(Cart.put, "tea", id="done").get()
        cart.start_update(Cart.put, "wait", id="under way", wait_for_stage=ACCEPTED).get()

        assert with_start(runtime, FAIL, "other", update_id="done").get().result().get() == 3
        under_way = with_start(runtime, FAIL, "other", update_id="under way")
        with pytest.raises(WorkflowAlreadyStartedError):
            with_start(runtime, FAIL, "other", update_id="new").get()
        cart.signal(Cart.add, "go").get()
        assert under_way.get().result().get() == 5
        assert with_start(runtime, USE, "more", update_id="new").get().result().get() == 6


def test_a_run_that_has_ended_gives_what_it_completed_and_makes_room_for_what_it_did_not() -> None:
    with make() as runtime:
        cart = runtime.start_workflow(Cart.run, "old", id="cart").get()
        cart.execute_update(Cart.put, "tea", id="done").get()
        unfinished = cart.start_update(Cart.put, "wait", id="accepted", wait_for_stage=ACCEPTED).get()
        cart.signal(Cart.add, "close").get()
        with pytest.raises(WorkflowUpdateFailedError):
            unfinished.result().get()

        assert with_start(runtime, FAIL, "other", update_id="done").get().result().get() == 3
        reject = WorkflowIDReusePolicy.REJECT_DUPLICATE
        with pytest.raises(WorkflowAlreadyStartedError):
            with_start(runtime, USE, "other", update_id="fresh", id_reuse_policy=reject).get()
        assert with_start(runtime, USE, "other", update_id="fresh").get().result().get() == 3


def test_the_start_stands_though_the_update_is_rejected() -> None:
    with make() as runtime:
        rejected = with_start(runtime, USE, "bad").get()

        with pytest.raises(WorkflowUpdateFailedError, match="not in this shop"):
            rejected.result().get()
        cart = runtime.get_workflow_handle("cart")
        cart.signal("add", "close").get()
        assert cart.result().get() == ["init", "run new", "close"]


def test_wherever_the_process_dies_start_and_update_are_both_there_or_neither() -> None:
    def scenario(runtime: TestRuntime) -> object:
        handle = with_start(runtime, USE, "tea", update_id="once").get()
        return handle.result().get()

    assert crash_sweep(scenario, make=make).points >= 4


def test_what_is_said_of_children_alone_is_no_option_of_a_signal_with_start_from_inside() -> None:
    @workflow.defn
    async def tries() -> None:
        options: Any = {"parent_close_policy": ParentClosePolicy.ABANDON}
        await workflow.signal_with_start(Cart.run, id="cart", signal=Cart.add, signal_args=["tea"], **options)

    told = "no option 'parent_close_policy' of signal_with_start"
    runtime = TestRuntime(workflows=[Cart, tries], failure_exception_types=[TypeError])
    with runtime, pytest.raises(WorkflowFailureError, match=told):
        runtime.execute_workflow(tries).get()


def test_what_is_left_out_or_makes_no_sense_is_refused() -> None:
    with make() as runtime:
        with pytest.raises(ValueError, match="needs id_conflict_policy="):
            runtime.update_with_start(Cart.run, id="cart", update=Cart.put, update_args=["x"])
        with pytest.raises(ValueError, match="needs id="):
            runtime.update_with_start(Cart.run, id_conflict_policy=USE, update=Cart.put, update_args=["x"])
        with pytest.raises(TypeError, match="say which signal"):
            runtime.start_workflow(Cart.run, id="cart", start_signal_args=["x"])
        with pytest.raises(TypeError, match="start_signal_args is 'x'; give a list"):
            runtime.start_workflow(Cart.run, id="cart", start_signal=Cart.add, start_signal_args="x")
        with pytest.raises(TypeError, match=r"signal_args is 'x'; give a list .* signal_args=\['x'\]"):
            runtime.signal_with_start(Cart.run, id="cart", signal=Cart.add, signal_args="x")
        with pytest.raises(TypeError, match="update_args is 'x'; give a list"):
            runtime.update_with_start(Cart.run, id="cart", id_conflict_policy=USE, update=Cart.put, update_args="x")
        with pytest.raises(TypeError, match="misses item"):
            runtime.start_workflow(Cart.run, id="cart", start_signal=Cart.add)
        with pytest.raises(WorkflowFailureError):
            runtime.execute_workflow("channel", run_timeout=1).get()
