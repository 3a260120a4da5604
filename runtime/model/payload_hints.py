"""Turns a tagged tree into what an annotation asks for; the classes that it allows are the only ones ever made."""

from __future__ import annotations

import collections
import collections.abc as abc
import types
import typing
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeVar, Union

import msgspec

from .payload_codecs import RawValue
from .payload_fits import (
    LAX,
    LEAVES,
    NAMED,
    Converter,
    anything,
    brief,
    enum,
    instance,
    itself,
    label,
    made,
    misfit,
    path,
    shape,
)
from .payload_models import adapted, is_adapted, is_model, model
from .payload_records import Typevars, by_parameter, is_dataclass, named_tuple, record, typed_dict
from .payload_tags import FROZENSET, SET, Node, Unfit, is_kind, kind_of, spread

__all__ = ["converter_for"]

MAX_CACHED = 4_096
_cached: dict[Any, Converter] = {}


def converter_for(hint: Any) -> Converter:
    """The converter of an annotation, made once."""
    try:
        found = _cached.get(hint)
    except TypeError:  # an annotation with metadata that cannot be hashed
        return _compile(hint)
    if found is None:
        found = _compile(hint)
        if len(_cached) >= MAX_CACHED:  # classes made in functions would fill the memory
            _cached.clear()
        _cached[hint] = found
    return found


def _literal(choices: tuple[Any, ...]) -> Converter:
    converters = [(choice, converter_for(type(choice))) for choice in choices]

    def convert(tree: Any, slack: int) -> Any:
        for choice, converter in converters:
            try:
                value = converter(tree, slack)
            except Unfit:
                continue
            if type(value) is type(choice) and value == choice:
                return choice
        raise Unfit(f"{shape(tree)} that is none of {', '.join(map(repr, choices))}")

    return convert


def _each(items: Iterable[Any], converter: Converter, slack: int) -> list[Any]:
    done: list[Any] = []
    try:
        for item in items:
            done.append(converter(item, slack))
    except Unfit as err:
        raise err.under(f"[{len(done)}]") from None
    return done


_HASHING = (set, frozenset)
_CHARACTERS = frozenset({str, bytes, bytearray})


def _elements(tree: Any) -> tuple[type | None, list[Any]]:
    """The kind of collection that a tree is, and its elements."""
    if kind_of(tree) is list or kind_of(tree) is tuple:
        elements: Any = tree
        return kind_of(tree), elements
    if kind_of(tree) is Node and tree.code in (SET, FROZENSET):
        return (set if tree.code == SET else frozenset), tree.content
    return None, []


def _collection(
    hint: Any, exact: tuple[type, ...], make: Callable[[list[Any]], Any] | None, item: Converter
) -> Converter:
    """Elements of one type; without `make` the collection stays what it was."""

    def convert(tree: Any, slack: int) -> Any:
        kind, elements = _elements(tree)
        if kind is None and kind_of(tree) in _CHARACTERS and tuple in exact and list in exact:
            return tree  # text is a sequence of text, and bytes are a sequence of int
        if kind is None or (slack < NAMED and kind not in exact):
            raise misfit(hint, tree)
        found = _each(elements, item, slack)
        builder = make or (kind if kind in exact else exact[0])
        built = made(hint, builder, made(hint, spread, found) if builder in _HASHING else found)
        if issubclass(type(built), abc.Set) and len(built) != len(found):
            raise Unfit(f"elements of {label(hint)} are equal to each other")
        return built

    return convert


def _fixed_tuple(hint: Any, items: list[Converter]) -> Converter:
    def convert(tree: Any, slack: int) -> Any:
        kind, elements = _elements(tree)
        if kind is not tuple and (slack < NAMED or kind is not list):
            raise misfit(hint, tree)
        if len(elements) != len(items):
            raise Unfit(f"{len(elements)} elements where {label(hint)} has {len(items)}")
        done: list[Any] = []
        try:
            for converter, element in zip(items, elements, strict=True):
                done.append(converter(element, slack))
        except Unfit as err:
            raise err.under(f"[{len(done)}]") from None
        return tuple(done)

    return convert


def _mapping(hint: Any, make: Callable[[dict[Any, Any]], Any], key: Converter, item: Converter) -> Converter:
    def convert(tree: Any, slack: int) -> Any:
        if kind_of(tree) is not dict:
            raise misfit(hint, tree)
        keys: list[Any] = []
        items: list[Any] = []
        pairs: dict[Any, Any] = tree
        for low, value in pairs.items():
            try:
                keys.append(made(hint, _hashed, key(low, slack)))
                items.append(item(value, slack))
            except Unfit as err:
                raise err.under(f"[{shape(low) if isinstance(low, (Node, tuple)) else brief(low)}]") from None
        found = make(made(hint, lambda _: dict(zip(spread(keys), items, strict=True)), pairs))
        if len(found) != len(pairs):
            raise Unfit(f"keys of {label(hint)} are equal to each other")
        return found

    return convert


def _hashed(value: Any) -> Any:
    hash(value)
    return value


def _default_dict(found: dict[Any, Any]) -> Any:
    return collections.defaultdict(None, found)


_SEQUENCES: dict[Any, tuple[tuple[type, ...], Callable[[list[Any]], Any] | None]] = {
    list: ((list,), None),
    set: ((set,), None),
    frozenset: ((frozenset,), None),
    collections.deque: ((list,), collections.deque),
    abc.Sequence: ((list, tuple), None),
    abc.MutableSequence: ((list,), None),
    abc.Set: ((set, frozenset), None),
    abc.MutableSet: ((set,), None),
    abc.Iterable: ((list, tuple, set, frozenset), None),
    abc.Collection: ((list, tuple, set, frozenset), None),
}
_MAPPINGS: dict[Any, Callable[[dict[Any, Any]], Any]] = {
    dict: itself,
    abc.Mapping: itself,
    abc.MutableMapping: itself,
    collections.OrderedDict: collections.OrderedDict,
    collections.defaultdict: _default_dict,
}


def _union(members: tuple[Any, ...]) -> Converter:
    # Equal unions share one converter whatever order they were written in, so the order must not mean anything.
    ordered = sorted(members, key=lambda member: (member in (Any, object), label(member)))
    union = " | ".join(map(label, ordered))
    exact = frozenset(member for member in ordered if isinstance(member, type) and member in LEAVES)
    converters = [converter_for(member) for member in ordered]
    only = [converter_for(member) for member in members if member is not types.NoneType]

    def convert(tree: Any, slack: int) -> Any:
        if kind_of(tree) in exact:
            return tree
        for level in range(min(slack + 1, LAX)):
            for converter in converters:
                try:
                    return converter(tree, level)
                except Unfit:
                    continue
        if len(only) == 1:
            return only[0](tree, slack)  # if it raises, it says more than the union could
        found = _all_that_fit(tree, converters) if slack == LAX else []
        if len(found) == 1:
            return found[0]
        if found:
            raise Unfit(f"{shape(tree)} that fits several of {union}; annotate one of them")
        raise misfit(union, tree)

    return convert


def _all_that_fit(tree: Any, converters: list[Converter]) -> list[Any]:
    found: list[Any] = []
    for converter in converters:
        try:
            found.append(converter(tree, LAX))
        except Unfit:
            continue
    return found


def _later(hint: Any, resolve: Callable[[], Any]) -> Converter:
    """For an alias that may contain itself, and for names that may not be there yet."""

    def convert(tree: Any, slack: int) -> Any:
        try:
            found = resolve()
        except Exception as err:  # it is an expression of the user's
            raise Unfit(f"{hint} cannot be resolved: {type(err).__name__}: {err}; import the names") from err
        return converter_for(found)(tree, slack)

    return convert


def _is_alias(hint: Any) -> bool:
    """Whether ``type`` has made it; to ask for its value would be to evaluate it."""
    return str(kind_of(hint).__name__) == "TypeAliasType"


def _any_of(variable: TypeVar) -> Any:
    """What may stand for a type variable."""
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007  # of a number that is not known here
    return Any if variable.__bound__ is None else variable.__bound__


def _unknown(hint: Any) -> Converter:
    def convert(tree: Any, slack: int) -> Any:
        raise Unfit(f"the annotation {hint!r} says nothing about data; use a class or a type from typing")

    return convert


def _raw(tree: Any, slack: int) -> Any:
    raise Unfit("RawValue annotates a whole argument or result, and not a part of one")


_WRAPPERS = frozenset(
    getattr(typing, name)
    for name in ("Annotated", "ClassVar", "Final", "NotRequired", "ReadOnly", "Required")
    if hasattr(typing, name)
)


def _compile(hint: Any) -> Converter:
    if hint is None:
        hint = types.NoneType
    if hint is Any or hint is object:
        return anything
    if is_kind(kind_of(hint), type) and hint in LEAVES:
        return LEAVES[hint]
    if isinstance(hint, TypeVar):
        return _later(hint, lambda: _any_of(hint))
    if hasattr(hint, "__supertype__"):
        return converter_for(hint.__supertype__)
    origin = typing.get_origin(hint)
    if origin is not None:
        return _compile_generic(hint, origin, typing.get_args(hint))
    if _is_alias(hint):
        return _later(hint, lambda: hint.__value__)
    if isinstance(hint, type):
        return _compile_class(hint, {})
    return _unknown(hint)


def _compile_generic(hint: Any, origin: Any, args: tuple[Any, ...]) -> Converter:
    if origin is typing.Union or origin is types.UnionType:
        return _union(args)
    if origin is typing.Literal:
        return _literal(args)
    if origin in _WRAPPERS:
        return converter_for(args[0])
    if origin is tuple and hasattr(hint, "__args__"):  # typing.Tuple alone has none
        args = _spread_out(args)
        if len(args) == 2 and args[1] is Ellipsis:
            return _collection(hint, (tuple,), tuple, converter_for(args[0]))
        if Ellipsis in args or any(isinstance(arg, typing.TypeVarTuple) for arg in args):
            return _unknown(hint)
        return _fixed_tuple(hint, [converter_for(arg) for arg in args])
    if origin is collections.Counter and args:
        return _mapping(hint, collections.Counter, converter_for(args[0]), LEAVES[int])
    if origin in _SEQUENCES and len(args) == 1:
        exact, make = _SEQUENCES[origin]
        return _collection(hint, exact, make, converter_for(args[0]))
    if origin in _MAPPINGS and len(args) == 2:
        return _mapping(hint, _MAPPINGS[origin], converter_for(args[0]), converter_for(args[1]))
    if _is_alias(origin):
        return _later(hint, lambda: typing.get_origin(hint).__value__[args])
    if isinstance(origin, type):
        cls: Any = typing.get_origin(hint)
        return _compile_class(cls, by_parameter(cls, args))
    return _unknown(hint)


def _spread_out(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a tuple, with those of an unpacked one in its place."""
    found: list[Any] = []
    for arg in args:
        if typing.get_origin(arg) is typing.Unpack:
            arg = typing.get_args(arg)[0]
        elif not getattr(arg, "__unpacked__", False):
            found.append(arg)
            continue
        found += [arg] if isinstance(arg, typing.TypeVarTuple) else _spread_out(typing.get_args(arg))
    return tuple(found)


def _compile_class(cls: Any, typevars: Typevars) -> Converter:
    if is_kind(cls, Enum):
        return enum(cls)
    if typing.is_typeddict(cls):
        return typed_dict(cls, typevars, converter_for)
    if is_kind(cls, tuple) and hasattr(cls, "_fields"):
        return named_tuple(cls, typevars, converter_for)
    if cls is RawValue:
        return _raw
    if is_model(cls):
        return model(cls)
    if is_dataclass(cls) or is_kind(cls, msgspec.Struct):
        return record(cls, typevars, converter_for)
    if is_kind(cls, PurePath):
        return path(cls)
    if cls is tuple:
        return _collection(cls, (tuple,), tuple, anything)
    if cls in _SEQUENCES:
        return _collection(cls, *_SEQUENCES[cls], anything)
    if cls in _MAPPINGS or cls is collections.Counter:
        return _mapping(cls, _MAPPINGS.get(cls, collections.Counter), anything, anything)
    if is_adapted(cls):
        return adapted(cls)
    return instance(cls)
