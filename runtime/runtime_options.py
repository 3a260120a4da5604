"""The options of a ``Runtime``, for calls that pass them on: type checkers hold these to the same list."""

# No `from __future__ import annotations`: each annotation would be compiled whenever this is imported.
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, TypedDict

from .core.changes import PatchActivationInput
from .model.payload_converter import PayloadConverter
from .model.supervision import Supervision

__all__ = ["RuntimeOptions"]


class RuntimeOptions(TypedDict, total=False):
    """The options of a ``Runtime``, as it explains them."""

    workflows: Iterable[object] | None
    activities: Iterable[object] | None
    durability: str
    activity_executor: Executor | None
    activity_threads: int
    activity_processes: int | None
    max_residents: int
    mailbox_limit: int
    max_updates_in_flight: int
    max_updates: int
    failure_exception_types: Iterable[type[BaseException]]
    supervision: Supervision | None
    turn_deadline: timedelta | float | None
    retention: timedelta | float | None
    retention_by_type: Mapping[Any, timedelta | float | None] | None
    patch_activation_callback: Callable[[PatchActivationInput], bool] | None
    identity: str | None
    converter: PayloadConverter | None
    guard: str
    shutdown_grace: timedelta | float
    switch_interval: float | None
    gc_threshold: int | None
    allow_remote: bool
    map_size: int | None
    max_map_size: int | None
