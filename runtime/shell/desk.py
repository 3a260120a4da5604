"""Where callers from outside are heard: each request becomes a message, a question or a refusal, on the dispatcher's
thread."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from ...actors import Clock, Dispatcher, DispatcherClosedError, Future
from ...storage import Journal, RunHeader
from ..core.messages import Message, RunTerminated, WorkflowStarted
from ..model.errors import (
    GreenroomError,
    MailboxFullError,
    RuntimeClosedError,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
    WorkflowNotFoundError,
    WorkflowSuspendedError,
)
from ..model.ids import run_id_of
from ..model.options import (
    WorkflowExecutionStatus,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    WorkflowOptions,
    encode_workflow_options,
)
from ..model.payloads import Converter
from .attempts import Attempts
from .delivery import Delivery
from .describing import describe
from .directory import Directory
from .outcomes import Outcome, ResultFuture, resolve
from .run_state import RunState
from .sweep import Sweep
from .waiters import Waiters
from .workflow_actor import Question, WorkflowActor

__all__ = ["Desk", "StartRequest"]

FLAGS = 0
"""The behaviour flags that new runs get. A replay obeys the flags that stand in its run's start."""

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_FAILED = frozenset(
    {
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELLED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)


class StartRequest(NamedTuple):
    """What a caller wants to be started; ``answer`` makes what the caller gets of the run id."""

    workflow_type: str
    args: bytes
    workflow_id: str
    options: WorkflowOptions
    conflict: WorkflowIDConflictPolicy
    reuse: WorkflowIDReusePolicy
    answer: Callable[[str], Any]


class Desk:
    """Takes requests from any thread.

    Args:
        mailbox_limit: messages that may wait for one run.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        directory: Directory,
        journal: Journal,
        sweep: Sweep,
        waiters: Waiters,
        converter: Converter,
        clock: Clock,
        attempts: Attempts,
        mailbox_limit: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._directory = directory
        self._is_closed = False
        self._sweep = sweep
        self._waiters = waiters
        self._converter = converter
        self._clock = clock
        self._mailbox_limit = mailbox_limit
        self._attempts = attempts
        self._store_uuid = journal.store_uuid.encode()

    # From any thread.

    def start(self, request: StartRequest) -> Future[Any]:
        """Start a workflow; answered once the start is on disk."""
        return self._ask(Future(), self._start, request)

    def execute(self, request: StartRequest, result_type: Any) -> Future[Any]:
        """Start a workflow; gives the outcome of its run. The request's answer must be the run id."""
        return self._ask(ResultFuture(result_type), self._execute, request)

    def send(self, workflow_id: str, run_id: str, message: Message) -> Future[None]:
        """Send a message to an open run; done once its turn is on disk."""
        return self._ask(Future(), self._send, workflow_id, run_id, message)

    def result(self, workflow_id: str, run_id: str, result_type: Any) -> Future[Any]:
        """The outcome of a run, once there is one."""
        return self._ask(ResultFuture(result_type), self._result, workflow_id, run_id)

    def describe(self, workflow_id: str, run_id: str) -> Future[Any]:
        """What is known of a run."""
        return self._ask(Future(), self._describe, workflow_id, run_id)

    def resume(self, workflow_id: str, run_id: str) -> Future[None]:
        """Have a suspended run tried again."""
        return self._ask(Future(), self._resume, workflow_id, run_id)

    def find(self, workflow_id: str, run_id: str) -> Future[tuple[int, RunHeader]]:
        """The number and the header of a run."""
        return self._ask(Future(), self._find, workflow_id, run_id)

    def close(self) -> None:
        """Refuse whatever is asked from now on."""
        self._is_closed = True

    def _ask(self, future: Future[Any], handle: Callable[..., None], *args: Any) -> Future[Any]:
        if self._is_closed:
            future.fail(RuntimeClosedError())
            return future
        try:
            self._dispatcher.call_soon(self._handle, future, handle, args)
        except DispatcherClosedError:
            future.fail(RuntimeClosedError())
        return future

    # On the dispatcher's thread.

    def _handle(self, future: Future[Any], handle: Callable[..., None], args: tuple[Any, ...]) -> None:
        try:
            handle(future, *args)
        except GreenroomError as error:
            future.fail(error)

    def _start(self, future: Future[Any], request: StartRequest, replaced: int | None = None) -> None:
        """Start, if the policies allow it; ``replaced`` is the run that was ended to make room for this start."""
        existing = self._directory.find(request.workflow_id, "")
        header = None if existing is None else self._directory.header(existing)
        if header is not None and existing is not None:
            status = WorkflowExecutionStatus(header.status)
            if status.is_open:
                if not self._may_replace(future, request, existing, header):
                    return
            elif existing != replaced and not _may_reuse(request.reuse, status):
                self._later_fail(
                    future, WorkflowAlreadyStartedError(header.workflow_id, header.run_id, header.workflow_type)
                )
                return
        self._begin(future, request)

    def _execute(self, future: ResultFuture, request: StartRequest) -> None:
        started: Future[str] = Future()
        started.add_done_callback(lambda done: self._started(done, future, request.workflow_id))
        self._start(started, request)

    def _started(self, started: Future[str], future: ResultFuture, workflow_id: str) -> None:
        error = started.exception()
        if error is not None:
            future.fail(error)
        else:
            self._handle(future, self._result, (workflow_id, started.get()))

    def _may_replace(self, future: Future[Any], request: StartRequest, run_no: int, header: RunHeader) -> bool:
        """What becomes of a start whose workflow id is that of an open run."""
        if request.conflict is WorkflowIDConflictPolicy.USE_EXISTING:
            self._later_set(future, request.answer(header.run_id))
            return False
        if request.conflict is WorkflowIDConflictPolicy.FAIL and (
            request.reuse is not WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
        ):
            error = WorkflowAlreadyStartedError(header.workflow_id, header.run_id, header.workflow_type)
            self._later_fail(future, error)
            return False
        actor = self._directory.of_run(run_no)
        if actor is not None and actor.is_open:
            # The new run begins when the old one has ended; another start may come in between, so everything is asked
            # again.
            ended: Future[None] = Future()
            ended.add_done_callback(lambda done: self._start_again(done, future, request, run_no))
            actor.accept(Delivery(RunTerminated("replaced by a new run of the same workflow id"), ended))
            return False
        return True

    def _start_again(self, ended: Future[None], future: Future[Any], request: StartRequest, run_no: int) -> None:
        error = ended.exception()
        if error is not None and not isinstance(error, WorkflowClosedError):
            future.fail(error)
            return
        self._dispatcher.call_soon(self._handle, future, self._start, (request, run_no))

    def _begin(self, future: Future[Any], request: StartRequest) -> None:
        run_no = self._sweep.batch.new_run_no()
        run_id = run_id_of(self._store_uuid, run_no)
        now_ns = self._clock.now_ns()
        options = request.options
        limits = [each for each in (options.run_timeout_ns, options.execution_timeout_ns) if each is not None]
        header = RunHeader(
            workflow_id=request.workflow_id,
            run_id=run_id,
            workflow_type=request.workflow_type,
            status=int(WorkflowExecutionStatus.RUNNING),
            started_ns=now_ns,
            closed_ns=None,
            deadline_ns=now_ns + min(limits) if limits else None,
            first_run_id=run_id,
            python=PYTHON,
            flags=FLAGS,
            turns=0,
            crc=0,
            options=encode_workflow_options(options),
            outcome=b"",
            note="",
        )
        message = WorkflowStarted(
            request.workflow_type, request.args, request.workflow_id, run_id, run_id, options, PYTHON, FLAGS
        )
        start = Delivery(message, future, answer=request.answer(run_id))
        self._directory.begin(RunState(run_no, header, is_stored=False), start)

    def _send(self, future: Future[None], workflow_id: str, run_id: str, message: Message) -> None:
        actor = self._open_actor(workflow_id, run_id)
        waiting = len(actor.actor_inbox) + len(actor.run.rows)
        if waiting >= self._mailbox_limit and not isinstance(message, RunTerminated):
            raise MailboxFullError(workflow_id, self._mailbox_limit)
        actor.accept(Delivery(message, future))

    def _result(self, future: ResultFuture, workflow_id: str, run_id: str) -> None:
        run_no, header = self._known(workflow_id, run_id)
        status = WorkflowExecutionStatus(header.status)
        if status is WorkflowExecutionStatus.SUSPENDED:
            future.fail(_suspended(header))
        elif status.is_open:
            self._waiters.add(run_no, future)
        else:
            self._sweep.after(resolve, future, self._converter, header, Outcome.decode(header.outcome))
            self._sweep.undo(_fail_now, future)

    def _describe(self, future: Future[Any], workflow_id: str, run_id: str) -> None:
        run_no, header = self._known(workflow_id, run_id)
        actor = self._directory.of_run(run_no)
        if actor is None:
            closed = RunState(run_no, header, is_stored=True)
            self._later_set(future, describe(closed, self._attempts))
            return
        actor.ask(Question(WorkflowActor.describe, future))

    def _resume(self, future: Future[None], workflow_id: str, run_id: str) -> None:
        actor = self._open_actor(workflow_id, run_id)
        actor.resume()
        future.set(None)

    def _find(self, future: Future[tuple[int, RunHeader]], workflow_id: str, run_id: str) -> None:
        self._later_set(future, self._known(workflow_id, run_id))

    def _known(self, workflow_id: str, run_id: str) -> tuple[int, RunHeader]:
        run_no = self._directory.find(workflow_id, run_id)
        header = None if run_no is None else self._directory.header(run_no)
        if run_no is None or header is None:
            raise WorkflowNotFoundError(workflow_id, run_id or None)
        return run_no, header

    def _open_actor(self, workflow_id: str, run_id: str) -> WorkflowActor:
        run_no, header = self._known(workflow_id, run_id)
        actor = self._directory.of_run(run_no)
        if actor is None:
            status = WorkflowExecutionStatus(header.status)
            raise WorkflowClosedError(header.workflow_id, header.run_id, status.name)
        return actor

    def _later_set(self, future: Future[Any], value: Any) -> None:
        """Answer with something that an open sweep may have decided: not before it is on disk."""
        self._sweep.after(future.set, value)
        self._sweep.undo(_fail_now, future)

    def _later_fail(self, future: Future[Any], error: GreenroomError) -> None:
        self._sweep.after(_fail_now, future, error)
        self._sweep.undo(_fail_now, future)


def _may_reuse(policy: WorkflowIDReusePolicy, status: WorkflowExecutionStatus) -> bool:
    if policy is WorkflowIDReusePolicy.REJECT_DUPLICATE:
        return False
    return policy is not WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY or status in _FAILED


def _suspended(header: RunHeader) -> WorkflowSuspendedError:
    reason = header.note.strip().rpartition("\n")[2]
    return WorkflowSuspendedError(header.workflow_id, header.run_id, reason, stack=header.note)


def _fail_now(future: Future[Any], error: GreenroomError) -> None:
    if not future.done():
        future.fail(error)
