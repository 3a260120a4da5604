"""What the disk refused and is tried again: a little later, or at once when the runtime closes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...actors import Deadline, Dispatcher, DispatcherClosedError

__all__ = ["AGAIN_AFTER_NS", "Retries"]

AGAIN_AFTER_NS = 1_000_000_000

# How often what is put off is tried when the runtime closes: a disk that refuses for good must not keep it open.
_LAST_ROUNDS = 3

_Call = tuple[Callable[..., object], tuple[Any, ...]]


class Retries:
    """Calls that are put off; used on the dispatcher's thread only."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        # In the order in which they were put off.
        self._waiting: dict[int, tuple[Deadline, _Call]] = {}
        self._number = 0
        self._rounds: int | None = None
        self._round: list[_Call] = []

    def later(self, delay_ns: int, fn: Callable[..., object], *args: Any) -> None:
        """Have ``fn(*args)`` called once, after ``delay_ns`` nanoseconds; sooner if the runtime closes, and not at all
        if it has been tried often enough then."""
        if self._rounds is not None:
            self._one_more((fn, args))
            return
        self._number = number = self._number + 1
        deadline = self._dispatcher.call_at(self._dispatcher.clock.now_ns() + delay_ns, self._due, number)
        self._waiting[number] = deadline, (fn, args)

    def hasten(self) -> None:
        """The runtime closes: nobody will do later what is put off."""
        self._rounds = _LAST_ROUNDS
        waiting, self._waiting = self._waiting, {}
        for deadline, call in waiting.values():
            deadline.cancel()
            self._one_more(call)

    def _due(self, number: int) -> None:
        _, (fn, args) = self._waiting.pop(number)
        fn(*args)

    def _one_more(self, call: _Call) -> None:
        self._round.append(call)
        if len(self._round) == 1 and self._rounds:
            self._rounds -= 1
            # One that has ended does no more of this: the next opening goes on from what the disk has.
            with suppress(DispatcherClosedError):
                self._dispatcher.call_soon(self._do_round)

    def _do_round(self) -> None:
        calls, self._round = self._round, []
        with suppress(DispatcherClosedError):
            for fn, args in calls:
                # Each by itself: one that fails is reported, and the others are called.
                self._dispatcher.call_soon(fn, *args)
