"""Where in the user's code a command was asked for, or something waits: frames outside the library and asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType
from typing import Any

from ..model.texts import writable

__all__ = ["call_site", "shown_name", "site_of", "waiting_frames", "waits_at"]

_LIBRARY = __file__.replace("\\", "/").rsplit("/core/", 1)[0] + "/"
_ASYNCIO = asyncio.__file__.replace("\\", "/").rsplit("/", 1)[0] + "/"

# The function of the core under which a turn's code runs: who called it has not asked for anything.
_TURN = "apply"

# What Python makes of a step of an async generator, and of a coroutine that is awaited by hand.
_STEPS = {"anext_awaitable", "async_generator_asend", "async_generator_athrow", "coroutine_wrapper"}

# File name -> the name to show, empty for files that are not the user's.
_SHOWN: dict[str, str] = {}

# Line number and the name to show -> both in one text: a line that asks once asks again, and one text is enough.
_SITES: dict[tuple[int, str], str] = {}


def call_site(skip: int = 0) -> str:
    """``file:line`` of the user's code that is running, the file relative to the import path; "" if there is none.

    Args:
        skip: how many of the nearest callers need not be looked at; each look makes an object of a frame.
    """
    # inspect.currentframe() is this with a frame more.
    frame: FrameType | None = sys._getframe(1 + skip)  # pyright: ignore[reportPrivateUsage]  # a documented function
    while frame is not None:
        file = frame.f_code.co_filename
        shown = _SHOWN.get(file)
        if shown is None:
            shown = _SHOWN[file] = _show(file)
        if shown:
            place = frame.f_lineno, shown
            site = _SITES.get(place)
            if site is None:
                site = _SITES[place] = f"{shown}:{frame.f_lineno}"
            return site
        if frame.f_code.co_name == _TURN:
            break
        frame = frame.f_back
    return ""


def site_of(frame: FrameType) -> str:
    """``file:line`` of one frame, shown as ``call_site`` does."""
    return f"{shown_name(frame.f_code.co_filename)}:{frame.f_lineno}"


def shown_name(file: str) -> str:
    """The name to show of a file: relative to the import path if it is below that."""
    return _show(file) or file


def waits_at(awaitable: object) -> str:
    """Where in the user's code something waits that is not running, the innermost last; "" if that cannot be seen.

    Args:
        awaitable: a coroutine, or a generator of any kind.
    """
    return ", ".join(f"{site_of(frame)} ({frame.f_code.co_name})" for frame in waiting_frames(awaitable))


def waiting_frames(awaitable: object) -> Iterator[FrameType]:
    """The frames of the user's code in something that waits and is not running, the innermost last.

    Args:
        awaitable: a coroutine, or a generator of any kind.
    """
    while awaitable is not None:
        frame: FrameType | None = _first_of(awaitable, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None and _show(frame.f_code.co_filename):
            yield frame
        awaitable = _first_of(awaitable, "cr_await", "gi_yieldfrom", "ag_await") or _inside(awaitable)


def _inside(awaitable: object) -> object:
    """What goes on in a step that shows nothing of it; the collector knows."""
    if type(awaitable).__name__ in _STEPS:
        return next((each for each in gc.get_referents(awaitable) if _has_frame(each)), None)
    return None


def _has_frame(found: object) -> bool:
    return isinstance(found, (CoroutineType, AsyncGeneratorType)) or type(found).__name__ in _STEPS


def _first_of(target: object, *names: str) -> Any:
    return next((value for name in names if (value := getattr(target, name, None)) is not None), None)


def _show(file: str) -> str:
    path = file.replace("\\", "/")
    if path.startswith((_LIBRARY, _ASYNCIO)) or file == contextlib.__file__:
        return ""
    roots = [root.replace("\\", "/").rstrip("/") + "/" for root in sys.path if root]
    inside = [root for root in roots if path.startswith(root)]
    # A site is written down, and a file may have a name that cannot be.
    return writable(path[max(map(len, inside)) :] if inside else path, "the file")
