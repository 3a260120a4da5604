"""What is told to who has asked a query that was not answered."""

from __future__ import annotations

from ...storage import RunHeader
from ..core.bugs import beneath
from ..core.handler_table import HandlerError
from ..model.errors import ApplicationError, GreenroomError, ReadOnlyContextError, WorkflowQueryFailedError
from ..model.failure_reading import to_exception
from ..model.failure_writing import to_failure
from ..model.payload_converter import PayloadConverter
from .delivery import Query

__all__ = ["query_failure"]


def query_failure(
    query: Query, header: RunHeader, error: Exception, converter: PayloadConverter
) -> WorkflowQueryFailedError:
    """Why there is no answer.

    Args:
        error: what came of asking; of a handler that has raised something, that is its cause.
    """
    raised = error.__cause__ if isinstance(error, HandlerError) else beneath(error)
    cause: BaseException
    if isinstance(raised, ReadOnlyContextError):
        cause, reason = ReadOnlyContextError(raised.action, raised.context), str(raised)
    elif isinstance(raised, GreenroomError) and not isinstance(error, HandlerError):
        # Of our making: without the frames of the run, which would be kept by whoever keeps the error.
        cause, reason = raised.with_traceback(None), str(raised)
        cause.__cause__ = cause.__context__ = None
    else:
        try:
            failure = to_failure(raised or error, converter)
            cause, reason = to_exception(failure, converter), failure.headline
        except BaseException as fault:
            # Some exceptions cannot be described; who has asked must still hear of it.
            reason = f"it raised {type(raised or error).__name__}, which cannot be described"
            cause = ApplicationError(f"{reason} ({type(fault).__name__})", type=type(raised or error).__name__)
    failed = WorkflowQueryFailedError(header.workflow_id, query.name, reason)
    failed.__cause__ = cause
    return failed
