"""A limit of time around a piece of workflow code: when it has passed, what the code waits for is cancelled.

asyncio has the same, but counts seconds in floats, and its ``wait_for`` takes other steps in each version of Python.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from .core.channels import wait_ns
from .core.context import current
from .model.articles import with_article
from .model.instants import instant

__all__ = ["Timeout", "deadline_ns", "instant_ns", "timeout", "timeout_at"]

Duration = timedelta | float

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Timeout:
    """The limit of an ``async with`` block, made by ``workflow.timeout`` or ``workflow.timeout_at``.

    Args:
        at_ns: when (ns since 1970); None for never.
        told: what the ``TimeoutError`` says.
        summary: a line for people, of the timer.
    """

    def __init__(self, at_ns: int | None, told: str, summary: str = "") -> None:
        self._at_ns = at_ns
        self._told = told
        self._summary = summary
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.Handle | None = None
        self._is_over = False
        self._has_expired = False

    def when(self) -> datetime | None:
        """When the limit is (aware, UTC), or None if there is none."""
        return None if self._at_ns is None else instant(self._at_ns)

    def expired(self) -> bool:
        """Whether the limit has passed and the block was ended by it."""
        return self._has_expired

    def reschedule(self, when: datetime | None) -> None:
        """Move the limit of a block that is being executed.

        Args:
            when: an aware datetime, such as ``workflow.now() + timedelta(seconds=5)``; None for no limit.

        Raises:
            RuntimeError: the block has not begun or has ended, or the limit has passed.
        """
        at_ns = None if when is None else instant_ns(when, "reschedule")
        if self._task is None or self._is_over or self._has_expired:
            raise RuntimeError("the limit of a block that has not begun, or has ended, cannot be moved")
        self._stop()
        self._at_ns = at_ns
        self._start()

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if self._task is not None or task is None:
            raise RuntimeError("a timeout can be entered once, and in a task; make another one")
        self._task = task
        # How often the task had been cancelled before: what comes on top of that is ours.
        self._cancelling = task.cancelling()
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True
        self._stop()
        if self._has_expired and self._task is not None:
            is_ours = self._task.uncancel() <= self._cancelling
            if is_ours and isinstance(error, asyncio.CancelledError):
                raise TimeoutError(self._told) from error

    def _start(self) -> None:
        if self._at_ns is None:
            return
        context = current()
        if self._at_ns <= context.now_ns():
            self._timer = asyncio.get_running_loop().call_soon(self._expire)
        else:
            self._timer = context.start_timer(self._at_ns, self._expire, summary=self._summary)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self._has_expired = True
        if self._task is not None:
            self._task.cancel()


def timeout(delay: Duration | None) -> Timeout:
    """Limit how long the code in an ``async with`` block may take, by a durable timer.

    When the time has passed, what the block waits for is cancelled, and the block raises ``TimeoutError``.

    Args:
        delay: seconds or timedelta; zero or less ends the block where it first waits, None is no limit.

    Returns:
        The limit, to be moved with ``reschedule(when)`` and asked with ``when()`` and ``expired()``.

    Raises:
        TimeoutError: by the block: its time has passed.
    """
    return Timeout(deadline_ns(wait_ns(delay)), f"the time limit of {delay} has passed")


def timeout_at(when: datetime | None) -> Timeout:
    """Limit until when the code in an ``async with`` block may take, as ``timeout`` does.

    Args:
        when: an aware datetime; one that has passed ends the block where it first waits, None is no limit.

    Raises:
        TimeoutError: by the block: the instant has passed.
    """
    return Timeout(None if when is None else instant_ns(when, "timeout_at"), f"the time limit, {when}, has passed")


def deadline_ns(delay_ns: int | None) -> int | None:
    """The instant (ns since 1970) that is so far from the run's time, or None."""
    return None if delay_ns is None else current().now_ns() + delay_ns


def instant_ns(when: object, call: str) -> int:
    """An instant of the face in ns since 1970.

    Args:
        when: an aware datetime.
        call: who was given it, for the message.

    Raises:
        TypeError, ValueError: it is something else, or has no time zone.
    """
    if not isinstance(when, datetime):
        raise TypeError(
            f"{call} needs an aware datetime, not {with_article(type(when).__name__)}: workflow.now() + timedelta(…)"
        )
    if when.tzinfo is None:
        raise ValueError(f"{call} needs an aware datetime: which time zone is meant?")
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000
