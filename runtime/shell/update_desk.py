"""Where callers from outside are heard who want an update, with a start or without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...actors import Future
from ...storage import RunHeader
from ..core.messages import UpdateReceived, pinned
from ..model.errors import MailboxFullError, WorkflowUpdateNotFoundError
from ..model.options import WorkflowIDConflictPolicy, WorkflowUpdateStage
from ..model.run_facts import decode_facts
from ..model.values import changed
from .admitting import admit
from .delivery import Delivery, Question
from .directory import Directory
from .standing_errors import closed_error
from .starting import StartRequest, Starts
from .sweep import fail_if_pending
from .targets import Target
from .tools import Tools
from .update_outcomes import was_left
from .updating import UpdateWaiter
from .workflow_actor import WorkflowActor

__all__ = ["UpdateDesk"]


class UpdateDesk:
    """Asks runs for updates; used on the dispatcher's thread only.

    Args:
        known: finds the run that is meant, by number and header.
        again: has a caller heard again, with the function that does it and its arguments.
        mailbox_limit: messages that may wait for one run.
    """

    def __init__(
        self,
        directory: Directory,
        starts: Starts,
        tools: Tools,
        *,
        known: Callable[[Target], tuple[int, RunHeader]],
        again: Callable[[Future[Any], Callable[..., None], tuple[Any, ...]], None],
        mailbox_limit: int,
    ) -> None:
        self._directory = directory
        self._starts = starts
        self._tools = tools
        self._sweep = tools.sweep
        self._known = known
        self._again = again
        self._mailbox_limit = mailbox_limit

    def update(self, future: Future[Any], target: Target, update: UpdateReceived, waiter: UpdateWaiter) -> None:
        update = pinned(update) if target.run_id else update
        self._update(*self._known(target), update, waiter)

    def _update(self, run_no: int, header: RunHeader, update: UpdateReceived, waiter: UpdateWaiter) -> None:
        actor = self._directory.of_run(run_no)
        updating = self._tools.updating
        if actor is None:
            if not updating.tell_stored(run_no, header, update.update_id, waiter):
                raise closed_error(header)
            return
        if actor.waiting_messages >= self._mailbox_limit:
            raise MailboxFullError(header.workflow_id, self._mailbox_limit)
        if not updating.ask(actor.run, update.update_id, waiter):
            return
        is_known = update.update_id in actor.run.updates or actor.run.has_admitted(update.update_id)
        if waiter.stage is WorkflowUpdateStage.ADMITTED and actor.is_open and not (actor.is_unborn or is_known):
            admit(self._tools, actor, update)
        else:
            actor.accept(Delivery(update))

    def update_with_start(
        self, future: Future[Any], request: StartRequest, update: UpdateReceived, waiter: UpdateWaiter
    ) -> None:
        met = partial(self._update_begun, update, waiter)
        begun = self._starts.requests.begun(request.workflow_id, request.request_id) if request.request_id else None
        if begun is not None:
            met(*begun)
            return
        existing = self._directory.find(request.workflow_id, "")
        header = None if existing is None else self._directory.header(existing)
        if existing is not None and header is not None:
            if self._tools.updating.tell_stored(existing, header, update.update_id, waiter):
                return
            is_used = request.conflict is WorkflowIDConflictPolicy.USE_EXISTING
            if header.closed_ns is None and (is_used or self._has_update(existing, update.update_id)):
                self._update(existing, header, update, waiter)
                return

        def ask(actor: WorkflowActor) -> None:
            self._tools.updating.ask(actor.run, update.update_id, waiter)
            actor.leave(update, self._tools.clock.now_ns())
            self._sweep.after(self._tools.updating.admitted, actor.run, update.update_id)

        started: Future[Any] = Future()
        started.add_done_callback(lambda done: _fail_as(done, future))
        self._starts.start(started, changed(request, then=ask, met=met))

    def _update_begun(self, update: UpdateReceived, waiter: UpdateWaiter, run_no: int, header: RunHeader) -> None:
        """The run that the same request has started before has the update too, or the chain that goes on from it."""
        while header.closed_ns is not None and (next_run_id := decode_facts(header.facts).next_run_id):
            if self._tools.updating.tell_stored(run_no, header, update.update_id, waiter):
                return
            run_no, header = self._known(Target(header.workflow_id, next_run_id))
        self._update(run_no, header, update, waiter)

    def _has_update(self, run_no: int, update_id: str) -> bool:
        """Whether a run has taken an update, or has it in its mailbox."""
        actor = self._directory.of_run(run_no)
        if actor is None:
            return self._tools.updating.is_stored(run_no, update_id)
        return actor.run.has_admitted(update_id) or self._tools.updating.is_known(actor.run, update_id)

    def find_update(self, future: Future[Any], target: Target, update_id: str, waiter: UpdateWaiter) -> None:
        run_no, header = self._taken_along(*self._known(target), update_id)
        while not self._tools.updating.tell_stored(run_no, header, update_id, waiter):
            actor = self._directory.of_run(run_no)
            if actor is not None:
                self._find_in_open(future, target, update_id, waiter, actor)
                return
            next_run_id = decode_facts(header.facts).next_run_id
            if not next_run_id:
                raise WorkflowUpdateNotFoundError(header.workflow_id, header.run_id, update_id)
            # It waited to be taken when the run ended, and has gone on with all other mail.
            run_no, header = self._known(Target(target.workflow_id, next_run_id))

    def _taken_along(self, run_no: int, header: RunHeader, update_id: str) -> tuple[int, RunHeader]:
        """The run whose outcome counts of an update: the run itself, or the one that a reset has had go on with it."""
        if header.closed_ns is None or not was_left(self._tools.updating.stored(run_no, update_id)):
            return run_no, header
        later = header
        while next_run_id := decode_facts(later.facts).next_run_id:
            later_no = self._directory.find(header.workflow_id, next_run_id)
            found = None if later_no is None else self._directory.header(later_no)
            if later_no is None or found is None:
                break
            later, copied = found, decode_facts(found.facts).copied
            if copied is not None and copied.run_id == header.run_id:
                if self._has_update(later_no, update_id):
                    return self._taken_along(later_no, later, update_id)
                break
        return run_no, header

    def _find_in_open(
        self, future: Future[Any], target: Target, update_id: str, waiter: UpdateWaiter, actor: WorkflowActor
    ) -> None:
        def find(actor: WorkflowActor) -> None:
            facts = actor.run.header.facts
            next_run_id = decode_facts(facts).next_run_id if facts else ""
            if next_run_id:
                # The run has ended since it was asked.
                run_id = actor.run.header.run_id if update_id in actor.run.updates else next_run_id
                args = Target(target.workflow_id, run_id), update_id, waiter
                self._sweep.after(self._again, future, self.find_update, args)
            else:
                self._tools.updating.find(actor.run, update_id, waiter)

        actor.ask(Question(find, future, answers_itself=True))


def _fail_as(done: Future[Any], future: Future[Any]) -> None:
    """Where there was no start nobody will hear of what was to follow it."""
    error = done.exception()
    if error is not None:
        fail_if_pending(future, error)
