"""Which run the history of another one was copied from."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

import msgspec

__all__ = ["CopiedRun"]


class CopiedRun(msgspec.Struct, frozen=True, gc=False):
    """Where a run comes from that was made by ``reset`` or ``fork``.

    Attributes:
        workflow_id: the workflow; that of the run itself if it was reset, another one if it is a fork.
        run_id: the run whose history was copied.
        turn: the last turn of it that was; -1 if the run was begun anew.
        reason: the line for people that was given.
        identity: on whose behalf it was asked for; empty for what was not said.
    """

    workflow_id: str
    run_id: str
    turn: int
    reason: str = ""
    identity: str = ""
