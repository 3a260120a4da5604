"""What callers of a runtime can mend by themselves."""

from __future__ import annotations

from .work_errors import GreenroomError

__all__ = [
    "MailboxFullError",
    "RuntimeClosedError",
    "WorkflowClosedError",
    "WorkflowContinuedAsNewError",
    "WorkflowFailureError",
    "WorkflowNotFoundError",
    "WorkflowStillRunningError",
    "WorkflowSuspendedError",
]


class WorkflowFailureError(GreenroomError):
    """A workflow ended without a result.

    Attributes:
        workflow_id: the workflow.
        run_id: the run that ended.
        cause: the failure that closed it: what its code raised, a cancellation, a termination or a timeout.
    """

    def __init__(self, workflow_id: str, run_id: str | None = None, *, cause: BaseException | None = None) -> None:
        super().__init__(workflow_id, run_id)
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException | None:
        """The failure that closed the workflow."""
        return self.__cause__

    def __str__(self) -> str:
        return f"workflow {self.workflow_id!r} (run {self.run_id}) did not complete: {self.cause}"


class WorkflowContinuedAsNewError(WorkflowFailureError):
    """The run was continued as a new one, and the caller asked for this run alone.

    Attributes:
        workflow_id: the workflow.
        run_id: the run that was asked for.
        new_run_id: the run that goes on.
    """

    def __init__(self, workflow_id: str, run_id: str, new_run_id: str) -> None:
        super().__init__(workflow_id, run_id)
        self.new_run_id = new_run_id

    def __str__(self) -> str:
        run = f"workflow {self.workflow_id!r} (run {self.run_id})"
        return f"{run} goes on as run {self.new_run_id}; follow_runs=True waits for it"


class WorkflowNotFoundError(GreenroomError):
    """The journal has no such workflow, or no such run of it: it was never there, or has been deleted.

    Attributes:
        workflow_id: the workflow that was asked for.
        run_id: the run that was asked for; None for the current one.
    """

    def __init__(self, workflow_id: str, run_id: str | None = None) -> None:
        super().__init__(workflow_id, run_id)
        self.workflow_id = workflow_id
        self.run_id = run_id

    def __str__(self) -> str:
        run = "" if self.run_id is None else f" with run id {self.run_id}"
        return (
            f"no workflow {self.workflow_id!r}{run} in this journal, or it was deleted; check the id, and the journal"
        )


class WorkflowClosedError(WorkflowNotFoundError):
    """The workflow has already ended and takes no more messages.

    Attributes:
        workflow_id: the workflow.
        run_id: the run that has ended.
        status: how, such as "COMPLETED".
    """

    def __init__(self, workflow_id: str, run_id: str | None = None, status: str = "closed") -> None:
        super().__init__(workflow_id, run_id)
        self.status = status

    def __str__(self) -> str:
        run = f"workflow {self.workflow_id!r} (run {self.run_id})"
        return f"{run} has ended ({self.status}); result() and fetch_history() still work"


class WorkflowStillRunningError(GreenroomError):
    """A run that has not ended was to be deleted.

    Attributes:
        workflow_id: the workflow.
        run_id: the run that is open.
    """

    def __init__(self, workflow_id: str, run_id: str) -> None:
        super().__init__(workflow_id, run_id)
        self.workflow_id = workflow_id
        self.run_id = run_id

    def __str__(self) -> str:
        run = f"workflow {self.workflow_id!r} (run {self.run_id})"
        return f"{run} has not ended; wait for its result, or delete(terminate=True) ends it first"


class WorkflowSuspendedError(GreenroomError):
    """The supervisor has stopped a run whose code cannot go on.

    Attributes:
        workflow_id: the workflow.
        run_id: the run.
        reason: what went wrong: what the exception says, which may be several lines.
        stack: traceback text of the bug.
        update_id: the update that the caller waits for, if it is one; the journal keeps it until the run goes on.
        is_by_request: whether it was somebody's ``suspend()`` that stopped it, and no bug.
    """

    def __init__(
        self,
        workflow_id: str,
        run_id: str | None,
        reason: str,
        *,
        stack: str = "",
        update_id: str | None = None,
        is_by_request: bool = False,
    ) -> None:
        super().__init__(workflow_id, run_id, reason)
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.reason = reason
        self.stack = stack
        self.update_id = update_id
        self.is_by_request = is_by_request

    def __str__(self) -> str:
        update = "" if self.update_id is None else f" (update {self.update_id!r} is kept)"
        # What follows several lines stands in one of its own.
        run = f"workflow {self.workflow_id!r} (run {self.run_id})"
        joint = "\n" if "\n" in self.reason else "; "
        if self.is_by_request:
            return f"{run} is {self.reason}{update}{joint}resume() lets it go on"
        return (
            f"{run} is suspended: {self.reason}{update}{joint}"
            "describe() has the traceback; mend the code, and open the journal again with it or call resume()"
        )


class MailboxFullError(GreenroomError):
    """A mailbox has no room for another message; nothing was taken, so the call may be repeated.

    Attributes:
        workflow_id: the workflow whose mailbox it is.
        limit: how many messages may wait there.
    """

    def __init__(self, workflow_id: str, limit: int) -> None:
        super().__init__(workflow_id, limit)
        self.workflow_id = workflow_id
        self.limit = limit

    def __str__(self) -> str:
        mailbox = f"the mailbox of workflow {self.workflow_id!r}"
        return f"{mailbox} is full ({self.limit:,} messages); nothing was taken, try again later"


class RuntimeClosedError(GreenroomError):
    """The runtime is closed or closing.

    Attributes:
        action: what needs it open.
        was_open: whether it has been open: a handle of that time is of no use any more, even if it was opened again.
    """

    def __init__(self, action: str = "this call", *, was_open: bool = False) -> None:
        super().__init__(action)
        self.action = action
        self.was_open = was_open

    def __str__(self) -> str:
        if self.was_open:
            return (
                f"{self.action} needs an open runtime, and its own has been closed, or has crashed, since; get a new "
                "handle from one that is open, with get_workflow_handle(id), nothing in its journal is lost"
            )
        return (
            f"{self.action} needs an open runtime and this one is not open; use `with Runtime(…)` or open(), "
            "nothing in its journal is lost"
        )
