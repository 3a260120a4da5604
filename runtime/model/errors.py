"""Every exception that greenroom lets a user see, in one tree, grouped by who must act.

::

    GreenroomError
    ├── FailureError                        the author: how a unit of work ended; uncaught it closes the run
    │   ├── ApplicationError                user code failed, or said so itself
    │   ├── ActivityError                   an activity failed; the cause says why
    │   ├── ChildWorkflowError              a child workflow failed; the cause says why
    │   ├── CancelledError                  cancelled on request
    │   ├── TerminatedError                 ended by force
    │   ├── TimeoutError                    a time limit passed
    │   └── WorkflowAlreadyStartedError     the caller: the workflow id is taken
    ├── NondeterminismError                 the author: the code no longer asks for what the history has
    │   └── UnsupportedVersionError         the code has not the version that the run has
    ├── NondeterministicCallError           the author: workflow code called what a replay could not repeat
    ├── ReadOnlyContextError                the author: a query or validator tried to change something
    ├── TurnDeadlineError                   the author: a turn computes, or blocks
    ├── InWorkflowError                     the author: workflow code cannot ask this
    ├── NotInActivityError                  the author: only activity code can ask this
    ├── NotInWorkflowError                  the author: only workflow code can ask this
    ├── InvalidDefinitionError              the author: a definition that cannot work
    │   ├── InvalidActivityError
    │   └── InvalidWorkflowError
    ├── NotRegisteredError                  the author: a name that nobody declared
    ├── WorkflowFailureError                the caller: the workflow did not complete; the cause says why
    │   └── WorkflowContinuedAsNewError     the caller: it goes on as another run
    ├── WorkflowNotFoundError               the caller: no such workflow
    │   └── WorkflowClosedError             the caller: it has already ended
    ├── WorkflowStillRunningError           the caller: it has not ended, and cannot be deleted
    ├── WorkflowSuspendedError              the author or the operator: mend the code, then resume
    ├── WorkflowQueryFailedError            the caller or the author: nobody answers, or the handler failed
    ├── WorkflowQueryRejectedError          the caller: the run stands as ``reject_condition`` excludes
    ├── WorkflowUpdateFailedError           the caller
    ├── WorkflowUpdateLimitError            the caller: the run has as many as one may; ``is_retryable``
    ├── WorkflowUpdateNotFoundError         the caller: there is no update of that id
    ├── PayloadError                        the caller or the author
    │   ├── PayloadEncodeError              a value that cannot be stored
    │   ├── PayloadDecodeError              stored bytes that do not fit what is asked for
    │   │   └── ContractError               the author: a history does not fit the annotations of the code
    │   └── PayloadTooLargeError            a value that is too large to be stored
    ├── MailboxFullError                    the caller: too much at once; try again later
    ├── RuntimeClosedError                  the caller: the runtime is no longer open
    ├── JournalError                        the operator
    │   ├── JournalInUseError               another runtime owns the journal
    │   ├── JournalFullError                no room left
    │   ├── JournalCorruptError             the bytes are not what was written
    │   ├── JournalForkedError              used in a forked child
    │   ├── JournalFormatError              written by another version, or not a journal
    │   ├── JournalLocationError            a place where a journal cannot live
    │   ├── JournalReadError                the disk did not answer; ask again
    │   └── JournalWriteError               the disk refused
    └── InternalError                       us: a promise greenroom makes to itself is broken

Facts are attributes; messages are made from them.
"""

from __future__ import annotations

from .code_errors import (
    InvalidActivityError,
    InvalidDefinitionError,
    InvalidWorkflowError,
    InWorkflowError,
    NondeterminismError,
    NotInActivityError,
    NotInWorkflowError,
    NotRegisteredError,
    ReadOnlyContextError,
    TurnDeadlineError,
    UnsupportedVersionError,
)
from .guard_errors import NondeterministicCallError
from .journal_errors import (
    InternalError,
    JournalCorruptError,
    JournalError,
    JournalForkedError,
    JournalFormatError,
    JournalFullError,
    JournalInUseError,
    JournalLocationError,
    JournalReadError,
    JournalWriteError,
)
from .message_errors import (
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateLimitError,
    WorkflowUpdateNotFoundError,
)
from .payload_errors import (
    ContractError,
    PayloadDecodeError,
    PayloadEncodeError,
    PayloadError,
    PayloadTooLargeError,
)
from .use_errors import (
    MailboxFullError,
    RuntimeClosedError,
    WorkflowClosedError,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowNotFoundError,
    WorkflowStillRunningError,
    WorkflowSuspendedError,
)
from .work_errors import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    GreenroomError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

__all__ = [
    "ActivityError",
    "ApplicationError",
    "ApplicationErrorCategory",
    "CancelledError",
    "ChildWorkflowError",
    "ContractError",
    "FailureError",
    "GreenroomError",
    "InWorkflowError",
    "InternalError",
    "InvalidActivityError",
    "InvalidDefinitionError",
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
    "PayloadDecodeError",
    "PayloadEncodeError",
    "PayloadError",
    "PayloadTooLargeError",
    "ReadOnlyContextError",
    "RetryState",
    "RuntimeClosedError",
    "TerminatedError",
    "TimeoutError",
    "TimeoutType",
    "TurnDeadlineError",
    "UnsupportedVersionError",
    "WorkflowAlreadyStartedError",
    "WorkflowClosedError",
    "WorkflowContinuedAsNewError",
    "WorkflowFailureError",
    "WorkflowNotFoundError",
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowStillRunningError",
    "WorkflowSuspendedError",
    "WorkflowUpdateFailedError",
    "WorkflowUpdateLimitError",
    "WorkflowUpdateNotFoundError",
    "is_cancelled_exception",
]


# Not on the face: a base class, and what no call raises yet.
_INNER = ("InvalidDefinitionError",)


def _name_as_imported() -> None:
    """A traceback names an error as users import it, not by the file that it happens to stand in."""
    for name in __all__:
        found = globals()[name]
        if isinstance(found, type) and issubclass(found, BaseException) and name not in _INNER:
            found.__module__ = __name__.partition(".")[0]


_name_as_imported()
