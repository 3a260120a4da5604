"""What is noted of a run, in its header and in the index: at its start, when its code changes it, and for the run that
comes after it."""

from __future__ import annotations

from ...storage import RunHeader, pack_prefixes
from ..core.commands import UpsertMemo, UpsertSearchAttributes
from ..model.attribute_index import prefixes_of, request_prefix
from ..model.attribute_values import decode_attributes, encode_attributes, merged
from ..model.memos import decode_memo, decode_memo_changes, encode_memo, merged_memo
from ..model.options import WorkflowOptions, change_options
from ..model.run_facts import NO_FACTS, RunFacts, change_facts, decode_facts, encode_facts
from .headers import put_header
from .run_state import RunState
from .sweep import Sweep

__all__ = ["change_attributes", "change_memo", "indexed_by", "noted_at_start", "options_of_next_run"]


def noted_at_start(workflow_id: str, options: WorkflowOptions, facts: RunFacts) -> tuple[bytes, bytes]:
    """``facts`` and ``indexed`` of a new run's header; nothing for most runs.

    Args:
        facts: what else there is to say of the run.
    """
    data = b"" if facts is NO_FACTS else encode_facts(facts)
    if options.memo is None and options.search_attributes is None and not facts.request_id:
        return data, b""
    memo, attributes = options.memo or b"", options.search_attributes or b""
    indexed = indexed_by(workflow_id, facts.request_id, attributes)
    return change_facts(data, memo=memo, attributes=attributes), indexed


def indexed_by(workflow_id: str, request_id: str, attributes: bytes) -> bytes:
    """``indexed`` of the header of a run with these search attributes, begun by that request if there was one."""
    prefixes = prefixes_of(attributes) if attributes else []
    if request_id:
        prefixes.append(request_prefix(workflow_id, request_id))
    return pack_prefixes(prefixes)


def options_of_next_run(options: WorkflowOptions, header: RunHeader) -> WorkflowOptions:
    """The options of a run that follows another in its chain, with memo and attributes as they are at this moment.

    Args:
        options: what else is known of the run; a ``memo`` or ``search_attributes`` that is not None stays, and is none
            if it is empty.
        header: that of the run before; what was upserted in the open sweep is in it.
    """
    facts = decode_facts(header.facts)
    memo = facts.memo if options.memo is None else options.memo
    attributes = facts.attributes if options.search_attributes is None else options.search_attributes
    return change_options(options, memo=memo or None, search_attributes=attributes or None)


def change_memo(sweep: Sweep, run: RunState, command: UpsertMemo) -> None:
    """The run's code has changed its memo."""
    facts = decode_facts(run.header.facts)
    memo = encode_memo(merged_memo(decode_memo(facts.memo), decode_memo_changes(command.changes)))
    put_header(sweep, run, run.header._replace(facts=change_facts(run.header.facts, memo=memo)))


def change_attributes(sweep: Sweep, run: RunState, command: UpsertSearchAttributes) -> None:
    """The run's code has changed what it is found by."""
    facts = decode_facts(run.header.facts)
    stored = merged(decode_attributes(facts.attributes), decode_attributes(command.changes))
    attributes = encode_attributes(stored)
    before, after = run.header.indexed, indexed_by(run.header.workflow_id, facts.request_id, attributes)
    changed = run.header._replace(facts=change_facts(run.header.facts, attributes=attributes), indexed=after)
    put_header(sweep, run, changed)
    sweep.batch.put_attributes(run.run_no, before, after)
