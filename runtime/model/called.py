"""What runs when something is called, behind methods, wrappers and partials; and what is only named: an activity."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

from .activity_definition import DEFINITION, ActivityDefinition
from .resolving import Found, Kind, Scope, resolve
from .source_files import FunctionNode

__all__ = ["class_of", "functions_of", "gives_a_coroutine", "is_activity", "is_declared", "is_ours"]

_LIBRARY = __name__.rpartition(".model.")[0]
_DEEPEST = 16


def _is_unbound(value: object) -> bool:
    return isinstance(value, (staticmethod, classmethod))


def is_activity(value: object) -> bool:
    """Whether something is an activity itself. A function put around one has its mark too, and its own text tells
    whether it calls the activity or has it performed."""
    value = getattr(value, "__func__", value)
    definition = getattr(value, "__dict__", {}).get(DEFINITION)
    if isinstance(value, FunctionType) and isinstance(definition, ActivityDefinition):
        return definition.fn is value
    return definition is not None


def functions_of(value: Any, cls: type | None) -> Iterator[tuple[FunctionType, type | None]]:
    """The functions that a call of something runs, wrappers first, each with the class of its first argument."""
    for _ in range(_DEEPEST):
        if isinstance(value, FunctionType):
            yield value, cls
        if _is_unbound(value):
            value, cls = getattr(value, "__func__", None), None
        elif isinstance(value, MethodType):
            value, cls = value.__func__, type(value.__self__)
        elif isinstance(value, property):
            value = value.fget
        elif isinstance(value, partial):
            value, cls = value.func, None
        elif isinstance(value, cached_property):
            value = value.func
        else:
            value = getattr(value, "__dict__", {}).get("__wrapped__")


def gives_a_coroutine(found: Found) -> bool:
    """Whether a call of something only makes a coroutine, of which nothing is done until it is awaited."""
    value: Any = found.value
    if found.kind is Kind.CODE:
        if not isinstance(value, ast.AsyncFunctionDef) or value.decorator_list:
            return False
        return not any(isinstance(each, ast.Yield) for each in ast.walk(value))
    if _is_unbound(value):
        value = getattr(value, "__func__", None)
    is_function = type(value) in (FunctionType, MethodType, partial)
    return found.kind is Kind.OBJECT and is_function and inspect.iscoroutinefunction(value)


def is_declared(node: FunctionNode, scope: Scope) -> bool:
    """Whether a function of which only the text is there will be an activity, or a workflow of its own.

    A decorator of somebody's own may make it one, if it is not part of the workflow's code.
    """
    for decorator in [] if isinstance(node, ast.Lambda) else node.decorator_list:
        found = resolve(decorator.func if isinstance(decorator, ast.Call) else decorator, scope)
        if found is not None and is_ours(found.value, {"defn"}):
            return True
        if scope.outer is None and not (found is not None and _is_of_python(found)):
            return True
    return False


def _is_of_python(found: Found) -> bool:
    """Whether something is a function or a class of the standard library."""
    value: object = found.value
    is_named = found.kind is Kind.OBJECT and (isinstance(value, type) or inspect.isroutine(value))
    return is_named and str(getattr(value, "__module__", None)).partition(".")[0] in sys.stdlib_module_names


def is_ours(value: object, names: Iterable[str]) -> bool:
    """Whether something is a function of the library with one of these names."""
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and module.startswith(_LIBRARY) and getattr(value, "__name__", "") in names


def class_of(found: Found) -> type | None:
    """The class of an instance that was found."""
    value: object = found.value
    if found.kind is Kind.INSTANCE:
        return cast("type", value)
    return None if found.kind is not Kind.OBJECT or isinstance(value, type | ModuleType) else type(value)
