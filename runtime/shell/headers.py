"""The header of a run, written anew."""

from __future__ import annotations

from ...storage import RunHeader
from ..model.errors import GreenroomError
from .run_state import RunState
from .sweep import Sweep
from .tools import Tools

__all__ = ["put_header", "went_on"]


def went_on(tools: Tools, run: RunState, where: int) -> None:
    """The run has taken a message that it may have stopped at before."""
    if run.header.stopped_at == where:
        put_header(tools.sweep, run, run.header._replace(stopped_at=0))


def put_header(sweep: Sweep, run: RunState, header: RunHeader) -> None:
    """Write another header of a run; if it does not get to disk, the run has the one before again."""
    sweep.undo(_take_header_back, run, run.header)
    run.header = header
    sweep.batch.put_header(run.run_no, header)


def _take_header_back(run: RunState, header: RunHeader, error: GreenroomError) -> None:
    run.header = header
