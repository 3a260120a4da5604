"""What type checkers make of search attributes and memos. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, assert_type

from greenroom import (
    Runtime,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
    workflow,
)

TEXT = SearchAttributeKey.for_text("Text")
KEYWORD = SearchAttributeKey.for_keyword("Keyword")
INT = SearchAttributeKey.for_int("Int")
FLOAT = SearchAttributeKey.for_float("Float")
BOOL = SearchAttributeKey.for_bool("Bool")
WHEN = SearchAttributeKey.for_datetime("When")
TAGS = SearchAttributeKey.for_keyword_list("Tags")


def keys_know_the_type_of_their_values(now: datetime) -> None:
    assert_type(TEXT, SearchAttributeKey[str])
    assert_type(TAGS, SearchAttributeKey[Sequence[str]])
    assert_type(INT.value_set(1), SearchAttributeUpdate[int])
    assert_type(INT.value_unset(), SearchAttributeUpdate[int])
    KEYWORD.value_set("a")
    FLOAT.value_set(1)
    BOOL.value_set(True)
    WHEN.value_set(now)
    TAGS.value_set(["a"])
    TAGS.value_set(("a", "b"))


def values_of_another_type_are_refused(now: datetime) -> None:
    TEXT.value_set(1)  # type: ignore[arg-type]
    KEYWORD.value_set(None)  # type: ignore[arg-type]
    INT.value_set("1")  # type: ignore[arg-type]
    INT.value_set(1.0)  # type: ignore[arg-type]
    FLOAT.value_set("1")  # type: ignore[arg-type]
    BOOL.value_set(1)  # type: ignore[arg-type]
    WHEN.value_set(now.date())  # type: ignore[arg-type]
    TAGS.value_set([1])  # type: ignore[list-item]
    TAGS.value_set({"a"})  # type: ignore[arg-type]
    INT.value_unset(1)  # type: ignore[call-arg]


def pairs_and_attributes_know_them_too(attributes: TypedSearchAttributes) -> None:
    assert_type(attributes[INT], int)
    assert_type(attributes.get(WHEN), datetime | None)
    assert_type(attributes.get(INT, "none"), int | str)
    assert_type(attributes.updated(SearchAttributePair(INT, 1)), TypedSearchAttributes)
    assert_type(SearchAttributePair(INT, 1).value, int)
    assert_type(INT in attributes, bool)
    for key, value in attributes:
        assert_type(key, SearchAttributeKey[Any])
        assert_type(value, Any)
    attributes["Int"]  # type: ignore[index]
    attributes.updated(INT.value_set(1))  # type: ignore[arg-type]


async def workflows_note_what_they_want() -> None:
    workflow.upsert_search_attributes([INT.value_set(1), TAGS.value_unset()])
    workflow.upsert_memo({"a": 1, "b": None})
    assert_type(workflow.memo(), Mapping[str, Any])
    assert_type(workflow.memo_value("a"), Any)
    assert_type(workflow.memo_value("a", type_hint=int), int)
    assert_type(workflow.memo_value("a", "", type_hint=int), int | str)
    assert_type(workflow.info().typed_search_attributes, TypedSearchAttributes)
    await workflow.wait_condition(lambda: True, timeout=1, timeout_summary="a second")
    workflow.upsert_search_attributes([SearchAttributePair(INT, 1)])  # type: ignore[list-item]
    workflow.upsert_search_attributes(INT.value_set(1))  # type: ignore[arg-type]
    workflow.upsert_memo([("a", 1)])  # type: ignore[arg-type]
    workflow.set_current_details(1)  # type: ignore[arg-type]


@workflow.defn
async def noted() -> None:
    """A workflow that starts with notes."""


def starts_take_notes(runtime: Runtime, attributes: TypedSearchAttributes) -> None:
    runtime.start_workflow(
        noted, memo={"a": 1}, search_attributes=attributes, static_summary="one", static_details="line"
    )
    runtime.start_workflow(noted, search_attributes=[SearchAttributePair(INT, 1)])  # type: ignore[call-arg, call-overload]
    runtime.start_workflow(noted, memo=["a"])  # type: ignore[call-arg, call-overload]
    runtime.start_workflow(noted, static_summary=1)  # type: ignore[call-arg, call-overload]
