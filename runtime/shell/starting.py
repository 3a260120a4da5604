"""How a run begins: what the id policies say of a start, and the header and first message of a new run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from ...actors import Clock, Dispatcher, Future
from ...storage import RunHeader
from ..core.messages import RunTerminated, SignalReceived, SignalReceivedOnce, encode_message
from ..core.origins import Origin
from ..model.definitions import WorkflowDefinition
from ..model.errors import (
    GreenroomError,
    MailboxFullError,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
    WorkflowNotFoundError,
)
from ..model.ids import is_run_id_of
from ..model.options import (
    WorkflowExecutionStatus,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    WorkflowOptions,
)
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from ..model.run_facts import NO_FACTS, RunFacts, decode_facts
from ..model.values import Value
from .beginning import NewRun, make_run
from .delivery import Delivery, Question
from .directory import Directory
from .outcomes import Outcome, ResultFuture, resolve
from .policies import may_reuse
from .requests import Requests
from .standing_errors import suspended_error
from .sweep import Sweep, fail_if_pending
from .waiters import Waiters
from .workflow_actor import WorkflowActor

__all__ = ["StartRequest", "Starts"]

_REPLACED = "replaced by a new run of the same workflow id"


class StartRequest(Value, frozen=True):
    """What a caller wants to be started.

    Attributes:
        workflow_id: empty for a workflow without an id of the caller's: it gets that of its first run.
        options_data: the options as the header keeps them.
        answer: makes what the caller gets of the workflow id, the run id, and the id of the first run of its chain.
        signal: what the run is told first, or the open run that is used.
        then: called with the actor of a new run, whose birth stands in the open sweep: what it writes is on disk with
            that, or not at all.
        request_id: what the caller calls this request; one that has started a run starts no other. Empty for none.
        identity: on whose behalf it is asked for; empty if that was not said.
        met: called with number and header of the run that the same request has started before; if not given, that run
            is what the caller gets.
    """

    workflow_type: str
    args: bytes
    workflow_id: str
    options: WorkflowOptions
    options_data: bytes
    conflict: WorkflowIDConflictPolicy
    reuse: WorkflowIDReusePolicy
    answer: Callable[[str, str, str], Any] | None = None
    signal: SignalReceived | None = None
    then: Callable[[WorkflowActor], None] | None = None
    request_id: str = ""
    identity: str = ""
    met: Callable[[int, RunHeader], None] | None = None


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
        converter: PayloadConverter,
        workflows: Registry[WorkflowDefinition],
        clock: Clock,
        requests: Requests,
        mailbox_limit: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._directory = directory
        self._store_uuid = store_uuid.encode()
        self._sweep = sweep
        self._waiters = waiters
        self._converter = converter
        self._workflows = workflows
        self._clock = clock
        self.requests = requests
        self._mailbox_limit = mailbox_limit

    def start(self, future: Future[Any], request: StartRequest, replaced: str | None = None) -> None:
        """Start, if the policies allow it.

        Args:
            future: gets the request's answer, or if it is a future of a result, that; it fails with ``ValueError`` if
                the workflow id is one that the journal will give out itself.
            replaced: the chain that was ended to make room for this start, by its first run.
        """
        begun = self.requests.begun(request.workflow_id, request.request_id) if request.request_id else None
        if begun is not None:
            (request.met or partial(self._give, future, request))(*begun)
            return
        existing = self._directory.find(request.workflow_id, "") if request.workflow_id else None
        header = None if existing is None else self._directory.header(existing)
        if existing is None or header is None:
            if is_run_id_of(self._store_uuid, request.workflow_id):
                # The workflow that gets it by itself one day would not be found.
                future.fail(
                    ValueError(f"workflow id {request.workflow_id!r} is kept for a run to come; choose another")
                )
                return
            self._begin(future, request)
        elif header.closed_ns is None:
            self._meet(future, request, existing, header)
        elif header.first_run_id == replaced or may_reuse(request.reuse, WorkflowExecutionStatus(header.status)):
            self._begin(future, request)
        else:
            self.tell(future, existing, partial(_refuse_start, header))

    def tell(self, future: Future[Any], run_no: int, say: Callable[[], Any]) -> None:
        """Tell a caller what is true only if the start of a run gets to disk: after it, or it fails as the start does.

        Args:
            say: gives the answer, or raises it.
        """
        unborn = self._directory.unborn(run_no)
        if unborn is not None:
            unborn.ask(Question(lambda actor: say(), future))
            return
        try:
            answer = say()
        except GreenroomError as error:
            self._sweep.refuse(future, error)
        else:
            self._sweep.answer(future, answer)

    def end_of_chain(self, run_no: int, header: RunHeader) -> tuple[int, RunHeader]:
        """The last run of the chain of a run that has ended, by number and header.

        Raises:
            WorkflowNotFoundError: the run that goes on was deleted.
        """
        directory = self._directory
        while next_run_id := decode_facts(header.facts).next_run_id:
            # Chains may be long, and the run that is sought is mostly the current one.
            current = directory.find(header.workflow_id, "")
            found = None if current is None else directory.header(current)
            if current is not None and found is not None and found.first_run_id == header.first_run_id:
                return current, found
            following = directory.find(header.workflow_id, next_run_id)
            found = None if following is None else directory.header(following)
            if following is None or found is None:
                # It was deleted, and with it what would lead on.
                raise WorkflowNotFoundError(header.workflow_id, next_run_id)
            run_no, header = following, found
        return run_no, header

    def attach(self, future: ResultFuture, run_no: int, header: RunHeader) -> None:
        """Give a caller the outcome of a run, now or when there is one; that of the last run of its chain, unless the
        caller does not want that."""
        if future.follows_runs and header.closed_ns is not None:
            run_no, header = self.end_of_chain(run_no, header)
        if header.status == WorkflowExecutionStatus.SUSPENDED and not self._directory.is_coming_back(run_no):
            self._sweep.refuse(future, suspended_error(header))
        elif header.closed_ns is None:
            self._waiters.add(run_no, future)
        else:
            outcome = Outcome.decode(header.outcome)
            self._sweep.after(resolve, future, self._converter, self._workflows, header, outcome)
            self._sweep.undo(fail_if_pending, future)

    def _meet(self, future: Future[Any], request: StartRequest, run_no: int, header: RunHeader) -> None:
        """What becomes of a start whose workflow id is that of an open run."""
        if request.conflict is WorkflowIDConflictPolicy.USE_EXISTING:
            self._use(future, request, run_no, header)
        elif (
            request.conflict is WorkflowIDConflictPolicy.TERMINATE_EXISTING
            or request.reuse is WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
        ):
            self._replace(future, request, run_no, header.first_run_id)
        else:
            self.tell(future, run_no, partial(_refuse_start, header))

    def _use(self, future: Future[Any], request: StartRequest, run_no: int, header: RunHeader) -> None:
        if request.signal is not None:
            self._signal(future, request, request.signal, run_no, header)
            return
        self._give(future, request, run_no, header)

    def _give(self, future: Future[Any], request: StartRequest, run_no: int, header: RunHeader) -> None:
        """A run is there, and is what the caller asked for."""
        if isinstance(future, ResultFuture):
            self.attach(future, run_no, header)
        elif request.answer is not None:
            answer = partial(request.answer, header.workflow_id, header.run_id, header.first_run_id)
            self.tell(future, run_no, answer)

    def _signal(
        self, future: Future[Any], request: StartRequest, signal: SignalReceived, run_no: int, header: RunHeader
    ) -> None:
        actor = self._directory.of_run(run_no)
        if actor is None:
            raise WorkflowClosedError(header.workflow_id, header.run_id)
        if actor.waiting_messages >= self._mailbox_limit:
            raise MailboxFullError(header.workflow_id, self._mailbox_limit)
        if request.request_id:
            signal = SignalReceivedOnce(signal.name, signal.args, key=request.request_id, identity=request.identity)
        if isinstance(future, ResultFuture):
            self.attach(future, run_no, header)
            # Nobody hears of the signal by itself: if this sweep is lost it is taken again.
            actor.accept(Delivery(signal, is_lasting=True))
            return
        ids = header.workflow_id, header.run_id, header.first_run_id
        answer = None if request.answer is None else request.answer(*ids)
        actor.accept(Delivery(signal, future, answer=answer))

    def _replace(self, future: Future[Any], request: StartRequest, run_no: int, chain: str) -> None:
        actor = self._directory.of_run(run_no)
        if actor is None or not actor.is_open:
            self._begin(future, request)
            return
        # The new run begins when the old one has ended; another start may come first, so everything is asked again.
        ended: Future[None] = Future()
        ended.add_done_callback(lambda done: self._start_again(done, future, request, chain))
        actor.accept(Delivery(RunTerminated(_REPLACED, identity=request.identity), ended))

    def _start_again(self, ended: Future[None], future: Future[Any], request: StartRequest, chain: str) -> None:
        error = ended.exception()
        if error is not None and not isinstance(error, WorkflowClosedError):
            future.fail(error)
        else:
            self._dispatcher.call_soon(self._try_again, future, request, chain)

    def _try_again(self, future: Future[Any], request: StartRequest, chain: str) -> None:
        if self._directory.closed_by is not None:
            future.fail(self._directory.closed_by)
            return
        try:
            self.start(future, request, chain)
        except GreenroomError as error:
            future.fail(error)

    def _begin(self, future: Future[Any], request: StartRequest) -> None:
        new = NewRun(
            request.workflow_type,
            request.args,
            request.workflow_id,
            request.options,
            request.options_data,
            origin=_origin(request) if request.signal is not None or request.identity else None,
            facts=RunFacts(request_id=request.request_id) if request.request_id else NO_FACTS,
        )
        run, message = make_run(self._sweep, self._store_uuid, self._clock.now_ns(), new)
        if isinstance(future, ResultFuture):
            self._waiters.add(run.run_no, future)
            start = Delivery(message)
        else:
            run_id = message.run_id
            answer = None if request.answer is None else request.answer(message.workflow_id, run_id, run_id)
            start = Delivery(message, future, answer=answer)
        if run.starts_ns is None and request.then is None and not request.request_id:
            self._directory.begin(run, start)
            return
        actor = self._directory.begin_beside(run, message)
        if request.request_id:
            self.requests.begins(run, request.request_id)
        if request.then is not None:
            request.then(actor)
        if not isinstance(future, ResultFuture):
            self._sweep.answer(future, start.answer)


def _origin(request: StartRequest) -> Origin:
    """Where a run comes from that a client starts, if there is something to say of it."""
    signals = () if request.signal is None else (encode_message(request.signal),)
    return Origin(signals=signals, identity=request.identity)


def _refuse_start(header: RunHeader) -> NoReturn:
    raise WorkflowAlreadyStartedError(header.workflow_id, header.run_id, header.workflow_type)
