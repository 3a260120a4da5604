"""What has been declared, by name: workflows and activities register themselves when their module is imported."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from .activity_definition import ActivityDefinition
from .definitions import WorkflowDefinition
from .errors import NotRegisteredError

__all__ = ["Registry", "activities", "workflows"]


class Named(Protocol):
    """Whatever has a registered name, perhaps others from before, and a place in the code; what is dynamic stands for
    all that have none."""

    @property
    def name(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...

    @property
    def place(self) -> str: ...

    @property
    def is_dynamic(self) -> bool: ...


D = TypeVar("D", bound=Named)

logger = logging.getLogger("greenroom")


class Registry(Generic[D]):
    """Definitions by name.

    Args:
        kind: what they are, for messages ("workflow").
        definitions: what is known from the start.
        is_listed: whether somebody has chosen what is known; if not, it is whatever was declared, the last of each
            name.
    """

    def __init__(self, kind: str, definitions: Iterable[D] = (), *, is_listed: bool = True) -> None:
        self.kind = kind
        self.is_listed = is_listed
        self._by_name: dict[str, D] = {}
        self._dynamic: D | None = None
        self._by_alias: dict[str, D] = {}
        for definition in definitions:
            self.add_new(definition)

    def add_new(self, definition: D) -> None:
        """Make a definition known whose name nobody has yet.

        Raises:
            ValueError: another one has that name, or is dynamic too.
        """
        if definition.is_dynamic:
            if self._dynamic is not None and self._dynamic is not definition:
                raise ValueError(
                    f"two {self.kind} definitions are dynamic, {self._dynamic.place} and {definition.place}; "
                    "a runtime has one at most"
                )
            self._dynamic = definition
            return
        for name in (definition.name, *definition.aliases):
            other = self._named(name)
            if other is None or other is definition:
                continue
            if name == other.name == definition.name:
                raise ValueError(
                    f"two {self.kind} definitions are named {name!r}; give one of them another name with "
                    f"@{self.kind}.defn(name=…)"
                )
            raise ValueError(
                f"two {self.kind} definitions go by {name!r}, which is {_role(name, other)} and "
                f"{_role(name, definition)}; take it out of one of them, in @{self.kind}.defn(name=…, aliases=[…])"
            )
        self._put(definition)

    def add(self, definition: D) -> None:
        """Make a definition known; a later one of the same name takes the place of an earlier one, as a reloaded
        module wants. If the earlier one stands elsewhere in the code, that is said in the log."""
        if definition.is_dynamic:
            if self._dynamic is not None and self._dynamic.place != definition.place:
                logger.warning(
                    "the dynamic %s of %s takes the place of that of %s; a runtime has one at most: list those that "
                    "belong to a runtime",
                    self.kind,
                    definition.place,
                    self._dynamic.place,
                )
            self._dynamic = definition
            return
        for name in (definition.name, *definition.aliases):
            other = self._named(name)
            if other is not None and other.place != definition.place:
                logger.warning(
                    "the %s %r of %s takes the place of that of %s; give one of the two another name with "
                    "@%s.defn(name=…), or list those that belong to a runtime",
                    self.kind,
                    name,
                    definition.place,
                    other.place,
                    self.kind,
                )
        self._put(definition)

    def _named(self, name: str) -> D | None:
        return self._by_name.get(name) or self._by_alias.get(name)

    def _put(self, definition: D) -> None:
        replaced = self._by_name.get(definition.name)
        for alias in () if replaced is None else replaced.aliases:
            if self._by_alias.get(alias) is replaced:
                del self._by_alias[alias]
        self._by_alias.pop(definition.name, None)
        self._by_name[definition.name] = definition
        for alias in definition.aliases:
            self._by_name.pop(alias, None)
            self._by_alias[alias] = definition

    def get(self, name: str) -> D:
        """The definition of that name, or that had it; the dynamic one, if there is none.

        Raises:
            NotRegisteredError: there is neither.
        """
        definition = self._by_name.get(name) or self._by_alias.get(name) or self._dynamic
        if definition is None:
            raise NotRegisteredError(self.kind, name, sorted(self._by_name))
        return definition

    def find(self, name: str) -> D | None:
        """The definition of that name, or that had it; the dynamic one, if there is none; or None."""
        return self._by_name.get(name) or self._by_alias.get(name) or self._dynamic

    def names(self) -> list[str]:
        """What is known, in alphabetical order."""
        return sorted(self._by_name)


def _role(name: str, definition: Named) -> str:
    return f"the name of {definition.place}" if name == definition.name else f"an alias of {definition.place}"


workflows: Registry[WorkflowDefinition] = Registry("workflow", is_listed=False)
"""Every workflow declared in this process so far."""

activities: Registry[ActivityDefinition] = Registry("activity", is_listed=False)
"""Every activity declared in this process so far."""
