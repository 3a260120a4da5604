"""How a run ends, and how its updates do: results and failures as the last commands of a turn."""

from __future__ import annotations

from typing import Any

from ..model.definitions import WorkflowDefinition
from ..model.errors import PayloadDecodeError
from ..model.failure_groups import is_cancellation, one_failure
from ..model.failure_writing import MAX_MESSAGE, to_failure
from ..model.misfits import result_misfit
from ..model.payload_converter import PayloadConverter
from ..model.texts import clipped
from .awaitables import explain
from .commands import CancelWorkflow, CompleteUpdate, CompleteWorkflow, FailWorkflow
from .messages import UpdateReceived
from .tasks import RunPutAway
from .turn_book import TurnBook

__all__ = ["Endings"]


class Endings(TurnBook):
    """What closes a run or an update; what comes after that is dropped.

    Args:
        failure_types: exceptions that are failures; all others are bugs.
    """

    __slots__ = ("_cancel_reason", "_failure_types")

    def __init__(self, converter: PayloadConverter, failure_types: tuple[type[BaseException], ...]) -> None:
        super().__init__(converter)
        self._failure_types = failure_types
        # Why the run was asked to end, once it was.
        self._cancel_reason: str | None = None

    def raised(self, error: BaseException) -> None:
        """The main function, a handler or a callback let out ``error``: a failure closes the run, the rest is a bug. A
        cancellation that was asked for closes it as cancelled."""
        failure = self._failure_in(error)
        if failure is None:
            return
        # From before handlers ended a run by this rule too, a history may have a failure: that stands.
        has_failed = any(each.__class__ is FailWorkflow for each in self._recorded or ())
        if self._cancel_reason is not None and is_cancellation(error) and not has_failed:
            self.cancelled(failure)
        else:
            self.fail(failure)

    def update_raised(self, update: UpdateReceived, error: BaseException) -> None:
        """The handler of an update let out ``error``: a failure is the outcome of the update, the rest is a bug."""
        failure = self._failure_in(error)
        if failure is not None:
            self.update_failed(update, failure)

    def is_failure(self, error: BaseException) -> bool:
        """Whether an exception would close the run; any other one is a bug, or no error at all."""
        return isinstance(one_failure(error, self._failure_types), self._failure_types)

    def _failure_in(self, error: BaseException) -> BaseException | None:
        """The failure that an exception is; a bug is noted."""
        if self.put_away or isinstance(error, RunPutAway):
            return None
        explain(error)
        error = one_failure(error, self._failure_types)
        if isinstance(error, self._failure_types):
            return error
        if self._bug is None:
            self._bug = error
        return None

    def complete(self, result: object, definition: WorkflowDefinition) -> None:
        """Close the run with a result, unless it is closed.

        Raises:
            PayloadDecodeError: it does not fit the annotation of the workflow.
        """
        if self.closing is None:
            data = self._converter.encode(result)
            # A result that the history has stands, whatever the code or this release says of it now.
            if not (self._recorded and self._recorded[-1].__class__ is CompleteWorkflow):
                self._check("workflow", definition.name, result, data, definition.signature.result_type)
            self.closing = CompleteWorkflow(0, "", "", data)

    def fail(self, error: BaseException) -> None:
        """Close the run with a failure, unless it is closed."""
        if self.closing is None:
            self.closing = FailWorkflow(0, "", "", to_failure(error, self._converter))

    def cancelled(self, error: BaseException) -> None:
        """Close the run as cancelled, unless it is closed; its failure tells why that was asked for."""
        if self.closing is None:
            failure = to_failure(error, self._converter)
            reason = clipped(self._cancel_reason or "", MAX_MESSAGE)
            self.closing = CancelWorkflow(0, "", "", failure.because(reason) if reason else failure)

    def update_returned(self, update: UpdateReceived, result: object, result_type: Any) -> None:
        """Give an update its result.

        Raises:
            PayloadError: it cannot be stored, or does not fit the annotation of the handler.
        """
        number = self._next("")
        if self._recorded is not None and self._repeats(number, CompleteUpdate, update.name):
            # A result that the history has stands, whatever the code or this release says of it now.
            return
        data = self._converter.encode(result)
        self._check("update", update.name, result, data, result_type)
        # Also if the main function has ended meanwhile, in this turn: then it was in time.
        self._turn[number] = CompleteUpdate(number, update.name, "", update.update_id, data)

    def update_failed(self, update: UpdateReceived, error: BaseException) -> None:
        """Give an update the failure that its handler has let out."""
        number = self._next("")
        if self._recorded is None or not self._repeats(number, CompleteUpdate, update.name):
            failure = to_failure(error, self._converter)
            self._turn[number] = CompleteUpdate(number, update.name, "", update.update_id, b"", failure)

    def _check(self, kind: str, name: str, result: object, data: bytes, hint: Any) -> None:
        try:
            self._converter.check(result, data, hint)
        except Exception as error:  # a user's converter may raise anything
            below = error.__cause__ if isinstance(error, PayloadDecodeError) else error
            raise PayloadDecodeError("", result_misfit(kind, name, result, hint, error)) from below
