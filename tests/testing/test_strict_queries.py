"""Under the strict net a query or a validator that changes the run is refused: the run is as if nobody had asked."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pytest

from greenroom import ReadOnlyContextError, WorkflowQueryFailedError, WorkflowUpdateFailedError, workflow
from greenroom.testing import TestRuntime


@dataclass
class Item:
    name: str
    tags: list[str] = field(default_factory=list)


class Slotted:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


@workflow.defn(name="strict.shelf")
class Shelf:
    def __init__(self) -> None:
        self.total = 3
        self.items = [Item("tea")]
        self.by_name = {"tea": self.items[0]}
        self.names = {"tea"}
        self.last: deque[int] = deque([1, 2])
        self.slotted = Slotted()
        self.is_ready = asyncio.Event()
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.dice = random.Random(4)
        self.place = PurePosixPath("kitchen") / "left"  # keeps its text once that is asked for
        self.log = logging.getLogger("tests.shelf")
        self.is_over = False

    @functools.cached_property
    def sorted_names(self) -> list[str]:
        return sorted(self.names)

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)

    @workflow.signal
    def end(self) -> None:
        self.is_over = True

    @workflow.update
    def put(self, what: str) -> str:
        return what or "put"

    @put.validator
    def may_be_put(self, what: str) -> None:
        if what:
            CHANGES[what](self)

    @workflow.query
    def change(self, what: str) -> None:
        CHANGES[what](self)

    @workflow.query
    def change_and_raise(self) -> None:
        self.total += 1
        raise ValueError("too late")

    @workflow.query
    def look(self) -> list[object]:
        logging.getLogger("tests.shelf").debug("looked at")
        names = [*self.sorted_names, *sorted(self.names)]
        sizes = [self.total, len(self.items), len(self.by_name)]
        return [*sizes, names, self.items[0].tags, self.is_ready.is_set(), str(self.place)]


CHANGES: dict[str, Callable[[Any], object]] = {
    "self.total": lambda shelf: setattr(shelf, "total", 4),
    "self.items": lambda shelf: shelf.items[0].tags.append("green"),
    "self.by_name": lambda shelf: shelf.by_name.update(cake=None),
    "self.names": lambda shelf: shelf.names.add("cake"),
    "self.last": lambda shelf: shelf.last.rotate(),
    "self.slotted": lambda shelf: setattr(shelf.slotted, "count", 1),
    "self.is_ready": lambda shelf: shelf.is_ready.set(),
    "self.queue": lambda shelf: shelf.queue.put_nowait(1),
    "self.dice": lambda shelf: shelf.dice.random(),
    "self.new": lambda shelf: setattr(shelf, "new", 1),
    "self.is_over": lambda shelf: delattr(shelf, "is_over"),
}

BEFORE = [3, 1, 1, ["tea", "tea"], [], False, "kitchen/left"]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "greenroom")


@pytest.mark.parametrize("what", CHANGES)
def test_a_query_that_changes_something_is_refused_by_its_name_and_the_run_is_brought_back(what: str) -> None:
    with TestRuntime() as runtime:
        shelf = runtime.start_workflow(Shelf.run).get()

        with pytest.raises(WorkflowQueryFailedError) as caught:
            shelf.query(Shelf.change, what).get()

        assert isinstance(caught.value.__cause__, ReadOnlyContextError)
        assert str(caught.value.__cause__).startswith(f"changing {what} is not allowed in a query")
        assert shelf.query(Shelf.look).get() == BEFORE
        shelf.signal(Shelf.end).get()
        assert shelf.result().get() is None


@pytest.mark.parametrize("what", CHANGES)
def test_a_validator_that_changes_something_is_refused_by_its_name_and_the_run_is_brought_back(what: str) -> None:
    with TestRuntime() as runtime:
        shelf = runtime.start_workflow(Shelf.run).get()

        with pytest.raises(WorkflowUpdateFailedError) as caught:
            shelf.execute_update(Shelf.put, what).get()

        assert f"changing {what} is not allowed in an update validator" in str(caught.value.cause)
        assert shelf.query(Shelf.look).get() == BEFORE
        assert shelf.execute_update(Shelf.put, "").get() == "put"


def test_a_change_is_found_though_the_handler_raises() -> None:
    with TestRuntime() as runtime:
        shelf = runtime.start_workflow(Shelf.run).get()

        with pytest.raises(WorkflowQueryFailedError, match=r"changing self\.total"):
            shelf.query(Shelf.change_and_raise).get()

        assert shelf.query(Shelf.look).get() == BEFORE


def test_a_query_that_only_reads_is_answered_and_may_fill_a_cached_property() -> None:
    with TestRuntime() as runtime:
        shelf = runtime.start_workflow(Shelf.run).get()

        assert [shelf.query(Shelf.look).get() for _ in range(2)] == [BEFORE, BEFORE]


@workflow.defn(name="strict.closure")
async def closure() -> list[int]:
    seen: list[int] = []
    count = 0

    def remember(number: int) -> None:
        seen.append(number)

    def add(number: int) -> int:
        nonlocal count
        count += number
        return count

    def through(number: int) -> None:
        remember(number)

    workflow.set_query_handler("seen", lambda: list(seen))
    workflow.set_query_handler("remember", remember)
    workflow.set_query_handler("through", through)
    workflow.set_query_handler("add", add)
    await workflow.signal_channel().receive("end")
    return seen


@pytest.mark.parametrize(("query", "name"), [("remember", "seen"), ("through", "remember"), ("add", "count")])
def test_what_a_handler_shares_with_the_workflow_as_a_closure_is_compared_too(query: str, name: str) -> None:
    with TestRuntime() as runtime:
        run = runtime.start_workflow(closure).get()

        with pytest.raises(WorkflowQueryFailedError, match=f"changing {name} is not allowed in a query"):
            run.query(query, 7).get()

        assert run.query("seen").get() == []
        run.signal("end").get()
        assert run.result().get() == []


def test_without_the_net_nobody_compares() -> None:
    with TestRuntime(guard="static") as runtime:
        shelf = runtime.start_workflow(Shelf.run).get()

        shelf.query(Shelf.change, "self.total").get()

        assert shelf.query(Shelf.look).get() != BEFORE
