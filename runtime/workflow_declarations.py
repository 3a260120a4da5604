"""How a class or a function is declared as a workflow, and a method as a handler."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar, overload

from .model.definitions import DEFINITION, WorkflowDefinition, define_class, define_function
from .model.errors import InvalidWorkflowError
from .model.handler_definitions import mark
from .model.ids import check_id
from .model.registry import workflows
from .model.signatures import Signature

__all__ = ["FunctionWorkflow", "defn", "init", "query", "run", "signal"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])


class FunctionWorkflow(Generic[P, R]):
    """A workflow written as a function: pass it to ``start_workflow``, or call it in a unit test of its own."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.definition = definition
        self.__name__ = definition.target.__name__
        self.__doc__ = definition.target.__doc__
        self.__wrapped__ = definition.target

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        outcome: Coroutine[Any, Any, R] = self.definition.run(*args, **kwargs)
        return outcome

    def __repr__(self) -> str:
        return f"<workflow {self.definition.name!r}>"


@overload
def defn(target: C, /) -> C: ...
@overload
def defn(target: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionWorkflow[P, R]: ...
@overload
def defn(*, name: str | None = None, failure_exception_types: tuple[type[BaseException], ...] = ()) -> _Declare: ...
def defn(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    failure_exception_types: tuple[type[BaseException], ...] = (),
) -> Any:
    """Declare a workflow: a class with one ``@workflow.run`` method, or one ``async def`` function.

    Args:
        name: the name it is registered and recorded under; the class's or function's own name if not given. It is part
            of the contract with runs that are under way: keep it when the code is renamed.
        failure_exception_types: exceptions that close a run as failed. Failures (``ApplicationError`` and its kin) and
            timeouts always do; any other exception is a bug and suspends the run until the code is mended.

    Raises:
        InvalidWorkflowError: it cannot be a workflow; every reason is listed.
    """
    declare = _Declare(name, failure_exception_types)
    return declare if target is None else declare(target)


class _Declare:
    """``@workflow.defn(...)`` with its options, waiting for the class or function."""

    def __init__(self, name: str | None, failure_exception_types: tuple[type[BaseException], ...]) -> None:
        if name is not None:
            check_id(name, "workflow name")
        self._name = name
        self._failures = tuple(failure_exception_types)

    @overload
    def __call__(self, target: C, /) -> C: ...
    @overload
    def __call__(self, target: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionWorkflow[P, R]: ...
    def __call__(self, target: Any, /) -> Any:
        if isinstance(target, type):
            definition = define_class(target, name=self._name, failure_exception_types=self._failures)
            setattr(target, DEFINITION, definition)
            setattr(definition.run, DEFINITION, definition)
            workflows.add(definition)
            return target
        if not callable(target):
            raise InvalidWorkflowError(repr(target), ["decorate a class or an async function with @workflow.defn"])
        definition = define_function(target, name=self._name, failure_exception_types=self._failures)
        declared: FunctionWorkflow[Any, Any] = FunctionWorkflow(definition)
        setattr(declared, DEFINITION, definition)
        workflows.add(definition)
        return declared


def run(method: F) -> F:
    """Mark the method of a workflow class that is the workflow."""
    mark(method, "run")
    return method


def init(method: F) -> F:
    """Mark the ``__init__`` that takes the same arguments as the run method, before any signal is handled."""
    mark(method, "init")
    return method


@overload
def signal(method: F, /) -> F: ...
@overload
def signal(*, name: str | None = None, dynamic: bool = False, description: str | None = None) -> Callable[[F], F]: ...
def signal(
    method: Any = None, /, *, name: str | None = None, dynamic: bool = False, description: str | None = None
) -> Any:
    """Mark a method as a signal handler; it may be ``async`` and wait.

    Args:
        name: the signal's name, the method's own if not given.
        dynamic: hear every signal that no other handler hears; the method gets the signal's name before its arguments.
        description: a line for people and tools.
    """
    return _handler("signal", method, name, dynamic=dynamic, description=description)


@overload
def query(method: F, /) -> F: ...
@overload
def query(*, name: str | None = None, dynamic: bool = False, description: str | None = None) -> Callable[[F], F]: ...
def query(
    method: Any = None, /, *, name: str | None = None, dynamic: bool = False, description: str | None = None
) -> Any:
    """Mark a method as a query handler: it answers from what the run is, cannot wait, and may only read.

    Args:
        name: the query's name, the method's own if not given.
        dynamic: answer every query that no other handler answers; the method gets the query's name before its
            arguments.
        description: a line for people and tools.
    """
    return _handler("query", method, name, dynamic=dynamic, description=description)


def _handler(kind: str, method: Any, name: str | None, *, dynamic: bool, description: str | None) -> Any:
    if dynamic and name is not None:
        raise ValueError("a dynamic handler hears every name: leave out name= or dynamic=True")
    if name is not None:
        check_id(name, f"{kind} name")

    def note(function: F) -> F:
        mark(
            function,
            kind,
            name=None if dynamic else name or function.__name__,
            description=description,
            signature=Signature(function, skip=1),
        )
        return function

    return note if method is None else note(method)
