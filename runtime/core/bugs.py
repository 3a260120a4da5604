"""What workflow code raised that is not a failure."""

from __future__ import annotations

__all__ = ["WorkflowBugError"]


class WorkflowBugError(Exception):
    """Workflow code raised what is not a failure: the turn is not to be recorded; ``__cause__`` is what was raised."""

    def __init__(self, bug: BaseException) -> None:
        super().__init__(str(bug))
        self.__cause__ = bug

    def __str__(self) -> str:
        text = super().__str__()
        if "attached to a different loop" not in text:
            return text
        return (
            f"{text}; a workflow can only wait for what it made itself or got from greenroom.workflow: "
            "wait for anything else in an activity"
        )
