"""The client side of a runtime: starts workflows, and finds those that were started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack, overload

from ..actors import Future
from .client import WorkflowHandle
from .model.errors import RuntimeClosedError
from .model.ids import check_id, check_run_id
from .shell.hands import Hands
from .shell.outcomes import AS_DECLARED
from .shell.targets import Target
from .start_calls import StartOptions, definition_to_start, identity_of, start_request
from .workflow_declarations import FunctionCoroutine, MethodCoroutine

__all__ = ["WorkflowClient"]

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class WorkflowClient:
    """Starts workflows and finds them, while there are hands to do it."""

    def __init__(self, identity: str | None = None) -> None:
        self._hands: Hands | None = None
        self._identity = identity_of(identity)

    @overload
    def start_workflow(
        self, workflow: Callable[[*Ts], FunctionCoroutine[R]], /, *args: *Ts, **options: Unpack[StartOptions]
    ) -> Future[WorkflowHandle[R]]: ...
    @overload
    def start_workflow(
        self, workflow: Callable[[Any, *Ts], MethodCoroutine[R]], /, *args: *Ts, **options: Unpack[StartOptions]
    ) -> Future[WorkflowHandle[R]]: ...
    @overload
    def start_workflow(
        self, workflow: str | type, /, *args: Any, **options: Unpack[StartOptions]
    ) -> Future[WorkflowHandle[Any]]: ...
    def start_workflow(
        self, workflow: Any, /, *args: object, **options: Unpack[StartOptions]
    ) -> Future[WorkflowHandle[Any]]:
        """Start a workflow; the future gives its handle once the start is on disk.

        Args:
            workflow: its class, its run method, an interface of it, the function, or its registered name.
            *args: the workflow's arguments.
            id: its id; if not given, that of its first run.
            id_conflict_policy: what to do if a run of that id is open: fail (the default), use it, or terminate it.
            id_reuse_policy: what to do if the last run of that id has ended; the default allows another one.
            run_timeout: how long the run may take (seconds or timedelta); then it is closed as timed out.
            execution_timeout: how long the whole chain of runs may take (likewise).
            retry_policy: how often and how soon a run that has failed, or is over its ``run_timeout``, is repeated by
                another one; if not given, it is not.
            start_signal: a signal that goes with the start, both or neither: its name, or a reference to its handler.
                The run hears it before its main function begins. If a run of that id is open it is signalled instead,
                unless ``id_conflict_policy`` says otherwise.
            start_signal_args: the arguments of that signal.
            start_delay: how long after the start the run takes its first turn; a signal or an update ends the delay.
            request_id: the caller's own name for this request, up to 480 bytes, for one that may be sent again: of all
                starts of that id with it only the first starts a run, and the others get that run, open or ended,
                whatever they and the policies say.
            identity: on whose behalf it is started, instead of that of the runtime; so does its handle speak.
            memo: notes by name, which ``describe()`` shows; any values that can be stored. One that is None is none.
            search_attributes: typed values by which runs are found; an empty list is none.
            static_summary: a line for people, of up to 400 characters.
            static_details: more for people, of up to 20,000 characters.

        Raises:
            NotRegisteredError: no such workflow is registered.
            TypeError: it is no workflow, the arguments do not fit it, or there is no such option.
            ValueError: an option that cannot be so, or a name that is that of another workflow here.
            PayloadError: an argument cannot be stored, or is not of the type that its annotation allows.
            RuntimeClosedError: the runtime is not open.

        Raises (from the future):
            WorkflowAlreadyStartedError: the id is taken.
            JournalError: the start could not be written; nothing was started.
        """
        hands = self._opened
        definition = definition_to_start(workflow, hands.workflows)
        hint = definition.signature.result_type

        def handle(workflow_id: str, run_id: str, first_run_id: str) -> WorkflowHandle[Any]:
            target = Target(workflow_id, first_run_id=first_run_id)
            return WorkflowHandle(hands.desk, hands.converter, hands.history, target, run_id, hint, request.identity)

        request = start_request(
            definition, args, options, converter=hands.converter, answer=handle, identity=self._identity
        )
        return hands.desk.start(request)

    @overload
    def execute_workflow(
        self, workflow: Callable[[*Ts], FunctionCoroutine[R]], /, *args: *Ts, **options: Unpack[StartOptions]
    ) -> Future[R]: ...
    @overload
    def execute_workflow(
        self, workflow: Callable[[Any, *Ts], MethodCoroutine[R]], /, *args: *Ts, **options: Unpack[StartOptions]
    ) -> Future[R]: ...
    @overload
    def execute_workflow(self, workflow: str | type, /, *args: Any, **options: Unpack[StartOptions]) -> Future[Any]: ...
    def execute_workflow(self, workflow: Any, /, *args: object, **options: Unpack[StartOptions]) -> Future[Any]:
        """Start a workflow and give what it returns: ``start_workflow`` and ``result`` in one call.

        Args:
            workflow, *args, **options: those of ``start_workflow``.

        Raises:
            NotRegisteredError, TypeError, ValueError, PayloadError, RuntimeClosedError: as for ``start_workflow``.

        Raises (from the future):
            WorkflowAlreadyStartedError, JournalError: as for ``start_workflow``.
            WorkflowFailureError: the run ended without a result; the ``cause`` says how.
            WorkflowSuspendedError: the run is stopped because its code cannot go on.
        """
        hands = self._opened
        definition = definition_to_start(workflow, hands.workflows)
        request = start_request(definition, args, options, converter=hands.converter, identity=self._identity)
        return hands.desk.execute(request, definition.signature.result_type)

    @overload
    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type[R],
        identity: str | None = None,
    ) -> WorkflowHandle[R]: ...
    @overload
    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        identity: str | None = None,
    ) -> WorkflowHandle[Any]: ...
    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: Any = AS_DECLARED,
        identity: str | None = None,
    ) -> WorkflowHandle[Any]:
        """The handle of a workflow by id. Whether there is one is seen when it is used.

        Args:
            workflow_id: the id.
            run_id: the run that is meant, and no other; if not given, the current one.
            first_execution_run_id: the chain that is meant, by its first run: whichever run of it is there, and no
                other workflow that has come to the same id.
            result_type: the type of its result; if not given, what the workflow is annotated with, or plain data if it
                is not declared here.
            identity: on whose behalf the handle speaks, instead of that of the runtime: it stands in the history beside
                each message that is sent by it.

        Raises:
            RuntimeClosedError: the runtime is not open.
            TypeError: an id or the identity is no string.
            ValueError: an id or the identity cannot be one.
        """
        hands = self._opened
        return WorkflowHandle(
            hands.desk,
            hands.converter,
            hands.history,
            Target(
                check_id(workflow_id, "workflow id"),
                check_run_id(run_id),
                check_run_id(first_execution_run_id, "first execution run id"),
            ),
            result_type=result_type,
            identity=identity_of(identity, self._identity),
        )

    @property
    def _opened(self) -> Hands:
        if self._hands is None:
            raise RuntimeClosedError
        return self._hands
