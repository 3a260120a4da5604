"""What a run's code has noted of the run: its memo, its search attributes, and what it says that it does now.

Code sees its own notes as the history has them: decoded from the bytes of the command that it asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.attribute_values import (
    SearchAttributeIndexedValueType,
    check_attributes,
    decode_attributes,
    encode_attributes,
    merged,
)
from ..model.memos import check_memo, decode_memo, decode_memo_changes, encode_memo, memo_changes, merged_memo
from ..model.options import WorkflowOptions
from ..model.payload_converter import PayloadConverter
from ..model.search_attributes import SearchAttributeUpdate, TypedSearchAttributes, changes_of, typed_of

__all__ = ["Notes"]


class Notes:
    """The notes of one run.

    Args:
        options: those of its start.

    Attributes:
        memo: name → payload.
        attributes: the search attributes.
        details: what the run says that it does now; not in the history.
    """

    __slots__ = ("_stored", "_types", "attributes", "details", "memo")

    def __init__(self, options: WorkflowOptions) -> None:
        self.memo = decode_memo(options.memo)
        self.details = ""
        self._stored = decode_attributes(options.search_attributes)
        # Of attributes that are gone too: a name keeps its type as long as the run.
        self._types = {name: kind for name, (kind, _) in self._stored.items()}
        self.attributes: TypedSearchAttributes = typed_of(self._stored)

    def memo_changes(self, updates: Mapping[str, Any], converter: PayloadConverter) -> bytes:
        """Changes of the memo as a command has them.

        Raises:
            TypeError, ValueError: they cannot be made.
            PayloadError: a value cannot be stored.
        """
        changes = memo_changes(updates, converter, "upsert_memo")
        check_memo(merged_memo(self.memo, changes))
        return encode_memo(changes)

    def change_memo(self, changes: bytes) -> None:
        """Make changes of the memo."""
        self.memo = merged_memo(self.memo, decode_memo_changes(changes))

    def attribute_changes(self, updates: Sequence[SearchAttributeUpdate[Any]]) -> bytes:
        """Changes of search attributes as a command has them.

        Raises:
            TypeError, ValueError: they cannot be made.
        """
        changes = changes_of(updates)
        for name, (kind, _) in changes.items():
            known = self._types.get(name, kind)
            if known != kind:
                raise TypeError(
                    f"search attribute {name!r} is {_words(known)} in this run and cannot become {_words(kind)}; "
                    "use the key of its type, or another name"
                )
        check_attributes(merged(self._stored, changes))
        return encode_attributes(changes)

    def change_attributes(self, changes: bytes) -> None:
        """Make changes of search attributes."""
        made = decode_attributes(changes)
        self._stored = merged(self._stored, made)
        self._types |= {name: kind for name, (kind, _) in made.items()}
        self.attributes = typed_of(self._stored)


def _words(kind: int) -> str:
    return SearchAttributeIndexedValueType(kind).name
