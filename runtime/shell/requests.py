"""Requests to start that a client repeats until it is answered: each starts one run, whatever has become of that."""

from __future__ import annotations

from ...storage import Journal, RunHeader, StorageError
from ..model.attribute_index import request_prefix
from ..model.errors import GreenroomError
from .directory import Directory
from .journal_seam import public_error
from .run_state import RunState
from .sweep import Sweep

__all__ = ["Requests"]


class Requests:
    """Which run which request has started; used on the dispatcher's thread only.

    Args:
        path: where the journal is, for messages.
    """

    def __init__(self, *, journal: Journal, directory: Directory, sweep: Sweep, path: str) -> None:
        self._journal = journal
        self._directory = directory
        self._sweep = sweep
        self._path = path
        # Those of the open sweep, whose rows the journal does not find: workflow id and request id → run number.
        self._beginning: dict[tuple[str, str], int] = {}

    def begun(self, workflow_id: str, request_id: str) -> tuple[int, RunHeader] | None:
        """The run that a request has started, by number and header; None if it has started none.

        Raises:
            JournalError: that cannot be read.
        """
        run_no = self._beginning.get((workflow_id, request_id))
        found = [run_no] if run_no is not None else self._stored(workflow_id, request_id)
        for run_no in found:
            header = self._directory.header(run_no)
            if header is not None and header.workflow_id == workflow_id:
                return run_no, header
        return None

    def begins(self, run: RunState, request_id: str) -> None:
        """A request starts a run, in the open sweep; the header of the run says so."""
        asked = run.header.workflow_id, request_id
        self._beginning[asked] = run.run_no
        self._sweep.after(self._beginning.pop, asked, None)
        self._sweep.undo(self._forget, asked)

    def _forget(self, asked: tuple[str, str], error: GreenroomError) -> None:
        self._beginning.pop(asked, None)

    def _stored(self, workflow_id: str, request_id: str) -> list[int]:
        try:
            rows = self._journal.attribute_runs(request_prefix(workflow_id, request_id))
        except StorageError as error:
            raise public_error(error, self._path) from error
        return [run_no for _, run_no in rows]
