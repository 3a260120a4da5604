"""Waiting in workflow code for one thing: an instant, a condition, something with a limit of time, a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from inspect import iscoroutine
from typing import TypeVar

from .core.awaitables import check_awaitable, close_unstarted
from .core.channels import wait_ns
from .core.conditions import check_predicate
from .core.context import current
from .model.durations import to_ns
from .model.texts import writable
from .workflow_timeouts import Duration, Timeout, deadline_ns, instant_ns

__all__ = ["new_lock", "sleep", "sleep_until", "wait_condition", "wait_for"]

T = TypeVar("T")


async def wait_condition(
    predicate: Callable[[], object], *, timeout: Duration | None = None, timeout_summary: str | None = None
) -> None:
    """Wait until ``predicate()`` is true; it is asked again after whatever happens in the run. It may only read.

    Args:
        predicate: called without arguments; an exception of it is raised here. It cannot be ``async``.
        timeout: how long to wait, as a durable timer; None waits for ever, zero or less only asks once.
        timeout_summary: a line for people, of that timer.

    Raises:
        TypeError: it is no function, or gives something to be awaited instead of an answer; the summary is no string.
        TimeoutError: it did not become true in time.
    """
    context = current()
    check_predicate(predicate)
    timeout_ns = wait_ns(timeout)
    summary = "" if timeout_summary is None else writable(timeout_summary, "timeout_summary")
    if timeout_ns == 0:
        if not context.is_condition_met(predicate):
            raise TimeoutError("the condition is not met")
        return
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    context.add_condition(predicate, future)
    if timeout_ns is None:
        await future
        return
    async with Timeout(deadline_ns(timeout_ns), f"the condition was not met within {timeout}", summary):
        await future


async def wait_for(awaitable: Awaitable[T], timeout: Duration | None) -> T:
    """Wait for something at most so long; what is not there by then is cancelled, and its cleaning up waited for.

    It takes the same steps in every version of Python, and begins a coroutine at once, without a task of its own.

    Args:
        awaitable: a coroutine, a task or a future, such as the handle of an activity.
        timeout: seconds or timedelta, as a durable timer; None waits for ever. Zero or less takes what is there
            already: a coroutine is not begun.

    Raises:
        TypeError: it cannot be awaited in this workflow.
        TimeoutError: it was not there in time.
    """
    try:
        check_awaitable("wait_for", awaitable, current().raise_bug)
        timeout_ns = wait_ns(timeout)
        told = f"what was waited for was not there within {timeout}"
        if timeout_ns == 0 and iscoroutine(awaitable):
            raise TimeoutError(told)
    except BaseException:
        close_unstarted(awaitable)
        raise
    async with Timeout(deadline_ns(timeout_ns), told):
        return await awaitable


async def sleep(duration: Duration, *, summary: str = "") -> None:
    """Wait, as a durable timer: a restart does not shorten or lengthen it.

    Args:
        duration: seconds or timedelta; zero is a timer too, one that is due at once.
        summary: a line for people.

    Raises:
        TypeError, ValueError: it is no length of time.
    """
    nanoseconds = to_ns(duration, "duration")
    # A history may have such a timer, from before that was refused.
    if nanoseconds is None and not current().is_replaying():
        raise TypeError("duration is None; give a timedelta or a number of seconds")
    await _until(current().now_ns() + (nanoseconds or 0), summary)


async def sleep_until(when: datetime, *, summary: str = "") -> None:
    """Wait until an instant, as a durable timer.

    Args:
        when: an aware datetime; one that has passed is due at once.
        summary: a line for people.

    Raises:
        TypeError, ValueError: it is no datetime, or has no time zone.
    """
    at_ns = instant_ns(when, "sleep_until")
    await _until(max(at_ns, current().now_ns()), summary)


def new_lock() -> asyncio.Lock:
    """A lock for ``async with``: one at a time, in the order in which they came. It is asyncio's."""
    current()
    return asyncio.Lock()


async def _until(at_ns: int, summary: str) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = current().start_timer(at_ns, _wake, future, summary=writable(summary, "summary"))
    try:
        await future
    finally:
        timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
