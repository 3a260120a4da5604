"""Bytes on disk, in order: the journal and the stores under it. Knows nothing of actors or workflows.

Public are ``Journal`` with ``open`` and ``close``, ``check`` and ``Problem``, ``Durability``, ``MemoryStore``, what is
read of a run (``RunHeader``, ``Turn``), and the errors: ``StorageError`` and all that derive from it. The rest is what
the runtime works with, and changes with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .attribute_rows import pack_prefixes, unpack_prefixes
from .batch import Batch
from .deletion import delete_more, delete_run
from .errors import (
    ClosedError,
    CorruptError,
    FencedError,
    ForkedError,
    FormatError,
    FullError,
    InUseError,
    LocationError,
    OutcomeUnknownError,
    ReadError,
    StorageError,
    WriteError,
)
from .journal import Journal
from .keys import ID_LIMIT, PREFIX_LIMIT, DueKind
from .records import Attempt, DeadLetter, DelayedMail, Due, Items, Mail, Meta, RunHeader, SignalKey, Timer, Turn, Update
from .settings import Durability
from .store import Changes, Store, Tree

if TYPE_CHECKING:
    from .checking import Problem, check
    from .memory import MemoryStore

# What is loaded when it is first used, since who opens a journal has no need of it: name → the module that has it.
_LATER = {**dict.fromkeys(("Problem", "check"), ".checking"), "MemoryStore": ".memory"}

__all__ = [
    "ID_LIMIT",
    "PREFIX_LIMIT",
    "Attempt",
    "Batch",
    "Changes",
    "ClosedError",
    "CorruptError",
    "DeadLetter",
    "DelayedMail",
    "Due",
    "DueKind",
    "Durability",
    "FencedError",
    "ForkedError",
    "FormatError",
    "FullError",
    "InUseError",
    "Items",
    "Journal",
    "LocationError",
    "Mail",
    "MemoryStore",
    "Meta",
    "OutcomeUnknownError",
    "Problem",
    "ReadError",
    "RunHeader",
    "SignalKey",
    "StorageError",
    "Store",
    "Timer",
    "Tree",
    "Turn",
    "Update",
    "WriteError",
    "check",
    "delete_more",
    "delete_run",
    "pack_prefixes",
    "unpack_prefixes",
]


if not TYPE_CHECKING:
    # A type checker would take any name for one that is there. `greenroom.loading` is above this floor.

    def __getattr__(name: str) -> object:
        home = _LATER.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(home, __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
