"""What a run notes of itself is in its history, shows at once, and is the same in each replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from greenroom import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes
from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import UpsertMemo, UpsertSearchAttributes
from greenroom.runtime.model.attribute_values import decode_attributes, encode_attributes
from greenroom.runtime.model.errors import NondeterminismError, ReadOnlyContextError
from greenroom.runtime.model.handler_definitions import METADATA_QUERY
from greenroom.runtime.model.memos import decode_memo_changes, encode_memo, memo_changes
from greenroom.runtime.model.options import WorkflowOptions
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.search_attributes import stored_of
from tests.core.driving import Drive

Start = Callable[..., Drive]

STAGE = SearchAttributeKey.for_keyword("Stage")
COUNT = SearchAttributeKey.for_int("Count")
TAGS = SearchAttributeKey.for_keyword_list("Tags")


@dataclass
class Place:
    street: str


def noted(memo: dict[str, Any], *pairs: SearchAttributePair[Any]) -> WorkflowOptions:
    return WorkflowOptions(
        memo=encode_memo(memo_changes(memo, Converter(), "memo")),
        search_attributes=encode_attributes(stored_of(TypedSearchAttributes(pairs))),
    )


@workflow.defn
async def noting() -> list[Any]:
    seen: list[Any] = [dict(workflow.memo()), workflow.info().typed_search_attributes.get(STAGE)]
    workflow.upsert_memo({"place": Place("Elm"), "old": None})
    workflow.upsert_search_attributes([STAGE.value_set("packed"), COUNT.value_set(1), TAGS.value_set(("a", "b"))])
    attributes = workflow.info().typed_search_attributes
    seen.append([attributes[STAGE], attributes[COUNT], attributes[TAGS]])
    seen.append(workflow.memo_value("place", type_hint=Place).street)
    await workflow.sleep(1)
    workflow.upsert_search_attributes([COUNT.value_unset(), TAGS.value_set([])])
    seen.append([pair.key.name for pair in workflow.info().typed_search_attributes])
    seen.append(dict(workflow.memo()))
    return seen


def test_notes_of_the_start_are_there_and_changes_show_at_once(drive: Start) -> None:
    run = drive(noting, options=noted({"old": 1, "kept": [1, 2]}, SearchAttributePair(STAGE, "new")))
    run.fire()

    assert run.result == [
        {"old": 1, "kept": [1, 2]},
        "new",
        ["packed", 1, ["a", "b"]],
        "Elm",
        ["Stage"],
        {"kept": [1, 2], "place": {"street": "Elm"}},
    ]


def test_each_change_is_a_command_with_what_it_changes(drive: Start) -> None:
    run = drive(noting)

    (memo,), (attributes,) = run.all_of(UpsertMemo), run.all_of(UpsertSearchAttributes)

    assert set(decode_memo_changes(memo.changes)) == {"place", "old"}
    assert decode_memo_changes(memo.changes)["old"] is None
    assert decode_attributes(attributes.changes) == {"Stage": (2, "packed"), "Count": (3, 1), "Tags": (7, ["a", "b"])}
    assert (memo.id, attributes.id) == (1, 2)


def test_a_run_without_notes_has_none(drive: Start) -> None:
    run = drive(empty)

    assert run.result == [{}, 0, "-", "KeyError: \"the memo has no 'a' (it has: nothing)\"", ""]


@workflow.defn
async def empty() -> list[Any]:
    try:
        told = workflow.memo_value("a")
    except KeyError as error:
        told = f"KeyError: {error}"
    attributes = workflow.info().typed_search_attributes
    return [workflow.memo(), len(attributes), workflow.memo_value("a", "-"), told, workflow.get_current_details()]


@workflow.defn
async def changing() -> str:
    workflow.upsert_search_attributes([STAGE.value_set("then")])
    workflow.upsert_memo({"said": "then"})
    await workflow.sleep(1)
    return workflow.info().typed_search_attributes[STAGE]


@workflow.defn(name="changing")
async def changed() -> str:
    workflow.upsert_search_attributes([COUNT.value_set(1)])
    workflow.upsert_memo({"said": "now"})
    await workflow.sleep(1)
    return workflow.info().typed_search_attributes[STAGE] + workflow.memo_value("said", type_hint=str)


def test_a_replay_by_other_code_has_the_values_of_the_history(drive: Start) -> None:
    run = drive(changing)

    execution = run.replayed(target=changed)

    assert execution.info().typed_search_attributes == TypedSearchAttributes([SearchAttributePair(STAGE, "then")])
    assert run.converter.decode(execution.memo()["said"]) == "then"
    run.put_away(execution)


@workflow.defn(name="changing")
async def leaving_out() -> None:
    workflow.upsert_search_attributes([STAGE.value_set("then")])
    await workflow.sleep(1)


def test_a_replay_that_notes_something_else_is_a_difference(drive: Start) -> None:
    run = drive(changing)

    with pytest.raises(NondeterminismError) as caught:
        run.replayed(target=leaving_out)

    assert "upsert-memo #2 at " in caught.value.expected[1]
    assert "start-timer #2 at " in caught.value.produced[1]


WRONG: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "another type": (
        lambda: workflow.upsert_search_attributes([SearchAttributeKey.for_int("Stage").value_set(1)]),
        TypeError,
        "search attribute 'Stage' is KEYWORD in this run and cannot become INT",
    ),
    "another type of what is gone": (
        lambda: workflow.upsert_search_attributes([SearchAttributeKey.for_text("Gone").value_set("x")]),
        TypeError,
        "search attribute 'Gone' is INT in this run and cannot become TEXT",
    ),
    "taken away by another type": (
        lambda: workflow.upsert_search_attributes([SearchAttributeKey.for_bool("Stage").value_unset()]),
        TypeError,
        "search attribute 'Stage' is KEYWORD in this run and cannot become BOOL",
    ),
    "twice": (
        lambda: workflow.upsert_search_attributes([STAGE.value_set("a"), STAGE.value_unset()]),
        ValueError,
        "'Stage' is changed twice",
    ),
    "no change": (lambda: workflow.upsert_search_attributes([STAGE]), TypeError, "is no change"),  # type: ignore[list-item]
    "one change": (
        lambda: workflow.upsert_search_attributes(STAGE.value_set("a")),  # type: ignore[arg-type]
        TypeError,
        "is no list of changes",
    ),
    "no changes": (lambda: workflow.upsert_search_attributes(None), TypeError, "None is no list of changes"),  # type: ignore[arg-type]
    "a change of no key": (
        lambda: workflow.upsert_search_attributes([SearchAttributeUpdate("Stage", "a")]),  # type: ignore[arg-type]
        TypeError,
        "is no change of a search attribute",
    ),
    "no memo": (lambda: workflow.upsert_memo([]), TypeError, "upsert_memo is given a list"),  # type: ignore[arg-type]
    "a large memo": (lambda: workflow.upsert_memo({"a": "x" * 300_000}), ValueError, "the memo of the run would take"),
    "no details": (lambda: workflow.set_current_details(1), TypeError, "details is an int"),  # type: ignore[arg-type]
    "long details": (lambda: workflow.set_current_details("x" * 20_001), ValueError, "details has 20,001 characters"),
}


@workflow.defn
async def wrong(case: str) -> list[Any]:
    gone = SearchAttributeKey.for_int("Gone")
    workflow.upsert_search_attributes([STAGE.value_set("new"), gone.value_set(1)])
    workflow.upsert_search_attributes([gone.value_unset()])
    call, expected, words = WRONG[case]
    found = False
    try:
        call()
    except expected as error:
        found = words in str(error)
    workflow.upsert_memo({"after": found})
    await workflow.sleep(1)
    return [found, workflow.memo(), workflow.info().typed_search_attributes[STAGE]]


@pytest.mark.parametrize("case", WRONG)
def test_a_change_that_cannot_be_is_an_error_of_the_call_and_changes_nothing(drive: Start, case: str) -> None:
    run = drive(wrong, case)
    run.fire()

    assert run.result == [True, {"after": True}, "new"]


READ_ONLY: list[Callable[[], object]] = [
    lambda: workflow.upsert_memo({"a": 1}),
    lambda: workflow.upsert_search_attributes([STAGE.value_set("a")]),
    lambda: workflow.set_current_details("a"),
]


@workflow.defn
async def reading(number: int) -> None:
    def change() -> bool:
        READ_ONLY[number]()
        return True

    await workflow.wait_condition(change)


@pytest.mark.parametrize("number", range(len(READ_ONLY)))
def test_what_may_only_read_cannot_note(drive: Start, number: int) -> None:
    with pytest.raises(WorkflowBugError) as caught:
        drive(reading, number)

    assert isinstance(caught.value.__cause__ or caught.value.args[0], ReadOnlyContextError)


@workflow.defn
class Described:
    """A run with handlers, which says what it does."""

    def __init__(self) -> None:
        workflow.set_current_details("beginning")

    @workflow.run
    async def run(self) -> str:
        workflow.set_current_details(workflow.get_current_details() + ", waiting")
        await workflow.sleep(1, summary="a while")
        workflow.set_current_details("done")
        return workflow.get_current_details()

    @workflow.signal(description="go on")
    def go(self) -> None:
        """Nothing."""

    @workflow.query
    def plain(self) -> int:
        return 1

    @workflow.update(name="the change", description="changes it")
    def change(self) -> None:
        """Nothing."""


def test_every_run_answers_what_its_handlers_are_and_what_it_does(drive: Start) -> None:
    run = drive(Described)
    args = run.converter.encode_args(())

    told = run.converter.decode(run.execution.query(METADATA_QUERY, args))

    assert told == {
        "definition": {
            "type": "Described",
            "signal_definitions": [{"name": "go", "description": "go on"}],
            "query_definitions": [{"name": "plain"}],
            "update_definitions": [{"name": "the change", "description": "changes it"}],
        },
        "current_details": "beginning, waiting",
    }
    run.fire()
    assert run.result == "done"
