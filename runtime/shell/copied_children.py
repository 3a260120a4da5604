"""The children that a run had at the turn another one goes on from: who waits for them now."""

from __future__ import annotations

from ...storage import RunHeader
from ..core.commands import StartChild
from ..core.messages import (
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    Message,
)
from ..model.errors import ApplicationError
from ..model.failure_writing import to_failure
from ..model.failures import Facts, Failure, FailureKind
from ..model.options import ChildWorkflowCancellationType
from ..model.run_facts import change_facts, decode_facts
from .copying import CHILD_CANCEL, CHILD_START, Copy
from .headers import put_header
from .outcomes import Outcome
from .relatives import end_of_child, open_child
from .run_state import RunState
from .tools import Peer, Tools

__all__ = ["CopiedChildren"]


class CopiedChildren:
    """The children of a copy that had not ended by then.

    Attributes:
        at_work: those that have not ended yet, by number.
        told: what is told of these and of the others, beside what the source was told itself.

    Args:
        source: the run that they are children of.
        later: what that run was told behind the turns of the copy, or is yet to be told.
    """

    def __init__(self, tools: Tools, source: RunState, copy: Copy, later: list[Message]) -> None:
        self.at_work: dict[int, Peer | None] = {}
        self.told: list[Message] = []
        runs = copy.run.child_runs | {each.id: each.run_id for each in later if isinstance(each, ChildStarted)}
        ended = {each.id for each in later if isinstance(each, (ChildCompleted, ChildFailed, ChildStartFailed))}
        # A run that has ended was not told what waited for it then.
        unanswered = copy.unanswered(later)
        for item, command in copy.run.children.items():
            if item in ended:
                continue
            target = open_child(tools, source, command)
            header = _last_run(tools, source, command, runs.get(item, "")) if target is None else target.run.header
            if (CHILD_START, item) in unanswered:
                self.told.append(ChildStarted(item, "" if header is None else header.first_run_id))
            if (CHILD_CANCEL, item) in unanswered and _waits_for_request(command):
                self.told.append(ChildCancelRequested(item))
            if header is not None and header.closed_ns is None:
                # Another reset may have taken it over, which was deleted.
                self.at_work[item] = target or tools.directory.find_open(header.workflow_id, header.run_id)
            else:
                self.told.append(_end(tools, item, command, header))

    def take_over(self, tools: Tools, run_no: int) -> None:
        """Have those at work tell another run of their end, in the open sweep."""
        for target in self.at_work.values():
            if target is not None:
                header = target.run.header
                facts = change_facts(header.facts, parent_run_no=run_no)
                put_header(tools.sweep, target.run, header._replace(facts=facts))


def _waits_for_request(command: StartChild) -> bool:
    return command.options.cancellation_type is ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED


def _last_run(tools: Tools, source: RunState, command: StartChild, first_run_id: str) -> RunHeader | None:
    """The last run of a child's chain; None if the journal has it no longer.

    Args:
        first_run_id: the first run of that chain; empty if its parent was not told.
    """
    directory = tools.directory
    current = directory.find(command.workflow_id, "")
    header = None if current is None else directory.header(current)
    if header is not None:
        facts = decode_facts(header.facts)
        is_own = (facts.parent_run_no, facts.parent_item) == (source.run_no, command.id)
        if header.first_run_id == first_run_id if first_run_id else is_own:
            return header
    # The id has gone to another workflow since.
    header, run_id = None, first_run_id
    while run_id:
        run_no = directory.find(command.workflow_id, run_id)
        header = None if run_no is None else directory.header(run_no)
        run_id = "" if header is None else decode_facts(header.facts).next_run_id
    return header


def _end(tools: Tools, item: int, command: StartChild, header: RunHeader | None) -> Message:
    if header is not None:
        return end_of_child(header, item, Outcome.decode(header.outcome))
    gone = ApplicationError(
        f"child workflow {command.workflow_id!r} is not in the journal any more", type="ChildNotFound"
    )
    known: Facts = {"workflow_type": command.name, "workflow_id": command.workflow_id, "run_id": ""}
    cause = to_failure(gone, tools.converter)
    return ChildFailed(item, Failure(FailureKind.CHILD_WORKFLOW, "child workflow failed", cause=cause, facts=known))
