"""What comes of queries and updates that are not answered."""

from __future__ import annotations

from .work_errors import GreenroomError

__all__ = [
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowUpdateFailedError",
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
    """

    def __init__(self, workflow_id: str, update: str, update_id: str, *, cause: BaseException | None = None) -> None:
        super().__init__(workflow_id, update, update_id)
        self.workflow_id = workflow_id
        self.update = update
        self.update_id = update_id
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException | None:
        """The failure of the update."""
        return self.__cause__

    def __str__(self) -> str:
        update = f"{self.update!r} ({self.update_id})" if self.update else repr(self.update_id)
        return f"update {update} of workflow {self.workflow_id!r} failed: {self.cause}"


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
