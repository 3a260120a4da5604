"""Instants: nanoseconds since 1970 UTC inside, aware ``datetime`` at the face."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["instant"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(at_ns: int) -> datetime:
    """An aware datetime of an instant in ns since 1970 (UTC); microseconds are what it can hold."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)
