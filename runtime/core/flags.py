"""Behaviour flags: in which ways a run is decided. A replay obeys the flags that stand in the start of its run.

When a change to the core would make an old history ask for something else, it gets a flag: the next
free bit as a constant here, in ``KNOWN_FLAGS`` and ``NEW_RUN_FLAGS``. The core keeps both ways and asks
``started.flags`` which one the run has. A flag is never taken out of ``KNOWN_FLAGS`` while its runs can be replayed.
"""

from __future__ import annotations

from .messages import WorkflowStarted

__all__ = ["KNOWN_FLAGS", "LIVE_INFO", "NEW_RUN_FLAGS", "UnknownFlagsError", "check_flags"]

LIVE_INFO = 1
"""Methods of an `Info` that the code has kept tell how the run is when they are called, not how it was before."""

KNOWN_FLAGS = LIVE_INFO
"""Every flag that this release can replay, one bit each."""

NEW_RUN_FLAGS = LIVE_INFO
"""The flags that new runs get."""


class UnknownFlagsError(Exception):
    """A run was begun by a release with ways of deciding that this one does not have.

    Args:
        workflow_id: the workflow.
        run_id: the run.
        flags: the bits that are not known here.
    """

    def __init__(self, workflow_id: str, run_id: str, flags: int) -> None:
        super().__init__(workflow_id, run_id, flags)
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.flags = flags

    def __str__(self) -> str:
        return (
            f"workflow {self.workflow_id!r} (run {self.run_id}) was begun by a newer release of greenroom: this one "
            f"does not know its behaviour flags {self.flags:#x} and might decide otherwise; open the journal with the "
            "release that began it, or a newer one"
        )


def check_flags(started: WorkflowStarted) -> None:
    """Refuse a run that must be decided in a way unknown here.

    Raises:
        UnknownFlagsError: it has flags that are not in ``KNOWN_FLAGS``.
    """
    unknown = started.flags & ~KNOWN_FLAGS
    if unknown:
        raise UnknownFlagsError(started.workflow_id, started.run_id, unknown)
