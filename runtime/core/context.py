"""The execution running now, as workflow code sees it: the one seam between what people write and what runs it.

``runtime/workflow.py`` speaks to nothing else. An engine makes itself known by the attribute ``greenroom_context`` of
the event loop that it runs workflow code on.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol

import msgspec

from ..model.activity_definition import ActivityDefinition
from ..model.errors import NotInWorkflowError
from ..model.options import ActivityOptions
from .channels import SignalChannel
from .handles import ActivityHandle, PendingHandle
from .updates import UpdateInfo

__all__ = ["UNRESTRICTED", "Info", "WorkflowContext", "current", "current_or_none"]

UNRESTRICTED: contextvars.ContextVar[bool] = contextvars.ContextVar("greenroom_unrestricted", default=False)
"""Whether the code that runs has opened the strict net, in its own task."""


class Info(msgspec.Struct, frozen=True):
    """What a run knows of itself.

    Attributes:
        workflow_id: the id that was given, or made, at the start.
        run_id: the id of this run; another run of the same workflow id has another one.
        first_run_id: the first run of this chain of runs.
        workflow_type: the registered name.
        attempt: 1 for the first run of a chain of retries.
        start_time: when the run began (aware, UTC).
        run_timeout: how long this run may take; None for no limit.
        execution_timeout: how long the chain may take; None for no limit.
        history_length: turns in the history so far, this one included.
    """

    workflow_id: str
    run_id: str
    first_run_id: str
    workflow_type: str
    attempt: int
    start_time: datetime
    run_timeout: timedelta | None
    execution_timeout: timedelta | None
    history_length: int

    def get_current_history_length(self) -> int:
        """Turns in the history so far, this one included."""
        return self.history_length


class WorkflowContext(Protocol):
    """What an engine offers to workflow code. Durations and instants are ns.

    An activity comes with its definition if it is given by reference; what cannot work according to that is refused.
    """

    def info(self) -> Info: ...
    def cancellation_reason(self) -> str | None: ...
    def now_ns(self) -> int: ...
    def random(self) -> random.Random: ...
    def is_replaying(self) -> bool: ...
    def raise_bug(self, bug: BaseException) -> NoReturn: ...
    def is_read_only(self) -> bool: ...
    def start_activity(
        self,
        name: str,
        args: tuple[object, ...],
        options: ActivityOptions,
        result_type: Any,
        declared: ActivityDefinition | None = None,
    ) -> ActivityHandle[Any]: ...
    def start_timer(
        self, at_ns: int, callback: Callable[..., object], *args: object, summary: str = ""
    ) -> asyncio.TimerHandle: ...
    def signal_external(
        self, workflow_id: str, run_id: str, name: str, args: tuple[object, ...]
    ) -> PendingHandle[None]: ...
    def side_effect(self, function: Callable[[], Any], result_type: Any) -> Any: ...
    def is_condition_met(self, predicate: Callable[[], object]) -> bool: ...
    def add_condition(self, predicate: Callable[[], object], future: asyncio.Future[None]) -> None: ...
    def set_handler(
        self,
        kind: str,
        name: str | None,
        handler: Callable[..., Any] | None,
        validator: Callable[..., Any] | None = None,
    ) -> None: ...
    def get_handler(self, kind: str, name: str | None) -> Callable[..., Any] | None: ...
    def signal_channel(self) -> SignalChannel: ...
    def all_handlers_finished(self) -> bool: ...
    def current_update(self) -> UpdateInfo | None: ...


def current_or_none() -> WorkflowContext | None:
    """The execution that the running code belongs to, or None outside a workflow."""
    return getattr(asyncio._get_running_loop(), "greenroom_context", None)


def current() -> WorkflowContext:
    """The execution that the running code belongs to.

    Raises:
        NotInWorkflowError: the caller is not workflow code.
    """
    context: WorkflowContext | None = getattr(asyncio._get_running_loop(), "greenroom_context", None)
    if context is None:
        raise NotInWorkflowError
    return context
