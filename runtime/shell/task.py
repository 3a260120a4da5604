"""One attempt of an activity as it is handed over, and how it ended."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..activity import Info
from ..model.activity_definition import ActivityDefinition
from ..model.errors import ApplicationError
from ..model.failures import Failure
from ..model.misfits import result_misfit
from ..model.values import Value
from .pulse import Pulse

__all__ = [
    "Beats",
    "Completed",
    "Failed",
    "Key",
    "NeverBegan",
    "Outcome",
    "Permit",
    "Task",
    "explained",
    "nowhere_to_run",
    "unfit",
]


Key = tuple[int, int, int]
"""A run's number, the number of the activity in it, and that of the attempt."""


Permit = Callable[["Task", Callable[[bool], None]], object]
Beats = Callable[["Task", Pulse], object]


class Task(Value, frozen=True):
    """One attempt to perform.

    Attributes:
        run_no: the run that waits for it.
        item: the activity within the run.
        definition: what to call.
        args: the payload of the positional arguments.
        info: what the attempt is told of itself.
        permit: asked once the attempt could begin, on its thread or loop: ``permit(task, granted)``. It begins when
            ``granted(True)`` is called, from any thread; after ``granted(False)`` nothing is performed or reported.
        details: payload of what an earlier attempt's last heartbeat said; b"" for nothing.
        beats: told, from any thread, that the attempt has a pulse, or says with it what is not written down.
    """

    run_no: int
    item: int
    definition: ActivityDefinition
    args: bytes
    info: Info
    permit: Permit | None = None
    details: bytes = b""
    beats: Beats | None = None

    @property
    def key(self) -> Key:
        """What names the attempt; no other has the same at that time."""
        return self.run_no, self.item, self.info.attempt


class Completed(Value, frozen=True):
    """An attempt returned; ``result`` is the payload."""

    result: bytes


class Failed(Value, frozen=True):
    """An attempt raised, or could not be called."""

    failure: Failure


class NeverBegan(Value, frozen=True):
    """The application cancelled what was about to begin the attempt: there was none."""


Outcome = Completed | Failed | NeverBegan


def explained(error: BaseException, task: Task, args: list[Any] | None, result: object) -> BaseException:
    """The error to report: one that says so if no attempt of this declaration can ever succeed."""
    if inspect.iscoroutine(result):
        result.close()
        reason = "it returns a coroutine without being async; write it, and any decorator of it, with `async def`"
    elif args is None:
        reason = f"its arguments cannot be decoded: {error}; mend the caller or the declaration"
    elif isinstance(error, TypeError) and (problem := task.definition.problem_with(tuple(args))) is not None:
        reason = f"it {problem}; mend the caller or the declaration"
    else:
        return error
    explained = ApplicationError(
        f"activity {task.definition.name!r} cannot be performed: {reason}",
        type=type(error).__name__,
        non_retryable=True,
    )
    explained.__cause__ = error
    return explained


def nowhere_to_run(task: Task, error: RuntimeError) -> BaseException:
    explained = ApplicationError(
        f"activity {task.definition.name!r} found nowhere to run: {error}; "
        "keep the loop or executor open for as long as the Runtime",
        type="RuntimeError",
    )
    explained.__cause__ = error
    return explained


def unfit(task: Task, result: object, error: Exception) -> BaseException:
    definition = task.definition
    message = result_misfit("activity", definition.name, result, definition.result_type, error)
    return ApplicationError(message, type=type(error).__name__)
