"""How long ended runs are kept, by their workflow type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .definitions import WorkflowDefinition
from .durations import to_limit
from .ids import check_id
from .registry import Registry
from .values import Value
from .workflow_reference import workflow_definition_of

__all__ = ["RetentionPolicy", "policy_of"]


class RetentionPolicy(Value, frozen=True):
    """How long ended runs are kept.

    Attributes:
        default_ns: those of a type that is not in ``by_type``; None for ever.
        by_type: the type that a run was recorded with → how long its runs are kept; None for ever.
    """

    default_ns: int | None
    by_type: Mapping[str, int | None]

    def expires_ns(self, workflow_type: str, closed_ns: int) -> int | None:
        """When a run that has ended is to be deleted, or None."""
        kept_ns = self.by_type.get(workflow_type, self.default_ns)
        return None if kept_ns is None else closed_ns + kept_ns

    def among(self, workflows: Registry[WorkflowDefinition]) -> RetentionPolicy:
        """The same for all names that a workflow has and had: what is given for one holds for the others, unless they
        are given too. A workflow that was renamed is kept as before though the option has its old name still."""
        kept = dict(self.by_type)
        for name, kept_ns in self.by_type.items():
            definition = workflows.find(name)
            if definition is not None and not definition.is_dynamic:
                for other in (definition.name, *definition.aliases):
                    kept.setdefault(other, kept_ns)
        return RetentionPolicy(self.default_ns, kept)

    def strangers(self, workflows: Registry[WorkflowDefinition]) -> list[str]:
        """The types that no workflow goes by: mistyped, or left to runs of code that is gone."""
        return [name for name in self.by_type if workflows.find(name) is None]

    @property
    def text(self) -> str:
        """The same text for the same policy, and another for any other."""
        return repr((self.default_ns, sorted(self.by_type.items())))


def policy_of(
    retention: timedelta | float | None, by_type: Mapping[Any, timedelta | float | None] | None
) -> RetentionPolicy | None:
    """Read the options of a runtime; None if every run is kept for ever.

    Args:
        retention: how long runs are kept.
        by_type: the same for workflow types: names, or declared workflows, which stand for their former names too.

    Raises:
        TypeError: one is no length of time, or is given for what is no workflow.
        ValueError: one cannot be so, or a type is there twice.
    """
    if by_type is not None and not isinstance(by_type, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
        raise TypeError(f"retention_by_type is {by_type!r}; give a dict of workflow types and lengths of time")
    kept: dict[str, int | None] = {}
    given: Mapping[Any, timedelta | float | None] = {} if by_type is None else by_type
    former: dict[str, int | None] = {}
    for workflow, value in given.items():
        name, *aliases = _names(workflow)
        kept_ns = to_limit(value, f"retention of {name}")
        for known, names in ((kept, [name]), (former, aliases)):
            for each in names:
                if each in known:
                    raise ValueError(f"retention_by_type has {each!r} twice; give each workflow type once")
                known[each] = kept_ns
    # A former name that is given itself goes first.
    kept = {**former, **kept}
    default_ns = to_limit(retention, "retention")
    if default_ns is None and all(value is None for value in kept.values()):
        return None
    return RetentionPolicy(default_ns, kept)


def _names(workflow: object) -> tuple[str, ...]:
    if isinstance(workflow, str):
        return (check_id(workflow, "workflow type"),)
    definition = workflow_definition_of(workflow)
    return (definition.name, *definition.aliases)
