"""How a store on disk is opened."""

# No `from __future__ import annotations`: each annotation of a named tuple would be compiled whenever this is imported.
from enum import StrEnum
from typing import NamedTuple, NoReturn

__all__ = ["DEFAULTS", "Durability", "Settings"]

_GIB = 1 << 30


class Durability(StrEnum):
    """What a commit survives.

    FULL: the death of the process and a power cut. RELAXED: the death of the process; a power cut may undo the last
    commits, and never damages anything.
    """

    FULL = "full"
    RELAXED = "relaxed"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise ValueError(f"durability is {value!r}; give {' or '.join(repr(level.value) for level in cls)}")


class Settings(NamedTuple):
    """The choices of whoever opens a store.

    ``map_size`` is the address space reserved at first, in bytes; it is sparse, and less is taken where the process may
    not have it. ``max_map_size`` is what the store may grow to, in bytes.
    """

    durability: Durability = Durability.FULL
    map_size: int = 64 * _GIB
    max_map_size: int = 1024 * _GIB
    read_only: bool = False


DEFAULTS = Settings()
