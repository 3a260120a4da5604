"""A new run: its number, its header and its first message; and one that begins because another run wants it."""

from __future__ import annotations

from ...storage import RunHeader
from ..core.flags import NEW_RUN_FLAGS
from ..core.messages import WorkflowStarted, encode_message
from ..core.origins import Origin, delayed
from ..core.replay import RUNNING_PYTHON
from ..model.ids import run_id_of
from ..model.options import WorkflowExecutionStatus, WorkflowOptions
from ..model.run_facts import NO_FACTS, RunFacts, change_facts
from ..model.values import Value
from .noting import noted_at_start
from .run_state import RunState
from .sweep import Sweep

__all__ = ["NewRun", "deadline_of", "make_run"]

# The last instant that can be written down, in the year 2262.
_END_OF_TIME = 2**63 - 1
_RUNNING = int(WorkflowExecutionStatus.RUNNING)


class NewRun(Value, frozen=True):
    """What a run is to be.

    Attributes:
        workflow_id: empty for a workflow without an id of the caller's: it gets that of its first run.
        options_data: the options as the header keeps them.
        first_run_id: the first run of its chain; empty if it is that itself.
    """

    workflow_type: str
    args: bytes
    workflow_id: str
    options: WorkflowOptions
    options_data: bytes
    first_run_id: str = ""
    origin: Origin | None = None
    facts: RunFacts = NO_FACTS


def make_run(sweep: Sweep, store_uuid: bytes, now_ns: int, new: NewRun) -> tuple[RunState, WorkflowStarted]:
    """Give a run a number of the open sweep; nothing is written yet."""
    run_no = sweep.batch.new_run_no()
    run_id = run_id_of(store_uuid, run_no)
    workflow_id, first_run_id = new.workflow_id or run_id, new.first_run_id or run_id
    facts, indexed = noted_at_start(workflow_id, new.options, new.facts)
    header = RunHeader(
        workflow_id=workflow_id,
        run_id=run_id,
        workflow_type=new.workflow_type,
        status=_RUNNING,
        started_ns=now_ns,
        closed_ns=None,
        deadline_ns=deadline_of(now_ns, new.origin, new.options),
        first_run_id=first_run_id,
        python=RUNNING_PYTHON,
        flags=NEW_RUN_FLAGS,
        turns=0,
        crc=0,
        options=new.options_data,
        outcome=b"",
        note="",
        facts=facts,
        indexed=indexed,
    )
    started = WorkflowStarted(
        *(new.workflow_type, new.args, workflow_id, run_id, first_run_id, new.options, RUNNING_PYTHON, NEW_RUN_FLAGS),
        delayed(new.origin, now_ns) if new.options.start_delay_ns else new.origin,
    )
    run = RunState(run_no, header, is_stored=False)
    if new.options.start_delay_ns:
        run.header = header._replace(facts=change_facts(header.facts, delayed=encode_message(started)))
        run.starts_ns = min(now_ns + new.options.start_delay_ns, _END_OF_TIME)
    return run, started


def deadline_of(now_ns: int, origin: Origin | None, options: WorkflowOptions) -> int | None:
    """When a run that is made now times out, by its own limit or that of its chain; None for never."""
    run_timeout_ns, execution_timeout_ns = options.run_timeout_ns, options.execution_timeout_ns
    if run_timeout_ns is None and execution_timeout_ns is None:
        return None
    deadline_ns = _END_OF_TIME
    if run_timeout_ns is not None:
        # A wait between two runs of a chain is part of neither: after a long one the next run would end without a turn.
        waits_ns = options.start_delay_ns if origin is not None and origin.continued_run_id else 0
        deadline_ns = min(deadline_ns, now_ns + waits_ns + run_timeout_ns)
    if execution_timeout_ns is not None:
        begun_ns = now_ns if origin is None else origin.chain_started_ns or now_ns
        deadline_ns = min(deadline_ns, begun_ns + execution_timeout_ns)
    return deadline_ns
