"""An in-process durable workflow runtime: workflows are ordinary async Python that survives crashes.

Every public name is loaded when it is first used, so that ``import greenroom`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime import activity, workflow
    from .runtime.model.options import WorkflowIDConflictPolicy
    from .runtime.runtime import Runtime

__version__ = "0.1.0.dev0"

_HOMES = {
    "Runtime": ".runtime.runtime",
    "WorkflowIDConflictPolicy": ".runtime.model.options",
    "activity": ".runtime.activity",
    "workflow": ".runtime.workflow",
}

__all__ = [
    "Runtime",
    "WorkflowIDConflictPolicy",
    "activity",
    "workflow",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(home, __name__)
    value: object = module if home.endswith("." + name) else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
