"""What workflow code notes of its own run: a memo, search attributes, and what it does now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, overload

from .core.context import current
from .model.search_attributes import SearchAttributeUpdate
from .model.texts import note

__all__ = [
    "get_current_details",
    "memo",
    "memo_value",
    "set_current_details",
    "upsert_memo",
    "upsert_search_attributes",
]

T = TypeVar("T")
D = TypeVar("D")

_NO_DEFAULT: Any = object()


def memo() -> Mapping[str, Any]:
    """The run's memo as it is now, as plain data; a copy, which ``upsert_memo`` does not change."""
    context = current()
    return {key: context.memo_value(payload, Any) for key, payload in context.memo().items()}


@overload
def memo_value(key: str, default: Any = ...) -> Any: ...
@overload
def memo_value(key: str, *, type_hint: type[T]) -> T: ...
@overload
def memo_value(key: str, default: D, *, type_hint: type[T]) -> T | D: ...
def memo_value(key: str, default: Any = _NO_DEFAULT, *, type_hint: Any = Any) -> Any:
    """One value of the run's memo.

    Args:
        key: its name.
        default: given if there is none of that name.
        type_hint: the type of the value; plain data if not given.

    Raises:
        KeyError: there is none of that name, and no default.
        PayloadDecodeError: it is not of that type.
    """
    context = current()
    payload = context.memo().get(key)
    if payload is not None:
        return context.memo_value(payload, type_hint)
    if default is _NO_DEFAULT:
        raise KeyError(f"the memo has no {key!r} (it has: {', '.join(sorted(context.memo())) or 'nothing'})")
    return default


def upsert_memo(updates: Mapping[str, Any]) -> None:
    """Change the run's memo, which ``describe()`` shows; what is not named stays.

    Args:
        updates: name → any value that can be stored; None takes the name away.

    Raises:
        TypeError: it is no dict of names and values.
        ValueError: a name cannot be one, or the memo would be too large (256 KiB).
        PayloadError: a value cannot be stored.
        ReadOnlyContextError: the caller may only read.
    """
    current().upsert_memo(updates)


def upsert_search_attributes(updates: Sequence[SearchAttributeUpdate[Any]]) -> None:
    """Change what the run is found by; ``workflow.info()`` shows it at once, and what is not named stays.

    Args:
        updates: changes, such as ``key.value_set(value)`` and ``key.value_unset()``, one for each name.

    Raises:
        TypeError: something is no change, or the name has another type in this run, even if it has no value now.
        ValueError: a name is changed twice, a value cannot be stored, or they would be too many (100) or too large
            together (40 KiB).
        ReadOnlyContextError: the caller may only read.
    """
    current().upsert_search_attributes(updates)


def set_current_details(details: str) -> None:
    """Say in words what the run does now, for ``describe()``. It is not in the history: a replay says it again.

    Args:
        details: a text of any number of lines, of up to 20,000 characters.

    Raises:
        TypeError: it is no string.
        ValueError: it is too long.
        ReadOnlyContextError: the caller may only read.
    """
    current().set_current_details(note(details, "details", 20_000))


def get_current_details() -> str:
    """What was said last with ``set_current_details``, or ""."""
    return current().current_details()
