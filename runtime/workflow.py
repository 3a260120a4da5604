"""What people write workflows against, under one name; what stands here itself speaks to the execution running now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar, TypeVarTuple, overload

from . import workflow_unsafe as unsafe
from .activity_calls import execute_activity, execute_activity_method, start_activity, start_activity_method
from .core.channels import SignalChannel
from .core.child_handles import ChildWorkflowHandle
from .core.context import Info, current, current_or_none
from .core.handles import ActivityHandle
from .core.origins import RunReference
from .core.updates import UpdateInfo
from .handler_declarations import UpdateMethod, query, signal, update
from .model.ids import check_id
from .model.instants import instant
from .model.options import ChildWorkflowCancellationType, ParentClosePolicy
from .model.payload_converter import PayloadConverter
from .model.texts import writable
from .workflow_children import execute_child_workflow, signal_with_start, start_child_workflow
from .workflow_continuing import (
    continue_as_new,
    get_last_completion_result,
    get_last_failure,
    has_last_completion_result,
)
from .workflow_declarations import FunctionWorkflow, defn, init, run
from .workflow_dice import new_random, random, random_seed, register_random_seed_callback, uuid4, uuid7
from .workflow_gathering import as_completed, gather, race, rejected, resolved, wait
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
from .workflow_logging import logger
from .workflow_notes import (
    get_current_details,
    memo,
    memo_value,
    set_current_details,
    upsert_memo,
    upsert_search_attributes,
)
from .workflow_saga import Saga
from .workflow_timeouts import Timeout, timeout, timeout_at
from .workflow_versions import DEFAULT_VERSION, deprecate_patch, get_version, patched
from .workflow_waiting import new_lock, sleep, sleep_until, wait_condition, wait_for

__all__ = [
    "DEFAULT_VERSION",
    "ActivityHandle",
    "ChildWorkflowCancellationType",
    "ChildWorkflowHandle",
    "ExternalWorkflowHandle",
    "FunctionWorkflow",
    "Info",
    "ParentClosePolicy",
    "RunReference",
    "Saga",
    "SignalChannel",
    "Timeout",
    "UpdateInfo",
    "UpdateMethod",
    "all_handlers_finished",
    "as_completed",
    "cancellation_reason",
    "continue_as_new",
    "current_update_info",
    "defn",
    "deprecate_patch",
    "execute_activity",
    "execute_activity_method",
    "execute_child_workflow",
    "gather",
    "get_current_details",
    "get_dynamic_query_handler",
    "get_dynamic_signal_handler",
    "get_dynamic_update_handler",
    "get_external_workflow_handle",
    "get_last_completion_result",
    "get_last_failure",
    "get_query_handler",
    "get_signal_handler",
    "get_update_handler",
    "get_version",
    "has_last_completion_result",
    "in_workflow",
    "info",
    "init",
    "instance",
    "logger",
    "memo",
    "memo_value",
    "new_lock",
    "new_random",
    "now",
    "patched",
    "payload_converter",
    "query",
    "race",
    "random",
    "random_seed",
    "register_random_seed_callback",
    "rejected",
    "resolved",
    "run",
    "set_current_details",
    "set_dynamic_query_handler",
    "set_dynamic_signal_handler",
    "set_dynamic_update_handler",
    "set_query_handler",
    "set_signal_handler",
    "set_update_handler",
    "side_effect",
    "signal",
    "signal_channel",
    "signal_with_start",
    "sleep",
    "sleep_until",
    "start_activity",
    "start_activity_method",
    "start_child_workflow",
    "time_ns",
    "timeout",
    "timeout_at",
    "unsafe",
    "update",
    "upsert_memo",
    "upsert_search_attributes",
    "uuid4",
    "uuid7",
    "wait",
    "wait_condition",
    "wait_for",
]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


# Recorded and repeatable values.


@overload
def side_effect(function: Callable[[], T], /) -> T: ...
@overload
def side_effect(function: Callable[[], Any], /, *, result_type: type[T]) -> T: ...
def side_effect(function: Callable[[], Any], /, *, result_type: Any = Any) -> Any:
    """Call ``function`` once and record what it gives; a replay takes the recorded value.

    For a quick local call (a configuration value, a reading of the machine's clock). What can fail or take time is an
    activity.

    Args:
        function: called without arguments.
        result_type: the type of the value, which comes back as the journal keeps it; plain data if not given.

    Raises:
        ApplicationError: ``function`` raised, or asked the workflow for something that changes it; that is recorded
            too.
    """
    return current().side_effect(function, result_type)


def now() -> datetime:
    """The run's time (aware, UTC): that of the turn, the same in each replay, never going back."""
    return instant(current().now_ns())


def time_ns() -> int:
    """The run's time in ns since 1970 (UTC)."""
    return current().now_ns()


def info() -> Info:
    """What the run knows of itself."""
    return current().info()


def cancellation_reason() -> str | None:
    """Why the run was asked to end by ``handle.cancel(reason)``; None as long as nobody has asked."""
    return current().cancellation_reason()


def payload_converter() -> PayloadConverter:
    """The converter of the run's runtime: ``decode(raw.payload, Type)`` reads a ``RawValue``."""
    return current().payload_converter()


def instance() -> Any:
    """The object that is the running workflow: ``self`` of its run method and of its handlers.

    Raises:
        RuntimeError: the workflow is a function, or its ``__init__`` is still at work.
    """
    made = current().instance()
    if made is None:
        raise RuntimeError(
            "there is no instance: this workflow is a function (its state is in variables of it), or its __init__ is "
            "still at work (there it is self)"
        )
    return made


def in_workflow() -> bool:
    """Whether the caller is workflow code."""
    return current_or_none() is not None


# Other workflows.


class ExternalWorkflowHandle:
    """Another workflow, by id; ``get_external_workflow_handle`` makes it."""

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

    @property
    def execution(self) -> RunReference:
        """The workflow id and the run id that were given; the run id is empty for the current run."""
        return RunReference(self._workflow_id, self._run_id)

    @overload
    async def signal(self, signal: Callable[[Any, *Ts], Awaitable[None] | None], /, *args: *Ts) -> None: ...
    @overload
    async def signal(self, signal: str, /, *args: Any) -> None: ...
    async def signal(self, signal: Any, /, *args: object) -> None:
        """Put a signal in the other workflow's mailbox; returns when it is there. It is delivered exactly once.

        Args:
            signal: the signal's name, or a reference to its handler.
            *args: its arguments.

        Raises:
            ApplicationError: type ``ExternalWorkflowExecutionNotFound``: there is no such workflow, or it has ended.
            TypeError: what is referred to is no signal handler, or the arguments do not fit it.
            ValueError: the name cannot be one.
            PayloadError: an argument cannot be stored, or is not of the type that its annotation allows.
            NotInWorkflowError: the caller is not workflow code.
            ReadOnlyContextError: it is, but in a place that may only read, such as a wait condition.
        """
        await current().signal_external(self._workflow_id, self._run_id, signal, args)

    async def cancel(self, reason: str = "") -> None:
        """Ask the other workflow to end by itself; returns when it has been asked, not when it has ended.

        Args:
            reason: a line for people, and for ``workflow.cancellation_reason()`` there.

        Raises:
            ApplicationError: type ``ExternalWorkflowExecutionNotFound``: there is no such workflow, or it has ended.
            TypeError: the reason is no string.
            NotInWorkflowError: the caller is not workflow code.
            ReadOnlyContextError: it is, but in a place that may only read, such as a wait condition.
        """
        await current().cancel_external(self._workflow_id, self._run_id, writable(reason, "the reason"))

    def __repr__(self) -> str:
        return f"<workflow {self._workflow_id!r}{' run ' + self._run_id if self._run_id else ''}>"


def get_external_workflow_handle(workflow_id: str, *, run_id: str | None = None) -> ExternalWorkflowHandle:
    """A handle of another workflow. Whether there is one is seen when it is used.

    Args:
        workflow_id: its id.
        run_id: the run that is meant; if not given, the current one.

    Raises:
        TypeError: an id is no string.
        ValueError: an id cannot be one.
    """
    wanted = "" if run_id is None or run_id == "" else check_id(run_id, "run id")
    return ExternalWorkflowHandle(check_id(workflow_id, "workflow id"), wanted)
