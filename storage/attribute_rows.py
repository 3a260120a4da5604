"""The index of attributes: one row for each value that a run has, found by the value and not by the run.

What a value's bytes mean is for the layer above: here they are the prefix of a key. The header of a run has the list of
its prefixes (``indexed``), so that rows can be taken back, and held against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from . import keys
from .codec import seal, sealed
from .errors import CorruptError
from .store import Store, Tree

__all__ = ["changed_rows", "pack_prefixes", "runs_with", "unpack_prefixes"]

_LENGTH = Struct(">H")
_SLICE = 1000


def pack_prefixes(prefixes: Iterable[bytes]) -> bytes:
    """Return what a header keeps of the rows of its run: each prefix behind its length, in order, none of them twice.

    Raises:
        ValueError: a prefix is empty, or too long for a key.
    """
    packed: list[bytes] = []
    for prefix in sorted(set(prefixes)):
        if not 0 < len(prefix) <= keys.PREFIX_LIMIT:
            raise ValueError(f"an attribute's prefix has {len(prefix)} bytes, allowed are 1 to {keys.PREFIX_LIMIT}")
        packed += (_LENGTH.pack(len(prefix)), prefix)
    return b"".join(packed)


def unpack_prefixes(data: bytes) -> list[bytes]:
    """Return the prefixes that a header keeps.

    Raises:
        ValueError: the bytes are not such a list.
    """
    prefixes: list[bytes] = []
    place = 0
    while place < len(data):
        start = place + _LENGTH.size
        place = start + int.from_bytes(data[place:start], "big")
        if start > len(data) or not start < place <= len(data):
            raise ValueError("its list of attribute rows is cut off")
        prefixes.append(data[start:place])
    return prefixes


def changed_rows(run_no: int, before: bytes, after: bytes) -> dict[bytes, bytes | None]:
    """Return the rows that differ when a header's list changes: key → value, None for a row that goes.

    Args:
        before: the list that the disk has, as ``pack_prefixes`` made it.
        after: the list that it gets.
    """
    old, new = set(unpack_prefixes(before)), set(unpack_prefixes(after))
    rows: dict[bytes, bytes | None] = {keys.attribute_key(prefix, run_no): None for prefix in old - new}
    for prefix in new - old:
        key = keys.attribute_key(prefix, run_no)
        rows[key] = seal(key)
    return rows


def runs_with(
    store: Store, start: bytes, stop: bytes, *, after: bytes, limit: int, damaged: list[CorruptError] | None
) -> list[tuple[bytes, int]]:
    """Return a page of the rows in the half-open range [start, stop): see ``Journal.attribute_runs``."""
    if after:
        start = max(start, keys.after(after))
    page: list[tuple[bytes, int]] = []
    while wanted := limit - len(page):
        rows = store.scan(Tree.ATTRIBUTES, start, stop, limit=min(wanted, _SLICE))
        for key, row in rows:
            if len(key) > keys.RUN_NO_SIZE and sealed(key, row):
                page.append((key, keys.split_attribute(key)[1]))
                continue
            error = CorruptError(f"the attribute row {key.hex()}", "the checksum does not match")
            if damaged is None:
                raise error
            damaged.append(error)
        if len(rows) < min(wanted, _SLICE):
            break
        start = keys.after(rows[-1][0])
    return page
