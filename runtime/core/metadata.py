"""What every run answers of itself: its handlers, what it says that it does now, and where its tasks wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..model.handler_definitions import ENHANCED_STACK_TRACE_QUERY, METADATA_QUERY, STACK_TRACE_QUERY
from .handler_table import HandlerTable
from .stacks import enhanced_stack_trace, stack_trace
from .tasks import Task

__all__ = ["BUILT_IN"]


class Asked(Protocol):
    """A run, as far as it is asked here."""

    @property
    def workflow_type(self) -> str: ...
    def handlers(self, kind: str) -> HandlerTable: ...
    def current_details(self) -> str: ...
    def tasks(self) -> Sequence[Task[Any]]: ...


def _metadata(run: Asked) -> dict[str, Any]:
    """**Source:** Temporal, the query of that name."""
    definition: dict[str, Any] = {"type": run.workflow_type}
    for kind in ("signal", "query", "update"):
        definition[f"{kind}_definitions"] = [_told(name, text) for name, text in run.handlers(kind).descriptions()]
    return {"definition": definition, "current_details": run.current_details()}


def _told(name: str, description: str | None) -> dict[str, str]:
    return {"name": name} if description is None else {"name": name, "description": description}


BUILT_IN: dict[str, Callable[[Asked], Any]] = {
    METADATA_QUERY: _metadata,
    STACK_TRACE_QUERY: lambda run: stack_trace(run.tasks()),
    ENHANCED_STACK_TRACE_QUERY: lambda run: enhanced_stack_trace(run.tasks()),
}
"""Name of a query → what answers it; no handler of a workflow's own is asked."""
