"""Source files as trees: where the text of a function is, and which of its lines are exempt from the static check."""

from __future__ import annotations

import ast
import linecache
import re
from types import CodeType
from typing import Any

from .scopes import Bindings, BindsNames, bindings_of, parameters

__all__ = ["FunctionNode", "SourceFile", "source_file"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

# Attribute → the methods that assign it, and what, if that can be told.
Assigned = dict[str, list[tuple[ast.FunctionDef | ast.AsyncFunctionDef, ast.expr | None]]]

# A module is declared from top to bottom, so the last file is usually the next; one more for the bases of its classes.
KEPT = 2

_ALLOWED = re.compile(r"#\s*greenroom:\s*allow\b")
_FILES: dict[str, SourceFile] = {}


class SourceFile:
    """One parsed file.

    Args:
        name: its path, as tracebacks show it.
        lines: its text.

    Raises:
        SyntaxError, ValueError: the text is not Python.
    """

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name = name
        self.lines = lines
        self._tree = ast.parse("".join(lines))
        self._bound: dict[ast.AST, Bindings] = {}
        self._functions: dict[tuple[int, str], list[FunctionNode]] = {}
        self._classes: dict[str, list[ast.ClassDef]] = {}
        self._assigned: dict[str, Assigned] = {}
        for node in ast.walk(self._tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                # The code of a decorated function begins with its first decorator.
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                self._functions.setdefault((first, node.name), []).append(node)
            elif isinstance(node, ast.Lambda):
                self._functions.setdefault((node.lineno, "<lambda>"), []).append(node)
            elif isinstance(node, ast.ClassDef):
                self._classes.setdefault(node.name, []).append(node)

    @property
    def bindings(self) -> Bindings:
        """What the module itself binds, also further down than it has run so far."""
        return self.bound_in(self._tree)

    def bound_in(self, scope: BindsNames) -> Bindings:
        """What a function or a comprehension of this file binds in its own scope."""
        known = self._bound.get(scope)
        if known is None:
            known = self._bound[scope] = bindings_of(scope)
        return known

    def functions(self, code: CodeType) -> list[FunctionNode]:
        """The function that a code object was made of; lambdas of one line cannot be told apart."""
        return self._functions.get((code.co_firstlineno, code.co_name), [])

    def assigned(self, name: str) -> Assigned:
        """What the methods of a class assign to attributes of their instance; None as a value is passed over.

        Args:
            name: of the class; of two with one name nothing can be told.
        """
        known = self._assigned.get(name)
        if known is None:
            known = self._assigned[name] = {}
            classes = self._classes.get(name, [])
            for method in classes[0].body if len(classes) == 1 else []:
                if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    _collect(method, known)
        return known

    def is_allowed(self, node: ast.expr | ast.stmt, last_line: int | None = None) -> bool:
        """Whether a line of this piece of code says ``# greenroom: allow``."""
        last = (node.end_lineno or node.lineno) if last_line is None else last_line
        return any(_ALLOWED.search(line) for line in self.lines[node.lineno - 1 : last])


def _collect(method: ast.FunctionDef | ast.AsyncFunctionDef, assigned: Assigned) -> None:
    first = next(parameters(method), None)
    values: dict[int, ast.expr | None] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.Assign):
            values.update((id(target), node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign):
            values[id(node.target)] = node.value
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and first is not None:
            value = values.get(id(node))
            is_none = isinstance(value, ast.Constant) and value.value is None
            if isinstance(node.value, ast.Name) and node.value.id == first.arg and not is_none:
                assigned.setdefault(node.attr, []).append((method, value))


def source_file(name: str, module_globals: dict[str, Any]) -> SourceFile | None:
    """The file of that name; None if there is no text to be had, as in a console or for code that was made."""
    linecache.checkcache(name)
    lines = linecache.getlines(name, module_globals)
    if not lines:
        return None
    known = _FILES.pop(name, None)
    if known is None or known.lines is not lines:
        try:
            known = SourceFile(name, lines)
        except (SyntaxError, ValueError):
            return None
    _FILES[name] = known
    for old in list(_FILES)[:-KEPT]:
        # Another thread may import a module too.
        _FILES.pop(old, None)
    return known
