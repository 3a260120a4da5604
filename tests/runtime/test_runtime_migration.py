"""A journal of an earlier build opens, and its runs go on with what has been added to journals since."""

from __future__ import annotations

from pathlib import Path

import lmdb

from greenroom import Runtime, SearchAttributeKey, workflow
from greenroom.runtime.model.attribute_index import type_prefix
from greenroom.storage import Journal, Tree, check
from tests.runtime.rig import WAIT

STAGE = SearchAttributeKey.for_keyword("Stage")


@workflow.defn(name="migration.noting")
class Noting:
    def __init__(self) -> None:
        self.stage = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.stage != "")
        workflow.upsert_search_attributes([STAGE.value_set(self.stage)])
        return self.stage

    @workflow.signal
    def go(self, stage: str) -> None:
        self.stage = stage


def test_runs_of_a_journal_without_the_index_go_on_and_are_found_by_what_they_note(tmp_path: Path) -> None:
    path = tmp_path / "old"
    with Runtime(path, workflows=[Noting]) as runtime:
        runtime.start_workflow(Noting.run, id="n").get(timeout=WAIT)
    environment = lmdb.open(str(path / "journal"), max_dbs=len(Tree), lib_version=0)
    with environment.begin(write=True) as txn:
        txn.drop(environment.open_db(b"attributes", txn=txn))
    environment.close()

    with Runtime(path, workflows=[Noting]) as runtime:
        handle = runtime.get_workflow_handle("n")
        handle.signal(Noting.go, "packed").get(timeout=WAIT)
        assert handle.result().get(timeout=WAIT) == "packed"

    journal = Journal.open(path, read_only=True)
    assert [run_no for _, run_no in journal.attribute_runs(type_prefix("Stage", STAGE.indexed_value_type))] == [1]
    assert check(journal) == []
    journal.close()
