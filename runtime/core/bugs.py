"""What workflow code raised that is not a failure."""

from __future__ import annotations

from ..model.texts import text_of

__all__ = ["WorkflowBugError", "beneath"]


class WorkflowBugError(Exception):
    """Workflow code raised what is not a failure: the turn is not to be recorded; ``__cause__`` is what was raised."""

    def __init__(self, bug: BaseException) -> None:
        super().__init__(text_of(bug))
        self.__cause__ = bug

    def __str__(self) -> str:
        return "; ".join([super().__str__(), *getattr(self.__cause__, "__notes__", ())])


def beneath(error: BaseException) -> BaseException:
    """What user code has raised, if it has; else the error itself."""
    return error.__cause__ if isinstance(error, WorkflowBugError) and error.__cause__ is not None else error
