"""Which names a piece of code binds, and to what, as far as its text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

__all__ = ["Binding", "Bindings", "BindsNames", "Imported", "bindings_of", "parameters"]


class Imported(msgspec.Struct, frozen=True):
    """An import.

    Attributes:
        module: what is imported, with leading dots if it is relative.
        name: what is taken of it; empty for the module itself.
    """

    module: str
    name: str = ""


class Binding(msgspec.Struct, frozen=True):
    """One place that binds a name.

    Attributes:
        value: an import, a definition or the expression that is assigned; None if it cannot be told.
        is_type: whether the expression is only the type of what is bound.
    """

    value: ast.AST | Imported | None
    is_type: bool = False


Bindings = dict[str, list[Binding]]

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
BindsNames = ast.Module | _Function | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_UNKNOWN = Binding(None)


def bindings_of(scope: BindsNames) -> Bindings:
    """The names that a module, a function or a comprehension binds in its own scope."""
    binder = _Binder()
    if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        for parameter in parameters(scope):
            binder.bind(
                parameter.arg, Binding(parameter.annotation, is_type=True) if parameter.annotation else _UNKNOWN
            )
        for rest in (scope.args.vararg, scope.args.kwarg):
            if rest is not None:
                binder.bind(rest.arg, _UNKNOWN)
    if isinstance(scope, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)):
        for statement in scope.body:
            binder.visit(statement)
    elif isinstance(scope, ast.Lambda):
        binder.visit(scope.body)
    else:
        for generator in scope.generators:
            binder.visit(generator.target)
    for name in binder.elsewhere:
        binder.found.pop(name, None)
    return binder.found


def parameters(function: _Function) -> Iterator[ast.arg]:
    """The named parameters of a function, in order."""
    yield from (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)


class _Binder(ast.NodeVisitor):
    """Collects what a scope binds; scopes inside it are not entered."""

    def __init__(self) -> None:
        self.found: Bindings = {}
        self.elsewhere: set[str] = set()

    def bind(self, name: str, binding: Binding) -> None:
        self.found.setdefault(name, []).append(binding)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.bind(node.name, Binding(node))

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _definition

    def _inner_scope(self, node: ast.AST) -> None:
        """Binds nothing here."""

    visit_Lambda = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _inner_scope

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(alias.asname or module, Binding(Imported(module)))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            module = "." * node.level + (node.module or "")
            self.bind(alias.asname or alias.name, Binding(Imported(module, alias.name)))

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._assign(target, Binding(node.value))
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._assign(node.target, Binding(node.value) if node.value else Binding(node.annotation, is_type=True))
        if node.value is not None:
            self.visit(node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._assign(node.target, Binding(node.value))
        self.visit(node.value)

    def _assign(self, target: ast.expr, binding: Binding) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, binding)
        else:
            self.visit(target)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id, _UNKNOWN)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._capture(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._capture(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._capture(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._capture(node.rest)
        self.generic_visit(node)

    def _capture(self, name: str | None) -> None:
        if name is not None:
            self.bind(name, _UNKNOWN)

    def _elsewhere(self, node: ast.Global | ast.Nonlocal) -> None:
        self.elsewhere.update(node.names)

    visit_Global = visit_Nonlocal = _elsewhere
