"""Where each task of a run waits, for people and for tools: the workflow's own frames, and none of the library's."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from types import FrameType
from typing import Any

from .call_sites import shown_name, waiting_frames
from .tasks import Task

__all__ = ["enhanced_stack_trace", "stack_trace"]

NO_TASKS = "no tasks: the run has ended"
# The answer to a query is limited, in time and in bytes, and a run may have ten thousand tasks.
MOST_FRAMES = 3_000
NO_FRAMES = "  (no line of workflow code)"
# Tasks of workflow.gather and workflow.race: those they wait for are told, and so is who waits for them.
_BETWEEN = {"_gather", "_race"}


def stack_trace(tasks: Iterable[Task[Any]]) -> str:
    """The stack of each task as text, the innermost line last.

    **Source:** Temporal, the query ``__stack_trace``.

    Args:
        tasks: those that have not ended.
    """
    waiting, left_out = _waiting(tasks)
    stacks = ["\n".join(_lines(task, frames)) for task, frames in waiting]
    return "\n\n".join([*stacks, *_told(left_out)]) or NO_TASKS


def enhanced_stack_trace(tasks: Iterable[Task[Any]]) -> dict[str, Any]:
    """The same as data: ``stacks``, each with its ``locations``, and ``sources``, the text of the functions in them.

    **Source:** Temporal, the query ``__enhanced_stack_trace``.

    Args:
        tasks: those that have not ended.
    """
    stacks: list[dict[str, Any]] = []
    found: dict[str, list[FrameType]] = {}
    waiting, left_out = _waiting(tasks)
    for task, frames in waiting:
        stacks.append({"name": _name(task, frames), "locations": [_location(frame) for frame in frames]})
        for frame in frames:
            found.setdefault(shown_name(frame.f_code.co_filename), []).append(frame)
    stacks += [{"name": told, "locations": []} for told in _told(left_out)]
    sources = {file: _source(frames) for file, frames in found.items()}
    return {"sources": {file: source for file, source in sources.items() if source["content"]}, "stacks": stacks}


def _waiting(tasks: Iterable[Task[Any]]) -> tuple[list[tuple[Task[Any], list[FrameType]]], int]:
    """Tasks with their frames, as many as can be told; and how many tasks are left out."""
    found: list[tuple[Task[Any], list[FrameType]]] = []
    room, left_out = MOST_FRAMES, 0
    for task in tasks:
        if room <= 0:
            left_out += 1
            continue
        runs: Any = task.get_coro()
        frames = list(waiting_frames(runs))
        if not frames and getattr(runs, "__name__", "") in _BETWEEN:
            continue
        room -= 1 + len(frames)
        found.append((task, frames))
    return found, left_out


def _told(left_out: int) -> list[str]:
    return [f"(and {left_out:,} {'task' if left_out == 1 else 'tasks'} more)"] if left_out else []


def _lines(task: Task[Any], frames: list[FrameType]) -> list[str]:
    lines = [f"Stack of {_name(task, frames)} (most recent call last):"]
    for frame in frames:
        lines.append(f'  File "{shown_name(frame.f_code.co_filename)}", line {frame.f_lineno}, in {_called(frame)}')
        source = _text(frame)[frame.f_lineno - 1 : frame.f_lineno]
        lines += [f"    {line.strip()}" for line in source]
    return lines if frames else [*lines, NO_FRAMES]


def _name(task: Task[Any], frames: list[FrameType]) -> str:
    """What a task is for: a handler and the main function have the name of that, and other tasks say what runs."""
    runs: Any = task.get_coro()
    name = task.get_name()
    if not hasattr(runs, "cr_frame"):
        # A step of an async generator, or another thing that only behaves like a coroutine: its code is what runs.
        return f"{name} ({_called(frames[0]) if frames else type(runs).__name__})"
    is_theirs = not frames or frames[0] is runs.cr_frame
    return f"{name} ({runs.__qualname__})" if is_theirs else name


def _called(frame: FrameType) -> str:
    return frame.f_code.co_qualname.replace("<locals>.", "")


def _location(frame: FrameType) -> dict[str, Any]:
    return {
        "file_path": shown_name(frame.f_code.co_filename),
        "line": frame.f_lineno,
        "function_name": _called(frame),
        "internal_code": False,
    }


def _source(frames: list[FrameType]) -> dict[str, Any]:
    """From the first line of their functions to the last: a file may be long, and its rest tells nothing."""
    first = min(frame.f_code.co_firstlineno for frame in frames)
    last = max(line or 0 for frame in frames for _, _, line in frame.f_code.co_lines())
    return {"line_offset": first - 1, "content": "".join(_text(frames[0])[first - 1 : last])}


def _text(frame: FrameType) -> list[str]:
    linecache.checkcache(frame.f_code.co_filename)
    return linecache.getlines(frame.f_code.co_filename, frame.f_globals)
