"""Loops over sets: their order differs from process to process, so nothing may be asked for in it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from .resolving import Found, Kind, Scope, resolve

__all__ = ["SetOrder"]

_LIBRARY = __name__.rpartition(".model.")[0]

# Of the library and of asyncio: what asks for something, or draws from what the run has one of.
_ASKS = frozenset(
    {
        "create_task",
        "ensure_future",
        "random",
        "side_effect",
        "start_activity",
        "start_activity_method",
        "uuid4",
        "uuid7",
    }
)
_KEEPS_ORDER = (enumerate, filter, iter, list, map, reversed, tuple, zip)
_ARGUMENT = {filter: 1, map: 1}
_MAKES_ANOTHER = {"copy", "difference", "intersection", "symmetric_difference", "union"}
_DEEPEST = 8

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_AS_COMPLETED = "asyncio.as_completed begins coroutines in an order of its own; use workflow.as_completed(…)"
_SORT = "the order of a set differs from process to process, and this loop waits or asks for something; use sorted(…)"


class SetOrder:
    """Finds what is done in the order of a set.

    Args:
        tell: told of each finding: the node, the text and the last line that may exempt it.
    """

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell

    def loop(self, over: ast.expr, node: ast.For | ast.AsyncFor | _Comprehension, scope: Scope) -> None:
        """Look at a loop or a comprehension."""
        if _is_set(over, scope) and any(_asks(each, scope) for each in _inside(node)):
            self._tell(node, _SORT, over.end_lineno)

    def call(self, node: ast.Call, scope: Scope) -> None:
        """Look at a call that may put coroutines into a set."""
        called = resolve(node.func, scope)
        value = None if called is None else called.value
        if getattr(value, "__name__", "") != "as_completed" or not _is_of(value, "asyncio."):
            return
        given = node.args[0] if node.args else None
        items = given.elts if isinstance(given, (ast.List, ast.Tuple, ast.Set)) else []
        if isinstance(given, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            items = [given.elt]
        if any(isinstance(each, ast.Call) and _is_coroutine(resolve(each.func, scope)) for each in items):
            self._tell(node, _AS_COMPLETED)


def _inside(node: ast.For | ast.AsyncFor | _Comprehension) -> list[ast.AST]:
    if isinstance(node, ast.DictComp):
        return [node.key, node.value]
    return list(node.body) if isinstance(node, (ast.For, ast.AsyncFor)) else [node.elt]


def _is_set(node: ast.expr, scope: Scope, depth: int = 0) -> bool:
    """Whether an expression has the order of a set, and not of one of whole numbers written out, which is the same
    everywhere.

    Args:
        depth: how many expressions led here: names can lead in a circle.
    """
    if depth > _DEEPEST:
        return False
    if isinstance(node, ast.Set):
        return not _is_of_numbers(node)
    if isinstance(node, ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in _MAKES_ANOTHER:
            return _is_set(node.func.value, scope, depth + 1)
        called = resolve(node.func, scope)
        if called is None or called.kind is not Kind.OBJECT:
            return False
        if any(called.value is each for each in _KEEPS_ORDER):
            place = _ARGUMENT.get(called.value, 0)
            return len(node.args) > place and _is_set(node.args[place], scope, depth + 1)
        return called.value in (set, frozenset) and not (node.args and _is_of_numbers(node.args[0]))
    if isinstance(node, ast.BinOp):
        return _is_set(node.left, scope, depth + 1)
    if isinstance(node, ast.Name):
        bound = scope.bound(node.id)
        return bound is not None and all(
            isinstance(each.value, (ast.Set, ast.SetComp, ast.Call, ast.BinOp))
            and not each.is_type
            and _is_set(each.value, bound[1], depth + 1)
            for each in bound[0]
        )
    return False


def _is_of_numbers(node: ast.expr) -> bool:
    if isinstance(node, (ast.Set, ast.List, ast.Tuple)):
        return all(isinstance(each, ast.Constant) and isinstance(each.value, int) for each in node.elts)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"


def _asks(node: ast.AST, scope: Scope) -> bool:
    """Whether code waits or asks for something: its order is then part of the history."""
    if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
        return True
    if isinstance(node, ast.Call):
        found = resolve(node.func, scope)
        if _is_coroutine(found) or (found is not None and _is_command(found.value)):
            return True
    return any(_asks(each, scope) for each in ast.iter_child_nodes(node))


def _is_command(value: Any) -> bool:
    return getattr(value, "__name__", "") in _ASKS and _is_of(value, _LIBRARY, "asyncio.")


def _is_of(value: Any, *modules: str) -> bool:
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and module.startswith(modules)


def _is_coroutine(found: Found | None) -> bool:
    if found is None:
        return False
    if found.kind is Kind.CODE:
        return isinstance(found.value, ast.AsyncFunctionDef)
    return found.kind is Kind.OBJECT and inspect.iscoroutinefunction(found.value)
