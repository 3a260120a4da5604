"""Holds the index of attributes against the headers of runs, both ways, and names every row that is not as they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from . import keys
from .attribute_rows import unpack_prefixes
from .codec import sealed
from .errors import CorruptError, FormatError
from .records import RunHeader
from .store import Store, Tree

__all__ = ["missing_rows", "unfounded_rows"]

Finding = tuple[str, str, int | None]


def missing_rows(store: Store, run_no: int, header: RunHeader) -> Iterator[Finding]:
    """Yield what a header says of rows that are not there: (where, what, run number)."""
    where = f"the header of run {run_no}"
    try:
        prefixes = unpack_prefixes(header.indexed)
    except ValueError as error:
        yield where, str(error), run_no
        return
    for prefix in prefixes:
        if store.get(Tree.ATTRIBUTES, keys.attribute_key(prefix, run_no)) is None:
            yield where, f"nothing finds it by its attribute {prefix.hex()}: the row is missing", run_no


def unfounded_rows(
    rows: Iterable[tuple[bytes, bytes]], header_of: Callable[[int], RunHeader | None]
) -> Iterator[Finding]:
    """Yield the rows that are damaged, or that no header knows of: (where, what, run number).

    Args:
        rows: all rows of the index.
        header_of: gives the header of a run, if there is one; a damaged one is reported elsewhere.
    """
    for key, row in rows:
        where = f"the attribute row {key.hex()}"
        if len(key) <= keys.RUN_NO_SIZE:
            yield where, "no version of greenroom writes such a row", None
            continue
        if not sealed(key, row):
            yield where, "the checksum does not match", None
            continue
        prefix, run_no = keys.split_attribute(key)
        try:
            header = header_of(run_no)
            known = () if header is None else unpack_prefixes(header.indexed)
        except (CorruptError, FormatError, ValueError):
            continue
        if header is None:
            yield where, f"it is one of run {run_no}, which has no header", run_no
        elif prefix not in known:
            yield where, f"run {run_no} has no such attribute", run_no
