"""Interfaces: classes that say what a workflow of their name takes, for its callers; other classes implement them.

A class whose run method is abstract is one, and so is a ``Protocol``. Only what implements it is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .handler_definitions import HandlerDefinition
from .signatures import Signature

__all__ = ["DEFINITION", "is_interface", "name_of", "problems_of_class"]

DEFINITION = "__greenroom_workflow__"

Handlers = Mapping[str, Mapping[str | None, HandlerDefinition]]


class _Declared(Protocol):
    """What is known of a class that has been declared as a workflow."""

    name: str
    target: Callable[..., Any]
    run: Callable[..., Any]
    handlers: Handlers
    is_interface: bool


def is_interface(cls: type, run: Callable[..., Any]) -> bool:
    """Whether a class only says what a workflow of its name takes."""
    return _is_abstract(run) or _is_protocol(cls)


def name_of(cls: type) -> str:
    """The name of a class that has not been given one: that of the interface that it implements, or its own."""
    return next((interface.name for interface in _implemented(cls)), cls.__name__)


def problems_of_class(
    cls: type, run: Callable[..., Any], handlers: Handlers, *, name: str | None, is_dynamic: bool
) -> list[str]:
    """Why a class cannot be an interface, or not implement those that it is derived from.

    Args:
        run: its run method.
        handlers: its handlers, by kind and name.
        name: the name that it has been given.
        is_dynamic: whether it is to run every workflow type.
    """
    if is_interface(cls, run):
        return ["an interface is for one workflow type, by its name: leave out dynamic="] if is_dynamic else []
    problems: list[str] = []
    abstract = sorted(getattr(cls, "__abstractmethods__", ()))
    if abstract:
        methods = ", ".join(f"{each}()" for each in abstract)
        problems.append(
            f"{methods} abstract and {run.__name__}() is not: write what is missing, or make {run.__name__}() abstract "
            "too for an interface"
        )
    interfaces = _implemented(cls)
    if name is None and len({each.name for each in interfaces}) > 1:
        names = ", ".join(repr(each.name) for each in interfaces)
        problems.append(f"it implements interfaces of different names ({names}): choose one with name=")
    for interface in interfaces:
        problems += _lacking(interface, run, handlers)
    return problems


def _implemented(cls: type) -> list[_Declared]:
    """The interfaces that a class is derived from, nearest first, but for those that a declared base implements."""
    interfaces: list[_Declared] = []
    settled: set[type] = set()
    for base in cls.__mro__[1:]:
        declared: _Declared | None = vars(base).get(DEFINITION)
        if declared is not None and not declared.is_interface:
            settled.update(base.__mro__)
        elif declared is not None and base not in settled:
            interfaces.append(declared)
    return interfaces


def _lacking(interface: _Declared, run: Callable[..., Any], handlers: Handlers) -> list[str]:
    """What a caller of the interface would not find."""
    problems = _unlike(interface, interface.run, run)
    for kind, heard in interface.handlers.items():
        for name, handler in heard.items():
            own = handlers[kind].get(name)
            if own is not None:
                problems += _unlike(interface, handler.fn, own.fn)
            elif None not in handlers[kind]:
                what = f"{kind} {name!r}" if name is not None else f"catch-all for each {kind}"
                problems.append(f"it has no {what}, which {interface.target.__qualname__} promises")
    return problems


def _unlike(interface: _Declared, promised: Callable[..., Any], own: Callable[..., Any]) -> list[str]:
    method = f"{own.__name__}()"
    if own.__code__ is promised.__code__:
        # An abstract one has been told of.
        is_missing = _is_protocol(interface.target) and not _is_abstract(own)
        return [f"{method} is promised by the protocol {interface.target.__qualname__}: write it"] if is_missing else []
    fewest, greatest = Signature(promised, skip=1).arity
    least, most = Signature(own, skip=1).arity
    if least > fewest or most < greatest:
        return [f"{method} must take what {promised.__qualname__}() takes"]
    return []


def _is_abstract(function: Callable[..., Any]) -> bool:
    return bool(getattr(function, "__isabstractmethod__", False))


def _is_protocol(cls: object) -> bool:
    # What `typing.is_protocol` of Python 3.13 looks at.
    return bool(getattr(cls, "_is_protocol", False))
