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
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Literal, TypeVar, overload

from .attempt import CURRENT, Attempt, Notice
from .model.activity_definition import RetryPredicate, declare, define_activity
from .model.activity_info import ActivityInfo as Info
from .model.cancellation import ActivityCancellationDetails
from .model.durations import to_ns
from .model.errors import NotInActivityError
from .model.options import ActivityCancellationType
from .model.registry import activities
from .model.retry import RetryPolicy

__all__ = [
    "CURRENT",
    "ActivityCancellationDetails",
    "Attempt",
    "Info",
    "Notice",
    "cancellation_details",
    "defn",
    "heartbeat",
    "in_activity",
    "info",
    "is_cancelled",
    "is_worker_shutdown",
    "logger",
    "shield_thread_cancel_exception",
    "wait_for_cancelled",
    "wait_for_cancelled_sync",
    "wait_for_worker_shutdown",
    "wait_for_worker_shutdown_sync",
]

F = TypeVar("F", bound=Callable[..., Any])


@overload
def defn(fn: F, /) -> F: ...
@overload
def defn(
    *,
    name: str | None = None,
    aliases: Iterable[str] = (),
    start_to_close_timeout: timedelta | float | None = None,
    schedule_to_close_timeout: timedelta | float | None = None,
    schedule_to_start_timeout: timedelta | float | None = None,
    heartbeat_timeout: timedelta | float | None = None,
    retry_policy: RetryPolicy | None = None,
    is_retryable: RetryPredicate | None = None,
    cancellation_type: ActivityCancellationType | None = None,
    no_thread_cancel_exception: bool = False,
    executor: Literal["thread", "process"] = "thread",
    summary: str | None = None,
) -> Callable[[F], F]: ...
def defn(
    fn: F | None = None,
    /,
    *,
    name: str | None = None,
    aliases: Iterable[str] = (),
    start_to_close_timeout: timedelta | float | None = None,
    schedule_to_close_timeout: timedelta | float | None = None,
    schedule_to_start_timeout: timedelta | float | None = None,
    heartbeat_timeout: timedelta | float | None = None,
    retry_policy: RetryPolicy | None = None,
    is_retryable: RetryPredicate | None = None,
    cancellation_type: ActivityCancellationType | None = None,
    no_thread_cancel_exception: bool = False,
    executor: Literal["thread", "process"] = "thread",
    summary: str | None = None,
) -> F | Callable[[F], F]:
    """Declare a function, a method or a class with ``__call__`` as an activity.

    What is decorated is returned as it is, so it can still be called and tested as the function it is. The options are
    defaults; what a workflow says when it performs the activity goes before them. Lengths of time are ``timedelta`` or
    seconds.

    Args:
        fn: what performs the activity, if the decorator is written without parentheses.
        name: the name to register it under; its own name if None.
        aliases: names that it had before: what was scheduled under one of them is performed by this one.
        start_to_close_timeout: the limit of one attempt.
        schedule_to_close_timeout: the limit of all attempts and the waits between them.
        schedule_to_start_timeout: the limit of an attempt's wait for a thread.
        heartbeat_timeout: the longest silence of an attempt: it has to call ``activity.heartbeat()`` within it.
        retry_policy: how failed attempts are repeated.
        is_retryable: called with what an attempt has raised, where the activity runs; false ends the activity, whatever
            the policy says.
        cancellation_type: whether a workflow that cancels it waits for its answer.
        no_thread_cancel_exception: have a cancellation raise nothing in the thread of a sync activity, which asks
            ``activity.is_cancelled()`` then.
        executor: where a sync activity is performed: on a thread, or in a process of its own, for what computes. A
            process finds it by its module and its name, so it is a function at the top of a module.
        summary: a line for people.

    Raises:
        InvalidActivityError: with everything that is wrong with the declaration.
    """

    def decorate(target: F) -> F:
        definition = define_activity(
            target,
            name=name,
            aliases=aliases,
            start_to_close_timeout=start_to_close_timeout,
            schedule_to_close_timeout=schedule_to_close_timeout,
            schedule_to_start_timeout=schedule_to_start_timeout,
            heartbeat_timeout=heartbeat_timeout,
            retry_policy=retry_policy,
            is_retryable=is_retryable,
            cancellation_type=cancellation_type,
            no_thread_cancel_exception=no_thread_cancel_exception,
            executor=executor,
            summary=summary,
        )
        declare(target, definition)
        if not definition.needs_instance:
            activities.add(definition)
        return target

    return decorate if fn is None else decorate(fn)


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


def heartbeat(*details: object) -> None:
    """Say that this attempt goes on, and how far it has come.

    The clock of ``heartbeat_timeout`` starts anew. What was said last is what the next attempt finds in
    ``activity.info().heartbeat_details``, whatever this one fails of. The journal gets it at once the first time, then
    at most once every 0.8 times the timeout (30 s without one, 60 s at most), so a crash may lose the latest. It is
    cheap: call it as often as there is something to say.

    Args:
        *details: any values that payloads can carry; they come back as plain data, as without an annotation.

    Raises:
        NotInActivityError: the caller is not activity code.
        PayloadError: a detail that cannot be stored.
    """
    _current("heartbeat").heartbeat(details)


def is_cancelled() -> bool:
    """Whether this attempt is cancelled: by its workflow, by a time limit, since its run has ended, or at closing.

    Besides, an async activity gets ``asyncio.CancelledError`` where it awaits, and a sync one ``CancelledError`` in its
    thread, between two lines of Python; in a process it has to ask.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return _current("is_cancelled").cancellation is not None


def cancellation_details() -> ActivityCancellationDetails | None:
    """Why this attempt is cancelled; None if it is not.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return _current("cancellation_details").cancellation


def wait_for_cancelled_sync(timeout: timedelta | float | None = None) -> bool:
    """Block this thread until this attempt is cancelled; a sleep that ends early then.

    In a thread that can be interrupted ``CancelledError`` is what ends it, unless it is shielded.

    Args:
        timeout: longest wait, as ``timedelta`` or seconds; None for no limit.

    Returns:
        Whether it is cancelled.

    Raises:
        NotInActivityError: the caller is not activity code.
        RuntimeError: the caller runs on an event loop, which this would block.
    """
    attempt = _current("wait_for_cancelled_sync")
    return _wait_sync("cancelled", attempt, attempt.cancelled, timeout)


async def wait_for_cancelled(timeout: timedelta | float | None = None) -> bool:
    """Wait until this attempt is cancelled.

    The task of an async activity is cancelled at the same time; what it has started of its own may wait here.

    Args:
        timeout: longest wait, as ``timedelta`` or seconds; None for no limit.

    Returns:
        Whether it is cancelled.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return await _current("wait_for_cancelled").cancelled.wait_async(_seconds(timeout))


def shield_thread_cancel_exception() -> AbstractContextManager[object]:
    """Around what must not be torn apart: a cancellation raises ``CancelledError`` at the end of the block instead.

    ``is_cancelled()`` and its kin see it within, too. Where no exception is thrown (on a loop, in a process, with
    ``no_thread_cancel_exception``) it does nothing.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return _current("shield_thread_cancel_exception").shielded()


def is_worker_shutdown() -> bool:
    """Whether the runtime is closing: finish what its grace period allows, and leave the rest to the next attempt.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return _current("is_worker_shutdown").shutdown.is_set()


def wait_for_worker_shutdown_sync(timeout: timedelta | float | None = None) -> bool:
    """Block this thread until the runtime is closing; a sleep that ends early then.

    Args:
        timeout: longest wait, as ``timedelta`` or seconds; None for no limit.

    Returns:
        Whether the runtime is closing.

    Raises:
        NotInActivityError: the caller is not activity code.
        RuntimeError: the caller runs on an event loop, which this would block.
    """
    attempt = _current("wait_for_worker_shutdown_sync")
    return _wait_sync("worker_shutdown", attempt, attempt.shutdown, timeout)


async def wait_for_worker_shutdown(timeout: timedelta | float | None = None) -> bool:
    """Wait until the runtime is closing; a sleep that ends early then.

    Args:
        timeout: longest wait, as ``timedelta`` or seconds; None for no limit.

    Returns:
        Whether the runtime is closing.

    Raises:
        NotInActivityError: the caller is not activity code.
    """
    return await _current("wait_for_worker_shutdown").shutdown.wait_async(_seconds(timeout))


def _wait_sync(what: str, attempt: Attempt, notice: Notice, timeout: timedelta | float | None) -> bool:
    if _is_on_loop():
        raise RuntimeError(f"wait_for_{what}_sync() would block the event loop; await wait_for_{what}() instead")
    return attempt.wait(notice, _seconds(timeout))


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


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
