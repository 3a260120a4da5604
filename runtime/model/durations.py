"""Lengths of time: ``timedelta`` or seconds at the face, whole nanoseconds inside."""

from __future__ import annotations

from datetime import timedelta

from .articles import with_article

__all__ = ["MAX_NS", "to_limit", "to_ns", "to_timedelta"]

MAX_NS = 2**63 - 1  # what a stored duration or instant can hold: 292 years
_MICROSECOND = timedelta(microseconds=1)


def to_ns(value: timedelta | float | int | None, name: str) -> int | None:
    """Turn an option that is a length of time into nanoseconds.

    Args:
        value: a ``timedelta``, a number of seconds, or None for "not given".
        name: what the option is called, for the message.

    Returns:
        Nanoseconds, or None.

    Raises:
        TypeError: it is something else.
        ValueError: it is negative, not a number or longer than 292 years.
    """
    if value is None:
        return None
    if isinstance(value, timedelta):
        ns = value // _MICROSECOND * 1_000
    elif isinstance(value, bool) or not isinstance(value, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
        raise TypeError(f"{name} is {with_article(type(value).__name__)}; give a timedelta or a number of seconds")
    elif value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{name} is {value}; give a finite number of seconds")
    else:
        ns = round(value * 1_000_000_000)
    if ns < 0:
        raise ValueError(f"{name} is {value}; a length of time is zero or more")
    if ns > MAX_NS:
        raise ValueError(f"{name} is {value}; the longest is 292 years")
    return ns


def to_limit(value: timedelta | float | int | None, name: str) -> int | None:
    """Turn an option that is a time limit into nanoseconds, as ``to_ns`` does; no time at all is no limit.

    Raises:
        TypeError, ValueError: as ``to_ns``; or it is zero.
    """
    ns = to_ns(value, name)
    if ns == 0:
        raise ValueError(f"{name} is {value}; a limit is longer than nothing, or None for none")
    return ns


def to_timedelta(ns: int) -> timedelta:
    """The length of time as a ``timedelta``, rounded to microseconds."""
    return timedelta(microseconds=(ns + 500) // 1_000)
