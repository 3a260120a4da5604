"""Which runs opening must bring back: a bit for each, and one row for each block of run numbers.

Runs that begin together are active together, so all that a sweep marks and unmarks stands in very few rows. A block
without a bit has no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import keys
from .codec import encode_bits

__all__ = ["ActiveRuns", "rows_of", "runs_in"]


def runs_in(block: int, bits: int) -> Iterator[int]:
    """Yield the runs of a block whose bits are set, in order."""
    first = block * keys.BLOCK
    while bits:
        lowest = bits & -bits
        yield first + lowest.bit_length() - 1
        bits ^= lowest


class ActiveRuns:
    """The marks that the disk has.

    Args:
        blocks: block number → its bits.
    """

    __slots__ = ("_blocks",)

    def __init__(self, blocks: dict[int, int]) -> None:
        self._blocks = blocks

    def __contains__(self, run_no: int) -> bool:
        block, place = divmod(run_no, keys.BLOCK)
        return bool(self._blocks.get(block, 0) >> place & 1)

    def changed(self, marks: Mapping[int, bool]) -> dict[int, int]:
        """Return the blocks that are touched, as they will be: block number → bits.

        Args:
            marks: run number → whether it is active from now on.
        """
        blocks: dict[int, int] = {}
        for run_no, is_active in marks.items():
            block, place = divmod(run_no, keys.BLOCK)
            bits = blocks[block] if block in blocks else self._blocks.get(block, 0)
            blocks[block] = bits | 1 << place if is_active else bits & ~(1 << place)
        return blocks

    def take_over(self, blocks: Mapping[int, int]) -> None:
        """The disk has these now."""
        for block, bits in blocks.items():
            if bits:
                self._blocks[block] = bits
            else:
                self._blocks.pop(block, None)


def rows_of(blocks: Mapping[int, int]) -> dict[bytes, bytes | None]:
    """Return the rows of blocks: key → value, None for a block without a bit."""
    rows: dict[bytes, bytes | None] = {}
    for block, bits in blocks.items():
        key = keys.ACTIVE_KEY.pack(keys.ACTIVE, block)
        rows[key] = encode_bits(key, bits) if bits else None
    return rows
