"""A run begins with the first turns of another one's history: in its place if that is reset, beside it if it is forked.

All of it is written in one transaction, between two sweeps, when every turn of the source is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...actors import Future
from ...storage import RunHeader, StorageError
from ..core.messages import (
    Message,
    RunReset,
    SignalReceived,
    UpdateReceived,
    WorkflowStarted,
    change_start,
    decode_message,
)
from ..core.origins import origin_of_fork, origin_of_reset
from ..model.errors import GreenroomError, WorkflowAlreadyStartedError, WorkflowNotFoundError
from ..model.ids import is_run_id_of, run_no_of
from ..model.options import ResetReapplyType
from ..model.run_facts import NO_FACTS, RunFacts, change_facts, decode_facts
from .begun_as import begun_as
from .copied_beginning import begin_copied
from .copied_children import CopiedChildren
from .copying import CANCEL, SIGNAL, Copy, later_messages, read_copy, turn_to_copy
from .delivery import Delivery, Question
from .directory import Directory
from .headers import put_header
from .journal_seam import public_error
from .mail_rows import leave_row
from .run_state import RunState
from .standing import Standing
from .sweep import fail_if_pending
from .tools import Peer, Tools
from .workflow_actor import WorkflowActor

__all__ = ["CopyRequest", "Resetting"]


class CopyRequest(NamedTuple):
    """What a caller wants of a run.

    Attributes:
        to: the last turn that is copied; or "start", "last".
        reason: a line for people.
        answer: makes what the caller gets of the workflow id, the run id, and the id of the first run of its chain.
        reapply: what of the mail that came later is given to the new run.
        identity: on whose behalf it is asked for; empty for nobody's.
        fork_id: the workflow id of the fork, empty for one without an id of the caller's; None to reset.
    """

    to: int | str
    reason: str
    answer: Callable[[str, str, str], Any]
    reapply: ResetReapplyType = ResetReapplyType.SIGNAL
    fork_id: str | None = None
    identity: str = ""


class _Source(NamedTuple):
    """What is known of the run that is copied.

    Attributes:
        begun: what it was begun as.
        later: what it was told behind that, oldest first.
        mail: what waits to be told.
    """

    run: RunState
    begun: WorkflowStarted
    copy: Copy
    later: list[Message]
    mail: list[Message]
    children: CopiedChildren


class Resetting:
    """Resets and forks runs; used on the dispatcher's thread only."""

    def __init__(self, tools: Tools, directory: Directory) -> None:
        self._tools = tools
        self._directory = directory

    def ask(self, future: Future[Any], run_no: int, header: RunHeader, request: CopyRequest) -> None:
        """Copy a run once it has taken the mail that is there, and its turns are on disk.

        Args:
            header: what is known of it now.
        """
        sweep = self._tools.sweep
        actor = self._directory.of_run(run_no)
        if actor is None:
            sweep.undo(fail_if_pending, future)
            sweep.after(self._copy, future, run_no, header, request)
        else:
            self._ask(actor, future, run_no, header, request)

    def _ask(self, actor: WorkflowActor, future: Future[Any], *asked: Any) -> None:
        after = self._tools.sweep.after
        actor.ask(Question(lambda actor: after(self._copy, future, *asked), future, answers_itself=True))

    def _copy(self, future: Future[Any], run_no: int, header: RunHeader, request: CopyRequest) -> None:
        """Between two sweeps: whoever has taken a turn has it on disk, and nobody takes one until this is there too."""
        tools = self._tools
        try:
            if self._directory.header(run_no) is None:
                raise WorkflowNotFoundError(header.workflow_id, header.run_id)
            ended_no = self._last_run(run_no) if request.fork_id is None else run_no
            for actor in (self._directory.of_run(run_no), self._directory.of_run(ended_no)):
                if actor is not None and actor.standing in (Standing.DORMANT, Standing.REPLAYING, Standing.ENDING):
                    # It was put away since it was asked.
                    self._ask(actor, future, run_no, header, request)
                    return
            source = self._read(self._state(run_no), request)
            if request.fork_id is not None:
                self._check_fork(source, request.fork_id)
        except (ValueError, GreenroomError) as error:
            future.fail(error)
            return
        except StorageError as error:
            future.fail(public_error(error, tools.path))
            return
        try:
            if request.fork_id is None:
                started = self._reset(source, ended_no, request)
            else:
                started = self._fork(source, request, request.fork_id)
            tools.sweep.answer(future, request.answer(started.workflow_id, started.run_id, started.first_run_id))
        except Exception as error:
            # As for a turn: what stands in the batch is not whole.
            tools.sweep.undo(fail_if_pending, future)
            tools.sweep.spoil(error)

    # What there is.

    def _read(self, run: RunState, request: CopyRequest) -> _Source:
        tools, journal = self._tools, self._tools.journal
        last = turn_to_copy(journal, run, request.to)
        copy = read_copy(journal, run, last)
        begun = begun_as(journal, run)
        if not isinstance(begun, WorkflowStarted):
            raise ValueError(f"workflow {run.header.workflow_id!r} (run {run.header.run_id}) was ended before it began")
        later = later_messages(journal, run.run_no, last + 1)
        mail = self._mail(run.run_no)
        _check_answers(copy, [*later, *mail])
        return _Source(run, begun, copy, later, mail, CopiedChildren(tools, run, copy, [*later, *mail]))

    def _mail(self, run_no: int) -> list[Message]:
        found: list[Message] = []
        after = -1
        while page := self._tools.journal.mail(run_no, after=after):
            found += [decode_message(mail.message) for mail in page]
            after = page[-1].seq
        return found

    def _last_run(self, run_no: int) -> int:
        """The run that ends by the reset of a run: that one itself, or one that was to repeat it and has not begun."""
        asked = header = self._state(run_no).header
        while True:
            next_no = run_no_of(decode_facts(header.facts).next_run_id)
            following = None if next_no is None else self._directory.header(next_no)
            if next_no is None or following is None or self._has_begun(next_no, following):
                break
            run_no, header = next_no, following
        current = self._directory.find(header.workflow_id, "")
        # Where no run has the id, those that came later were deleted.
        if current == run_no or (current is None and following is None):
            return run_no
        raise ValueError(
            f"workflow {asked.workflow_id!r} has another run after run {asked.run_id}; reset that one (with a handle "
            "that names no run), or fork this one"
        )

    def _has_begun(self, run_no: int, header: RunHeader) -> bool:
        """Whether a run has a history: its own, or that of the run before with all that was told to that one."""
        first = self._tools.journal.turns(run_no, limit=1)
        has_started = bool(first) and isinstance(decode_message(first[0].message), WorkflowStarted)
        return has_started or decode_facts(header.facts).copied is not None

    def _state(self, run_no: int) -> RunState:
        """What is known of a run that is there, whether it has ended or not."""
        actor = self._directory.of_run(run_no)
        if actor is not None:
            return actor.run
        header = self._directory.header(run_no)
        assert header is not None, "it was found a moment ago"
        return RunState(run_no, header, is_stored=True)

    def _check_fork(self, source: _Source, fork_id: str) -> None:
        if source.children.at_work:
            item = min(source.children.at_work)
            child = source.copy.run.children[item]
            raise ValueError(
                f"workflow {source.run.header.workflow_id!r} cannot be forked at turn {source.copy.last}: its child "
                f"{child.workflow_id!r} had begun by then and has not ended, and stays the child of the original; fork "
                "at a turn before it began, or when it has ended"
            )
        existing = self._directory.find(fork_id, "") if fork_id else None
        header = None if existing is None else self._directory.header(existing)
        if header is not None and header.closed_ns is None:
            raise WorkflowAlreadyStartedError(
                *(header.workflow_id, header.run_id, header.workflow_type),
                advice="it has not ended: give the fork another id, or none for one that is made",
            )
        if header is None and fork_id and is_run_id_of(self._tools.journal.store_uuid.encode(), fork_id):
            raise ValueError(f"workflow id {fork_id!r} is kept for a run to come; choose another")

    # What becomes of it.

    def _reset(self, source: _Source, ended_no: int, request: CopyRequest) -> WorkflowStarted:
        """Have another run go on with the turns.

        Args:
            ended_no: the run that it comes after, which ends if it has not ended.
        """
        tools, run, begun = self._tools, source.run, source.begun
        time_ns = max(tools.clock.now_ns(), run.last_ns)
        known = decode_facts(run.header.facts)
        begun = change_start(begun, first_run_id=run.header.first_run_id, origin=origin_of_reset(begun.origin))
        kept = RunFacts(parent_run_no=known.parent_run_no, parent_item=known.parent_item)
        why = request.reason, request.identity
        peer, started = begin_copied(tools, source.copy, begun, kept, why, time_ns)
        source.children.take_over(tools, peer.run.run_no)
        for message in source.later:
            if source.copy.is_answer(message) or isinstance(message, _REAPPLIED[request.reapply]):
                self._give(source, peer, message, time_ns)
        answers = [each for each in source.mail if source.copy.is_answer(each)]
        for message in (*answers, *source.children.told):
            leave_row(tools, peer, message, time_ns)
        for update_id, outcome in source.copy.updates.items():
            if not outcome:
                tools.updating.move(run.run_no, peer.run.run_no, update_id)
        actor, ended = self._directory.of_run(ended_no), self._state(ended_no)
        if actor is None or not actor.is_open:
            facts = change_facts(ended.header.facts, next_run_id=started.run_id)
            put_header(tools.sweep, ended, ended.header._replace(facts=facts))
        else:
            where = "its start" if source.copy.last < 0 else f"turn {source.copy.last}"
            told = f"reset to {where}: {request.reason}" if request.reason else f"reset to {where}"
            if ended_no != run.run_no:
                self._forget_carried(ended, known.carried)
            actor.end_without_code(Delivery(RunReset(told, started.run_id, request.identity)))
        return started

    def _forget_carried(self, ended: RunState, count: int) -> None:
        """Take out of a run's mail what the run before it had been told of and not read, as its history has that."""
        signals = [seq for seq in sorted(ended.rows) if isinstance(decode_message(ended.rows[seq]), SignalReceived)]
        for seq in signals[:count]:
            self._tools.sweep.batch.take_mail(ended.run_no, seq)
            ended.take_row(seq)

    def _give(self, source: _Source, peer: Peer, message: Message, time_ns: int) -> None:
        if isinstance(message, UpdateReceived):
            self._tools.updating.move(source.run.run_no, peer.run.run_no, message.update_id)
        leave_row(self._tools, peer, message, time_ns)

    def _fork(self, source: _Source, request: CopyRequest, fork_id: str) -> WorkflowStarted:
        """Have another workflow begin with the turns; the run that has them does not hear of it."""
        time_ns = self._tools.clock.now_ns()
        origin = origin_of_fork(source.begun.origin)
        begun = change_start(source.begun, workflow_id=fork_id, first_run_id="", origin=origin)
        why = request.reason, request.identity
        peer, started = begin_copied(self._tools, source.copy, begun, NO_FACTS, why, time_ns)
        for message in (*source.later, *source.mail, *source.children.told):
            if source.copy.is_answer(message):
                leave_row(self._tools, peer, message, time_ns)
        return started


def _check_answers(copy: Copy, later: list[Message]) -> None:
    for (what, _), turn_no in copy.unanswered(later).items():
        if what in (SIGNAL, CANCEL):
            header = copy.run.header
            instead = f"turn {turn_no - 1}, or an earlier one" if turn_no else "'start'"
            raise ValueError(
                f"workflow {header.workflow_id!r} (run {header.run_id}) cannot go on from turn {copy.last}: it had "
                f"sent {what} in turn {turn_no}, and ended before it was told what came of that; take {instead}"
            )


_REAPPLIED: dict[ResetReapplyType, tuple[type[Message], ...]] = {
    ResetReapplyType.NONE: (),
    ResetReapplyType.SIGNAL: (SignalReceived,),
    ResetReapplyType.ALL_ELIGIBLE: (SignalReceived, UpdateReceived),
}
