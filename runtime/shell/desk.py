"""Where callers from outside are heard: each request becomes a message, a question or a refusal, on the dispatcher's
thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...actors import Dispatcher, DispatcherClosedError, Future
from ...storage import RunHeader
from ..attempt import CURRENT
from ..core.context import current_or_none
from ..core.messages import Message, RunTerminated, UpdateReceived, pinned
from ..model.durations import MAX_NS
from ..model.errors import (
    GreenroomError,
    InternalError,
    InWorkflowError,
    JournalForkedError,
    MailboxFullError,
    RuntimeClosedError,
    WorkflowNotFoundError,
)
from ..model.options import QueryRejectCondition
from .asking import Asking
from .attempts import Attempts
from .deleting import Deleting
from .delivery import Delivery, Query, Question
from .directory import Directory
from .later import put_off
from .once import was_heard
from .outcomes import ResultFuture
from .run_state import RunState
from .standing_errors import closed_error
from .starting import StartRequest, Starts
from .sweep import Sweep, fail_if_pending
from .targets import Target
from .tools import Tools
from .update_desk import UpdateDesk
from .updating import UpdateWaiter
from .workflow_actor import WorkflowActor

# What most runtimes never do is loaded when it is done.
if TYPE_CHECKING:
    from .resetting import CopyRequest

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
        deleting: Deleting,
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
        self._deleting = deleting
        self._tools = tools
        self._mailbox_limit = mailbox_limit
        self._driver = driver
        self._closed_by: GreenroomError | None = None
        self._path = path
        self._updates = UpdateDesk(
            directory, starts, tools, known=self._known, again=self._handle, mailbox_limit=mailbox_limit
        )
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

    def send_later(self, target: Target, message: Message, delay_ns: int) -> Future[None]:
        """Have a message come to an open run later; done once it waits on disk."""
        at_ns = min(self._tools.clock.now_ns() + delay_ns, MAX_NS)
        return self._ask(Future(), self._send_later, target, message, at_ns)

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
        return self._ask(waiter.future, self._updates.update, target, update, waiter)

    def update_with_start(self, request: StartRequest, update: UpdateReceived, waiter: UpdateWaiter) -> Future[Any]:
        """Ask for an update of a workflow, which is started first if it is not there."""
        return self._ask(waiter.future, self._updates.update_with_start, request, update, waiter)

    def find_update(self, target: Target, update_id: str, waiter: UpdateWaiter) -> Future[Any]:
        """Wait for an update that the run has already."""
        return self._ask(waiter.future, self._updates.find_update, target, update_id, waiter)

    def resume(self, target: Target, identity: str) -> Future[None]:
        """Have a stopped run tried again."""
        return self._ask(Future(), self._resume, target, identity)

    def suspend(self, target: Target, reason: str, identity: str) -> Future[None]:
        """Have an open run make no progress until it is resumed."""
        return self._ask(Future(), self._suspend, target, reason, identity)

    def skip(self, target: Target, identity: str) -> Future[None]:
        """Have a stopped run tried again without the message that it stopped at."""
        return self._ask(Future(), self._skip, target, identity)

    def copy(self, target: Target, request: CopyRequest) -> Future[Any]:
        """Have another run go on from a turn of a run: in its place, or as a fork."""
        return self._ask(Future(), self._copy, target, request)

    def delete(self, target: Target, *, terminate: bool) -> Future[None]:
        """Delete a run that has ended, or is ended for it."""
        return self._ask(Future(), self._delete, target, terminate)

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

    def _taker(self, future: Future[None], target: Target, message: Message) -> WorkflowActor | None:
        """Who takes a message; None if its run has ended and had heard it before, which the caller is told."""
        run_no, header = self._known(target)
        actor = self._directory.of_run(run_no)
        if actor is None:
            if not was_heard(self._tools, run_no, message):
                raise closed_error(header)
            self._sweep.answer(future, None)
        elif actor.waiting_messages >= self._mailbox_limit and not isinstance(message, RunTerminated):
            raise MailboxFullError(target.workflow_id, self._mailbox_limit)
        return actor

    def _send(self, future: Future[None], target: Target, message: Message) -> None:
        actor = self._taker(future, target, message)
        if actor is not None:
            actor.accept(Delivery(pinned(message) if target.run_id else message, future))

    def _send_later(self, future: Future[None], target: Target, message: Message, at_ns: int) -> None:
        taker = self._taker(future, target, message)
        if taker is None:
            return

        def keep(actor: WorkflowActor) -> None:
            if not actor.is_open:
                # The run has ended since it was asked: another one may be there.
                self._sweep.after(self._handle, future, self._send_later, (target, message, at_ns))
                return
            try:
                put_off(self._tools, actor, message, at_ns, is_pinned=bool(target.run_id))
            except GreenroomError as error:
                self._sweep.refuse(future, error)
            else:
                self._sweep.answer(future, None)

        # In its turn: what waits for it is known then, and whether it is open.
        taker.ask(Question(keep, future, answers_itself=True))

    def _result(self, future: ResultFuture, target: Target) -> None:
        self._starts.attach(future, *self._known(target))

    def _describe(self, future: Future[Any], target: Target) -> None:
        run_no, header = self._known(target)
        actor = self._directory.of_run(run_no)
        if actor is None:
            closed, tools = RunState(run_no, header, is_stored=True), self._tools
            # Loaded when it is used, as all that most runtimes never do.
            from .describing import describe

            self._sweep.answer(future, describe(closed, self._attempts, tools.converter, tools.journal))
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

    def _resume(self, future: Future[None], target: Target, identity: str) -> None:
        actor = self._open_actor(target)
        actor.resume(identity)
        self._starts.tell(future, actor.run.run_no, lambda: None)

    def _suspend(self, future: Future[None], target: Target, reason: str, identity: str) -> None:
        actor = self._open_actor(target)
        # Behind the mail that is there: the run stands where its last turn has left it.
        actor.ask(Question(lambda actor: actor.pause(reason, identity), future))

    def _skip(self, future: Future[None], target: Target, identity: str) -> None:
        self._open_actor(target).ask(Question(lambda actor: actor.skip(identity), future))

    def _copy(self, future: Future[Any], target: Target, request: CopyRequest) -> None:
        # Loaded when it is used, likewise.
        from .resetting import Resetting

        Resetting(self._tools, self._directory).ask(future, *self._known(target), request)

    def _delete(self, future: Future[None], target: Target, terminate: bool) -> None:  # as it was asked
        run_no, _ = self._known(target)

        def again(target: Target) -> None:
            self._handle(future, self._delete, (target, terminate))

        self._deleting.ask(future, run_no, target, again, terminate=terminate)

    def _find(self, future: Future[tuple[int, RunHeader]], target: Target) -> None:
        run_no, header = self._known(target)
        # Found again by its own id when it is told: its header may be another by then.
        self._starts.tell(future, run_no, lambda: self._known(Target(header.workflow_id, header.run_id)))

    def _known(self, target: Target) -> tuple[int, RunHeader]:
        directory = self._directory
        run_no = directory.find(target.workflow_id, target.run_id or target.first_run_id)
        header = None if run_no is None else directory.header(run_no)
        if (run_no is None or header is None) and target.first_run_id:
            # The first run of the chain may have been deleted while another one goes on.
            run_no = directory.find(target.workflow_id, "")
            header = None if run_no is None else directory.header(run_no)
            if header is not None and header.first_run_id != target.first_run_id:
                header = None
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
