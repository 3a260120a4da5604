"""Runs that note things of themselves: at their start, while they run, and with summaries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from greenroom import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, workflow
from greenroom.testing import TestRuntime

TEXT = SearchAttributeKey.for_text("Text")
KEYWORD = SearchAttributeKey.for_keyword("Keyword")
INT = SearchAttributeKey.for_int("Int")
FLOAT = SearchAttributeKey.for_float("Float")
BOOL = SearchAttributeKey.for_bool("Bool")
WHEN = SearchAttributeKey.for_datetime("When")
TAGS = SearchAttributeKey.for_keyword_list("Tags")

NOON = datetime(2024, 5, 1, 12, 0, 0, 250, tzinfo=UTC)

AT_START = TypedSearchAttributes(
    [
        SearchAttributePair(TEXT, "some words"),
        SearchAttributePair(KEYWORD, "a\0b" + "é" * 300),
        SearchAttributePair(INT, -5),
        SearchAttributePair(FLOAT, -2.5),
        SearchAttributePair(BOOL, True),
        SearchAttributePair(WHEN, NOON),
        SearchAttributePair(TAGS, ["one", "two"]),
    ]
)
AT_LAST = TypedSearchAttributes(
    [
        SearchAttributePair(TEXT, "some words"),
        SearchAttributePair(KEYWORD, "a\0b" + "é" * 300),
        SearchAttributePair(FLOAT, 0.0),
        SearchAttributePair(BOOL, False),
        SearchAttributePair(WHEN, NOON.replace(year=1900)),
        SearchAttributePair(TAGS, ["two", "three"]),
    ]
)
MEMO = {"kept": [1, 2], "place": (3, 4)}


@workflow.defn(name="golden.noting")
class Noting:
    """Changes what its start has noted, and waits to be asked."""

    def __init__(self) -> None:
        self.is_over = False

    @workflow.run
    async def run(self) -> dict[str, Any]:
        workflow.set_current_details("noting")
        workflow.upsert_search_attributes(
            [INT.value_unset(), FLOAT.value_set(0.0), BOOL.value_set(False), TAGS.value_set(["two", "three"])]
        )
        workflow.upsert_memo({"place": (3, 4), "gone": None})
        await workflow.wait_condition(lambda: self.is_over, timeout=86_400, timeout_summary="a day at most")
        return dict(workflow.memo())

    @workflow.signal(description="ends it")
    def finish(self) -> None:
        """Have it end."""
        workflow.upsert_search_attributes([WHEN.value_set(NOON.replace(year=1900))])
        self.is_over = True


def record(runtime: TestRuntime) -> None:
    """One run that has ended, and one that is open."""
    for name in ("ended", "open"):
        runtime.wait(
            runtime.start_workflow(
                Noting.run,
                id=name,
                memo={"kept": [1, 2], "gone": 1},
                search_attributes=AT_START,
                static_summary="one line",
                static_details="two\nlines",
            )
        )
    ended = runtime.get_workflow_handle("ended")
    runtime.wait(ended.signal("finish"))
    runtime.wait(ended.result())
