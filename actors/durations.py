"""Lengths of time: ``timedelta`` or seconds at the face, whole nanoseconds inside."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite

from .articles import with_article

__all__ = ["duration_ns", "limit_ns"]

_NS_PER_SECOND = 1_000_000_000


def duration_ns(length: float | timedelta) -> int:
    """Nanoseconds of a ``timedelta`` or of a number of seconds, which may be negative."""
    if isinstance(length, timedelta):
        return (length.days * 86_400 + length.seconds) * _NS_PER_SECOND + length.microseconds * 1_000
    return round(length * _NS_PER_SECOND)


def limit_ns(length: float | timedelta, name: str) -> int:
    """Nanoseconds of an option that is a length of time.

    Raises:
        TypeError: it is something else.
        ValueError: it is negative, or no finite number.
    """
    if isinstance(length, bool) or not isinstance(length, (int, float, timedelta)):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
        raise TypeError(f"{name} is {with_article(type(length).__name__)}; give a timedelta or a number of seconds")
    if not isinstance(length, timedelta) and not isfinite(length):
        raise ValueError(f"{name} is {length}; give a finite number of seconds")
    ns = duration_ns(length)
    if ns < 0:
        raise ValueError(f"{name} is {length}; a length of time is zero or more")
    return ns
