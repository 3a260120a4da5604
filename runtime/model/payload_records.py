"""Classes with fields: dataclasses, structs, named tuples and typed dicts, made only if an annotation allows them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import force_setattr

from .payload_fits import LAX, RENAMED, Converter, anything, coded, is_called, label, made, misfit
from .payload_tags import NAMED_TUPLE, RECORD, Node, Unfit, kind_of, name_of

__all__ = ["Resolve", "Typevars", "bound", "named_tuple", "record", "typed_dict"]

Typevars = dict[Any, Any]
Resolve = Callable[[Any], Converter]

_ABSENT = object()


class _Fields:
    """The fields of a class and their converters, resolved at first use so that a class may contain itself."""

    def __init__(self, cls: Any, typevars: Typevars, resolve: Resolve) -> None:
        self._cls = cls
        self._typevars = typevars
        self._resolve = resolve
        self._found: dict[str, Converter] | None = None
        self._required: set[str] = set()

    def get(self) -> dict[str, Converter]:
        if self._found is None:
            try:
                hints = typing.get_type_hints(self._cls, include_extras=True)
            except (NameError, TypeError, AttributeError, SyntaxError) as err:
                raise Unfit(
                    f"the annotations of {label(self._cls)} cannot be resolved: {err}; import the names"
                ) from err
            self._required = {name for name, hint in hints.items() if self._is_required(name, hint)}
            self._found = {name: self._resolve(bound(hint, self._typevars)) for name, hint in hints.items()}
        return self._found

    def _is_required(self, name: str, hint: Any) -> bool:
        marks = {typing.Required: True, typing.NotRequired: False}
        return marks.get(typing.get_origin(hint), name in getattr(self._cls, "__required_keys__", ()))

    def required(self) -> set[str]:
        """Keys that a typed dict must have; the class itself does not know if its annotations are text."""
        self.get()
        return self._required

    def convert(self, stored: dict[Any, Any], slack: int, names: Iterable[str]) -> dict[str, Any]:
        converters = self.get()
        done: dict[str, Any] = {}
        for name in names:
            if name in stored:
                try:
                    done[name] = converters.get(name, anything)(stored[name], slack)
                except Unfit as err:
                    raise err.under(f".{name}") from None
        return done


def bound(hint: Any, typevars: Typevars) -> Any:
    """The hint with type variables replaced."""
    if isinstance(hint, TypeVar):
        return typevars.get(hint, Any)
    parameters = getattr(hint, "__parameters__", ())
    if parameters and typing.get_origin(hint) is not None:
        return hint[tuple(typevars.get(parameter, Any) for parameter in parameters)]
    return hint


def record(cls: Any, typevars: Typevars, resolve: Resolve) -> Converter:
    name = name_of(cls)
    fields = _Fields(cls, typevars, resolve)
    names: tuple[str, ...]
    if issubclass(cls, msgspec.Struct):
        names, late, restore = cls.__struct_fields__, frozenset[str](), force_setattr
    else:
        names = tuple(field.name for field in dataclasses.fields(cls))
        late, restore = frozenset(field.name for field in dataclasses.fields(cls) if not field.init), object.__setattr__

    def convert(tree: Any, slack: int) -> Any:
        if kind_of(tree) is Node and tree.code == RECORD:
            stored, is_same = tree.content, is_called(tree.name, name, RENAMED)
            if not is_called(tree.name, name, slack):
                raise misfit(cls, tree)
        elif kind_of(tree) is dict and slack == LAX:
            stored, is_same = tree, False
        else:
            return coded(cls, tree)
        if not is_same and not all(key in names for key in stored):
            raise misfit(cls, tree)
        values = fields.convert(stored, slack, names)
        try:
            found = cls(**{key: value for key, value in values.items() if key not in late} if late else values)
            # A constructor of the user's may compute fields anew; what was stored wins: a value comes back as it was.
            for key, value in values.items():
                if getattr(found, key, _ABSENT) is not value:
                    restore(found, key, value)
        except Exception as err:  # a constructor of the user's may raise anything
            raise Unfit(f"{label(cls)} cannot be made: {type(err).__name__}: {err}") from err
        return found

    return convert


def named_tuple(cls: Any, typevars: Typevars, resolve: Resolve) -> Converter:
    name = name_of(cls)
    fields = _Fields(cls, typevars, resolve)

    def convert(tree: Any, slack: int) -> Any:
        if kind_of(tree) is Node and tree.code == NAMED_TUPLE and is_called(tree.name, name, slack):
            elements = tree.content
        elif slack == LAX and kind_of(tree) in (list, tuple):
            elements = tree
        else:
            return coded(cls, tree)
        if len(elements) > len(cls._fields):
            raise Unfit(f"{len(elements)} elements where {label(cls)} has {len(cls._fields)}")
        values = fields.convert(dict(zip(cls._fields, elements, strict=False)), slack, cls._fields)
        return made(cls, lambda found: cls(**found), values)

    return convert


def typed_dict(cls: Any, typevars: Typevars, resolve: Resolve) -> Converter:
    fields = _Fields(cls, typevars, resolve)

    def convert(tree: Any, slack: int) -> Any:
        if kind_of(tree) is not dict:
            raise misfit(cls, tree)
        stored: dict[Any, Any] = tree
        missing = sorted(fields.required() - stored.keys())
        if missing:
            raise Unfit(f"{label(cls)} needs the keys {', '.join(missing)}")
        if not all(isinstance(key, str) for key in stored):
            raise misfit(cls, tree)
        return fields.convert(stored, slack, stored)

    return convert
