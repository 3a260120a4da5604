"""Signals as a channel: read by name, with or without waiting. Channels and handlers take from the same mailbag."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, TypeVar, overload

from ..model.durations import to_ns
from .handlers import Signals

__all__ = ["SignalChannel", "wait_ns"]

T = TypeVar("T")


class SignalChannel:
    """Reads the signals that no handler takes, in the order they came.

    A signal with one argument is read as that value, one with none as None, one with several as the list of them.
    """

    __slots__ = ("_signals",)

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    @overload
    async def receive(self, name: str, *, timeout: timedelta | float | None = None) -> Any: ...
    @overload
    async def receive(self, name: str, *, timeout: timedelta | float | None = None, result_type: type[T]) -> T: ...
    async def receive(
        self, name: str, *, timeout: timedelta | float | None = None, result_type: type[Any] | None = None
    ) -> Any:
        """Wait for the next signal of that name.

        Args:
            name: the signal's name.
            timeout: how long to wait (seconds or timedelta), as a durable timer; None waits for ever, zero or less
                does not wait.
            result_type: the type of the signal's one argument; without it the plain value comes.

        Raises:
            TimeoutError: nothing came in time.
        """
        timeout_ns = wait_ns(timeout)
        hints = _hints(result_type)
        signals = self._signals
        values = signals.take(name, hints)
        if values is not None:
            return _value(values)
        if timeout_ns == 0:
            raise TimeoutError(f"no signal {name!r} is there")
        try:
            async with asyncio.timeout(None if timeout_ns is None else timeout_ns / 1e9):
                while values is None:
                    await self._wait(name)
                    values = signals.take(name, hints)
        except TimeoutError:
            raise TimeoutError(f"no signal {name!r} came within {timeout}") from None
        return _value(values)

    async def _wait(self, name: str) -> None:
        waiting = self._signals.wait(name)
        try:
            await waiting
        except asyncio.CancelledError:
            self._signals.stop_waiting(name, waiting)
            raise

    def poll(self, name: str, *, result_type: type[Any] | None = None) -> Any:
        """The next signal of that name if it is there already, else None.

        Args:
            name: the signal's name.
            result_type: the type of the signal's one argument; without it the plain value comes.
        """
        values = self._signals.take(name, _hints(result_type))
        return None if values is None else _value(values)

    def is_empty(self, name: str) -> bool:
        """Whether no signal of that name waits to be read."""
        return not self._signals.bag.has(name)


def wait_ns(timeout: timedelta | float | None) -> int | None:
    """How long to wait, in ns; what is left until a deadline may be negative, which is no wait."""
    if timeout is None:
        return None
    if isinstance(timeout, timedelta):
        is_late = timeout.days < 0
    else:
        # What is no number is refused below.
        is_late = isinstance(timeout, (int, float)) and timeout < 0  # pyright: ignore[reportUnnecessaryIsInstance]
    return 0 if is_late else to_ns(timeout, "timeout")


def _hints(result_type: type[Any] | None) -> tuple[Any, ...] | None:
    return None if result_type is None else (result_type,)


def _value(values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    return values or None
