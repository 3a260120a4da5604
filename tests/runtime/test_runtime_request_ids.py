"""A start that is asked for again under the same request id starts nothing, whatever has become of the run."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from greenroom import (
    Runtime,
    WorkflowAlreadyStartedError,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    workflow,
)
from greenroom.runtime.model.errors import JournalError
from greenroom.storage import MemoryStore, WriteError, check
from greenroom.testing import Crash, TestRuntime
from tests.runtime.rig import WAIT, FaultyStore, error_of, runtime_on

USE, REPLACE = WorkflowIDConflictPolicy.USE_EXISTING, WorkflowIDConflictPolicy.TERMINATE_EXISTING
NEVER = WorkflowIDReusePolicy.REJECT_DUPLICATE


@workflow.defn(name="requests.cart")
class Cart:
    def __init__(self) -> None:
        self.texts: list[str] = []

    @workflow.run
    async def run(self, owner: str, enough: int = 0) -> list[str]:
        await workflow.wait_condition(lambda: len(self.texts) >= enough)
        return [owner, *self.texts]

    @workflow.signal
    def add(self, text: str) -> None:
        self.texts.append(text)

    @workflow.update
    def put(self, text: str) -> int:
        self.texts.append(text)
        return len(self.texts)


@workflow.defn(name="requests.goes_on")
async def goes_on(times: int) -> str:
    async def put(text: str) -> str:
        return text

    workflow.set_update_handler("put", put)
    await workflow.signal_channel().receive("next")
    if times:
        workflow.continue_as_new(times - 1)
    return "ended"


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Cart, goes_on], **options)


def start(runtime: Any, owner: str, request_id: str, enough: int = 0, **options: Any) -> Any:
    return runtime.start_workflow(Cart.run, owner, enough, id="cart", request_id=request_id, **options)


def test_the_request_that_has_started_a_run_is_described_of_it_and_of_no_run_that_goes_on() -> None:
    with make() as runtime:
        first = runtime.wait(runtime.start_workflow(goes_on, 1, id="x", request_id="1"))
        other = runtime.wait(runtime.start_workflow(goes_on, 0, id="y"))
        runtime.wait(first.signal("next"))
        runtime.run_until_idle()

        pinned = runtime.get_workflow_handle("x", run_id=first.run_id)
        assert runtime.wait(pinned.describe()).request_id == "1"
        assert [runtime.wait(each.describe()).request_id for each in (first, other)] == [None, None]


@pytest.mark.parametrize("options", [{}, {"id_reuse_policy": NEVER}, {"id_conflict_policy": REPLACE}])
@pytest.mark.parametrize("enough", [0, 1])
def test_a_request_that_is_repeated_gives_its_run_open_or_ended_whatever_the_policies_say(
    enough: int, options: Any
) -> None:
    with make() as runtime:
        first = runtime.wait(start(runtime, "Ada", "1", enough))
        runtime.run_until_idle()
        again = runtime.wait(start(runtime, "Bob", "1", enough, **options))

        assert (again.run_id, again.first_execution_run_id) == (first.run_id, first.run_id)
        if enough:
            runtime.wait(again.signal(Cart.add, "tea"))
        assert runtime.wait(again.result())[0] == "Ada"
        assert runtime.hands.journal.header(2) is None


def test_another_request_is_governed_by_the_policies_and_takes_nothing_from_the_first() -> None:
    with make() as runtime:
        first = runtime.wait(start(runtime, "Ada", "1", 1))
        with pytest.raises(WorkflowAlreadyStartedError):
            runtime.wait(start(runtime, "Bob", "2", 1))
        assert runtime.wait(start(runtime, "Bob", "2", 1, id_conflict_policy=USE)).run_id == first.run_id
        other = runtime.wait(start(runtime, "Bob", "2", 1, id_conflict_policy=REPLACE))

        assert other.run_id != first.run_id
        assert runtime.wait(start(runtime, "Cy", "1")).run_id == first.run_id
        assert runtime.wait(start(runtime, "Cy", "2")).run_id == other.run_id
        elsewhere = runtime.start_workflow(Cart.run, "Dot", id="another", request_id="1")
        assert runtime.wait(elsewhere).run_id not in (first.run_id, other.run_id)
        assert check(runtime.hands.journal) == []


def test_requests_that_are_made_together_start_one_run() -> None:
    with make() as runtime:
        handles = [start(runtime, "Ada", "1") for _ in range(5)]
        results = [
            runtime.execute_workflow(Cart.run, "Bob", id="cart", request_id="1", id_conflict_policy=REPLACE)
            for _ in range(2)
        ]

        assert len({runtime.wait(handle).run_id for handle in handles}) == 1
        assert [runtime.wait(result) for result in results] == [["Ada"], ["Ada"]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_wherever_the_process_dies_a_request_starts_one_run(when: Any) -> None:
    number, is_crashed = 0, True
    while is_crashed:
        number += 1
        with make(check_leaks=False) as runtime:
            runtime.store.crash_at_commit(number, when)
            with contextlib.suppress(Crash):
                start(runtime, "Ada", "1")
                runtime.run_until_idle()
            is_crashed = runtime.store.is_crashed
            runtime.crash()
            handle = runtime.wait(start(runtime, "Ada", "1", id_conflict_policy=REPLACE))

            assert runtime.wait(handle.result()) == ["Ada"]
            assert runtime.wait(start(runtime, "Ada", "1")).run_id == handle.run_id
            assert len([run_no for run_no in range(1, 5) if runtime.hands.journal.header(run_no)]) == 1
    assert number > 1


def test_a_request_whose_start_could_not_be_written_may_be_repeated() -> None:
    store = FaultyStore()
    with runtime_on(store, workflows=[Cart]) as runtime:
        store.refuse = lambda number, changes: WriteError("here", "EIO")
        assert isinstance(error_of(start(runtime, "Ada", "1")), JournalError)
        store.refuse = lambda number, changes: None

        handle = start(runtime, "Bob", "1").get(timeout=WAIT)
        assert handle.result().get(timeout=WAIT) == ["Bob"]


def test_a_signal_that_goes_with_a_repeated_request_is_heard_once_by_a_new_run_and_by_an_open_one() -> None:
    def ask(runtime: TestRuntime, text: str, request_id: str) -> Any:
        return runtime.wait(
            runtime.signal_with_start(
                Cart.run, "Ada", 3, id="cart", signal=Cart.add, signal_args=[text], request_id=request_id
            )
        )

    with make() as runtime:
        for text, request_id in [("tea", "1"), ("tea", "1"), ("jam", "2"), ("jam", "2"), ("tea", "1"), ("rum", "3")]:
            handle = ask(runtime, text, request_id)

        assert runtime.wait(handle.result()) == ["Ada", "tea", "jam", "rum"]
        assert ask(runtime, "tea", "1").run_id == handle.run_id


@pytest.mark.parametrize("enough", [1, 9])
def test_an_update_that_goes_with_a_repeated_request_is_made_once(enough: int) -> None:
    def ask(runtime: TestRuntime) -> Any:
        return runtime.wait(
            runtime.update_with_start(
                *(Cart.run, "Ada", enough),
                id="cart",
                id_conflict_policy=REPLACE,
                update=Cart.put,
                update_args=["tea"],
                request_id="1",
            )
        )

    with make() as runtime:
        handles = [ask(runtime) for _ in range(3)]

        assert [runtime.wait(handle.result()) for handle in handles] == [1, 1, 1]
        assert {handle.id for handle in handles} == {"1"}
        assert runtime.hands.journal.header(2) is None


def test_a_repeated_request_with_an_update_reaches_the_run_that_goes_on() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_on, 2, id="chain", request_id="1"))
        for _ in range(2):
            runtime.wait(handle.signal("next"))
        asked = runtime.update_with_start(
            *(goes_on, 0), id="chain", id_conflict_policy=REPLACE, update="put", update_args=["tea"], request_id="1"
        )

        assert runtime.wait(runtime.wait(asked).result()) == "tea"
        again = runtime.wait(runtime.start_workflow(goes_on, 0, id="chain", request_id="1"))
        assert again.run_id == handle.run_id
        runtime.wait(again.signal("next"))
        assert runtime.wait(again.result()) == "ended"


def test_a_start_without_a_request_id_writes_no_row_more() -> None:
    store = FaultyStore()
    with runtime_on(store, workflows=[Cart]) as runtime:
        counts: list[int] = []
        for number, request_id in enumerate([None, "1", None]):
            before = store.puts
            started = runtime.execute_workflow(Cart.run, "Ada", 0, id=f"cart-{number}", request_id=request_id)
            started.get(timeout=WAIT)
            counts.append(store.puts - before)

    assert counts[0] == counts[2] < counts[1]


def test_what_cannot_be_a_request_id_is_refused() -> None:
    with Runtime.in_memory(workflows=[Cart]) as runtime:
        for wrong, error in [("", ValueError), ("ü" * 241, ValueError), (5, TypeError)]:
            request_id: Any = wrong
            with pytest.raises(error, match="request id"):
                start(runtime, "Ada", request_id)
        with pytest.raises(ValueError, match="needs id="):
            runtime.start_workflow(Cart.run, "Ada", request_id="1")
