"""What an expression in the code of a function stands for: the object itself where it is there already."""

from __future__ import annotations

import ast
import builtins
import inspect
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from functools import partial
from types import BuiltinMethodType, MethodType, ModuleType
from typing import Any, TypeVar

import msgspec

from .forbidden import GROUPS, instead_of
from .scopes import Binding, Bindings, Imported, parameters
from .source_files import SourceFile

__all__ = ["Found", "Kind", "Scope", "forbidden_name", "look_again", "resolve"]

T = TypeVar("T")


class Kind(Enum):
    """How something that was found is there."""

    OBJECT = auto()
    INSTANCE = auto()
    PARENTS = auto()
    MISSING = auto()
    CODE = auto()


class Found(msgspec.Struct, frozen=True):
    """What an expression stands for.

    Attributes:
        kind: how ``value`` is meant: the object; the class of which it is an instance; the rest of the order of
            resolution, as ``super()`` gives it; the dotted name of what is not loaded; the definition in the text.
        value: as above.
        name: the name under which it is forbidden, if it is known as a member of a class.
        scope: of code, where it is defined.
    """

    kind: Kind
    value: Any
    name: str = ""
    scope: Scope | None = None


class Scope:
    """Names that are bound in one place, and where to look for others.

    Args:
        bindings: what the text binds here.
        known: what is there already, and goes before the text.
        outer: where to look next; None for a module.
        module: the globals of the module, which it may not have filled to the end.
        file: the text of the module.
        owner: the class whose method this is, for ``super()``.
    """

    def __init__(
        self,
        bindings: Bindings,
        known: Mapping[str, Found],
        outer: Scope | None,
        module: dict[str, Any],
        file: SourceFile,
        owner: type | None = None,
    ) -> None:
        self.bindings = bindings
        self.known = known
        self.outer = outer
        self.module = module
        self.file = file
        self.owner: type | None = owner if owner is not None or outer is None else outer.owner
        # Names on their way: `a = b.next` and `b = a.next` lead nowhere.
        self._asked: set[str] = set()

    def inside(self, bindings: Bindings, known: Mapping[str, Found] | None = None) -> Scope:
        """A scope in this one."""
        return Scope(bindings, known or {}, self, self.module, self.file)

    def bound(self, name: str) -> tuple[list[Binding], Scope] | None:
        """The bindings of a name in the nearest scope that has any, if it is known by its text alone."""
        scope: Scope | None = self
        while scope is not None and name not in scope.known:
            if name in scope.bindings:
                return scope.bindings[name], scope
            scope = scope.outer
        return None

    def lookup(self, name: str) -> Found | None:
        """What a name stands for here."""
        if name in self.known:
            return self.known[name]
        if self.outer is None and name in self.module:
            return Found(Kind.OBJECT, self.module[name])
        if name in self.bindings:
            return self._once(name, self._from_text, self.bindings[name])
        if self.outer is not None:
            return self.outer.lookup(name)
        return Found(Kind.OBJECT, vars(builtins)[name]) if name in vars(builtins) else None

    def attribute(self, cls: type, name: str) -> Found | None:
        """What an attribute of instances of a class of this module stands for, if their methods assign it once."""
        here = [each for each in cls.__mro__ if each.__module__ == self.module.get("__name__")]
        assigned = [place for each in here for place in self.file.assigned(each.__name__).get(name, [])]
        if len(assigned) != 1:
            return None
        method, value = assigned[0]
        first = next(parameters(method), None)
        known = {} if first is None else {first.arg: Found(Kind.INSTANCE, cls)}
        module = self
        while module.outer is not None:
            module = module.outer
        inside = Scope(self.file.bound_in(method), known, module, self.module, self.file)
        return module._once(f"{cls.__qualname__}.{name}", inside.valued, Binding(value))

    def _once(self, name: str, find: Callable[[T], Found | None], what: T) -> Found | None:
        if name in self._asked:
            return None
        self._asked.add(name)
        try:
            return find(what)
        finally:
            self._asked.discard(name)

    def _from_text(self, bindings: list[Binding]) -> Found | None:
        if all(isinstance(each.value, Imported) for each in bindings):
            return next(filter(None, (self._imported(each.value) for each in bindings)), None)
        return None if len(bindings) > 1 else self.valued(bindings[0])

    def valued(self, binding: Binding) -> Found | None:
        """What a name stands for that this binding alone binds."""
        value = binding.value
        if isinstance(value, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return Found(Kind.CODE, value, scope=self)
        if not isinstance(value, ast.expr):
            return None
        found = resolve(value, self)
        if found is None:
            return None
        if binding.is_type:
            is_class = found.kind is Kind.OBJECT and isinstance(found.value, type)
            return Found(Kind.INSTANCE, found.value) if is_class else None
        # What is forbidden itself is refused where it is assigned.
        return None if forbidden_name(found) else found

    def _imported(self, imported: Any) -> Found | None:
        module, name = imported.module, imported.name
        if module.startswith("."):
            package = str(self.module.get("__package__") or "").split(".")
            level = len(module) - len(module.lstrip("."))
            package = package[: len(package) - level + 1]
            module = ".".join(filter(None, [*package, module.lstrip(".")]))
        loaded = sys.modules.get(module)
        if loaded is None:
            return Found(Kind.MISSING, f"{module}.{name}" if name else module)
        return _attribute(Found(Kind.OBJECT, loaded), name) if name else Found(Kind.OBJECT, loaded)


def resolve(node: ast.expr, scope: Scope) -> Found | None:
    """What an expression stands for, or None if that cannot be told."""
    if isinstance(node, ast.Name):
        return scope.lookup(node.id)
    if isinstance(node, ast.Attribute):
        base = resolve(node.value, scope)
        if base is None:
            return None
        found = _attribute(base, node.attr)
        if found is None and base.kind is Kind.INSTANCE:
            found = scope.attribute(base.value, node.attr)
        return found
    if isinstance(node, ast.Call):
        return _called(node, scope)
    if isinstance(node, ast.NamedExpr):
        return resolve(node.value, scope)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        # A path and what is below it.
        left = resolve(node.left, scope)
        return left if left is not None and left.kind is Kind.INSTANCE else None
    return None


def _called(node: ast.Call, scope: Scope) -> Found | None:
    called = resolve(node.func, scope)
    if called is None or called.kind is not Kind.OBJECT or not isinstance(called.value, type):
        return None
    if called.value is super and not node.args and scope.owner is not None:
        myself = scope.lookup("self")
        mro = myself.value.__mro__ if myself is not None and myself.kind is Kind.INSTANCE else ()
        after = mro[mro.index(scope.owner) + 1 :] if scope.owner in mro else ()
        return Found(Kind.PARENTS, after)
    if called.value is type and len(node.args) == 1:
        given = resolve(node.args[0], scope)
        return Found(Kind.OBJECT, given.value) if given is not None and given.kind is Kind.INSTANCE else None
    return Found(Kind.INSTANCE, called.value)


def _attribute(base: Found, name: str) -> Found | None:
    if base.kind is Kind.MISSING:
        return Found(Kind.MISSING, f"{base.value}.{name}")
    if base.kind is Kind.CODE:
        return None
    if base.kind is Kind.OBJECT and isinstance(base.value, ModuleType):
        if name in vars(base.value):
            return Found(Kind.OBJECT, vars(base.value)[name])
        module = f"{base.value.__name__}.{name}"
        loaded = sys.modules.get(module)
        return Found(Kind.MISSING, module) if loaded is None else Found(Kind.OBJECT, loaded)
    classes: tuple[type, ...]
    if base.kind is Kind.OBJECT and _is_a(base.value, random.Random) and instead_of(f"random.{name}"):
        # A generator that is there before the run is shared by all of them, and a replay finds it elsewhere.
        return Found(Kind.OBJECT, getattr(base.value, name), f"random.{name}")
    if base.kind is Kind.PARENTS:
        classes = base.value
    elif base.kind is Kind.OBJECT and name in getattr(base.value, "__dict__", {}) and not isinstance(base.value, type):
        return Found(Kind.OBJECT, base.value.__dict__[name])
    else:
        is_class = base.kind is Kind.INSTANCE or isinstance(base.value, type)
        cls: type = base.value if is_class else type(base.value)
        classes = cls.__mro__
    return _member(classes, name)


def _is_a(value: object, cls: type) -> bool:
    return isinstance(value, cls)


def _member(classes: tuple[type, ...], name: str) -> Found | None:
    """A member of the first of some classes that has it, as it stands there."""
    for cls in classes:
        owner = _known.owners.get(id(cls))
        dotted = f"{owner}.{name}"
        if owner is not None and instead_of(dotted) is not None:
            return Found(Kind.OBJECT, vars(cls).get(name), dotted)
        if name in vars(cls):
            return Found(Kind.OBJECT, vars(cls)[name])
    return None


class _Known(msgspec.Struct, frozen=True):
    """What is forbidden and loaded.

    Attributes:
        names: the identity of an object to its name.
        owners: the identity of a class of which members are forbidden to its name.
        kept: all of these, so that an identity stays theirs.
        loaded: how many of the modules were there.
    """

    names: dict[int, str]
    owners: dict[int, str]
    kept: list[object]
    loaded: int


_MODULES = {
    "concurrent.futures.process",
    "concurrent.futures.thread",
    *(".".join(name.split(".")[:-depth]) for group in GROUPS for name in group.names for depth in (1, 2)),
}
_known = _Known({}, {}, [], -1)


def look_again() -> None:
    """Make sure that all that is forbidden and loaded by now is known; more of it may be with each import."""
    global _known
    loaded = sum(module in sys.modules for module in _MODULES)
    if loaded != _known.loaded:
        _known = _Known({}, {}, [], loaded)
        for dotted, value, owner in _loaded():
            _known.kept.extend((value, owner))
            if owner is None:
                _known.names[id(value)] = dotted
            else:
                _known.owners[id(owner)] = dotted.rpartition(".")[0]


def _loaded() -> Iterator[tuple[str, object, type | None]]:
    """Every forbidden name that is loaded: the name, the object, and the class that it is a member of."""
    for dotted in (name for group in GROUPS for name in group.names):
        path, _, name = dotted.rpartition(".")
        module = sys.modules.get(path)
        if module is not None and name == "*":
            # Functions and classes tell where they come from; methods of an object that the module keeps do not.
            for each, value in vars(module).items():
                if isinstance(value, MethodType | BuiltinMethodType) and not isinstance(value.__self__, ModuleType):
                    yield f"{path}.{each}", value, None
        elif module is not None and name in vars(module):
            yield dotted, vars(module)[name], None
        elif module is None:
            above, _, owner = path.rpartition(".")
            cls = vars(sys.modules[above]).get(owner) if above in sys.modules else None
            if isinstance(cls, type):
                yield dotted, None, cls


def forbidden_name(found: Found) -> str:
    """The name under which something is forbidden, or ""."""
    if found.name:
        return found.name
    if found.kind is Kind.MISSING:
        return found.value if instead_of(found.value) else ""
    if found.kind is not Kind.OBJECT:
        return ""
    value = found.value
    known = _known.names.get(id(value))
    if known is not None:
        return known
    if _is_a(value, partial):
        return _name_of_partial(value)
    if _is_a(value, staticmethod):
        return forbidden_name(Found(Kind.OBJECT, value.__func__))
    if isinstance(value, type):
        return _name_of_class(value)
    if not inspect.isroutine(value):
        return ""
    myself = getattr(value, "__self__", None)
    if isinstance(myself, type):
        member = _member(myself.__mro__, value.__name__)
        return "" if member is None else member.name
    dotted = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
    return dotted if instead_of(dotted) else ""


def _name_of_partial(value: Any) -> str:
    name = forbidden_name(Found(Kind.OBJECT, value.func))
    instead = instead_of(name)
    is_seeded = instead is not None and instead.repeatable_from is not None and (value.args or value.keywords)
    return "" if is_seeded else name


def _name_of_class(cls: type) -> str:
    """The name under which a class is forbidden: its own, or that of what it only adds to."""
    if issubclass(cls, BaseException):
        return ""
    dotted = f"{cls.__module__}.{cls.__qualname__}"
    if instead_of(dotted):
        return dotted
    for base in cls.__mro__:
        known = _known.names.get(id(base), "")
        instead = instead_of(known)
        if instead is not None and instead.repeatable_from is None:
            return known
    return ""
