"""The options of a ``TestRuntime``, for calls that pass them on."""

from __future__ import annotations

from ..actors import ManualClock
from ..runtime.runtime_options import RuntimeOptions

__all__ = ["TestRuntimeOptions"]


class TestRuntimeOptions(RuntimeOptions, total=False):
    """The options of a ``TestRuntime``, as it and ``Runtime`` explain them."""

    seed: int
    clock: ManualClock | None
    auto_skip: bool
    evict_after_every_turn: bool
    shuffle: int | None
    check_leaks: bool
