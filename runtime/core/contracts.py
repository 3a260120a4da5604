"""What a replay cannot read any more: the code wants other types than those that the history was written with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.errors import ContractError
from ..model.misfits import argument_contract, result_contract
from ..model.signatures import Signature
from .child_handles import ChildWorkflowHandle
from .commands import Command
from .handles import ActivityHandle, PendingHandle
from .messages import SignalReceived, UpdateReceived, WorkflowStarted
from .versions import Versions

__all__ = ["Contracts"]


class Contracts(Versions):
    """A run that tells which contract has changed, where its history does not fit its code for that reason.

    What does not fit is only noted. Code may have been able to go on without it, when it was recorded as well as now.
    """

    __slots__ = ()

    def dead_letter(self, signal: SignalReceived, reason: str) -> None:
        if self._recorded is not None:
            self._note_call("signal", signal, self._signals.hearing(signal.name), reason)
        super().dead_letter(signal, reason)

    def _note_start(self, message: WorkflowStarted, signature: Signature, reason: object) -> None:
        what, names, hints = f"workflow {message.workflow_type!r}", signature.names, signature.arg_types
        self._note_misfit(reason, lambda: argument_contract(what, names, hints, self._plain_args(message.args), reason))

    def _note_update(self, update: UpdateReceived, reason: object) -> None:
        """The code does not take an update that the run has taken."""
        handler = self._handling.updates.hearing(update.name)
        if handler is not None:
            self._note_call("update", update, handler, reason)

    def _note_call(self, kind: str, message: Any, handler: Any, reason: object) -> None:
        names, hints = ((), None) if handler is None else (handler.arg_names, handler.arg_types)
        what = f"{kind} {message.name!r} of workflow {self.started.workflow_type!r}"
        self._note_misfit(reason, lambda: argument_contract(what, names, hints, self._plain_args(message.args), reason))

    def _note_result(self, handle: PendingHandle[Any], data: bytes, error: Exception) -> None:
        what = f"child workflow {handle.workflow_id!r}" if isinstance(handle, ChildWorkflowHandle) else ""
        what = f"activity {handle.name!r}" if isinstance(handle, ActivityHandle) else what
        self._note_misfit(error, lambda: result_contract(what, handle.result_type, self._plain(data), error))

    def _arguments(self, message: WorkflowStarted, signature: Signature) -> list[Any]:
        """What the run was started with, as its code takes it."""
        try:
            args = self._converter.decode_args(message.args, signature.arg_types)
        except Exception as error:
            self._note_start(message, signature, error)
            raise
        if self._recorded is not None and (problem := signature.problem_with(args)) is not None:
            self._note_start(message, signature, f"it {problem}")
        return args

    def _tell_misfit(self, recorded: Sequence[Command], error: Exception) -> None:
        """Raise what has been noted, if the turn of these commands cannot be replayed because of it.

        Raises:
            ContractError: from ``error``.
        """
        if self._misfit is not None:
            turn, reason, words = self._misfit
            if turn is recorded or (self._bug is not None and self._bug is reason):
                started = self.started
                raise ContractError(
                    "", f"run {started.run_id} of workflow {started.workflow_id!r}: {words()}"
                ) from error

    def _plain_args(self, data: bytes) -> Any:
        try:
            return self._converter.decode_args(data, None)
        except Exception:  # a user's converter may raise anything
            return None

    def _plain(self, data: bytes) -> Any:
        try:
            return self._converter.decode(data)
        except Exception:  # as above
            return f"{len(data)} bytes"
