"""What every run answers of itself: its handlers, as they are described, and what it says that it does now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .handler_table import HandlerTable

__all__ = ["BUILT_IN", "METADATA_QUERY"]

METADATA_QUERY = "__temporal_workflow_metadata"


class Asked(Protocol):
    """A run, as far as it is asked here."""

    @property
    def workflow_type(self) -> str: ...
    def handlers(self, kind: str) -> HandlerTable: ...
    def current_details(self) -> str: ...


def _metadata(run: Asked) -> dict[str, Any]:
    """**Source:** Temporal, the query of that name."""
    definition: dict[str, Any] = {"type": run.workflow_type}
    for kind in ("signal", "query", "update"):
        definition[f"{kind}_definitions"] = [_told(name, text) for name, text in run.handlers(kind).descriptions()]
    return {"definition": definition, "current_details": run.current_details()}


def _told(name: str, description: str | None) -> dict[str, str]:
    return {"name": name} if description is None else {"name": name, "description": description}


BUILT_IN: dict[str, Callable[[Asked], Any]] = {METADATA_QUERY: _metadata}
"""Name of a query → what answers it; no handler of a workflow's own is asked."""
