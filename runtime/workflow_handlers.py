"""Handlers and channels at run time: what workflow code sets, replaces and removes while it runs."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from .core.channels import SignalChannel
from .core.context import current
from .core.updates import UpdateInfo
from .model.articles import with_article
from .model.handler_definitions import problem_with_query
from .model.ids import check_id

__all__ = [
    "all_handlers_finished",
    "current_update_info",
    "get_dynamic_query_handler",
    "get_dynamic_signal_handler",
    "get_dynamic_update_handler",
    "get_query_handler",
    "get_signal_handler",
    "get_update_handler",
    "set_dynamic_query_handler",
    "set_dynamic_signal_handler",
    "set_dynamic_update_handler",
    "set_query_handler",
    "set_signal_handler",
    "set_update_handler",
    "signal_channel",
]

Handler = Callable[..., Any] | None


def set_signal_handler(name: str, handler: Handler) -> None:
    """Set, replace or remove the handler of one signal; what was kept for it is delivered in its order.

    Args:
        name: the signal's name.
        handler: may be ``async`` and wait; None removes the handler.

    Raises:
        TypeError: the name is no string, or the handler cannot be called.
        ValueError: the name cannot be one.
    """
    current().set_handler("signal", check_id(name, "signal name"), _callable("a signal handler", handler))


def get_signal_handler(name: str) -> Handler:
    """The handler of a signal, or None."""
    return current().get_handler("signal", name)


def set_dynamic_signal_handler(handler: Handler) -> None:
    """Set, replace or remove the handler of every signal without one; it gets the signal's name, then its arguments."""
    current().set_handler("signal", None, _callable("a signal handler", handler))


def get_dynamic_signal_handler() -> Handler:
    """The handler of every signal that has none, or None."""
    return current().get_handler("signal", None)


def set_query_handler(name: str, handler: Handler) -> None:
    """Set, replace or remove the handler of one query.

    Args:
        name: the query's name.
        handler: cannot wait, and may only read; None removes the handler.

    Raises:
        TypeError: the name is no string, or the handler cannot be called, or is ``async``.
        ValueError: the name cannot be one, or is that of a query which every run answers by itself.
    """
    if problem := problem_with_query(check_id(name, "query name")):
        raise ValueError(problem)
    current().set_handler("query", name, _at_once("a query handler", handler))


def get_query_handler(name: str) -> Handler:
    """The handler of a query, or None."""
    return current().get_handler("query", name)


def set_dynamic_query_handler(handler: Handler) -> None:
    """Set, replace or remove the handler of every query without one; it gets the query's name, then its arguments."""
    current().set_handler("query", None, _at_once("a query handler", handler))


def get_dynamic_query_handler() -> Handler:
    """The handler of every query that has none, or None."""
    return current().get_handler("query", None)


def set_update_handler(name: str, handler: Handler, *, validator: Handler = None) -> None:
    """Set, replace or remove the handler of one update; its validator is replaced with it.

    Args:
        name: the update's name.
        handler: may be ``async`` and wait; what it returns is the outcome of the update. None removes the handler.
        validator: called first with the same arguments; it cannot wait and may only read, and what it raises refuses
            the update.

    Raises:
        TypeError: the name is no string, or one of the two cannot be called, or the validator is ``async``.
        ValueError: the name cannot be one.
    """
    name = check_id(name, "update name")
    validator = _at_once("a validator", validator)
    current().set_handler("update", name, _callable("an update handler", handler), validator)


def get_update_handler(name: str) -> Handler:
    """The handler of an update, or None."""
    return current().get_handler("update", name)


def set_dynamic_update_handler(handler: Handler, *, validator: Handler = None) -> None:
    """Set, replace or remove the handler of every update without one.

    Args:
        handler: as for ``set_update_handler``, given the update's name before its arguments.
        validator: likewise.

    Raises:
        TypeError: one of the two cannot be called, or the validator is ``async``.
    """
    validator = _at_once("a validator", validator)
    current().set_handler("update", None, _callable("an update handler", handler), validator)


def get_dynamic_update_handler() -> Handler:
    """The handler of every update that has none, or None."""
    return current().get_handler("update", None)


def _callable(what: str, handler: Any) -> Any:
    if handler is None or callable(handler):
        return handler
    raise TypeError(f"{what} is {with_article(type(handler).__name__)}; give a function, or None to remove the handler")


def _at_once(what: str, handler: Any) -> Any:
    if iscoroutinefunction(handler):
        raise TypeError(f"{what} cannot wait: write it without async")
    return _callable(what, handler)


def signal_channel() -> SignalChannel:
    """A channel on the signals that no handler takes."""
    return current().signal_channel()


def all_handlers_finished() -> bool:
    """Whether no handler of signals or updates is at work; ``await wait_condition(all_handlers_finished)`` lets them
    end first."""
    return current().all_handlers_finished()


def current_update_info() -> UpdateInfo | None:
    """The update whose handler or validator the caller is, or was started by; None elsewhere."""
    return current().current_update()
