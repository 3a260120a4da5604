"""Other workflows, as a run asks for them: children that it starts and waits for, and runs that it asks to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.definitions import WorkflowDefinition
from ..model.errors import NotRegisteredError, WorkflowAlreadyStartedError
from ..model.failures import Failure
from ..model.handler_definitions import handler_name
from ..model.message_calls import checked_call
from ..model.options import ChildWorkflowCancellationType, WorkflowIDReusePolicy, WorkflowOptions
from .child_handles import ChildWorkflowHandle
from .commander import Commander
from .commands import CancelExternal, RequestCancelChild, SignalWithStart, StartChild
from .handles import PendingHandle
from .machines import AWAITED_CHILD, CHILD, EXTERNAL, Event
from .messages import ChildStarted, ChildStartFailed

__all__ = ["Relatives"]

_ABANDON = ChildWorkflowCancellationType.ABANDON
_TRY_CANCEL = ChildWorkflowCancellationType.TRY_CANCEL


class Relatives(Commander):
    """The part of an execution that asks for other workflows."""

    __slots__ = ()

    # What is asked for.

    def start_child(
        self,
        name: str,
        args: tuple[object, ...],
        workflow_id: str,
        options: WorkflowOptions,
        reuse: WorkflowIDReusePolicy,
        result_type: Any,
        declared: WorkflowDefinition | None = None,
    ) -> tuple[PendingHandle[str], ChildWorkflowHandle[Any]]:
        """Start a child; gives what waits for its start, and what waits for its result."""
        number = self._next("starting a child workflow")
        known = declared or self._workflow_named(name)
        if self._recorded is None or not (
            self._repeats(number, StartChild, name)
            or (known is not None and self._repeats_renamed(number, StartChild, name, known))
        ):
            data = self._converter.encode_args(args)
            if declared is not None:
                self._check_start(declared, data)
            new_name = name if known is None else known.name
            self._ask(number, StartChild, new_name, workflow_id, data, options, int(reuse))
        recorded = self._turn.get(number)
        if isinstance(recorded, StartChild):
            # What it means to cancel it is as it was: the history goes by that, whatever the code says now.
            workflow_id, options = recorded.workflow_id, recorded.options
        kind = options.cancellation_type
        is_awaited = kind not in (_ABANDON, _TRY_CANCEL)
        child: ChildWorkflowHandle[Any] = ChildWorkflowHandle(
            self.loop,
            number,
            AWAITED_CHILD if is_awaited else CHILD,
            result_type,
            self._cancel_wait if kind is _ABANDON else self._cancel_child,
            workflow_id,
            self._request_child_cancel if is_awaited else None,
        )
        start: PendingHandle[str] = PendingHandle(
            self.loop, number, EXTERNAL, str, self._leave_start if kind is _ABANDON else self._cancel_start
        )
        self.starting[number] = start
        self.pending[number] = child
        return start, child

    def signal_with_start(
        self,
        signal: str | Callable[..., Any],
        signal_args: tuple[object, ...],
        name: str,
        args: tuple[object, ...],
        workflow_id: str,
        options: WorkflowOptions,
        reuse: WorkflowIDReusePolicy,
        declared: WorkflowDefinition | None = None,
    ) -> PendingHandle[None]:
        """Signal another workflow, which is started if it is not there."""
        told, number = handler_name("signal", signal), self._next("signalling another workflow")
        if self._recorded is None or not self._repeats(number, SignalWithStart, told):
            _, said, _ = checked_call(self._converter, "signal", signal, signal_args)
            data = self._converter.encode_args(args)
            if declared is not None:
                self._check_start(declared, data)
            known = declared or self._workflow_named(name)
            new_name = name if known is None else known.name
            self._ask(number, SignalWithStart, told, workflow_id, said, new_name, data, options, int(reuse))
        handle: PendingHandle[None] = PendingHandle(self.loop, number, EXTERNAL, None, self._cancel_wait)
        self.pending[number] = handle
        return handle

    def cancel_external(self, workflow_id: str, run_id: str, reason: str) -> PendingHandle[None]:
        """Ask another workflow to end."""
        number = self._next("cancelling another workflow")
        self._ask(number, CancelExternal, "", workflow_id, run_id, reason)
        handle: PendingHandle[None] = PendingHandle(self.loop, number, EXTERNAL, None, self._cancel_wait)
        self.pending[number] = handle
        return handle

    def _check_start(self, declared: WorkflowDefinition, data: bytes) -> None:
        """Refuse arguments that do not fit, what nobody here would run, and another workflow that has the name."""
        declared.check(data, self._converter)
        # A replay meets either only if the code has changed, which the comparison tells better.
        if self._workflows is None or self._recorded is not None:
            return
        found = self._workflows.find(declared.name)
        if found is None or found.is_dynamic:
            self.raise_bug(NotRegisteredError("workflow", declared.name, self._workflows.names()))
        if not declared.is_interface and found.place != declared.place:
            self.raise_bug(
                ValueError(
                    f"the workflow refers to {declared.place}, and what would run under the name {declared.name!r} is "
                    f"{found.place}; give one of the two another name with @workflow.defn(name=…)"
                )
            )

    # What is taken back.

    def _leave_start(self, handle: PendingHandle[Any]) -> None:
        """The start is not waited for: nobody gets a handle of the child, so nobody is there to hear of it."""
        self._cancel_wait(handle)
        self._forget_child(handle.id)

    def _cancel_start(self, handle: PendingHandle[Any]) -> None:
        """The wait for the start is given up: so is the child."""
        if not self._request_child_cancel(handle):
            self._turn.pop(handle.id, None)
        self._forget_child(handle.id)

    def _forget_child(self, number: int) -> None:
        self.starting.pop(number, None)
        self.pending.pop(number, None)

    # Whoever has the handle of a child has heard of its start, in an earlier turn: that cannot be taken back.
    def _cancel_child(self, handle: PendingHandle[Any]) -> None:
        self._request_child_cancel(handle)

    def _request_child_cancel(self, handle: PendingHandle[Any]) -> bool:
        """Ask a child to end; False if its start can be taken back, or nothing can be asked for any more."""
        if self.loop.read_only:
            self.loop.refuse_change("cancelling")
        if self.put_away or self.closing is not None or handle.id in self._turn:
            return False
        if not handle.is_cancelling:
            self._ask(handle.id, RequestCancelChild, "", self._cancel_reason or "", key=-handle.id)
        return True

    # What came of it.

    def child_started(self, message: ChildStarted) -> None:
        child = self.pending.get(message.id)
        if isinstance(child, ChildWorkflowHandle):
            child.first_execution_run_id = message.run_id
        start = self.starting.pop(message.id, None)
        if start is not None and not start.done():
            start.set_result(message.run_id)

    def child_start_failed(self, message: ChildStartFailed) -> None:
        self.pending.pop(message.id, None)
        start = self.starting.pop(message.id, None)
        if start is not None and not start.done():
            run_id, workflow_type = message.run_id or None, message.workflow_type or None
            start.set_exception(WorkflowAlreadyStartedError(message.workflow_id, run_id, workflow_type))

    def child_cancel_requested(self, number: int) -> None:
        """The child has been asked to end, which is what was waited for."""
        handle = self.pending.pop(number, None)
        if handle is not None and handle.is_cancelling and not handle.done():
            handle.move(Event.CANCEL)
            handle.end_cancelled("")

    def child_failed(self, number: int, failure: Failure) -> None:
        self.resolve(number, Event.FAIL, failure=failure)
