"""The birth of a run that goes on with turns of another one: what it had by then stands in the rows of the new run."""

from __future__ import annotations

from ...storage import DueKind, Update
from ..core.commands import encode_commands
from ..core.messages import HistoryCopied, WorkflowStarted, change_start, encode_message
from ..core.origins import undelayed
from ..model.copied_run import CopiedRun
from ..model.ids import run_id_of
from ..model.options import WorkflowExecutionStatus, change_options
from ..model.run_facts import RunFacts, change_facts, encode_facts
from .beginning import NewRun, deadline_of, make_run
from .copying import Copy
from .noting import indexed_by
from .once import know_keys
from .run_state import RunState
from .tools import Peer, Tools

__all__ = ["begin_copied"]


def begin_copied(
    tools: Tools, copy: Copy, begun: WorkflowStarted, facts: RunFacts, why: tuple[str, str], time_ns: int
) -> tuple[Peer, WorkflowStarted]:
    """Have a run begin with the turns of a copy, in the open sweep.

    Args:
        begun: what it begins as; where the workflow id or that of the first run is empty it gets those of its own.
        facts: whose child it is.
        why: the line for people that was given, and on whose behalf it is asked for.

    Returns:
        The run, and what it was begun as.
    """
    header = copy.run.header
    source = CopiedRun(header.workflow_id, header.run_id, copy.last, *why)
    parent = facts.parent_run_no
    attempt = begun.origin.attempt if parent and begun.origin is not None else 1
    facts = RunFacts(parent_run_no=parent, parent_item=facts.parent_item, copied=source, attempt=attempt)
    if copy.turns:
        return _with_turns(tools, copy, begun, facts, source, time_ns)
    options = change_options(begun.options, start_delay_ns=0)
    ids = begun.workflow_id, options, header.options, begun.first_run_id
    new = NewRun(begun.workflow_type, begun.args, *ids, undelayed(begun.origin), facts)
    state, started = make_run(tools.sweep, tools.journal.store_uuid.encode(), time_ns, new)
    know_keys(tools, state, copy.keys)
    return tools.directory.begin_beside(state, started), started


def _with_turns(
    tools: Tools, copy: Copy, begun: WorkflowStarted, facts: RunFacts, source: CopiedRun, time_ns: int
) -> tuple[Peer, WorkflowStarted]:
    batch = tools.sweep.batch
    run_no = batch.new_run_no()
    run_id = run_id_of(tools.journal.store_uuid.encode(), run_no)
    started = change_start(
        begun,
        workflow_id=begun.workflow_id or run_id,
        run_id=run_id,
        first_run_id=begun.first_run_id or run_id,
    )
    header = copy.run.header._replace(
        workflow_id=started.workflow_id,
        run_id=run_id,
        first_run_id=started.first_run_id,
        status=int(WorkflowExecutionStatus.RUNNING),
        started_ns=time_ns,
        closed_ns=None,
        deadline_ns=deadline_of(time_ns, None, begun.options),
        turns=0,
        crc=0,
        outcome=b"",
        note="",
        stopped_at=0,
        facts=change_facts(encode_facts(facts), memo=copy.memo, attributes=copy.attributes),
        indexed=indexed_by(started.workflow_id, "", copy.attributes),
        expires_ns=None,
    )
    crc = 0
    for turn in copy.turns:
        crc = batch.append_turn(run_no, turn.turn_no, turn.time_ns, turn.message, turn.commands, crc)
    marker_ns = max(time_ns, copy.turns[-1].time_ns)
    marker = encode_message(HistoryCopied(started, source))
    batch.append_turn(run_no, len(copy.turns), marker_ns, marker, encode_commands([]), crc)
    for item, at_ns in copy.timers.items():
        batch.put_timer(run_no, DueKind.TIMER, item, at_ns)
    for update_id, outcome in copy.updates.items():
        batch.put_update(run_no, Update(update_id, outcome))
    run = RunState(run_no, header, is_stored=False)
    know_keys(tools, run, copy.keys)
    if copy.run.activities:
        batch.set_active(run_no)
    return tools.directory.begin_copied(run), started
