"""What a function can reach and change, as a value that can be compared with what it was before."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import enum
import fractions
import functools
import logging
import pathlib
import random
import types
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ..model.lazy import lazy

__all__ = ["Fingerprint", "difference", "fingerprint"]

LARGEST = 200_000

Fingerprint = dict[str, list[object]]
"""Name of an attribute or a variable → what hangs on it, flattened."""

_ATOMS: tuple[type, ...] = (
    *(bool, int, float, complex, str, bytes, type(None), type(...), range, slice),
    *(
        datetime.date,
        datetime.time,
        datetime.timedelta,
        datetime.tzinfo,
        decimal.Decimal,
        fractions.Fraction,
        pathlib.PurePath,
        uuid.UUID,
    ),
    *(enum.Enum, type, types.ModuleType, types.BuiltinFunctionType, types.CodeType),
)

# What fills itself when it is first asked for, and would be the same in a replay.
_CACHES = (functools.cached_property, lazy)

# What is not part of a run's state, or is looked after elsewhere; a loop leads to all there is.
_OPAQUE: tuple[type, ...] = (asyncio.AbstractEventLoop, logging.Filterer, logging.LoggerAdapter)
_CORE = __name__.rpartition(".")[0] + "."

_NOTHING = object()


def fingerprint(function: Callable[..., Any]) -> Fingerprint:
    """What a function can reach: the attributes of its instance, and the variables that it shares with others.

    Beyond ``LARGEST`` values nothing more is looked at.
    """
    flat = _Flat()
    found: Fingerprint = {}
    for name, value in _roots(function):
        found[name] = flat.of(value)
    return found


def difference(before: Fingerprint, after: Fingerprint) -> str:
    """The name of the first thing that differs, or ""."""
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None or len(old) != len(new) or not all(map(_is_same, old, new)):
            return name
    return ""


def _roots(function: Callable[..., Any]) -> Iterator[tuple[str, object]]:
    if isinstance(function, types.MethodType):
        for name, value in _attributes(function.__self__):
            yield f"self.{name}", value
        function = function.__func__
    if not isinstance(function, types.FunctionType):
        yield repr(function), function
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, _content(cell)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _NOTHING


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    cls: Any = type(value)
    for name, each in list(getattr(value, "__dict__", {}).items()):
        if not isinstance(getattr(cls, name, None) if name in _caches_of(cls) else None, _CACHES):
            yield name, each
    for name in _slots_of(cls):
        each = getattr(value, name, _NOTHING)
        if each is not _NOTHING:
            yield name, each


@functools.cache
def _slots_of(cls: type) -> tuple[str, ...]:
    """The attributes that instances have beside their dict."""
    return tuple(
        name
        for base in cls.__mro__
        for name, each in vars(base).items()
        if isinstance(each, types.MemberDescriptorType) and not name.startswith("__")
    )


@functools.cache
def _caches_of(cls: type) -> frozenset[str]:
    return frozenset(name for base in cls.__mro__ for name, each in vars(base).items() if isinstance(each, _CACHES))


class _Flat:
    """Flattens values; what was met before is told by its number, so that circles end."""

    def __init__(self) -> None:
        self._met: dict[int, int] = {}
        # What was met must not go while its identity stands for it.
        self._kept: list[object] = []

    def of(self, root: Any) -> list[object]:
        """A value and all that hangs on it."""
        flat: list[object] = []
        waiting: list[Any] = [root]
        while waiting:
            value: Any = waiting.pop()
            if _is(value, *_ATOMS):
                flat.append(value)
                continue
            known = self._met.get(id(value))
            flat.append(_kind(value) if known is None else _Met(known))
            if known is None and len(self._met) < LARGEST:
                self._met[id(value)] = len(self._met)
                self._kept.append(value)
                waiting.extend(_parts(value, flat))
        return flat


class _Met(int):
    """The number of a value that was met before."""


def _kind(value: object) -> object:
    return type(value)


def _is(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds)


def _parts(value: Any, flat: list[object]) -> list[object]:
    """What hangs on a value; what is compared as a whole goes into ``flat`` at once."""
    if _is(value, asyncio.Future):
        flat.extend((_Identity(value), value.done(), len(getattr(value, "_callbacks", None) or ())))
        return []
    if _is(value, *_OPAQUE) or type(value).__module__.startswith(_CORE):
        flat.append(_Identity(value))
        return []
    parts: list[object] = []
    if _is(value, dict):
        for pair in value.items():
            parts += pair
    elif _is(value, list, tuple, deque):
        parts += value
    elif _is(value, types.MethodType):
        parts += (value.__self__, value.__func__)
    elif _is(value, set, frozenset):
        # Members cannot change, and have no order that could be compared.
        flat.append(frozenset(value))
    elif _is(value, random.Random):
        flat.append(value.getstate())
    elif _is(value, bytearray):
        flat.append(bytes(value))
    elif _is(value, types.FunctionType):
        flat.append(_Identity(value))
        parts += map(_content, value.__closure__ or ())
    own = [each for attribute in _attributes(value) for each in attribute]
    if not own and getattr(_kind(value), "__hash__", None) is object.__hash__:
        flat.append(_Identity(value))
    flat.extend((len(parts), len(own)))
    return parts + own


class _Identity:
    """A thing of which only can be told which it is."""

    __slots__ = ("thing",)

    def __init__(self, thing: object) -> None:
        self.thing = thing


def _is_same(old: object, new: object) -> bool:
    if old is new:
        return True
    if type(old) is not type(new):
        return False
    if isinstance(old, _Identity) and isinstance(new, _Identity):
        return old.thing is new.thing
    return bool(old == new)
