"""Which handler hears which name, in one run: those that have a name, and one for all other names."""

from __future__ import annotations

from ..model.handler_definitions import HandlerDefinition

__all__ = ["HandlerError", "HandlerTable"]


class HandlerError(Exception):
    """A query handler or a validator has raised something, which is the ``__cause__``."""


class HandlerTable:
    """The handlers of one kind."""

    __slots__ = ("_dynamic", "_named")

    def __init__(self) -> None:
        self._named: dict[str, HandlerDefinition] = {}
        self._dynamic: HandlerDefinition | None = None

    def names(self) -> list[str]:
        """The names that have a handler of their own, in alphabetical order."""
        return sorted(self._named)

    def descriptions(self) -> list[tuple[str, str | None]]:
        """The names that have a handler of their own, in alphabetical order, with what is said of each."""
        return [(name, handler.description) for name, handler in sorted(self._named.items())]

    def hearing(self, name: str) -> HandlerDefinition | None:
        """Who hears a name: its own handler, else the catch-all."""
        return self._named.get(name) or self._dynamic

    def handler(self, name: str | None) -> HandlerDefinition | None:
        """The handler of just that name; None as a name means the catch-all."""
        return self._dynamic if name is None else self._named.get(name)

    def set_handler(self, name: str | None, handler: HandlerDefinition | None) -> None:
        """Set, replace or (with None) remove a handler."""
        if name is None:
            self._dynamic = handler
        elif handler is None:
            self._named.pop(name, None)
        else:
            self._named[name] = handler
