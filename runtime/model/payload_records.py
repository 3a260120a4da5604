"""Classes with fields: dataclasses, structs, named tuples and typed dicts, made only if an annotation allows them."""

from __future__ import annotations

import inspect
import typing
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import force_setattr

from .payload_fits import LAX, RENAMED, Converter, anything, coded, is_called, label, made, misfit
from .payload_tags import NAMED_TUPLE, RECORD, Node, Unfit, kind_of, name_of

if TYPE_CHECKING:
    from dataclasses import Field

__all__ = [
    "Resolve",
    "Typevars",
    "bound",
    "by_parameter",
    "fields_of",
    "is_dataclass",
    "named_tuple",
    "record",
    "typed_dict",
]

Typevars = dict[Any, Any]
Resolve = Callable[[Any], Converter]

_ABSENT = object()
_MAPPINGS = frozenset({dict, Counter, OrderedDict, defaultdict})
_LISTS = frozenset({list, bytearray})


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
            known = _bound_in_bases(self._cls, self._typevars)
            found: dict[str, Converter] = {}
            for name, hint in hints.items():
                owner = _owner(self._cls, name, known)
                _see_that_it_is_known(name, hint, owner)
                found[name] = self._resolve(bound(hint, known[owner]))
            self._found = found
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
    """The hint with type variables replaced; those that nothing is known of stand for themselves."""
    if isinstance(hint, TypeVar):
        return typevars.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if parameters and typing.get_origin(hint) is not None:
        return hint[tuple(typevars.get(parameter, parameter) for parameter in parameters)]
    return hint


def by_parameter(cls: Any, args: Iterable[Any]) -> Typevars:
    """What the type variables of a class are; one that stands for several types is left as it is."""
    parameters = getattr(cls, "__parameters__", ())
    if any(isinstance(parameter, typing.TypeVarTuple) for parameter in parameters):
        return {}
    return dict(zip(parameters, args, strict=False))


def _bound_in_bases(cls: Any, typevars: Typevars) -> dict[Any, Typevars]:
    """The class and its bases, each with what its own type variables are: ``Sub(Base[int])`` says so of ``Base``."""
    found: dict[Any, Typevars] = {cls: typevars}
    bases: tuple[Any, ...] = cls.__dict__.get("__orig_bases__", cls.__bases__)
    for base in bases:
        origin: Any = typing.get_origin(base) or base
        if not isinstance(origin, type) or origin is typing.Generic:
            continue  # a function that makes classes, such as NamedTuple
        args = [bound(arg, typevars) for arg in typing.get_args(base)]
        for one, its in _bound_in_bases(origin, by_parameter(origin, args)).items():
            if its or one not in found:
                found[one] = its
    return found


def _see_that_it_is_known(name: str, hint: Any, owner: Any) -> None:
    """Refuse a field of a typed dict whose type nothing can tell: before 3.12 one forgets what its bases are of."""
    variables = {hint} if isinstance(hint, TypeVar) else {*getattr(hint, "__parameters__", ())}
    if typing.is_typeddict(owner) and not variables <= {*getattr(owner, "__parameters__", ())}:
        raise Unfit(f"{label(owner)} does not say what its base is of; annotate {name!r} in it again")


def _owner(cls: Any, name: str, known: Iterable[Any]) -> Any:
    """The class that annotates a field."""
    if typing.is_typeddict(cls):
        # It has the annotations of its bases as its own, and they are not among its bases.
        return [one for one in known if name in inspect.get_annotations(one)][-1]
    return next((one for one in cls.__mro__ if name in inspect.get_annotations(one)), cls)


def is_dataclass(cls: Any) -> bool:
    """Whether a class is a dataclass; the standard library's own question would load what makes them."""
    return hasattr(cls, "__dataclass_fields__")


def fields_of(cls: Any) -> tuple[Field[Any], ...]:
    """The fields of a dataclass."""
    # Loaded by whoever has made the class.
    from dataclasses import fields

    return fields(cls)


def record(cls: Any, typevars: Typevars, resolve: Resolve) -> Converter:
    name = name_of(cls)
    fields = _Fields(cls, typevars, resolve)
    names: tuple[str, ...]
    has_code = _has_code(cls)
    if issubclass(cls, msgspec.Struct):
        names, late, restore = cls.__struct_fields__, frozenset[str](), force_setattr
    else:
        declared = fields_of(cls)
        names = tuple(field.name for field in declared)
        late, restore = frozenset(field.name for field in declared if not field.init), object.__setattr__

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
        copies = list(_copies(values.values())) if has_code else []
        try:
            found = cls(**{key: value for key, value in values.items() if key not in late} if late else values)
            # A constructor of the user's may compute fields anew; what was stored wins: a value comes back as it was.
            for key, value in values.items():
                if getattr(found, key, _ABSENT) is not value:
                    restore(found, key, value)
                    kept = getattr(found, key)
                    if kept is not value and kept != value:
                        raise AttributeError(f"its field {key!r} does not keep what it is given")
        except Exception as err:  # a constructor of the user's may raise anything
            raise Unfit(f"{label(cls)} cannot be made: {type(err).__name__}: {err}") from err
        for value, copy in copies:
            _undo(value, copy)
        return found

    return convert


def _has_code(cls: Any) -> bool:
    """Whether making one runs code of the user's, and not only what `dataclass` or ``Struct`` has written."""
    if hasattr(cls, "__post_init__"):
        return True
    if issubclass(cls, msgspec.Struct):
        return False
    owner: Any = next(one for one in cls.__mro__ if "__init__" in one.__dict__)
    params: Any = owner.__dict__.get("__dataclass_params__")
    return params is None or not params.init


def _copies(values: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """What can be changed in place, each with a copy of what is in it; objects with fields have seen to their own."""
    for value in values:
        kind = kind_of(value)
        if kind in _LISTS or kind in _MAPPINGS or kind is set:
            yield value, value.copy()
        if kind in _MAPPINGS:
            yield from _copies(value.values())
        elif kind is list or kind is tuple:
            yield from _copies(value)


def _undo(value: Any, copy: Any) -> None:
    """Put back what a constructor has changed in place."""
    kind = kind_of(value)
    if kind in _LISTS:
        value[:] = copy
        return
    value.clear()
    if kind is set:
        value.update(copy)
    else:
        for key, item in copy.items():
            value[key] = item


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
