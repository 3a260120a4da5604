"""What comes of queries and updates that are not answered."""

from __future__ import annotations

from .work_errors import GreenroomError

__all__ = [
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowUpdateFailedError",
    "WorkflowUpdateLimitError",
    "WorkflowUpdateNotFoundError",
]


class WorkflowQueryFailedError(GreenroomError):
    """A query was not answered; ``__cause__`` is what its handler raised, if it ran.

    Attributes:
        workflow_id: the workflow that was asked.
        query: the query's name.
        reason: why, in words.
    """

    def __init__(self, workflow_id: str, query: str, reason: str) -> None:
        super().__init__(workflow_id, query, reason)
        self.workflow_id = workflow_id
        self.query = query
        self.reason = reason

    def __str__(self) -> str:
        return f"query {self.query!r} of workflow {self.workflow_id!r} failed: {self.reason}"


class WorkflowQueryRejectedError(GreenroomError):
    """A query was not asked: its run stands as the caller's ``reject_condition`` excludes.

    Attributes:
        workflow_id: the workflow that was asked.
        query: the query's name.
        status: how the run stands, such as "COMPLETED".
    """

    def __init__(self, workflow_id: str, query: str, status: str) -> None:
        super().__init__(workflow_id, query, status)
        self.workflow_id = workflow_id
        self.query = query
        self.status = status

    def __str__(self) -> str:
        return f"query {self.query!r} of workflow {self.workflow_id!r} was not asked: the run is {self.status}"


class WorkflowUpdateFailedError(GreenroomError):
    """An update was rejected or failed.

    Attributes:
        workflow_id: the workflow that was asked.
        update: the update's name, "" if only its id is known.
        update_id: its id.
        cause: what its validator or its handler raised, or that the run ended before it.
        is_rejected: whether the run has not taken it: nothing of it is in the history, and the run goes on as before.
            False if its handler failed, or the run ended.
        is_bug: whether it was rejected for a bug in the workflow's code, which is no answer of that code: its handler's
            first turn raised what is no failure, or asked for what cannot be. Mended code may be sent it again.
    """

    def __init__(
        self,
        workflow_id: str,
        update: str,
        update_id: str,
        *,
        cause: BaseException | None = None,
        is_rejected: bool = False,
        is_bug: bool = False,
    ) -> None:
        super().__init__(workflow_id, update, update_id)
        self.workflow_id = workflow_id
        self.update = update
        self.update_id = update_id
        self.is_rejected = is_rejected
        self.is_bug = is_bug
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException | None:
        """The failure of the update."""
        return self.__cause__

    def __str__(self) -> str:
        update = f"{self.update!r} ({self.update_id})" if self.update else repr(self.update_id)
        told = f"update {update} of workflow {self.workflow_id!r}"
        if self.is_bug:
            return (
                f"{told} was not taken because of a bug in the workflow's code, not refused by it: {self.cause}; "
                "the run is as it was before, mend the code and send the update again"
            )
        return f"{told} {'was rejected' if self.is_rejected else 'failed'}: {self.cause}"


class WorkflowUpdateLimitError(GreenroomError):
    """An update was not asked for, since its run has as many as one may: nothing of it is on disk.

    Attributes:
        workflow_id: the workflow that was asked.
        run_id: the run that was asked.
        limit: how many there may be.
        is_retryable: whether the same call may be taken a little later: some updates are under way, which make room
            when they have ended, or after which the run can go on as new. If not, nothing tells when it will be.
        is_total: whether it is the limit of all that a run ever takes, and not of those under way at a time. Then only
            the next run takes more: the call reaches that one, unless the handle is of one run alone.
    """

    def __init__(
        self, workflow_id: str, run_id: str, limit: int, *, is_retryable: bool = True, is_total: bool = False
    ) -> None:
        super().__init__(workflow_id, run_id, limit)
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.limit = limit
        self.is_retryable = is_retryable
        self.is_total = is_total

    def __str__(self) -> str:
        run = f"workflow {self.workflow_id!r} (run {self.run_id})"
        if not self.is_total:
            return (
                f"{run} has {self.limit:,} updates under way, as many as a run may; nothing was taken, try again when "
                "some have ended, or allow more with Runtime(max_updates_in_flight=)"
            )
        again = "try again a little later, in case it goes on as new, or " if self.is_retryable else ""
        return (
            f"{run} has taken {self.limit:,} updates, as many as a run may; {again}have it go on with "
            "workflow.continue_as_new() when info().is_continue_as_new_suggested() says so, or allow more with "
            "Runtime(max_updates=)"
        )


class WorkflowUpdateNotFoundError(GreenroomError):
    """The run has no update of that id: none was sent, or it was rejected.

    Attributes:
        workflow_id: the workflow that was asked.
        run_id: the run that was asked.
        update_id: the id.
    """

    def __init__(self, workflow_id: str, run_id: str, update_id: str) -> None:
        super().__init__(workflow_id, run_id, update_id)
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.update_id = update_id

    def __str__(self) -> str:
        return (
            f"workflow {self.workflow_id!r} (run {self.run_id}) has no update {self.update_id!r}: it was not sent, or "
            "was rejected; check the id, or send it with start_update(..., id=...)"
        )
