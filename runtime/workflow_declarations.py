"""How a class or a function is declared as a workflow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, overload

from .model.definitions import DEFINITION, WorkflowDefinition, define_class, define_function
from .model.errors import InvalidWorkflowError
from .model.handler_definitions import mark
from .model.ids import check_aliases, check_id
from .model.registry import workflows

__all__ = ["FunctionCoroutine", "FunctionWorkflow", "MethodCoroutine", "defn", "init", "run"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])


# A run method gets its instance before its arguments and a function does not, and both are callables: checkers tell
# them apart by what a call gives. No method gives the first of these; the first is none of the second, it yields more.


class FunctionCoroutine(Coroutine[object, Any, R_co]):
    """What a call of a function workflow gives, as type checkers see it; what runs is the function's coroutine."""


MethodCoroutine: TypeAlias = Coroutine[asyncio.Future[Any] | None, Any, R]
"""What a call of a run method gives, as type checkers see it."""


class FunctionWorkflow(Generic[P, R]):
    """A workflow written as a function: pass it to ``start_workflow``, or call it in a unit test of its own."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.definition = definition
        self.__name__ = definition.target.__name__
        self.__doc__ = definition.target.__doc__
        self.__wrapped__ = definition.target

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> FunctionCoroutine[R]:
        outcome: FunctionCoroutine[R] = self.definition.run(*args, **kwargs)
        return outcome

    def __repr__(self) -> str:
        return f"<workflow {self.definition.name!r}>"


@overload
def defn(target: C, /) -> C: ...
@overload
def defn(target: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionWorkflow[P, R]: ...
@overload
def defn(
    *,
    name: str | None = None,
    aliases: Iterable[str] = (),
    dynamic: bool = False,
    failure_exception_types: tuple[type[BaseException], ...] = (),
    static_check: bool = True,
) -> _Declare: ...
def defn(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    aliases: Iterable[str] = (),
    dynamic: bool = False,
    failure_exception_types: tuple[type[BaseException], ...] = (),
    static_check: bool = True,
) -> Any:
    """Declare a workflow: a class with one ``@workflow.run`` method, or one ``async def`` function.

    A class whose run method is abstract, or a ``Protocol``, is an interface: callers start and address by it, with its
    types, what is registered under its name. What is derived from it has its name, unless it is given one.

    Args:
        target: the class or the function, if the decorator is written without parentheses.
        name: the name it is registered and recorded under; the class's or function's own name if not given. It is part
            of the contract with runs that are under way: keep it when the code is renamed, or list it in ``aliases``.
        aliases: names that it had before: runs that were begun under one of them go on with this code. New runs are
            recorded under its name.
        dynamic: whether it runs every workflow type that is not declared by name, such as an interpreter's scripts. Its
            run takes one ``Sequence[RawValue]``, ``workflow.info().workflow_type`` says what was asked for, and a
            runtime has one of them at most. It is started by the name of a type.
        failure_exception_types: exceptions that close a run as failed. Failures (``ApplicationError`` and its kin) and
            timeouts always do; any other exception is a bug and suspends the run until the code is mended.
        static_check: whether the code is searched for calls that a replay could not repeat. One line is exempt with the
            comment ``# greenroom: allow``, a block with ``workflow.unsafe.sandbox_unrestricted()``.

    Raises:
        InvalidWorkflowError: it cannot be a workflow, or calls what a replay could not repeat; every reason is listed.
    """
    declare = _Declare(name, aliases, failure_exception_types, dynamic=dynamic, static_check=static_check)
    return declare if target is None else declare(target)


class _Declare:
    """``@workflow.defn(...)`` with its options, waiting for the class or function."""

    def __init__(
        self,
        name: str | None,
        aliases: Iterable[str],
        failure_exception_types: tuple[type[BaseException], ...],
        *,
        dynamic: bool,
        static_check: bool,
    ) -> None:
        if name is not None:
            check_id(name, "workflow name")
        self._name = name
        self._aliases = check_aliases(aliases, "a workflow")
        self._failures = tuple(failure_exception_types)
        self._is_dynamic = dynamic
        self._is_checked = static_check

    @overload
    def __call__(self, target: C, /) -> C: ...
    @overload
    def __call__(self, target: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionWorkflow[P, R]: ...
    def __call__(self, target: Any, /) -> Any:
        if isinstance(target, type):
            definition = define_class(
                target,
                name=self._name,
                failure_exception_types=self._failures,
                is_dynamic=self._is_dynamic,
                aliases=self._aliases,
            )
            self._check(definition)
            setattr(target, DEFINITION, definition)
            setattr(definition.run, DEFINITION, definition)
            if not definition.is_interface:
                workflows.add(definition)
            return target
        if not callable(target):
            raise InvalidWorkflowError(repr(target), ["decorate a class or an async function with @workflow.defn"])
        definition = define_function(
            target,
            name=self._name,
            failure_exception_types=self._failures,
            is_dynamic=self._is_dynamic,
            aliases=self._aliases,
        )
        self._check(definition)
        declared: FunctionWorkflow[Any, Any] = FunctionWorkflow(definition)
        setattr(declared, DEFINITION, definition)
        workflows.add(definition)
        return declared

    def _check(self, definition: WorkflowDefinition) -> None:
        if self._is_checked and not definition.is_interface:
            # Programs that only call a runtime need not load what reads source code.
            from .model.static_check import check

            check(definition)


def run(method: F) -> F:
    """Mark the method of a workflow class that is the workflow."""
    mark(method, "run")
    return method


def init(method: F) -> F:
    """Mark the ``__init__`` that takes the same arguments as the run method, before any signal is handled."""
    mark(method, "init")
    return method
