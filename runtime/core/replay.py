"""The same questions as the history? What a turn asked for is held against what was recorded: kind, name and id."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import zip_longest

from ..model.errors import NondeterminismError
from .bugs import WorkflowBugError
from .commands import Command, DeadLetterSignal, RecordPatch, RecordVersion, StartTimer, kind_of

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
    too_early: str = "",
) -> None:
    """Hold the commands of one turn against the recorded ones.

    Args:
        bug: what the code let out in that turn.
        too_early: the patch that the code calls deprecated though the run has passed its place without it, "" if none.

    Raises:
        NondeterminismError: with both sides, and where in the code each was asked for; the bug is its cause.
    """
    # One that is deprecated may be asked for, or be there, in any place or in none.
    produced = [command for command in produced if not _is_deprecated(command)]
    recorded = [command for command in recorded if not _is_deprecated(command)]
    if len(produced) == len(recorded) and all(map(same, produced, recorded)):
        return
    place = next(place for place, pair in enumerate(zip_longest(produced, recorded)) if not _is_pair(*pair))
    asked = produced[place] if place < len(produced) else None
    there = recorded[place] if place < len(recorded) else None
    raise NondeterminismError(
        workflow_id,
        run_id,
        turn_no,
        [_line(command) for command in recorded],
        [_line(command) for command in produced],
        recorded_python=recorded_python,
        running_python=RUNNING_PYTHON,
        raised="" if bug is None else f"{type(bug).__name__}: {WorkflowBugError(bug)}",
        site="" if asked is None else asked.site,
        unasked=_unasked(there, produced),
        too_early=too_early,
    ) from bug


def _is_deprecated(command: Command) -> bool:
    return isinstance(command, RecordPatch) and command.is_deprecated


def _is_pair(produced: Command | None, recorded: Command | None) -> bool:
    return produced is not None and recorded is not None and same(produced, recorded)


def _unasked(recorded: Command | None, produced: Sequence[Command]) -> str:
    """The call whose answer the history has, if the code does not ask for it at all any more."""
    call = _CALLS.get(recorded.__class__)
    if recorded is None or call is None or any(same(command, recorded) for command in produced):
        return ""
    return call.format(recorded.name)


_CALLS: dict[type, str] = {RecordPatch: "workflow.patched({!r})", RecordVersion: "workflow.get_version({!r}, …)"}


def _line(command: Command) -> str:
    name = f" {command.name!r}" if command.name else ""
    number = f" #{command.id}" if command.id else ""
    site = f" at {command.site}" if command.site else ""
    reason = f": {command.reason}" if isinstance(command, DeadLetterSignal) else ""
    return f"{kind_of(command)}{name}{number}{site}{reason}"
