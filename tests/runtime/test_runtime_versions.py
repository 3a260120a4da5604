"""Code that is changed between two openings of a journal: old runs and new ones, side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pytest

from greenroom import (
    NondeterminismError,
    ParentClosePolicy,
    PatchActivationInput,
    Runtime,
    WorkflowSuspendedError,
    activity,
    workflow,
)
from greenroom.runtime.core.messages import WorkflowStarted
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime, replay, replay_every_prefix
from tests.runtime import process_activities as there
from tests.runtime.rig import WAIT, runtime_on

F = TypeVar("F", bound=Callable[..., Any])

ABANDON = ParentClosePolicy.ABANDON
BOTH = pytest.mark.parametrize("evicted", [False, True], ids=["kept", "evicted"])


@activity.defn(name="versions.work")
def work(what: str) -> str:
    return what


@activity.defn(name="versions.deliver")
def deliver(what: str) -> str:
    return what


def ordering(stage: str, lowest: int = workflow.DEFAULT_VERSION, highest: int = 1) -> type:
    """A workflow in a stage of its life: "first", "patched", "deprecated" or "cleaned"."""

    @workflow.defn(name="versions.Ordering")
    class Ordering:
        def __init__(self) -> None:
            self.days = 0

        @workflow.run
        async def run(self) -> list[str]:
            done: list[str] = []
            for day in range(3):
                await workflow.wait_condition(partial(self.has_come, day))
                what = self.what()
                done.append(await workflow.execute_activity(deliver if what == "courier" else work, what))
                if stage == "versioned":
                    done.append(str(workflow.get_version("price", lowest, highest)))
            return done

        def what(self) -> str:
            if stage == "patched":
                return "courier" if workflow.patched("courier") else "post"
            if stage == "deprecated":
                workflow.deprecate_patch("courier")
            return "post" if stage in ("first", "versioned") else "courier"

        def has_come(self, day: int) -> bool:
            return self.days > day

        @workflow.signal
        def next_day(self) -> None:
            self.days += 1

    return Ordering


class Shop:
    """One journal, opened again and again by other code."""

    def __init__(self, *, evicted: bool = False) -> None:
        self.store = MemoryStore()
        self.clock: Any = None
        self.evicted = evicted

    def opened(self, *workflows: object, activities: list[Any] | None = None, **options: Any) -> TestRuntime:
        runtime = TestRuntime(
            self.store,
            clock=self.clock,
            evict_after_every_turn=self.evicted,
            workflows=workflows,
            activities=[work, deliver] if activities is None else activities,
            **options,
        )
        self.clock = runtime.clock
        return runtime


def start(runtime: TestRuntime, name: str) -> None:
    runtime.wait(runtime.start_workflow("versions.Ordering", id=name))


def next_day(runtime: TestRuntime, *names: str) -> None:
    for name in names:
        runtime.wait(runtime.get_workflow_handle(name).signal("next_day"))
    runtime.run_until_idle()


def result(runtime: TestRuntime, name: str) -> Any:
    return runtime.wait(runtime.get_workflow_handle(name, result_type=list[str]).result())


@BOTH
def test_old_runs_and_new_ones_go_on_side_by_side_through_the_whole_life_of_a_patch(evicted: bool) -> None:
    shop = Shop(evicted=evicted)
    with shop.opened(ordering("first")) as runtime:
        start(runtime, "old")
        next_day(runtime, "old")
    with shop.opened(ordering("patched")) as runtime:
        start(runtime, "new")
        next_day(runtime, "old", "new")
        next_day(runtime, "old")
        assert result(runtime, "old") == ["post"] * 3
    with shop.opened(ordering("deprecated")) as runtime:
        start(runtime, "newer")
        next_day(runtime, "new", "newer")
        next_day(runtime, "new")
        assert result(runtime, "new") == ["courier"] * 3

    with shop.opened(ordering("cleaned")) as runtime:
        next_day(runtime, "newer")
        next_day(runtime, "newer")
        assert result(runtime, "newer") == ["courier"] * 3


@BOTH
def test_each_run_keeps_the_version_that_was_the_newest_when_it_asked(evicted: bool) -> None:
    shop = Shop(evicted=evicted)
    with shop.opened(ordering("first")) as runtime:
        start(runtime, "a")
        next_day(runtime, "a")
    with shop.opened(ordering("versioned")) as runtime:
        start(runtime, "b")
        next_day(runtime, "a", "b")

    with shop.opened(ordering("versioned", highest=7)) as runtime:
        start(runtime, "c")
        for names in ("abc", "bc", "c"):
            next_day(runtime, *names)

        assert [result(runtime, name)[-1] for name in "abc"] == ["-1", "1", "7"]


def test_a_version_that_is_no_longer_supported_suspends_the_run_until_it_is_again() -> None:
    shop = Shop()
    with shop.opened(ordering("versioned")) as runtime:
        start(runtime, "a")
        next_day(runtime, "a")

    with shop.opened(ordering("versioned", lowest=2, highest=3)) as runtime:
        runtime.run_until_idle()
        next_day(runtime, "a")
        with pytest.raises(
            WorkflowSuspendedError, match="has version 1 of the change 'price', and its code supports 2"
        ):
            result(runtime, "a")

    with shop.opened(ordering("versioned", lowest=1, highest=3)) as runtime:
        next_day(runtime, "a")
        assert result(runtime, "a")[-1] == "1"


def test_code_without_the_patch_suspends_the_run_with_what_to_do() -> None:
    shop = Shop()
    with shop.opened(ordering("patched")) as runtime:
        start(runtime, "a")
        next_day(runtime, "a")

    with shop.opened(ordering("cleaned")) as runtime:
        next_day(runtime, "a")
        with pytest.raises(WorkflowSuspendedError, match=r"The run needs workflow.patched\('courier'\) here"):
            result(runtime, "a")

    with shop.opened(ordering("deprecated")) as runtime:
        next_day(runtime, "a")
        assert result(runtime, "a") == ["courier"] * 3


def test_markers_are_shown_in_the_history() -> None:
    @workflow.defn(name="versions.shown")
    async def shown() -> None:
        workflow.patched("x")
        workflow.deprecate_patch("y")
        workflow.get_version("z", 0, 4)

    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(shown))
        runtime.run_until_idle()
        events = runtime.wait(handle.fetch_history()).events

    assert [each.kind for each in events[1:4]] == ["PatchRecorded", "PatchRecorded", "VersionRecorded"]
    facts = [{key: value for key, value in each.facts.items() if key != "at"} for each in events[1:4]]
    assert facts == [{"patch": "x"}, {"patch": "y", "deprecated": True}, {"change": "z", "version": 4}]


def test_an_old_history_is_replayed_against_new_code_before_it_is_rolled_out() -> None:
    shop = Shop()
    with shop.opened(ordering("first")) as runtime:
        start(runtime, "old")
        next_day(runtime, "old")
        (run,) = runtime.recorded()

    with TestRuntime(workflows=[ordering("patched")], activities=[work, deliver]) as runtime:
        replay(run, runtime.hands)
    with (
        TestRuntime(workflows=[ordering("cleaned")], activities=[work, deliver]) as runtime,
        pytest.raises(NondeterminismError, match=r"in `if workflow\.patched"),
    ):
        replay(run, runtime.hands)


# The callback.


@BOTH
def test_a_patch_is_rolled_out_to_the_runs_that_the_callback_chooses(evicted: bool) -> None:
    asked: list[tuple[str, str]] = []

    def activate(asking: PatchActivationInput) -> bool:
        # Neither is workflow code that has to be repeatable.
        assert time.time() > 0
        asked.append((asking.workflow_info.workflow_id, asking.patch_id))
        return asking.workflow_info.workflow_id == "b"

    shop = Shop(evicted=evicted)
    with shop.opened(ordering("patched"), patch_activation_callback=activate) as runtime:
        for name in "ab":
            start(runtime, name)
        for _ in range(3):
            next_day(runtime, *"ab")
        assert [result(runtime, name) for name in "ab"] == [["post"] * 3, ["courier"] * 3]

    if not evicted:
        # What came back by replay in between had no marker to go by, and is past the place.
        assert asked == [("a", "courier"), ("b", "courier")]
    assert asked.count(("b", "courier")) == 1


def decline(asking: PatchActivationInput) -> bool:
    return False


def test_a_run_that_declined_a_patch_goes_on_with_the_code_before_it() -> None:
    shop = Shop()
    with shop.opened(ordering("patched"), patch_activation_callback=decline) as runtime:
        start(runtime, "a")
        next_day(runtime, "a")

    with shop.opened(ordering("first")) as runtime:
        for _ in range(2):
            next_day(runtime, "a")
        assert result(runtime, "a") == ["post"] * 3


def test_a_callback_that_gives_no_bool_suspends_the_run() -> None:
    shop = Shop()

    def give(asking: PatchActivationInput) -> Any:
        return "yes"

    with shop.opened(ordering("patched"), patch_activation_callback=give) as runtime:
        start(runtime, "a")
        next_day(runtime, "a")
        with pytest.raises(
            WorkflowSuspendedError, match="patch_activation_callback gave 'yes' for the patch 'courier'"
        ):
            result(runtime, "a")


def test_a_callback_must_be_a_function() -> None:
    no_function: Any = "courier"

    with pytest.raises(TypeError, match="patch_activation_callback is 'courier'; give a function or None"):
        Runtime("journal", patch_activation_callback=no_function)


# Other names.


def renamed(name: str, *aliases: str, called: Any = work) -> Any:
    @workflow.defn(name=name, aliases=aliases)
    class Renamed:
        def __init__(self) -> None:
            self.may_go_on = False

        @workflow.run
        async def run(self) -> str:
            done: str = await workflow.execute_activity(called, "tea")
            await workflow.wait_condition(lambda: self.may_go_on)
            return f"{done} {workflow.info().workflow_type}"

        @workflow.signal
        def go_on(self) -> None:
            self.may_go_on = True

    return Renamed


@BOTH
def test_runs_of_a_renamed_workflow_go_on_and_new_ones_have_the_new_name(evicted: bool) -> None:
    shop = Shop(evicted=evicted)
    with shop.opened(renamed("versions.before")) as runtime:
        runtime.wait(runtime.start_workflow("versions.before", id="old"))
        runtime.run_until_idle()

    with shop.opened(renamed("versions.after", "versions.before")) as runtime:
        for id, name in (("new", "versions.after"), ("by its old name", "versions.before")):
            runtime.wait(runtime.start_workflow(name, id=id))
        results: list[str] = []
        for id in ("old", "new", "by its old name"):
            runtime.wait(runtime.get_workflow_handle(id).signal("go_on"))
            results.append(runtime.wait(runtime.get_workflow_handle(id, result_type=str).result()))
        started = [message for run in runtime.recorded() for message in run.messages()[:1]]

    assert results == ["tea versions.before", "tea versions.after", "tea versions.after"]
    assert [each.workflow_type for each in started if isinstance(each, WorkflowStarted)] == [
        "versions.before",
        "versions.after",
        "versions.after",
    ]


def continuing(name: str, *aliases: str) -> Any:
    @workflow.defn(name=name, aliases=aliases)
    class Continuing:
        @workflow.run
        async def run(self, left: int) -> str:
            await workflow.signal_channel().receive("go on")
            if left:
                workflow.continue_as_new(left - 1)
            return workflow.info().workflow_type

        @workflow.query
        def look(self) -> str:
            return workflow.info().workflow_type

    return Continuing


@BOTH
def test_a_chain_of_runs_has_the_new_name_from_its_next_run_on(evicted: bool) -> None:
    shop = Shop(evicted=evicted)
    with shop.opened(continuing("versions.short")) as runtime:
        first = runtime.wait(runtime.start_workflow("versions.short", 2, id="chain"))
        runtime.wait(first.signal("go on"))
        runtime.run_until_idle()

    with shop.opened(continuing("versions.long", "versions.short")) as runtime:
        handle = runtime.get_workflow_handle("chain", result_type=str)
        for name in ("versions.short", "versions.long"):
            assert runtime.wait(handle.query("look")) == name
            runtime.wait(handle.signal("go on"))
            runtime.run_until_idle()
        assert runtime.wait(handle.result()) == "versions.long"
        # That of a run which has ended is answered by a replay.
        ended = runtime.get_workflow_handle("chain", run_id=first.run_id)
        assert runtime.wait(ended.query("look")) == "versions.short"


def child(name: str, *aliases: str) -> Any:
    @workflow.defn(name=name, aliases=aliases)
    async def waits(size: str) -> str:
        await workflow.signal_channel().receive("go on")
        return f"{size} {workflow.info().workflow_type}"

    return waits


def parent(called: Any, result_type: Any = None, *, takes_back: bool = False) -> Any:
    @workflow.defn(name="versions.parent")
    async def start() -> Any:
        unwanted = workflow.start_activity(work, "nothing") if takes_back else None
        result = asyncio.ensure_future(
            workflow.execute_child_workflow(called, "tall", id="child", result_type=result_type)
        )
        await asyncio.sleep(0)
        if unwanted is not None:
            unwanted.cancel()
        done = await result
        await workflow.signal_channel().receive("go on")
        return done

    return start


@BOTH
@pytest.mark.parametrize("takes_back", [False, True])
@pytest.mark.parametrize("called", ["by reference", "versions.child", "versions.kid"])
def test_a_child_that_was_started_under_an_old_name_is_the_same_child(
    evicted: bool, takes_back: bool, called: str
) -> None:
    shop = Shop(evicted=evicted)
    old = child("versions.kid")
    with shop.opened(old, parent(old, takes_back=takes_back)) as runtime:
        runtime.wait(runtime.start_workflow("versions.parent", id="parent"))
        runtime.run_until_idle()

    new = child("versions.child", "versions.kid")
    now = parent(new if called == "by reference" else called, takes_back=takes_back)
    with shop.opened(new, now) as runtime:
        for id in ("child", "parent"):
            runtime.wait(runtime.get_workflow_handle(id).signal("go on"))

        assert runtime.wait(runtime.get_workflow_handle("parent").result()) == "tall versions.kid"


@workflow.defn(name="versions.by_old_names")
async def begins_by_old_names(goes_on: bool) -> None:
    await workflow.start_child_workflow("versions.kid", "small", id="child", parent_close_policy=ABANDON)
    await workflow.signal_with_start("versions.kid", "tall", id="other", signal="go on")
    if goes_on:
        workflow.continue_as_new("last", workflow="versions.kid")


@BOTH
@pytest.mark.parametrize("goes_on", [False, True])
def test_what_a_workflow_begins_by_an_old_name_is_recorded_under_the_new_one(evicted: bool, goes_on: bool) -> None:
    with Shop(evicted=evicted).opened(child("versions.child", "versions.kid"), begins_by_old_names) as runtime:
        first = runtime.wait(runtime.start_workflow(begins_by_old_names, goes_on))
        names = ["child", "other", first.id] if goes_on else ["child", "other"]
        runtime.run_until_idle()
        types = [runtime.wait(runtime.get_workflow_handle(name).describe()).workflow_type for name in names]

        assert types == ["versions.child"] * len(names)
        assert replay_every_prefix(runtime) > len(names)


@BOTH
@pytest.mark.parametrize("name", ["versions.short", "versions.long"])
def test_a_run_has_gone_on_as_the_same_workflow_by_each_of_its_names(evicted: bool, name: str) -> None:
    def going_on(name: str) -> Any:
        @workflow.defn(name="versions.going_on")
        async def goes_on() -> None:
            workflow.continue_as_new(0, workflow=name)

        return goes_on

    shop = Shop(evicted=evicted)
    with shop.opened(continuing("versions.short"), going_on("versions.short")) as runtime:
        runtime.wait(runtime.start_workflow("versions.going_on"))
        runtime.run_until_idle()

    with shop.opened(continuing("versions.long", "versions.short"), going_on(name)) as runtime:
        for run in runtime.recorded():
            replay(run, runtime.hands)


def test_the_result_of_a_child_that_no_longer_fits_is_told() -> None:
    shop = Shop()
    kid = child("versions.kid")
    with shop.opened(kid, parent("versions.kid", str)) as runtime:
        runtime.wait(runtime.start_workflow("versions.parent", id="parent"))
        runtime.run_until_idle()
        runtime.wait(runtime.get_workflow_handle("child").signal("go on"))
        runtime.run_until_idle()

    with shop.opened(kid, parent("versions.kid", New)) as runtime:
        handle = runtime.get_workflow_handle("parent")
        runtime.wait(handle.signal("go on"))
        with pytest.raises(WorkflowSuspendedError, match="for the result of child workflow 'child', and the code"):
            runtime.wait(handle.result())


@activity.defn(name="versions.work_harder", aliases=["versions.work"])
def work_harder(what: str) -> str:
    return f"harder {what}"


@BOTH
def test_what_waits_under_an_old_name_is_performed_by_the_activity_that_had_it(evicted: bool) -> None:
    shop = Shop(evicted=evicted)
    with shop.opened(renamed("versions.again")) as runtime:
        runtime.wait(runtime.start_workflow("versions.again", id="waiting"))

    with shop.opened(renamed("versions.again", called=work_harder), activities=[work_harder]) as runtime:
        runtime.wait(runtime.get_workflow_handle("waiting").signal("go_on"))
        done = runtime.wait(runtime.get_workflow_handle("waiting", result_type=str).result())

    assert done == "harder tea versions.again"


def test_an_activity_is_found_by_its_old_name_in_a_process_too() -> None:
    @workflow.defn(name="versions.by_old_name")
    async def by_old_name() -> int:
        return await workflow.execute_activity("there.was", 7, result_type=int)

    with runtime_on(MemoryStore(), workflows=[by_old_name], activities=[there.renamed]) as runtime:
        assert runtime.execute_workflow(by_old_name).get(timeout=WAIT) == 14


# Contracts.


@dataclass
class Old:
    sku: str


@dataclass
class New:
    sku: str
    size: int


def contract(start: Any, heard: Any, packed: Any) -> Any:
    @workflow.defn(name="versions.Contract")
    class Contract:
        @workflow.run
        @takes(start)
        async def run(self, item: Any) -> None:
            await workflow.execute_activity("versions.pack", "tea", result_type=packed)
            await workflow.sleep(1)
            await workflow.wait_condition(lambda: False)

        @workflow.signal
        @takes(heard)
        async def add(self, item: Any) -> None:
            await workflow.sleep(1)

    return Contract


def takes(kind: Any) -> Callable[[F], F]:
    """Say the type of the argument ``item``, which an annotation inside a function cannot."""

    def annotate(function: F) -> F:
        function.__annotations__["item"] = kind
        return function

    return annotate


@activity.defn(name="versions.pack")
def pack(sku: str) -> Old:
    return Old(sku)


@pytest.mark.parametrize(
    ("types", "words"),
    [
        (
            (New, Old, Old),
            "{'sku': 'x1'} for the argument 'item' of workflow 'versions.Contract', and the code wants New",
        ),
        ((Old, New, Old), "{'sku': 'x2'} for the argument 'item' of signal 'add' of workflow 'versions.Contract', and"),
        ((Old, Old, New), "{'sku': 'tea'} for the result of activity 'versions.pack', and the code wants New"),
    ],
    ids=["start", "signal", "activity"],
)
def test_a_history_that_no_longer_fits_the_annotations_suspends_the_run_and_says_which(
    types: tuple[Any, Any, Any], words: str
) -> None:
    shop = Shop()
    with shop.opened(contract(Old, Old, Old), activities=[pack]) as runtime:
        handle = runtime.wait(runtime.start_workflow("versions.Contract", Old("x1"), id="contract"))
        runtime.wait(handle.signal("add", Old("x2")))
        runtime.run_until_idle()

    with shop.opened(contract(*types), activities=[pack]) as runtime:
        handle = runtime.get_workflow_handle("contract")
        runtime.wait(handle.signal("anything"))
        with pytest.raises(WorkflowSuspendedError) as caught:
            runtime.wait(handle.result())

    assert f"the history has {words}" in str(caught.value)
    assert "let the code read the old form too" in str(caught.value)

    with shop.opened(contract(Old, Old, Old), activities=[pack]) as runtime:
        runtime.run_until_idle()
        status = runtime.wait(runtime.get_workflow_handle("contract").describe()).status
        assert status.name == "RUNNING"
