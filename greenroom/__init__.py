"""An in-process durable workflow runtime: workflows are ordinary async Python that survives crashes.

Every public name is loaded when it is first used, so that ``import greenroom`` stays cheap.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .actors.errors import BlockingCallError, WaitTimeoutError
    from .actors.future import Future
    from .actors.several import wait_all, wait_first
    from .runtime import activity, workflow
    from .runtime.client import WorkflowHandle
    from .runtime.core.versions import PatchActivationInput
    from .runtime.model.attribute_values import SearchAttributeIndexedValueType
    from .runtime.model.cancellation import ActivityCancellationDetails
    from .runtime.model.copied_run import CopiedRun
    from .runtime.model.description import (
        DelayedSignal,
        PendingActivity,
        PendingChild,
        PendingTimer,
        WorkflowExecutionDescription,
    )
    from .runtime.model.errors import (
        ActivityError,
        ApplicationError,
        ApplicationErrorCategory,
        CancelledError,
        ChildWorkflowError,
        ContractError,
        FailureError,
        GreenroomError,
        InternalError,
        InvalidActivityError,
        InvalidWorkflowError,
        InWorkflowError,
        JournalCorruptError,
        JournalError,
        JournalForkedError,
        JournalFormatError,
        JournalFullError,
        JournalInUseError,
        JournalLocationError,
        JournalReadError,
        JournalWriteError,
        MailboxFullError,
        NondeterminismError,
        NondeterministicCallError,
        NotInActivityError,
        NotInWorkflowError,
        NotRegisteredError,
        PayloadDecodeError,
        PayloadEncodeError,
        PayloadError,
        PayloadTooLargeError,
        ReadOnlyContextError,
        RetryState,
        RuntimeClosedError,
        TerminatedError,
        TimeoutError,
        TimeoutType,
        TurnDeadlineError,
        UnsupportedVersionError,
        WorkflowAlreadyStartedError,
        WorkflowClosedError,
        WorkflowContinuedAsNewError,
        WorkflowFailureError,
        WorkflowNotFoundError,
        WorkflowQueryFailedError,
        WorkflowQueryRejectedError,
        WorkflowStillRunningError,
        WorkflowSuspendedError,
        WorkflowUpdateFailedError,
        WorkflowUpdateLimitError,
        WorkflowUpdateNotFoundError,
    )
    from .runtime.model.history import HistoryEvent, WorkflowHistory
    from .runtime.model.options import (
        ActivityCancellationType,
        ChildWorkflowCancellationType,
        HandlerUnfinishedPolicy,
        ParentClosePolicy,
        QueryRejectCondition,
        ResetReapplyType,
        WorkflowExecutionStatus,
        WorkflowIDConflictPolicy,
        WorkflowIDReusePolicy,
        WorkflowUpdateStage,
    )
    from .runtime.model.payload_codecs import RawValue, TypeCodec
    from .runtime.model.payload_converter import PayloadConverter
    from .runtime.model.payloads import Converter
    from .runtime.model.retry import RetryPolicy
    from .runtime.model.search_attributes import (
        SearchAttributeKey,
        SearchAttributePair,
        SearchAttributeUpdate,
        TypedSearchAttributes,
    )
    from .runtime.model.supervision import Supervision
    from .runtime.runtime import Runtime
    from .runtime.update_handle import WorkflowUpdateHandle

__version__ = "0.1.0.dev0"

# Name -> the module it lives in.
_HOMES = {
    "ActivityCancellationDetails": ".runtime.model.cancellation",
    "ActivityCancellationType": ".runtime.model.options",
    "ActivityError": ".runtime.model.errors",
    "ApplicationError": ".runtime.model.errors",
    "ApplicationErrorCategory": ".runtime.model.errors",
    "BlockingCallError": ".actors.errors",
    "CancelledError": ".runtime.model.errors",
    "ChildWorkflowCancellationType": ".runtime.model.options",
    "ChildWorkflowError": ".runtime.model.errors",
    "ContractError": ".runtime.model.errors",
    "Converter": ".runtime.model.payloads",
    "CopiedRun": ".runtime.model.copied_run",
    "DelayedSignal": ".runtime.model.description",
    "FailureError": ".runtime.model.errors",
    "Future": ".actors.future",
    "GreenroomError": ".runtime.model.errors",
    "HandlerUnfinishedPolicy": ".runtime.model.options",
    "HistoryEvent": ".runtime.model.history",
    "InWorkflowError": ".runtime.model.errors",
    "InternalError": ".runtime.model.errors",
    "InvalidActivityError": ".runtime.model.errors",
    "InvalidWorkflowError": ".runtime.model.errors",
    "JournalCorruptError": ".runtime.model.errors",
    "JournalError": ".runtime.model.errors",
    "JournalForkedError": ".runtime.model.errors",
    "JournalFormatError": ".runtime.model.errors",
    "JournalFullError": ".runtime.model.errors",
    "JournalInUseError": ".runtime.model.errors",
    "JournalLocationError": ".runtime.model.errors",
    "JournalReadError": ".runtime.model.errors",
    "JournalWriteError": ".runtime.model.errors",
    "MailboxFullError": ".runtime.model.errors",
    "NondeterminismError": ".runtime.model.errors",
    "NondeterministicCallError": ".runtime.model.errors",
    "NotInActivityError": ".runtime.model.errors",
    "NotInWorkflowError": ".runtime.model.errors",
    "NotRegisteredError": ".runtime.model.errors",
    "ParentClosePolicy": ".runtime.model.options",
    "PatchActivationInput": ".runtime.core.versions",
    "PayloadConverter": ".runtime.model.payload_converter",
    "PayloadDecodeError": ".runtime.model.errors",
    "PayloadEncodeError": ".runtime.model.errors",
    "PayloadError": ".runtime.model.errors",
    "PayloadTooLargeError": ".runtime.model.errors",
    "PendingActivity": ".runtime.model.description",
    "PendingChild": ".runtime.model.description",
    "PendingTimer": ".runtime.model.description",
    "QueryRejectCondition": ".runtime.model.options",
    "RawValue": ".runtime.model.payload_codecs",
    "ReadOnlyContextError": ".runtime.model.errors",
    "ResetReapplyType": ".runtime.model.options",
    "RetryPolicy": ".runtime.model.retry",
    "RetryState": ".runtime.model.errors",
    "Runtime": ".runtime.runtime",
    "RuntimeClosedError": ".runtime.model.errors",
    "SearchAttributeIndexedValueType": ".runtime.model.attribute_values",
    "SearchAttributeKey": ".runtime.model.search_attributes",
    "SearchAttributePair": ".runtime.model.search_attributes",
    "SearchAttributeUpdate": ".runtime.model.search_attributes",
    "Supervision": ".runtime.model.supervision",
    "TerminatedError": ".runtime.model.errors",
    "TimeoutError": ".runtime.model.errors",
    "TimeoutType": ".runtime.model.errors",
    "TurnDeadlineError": ".runtime.model.errors",
    "TypeCodec": ".runtime.model.payload_codecs",
    "TypedSearchAttributes": ".runtime.model.search_attributes",
    "UnsupportedVersionError": ".runtime.model.errors",
    "WaitTimeoutError": ".actors.errors",
    "WorkflowAlreadyStartedError": ".runtime.model.errors",
    "WorkflowClosedError": ".runtime.model.errors",
    "WorkflowContinuedAsNewError": ".runtime.model.errors",
    "WorkflowExecutionDescription": ".runtime.model.description",
    "WorkflowExecutionStatus": ".runtime.model.options",
    "WorkflowFailureError": ".runtime.model.errors",
    "WorkflowHandle": ".runtime.client",
    "WorkflowHistory": ".runtime.model.history",
    "WorkflowIDConflictPolicy": ".runtime.model.options",
    "WorkflowIDReusePolicy": ".runtime.model.options",
    "WorkflowNotFoundError": ".runtime.model.errors",
    "WorkflowQueryFailedError": ".runtime.model.errors",
    "WorkflowQueryRejectedError": ".runtime.model.errors",
    "WorkflowStillRunningError": ".runtime.model.errors",
    "WorkflowSuspendedError": ".runtime.model.errors",
    "WorkflowUpdateFailedError": ".runtime.model.errors",
    "WorkflowUpdateHandle": ".runtime.update_handle",
    "WorkflowUpdateLimitError": ".runtime.model.errors",
    "WorkflowUpdateNotFoundError": ".runtime.model.errors",
    "WorkflowUpdateStage": ".runtime.model.options",
    "activity": ".runtime.activity",
    "wait_all": ".actors.several",
    "wait_first": ".actors.several",
    "workflow": ".runtime.workflow",
}

__all__ = [
    "ActivityCancellationDetails",
    "ActivityCancellationType",
    "ActivityError",
    "ApplicationError",
    "ApplicationErrorCategory",
    "BlockingCallError",
    "CancelledError",
    "ChildWorkflowCancellationType",
    "ChildWorkflowError",
    "ContractError",
    "Converter",
    "CopiedRun",
    "DelayedSignal",
    "FailureError",
    "Future",
    "GreenroomError",
    "HandlerUnfinishedPolicy",
    "HistoryEvent",
    "InWorkflowError",
    "InternalError",
    "InvalidActivityError",
    "InvalidWorkflowError",
    "JournalCorruptError",
    "JournalError",
    "JournalForkedError",
    "JournalFormatError",
    "JournalFullError",
    "JournalInUseError",
    "JournalLocationError",
    "JournalReadError",
    "JournalWriteError",
    "MailboxFullError",
    "NondeterminismError",
    "NondeterministicCallError",
    "NotInActivityError",
    "NotInWorkflowError",
    "NotRegisteredError",
    "ParentClosePolicy",
    "PatchActivationInput",
    "PayloadConverter",
    "PayloadDecodeError",
    "PayloadEncodeError",
    "PayloadError",
    "PayloadTooLargeError",
    "PendingActivity",
    "PendingChild",
    "PendingTimer",
    "QueryRejectCondition",
    "RawValue",
    "ReadOnlyContextError",
    "ResetReapplyType",
    "RetryPolicy",
    "RetryState",
    "Runtime",
    "RuntimeClosedError",
    "SearchAttributeIndexedValueType",
    "SearchAttributeKey",
    "SearchAttributePair",
    "SearchAttributeUpdate",
    "Supervision",
    "TerminatedError",
    "TimeoutError",
    "TimeoutType",
    "TurnDeadlineError",
    "TypeCodec",
    "TypedSearchAttributes",
    "UnsupportedVersionError",
    "WaitTimeoutError",
    "WorkflowAlreadyStartedError",
    "WorkflowClosedError",
    "WorkflowContinuedAsNewError",
    "WorkflowExecutionDescription",
    "WorkflowExecutionStatus",
    "WorkflowFailureError",
    "WorkflowHandle",
    "WorkflowHistory",
    "WorkflowIDConflictPolicy",
    "WorkflowIDReusePolicy",
    "WorkflowNotFoundError",
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowStillRunningError",
    "WorkflowSuspendedError",
    "WorkflowUpdateFailedError",
    "WorkflowUpdateHandle",
    "WorkflowUpdateLimitError",
    "WorkflowUpdateNotFoundError",
    "WorkflowUpdateStage",
    "activity",
    "wait_all",
    "wait_first",
    "workflow",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _load(home)
    value: object = module if home.endswith("." + name) else getattr(module, name)
    globals()[name] = value
    return value


def _load(home: str) -> ModuleType:
    """Load a module, with the collector off: what is loaded stays, and it would look for garbage hundreds of times."""
    if not (gc.isenabled() or _loading):
        return import_module(home, __name__)
    _loading.append(home)
    gc.disable()
    try:
        return import_module(home, __name__)
    finally:
        del _loading[-1:]
        if not _loading:
            gc.enable()


# What is being loaded with the collector off.
_loading: list[str] = []


def _go_on_in_child() -> None:
    """In a forked child nobody ends what another thread was loading."""
    if _loading:
        _loading.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_go_on_in_child)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
