"""Holds the attributes and the memo in a run's header, and the rows by which it is found, against its history."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.runtime.core.commands import UpsertMemo, UpsertSearchAttributes
from greenroom.runtime.model.attribute_index import prefixes_of, request_prefix
from greenroom.runtime.model.attribute_values import Stored, decode_attributes, encode_attributes, merged
from greenroom.runtime.model.memos import Memo, decode_memo, decode_memo_changes, merged_memo
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.storage import Journal

from .runs import Run

__all__ = ["judge_notes"]


def judge_notes(runs: Sequence[Run], journal: Journal) -> list[str]:
    """Every broken promise."""
    findings: list[str] = []
    found: dict[int, set[bytes]] = {}
    for key, run_no in journal.attribute_runs(b"", limit=1 << 30):
        found.setdefault(run_no, set()).add(key[:-8])
    for run in runs:
        stored, memo = _noted(run)
        facts = decode_facts(run.header.facts)
        if decode_attributes(facts.attributes) != stored:
            findings.append(f"{run.name} has noted {stored} and its header has {decode_attributes(facts.attributes)}")
        if decode_memo(facts.memo) != memo:
            findings.append(f"{run.name} has noted the memo {memo} and its header has {decode_memo(facts.memo)}")
        places, known = set(prefixes_of(encode_attributes(stored))), found.pop(run.run_no, set[bytes]())
        if facts.request_id:
            places.add(request_prefix(run.header.workflow_id, facts.request_id))
        if places != known:
            findings.append(f"{run.name} is found by {sorted(known)} and should be by {sorted(places)}")
    findings += [f"run {run_no} is found by its attributes and is not there" for run_no in found]
    return findings


def _noted(run: Run) -> tuple[Stored, Memo]:
    """What its history leaves; the load starts every run without notes."""
    stored: Stored = {}
    memo: Memo = {}
    for step in run.steps:
        for command in step.commands:
            if isinstance(command, UpsertSearchAttributes):
                stored = merged(stored, decode_attributes(command.changes))
            elif isinstance(command, UpsertMemo):
                memo = merged_memo(memo, decode_memo_changes(command.changes))
    return stored, memo
