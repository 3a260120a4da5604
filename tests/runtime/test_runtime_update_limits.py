"""A run has so many updates under way and in all as the runtime allows, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom import Future, Runtime, WorkflowUpdateLimitError, WorkflowUpdateStage, workflow
from greenroom.runtime.model.errors import JournalError
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime

ADMITTED = WorkflowUpdateStage.ADMITTED


class Patience:
    """What tells whether the code has its bug."""

    has_bug = False


@pytest.fixture(autouse=True)
def _no_bug() -> None:
    Patience.has_bug = False


@workflow.defn(name="limits.desk")
class Desk:
    def __init__(self) -> None:
        self.may_end, self.is_closing = 0, False
        self.seen: list[bool] = []

    @workflow.run
    async def run(self, goes_on: bool = False) -> list[bool]:
        await workflow.wait_condition(lambda: self.is_closing)
        if goes_on:
            workflow.continue_as_new(False)
        return self.seen

    @workflow.update
    async def wait(self) -> int:
        self.seen.append(workflow.info().is_continue_as_new_suggested())
        while not self.may_end:
            await workflow.wait_condition(lambda: self.may_end > 0)
        self.may_end -= 1
        return self.may_end

    @workflow.signal
    def let(self, number: int) -> None:
        if Patience.has_bug:
            raise LookupError("cannot take it")
        self.may_end += number

    @workflow.signal
    def close(self) -> None:
        self.is_closing = True

    @workflow.query
    def asked(self) -> int:
        return len(self.seen)


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Desk], **options)


def start(runtime: TestRuntime, goes_on: bool = False) -> Any:
    return runtime.wait(runtime.start_workflow(Desk.run, goes_on, id="desk"))


def ask(runtime: TestRuntime, update_id: str) -> Future[int]:
    return runtime.get_workflow_handle("desk").execute_update(Desk.wait, id=update_id)


def refusal(runtime: TestRuntime, future: Future[Any]) -> WorkflowUpdateLimitError:
    with pytest.raises(WorkflowUpdateLimitError) as caught:
        runtime.wait(future)
    return caught.value


@pytest.mark.parametrize("evict", [False, True])
def test_what_is_above_the_limit_under_way_is_refused_at_once_and_leaves_no_trace(evict: bool) -> None:
    with make(max_updates_in_flight=2, evict_after_every_turn=evict) as runtime:
        handle = start(runtime)
        under_way = [ask(runtime, "1"), ask(runtime, "2")]
        runtime.run_until_idle()
        before, commits = runtime.wait(handle.fetch_history()).kinds(), runtime.store.commits
        error = refusal(runtime, ask(runtime, "3"))

        assert (error.limit, error.is_retryable, error.run_id) == (2, True, handle.run_id)
        assert (runtime.wait(handle.fetch_history()).kinds(), runtime.store.commits) == (before, commits)
        assert runtime.wait(handle.query(Desk.asked)) == 2
        runtime.wait(handle.signal(Desk.let, 1))
        assert runtime.wait(under_way[0]) == 0
        under_way.append(ask(runtime, "3"))
        assert refusal(runtime, ask(runtime, "4")).limit == 2
        runtime.wait(handle.signal(Desk.let, 2))
        assert [runtime.wait(each) for each in under_way[1:]] == [1, 0]


def test_of_those_that_come_together_so_many_are_taken_as_there_is_room_for() -> None:
    with make(max_updates_in_flight=3, auto_skip=False) as runtime:
        start(runtime)
        together = [ask(runtime, str(number)) for number in range(5)]
        runtime.run_until_idle()

        assert [each.done() for each in together] == [False] * 3 + [True] * 2
        assert {refusal(runtime, each).is_retryable for each in together[3:]} == {True}


@pytest.mark.parametrize("reopened", [False, True])
def test_limits_are_kept_after_a_crash(reopened: bool) -> None:
    with make(max_updates_in_flight=2, max_updates=3) as runtime:
        handle = start(runtime)
        runtime.wait(handle.signal(Desk.let, 1))
        assert runtime.wait(ask(runtime, "0")) == 0
        ask(runtime, "1")
        runtime.run_until_idle()
        if reopened:
            runtime.crash()
        ask(runtime, "2")
        assert refusal(runtime, ask(runtime, "3")).is_total
        runtime.crash()
        assert refusal(runtime, ask(runtime, "3")).is_total

        handle = runtime.get_workflow_handle("desk", result_type=list[bool])
        runtime.wait(handle.signal(Desk.let, 2))
        assert [runtime.wait(ask(runtime, each)) for each in "12"] == [1, 0]


def test_above_the_limit_in_all_another_try_makes_sense_while_updates_are_under_way_and_not_behind_them() -> None:
    with make(max_updates_in_flight=2, max_updates=2) as runtime:
        handle = start(runtime)
        pinned = runtime.get_workflow_handle("desk", run_id=handle.run_id)
        for update_id in "12":
            ask(runtime, update_id)
        runtime.run_until_idle()

        under_way = [refusal(runtime, each.execute_update(Desk.wait)) for each in (handle, pinned)]
        runtime.wait(handle.signal(Desk.let, 2))
        runtime.run_until_idle()
        idle = refusal(runtime, ask(runtime, "3"))

        assert [each.is_total for each in (*under_way, idle)] == [True] * 3
        assert [each.is_retryable for each in (*under_way, idle)] == [True, False, False]


@workflow.defn(name="limits.account")
class Account:
    """Goes on as new when it is told that it should, once its handlers have ended."""

    @workflow.init
    def __init__(self, total: int = 0) -> None:
        self.total, self.may_end = total, False

    @workflow.run
    async def run(self, total: int = 0) -> None:
        await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self.total)

    @workflow.update
    async def add(self, amount: int) -> int:
        await workflow.sleep(1)
        self.total += amount
        return self.total


def test_who_tries_again_as_the_error_says_reaches_the_runs_that_go_on() -> None:
    with TestRuntime(workflows=[Account], max_updates=3) as runtime:
        account = runtime.wait(runtime.start_workflow(Account.run, id="account"))
        todo, tries, answers = {str(number) for number in range(8)}, 0, list[int]()
        while todo:
            tries += 1
            asked = {each: account.execute_update(Account.add, 1, id=each) for each in sorted(todo)}
            for update_id, future in asked.items():
                try:
                    answers.append(runtime.wait(future))
                    todo.remove(update_id)
                except WorkflowUpdateLimitError as error:
                    if not error.is_retryable:
                        raise
            runtime.run_until_idle()

        assert (sorted(answers), tries) == (list(range(1, 9)), 3)
        runtime.wait(account.terminate())


def test_an_update_that_the_run_has_is_not_refused_however_full_it_is() -> None:
    with make(max_updates_in_flight=1, max_updates=1) as runtime:
        handle = start(runtime)
        asked = [ask(runtime, "1"), ask(runtime, "1")]
        runtime.run_until_idle()
        runtime.hands.directory.evict()
        admitted = runtime.wait(handle.start_update(Desk.wait, id="1", wait_for_stage=ADMITTED))
        runtime.wait(handle.signal(Desk.let, 1))

        assert [runtime.wait(each) for each in (*asked, admitted.result(), ask(runtime, "1"))] == [0] * 4
        assert refusal(runtime, ask(runtime, "2")).limit == 1


@pytest.mark.parametrize("is_in_memory", [True, False])
def test_what_is_admitted_counts_before_it_is_taken(is_in_memory: bool) -> None:
    def admit(runtime: TestRuntime, update_id: str) -> Future[Any]:
        handle = runtime.get_workflow_handle("desk")
        return handle.start_update(Desk.wait, id=update_id, wait_for_stage=ADMITTED)

    with make(max_updates_in_flight=2) as runtime:
        start(runtime)
        ask(runtime, "0")
        runtime.run_until_idle()
        if not is_in_memory:
            runtime.hands.directory.evict()
        admitted = [admit(runtime, "1"), admit(runtime, "2")]

        assert runtime.wait(admitted[0]).id == "1"
        assert refusal(runtime, admitted[1]).is_retryable
        # The id is free: nothing of it is left behind.
        assert refusal(runtime, admit(runtime, "2")).is_retryable
        runtime.wait(runtime.get_workflow_handle("desk").signal(Desk.let, 3))
        assert runtime.wait(ask(runtime, "2")) == 0
        assert check(runtime.hands.journal) == []


def test_a_suspended_run_keeps_so_many_as_there_is_room_for() -> None:
    store = MemoryStore()
    with make(store, max_updates_in_flight=2) as runtime:
        handle = start(runtime)
        Patience.has_bug = True
        runtime.wait(handle.signal(Desk.let, 9))
        runtime.run_until_idle()
        for update_id in ("1", "2"):
            runtime.wait(handle.start_update(Desk.wait, id=update_id, wait_for_stage=ADMITTED))

        assert refusal(runtime, ask(runtime, "3")).limit == 2
        runtime.wait(handle.start_update(Desk.wait, id="2", wait_for_stage=ADMITTED))
        assert runtime.wait(handle.describe()).waiting_messages == 3
    Patience.has_bug = False
    with make(store, max_updates_in_flight=2) as runtime:
        assert [runtime.wait(ask(runtime, each)) for each in "123"] == [8, 7, 6]


def test_one_that_was_admitted_and_then_rejected_makes_room_for_one_and_no_more() -> None:
    with make(max_updates_in_flight=1) as runtime:
        handle = start(runtime)
        runtime.wait(handle.suspend())
        runtime.wait(handle.start_update("nobody", id="0", wait_for_stage=ADMITTED))
        assert refusal(runtime, ask(runtime, "1")).limit == 1
        runtime.wait(handle.resume())
        runtime.run_until_idle()
        first = ask(runtime, "1")

        assert refusal(runtime, ask(runtime, "2")).limit == 1
        runtime.wait(handle.signal(Desk.let, 1))
        assert runtime.wait(first) == 0


def test_the_next_run_of_a_chain_begins_to_count_anew() -> None:
    with make(max_updates=2) as runtime:
        handle = start(runtime, goes_on=True)
        runtime.wait(handle.signal(Desk.let, 2))
        assert [runtime.wait(ask(runtime, each)) for each in "12"] == [1, 0]
        assert not refusal(runtime, ask(runtime, "3")).is_retryable
        runtime.wait(handle.signal(Desk.close))
        runtime.wait(handle.signal(Desk.let, 2))

        assert [runtime.wait(ask(runtime, each)) for each in "12"] == [1, 0]
        assert not refusal(runtime, ask(runtime, "3")).is_retryable


def test_a_run_is_told_to_go_on_as_new_near_its_limit_and_a_replay_under_another_limit_says_the_same() -> None:
    store = MemoryStore()
    with make(store, max_updates=10) as runtime:
        handle = start(runtime)
        runtime.wait(handle.signal(Desk.let, 10))
        for number in range(10):
            runtime.wait(ask(runtime, str(number)))
    with make(store, max_updates=1000) as runtime:
        handle = runtime.get_workflow_handle("desk", result_type=list[bool])
        runtime.wait(handle.signal(Desk.let, 1))
        runtime.wait(ask(runtime, "more"))
        runtime.wait(handle.signal(Desk.close))

        assert runtime.wait(handle.result()) == [False] * 8 + [True] * 3


def test_a_run_that_cannot_be_counted_takes_nothing_and_its_ids_stay_free() -> None:
    with make(max_updates_in_flight=1) as runtime:
        handle = start(runtime)
        runtime.run_until_idle()
        runtime.hands.directory.evict()
        runtime.store.fail_read(1)
        with pytest.raises(JournalError):
            runtime.wait(handle.start_update(Desk.wait, id="1", wait_for_stage=ADMITTED))
        runtime.wait(handle.signal(Desk.let, 1))

        assert runtime.wait(ask(runtime, "1")) == 0


def test_what_is_no_limit_is_refused() -> None:
    for option in ("max_updates_in_flight", "max_updates"):
        for wrong, error in [(0, ValueError), (1.5, TypeError), (True, TypeError), (None, TypeError)]:
            options: Any = {option: wrong}
            with pytest.raises(error, match=option):
                Runtime("somewhere", **options)
