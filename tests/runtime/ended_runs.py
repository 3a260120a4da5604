"""Runs that have ended, written as a runtime leaves them, without one."""

from __future__ import annotations

from greenroom import WorkflowExecutionStatus
from greenroom.runtime.model.ids import run_id_of
from greenroom.runtime.model.options import WorkflowOptions, encode_workflow_options
from greenroom.storage import Journal, RunHeader, Store, Tree

__all__ = ["rows_of", "write_ended"]


def write_ended(store: Store, *workflow_ids: str, closed_ns: int = 2, turns: int = 1) -> None:
    """Write a run for each id."""
    journal = Journal.on(store)
    batch = journal.batch()
    for workflow_id in workflow_ids:
        run_no, crc = batch.new_run_no(), 0
        for turn_no in range(turns):
            crc = batch.append_turn(run_no, turn_no, 1, b"told", b"asked", crc)
        run_id = run_id_of(journal.store_uuid.encode(), run_no)
        ended = int(WorkflowExecutionStatus.COMPLETED)
        rest = run_id, "3.11", 0, turns, crc, encode_workflow_options(WorkflowOptions()), b"", ""
        batch.put_header(run_no, RunHeader(workflow_id, run_id, "T", ended, 1, closed_ns, None, *rest))
        batch.set_current(workflow_id, run_no)
    journal.commit(batch)


def rows_of(store: Store) -> list[tuple[Tree, bytes]]:
    """The keys of a store, without those of the journal itself."""
    trees = (Tree.RUNS, Tree.DUE, Tree.IDS, Tree.DEAD, Tree.ATTRIBUTES)
    return [(tree, key) for tree in trees for key, _ in store.scan(tree, b"", b"\xff" * 512, limit=100_000)]
