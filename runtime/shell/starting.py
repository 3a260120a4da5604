"""How a run begins: what the id policies say of a start, and the header and first message of a new run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from ...actors import Clock, Dispatcher, Future
from ...storage import RunHeader
from ..core.messages import RunTerminated, WorkflowStarted
from ..model.errors import GreenroomError, WorkflowAlreadyStartedError, WorkflowClosedError, WorkflowSuspendedError
from ..model.ids import run_id_of
from ..model.options import (
    WorkflowExecutionStatus,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    WorkflowOptions,
)
from ..model.payloads import Converter
from .delivery import Delivery
from .directory import Directory
from .outcomes import Outcome, ResultFuture, resolve
from .run_state import RunState
from .sweep import Sweep
from .waiters import Waiters
from .workflow_actor import Question

__all__ = ["StartRequest", "Starts"]

FLAGS = 0
"""The behaviour flags that new runs get. A replay obeys the flags that stand in its run's start."""

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_RUNNING = int(WorkflowExecutionStatus.RUNNING)
_FAILED = frozenset(
    {
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELLED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)


class StartRequest(NamedTuple):
    """What a caller wants to be started.

    Attributes:
        workflow_id: empty for a workflow without an id of the caller's: it gets that of its first run.
        options_data: the options as the header keeps them.
        answer: makes what the caller gets of the workflow id and the run id.
    """

    workflow_type: str
    args: bytes
    workflow_id: str
    options: WorkflowOptions
    options_data: bytes
    conflict: WorkflowIDConflictPolicy
    reuse: WorkflowIDReusePolicy
    answer: Callable[[str, str], Any] | None = None


class Starts:
    """Begins runs; used on the dispatcher's thread only."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        directory: Directory,
        store_uuid: str,
        sweep: Sweep,
        waiters: Waiters,
        converter: Converter,
        clock: Clock,
    ) -> None:
        self._dispatcher = dispatcher
        self._directory = directory
        self._store_uuid = store_uuid.encode()
        self._sweep = sweep
        self._waiters = waiters
        self._converter = converter
        self._clock = clock

    def start(self, future: Future[Any], request: StartRequest, replaced: int | None = None) -> None:
        """Start, if the policies allow it.

        Args:
            future: gets the request's answer, or if it is a future of a result, that.
            replaced: the run that was ended to make room for this start.
        """
        existing = self._directory.find(request.workflow_id, "") if request.workflow_id else None
        header = None if existing is None else self._directory.header(existing)
        if existing is None or header is None:
            self._begin(future, request)
        elif header.closed_ns is None:
            self._meet(future, request, existing, header)
        elif existing == replaced or _may_reuse(request.reuse, WorkflowExecutionStatus(header.status)):
            self._begin(future, request)
        else:
            self._sweep.refuse(future, _already_started(header))

    def attach(self, future: ResultFuture, run_no: int, header: RunHeader) -> None:
        """Give a caller the outcome of a run, now or when there is one."""
        if header.status == WorkflowExecutionStatus.SUSPENDED and not self._directory.is_coming_back(run_no):
            error = WorkflowSuspendedError(header.workflow_id, header.run_id, _reason(header.note), stack=header.note)
            self._sweep.refuse(future, error)
        elif header.closed_ns is None:
            self._waiters.add(run_no, future)
        else:
            self._sweep.after(resolve, future, self._converter, header, Outcome.decode(header.outcome))
            self._sweep.undo(_fail, future)

    def _meet(self, future: Future[Any], request: StartRequest, run_no: int, header: RunHeader) -> None:
        """What becomes of a start whose workflow id is that of an open run."""
        if request.conflict is WorkflowIDConflictPolicy.USE_EXISTING:
            self._use(future, request, run_no, header)
        elif (
            request.conflict is WorkflowIDConflictPolicy.TERMINATE_EXISTING
            or request.reuse is WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
        ):
            self._replace(future, request, run_no)
        else:
            self._sweep.refuse(future, _already_started(header))

    def _use(self, future: Future[Any], request: StartRequest, run_no: int, header: RunHeader) -> None:
        if isinstance(future, ResultFuture):
            self.attach(future, run_no, header)
        elif request.answer is not None:
            answer = request.answer(header.workflow_id, header.run_id)
            unborn = self._directory.unborn(header.workflow_id)
            if unborn is None:
                self._sweep.answer(future, answer)
            else:
                # Its start may be for a later sweep, and may not get to disk: this is answered after it, or fails too.
                unborn.ask(Question(lambda actor: answer, future))

    def _replace(self, future: Future[Any], request: StartRequest, run_no: int) -> None:
        actor = self._directory.of_run(run_no)
        if actor is None or not actor.is_open:
            self._begin(future, request)
            return
        # The new run begins when the old one has ended; another start may come first, so everything is asked again.
        ended: Future[None] = Future()
        ended.add_done_callback(lambda done: self._start_again(done, future, request, run_no))
        actor.accept(Delivery(RunTerminated("replaced by a new run of the same workflow id"), ended))

    def _start_again(self, ended: Future[None], future: Future[Any], request: StartRequest, run_no: int) -> None:
        error = ended.exception()
        if error is not None and not isinstance(error, WorkflowClosedError):
            future.fail(error)
        else:
            self._dispatcher.call_soon(self._try_again, future, request, run_no)

    def _try_again(self, future: Future[Any], request: StartRequest, run_no: int) -> None:
        try:
            self.start(future, request, run_no)
        except GreenroomError as error:
            future.fail(error)

    def _begin(self, future: Future[Any], request: StartRequest) -> None:
        run_no = self._sweep.batch.new_run_no()
        run_id = run_id_of(self._store_uuid, run_no)
        workflow_id = request.workflow_id or run_id
        now_ns = self._clock.now_ns()
        options = request.options
        header = RunHeader(
            workflow_id=workflow_id,
            run_id=run_id,
            workflow_type=request.workflow_type,
            status=_RUNNING,
            started_ns=now_ns,
            closed_ns=None,
            deadline_ns=_deadline(now_ns, options),
            first_run_id=run_id,
            python=PYTHON,
            flags=FLAGS,
            turns=0,
            crc=0,
            options=request.options_data,
            outcome=b"",
            note="",
        )
        message = WorkflowStarted(
            request.workflow_type, request.args, workflow_id, run_id, run_id, options, PYTHON, FLAGS
        )
        if isinstance(future, ResultFuture):
            self._waiters.add(run_no, future)
            start = Delivery(message)
        else:
            answer = None if request.answer is None else request.answer(workflow_id, run_id)
            start = Delivery(message, future, answer=answer)
        self._directory.begin(RunState(run_no, header, is_stored=False), start)


def _reason(note: str) -> str:
    """The line of a traceback that says what happened; what an exception tells may have many lines."""
    told = note.rpartition("Traceback (most recent call last):\n")[2]
    return next((line for line in told.splitlines() if line and not line.startswith(" ")), "")


def _deadline(now_ns: int, options: WorkflowOptions) -> int | None:
    limits = [limit for limit in (options.run_timeout_ns, options.execution_timeout_ns) if limit is not None]
    return now_ns + min(limits) if limits else None


def _may_reuse(policy: WorkflowIDReusePolicy, status: WorkflowExecutionStatus) -> bool:
    if policy is WorkflowIDReusePolicy.REJECT_DUPLICATE:
        return False
    return policy is not WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY or status in _FAILED


def _already_started(header: RunHeader) -> WorkflowAlreadyStartedError:
    return WorkflowAlreadyStartedError(header.workflow_id, header.run_id, header.workflow_type)


def _fail(future: Future[Any], error: GreenroomError) -> None:
    if not future.done():
        future.fail(error)
