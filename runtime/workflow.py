"""What people write workflows against, under one name; what stands here itself speaks to the execution running now."""

from __future__ import annotations

import asyncio
import uuid as _uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar, overload

from .activity_calls import execute_activity, execute_activity_method, start_activity, start_activity_method
from .core.channels import SignalChannel, wait_ns
from .core.conditions import check_predicate
from .core.context import Info, current, current_or_none
from .core.handles import ActivityHandle
from .core.updates import UpdateInfo
from .handler_declarations import UpdateMethod, query, signal, update
from .model.durations import to_ns
from .model.handler_definitions import handler_name
from .model.ids import check_id
from .workflow_declarations import FunctionWorkflow, defn, init, run
from .workflow_handlers import (
    all_handlers_finished,
    current_update_info,
    get_dynamic_query_handler,
    get_dynamic_signal_handler,
    get_dynamic_update_handler,
    get_query_handler,
    get_signal_handler,
    get_update_handler,
    set_dynamic_query_handler,
    set_dynamic_signal_handler,
    set_dynamic_update_handler,
    set_query_handler,
    set_signal_handler,
    set_update_handler,
    signal_channel,
)

__all__ = [
    "ActivityHandle",
    "ExternalWorkflowHandle",
    "FunctionWorkflow",
    "Info",
    "SignalChannel",
    "UpdateInfo",
    "UpdateMethod",
    "all_handlers_finished",
    "cancellation_reason",
    "current_update_info",
    "defn",
    "execute_activity",
    "execute_activity_method",
    "get_dynamic_query_handler",
    "get_dynamic_signal_handler",
    "get_dynamic_update_handler",
    "get_external_workflow_handle",
    "get_query_handler",
    "get_signal_handler",
    "get_update_handler",
    "in_workflow",
    "info",
    "init",
    "now",
    "query",
    "random",
    "run",
    "set_dynamic_query_handler",
    "set_dynamic_signal_handler",
    "set_dynamic_update_handler",
    "set_query_handler",
    "set_signal_handler",
    "set_update_handler",
    "side_effect",
    "signal",
    "signal_channel",
    "sleep",
    "sleep_until",
    "start_activity",
    "start_activity_method",
    "time_ns",
    "update",
    "uuid4",
    "uuid7",
    "wait_condition",
]

T = TypeVar("T")

Duration = timedelta | float


# Waiting.


async def wait_condition(predicate: Callable[[], object], *, timeout: Duration | None = None) -> None:
    """Wait until ``predicate()`` is true; it is asked again after whatever happens in the run. It may only read.

    Args:
        predicate: called without arguments; an exception of it is raised here. It cannot be ``async``.
        timeout: how long to wait, as a durable timer; None waits for ever, zero or less only asks once.

    Raises:
        TypeError: it is no function, or gives something to be awaited instead of an answer.
        TimeoutError: it did not become true in time.
    """
    context = current()
    check_predicate(predicate)
    timeout_ns = wait_ns(timeout)
    if timeout_ns == 0:
        if not context.is_condition_met(predicate):
            raise TimeoutError("the condition is not met")
        return
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    context.add_condition(predicate, future)
    if timeout_ns is None:
        await future
        return
    limit = asyncio.timeout(timeout_ns / 1e9)
    try:
        async with limit:
            await future
    except TimeoutError:
        if limit.expired():
            raise TimeoutError(f"the condition was not met within {timeout}") from None
        raise


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
    """
    if when.tzinfo is None:
        raise ValueError("sleep_until needs an aware datetime: which time zone is meant?")
    context = current()
    at_ns = (when - _EPOCH) // timedelta(microseconds=1) * 1000
    await _until(max(at_ns, context.now_ns()), summary)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def _until(at_ns: int, summary: str) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = current().start_timer(at_ns, _wake, future, summary=summary)
    try:
        await future
    finally:
        timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


# Recorded and repeatable values.


@overload
def side_effect(function: Callable[[], T], /) -> T: ...
@overload
def side_effect(function: Callable[[], Any], /, *, result_type: type[T]) -> T: ...
def side_effect(function: Callable[[], Any], /, *, result_type: Any = Any) -> Any:
    """Call ``function`` once and record what it gives; a replay takes the recorded value.

    For a quick local call (a configuration value, a reading of the machine's clock). What can fail or take time is an
    activity. The value comes back as the journal keeps it: pass ``result_type`` for what is not plain data.

    Raises:
        ApplicationError: ``function`` raised, or asked the workflow for something that changes it; that is recorded
            too.
    """
    return current().side_effect(function, result_type)


def now() -> datetime:
    """The run's time (aware, UTC): that of the turn, the same in each replay, never going back."""
    at_ns = current().now_ns()
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def time_ns() -> int:
    """The run's time in ns since 1970 (UTC)."""
    return current().now_ns()


def random() -> Random:
    """The run's own random generator, the same in each replay."""
    return current().random()


def uuid4() -> _uuid.UUID:
    """A random UUID from the run's own generator."""
    return _uuid.UUID(int=current().random().getrandbits(128), version=4)


def uuid7() -> _uuid.UUID:
    """A UUID that sorts by the run's time.

    **Source:** RFC 9562, section 5.7.
    """
    context = current()
    milliseconds = context.now_ns() // 1_000_000 & (1 << 48) - 1
    bits = context.random().getrandbits(74)
    high, low = bits >> 62, bits & (1 << 62) - 1
    return _uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def info() -> Info:
    """What the run knows of itself."""
    return current().info()


def cancellation_reason() -> str | None:
    """Why the run was asked to end by ``handle.cancel(reason)``; None as long as nobody has asked."""
    return current().cancellation_reason()


def in_workflow() -> bool:
    """Whether the caller is workflow code."""
    return current_or_none() is not None


# Other workflows.


class ExternalWorkflowHandle:
    """Another workflow, by id."""

    def __init__(self, workflow_id: str, run_id: str) -> None:
        self._workflow_id = workflow_id
        self._run_id = run_id

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._workflow_id

    @property
    def run_id(self) -> str | None:
        """The run meant, or None for the current one."""
        return self._run_id or None

    async def signal(self, signal: str | Callable[..., Any], *args: Any) -> None:
        """Put a signal in the other workflow's mailbox; returns when it is there. It is delivered exactly once.

        Args:
            signal: the signal's name, or a reference to its handler.
            *args: its arguments.

        Raises:
            ApplicationError: type ``ExternalWorkflowExecutionNotFound``: there is no such workflow, or it has ended.
        """
        await current().signal_external(self._workflow_id, self._run_id, handler_name("signal", signal), args)

    def __repr__(self) -> str:
        return f"<workflow {self._workflow_id!r}{' run ' + self._run_id if self._run_id else ''}>"


def get_external_workflow_handle(workflow_id: str, *, run_id: str | None = None) -> ExternalWorkflowHandle:
    """A handle of another workflow: its current run, or the one given."""
    return ExternalWorkflowHandle(check_id(workflow_id, "workflow id"), run_id or "")
