"""Calls the code of one attempt, and tells how it ended: whatever user code raises, an outcome comes out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ..attempt import CURRENT, Attempt
from ..model.errors import ApplicationError, CancelledError
from ..model.failure_writing import to_failure
from ..model.payload_converter import PayloadConverter
from .task import Completed, Failed, Outcome, Task, explained, unfit

__all__ = ["Caller"]

logger = logging.getLogger("greenroom")


class Caller:
    """Calls attempts, on whatever thread or loop it is asked to.

    Args:
        converter: turns payloads into arguments and results into payloads.
        clock: now, in ns since 1970 UTC.

    Attributes:
        drive: brings about what attempts wait for, where no other thread does: ``drive(is_there, seconds)``.
        is_closing: whether an attempt that ends by ``asyncio.CancelledError`` is left to the next opening.
    """

    __slots__ = ("_decode", "_encode", "clock", "converter", "drive", "is_closing")

    def __init__(self, converter: PayloadConverter, clock: Callable[[], int]) -> None:
        self.converter = converter
        self.clock = clock
        self.drive: Callable[[Callable[[], bool], float | None], object] | None = None
        self.is_closing = False
        self._decode = converter.decode_args
        self._encode = converter.encode

    def call(self, attempt: Attempt, task: Task) -> Outcome | None:
        """Perform a sync attempt here.

        Returns:
            How it ended; None if it has no outcome, since it has ended early because this is closing.
        """
        args: list[Any] | None = None
        result: object = None
        try:
            try:
                args = self._begin(attempt, task)
                attempt.begin()
                result = task.definition.fn(*args)
                attempt.end()
                return self._returned(task, result)
            except BaseException as error:
                attempt.end()
                if self.is_closing and isinstance(error, asyncio.CancelledError) and attempt.cancellation is None:
                    return None
                # Whatever user code raises, SystemExit included, is how this attempt ended and nothing more.
                return self._raised(error, task, args, result)
        except CancelledError as late:
            # An interruption that came while it was already seen how the code has ended.
            return self.failed(late)

    async def call_on_loop(self, attempt: Attempt, task: Task) -> Outcome | None:
        """Perform an async attempt in the task that awaits this; gives what ``call`` gives."""
        args: list[Any] | None = None
        result: object = None
        try:
            args = self._begin(attempt, task)
            result = await task.definition.fn(*args)
            return self._returned(task, result)
        except asyncio.CancelledError as error:
            if attempt.cancellation is not None:
                return self.failed(error)
            # By an application that ends its loop, mostly.
            return None if self.is_closing else self.failed(_cancelled_outside())
        except GeneratorExit:
            # Its loop has dropped it, and a collector may be what runs this: no time to look at frames and sources.
            return self.failed(ApplicationError("it was dropped by its event loop", type="GeneratorExit"))
        except BaseException as error:
            return self._raised(error, task, args, result)

    def _raised(self, error: BaseException, task: Task, args: list[Any] | None, result: object) -> Failed:
        """The outcome of an attempt whose code has let out ``error``."""
        outcome = self.failed(explained(error, task, args, result))
        is_retryable = task.definition.is_retryable
        if is_retryable is None or outcome.failure.non_retryable or outcome.failure.is_cancellation:
            return outcome
        try:
            return outcome if is_retryable(error) else Failed(outcome.failure.final())
        except BaseException:
            # User code too, and no reason to give an activity up for good.
            logger.exception("is_retryable of activity %r failed; it may be tried again", task.definition.name)
            return outcome

    def failed(self, error: BaseException) -> Failed:
        """The outcome of an attempt that has raised, whether or not what it raised can be described."""
        try:
            return Failed(to_failure(error, self.converter))
        except BaseException as fault:
            # Some exceptions cannot be described; the workflow must still hear that the attempt is over.
            reason = f"it raised {type(error).__name__}, which cannot be described ({type(fault).__name__})"
            return Failed(to_failure(ApplicationError(reason, type=type(error).__name__), self.converter))

    def _begin(self, attempt: Attempt, task: Task) -> list[Any]:
        """Make it the attempt that its own code sees from here on; gives the arguments."""
        CURRENT.set(attempt)
        attempt.started_at_ns = self.clock()
        return self._decode(task.args, task.definition.arg_types)

    def _returned(self, task: Task, result: object) -> Outcome:
        """How an attempt ended that returned. A result that does not fit its annotation would stop the workflow for
        good, since what is recorded is never performed again: it is a failure, and the next attempt may do better."""
        data = self._encode(result)
        try:
            self.converter.check(result, data, task.definition.result_type)
        except Exception as error:  # a user's converter may raise anything
            return self.failed(unfit(task, result, error))
        return Completed(data)


def _cancelled_outside() -> ApplicationError:
    """The attempt has failed and may be repeated: nobody who waits for it has cancelled it."""
    return ApplicationError("it was cancelled by the application, not by its workflow", type="CancelledError")
