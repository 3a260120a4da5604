"""The static check: what the text of a workflow calls that a replay could not repeat, with file and line.

It goes through the workflow's methods, and from function to function of their module as far as they name each other.
What is handed to ``workflow.side_effect`` or performed as an activity is left out, and so is what stands under ``with
workflow.unsafe.sandbox_unrestricted()`` or on a line with the comment ``# greenroom: allow``.
"""

from __future__ import annotations

import ast
import inspect
import logging
from types import FunctionType
from typing import Any

from .called import class_of, functions_of, gives_a_coroutine, is_activity, is_declared, is_ours
from .definitions import DEFINITION as WORKFLOW
from .definitions import WorkflowDefinition
from .errors import InvalidWorkflowError
from .forbidden import METHODS, Instead, instead_of
from .handler_definitions import MARK
from .resolving import Found, Kind, Scope, forbidden_name, look_again, resolve
from .scopes import parameters
from .sets_in_code import SetOrder
from .source_files import FunctionNode, SourceFile, source_file

__all__ = ["check", "findings"]

logger = logging.getLogger("greenroom")

_DECLARED = {WORKFLOW, MARK}
_NOT_AWAITED = "gives a coroutine that nothing awaits, so that nothing of it is done"
_CALLED = Instead("is an activity, and a replay would perform it again", "await workflow.execute_activity(…) with it")

# Of the library: what takes a function that is not run as workflow code.
_TAKES_A_FUNCTION = frozenset(
    {
        "execute_activity",
        "execute_activity_method",
        "side_effect",
        "start_activity",
        "start_activity_method",
    }
)


def check(definition: WorkflowDefinition) -> None:
    """Refuse a workflow whose text calls what a replay could not repeat.

    Raises:
        InvalidWorkflowError: with every place.
    """
    found = findings(definition)
    if found:
        error = InvalidWorkflowError(definition.target.__qualname__, found)
        error.add_note("a line that may do it all the same ends with the comment  # greenroom: allow")
        raise error


def findings(definition: WorkflowDefinition) -> list[str]:
    """What a workflow must not do, one line a place: ``file:line: what; use …``."""
    look_again()
    cls: Any = definition.target if definition.is_class else None
    walk = _Walk(cls)
    if cls is not None:
        bases: tuple[type, ...] = cls.__mro__[:-1]
        for name in dict.fromkeys(name for base in bases for name in vars(base)):
            member = inspect.getattr_static(cls, name)
            if name == "__init__" or member is definition.run or MARK in getattr(member, "__dict__", {}):
                walk.follow(Found(Kind.OBJECT, member), cls)
        for handler in definition.handlers.get("update", {}).values():
            walk.follow(Found(Kind.OBJECT, handler.validator), cls)
    else:
        walk.follow(Found(Kind.OBJECT, definition.run), None)
    walk.go()
    return [f"{file}:{line}: {text}" for file, line, text in sorted(walk.found)]


class _Walk:
    """Goes from function to function.

    Args:
        workflow: the class whose methods are looked at wherever they stand; None for a function.

    Attributes:
        found: file, line and text of each finding.
    """

    def __init__(self, workflow: type | None) -> None:
        self._workflow = workflow
        self.found: set[tuple[str, int, str]] = set()
        self._tasks: list[tuple[FunctionNode, Scope]] = []
        self._seen: set[tuple[int, int]] = set()
        # Nodes are known by their identity, so they must live as long as the walk.
        self._files: list[SourceFile] = []

    def go(self) -> None:
        """Look at everything that can be reached."""
        while self._tasks:
            node, scope = self._tasks.pop()
            visitor = _Visitor(scope, self)
            for statement in node.body if isinstance(node.body, list) else [node.body]:
                try:
                    visitor.visit(statement)
                    if visitor.is_end_for_workflows(statement):
                        break
                except Exception:
                    # The outermost step. A statement may be nested too deep to be followed, and an object that a module
                    # holds, a proxy say, may raise anything when it is looked at: that must not stop an import.
                    logger.debug("%s:%d was not checked", scope.file.name, statement.lineno, exc_info=True)

    def follow(self, found: Found, cls: type | None, caller: Scope | None = None) -> None:
        """Look at a function too: of the workflow's class, or of the module that refers to it."""
        try:
            self._follow(found, cls, caller)
        except Exception:
            # As above. If what it binds cannot be told, nothing of it can.
            logger.debug("what workflow code names was not checked", exc_info=True)

    def _follow(self, found: Found, cls: type | None, caller: Scope | None) -> None:
        if found.kind is Kind.CODE:
            if found.scope is not None and not is_declared(found.value, found.scope):
                self._add(found.value, found.scope.inside(found.scope.file.bound_in(found.value)), cls)
            return
        if caller is not None and not _DECLARED.isdisjoint(getattr(found.value, "__dict__", ())):
            # A handler or another workflow is only named here, not called.
            return
        for function, owner in functions_of(found.value, cls):
            if is_activity(function):
                # As above.
                return
            is_own = cls is not None and cls is self._workflow
            is_here = caller is not None and function.__globals__ is caller.module
            if caller is None or is_own or is_here:
                self._function(function, owner)
            if is_here and cls is None:
                # What it is put around it refers to itself, or it hands that over.
                return

    def _function(self, function: FunctionType, cls: type | None) -> None:
        file = source_file(function.__code__.co_filename, function.__globals__)
        if file is None:
            return
        self._files.append(file)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        closure = {name: Found(Kind.OBJECT, cell.cell_contents) for name, cell in cells.items() if _is_set(cell)}
        owner = closure.get("__class__")
        if owner is None and cls is not None:
            # A method that does not say super() has no such cell.
            name = function.__qualname__.rpartition(".")[0]
            owner = next((Found(Kind.OBJECT, each) for each in cls.__mro__ if each.__qualname__ == name), None)
        module = Scope(file.bindings, self._itself(function.__globals__), None, function.__globals__, file)
        outer = module.inside({}, closure)
        for node in file.functions(function.__code__):
            bindings = file.bound_in(node)
            first = next(parameters(node), None)
            known: dict[str, Found] = {}
            if cls is not None and first is not None and len(bindings[first.arg]) == 1:
                known[first.arg] = Found(Kind.INSTANCE, cls)
            scope = Scope(bindings, known, outer, function.__globals__, file, None if owner is None else owner.value)
            self._add(node, scope, cls)

    def _itself(self, module: dict[str, Any]) -> dict[str, Found]:
        """The workflow by its name, which the module has not bound yet."""
        cls = self._workflow
        is_here = cls is not None and cls.__module__ == module.get("__name__") and cls.__qualname__ not in module
        return {cls.__qualname__: Found(Kind.OBJECT, cls)} if cls is not None and is_here else {}

    def _add(self, node: FunctionNode, scope: Scope, cls: type | None) -> None:
        key = id(node), id(cls)
        if key not in self._seen:
            self._seen.add(key)
            self._tasks.append((node, scope))


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


class _Visitor(ast.NodeVisitor):
    """Looks at the body of one function."""

    def __init__(self, scope: Scope, walk: _Walk) -> None:
        self.scope = scope
        self._walk = walk
        self._sets = SetOrder(self._tell)

    # References and calls.

    def visit_Constant(self, node: ast.Constant) -> None:
        """Refers to nothing."""

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._refer(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._refer(node):
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        called = resolve(node.func, self.scope)
        self._sets.call(node, self.scope)
        if called is not None and is_activity(called.value):
            self._refuse(node.func, getattr(called.value, "__name__", ""), _CALLED, node)
        if called is not None and is_ours(called.value, _TAKES_A_FUNCTION):
            rest = node.args[1:]
        else:
            rest = node.args
            if not self._refer(node.func, call=node) and not isinstance(node.func, ast.Name):
                self.visit(node.func.value if isinstance(node.func, ast.Attribute) else node.func)
        for argument in (*rest, *(keyword.value for keyword in node.keywords)):
            self.visit(argument)

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value
        called = resolve(call.func, self.scope) if isinstance(call, ast.Call) else None
        # One of an activity is refused for what it is.
        if called is not None and gives_a_coroutine(called) and not is_activity(called.value):
            name = ast.unparse(call).partition("(")[0]
            self._tell(
                call, f"{name} {_NOT_AWAITED}; use await {name}(…), or asyncio.create_task(…) to go on meanwhile"
            )
        self.visit(call)

    def _refer(self, node: ast.expr, call: ast.Call | None = None) -> bool:
        """Look at what an expression refers to; True if it has been told of."""
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return False
        found = resolve(node, self.scope)
        if found is None:
            name = node.attr if isinstance(node, ast.Attribute) else ""
            instead = METHODS.get(name)
            return instead is not None and self._refuse(node, name, instead, call)
        name = forbidden_name(found)
        instead = instead_of(name)
        if instead is None:
            self._follow(found, node, is_called=call is not None)
            return False
        is_class = found.kind is Kind.MISSING or isinstance(found.value, type)
        return not (is_class and call is None) and self._refuse(node, name, instead, call)

    def _refuse(self, node: ast.expr, name: str, instead: Instead, call: ast.Call | None) -> bool:
        if call is not None and instead.repeatable_from is not None:
            given = [*call.args, *call.keywords]
            is_open = any(isinstance(each, ast.Starred) for each in call.args) or any(
                each.arg is None for each in call.keywords
            )
            if is_open or len(given) >= instead.repeatable_from:
                return False
        written = ast.unparse(node)
        shown = name.removeprefix("builtins.")
        what = written if written == shown else f"{written} ({shown})"
        self._tell(call or node, f"{what} {instead.does}; use {instead.instead}")
        return True

    def _follow(self, found: Found, node: ast.expr, *, is_called: bool) -> None:
        if found.kind is Kind.CODE:
            self._walk.follow(found, None, self.scope)
        elif found.kind is Kind.OBJECT and isinstance(found.value, type):
            if is_called:
                self._follow_members(found.value, "__new__", "__init__", "__post_init__")
        elif found.kind in (Kind.OBJECT, Kind.INSTANCE):
            if found.kind is Kind.OBJECT:
                self._walk.follow(found, self._class_behind(node), self.scope)
            if is_called:
                self._follow_members(class_of(found), "__call__")

    def _follow_members(self, cls: type | None, *names: str) -> None:
        """Look at methods of a class of this module that are called without being named."""
        if cls is not None and cls.__module__ == self.scope.module.get("__name__"):
            for name in names:
                member = inspect.getattr_static(cls, name, None)
                self._walk.follow(Found(Kind.OBJECT, member), cls, self.scope)

    def _class_behind(self, node: ast.expr) -> type | None:
        """The class of the instance whose method an expression names."""
        if not isinstance(node, ast.Attribute):
            return None
        base = resolve(node.value, self.scope)
        if base is not None and base.kind is Kind.PARENTS:
            base = self.scope.lookup("self")
        return None if base is None else class_of(base)

    # Scopes inside.

    def _defaults(self, node: FunctionNode) -> None:
        for inner in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(inner)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for inner in node.decorator_list:
            self.visit(inner)
        self._defaults(node)
        if node.decorator_list:
            # Nobody need refer to it any more: the decorator may have kept it.
            self._walk.follow(Found(Kind.CODE, node, scope=self.scope), None, self.scope)

    visit_FunctionDef = visit_AsyncFunctionDef = _definition

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for inner in node.body:
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._walk.follow(Found(Kind.CODE, inner, scope=self.scope), None, self.scope)
            self.visit(inner)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node)
        self._walk.follow(Found(Kind.CODE, node, scope=self.scope), None, self.scope)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Lambda) and all(isinstance(each, ast.Name) for each in node.targets):
            # A named lambda is looked at where it is used, as a function is.
            self._defaults(node.value)
            return
        for inner in (*node.targets, node.value):
            self.visit(inner)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self._sets.loop(node.generators[0].iter, node, self.scope)
        outer, self.scope = self.scope, self.scope.inside(self.scope.file.bound_in(node))
        self.generic_visit(node)
        self.scope = outer

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _loop(self, node: ast.For | ast.AsyncFor) -> None:
        self._sets.loop(node.iter, node, self.scope)
        self._follow_unnamed(node.iter, "__iter__", "__next__", "__aiter__", "__anext__")
        self.generic_visit(node)

    visit_For = visit_AsyncFor = _loop

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    # What opens the check.

    def _branch(self, node: ast.If | ast.IfExp) -> None:
        test, branch = node.test, node.body
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, branch = test.operand, node.orelse
        if not self._asks_for_workflow(test):
            self.generic_visit(node)
            return
        # The other branch is for those who share the function with workflows.
        for inner in branch if isinstance(branch, list) else [branch]:
            self.visit(inner)

    visit_If = visit_IfExp = _branch

    def is_end_for_workflows(self, node: ast.AST) -> bool:
        """Whether workflow code never gets below a statement: ``if workflow.in_workflow(): return …``."""
        if not isinstance(node, ast.If) or not isinstance(node.body[-1], (ast.Return, ast.Raise)):
            return False
        return self._asks_for_workflow(node.test)

    def _asks_for_workflow(self, test: ast.expr) -> bool:
        called = resolve(test.func, self.scope) if isinstance(test, ast.Call) else None
        return called is not None and is_ours(called.value, {"in_workflow"})

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        if not any(self._opens(item.context_expr) for item in node.items):
            for item in node.items:
                self._follow_unnamed(item.context_expr, "__enter__", "__exit__", "__aenter__", "__aexit__")
            self.generic_visit(node)

    def _follow_unnamed(self, node: ast.expr, *names: str) -> None:
        found = resolve(node, self.scope)
        if found is not None:
            self._follow_members(class_of(found), *names)

    visit_With = visit_AsyncWith = _with

    def _opens(self, node: ast.expr) -> bool:
        called = resolve(node.func, self.scope) if isinstance(node, ast.Call) else None
        return called is not None and is_ours(called.value, {"sandbox_unrestricted", "imports_passed_through"})

    def _tell(self, node: ast.expr | ast.stmt, text: str, last_line: int | None = None) -> None:
        file = self.scope.file
        if not file.is_allowed(node, last_line):
            self._walk.found.add((file.name, node.lineno, text))
