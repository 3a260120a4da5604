"""What activity code is written against: how one is declared, and what it can ask while it runs.

An activity is a plain function, sync or async, that may do anything::

    from datetime import timedelta

    from greenroom import activity

    @activity.defn(start_to_close_timeout=timedelta(seconds=30))
    def charge(customer: str, cents: int) -> str:
        key = activity.info().idempotency_key      # the same for every attempt
        return bank.charge(customer, cents, key)

A workflow performs it with ``await workflow.execute_activity(charge, "ada", 1200)``; a test simply calls it. What an
activity needs can be given to it as the instance of a class: declare its methods, and pass
``activities=[Payments(bank)]`` to ``Runtime``.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar, overload

from .model.activity_definition import declare, define_activity
from .model.activity_info import ActivityInfo as Info
from .model.durations import to_ns
from .model.errors import NotInActivityError
from .model.registry import activities
from .model.retry import RetryPolicy

__all__ = [
    "CURRENT",
    "Attempt",
    "Info",
    "Shutdown",
    "defn",
    "in_activity",
    "info",
    "is_cancelled",
    "is_shutting_down",
    "logger",
    "wait_for_shutdown",
    "wait_for_shutdown_async",
]

F = TypeVar("F", bound=Callable[..., Any])


@overload
def defn(fn: F, /) -> F: ...
@overload
def defn(
    *,
    name: str | None = None,
    start_to_close_timeout: timedelta | float | None = None,
    schedule_to_close_timeout: timedelta | float | None = None,
    schedule_to_start_timeout: timedelta | float | None = None,
    retry_policy: RetryPolicy | None = None,
    summary: str | None = None,
) -> Callable[[F], F]: ...
def defn(
    fn: F | None = None,
    /,
    *,
    name: str | None = None,
    start_to_close_timeout: timedelta | float | None = None,
    schedule_to_close_timeout: timedelta | float | None = None,
    schedule_to_start_timeout: timedelta | float | None = None,
    retry_policy: RetryPolicy | None = None,
    summary: str | None = None,
) -> F | Callable[[F], F]:
    """Declare a function, a method or a class with ``__call__`` as an activity.

    What is decorated is returned as it is, so it can still be called and tested as the function it is. The options are
    defaults; what a workflow says when it performs the activity goes before them. Lengths of time are ``timedelta`` or
    seconds.

    Args:
        fn: what performs the activity, if the decorator is written without parentheses.
        name: the name to register it under; its own name if None.
        start_to_close_timeout: the limit of one attempt.
        schedule_to_close_timeout: the limit of all attempts and the waits between them.
        schedule_to_start_timeout: the limit of an attempt's wait for a thread.
        retry_policy: how failed attempts are repeated.
        summary: a line for people.

    Raises:
        InvalidActivityError: with everything that is wrong with the declaration.
    """

    def decorate(target: F) -> F:
        definition = define_activity(
            target,
            name=name,
            start_to_close_timeout=start_to_close_timeout,
            schedule_to_close_timeout=schedule_to_close_timeout,
            schedule_to_start_timeout=schedule_to_start_timeout,
            retry_policy=retry_policy,
            summary=summary,
        )
        declare(target, definition)
        if not definition.needs_instance:
            activities.add(definition)
        return target

    return decorate if fn is None else decorate(fn)


class Shutdown:
    """The notice that the activities of a runtime get when it closes."""

    __slots__ = ("_event", "_futures", "_lock")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._futures: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Give notice, and wake everybody who waits for it."""
        with self._lock:
            self._event.set()
            futures, self._futures = self._futures, set()
        for future in futures:
            try:
                future.get_loop().call_soon_threadsafe(_resolve, future)
            except RuntimeError:
                # Its loop is closed, so nobody waits for it any more.
                continue

    def is_set(self) -> bool:
        """Whether notice was given."""
        return self._event.is_set()

    def wait(self, timeout: float | None) -> bool:
        """Block until notice is given or ``timeout`` seconds are over; return whether it was given."""
        return self._event.wait(timeout)

    async def wait_async(self, timeout: float | None) -> bool:
        """Wait until notice is given or ``timeout`` seconds are over; return whether it was given."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._event.is_set():
                return True
            self._futures.add(future)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._futures.discard(future)
        return True


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Attempt:
    """One attempt, as its own code sees it: the seam between this module and whoever performs activities.

    A test can stand in for the runtime: ``token = CURRENT.set(Attempt(info, Shutdown()))``.

    Attributes:
        is_cancelled: whether nobody waits for the outcome any more.
        shutdown: the notice of the runtime that performs it.
    """

    __slots__ = ("_info", "is_cancelled", "shutdown", "started_at_ns")

    def __init__(self, info: Info, shutdown: Shutdown) -> None:
        self._info = info
        self.shutdown = shutdown
        self.is_cancelled = False
        self.started_at_ns: int | None = None

    @property
    def info(self) -> Info:
        """The facts of the attempt, with the instant at which it really began."""
        if self.started_at_ns is not None and self._info.started_at_ns != self.started_at_ns:
            self._info = self._info.started(self.started_at_ns)
        return self._info


CURRENT: ContextVar[Attempt] = ContextVar("greenroom_activity")
"""The attempt running here; set by whoever performs it."""


def _current(asked: str) -> Attempt:
    attempt = CURRENT.get(None)
    if attempt is None:
        raise NotInActivityError(f"activity.{asked}()")
    return attempt


def in_activity() -> bool:
    """Whether this code runs in an activity."""
    return CURRENT.get(None) is not None


def info() -> Info:
    """The facts of the attempt that runs here.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return _current("info").info


def is_cancelled() -> bool:
    """Whether nobody waits for this attempt any more: it timed out, or the workflow cancelled it or ended.

    An async activity is cancelled at its next ``await`` besides; a sync one has to ask.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return _current("is_cancelled").is_cancelled


def is_shutting_down() -> bool:
    """Whether the runtime is closing: finish what its grace period allows, and leave the rest to the next attempt.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return _current("is_shutting_down").shutdown.is_set()


def wait_for_shutdown(timeout: timedelta | float | None = None) -> bool:
    """Block this thread until the runtime is closing; a sleep that ends early then.

    Args:
        timeout: longest wait, as ``timedelta`` or seconds; None for no limit.

    Returns:
        Whether the runtime is closing.

    Raises:
        NotInActivityError: the caller is not activity code.
        RuntimeError: the caller runs on an event loop, which this would block.
    """
    attempt = _current("wait_for_shutdown")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return attempt.shutdown.wait(_seconds(timeout))
    raise RuntimeError("wait_for_shutdown() would block the event loop; await wait_for_shutdown_async() instead")


async def wait_for_shutdown_async(timeout: timedelta | float | None = None) -> bool:
    """Wait until the runtime is closing; a sleep that ends early then.

    Args:
        timeout: longest wait, as ``timedelta`` or seconds; None for no limit.

    Returns:
        Whether the runtime is closing.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return await _current("wait_for_shutdown_async").shutdown.wait_async(_seconds(timeout))


def _seconds(timeout: timedelta | float | None) -> float | None:
    ns = to_ns(timeout, "timeout")
    return None if ns is None else min(ns / 1e9, threading.TIMEOUT_MAX)


class _ActivityLogger(logging.LoggerAdapter[logging.Logger]):
    """Gives records the attributes ``activity_type``, ``activity_id``, ``attempt``, ``workflow_id`` and ``run_id``."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        attempt = CURRENT.get(None)
        if attempt is not None:
            facts = attempt.info
            kwargs["extra"] = {
                "activity_type": facts.activity_type,
                "activity_id": facts.activity_id,
                "attempt": facts.attempt,
                "workflow_id": facts.workflow_id,
                "run_id": facts.run_id,
                **(kwargs.get("extra") or {}),
            }
        return msg, kwargs


logger = _ActivityLogger(logging.getLogger("greenroom.activity"), None)
"""A logger whose records carry the attempt that wrote them; outside an activity it is an ordinary one."""
