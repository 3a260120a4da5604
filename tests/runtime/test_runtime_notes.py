"""Notes and attributes of runs: described, in the header and in the index, and on disk with the turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from greenroom import (
    ApplicationError,
    PendingTimer,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowExecutionStatus,
    activity,
    workflow,
)
from greenroom.runtime.model.attribute_index import prefixes_of, type_prefix, value_prefix
from greenroom.runtime.model.attribute_values import SearchAttributeIndexedValueType
from greenroom.runtime.model.errors import PayloadEncodeError
from greenroom.runtime.model.options import change_options, decode_workflow_options
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.runtime.shell.noting import options_of_next_run
from greenroom.storage import Tree, check
from greenroom.testing import Crash, RecordedRun, TestRuntime, crash_sweep, start_once

STAGE = SearchAttributeKey.for_keyword("Stage")
COUNT = SearchAttributeKey.for_int("Count")
TAGS = SearchAttributeKey.for_keyword_list("Tags")
WHEN = SearchAttributeKey.for_datetime("When")


@dataclass
class Place:
    street: str


@activity.defn(name="notes.slow")
def slow() -> None:
    raise OSError("not now")


@workflow.defn(name="notes.parcel")
class Parcel:
    """Notes each stage that it is told of."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.is_done = False

    @workflow.run
    async def run(self) -> list[str]:
        workflow.upsert_search_attributes([WHEN.value_set(workflow.now())])
        await workflow.wait_condition(lambda: self.is_done, timeout=timedelta(days=1), timeout_summary="a day at most")
        workflow.upsert_memo({"last": self.stages[-1]})
        return self.stages

    @workflow.signal
    def stage(self, name: str) -> None:
        """One more stage."""
        self.stages.append(name)
        workflow.set_current_details(f"now: {name}")
        workflow.upsert_search_attributes(
            [STAGE.value_set(name), COUNT.value_set(len(self.stages)), TAGS.value_set(self.stages[-2:])]
        )
        workflow.upsert_memo({name: Place(f"{name} street"), "first": None if len(self.stages) > 1 else name})

    @workflow.signal
    def finish(self) -> None:
        """The end."""
        workflow.upsert_search_attributes([TAGS.value_unset(), COUNT.value_set(0)])
        self.is_done = True


def attributes(*pairs: SearchAttributePair[Any]) -> TypedSearchAttributes:
    return TypedSearchAttributes(pairs)


def indexed(runtime: TestRuntime) -> list[bytes]:
    """The keys of the index."""
    return [key for key, _ in runtime.store.scan(Tree.ATTRIBUTES, b"", b"\xff" * 512, limit=10_000)]


def expected_index(runs: list[RecordedRun]) -> list[bytes]:
    """What the headers say of it."""
    keys: list[bytes] = []
    for run in runs:
        number = int(run.header.run_id[:16], 16)
        places = set(prefixes_of(decode_facts(run.header.facts).attributes))
        keys += [place + number.to_bytes(8, "big") for place in places]
    return sorted(keys)


def test_what_a_start_notes_is_described() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(
            runtime.start_workflow(
                Parcel.run,
                memo={"to": Place("Elm"), "none": None},
                search_attributes=attributes(SearchAttributePair(STAGE, "new"), SearchAttributePair(TAGS, [])),
                static_summary="a parcel",
                static_details="of two\nlines",
            )
        )
        runtime.wait(handle.signal(Parcel.stage, "packed"))

        told = runtime.wait(handle.describe())

    assert told.memo == {"to": {"street": "Elm"}, "packed": {"street": "packed street"}, "first": "packed"}
    assert told.typed_search_attributes == attributes(
        SearchAttributePair(STAGE, "packed"),
        SearchAttributePair(WHEN, told.start_time),
        SearchAttributePair(COUNT, 1),
        SearchAttributePair(TAGS, ["packed"]),
    )
    assert (told.static_summary, told.static_details) == ("a parcel", "of two\nlines")
    assert told.current_details == "now: packed"
    assert told.pending_timers == [
        PendingTimer(timer_id="2", due_time=told.start_time + timedelta(days=1), summary="a day at most")
    ]


def test_the_lines_of_timers_are_described_though_the_code_is_not_in_memory() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(Parcel.run, id="parcel"))
        runtime.wait(handle.signal(Parcel.stage, "packed"))
        before = runtime.wait(handle.describe()).pending_timers
        runtime.wait(handle.suspend("for a while"))

        assert runtime.wait(handle.describe()).pending_timers == before
        runtime.crash()
        told = runtime.wait(runtime.get_workflow_handle("parcel").describe())

    assert told.status is WorkflowExecutionStatus.SUSPENDED
    assert [timer.summary for timer in told.pending_timers] == ["a day at most"]
    assert told.pending_timers == before


def test_a_run_that_has_ended_keeps_its_notes_and_is_asked_for_its_details() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(Parcel.run))
        runtime.wait(handle.signal(Parcel.stage, "sent"))
        runtime.wait(handle.signal(Parcel.finish))
        runtime.wait(handle.result())

        told = runtime.wait(handle.describe())
        asked = runtime.wait(handle.query("__temporal_workflow_metadata"))

    assert told.memo["last"] == "sent"
    assert told.typed_search_attributes[COUNT] == 0
    assert TAGS not in told.typed_search_attributes
    assert told.current_details is None
    assert asked["current_details"] == "now: sent"


def test_a_run_without_notes_writes_no_row_and_nothing_into_its_header() -> None:
    with TestRuntime() as runtime:
        runtime.wait(runtime.execute_workflow(plain))
        (run,) = runtime.recorded()

        assert indexed(runtime) == []
    assert (run.header.facts, run.header.indexed) == (b"", b"")


@workflow.defn(name="notes.plain")
async def plain() -> None:
    await workflow.sleep(1, summary="a second")


def test_the_history_shows_notes_and_summaries() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(Parcel.run, memo={"a": 1}, static_summary="a parcel"))
        runtime.wait(handle.signal(Parcel.stage, "sent"))
        runtime.wait(handle.signal(Parcel.finish))

        events = {event.kind: event.facts for event in runtime.wait(handle.fetch_history()).events}

    assert events["WorkflowStarted"] == {
        "type": "notes.parcel",
        "args": [],
        "summary": "a parcel",
        "memo": {"a": 1},
    }
    assert events["TimerStarted"]["summary"] == "a day at most"
    assert events["SearchAttributesUpserted"]["search_attributes"] == {"Tags": None, "Count": 0}
    assert events["MemoUpserted"]["memo"] == {"last": "sent"}


@workflow.defn(name="notes.summarised")
async def summarised() -> None:
    await workflow.execute_activity(slow, summary="takes a while")


def test_the_summary_of_an_activity_is_in_the_history_and_in_what_is_pending() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(summarised))

        (pending,) = runtime.wait(handle.describe()).pending_activities
        (scheduled,) = [
            each for each in runtime.wait(handle.fetch_history()).events if each.kind == "ActivityScheduled"
        ]

        runtime.wait(handle.terminate())
    assert (pending.summary, scheduled.facts["summary"]) == ("takes a while", "takes a while")


STARTS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no memo": ({"memo": 5}, TypeError, "memo is given an int; give a dict"),
    "large memo": ({"memo": {"a": "x" * 300_000}}, ValueError, "the memo of the run would take"),
    "strange memo": ({"memo": {"a": [object()]}}, PayloadEncodeError, r"memo\['a'\]\[0\]: object of type 'object'"),
    "no attributes": ({"search_attributes": {"Stage": "new"}}, TypeError, "search_attributes is a dict; give Typed"),
    "long summary": ({"static_summary": "x" * 401}, ValueError, "static_summary has 401 characters, allowed are 400"),
    "no details": ({"static_details": 5}, TypeError, "static_details is an int"),
}


@pytest.mark.parametrize("case", STARTS)
def test_a_start_with_notes_that_cannot_be_is_refused(case: str) -> None:
    options, error, words = STARTS[case]
    with TestRuntime() as runtime:
        with pytest.raises(error, match=words):
            runtime.start_workflow("notes.plain", **options)

        assert runtime.recorded() == []


def test_options_of_none_are_none() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(
            runtime.start_workflow(plain, memo=None, search_attributes=None, static_summary=None, static_details="")
        )
        runtime.wait(handle.result())

        (run,) = runtime.recorded()
    assert run.header.facts == b""
    assert decode_workflow_options(run.header.options).details is None


def test_the_next_run_of_a_chain_gets_memo_and_attributes_as_they_are_at_that_moment() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(
            runtime.start_workflow(
                Parcel.run,
                run_timeout=100_000,
                memo={"a": 1},
                static_summary="a parcel",
                search_attributes=attributes(SearchAttributePair(STAGE, "new")),
            )
        )
        runtime.wait(handle.signal(Parcel.stage, "sent"))
        (before,) = runtime.recorded()

        at_start = decode_workflow_options(before.header.options)
        options = options_of_next_run(change_options(at_start, memo=None, search_attributes=None), before.header)

    facts = decode_facts(before.header.facts)
    assert (options.memo, options.search_attributes) == (facts.memo, facts.attributes)
    assert (options.summary, options.run_timeout_ns) == ("a parcel", 100_000 * 10**9)
    assert options.memo != at_start.memo


def test_the_next_run_of_one_without_notes_has_none() -> None:
    with TestRuntime() as runtime:
        runtime.wait(runtime.execute_workflow(plain))
        (before,) = runtime.recorded()

    options = decode_workflow_options(before.header.options)
    assert options_of_next_run(options, before.header) == options


@workflow.defn(name="notes.chained")
async def chained(step: int) -> list[Any]:
    seen = [workflow.memo(), [[pair.key.name, pair.value] for pair in workflow.info().typed_search_attributes]]
    if step == 3:
        return seen
    workflow.upsert_memo({f"step {step}": step})
    workflow.upsert_search_attributes([COUNT.value_set(step), TAGS.value_set([f"t{step}"])])
    if step == 2:
        workflow.continue_as_new(3, memo={"new": seen}, search_attributes=TypedSearchAttributes.empty)
    workflow.continue_as_new(step + 1)


def test_a_run_that_goes_on_as_new_takes_its_notes_along_unless_it_says_otherwise() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(chained, 1, id="chained", memo={"from": "start"}))

        result = runtime.wait(handle.result())

        assert indexed(runtime) == expected_index(runtime.recorded())
    kept = {"from": "start", "step 1": 1}
    assert result == [{"new": [kept, [["Count", 1], ["Tags", ["t1"]]]]}, []]


@workflow.defn(name="notes.failing")
async def failing() -> list[Any]:
    if workflow.info().attempt == 1:
        workflow.upsert_memo({"failed": "once"})
        workflow.upsert_search_attributes([COUNT.value_set(1)])
        raise ApplicationError("not yet")
    return [workflow.memo(), workflow.info().typed_search_attributes[COUNT]]


def test_a_run_that_is_repeated_takes_its_notes_along() -> None:
    with TestRuntime() as runtime:
        result = runtime.wait(runtime.execute_workflow(failing, retry_policy=RetryPolicy(), memo={"a": 1}))

        assert indexed(runtime) == expected_index(runtime.recorded())
    assert result == [{"a": 1, "failed": "once"}, 1]


def test_a_run_whose_start_is_delayed_is_found_before_it_begins() -> None:
    with TestRuntime() as runtime:
        pairs = attributes(SearchAttributePair(COUNT, 1))
        handle = runtime.wait(runtime.start_workflow(plain, start_delay=60, memo={"a": 1}, search_attributes=pairs))

        told = runtime.wait(handle.describe())
        before = indexed(runtime)
        runtime.wait(handle.result())

        assert before == indexed(runtime) == expected_index(runtime.recorded())
    assert (told.memo, told.typed_search_attributes[COUNT]) == ({"a": 1}, 1)


@workflow.defn(name="notes.parent")
async def parent() -> list[Any]:
    workflow.upsert_memo({"of": "the parent"})
    child = await workflow.execute_child_workflow(
        chained,
        3,
        id="child",
        memo={"of": "the child"},
        search_attributes=attributes(SearchAttributePair(COUNT, 7)),
        static_summary="a child",
    )
    return [child, await workflow.execute_child_workflow(chained, 3, id="another")]


@pytest.mark.parametrize("evict", [False, True])
def test_a_child_has_the_notes_that_it_is_given_and_none_of_its_parent(*, evict: bool) -> None:
    with TestRuntime(evict_after_every_turn=evict) as runtime:
        result = runtime.wait(runtime.execute_workflow(parent))
        told = runtime.wait(runtime.get_workflow_handle("child").describe())

        assert indexed(runtime) == expected_index(runtime.recorded())
    assert result == [[{"of": "the child"}, [["Count", 7]]], [{}, []]]
    assert told.static_summary == "a child"


# On disk.


def parcels(runtime: TestRuntime) -> list[object]:
    """Two runs whose attributes change all the time."""
    results: list[object] = []
    for name in ("one", "two"):
        handle = start_once(
            runtime,
            Parcel.run,
            id=name,
            memo={"name": name},
            search_attributes=attributes(SearchAttributePair(STAGE, "new")),
        )
        for stage in ("packed", "sent", "lost"):
            runtime.wait(handle.signal(Parcel.stage, stage))
        runtime.wait(handle.signal(Parcel.finish))
        results.append(runtime.wait(handle.result()))
    return results


def final_state(make: Callable[[], TestRuntime]) -> tuple[list[bytes], list[bytes]]:
    with make() as runtime:
        parcels(runtime)
        assert indexed(runtime) == expected_index(runtime.recorded())
        return indexed(runtime), [run.header.facts for run in runtime.recorded()]


def test_a_run_put_away_after_every_turn_notes_the_same_as_one_kept_in_memory() -> None:
    in_memory = final_state(TestRuntime)

    assert final_state(lambda: TestRuntime(evict_after_every_turn=True)) == in_memory
    assert len(in_memory[0]) == 2 * 3


@pytest.mark.parametrize("evict", [False, True])
def test_notes_survive_a_crash_at_every_commit(*, evict: bool) -> None:
    sweep = crash_sweep(parcels_once, make=lambda: TestRuntime(evict_after_every_turn=evict))

    assert sweep.points == 2 * sweep.commits > 10


def parcels_once(runtime: TestRuntime) -> object:
    """A run that needs no client, so that a crash repeats nothing."""
    result = runtime.wait(start_once(runtime, self_noting, id="noting").result())
    assert indexed(runtime) == expected_index(runtime.recorded())
    return result


@workflow.defn(name="notes.self_noting")
async def self_noting() -> list[Any]:
    for place in range(4):
        workflow.upsert_search_attributes([COUNT.value_set(place), TAGS.value_set([f"t{place}", "all"])])
        workflow.upsert_memo({f"n{place}": place, f"n{place - 2}": None})
        await workflow.sleep(1)
    return [workflow.memo(), workflow.info().typed_search_attributes[TAGS]]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("evict", [False, True])
def test_index_and_headers_agree_wherever_the_process_dies(when: Literal["before", "after"], *, evict: bool) -> None:
    for commit in range(1, 12):
        runtime = TestRuntime(evict_after_every_turn=evict)
        runtime.open()
        runtime.store.crash_at_commit(commit, when)
        try:
            parcels(runtime)
        except Crash:
            runtime.crash()
        runtime.run_until_idle()

        assert indexed(runtime) == expected_index(runtime.recorded())
        assert check(runtime.hands.journal) == []
        for run in runtime.recorded():
            if run.header.closed_ns is not None:
                continue
            runtime.wait(runtime.get_workflow_handle(run.header.workflow_id).terminate())
        runtime.close()


def test_runs_are_found_by_value_by_range_and_page_by_page() -> None:
    with TestRuntime() as runtime:
        for number in (5, -3, 10, 7, 7):
            pair = SearchAttributePair(COUNT, number)
            runtime.wait(runtime.start_workflow(plain, search_attributes=attributes(pair)))
        runtime.run_until_idle()
        journal = runtime.hands.journal
        kind = SearchAttributeIndexedValueType.INT
        everything = type_prefix("Count", kind)

        in_order = journal.attribute_runs(everything)
        first = journal.attribute_runs(everything, limit=2)
        rest = journal.attribute_runs(everything, after=first[-1][0])
        between = journal.attribute_runs(value_prefix("Count", kind, 0), stop=value_prefix("Count", kind, 10))

        assert [run_no for _, run_no in in_order] == [2, 1, 4, 5, 3]
        assert first + rest == in_order
        assert [run_no for _, run_no in between] == [1, 4, 5]
        assert [run_no for _, run_no in journal.attribute_runs(value_prefix("Count", kind, 7))] == [4, 5]
        assert journal.attribute_runs(type_prefix("Coun", kind)) == []


def test_the_time_of_a_run_is_found_in_utc() -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    with TestRuntime() as runtime:
        pair = SearchAttributePair(WHEN, noon.astimezone())
        handle = runtime.wait(runtime.start_workflow(plain, search_attributes=attributes(pair)))

        told = runtime.wait(handle.describe()).typed_search_attributes[WHEN]
    assert told == noon
    assert told.tzinfo is UTC
