"""Where callers from outside are heard: each request becomes a message, a question or a refusal, on the dispatcher's
thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ...actors import Dispatcher, DispatcherClosedError, Future
from ...storage import RunHeader
from ..attempt import CURRENT
from ..core.context import current_or_none
from ..core.messages import Message, RunTerminated, UpdateReceived
from ..model.errors import (
    GreenroomError,
    InternalError,
    InWorkflowError,
    JournalForkedError,
    MailboxFullError,
    RuntimeClosedError,
    WorkflowNotFoundError,
    WorkflowUpdateNotFoundError,
)
from ..model.options import QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowUpdateStage
from ..model.run_facts import decode_facts
from .asking import Asking
from .attempts import Attempts
from .delivery import Delivery, PinnedDelivery, Query, Question
from .describing import describe
from .directory import Directory
from .mail_rows import leave_row
from .once import was_heard
from .outcomes import ResultFuture
from .run_state import RunState
from .standing_errors import closed_error
from .starting import StartRequest, Starts
from .sweep import Sweep, fail_if_pending
from .targets import Target
from .tools import Tools
from .updating import UpdateWaiter
from .workflow_actor import WorkflowActor

__all__ = ["Desk"]


class Desk:
    """Takes requests from any thread.

    Args:
        path: where the journal is, for messages.
        mailbox_limit: messages that may wait for one run.
        driver: brings about what callers wait for, where no thread does.
    """

    def __init__(
        self,
        *,
        path: str,
        dispatcher: Dispatcher,
        directory: Directory,
        starts: Starts,
        sweep: Sweep,
        attempts: Attempts,
        asking: Asking,
        tools: Tools,
        mailbox_limit: int,
        driver: Callable[[Future[Any], float | None], None] | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._directory = directory
        self._starts = starts
        self._sweep = sweep
        self._attempts = attempts
        self._asking = asking
        self._tools = tools
        self._mailbox_limit = mailbox_limit
        self._driver = driver
        self._closed_by: GreenroomError | None = None
        self._path = path
        self._process = os.getpid()

    # From any thread.

    def start(self, request: StartRequest) -> Future[Any]:
        """Start a workflow; answered once the start is on disk."""
        return self._ask(Future(), self._starts.start, request)

    def execute(self, request: StartRequest, result_type: Any) -> Future[Any]:
        """Start a workflow; gives the outcome of its run."""
        return self._ask(ResultFuture(result_type), self._starts.start, request)

    def send(self, target: Target, message: Message) -> Future[None]:
        """Send a message to an open run; done once its turn is on disk."""
        return self._ask(Future(), self._send, target, message)

    def result(self, target: Target, result_type: Any, *, follow_runs: bool) -> Future[Any]:
        """The outcome of a run, once there is one; or of the run that goes on in its place."""
        return self._ask(ResultFuture(result_type, follows_runs=follow_runs), self._result, target)

    def describe(self, target: Target) -> Future[Any]:
        """What is known of a run."""
        return self._ask(Future(), self._describe, target)

    def query(
        self,
        target: Target,
        name: str,
        args: bytes,
        condition: QueryRejectCondition,
        result_type: Any,
    ) -> Future[Any]:
        """Ask the code of a run, open or ended."""
        return self._ask(ResultFuture(result_type), self._query, target, name, args, condition)

    def update(self, target: Target, update: UpdateReceived, waiter: UpdateWaiter) -> Future[Any]:
        """Ask for an update of a run; the waiter's future is told how far it has come."""
        return self._ask(waiter.future, self._update, target, update, waiter)

    def update_with_start(self, request: StartRequest, update: UpdateReceived, waiter: UpdateWaiter) -> Future[Any]:
        """Ask for an update of a workflow, which is started first if it is not there."""
        return self._ask(waiter.future, self._update_with_start, request, update, waiter)

    def find_update(self, target: Target, update_id: str, waiter: UpdateWaiter) -> Future[Any]:
        """Wait for an update that the run has already."""
        return self._ask(waiter.future, self._find_update, target, update_id, waiter)

    def resume(self, target: Target) -> Future[None]:
        """Have a stopped run tried again."""
        return self._ask(Future(), self._resume, target)

    def suspend(self, target: Target, reason: str) -> Future[None]:
        """Have an open run make no progress until it is resumed."""
        return self._ask(Future(), self._suspend, target, reason)

    def skip(self, target: Target) -> Future[None]:
        """Have a stopped run tried again without the message that it stopped at."""
        return self._ask(Future(), self._skip, target)

    def find(self, target: Target) -> Future[tuple[int, RunHeader]]:
        """The number and the header of a run."""
        return self._ask(Future(), self._find, target)

    def unheard(self) -> list[tuple[Any, ...]]:
        """What was asked for and no sweep has heard yet, the oldest first: the arguments of each request."""
        return [args[2] for call, args in self._dispatcher.handed_in() if call == self._handle]

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from the one that made it: there is no dispatcher here."""
        return os.getpid() != self._process

    @property
    def is_closed(self) -> bool:
        """Whether everything is refused."""
        return self._closed_by is not None

    def close(self, error: GreenroomError | None = None) -> None:
        """Refuse whatever is asked from now on, with ``error`` or because the runtime is closed."""
        self._closed_by = self._closed_by or error or RuntimeClosedError(was_open=True)

    def _ask(self, future: Future[Any], handle: Callable[..., None], *args: Any) -> Future[Any]:
        if current_or_none() is not None:
            raise InWorkflowError
        if self.is_forked:
            # Before any lock: a thread that no longer exists may hold it.
            future.fail(JournalForkedError(self._path))
            return future
        if self._closed_by is not None:
            future.fail(self._closed_by)
            return future
        if self._driver is not None:
            future.drive_with(self._driver)
        attempt = CURRENT.get(None)
        try:
            if attempt is None:
                self._dispatcher.call_soon(self._handle, future, handle, args)
            else:
                # An activity that is cancelled at this moment must not leave a request half made.
                with attempt.shielded():
                    self._dispatcher.call_soon(self._handle, future, handle, args)
        except DispatcherClosedError:
            future.fail(RuntimeClosedError(was_open=True))
        return future

    # On the dispatcher's thread.

    def _handle(self, future: Future[Any], handle: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self._directory.closed_by is not None:
            # Asked before that became known.
            future.fail(self._directory.closed_by)
            return
        try:
            handle(future, *args)
        except GreenroomError as error:
            future.fail(error)
        except Exception as error:
            # A request that was half seen to must not get to disk, and whoever waits for it must hear of it.
            self._sweep.spoil(error)
            fail_if_pending(future, InternalError(f"a request could not be seen to: {error!r}"))
            raise

    def _send(self, future: Future[None], target: Target, message: Message) -> None:
        run_no, header = self._known(target)
        actor = self._directory.of_run(run_no)
        if actor is None:
            if not was_heard(self._tools, run_no, message):
                raise closed_error(header)
            self._sweep.answer(future, None)
            return
        if actor.waiting_messages >= self._mailbox_limit and not isinstance(message, RunTerminated):
            raise MailboxFullError(target.workflow_id, self._mailbox_limit)
        actor.accept((PinnedDelivery if target.run_id else Delivery)(message, future))

    def _result(self, future: ResultFuture, target: Target) -> None:
        self._starts.attach(future, *self._known(target))

    def _describe(self, future: Future[Any], target: Target) -> None:
        run_no, header = self._known(target)
        actor = self._directory.of_run(run_no)
        if actor is None:
            closed = RunState(run_no, header, is_stored=True)
            self._sweep.answer(future, describe(closed, self._attempts, self._tools.converter))
            return
        actor.ask(Question(WorkflowActor.describe, future))

    def _query(
        self,
        future: ResultFuture,
        target: Target,
        name: str,
        args: bytes,
        condition: QueryRejectCondition,
    ) -> None:
        run_no, header = self._known(target)
        actor = self._directory.of_run(run_no)
        query = Query(self._asking.ask, name, args, condition, future)
        # What waits on disk for a suspended run is no reason not to ask it.
        waiting = self._asking.waiting(run_no) if actor is None else len(actor.actor_inbox)
        if waiting >= self._mailbox_limit:
            raise MailboxFullError(header.workflow_id, self._mailbox_limit)
        if actor is None:
            self._asking.ask_history(query, run_no)
        else:
            actor.ask(query)

    def _update(self, future: Future[Any], target: Target, update: UpdateReceived, waiter: UpdateWaiter) -> None:
        run_no, header = self._known(target)
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
            leave_row(self._tools, actor, update, self._tools.clock.now_ns())
            self._sweep.after(updating.admitted, actor.run, update.update_id)
            self._sweep.undo(updating.fail, run_no, update.update_id)
        else:
            actor.accept(Delivery(update))

    def _update_with_start(
        self, future: Future[Any], request: StartRequest, update: UpdateReceived, waiter: UpdateWaiter
    ) -> None:
        existing = self._directory.find(request.workflow_id, "")
        header = None if existing is None else self._directory.header(existing)
        if existing is not None and header is not None:
            if self._tools.updating.tell_stored(existing, header, update.update_id, waiter):
                return
            is_used = request.conflict is WorkflowIDConflictPolicy.USE_EXISTING
            if header.closed_ns is None and (is_used or self._has_update(existing, update.update_id)):
                self._update(future, Target(request.workflow_id, header.run_id), update, waiter)
                return

        def ask(actor: WorkflowActor) -> None:
            self._tools.updating.ask(actor.run, update.update_id, waiter)
            actor.leave(update, self._tools.clock.now_ns())
            self._sweep.after(self._tools.updating.admitted, actor.run, update.update_id)

        started: Future[Any] = Future()
        started.add_done_callback(lambda done: _fail_as(done, future))
        self._starts.start(started, request._replace(then=ask))

    def _has_update(self, run_no: int, update_id: str) -> bool:
        """Whether an open run has taken an update, or has it in its mailbox."""
        actor = self._directory.of_run(run_no)
        if actor is None:
            return False
        return actor.run.has_admitted(update_id) or self._tools.updating.is_known(actor.run, update_id)

    def _find_update(self, future: Future[Any], target: Target, update_id: str, waiter: UpdateWaiter) -> None:
        run_no, header = self._known(target)
        updating = self._tools.updating
        while not updating.tell_stored(run_no, header, update_id, waiter):
            actor = self._directory.of_run(run_no)
            if actor is not None:
                self._find_in_open(future, target, update_id, waiter, actor)
                return
            next_run_id = decode_facts(header.facts).next_run_id
            if not next_run_id:
                raise WorkflowUpdateNotFoundError(header.workflow_id, header.run_id, update_id)
            # It waited to be taken when the run ended, and has gone on with all other mail.
            run_no, header = self._known(Target(target.workflow_id, next_run_id))

    def _find_in_open(
        self, future: Future[Any], target: Target, update_id: str, waiter: UpdateWaiter, actor: WorkflowActor
    ) -> None:
        def find(actor: WorkflowActor) -> None:
            facts = actor.run.header.facts
            next_run_id = decode_facts(facts).next_run_id if facts and update_id not in actor.run.updates else ""
            if next_run_id:
                # The run has ended since it was asked.
                args = Target(target.workflow_id, next_run_id), update_id, waiter
                self._sweep.after(self._handle, future, self._find_update, args)
            else:
                self._tools.updating.find(actor.run, update_id, waiter)

        actor.ask(Question(find, future, answers_itself=True))

    def _resume(self, future: Future[None], target: Target) -> None:
        actor = self._open_actor(target)
        actor.resume()
        self._starts.tell(future, actor.run.run_no, lambda: None)

    def _suspend(self, future: Future[None], target: Target, reason: str) -> None:
        actor = self._open_actor(target)
        # Behind the mail that is there: the run stands where its last turn has left it.
        actor.ask(Question(lambda actor: actor.pause(reason), future))

    def _skip(self, future: Future[None], target: Target) -> None:
        self._open_actor(target).ask(Question(WorkflowActor.skip, future))

    def _find(self, future: Future[tuple[int, RunHeader]], target: Target) -> None:
        run_no, header = self._known(target)
        # Found again by its own id when it is told: its header may be another by then.
        self._starts.tell(future, run_no, lambda: self._known(Target(header.workflow_id, header.run_id)))

    def _known(self, target: Target) -> tuple[int, RunHeader]:
        directory = self._directory
        run_no = directory.find(target.workflow_id, target.run_id or target.first_run_id)
        header = None if run_no is None else directory.header(run_no)
        if run_no is None or header is None:
            raise WorkflowNotFoundError(target.workflow_id, target.run_id or target.first_run_id or None)
        if target.first_run_id and header.closed_ns is not None:
            return self._starts.end_of_chain(run_no, header)
        return run_no, header

    def _open_actor(self, target: Target) -> WorkflowActor:
        run_no, header = self._known(target)
        actor = self._directory.of_run(run_no)
        if actor is None:
            raise closed_error(header)
        return actor


def _fail_as(done: Future[Any], future: Future[Any]) -> None:
    """Where there was no start nobody will hear of what was to follow it."""
    error = done.exception()
    if error is not None:
        fail_if_pending(future, error)
