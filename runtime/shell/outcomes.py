"""How a run ended, as the header keeps it, and how those who wait for it are told."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ...actors import Future
from ...storage import RunHeader
from ..core.commands import CompleteWorkflow, FailWorkflow, decode_commands, encode_commands
from ..model.definitions import WorkflowDefinition
from ..model.errors import InternalError, WorkflowContinuedAsNewError, WorkflowFailureError
from ..model.failure_reading import to_exception
from ..model.failures import Failure
from ..model.ids import run_no_of
from ..model.options import WorkflowExecutionStatus
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from ..model.run_facts import decode_facts
from ..model.values import Value
from .waiters import Waiters

__all__ = ["AS_DECLARED", "Outcome", "Refusal", "ResultFuture", "give", "release_outcome", "resolve"]


class _AsDeclared:
    """The type of a result that nobody has named."""


AS_DECLARED: Any = _AsDeclared
"""The type that the workflow is annotated with, if it is declared here; plain data if it is not."""


class ResultFuture(Future[Any]):
    """A future of a run's result.

    Attributes:
        result_type: what type the result has.
        follows_runs: whether it is that of the run that goes on, where one does.
    """

    __slots__ = ("follows_runs", "result_type")

    def __init__(self, result_type: Any = AS_DECLARED, *, follows_runs: bool = True) -> None:
        super().__init__()
        self.result_type = result_type
        self.follows_runs = follows_runs


class Refusal(Enum):
    """Why a run has not taken an update; the values are stored."""

    REJECTED = "rejected"
    BUG = "bug"


_REFUSALS = {refusal.value: refusal for refusal in Refusal}


class Outcome(Value, frozen=True):
    """A result (payload) or a failure; of an update also why it was not taken, if that is so."""

    result: bytes = b""
    failure: Failure | None = None
    refusal: Refusal | None = None

    def encode(self) -> bytes:
        """The bytes that the header keeps."""
        if self.failure is not None:
            name = "" if self.refusal is None else self.refusal.value
            return encode_commands([FailWorkflow(0, name, "", self.failure)])
        return encode_commands([CompleteWorkflow(0, "", "", self.result)])

    @classmethod
    def decode(cls, data: bytes) -> Outcome:
        """Read what ``encode`` made."""
        match decode_commands(data):
            case [CompleteWorkflow(result=result)]:
                return cls(result=result)
            case [FailWorkflow(failure=failure, name=name)]:
                return cls(failure=failure, refusal=_REFUSALS.get(name))
            case other:
                raise InternalError(f"a closed run's header holds {other!r} as its outcome")


def resolve(
    future: Future[Any],
    converter: PayloadConverter,
    workflows: Registry[WorkflowDefinition],
    header: RunHeader,
    outcome: Outcome,
) -> None:
    """Tell one who waits.

    Args:
        workflows: those that are declared here.
    """
    if header.status == WorkflowExecutionStatus.CONTINUED_AS_NEW:
        next_run_id = decode_facts(header.facts).next_run_id
        future.fail(WorkflowContinuedAsNewError(header.workflow_id, header.run_id, next_run_id))
        return
    if outcome.failure is not None:
        cause = to_exception(outcome.failure, converter)
        future.fail(WorkflowFailureError(header.workflow_id, header.run_id, cause=cause))
        return
    definition = workflows.find(header.workflow_type)
    give(future, converter, outcome.result, Any if definition is None else definition.signature.result_type)


def give(future: Future[Any], converter: PayloadConverter, data: bytes, declared: Any = Any) -> None:
    """Give a caller a payload as the type that it has asked for.

    Args:
        declared: the type, if the caller has not named one.
    """
    hint = future.result_type if isinstance(future, ResultFuture) else Any
    try:
        value = converter.decode(data, declared if hint is AS_DECLARED else hint)
    except Exception as error:
        # That it does not fit is the caller's to know, and nothing to what it was made by.
        future.fail(error)
    else:
        future.set(value)


def release_outcome(
    waiters: Waiters,
    converter: PayloadConverter,
    workflows: Registry[WorkflowDefinition],
    run_no: int,
    header: RunHeader,
    outcome: Outcome,
) -> None:
    """Tell everybody who waits for a run that it has ended; they wait on where another run goes on."""
    next_run_no = run_no_of(decode_facts(header.facts).next_run_id)
    for future in waiters.take(run_no):
        if next_run_no is not None and isinstance(future, ResultFuture) and future.follows_runs:
            waiters.add(next_run_no, future)
            continue
        resolve(future, converter, workflows, header, outcome)
