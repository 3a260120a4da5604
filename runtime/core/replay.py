"""The same questions as the history? What a turn asked for is held against what was recorded: kind, name and id."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..model.errors import NondeterminismError
from .bugs import WorkflowBugError
from .commands import Command, DeadLetterSignal, StartTimer, kind_of

__all__ = ["RUNNING_PYTHON", "compare", "same"]

RUNNING_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def same(produced: Command, recorded: Command) -> bool:
    """Whether the two ask for the same thing."""
    if produced.id != recorded.id or produced.__class__ is not recorded.__class__:
        return False
    return produced.name == recorded.name or isinstance(recorded, StartTimer)


def compare(
    produced: Sequence[Command],
    recorded: Sequence[Command],
    *,
    workflow_id: str,
    run_id: str,
    turn_no: int,
    recorded_python: str,
    bug: BaseException | None = None,
) -> None:
    """Hold the commands of one turn against the recorded ones.

    Args:
        bug: what the code let out in that turn.

    Raises:
        NondeterminismError: with both sides, and where in the code each was asked for; the bug is its cause.
    """
    if len(produced) == len(recorded) and all(map(same, produced, recorded)):
        return
    raise NondeterminismError(
        workflow_id,
        run_id,
        turn_no,
        [_line(command) for command in recorded],
        [_line(command) for command in produced],
        recorded_python=recorded_python,
        running_python=RUNNING_PYTHON,
        raised="" if bug is None else f"{type(bug).__name__}: {WorkflowBugError(bug)}",
    ) from bug


def _line(command: Command) -> str:
    name = f" {command.name!r}" if command.name else ""
    number = f" #{command.id}" if command.id else ""
    site = f" at {command.site}" if command.site else ""
    reason = f": {command.reason}" if isinstance(command, DeadLetterSignal) else ""
    return f"{kind_of(command)}{name}{number}{site}{reason}"
