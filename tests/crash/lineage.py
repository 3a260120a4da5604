"""Where runs come from: the chains that they are links of, whose children they are, and what a link leaves unread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from greenroom.runtime.core.commands import CompleteWorkflow, ContinueAsNew, FailWorkflow
from greenroom.runtime.core.messages import SignalReceived, WorkflowStarted
from greenroom.runtime.model.ids import run_no_of
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.run_facts import RunFacts, decode_facts

from .runs import Run, message_of, token_of

__all__ = ["Lineage", "started_of", "told_of", "waiting_of"]

_converter = Converter()


class Lineage:
    """The runs of a journal, as relatives of each other."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = {run.run_no: run for run in runs}
        self.facts = {run.run_no: decode_facts(run.header.facts) for run in runs}

    @cached_property
    def last_of(self) -> dict[str, Run]:
        """Workflow id → its last run."""
        return {run.header.workflow_id: run for run in self.runs.values()}

    def facts_of(self, run: Run) -> RunFacts:
        """What its header says beside the rest."""
        return self.facts[run.run_no]

    def next_of(self, run: Run) -> Run | None:
        """The run that goes on where this one has ended."""
        return self.runs.get(run_no_of(self.facts[run.run_no].next_run_id) or 0)

    def end_of(self, run: Run) -> Run:
        """The last run of its chain."""
        while (successor := self.next_of(run)) is not None:
            run = successor
        return run

    def meant(self, workflow_id: str, run_id: str | None) -> Run | None:
        """The run whose end is that of a run, or of a workflow: the last one of the chain."""
        last = self.last_of.get(workflow_id)
        if not run_id:
            return last
        run = self.runs.get(run_no_of(run_id) or 0)
        return None if run is None or run.header.run_id != run_id else self.end_of(run)

    def parent_of(self, run: Run) -> Run | None:
        """The run whose child this is."""
        return self.runs.get(self.facts[run.run_no].parent_run_no)

    def unread_of(self, run: Run) -> list[str]:
        """The signals that a relay was told of, did not read, and left to the run that goes on."""
        if run.header.workflow_type != "Relay" or self.next_of(run) is None:
            return []
        return told_of(run)[_read_in(run) :]


def started_of(run: Run) -> WorkflowStarted | None:
    """The first message of a run, wherever it stands; None if the run was ended before it could have one."""
    delayed = decode_facts(run.header.facts).delayed
    first = [step.message for step in run.steps[:1]]
    for message in [*first, *([message_of(delayed)] if delayed else []), *waiting_of(run)]:
        if isinstance(message, WorkflowStarted):
            return message
    return None


def waiting_of(run: Run) -> list[object]:
    """The messages that wait for a run on disk, oldest first."""
    return [message_of(mail.message) for mail in run.items.mail]


def told_of(run: Run) -> list[str]:
    """The signals that a run was told of."""
    return [token_of(step.message.args) for step in run.steps if isinstance(step.message, SignalReceived)]


def read_by(run: Run) -> list[str]:
    """The tokens that the runs of a relay had read when this one ended, as it says itself."""
    for command in run.steps[-1].commands if run.steps else ():
        match command:
            case ContinueAsNew():
                return list(_converter.decode_args(command.args, None)[-1])
            case CompleteWorkflow():
                return list(_converter.decode(command.result))
            case FailWorkflow():
                here = command.failure.message
                return [*read_before(run), *told_of(run)[: int(here) if here.isdigit() else 0]]
            case _:
                pass
    return read_before(run)


def read_before(run: Run) -> list[str]:
    """The tokens that a relay's run begins with."""
    started = started_of(run)
    return [] if started is None else list(_converter.decode_args(started.args, None)[-1])


def _read_in(run: Run) -> int:
    return len(read_by(run)) - len(read_before(run))
