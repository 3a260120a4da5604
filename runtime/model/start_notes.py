"""What a start, or the start of a child, notes of the new run: the options for it, and how they are stored."""

# No `from __future__ import annotations`: each annotation of a typed dict would be compiled whenever this is imported.

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from .attribute_values import encode_attributes
from .search_attributes import TypedSearchAttributes, checked_start
from .texts import note

__all__ = ["DETAILS_LIMIT", "SUMMARY_LIMIT", "NoteOptions", "stored_notes"]

SUMMARY_LIMIT = 400
"""Most characters of the line that says what a run is for."""

DETAILS_LIMIT = 20_000
"""Most characters of what is said of it beside."""


class NoteOptions(TypedDict, total=False):
    """The options, as ``Runtime.start_workflow`` explains them."""

    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | None
    static_summary: str | None
    static_details: str | None


def stored_notes(given: NoteOptions, encode_memo: Callable[[Mapping[str, Any]], bytes]) -> dict[str, Any]:
    """The fields of ``WorkflowOptions`` that are given, by name.

    Args:
        given: options, these and others.
        encode_memo: gives a memo as it is stored.

    Raises:
        TypeError, ValueError: an option that cannot be so.
        PayloadError: a value of the memo cannot be stored.
    """
    fields: dict[str, Any] = {}
    memo, attributes = given.get("memo"), given.get("search_attributes")
    summary, details = given.get("static_summary"), given.get("static_details")
    if memo is not None:
        fields["memo"] = encode_memo(memo) or None
    if attributes is not None:
        fields["search_attributes"] = encode_attributes(checked_start(attributes)) or None
    if summary is not None:
        fields["summary"] = note(summary, "static_summary", SUMMARY_LIMIT) or None
    if details is not None:
        fields["details"] = note(details, "static_details", DETAILS_LIMIT) or None
    return fields
