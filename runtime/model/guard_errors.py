"""What the strict net says to the author of a workflow."""

from __future__ import annotations

from .work_errors import GreenroomError

__all__ = ["NondeterministicCallError"]


class NondeterministicCallError(GreenroomError):
    """Workflow code called what a replay could not repeat; only the strict net raises it.

    Attributes:
        call: what was called, such as "datetime.datetime.now".
        place: ``file:line`` of the workflow code.
        does: what that does, in words that follow the call.
        instead: what to do instead.
    """

    def __init__(self, call: str, place: str, does: str, instead: str) -> None:
        super().__init__(call, place, does, instead)
        self.call = call
        self.place = place
        self.does = does
        self.instead = instead

    def __str__(self) -> str:
        return (
            f"{self.place}: workflow code called {self.call}, which {self.does}: a replay could not repeat it; use "
            f"{self.instead}, or turn the check off for these lines with workflow.unsafe.sandbox_unrestricted()"
        )
