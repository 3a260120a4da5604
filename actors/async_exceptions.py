"""Exceptions that one thread raises in another: how one is sent, and where none may meet a thread.

Python raises it between two bytecodes, or when the call into C that the thread waits in returns.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["async_exception_setter", "frame_of", "is_delicate", "module_of"]

# In these a thread has a lock for a few instructions, and nobody else gets on if it leaves without giving it back.
_DELICATE = ("_frozen_importlib", "_frozen_importlib_external", "importlib", "logging", "queue", "threading")


@functools.cache
def async_exception_setter() -> Callable[[int, type[BaseException]], object]:
    """What sends an exception: ``set_async_exc(thread, kind)``.

    It is no Python function, which would make a turn of its own for a tracer to see. Ask for it before the look at
    where the other thread is: few programs ever need it, so it is loaded when it is first asked for.
    """
    import ctypes

    set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
    set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
    return set_async_exc


def frame_of(thread: int) -> FrameType | None:
    """Where a thread is, or None if it is nowhere in Python."""
    return sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]  # documented


def module_of(frame: FrameType) -> str:
    """The top of the package whose code a frame runs."""
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def is_delicate(frame: FrameType | None) -> bool:
    """Whether a thread that is there would leave a lock behind if an exception met it."""
    return frame is not None and module_of(frame) in _DELICATE
