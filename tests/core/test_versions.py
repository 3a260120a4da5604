"""Code that is changed while runs are under way: each run stays on the way that it took first."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from greenroom import (
    NondeterminismError,
    PatchActivationInput,
    ReadOnlyContextError,
    UnsupportedVersionError,
    workflow,
)
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import RecordPatch, RecordVersion, ScheduleActivity
from greenroom.runtime.core.handler_table import HandlerError
from greenroom.runtime.core.messages import UpdateReceived
from tests.core.driving import Drive, definition_of

Start = Callable[..., Drive]


@workflow.defn
async def before() -> list[Any]:
    return [await workflow.start_activity(name) for name in ("old", "old", "last")]


@workflow.defn
async def changed() -> list[Any]:
    done: list[Any] = []
    for _ in range(2):
        name = "new" if workflow.patched("faster") else "old"
        done.append(await workflow.start_activity(name))
    return [*done, await workflow.start_activity("last")]


@workflow.defn
async def deprecated() -> list[Any]:
    done: list[Any] = []
    for _ in range(2):
        workflow.deprecate_patch("faster")
        done.append(await workflow.start_activity("new"))
    return [*done, await workflow.start_activity("last")]


@workflow.defn
async def cleaned() -> list[Any]:
    return [await workflow.start_activity(name) for name in ("new", "new", "last")]


@workflow.defn
async def versioned() -> list[int]:
    found: list[int] = []
    for _ in range(2):
        found.append(workflow.get_version("price", workflow.DEFAULT_VERSION, 2))
        await workflow.start_activity(f"version {found[-1]}")
    return found


def names(run: Drive) -> list[str]:
    return [each.name for each in run.all_of(ScheduleActivity)]


def go_on(run: Drive, target: Any) -> None:
    """Take the run up with other code, as a process does that comes after another one."""
    run.put_away(run.execution)
    run.definition = definition_of(target)
    run.execution = run.replayed()
    # What was decided by the code before cannot be decided by this one; it is replayed as a whole below.
    run.is_replayed = False


def to_the_end(run: Drive) -> list[str]:
    """Complete every activity, and see that a replay of the whole gives what there is."""
    while run.execution.pending:
        run.complete(min(run.execution.pending))
    assert run.execution.is_closed
    replayed = run.replayed()
    assert replayed.asked() == run.last
    run.put_away(replayed)
    return names(run)


def test_a_new_run_takes_the_new_way_and_leaves_one_marker(drive: Start) -> None:
    run = drive(changed)

    assert to_the_end(run) == ["new", "new", "last"]
    assert [(each.id, each.name, each.is_deprecated) for each in run.all_of(RecordPatch)] == [(0, "faster", False)]
    assert run.all_of(RecordPatch)[0].site.startswith("tests/core/test_versions.py:")


def test_a_marker_takes_no_number_from_what_follows(drive: Start) -> None:
    run = drive(changed)

    assert [each.id for each in run.last] == [0, 1]


def test_a_run_that_was_past_the_change_stays_on_the_old_way_in_its_live_turns_too(drive: Start) -> None:
    run = drive(before)

    go_on(run, changed)

    assert to_the_end(run) == ["old", "old", "last"]
    assert run.all_of(RecordPatch) == []


def test_a_run_that_comes_to_the_change_after_its_replay_takes_the_new_way(drive: Start) -> None:
    @workflow.defn
    async def first() -> None:
        await workflow.start_activity("a")
        await workflow.start_activity("old")

    @workflow.defn
    async def second() -> None:
        await workflow.start_activity("a")
        await workflow.start_activity("new" if workflow.patched("late") else "old")

    run = drive(first)
    go_on(run, second)

    run.complete(1)

    assert names(run) == ["a", "new"]


def test_the_answer_of_a_turn_that_was_taken_back_is_asked_anew(drive: Start) -> None:
    asked: list[str] = []

    def activate(asking: PatchActivationInput) -> bool:
        asked.append(asking.patch_id)
        return True

    @workflow.defn
    async def failing() -> None:
        if workflow.patched("faster"):
            raise KeyError("not yet")

    with pytest.raises(WorkflowBugError):
        drive(failing, activates=activate)
    with pytest.raises(WorkflowBugError):
        drive(failing, activates=activate)

    assert asked == ["faster", "faster"]


@pytest.mark.parametrize("target", [changed, deprecated])
def test_a_run_with_the_patch_replays_with_each_of_the_two_calls(drive: Start, target: Any) -> None:
    run = drive(changed)
    run.complete(1)

    go_on(run, target)

    assert to_the_end(run) == ["new", "new", "last"]


def test_a_deprecated_patch_leaves_one_marker_that_says_so(drive: Start) -> None:
    run = drive(deprecated)

    assert to_the_end(run) == ["new", "new", "last"]
    assert [(each.id, each.name, each.is_deprecated) for each in run.all_of(RecordPatch)] == [(0, "faster", True)]


def test_deprecating_does_nothing_in_a_run_that_has_no_marker(drive: Start) -> None:
    run = drive(cleaned)

    go_on(run, deprecated)

    assert to_the_end(run) == ["new", "new", "last"]
    assert run.all_of(RecordPatch) == []


def test_deprecating_a_step_too_early_is_told_as_that(drive: Start) -> None:
    run = drive(before)

    with pytest.raises(NondeterminismError, match=r"deprecate_patch\('faster'\) is a step too early for it") as caught:
        run.replayed(target=deprecated)

    assert caught.value.too_early == "faster"


@pytest.mark.parametrize("target", [changed, deprecated, cleaned])
def test_a_deprecated_marker_need_not_be_asked_for(drive: Start, target: Any) -> None:
    run = drive(deprecated)
    run.complete(1)

    go_on(run, target)

    assert to_the_end(run) == ["new", "new", "last"]


PLACES = list(itertools.product([False, True], repeat=3))


@pytest.mark.parametrize("asks", PLACES, ids=str)
@pytest.mark.parametrize("asked", PLACES, ids=str)
def test_deprecated_markers_are_passed_over_anywhere_in_a_turn(
    drive: Start, asked: tuple[bool, ...], asks: tuple[bool, ...]
) -> None:
    def version(deprecates: tuple[bool, ...]) -> Any:
        @workflow.defn(name="anywhere")
        class Anywhere:
            @workflow.run
            async def run(self) -> None:
                for place, is_there in enumerate(deprecates):
                    if is_there:
                        workflow.deprecate_patch(f"patch {place}")
                        workflow.deprecate_patch(f"another {place}")
                    if place < 2:
                        workflow.start_activity(f"activity {place}")
                await workflow.wait_condition(lambda: False)

            @workflow.update
            async def change(self) -> str:
                for place, is_there in enumerate(deprecates):
                    if is_there:
                        workflow.deprecate_patch(f"in the update {place}")
                return "done"

        return Anywhere

    run = drive(version(asked))
    run.send(UpdateReceived("change", run.converter.encode_args(()), "u"))

    run.put_away(run.replayed(target=version(asks)))

    assert [each.name for each in run.turns[0].commands if isinstance(each, ScheduleActivity)] == [
        "activity 0",
        "activity 1",
    ]


def test_a_deprecated_patch_may_be_asked_for_in_another_place_of_its_turn(drive: Start) -> None:
    @workflow.defn(name="moved")
    async def behind() -> None:
        workflow.start_activity("a")
        workflow.deprecate_patch("x")
        await workflow.start_activity("b")

    @workflow.defn(name="moved")
    async def in_front() -> None:
        workflow.deprecate_patch("x")
        workflow.start_activity("a")
        await workflow.start_activity("b")

    run = drive(behind)

    execution = run.replayed(target=in_front)

    assert execution.asked() == run.last
    run.put_away(execution)


def test_a_patch_that_the_code_asks_for_no_more_is_told_with_what_to_do(drive: Start) -> None:
    run = drive(changed)

    with pytest.raises(NondeterminismError) as caught:
        run.replayed(target=cleaned)

    assert str(caught.value).splitlines()[-1] == (
        "The run needs workflow.patched('faster') here: bring it back, or put workflow.deprecate_patch('faster') in "
        "its place until no such run is left; then resume the run."
    )
    assert "record-patch 'faster' at tests/core/test_versions.py:" in str(caught.value)


def test_a_version_that_the_code_asks_for_no_more_is_told_with_what_to_do(drive: Start) -> None:
    run = drive(versioned)

    with pytest.raises(NondeterminismError, match=r"The run needs workflow.get_version\('price', …\) here: bring it"):
        run.replayed(target=cleaned)


def test_a_live_patch_is_compared_in_its_order(drive: Start) -> None:
    @workflow.defn(name="ordered")
    async def behind() -> None:
        workflow.start_activity("a")
        workflow.patched("x")
        await workflow.start_activity("b")

    @workflow.defn(name="ordered")
    async def in_front() -> None:
        workflow.patched("x")
        workflow.start_activity("a")
        await workflow.start_activity("b")

    run = drive(behind)

    with pytest.raises(NondeterminismError, match=r"Wrap the new code \(at tests/core/test_versions.py:\d+\)"):
        run.replayed(target=in_front)


def test_code_that_differs_is_told_where_to_ask_for_a_patch(drive: Start) -> None:
    run = drive(before)

    with pytest.raises(NondeterminismError) as caught:
        run.replayed(target=cleaned)

    assert caught.value.site.startswith("tests/core/test_versions.py:")
    assert f'Wrap the new code (at {caught.value.site}) in `if workflow.patched("…"):`' in str(caught.value)


def test_a_new_run_gets_the_newest_version_and_keeps_it(drive: Start) -> None:
    run = drive(versioned)

    assert to_the_end(run) == ["version 2", "version 2"]
    assert run.result == [2, 2]
    assert [(each.id, each.name, each.version) for each in run.all_of(RecordVersion)] == [(0, "price", 2)]


def later_version(lowest: int, highest: int) -> Any:
    @workflow.defn(name="versioned")
    async def later() -> list[int]:
        found: list[int] = []
        for _ in range(2):
            found.append(workflow.get_version("price", lowest, highest))
            await workflow.start_activity(f"version {found[-1]}")
        return found

    return later


def test_a_run_keeps_its_version_when_the_code_has_a_newer_one(drive: Start) -> None:
    run = drive(versioned)

    go_on(run, later_version(1, 5))

    assert to_the_end(run) == ["version 2", "version 2"]


def test_a_run_that_was_past_the_change_has_the_default_version(drive: Start) -> None:
    @workflow.defn(name="versioned")
    async def unversioned() -> list[int]:
        for _ in range(2):
            await workflow.start_activity("version -1")
        return []

    run = drive(unversioned)

    go_on(run, versioned)

    assert to_the_end(run) == ["version -1", "version -1"]
    assert run.result == [workflow.DEFAULT_VERSION] * 2


@pytest.mark.parametrize(("lowest", "highest"), [(-1, 1), (3, 5)])
def test_a_version_that_the_code_does_not_support_says_which_it_does(drive: Start, lowest: int, highest: int) -> None:
    run = drive(versioned)

    with pytest.raises(UnsupportedVersionError) as caught:
        run.replayed(target=later_version(lowest, highest))

    error = caught.value
    assert (error.change_id, error.version, error.min_supported, error.max_supported) == ("price", 2, lowest, highest)
    assert f"has version 2 of the change 'price', and its code supports {lowest} to {highest} at " in str(error)
    assert isinstance(error, NondeterminismError)


def test_a_version_from_before_the_change_that_is_not_supported_says_so(drive: Start) -> None:
    @workflow.defn(name="versioned")
    async def unversioned() -> None:
        await workflow.start_activity("version 1")

    run = drive(unversioned)

    with pytest.raises(UnsupportedVersionError, match=r"has version -1 \(from before the change\)"):
        run.replayed(target=later_version(1, 2))


def test_an_unsupported_version_is_a_bug_whatever_the_code_catches(drive: Start) -> None:
    @workflow.defn
    async def catching() -> None:
        workflow.get_version("x", 1, 1)
        try:
            workflow.get_version("x", 2, 2)
        except NondeterminismError:
            pass

    with pytest.raises(WorkflowBugError, match="has version 1 of the change 'x', and its code supports 2 to 2"):
        drive(catching)


def test_a_patch_and_a_change_of_one_name_are_two_things(drive: Start) -> None:
    @workflow.defn
    async def both() -> list[object]:
        return [workflow.get_version("x", 0, 3), workflow.patched("x"), workflow.get_version("x", 0, 3)]

    run = drive(both)

    assert run.result == [3, True, 3]
    assert [type(each) for each in run.last[:2]] == [RecordVersion, RecordPatch]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("", 1, 2), ValueError, "change id is empty"),
        ((7, 1, 2), TypeError, "change id is an int; give a string"),
        (("x", 2, 1), ValueError, "the change 'x' has the versions 2 to 1"),
        (("x", -2, 1), ValueError, "must be at least -1"),
        (("x", 1, 2**63), ValueError, f"which is {2**63 - 1} at most"),
        (("x", True, 1), TypeError, "min_supported of the change 'x' is True; give an int"),
        (("x", 1, 1.5), TypeError, "max_supported of the change 'x' is 1.5; give an int"),
    ],
)
def test_versions_are_checked(drive: Start, arguments: tuple[Any, ...], error: type[Exception], words: str) -> None:
    @workflow.defn
    async def asking() -> str:
        try:
            workflow.get_version(*arguments)
        except error as caught:
            return str(caught)
        return ""

    assert words in drive(asking).result


@pytest.mark.parametrize("call", [workflow.patched, workflow.deprecate_patch])
@pytest.mark.parametrize(("patch_id", "error"), [("", ValueError), (None, TypeError), ("a\n", ValueError)])
def test_the_id_of_a_patch_is_checked(
    drive: Start, call: Callable[[str], object], patch_id: Any, error: type[Exception]
) -> None:
    @workflow.defn
    async def asking() -> str:
        try:
            call(patch_id)
        except error as caught:
            return str(caught)
        return ""

    assert "patch id" in drive(asking).result


CALLS: list[Callable[[], object]] = [
    lambda: workflow.patched("x"),
    lambda: workflow.deprecate_patch("x"),
    lambda: workflow.get_version("x", 0, 1),
]
IDS = ["patched", "deprecate_patch", "get_version"]


@pytest.mark.parametrize("call", CALLS, ids=IDS)
@pytest.mark.parametrize("asked_before", [False, True])
def test_what_may_only_read_cannot_ask_for_a_patch_or_a_version(
    drive: Start, call: Callable[[], object], asked_before: bool
) -> None:
    @workflow.defn
    class Reading:
        def __init__(self) -> None:
            self.refused: list[str] = []

        @workflow.run
        async def run(self) -> list[str]:
            if asked_before:
                call()
            for read in (workflow.side_effect, workflow.wait_condition):
                try:
                    outcome = read(self.ask)
                    if asyncio.iscoroutine(outcome):
                        await outcome
                except Exception as error:
                    self.refused.append(str(error))
            return self.refused

        def ask(self) -> bool:
            return call() is None

        @workflow.query
        def look(self) -> bool:
            return call() is None

    run = drive(Reading)

    assert len(run.result) == 2
    assert "is not allowed in a side effect" in run.result[0]
    assert "is not allowed in a wait condition" in run.result[1]
    with pytest.raises(HandlerError) as caught:
        run.execution.query("look", run.converter.encode_args(()))
    assert isinstance(caught.value.__cause__, ReadOnlyContextError)


@pytest.mark.parametrize("call", [workflow.patched, workflow.deprecate_patch])
def test_what_is_asked_for_in_the_turn_that_ends_the_run_is_written_too(
    drive: Start, call: Callable[[str], object]
) -> None:
    @workflow.defn
    class Ending:
        def __init__(self) -> None:
            self.is_over = False

        @workflow.run
        async def run(self) -> str:
            await workflow.wait_condition(lambda: self.is_over)
            return "over"

        @workflow.update
        async def end(self) -> object:
            self.is_over = True
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return [call("x"), workflow.get_version("y", 1, 1)]

    run = drive(Ending)

    run.send(UpdateReceived("end", run.converter.encode_args(()), "u"))

    assert run.execution.is_closed
    assert [each.name for each in run.last] == ["x", "y", "end", ""]


# The callback.


def test_the_callback_is_asked_once_for_each_new_patch_of_a_run(drive: Start) -> None:
    asked: list[tuple[str, str, str, str]] = []

    def activate(asking: PatchActivationInput) -> bool:
        info = asking.workflow_info
        asked.append((asking.patch_id, info.workflow_id, info.run_id, info.workflow_type))
        return True

    run = drive(changed, activates=activate)
    run.is_replayed = False
    to_the_end(run)

    run.put_away(run.replayed())

    assert asked == [("faster", "flow-1", "run-1", "changed")]


def test_a_patch_that_is_declined_leaves_nothing_and_stays_declined(drive: Start) -> None:
    answers = [False]

    def activate(asking: PatchActivationInput) -> bool:
        return answers[-1]

    run = drive(changed, activates=activate)
    answers.append(True)
    run.is_replayed = False

    assert to_the_end(run) == ["old", "old", "last"]
    assert run.all_of(RecordPatch) == []
    run.put_away(run.replayed(target=before))
    run.put_away(run.replayed())


def test_the_callback_is_not_asked_where_there_is_nothing_to_choose(drive: Start) -> None:
    def activate(asking: PatchActivationInput) -> bool:
        raise AssertionError(asking)

    to_the_end(drive(deprecated, activates=activate))
    to_the_end(drive(versioned, activates=activate))
    old = drive(before, activates=activate)
    go_on(old, changed)
    to_the_end(old)


def test_a_callback_that_changes_the_run_and_hides_it_is_a_bug_of_the_turn(drive: Start) -> None:
    tasks: list[asyncio.Task[None]] = []

    @workflow.defn
    async def asking() -> None:
        tasks.append(asyncio.create_task(workflow.sleep(1)))
        await asyncio.sleep(0)
        workflow.patched("faster")

    def activate(asked: PatchActivationInput) -> bool:
        with contextlib.suppress(ReadOnlyContextError):
            tasks[0].cancel()
        return True

    with pytest.raises(WorkflowBugError, match=r"waking a task, .* is not allowed in patch_activation_callback"):
        drive(asking, activates=activate)


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda: 1, "patch_activation_callback gave 1 for the patch 'faster' of workflow 'flow-1'; give a function"),
        (lambda: None, "patch_activation_callback gave None"),
        (lambda: asyncio.sleep(0), "patch_activation_callback gave <coroutine object sleep"),
        (lambda: int("seven"), "invalid literal for int()"),
        (lambda: workflow.start_activity("a"), "starting an activity is not allowed in patch_activation_callback"),
        (lambda: workflow.random(), "random() is not allowed in patch_activation_callback"),
        (lambda: workflow.patched("y"), "workflow.patched('y') is not allowed in patch_activation_callback"),
    ],
)
def test_what_the_callback_does_wrong_is_a_bug_of_the_turn(
    drive: Start, give: Callable[[], object], words: str
) -> None:
    @workflow.defn
    async def catching() -> None:
        with contextlib.suppress(Exception):
            workflow.patched("faster")

    def activate(asking: PatchActivationInput) -> Any:
        return give()

    with pytest.raises(WorkflowBugError) as caught:
        drive(catching, activates=activate)

    assert words in str(caught.value)


def test_a_callback_that_wakes_something_in_the_run_is_a_bug(drive: Start) -> None:
    event = asyncio.Event()

    def activate(asking: PatchActivationInput) -> bool:
        event.set()
        return True

    @workflow.defn
    async def waiting() -> None:
        waiter = asyncio.ensure_future(event.wait())
        await asyncio.sleep(0)
        workflow.patched("x")
        await waiter

    with pytest.raises(WorkflowBugError, match="waking a task"):
        drive(waiting, activates=activate)
