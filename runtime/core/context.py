"""The execution running now, as workflow code sees it: the one seam between what people write and what runs it.

``runtime/workflow.py`` speaks to nothing else. An engine makes itself known by the attribute ``greenroom_context`` of
the event loop that it runs workflow code on.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NoReturn, Protocol

import msgspec

from ..model.activity_definition import ActivityDefinition
from ..model.definitions import WorkflowDefinition
from ..model.errors import NotInWorkflowError
from ..model.options import ActivityOptions, WorkflowIDReusePolicy, WorkflowOptions
from ..model.payload_converter import PayloadConverter
from ..model.retry import RetryPolicy
from ..model.search_attributes import SearchAttributeUpdate, TypedSearchAttributes
from .channels import SignalChannel
from .handles import ActivityHandle, PendingHandle
from .origins import RunReference
from .updates import UpdateInfo

__all__ = ["UNRESTRICTED", "Info", "WorkflowContext", "current", "current_or_none"]

UNRESTRICTED: contextvars.ContextVar[bool] = contextvars.ContextVar("greenroom_unrestricted", default=False)
"""Whether the code that runs has opened the strict net, in its own task."""


LONG_TURNS = 10_000
LONG_BYTES = 16 * 1024 * 1024


class Info(msgspec.Struct, frozen=True):
    """What a run knows of itself: its attributes as they were when it was asked, its methods as it is when they are
    called, if it is workflow code that calls them.

    Attributes:
        workflow_id: the id that was given, or made, at the start.
        run_id: the id of this run; another run of the same workflow id has another one.
        first_run_id: the first run of this chain of runs.
        workflow_type: the registered name.
        attempt: 1 for the first run of a chain of retries.
        start_time: when the run took its first turn (aware, UTC).
        workflow_start_time: when it was asked for, as ``describe()`` says it: before ``start_time`` if its start was
            delayed, or if it repeats a run after a wait.
        run_timeout: how long this run may take; None for no limit.
        execution_timeout: how long the chain may take; None for no limit.
        history_length: turns in the history so far, this one included.
        history_size: bytes in the history before this turn.
        continued_run_id: the run before this one in its chain; None for the first.
        parent: the run whose child this is; None if it is nobody's.
        root: the run at the top of the tree of children; None if this run is it.
        retry_policy: what is to be done if this run fails; None for nothing.
        typed_search_attributes: as they are now, what was upserted before included.
        is_near_update_limit: whether it has taken nine tenths of the updates that ``Runtime(max_updates=)`` allows a
            run.
    """

    workflow_id: str
    run_id: str
    first_run_id: str
    workflow_type: str
    attempt: int
    start_time: datetime
    workflow_start_time: datetime
    run_timeout: timedelta | None
    execution_timeout: timedelta | None
    history_length: int
    history_size: int = 0
    continued_run_id: str | None = None
    parent: RunReference | None = None
    root: RunReference | None = None
    retry_policy: RetryPolicy | None = None
    typed_search_attributes: TypedSearchAttributes = TypedSearchAttributes.empty
    is_near_update_limit: bool = False

    @property
    def first_execution_run_id(self) -> str:
        """The first run of this chain of runs, by the name that handles have for it."""
        return self.first_run_id

    def get_current_history_length(self) -> int:
        """Turns in the history so far, this one included."""
        return self._as_it_is().history_length

    def get_current_history_size(self) -> int:
        """Bytes in the history before this turn."""
        return self._as_it_is().history_size

    def is_continue_as_new_suggested(self) -> bool:
        """Whether the history is so long that ``workflow.continue_as_new`` would soon pay: from 10,000 turns or 16 MiB
        on, where a replay takes a tenth of a second; or the run has taken nearly as many updates as it may."""
        now = self._as_it_is()
        is_long = now.history_length >= LONG_TURNS or now.history_size >= LONG_BYTES
        return is_long or now.is_near_update_limit

    def _as_it_is(self) -> Info:
        context = current_or_none()
        return self if context is None else context.info_now(self)


class WorkflowContext(Protocol):
    """What an engine offers to workflow code. Durations and instants are ns.

    An activity comes with its definition if it is given by reference; what cannot work according to that is refused.
    """

    def info(self) -> Info: ...
    def info_now(self, kept: Info) -> Info: ...
    def definition(self) -> WorkflowDefinition: ...
    def options(self) -> WorkflowOptions: ...
    def instance(self) -> object: ...
    def cancellation_reason(self) -> str | None: ...
    def payload_converter(self) -> PayloadConverter: ...
    def now_ns(self) -> int: ...
    def random(self) -> Random: ...
    def new_random(self) -> Random: ...
    def random_seed(self) -> int: ...
    def register_random_seed_callback(self, callback: Callable[[int], None]) -> None: ...
    def is_replaying(self) -> bool: ...
    def is_failure(self, error: BaseException) -> bool: ...
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
        self,
        workflow_id: str,
        run_id: str,
        signal: str | Callable[..., Any],
        args: tuple[object, ...],
        child: int = 0,
    ) -> PendingHandle[None]: ...
    def continue_as_new(
        self,
        name: str,
        args: tuple[object, ...],
        options: WorkflowOptions,
        declared: WorkflowDefinition | None = None,
    ) -> NoReturn: ...
    def has_last_result(self) -> bool: ...
    def last_result(self, result_type: Any) -> Any: ...
    def last_failure(self) -> BaseException | None: ...
    def start_child(
        self,
        name: str,
        args: tuple[object, ...],
        workflow_id: str,
        options: WorkflowOptions,
        reuse: WorkflowIDReusePolicy,
        result_type: Any,
        declared: WorkflowDefinition | None = None,
    ) -> tuple[PendingHandle[str], PendingHandle[Any]]: ...
    def signal_with_start(
        self,
        signal: str | Callable[..., Any],
        signal_args: tuple[object, ...],
        name: str,
        args: tuple[object, ...],
        workflow_id: str,
        options: WorkflowOptions,
        reuse: WorkflowIDReusePolicy,
        declared: WorkflowDefinition | None = None,
    ) -> PendingHandle[None]: ...
    def cancel_external(self, workflow_id: str, run_id: str, reason: str) -> PendingHandle[None]: ...
    def patched(self, patch_id: str) -> bool: ...
    def deprecate_patch(self, patch_id: str) -> None: ...
    def get_version(self, change_id: str, min_supported: int, max_supported: int) -> int: ...
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
    def memo(self) -> Mapping[str, bytes]: ...
    def memo_value(self, payload: bytes, hint: Any) -> Any: ...
    def memo_of(self, values: Mapping[str, Any]) -> bytes: ...
    def upsert_memo(self, updates: Mapping[str, Any]) -> None: ...
    def upsert_search_attributes(self, updates: Sequence[SearchAttributeUpdate[Any]]) -> None: ...
    def current_details(self) -> str: ...
    def set_current_details(self, details: str) -> None: ...


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
