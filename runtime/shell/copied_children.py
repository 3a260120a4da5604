"""The children that a run had at the turn another one goes on from: who waits for them now."""

from __future__ import annotations

from ...storage import RunHeader
from ..core.commands import StartChild
from ..core.messages import ChildCompleted, ChildFailed, ChildStarted, ChildStartFailed, Message
from ..model.errors import ApplicationError
from ..model.failure_writing import to_failure
from ..model.failures import Facts, Failure, FailureKind
from ..model.run_facts import change_facts, decode_facts
from .copying import Copy
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
        ends: what is told of the others, beside what the source was told itself.

    Args:
        source: the run that they are children of.
        later: what that run was told behind the turns of the copy, or is yet to be told.
    """

    def __init__(self, tools: Tools, source: RunState, copy: Copy, later: list[Message]) -> None:
        self.at_work: dict[int, Peer | None] = {}
        self.ends: list[Message] = []
        runs = copy.run.child_runs | {each.id: each.run_id for each in later if isinstance(each, ChildStarted)}
        told = {each.id for each in later if isinstance(each, (ChildCompleted, ChildFailed, ChildStartFailed))}
        for item, command in copy.run.children.items():
            if item in told:
                continue
            target = open_child(tools, source, command)
            header = None if target is not None else _last_run(tools, command, runs.get(item, ""))
            if target is not None or (header is not None and header.closed_ns is None):
                self.at_work[item] = target
            else:
                self.ends.append(_end(tools, item, command, header))

    def take_over(self, tools: Tools, run_no: int) -> None:
        """Have those at work tell another run of their end, in the open sweep."""
        for target in self.at_work.values():
            if target is not None:
                header = target.run.header
                facts = change_facts(header.facts, parent_run_no=run_no)
                put_header(tools.sweep, target.run, header._replace(facts=facts))


def _last_run(tools: Tools, command: StartChild, run_id: str) -> RunHeader | None:
    """The last run of a child's chain; None if the journal has it no longer."""
    header: RunHeader | None = None
    while run_id:
        run_no = tools.directory.find(command.workflow_id, run_id)
        found = None if run_no is None else tools.directory.header(run_no)
        if found is None:
            break
        header, run_id = found, decode_facts(found.facts).next_run_id
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
