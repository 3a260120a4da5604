"""Attributes that are computed when they are first asked for, and then are attributes like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["lazy"]

T = TypeVar("T")


class lazy(Generic[T]):  # written like a function, as decorators are
    """A method whose value is computed once, without a lock: two threads that ask at once may both compute it.

    ``functools.cached_property`` holds a lock while it computes (Python 3.11), one for all instances: what imports a
    module meanwhile, as types do that are resolved, can wait for a thread that waits for the lock.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value = vars(instance)[self._name] = self._compute(instance)
        return value
