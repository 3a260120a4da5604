"""How a method of a workflow class is declared as a handler of signals, queries or updates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from .model.handler_definitions import mark, marks_of
from .model.ids import check_id
from .model.options import HandlerUnfinishedPolicy
from .model.signatures import Signature

__all__ = ["UpdateMethod", "query", "signal", "update"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
F = TypeVar("F", bound=Callable[..., Any])


@overload
def signal(method: F, /) -> F: ...
@overload
def signal(
    *,
    name: str | None = None,
    dynamic: bool = False,
    description: str | None = None,
    unfinished_policy: HandlerUnfinishedPolicy = ...,
) -> Callable[[F], F]: ...
def signal(
    method: Any = None,
    /,
    *,
    name: str | None = None,
    dynamic: bool = False,
    description: str | None = None,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
) -> Any:
    """Mark a method as a signal handler; it may be ``async`` and wait.

    Args:
        method: the method, if the decorator is written without parentheses.
        name: the signal's name, the method's own if not given.
        dynamic: hear every signal that no other handler hears; the method gets the signal's name before its arguments.
        description: a line for people and tools.
        unfinished_policy: whether it is logged that the run ended while the handler was at work.
    """
    note = _note("signal", name, dynamic=dynamic, description=description, unfinished_policy=unfinished_policy)
    return note if method is None else note(method)


@overload
def query(method: F, /) -> F: ...
@overload
def query(*, name: str | None = None, dynamic: bool = False, description: str | None = None) -> Callable[[F], F]: ...
def query(
    method: Any = None, /, *, name: str | None = None, dynamic: bool = False, description: str | None = None
) -> Any:
    """Mark a method as a query handler: it answers from what the run is, cannot wait, and may only read.

    Args:
        method: the method, if the decorator is written without parentheses.
        name: the query's name, the method's own if not given.
        dynamic: answer every query that no other handler answers; the method gets the query's name before its
            arguments.
        description: a line for people and tools.
    """
    note = _note("query", name, dynamic=dynamic, description=description)
    return note if method is None else note(method)


@overload
def update(method: Callable[Concatenate[Any, P], R], /) -> UpdateMethod[P, R]: ...
@overload
def update(
    *,
    name: str | None = None,
    dynamic: bool = False,
    description: str | None = None,
    unfinished_policy: HandlerUnfinishedPolicy = ...,
) -> _DeclareUpdate: ...
def update(
    method: Any = None,
    /,
    *,
    name: str | None = None,
    dynamic: bool = False,
    description: str | None = None,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
) -> Any:
    """Mark a method as an update handler: it may change the run and wait, and what it returns is told to who asked.

    A validator is set with ``@<method>.validator`` on another method that takes the same arguments: it cannot wait, may
    only read, and refuses the update by raising.

    Args:
        method: the method, if the decorator is written without parentheses.
        name: the update's name, the method's own if not given.
        dynamic: hear every update that no other handler hears; the method, and its validator, get the update's name
            before its arguments.
        description: a line for people and tools.
        unfinished_policy: whether it is logged that the run ended while the handler was at work.
    """
    note = _note("update", name, dynamic=dynamic, description=description, unfinished_policy=unfinished_policy)

    def declare(function: Any) -> Any:
        note(function)
        # An attribute of the function, so that it is still a method in every other way.
        function.validator = partial(_set_validator, function)
        return function

    return declare if method is None else declare(method)


def _set_validator(function: Callable[..., Any], validator: Callable[..., Any]) -> Callable[..., Any]:
    if validator.__name__ == function.__name__:
        raise ValueError(f"the validator of {function.__name__}() has its name; give it one of its own")
    mark(function, "update", **{**marks_of(function)["update"], "validator": validator})
    return validator


class UpdateMethod(Protocol[P, R_co]):
    """An update handler, as a type checker sees it."""

    def __call__(self, instance: Any, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> UpdateMethod[P, R_co]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[P, R_co]: ...
    def validator(self, function: Callable[Concatenate[Any, P], None], /) -> Callable[Concatenate[Any, P], None]:
        """Mark the method that looks at an update before it is taken."""
        ...


class _DeclareUpdate(Protocol):
    """``@workflow.update(...)`` with its options, waiting for the method."""

    def __call__(self, method: Callable[Concatenate[Any, P], R], /) -> UpdateMethod[P, R]: ...


def _note(kind: str, name: str | None, *, dynamic: bool, **facts: Any) -> Any:
    """What leaves the facts on a method for the class to find."""
    if dynamic and name is not None:
        raise ValueError("a dynamic handler hears every name: leave out name= or dynamic=True")
    if name is not None:
        check_id(name, f"{kind} name")

    def note(function: F) -> F:
        mark(
            function,
            kind,
            name=None if dynamic else name or function.__name__,
            signature=Signature(function, skip=1),
            **facts,
        )
        return function

    return note
