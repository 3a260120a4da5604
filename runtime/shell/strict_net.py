"""The strict net: while workflow code runs, a call that a replay could not repeat is refused before it happens.

It is a profile function of the one thread that runs a turn, for the length of that turn: nothing in the process is
replaced, no other thread notices, and functions written in C are seen by whatever name they are called.
"""

from __future__ import annotations

import gc
import sys
from enum import Enum, auto
from functools import partial
from types import FrameType
from typing import Any

from ..core.call_sites import site_of
from ..core.strictness import StrictLoop
from ..model.errors import NondeterministicCallError
from ..model.forbidden import instead_of
from .watched_calls import Watched, watched_functions

__all__ = ["StrictNet"]


class Place(Enum):
    """Whose code a file is."""

    WORKFLOW = auto()
    STANDARD = auto()
    LEFT_ALONE = auto()
    INSTALLED = auto()
    LIBRARY = auto()


class _Profile(partial[None]):
    """The profile function of a net."""


class StrictNet:
    """Watches the turns of one runtime; a profiler that is at work on the thread keeps its place.

    Which run is watched is known by the profile function of the thread alone: a thread that was left behind in a turn
    may wake at any time.
    """

    def __init__(self) -> None:
        self._in_c, self._in_python = watched_functions()
        self._packages: set[str] = set()
        self._holds_collector = False

    def know(self, module: str) -> None:
        """Workflows stand in that module: what belongs to its package is workflow code, wherever it is installed."""
        self._packages.add(module.partition(".")[0])

    def spread(self, loop: StrictLoop) -> None:
        """Code of that loop begins to run on this thread."""
        if gc.isenabled():
            # A finalizer of somebody else's must not run inside a turn.
            self._holds_collector = True
            gc.disable()
        if sys.getprofile() is None:
            sys.setprofile(_Profile(self._watch, loop))

    def fold(self) -> None:
        """It has stopped running."""
        if isinstance(sys.getprofile(), _Profile):
            sys.setprofile(None)
        if self._holds_collector:
            self._holds_collector = False
            gc.enable()

    def _watch(self, loop: StrictLoop, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            watched = self._in_c.get(arg)
            caller: FrameType | None = frame
        elif event == "call":
            watched = self._in_python.get(id(frame.f_code))
            caller = frame.f_back
            if watched is not None and watched.unless and frame.f_locals.get(watched.unless) is not None:
                return
        else:
            return
        if watched is not None:
            self._judge(loop, watched, caller)

    def _judge(self, loop: StrictLoop, watched: Watched, frame: FrameType | None) -> None:
        """Refuse a call if the nearest code that is not Python's own is that of a workflow."""
        if loop.is_open:
            return
        name = watched.name
        while frame is not None:
            place = _place_of(frame.f_code.co_filename)
            package = str(frame.f_globals.get("__name__")).partition(".")[0]
            if place is Place.WORKFLOW or (place is Place.INSTALLED and package in self._packages):
                break
            if place is Place.STANDARD:
                # What the workflow has called itself says more than what that comes down to.
                outer = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"
                name = outer if instead_of(outer) is not None else name
            elif place is not Place.INSTALLED or not watched.group.reaches_out:
                return
            frame = frame.f_back
        if frame is None or _is_aside(frame):
            return
        found = instead_of(name) or watched.group
        error = NondeterministicCallError(name.removeprefix("builtins."), site_of(frame), found.does, found.instead)
        loop.caught(error)
        raise error


def _is_aside(frame: FrameType | None) -> bool:
    """Whether code of the author's is not called by the workflow, but by what is left alone: a formatter by logging, or
    a module by an import that whoever came first would have made."""
    while frame is not None and _place_of(frame.f_code.co_filename) is not Place.LIBRARY:
        if frame.f_code.co_name == "<module>" or _place_of(frame.f_code.co_filename) is Place.LEFT_ALONE:
            return True
        frame = frame.f_back
    return False


_LEFT_ALONE = (
    *("bdb", "cmd", "gettext", "importlib", "inspect", "linecache", "locale", "logging", "pdb", "tokenize"),
    *("traceback", "warnings", "zoneinfo"),
)


def _folder(module: str) -> str:
    """The folder that a module or package is in, with a slash."""
    return str(sys.modules[module].__file__).rpartition("/")[0] + "/"


_STANDARD = _folder("enum")
_OWN = __name__.split(".")[0]
_LIBRARY = (_folder(_OWN), *(_folder(f"{_OWN}.{part}") for part in ("actors", "runtime", "storage")))

_places: dict[str, Place] = {}


def _place_of(file: str) -> Place:
    place = _places.get(file)
    if place is None:
        place = _places[file] = _find_place(file.replace("\\", "/"))
    return place


def _find_place(file: str) -> Place:
    if file.startswith(_LIBRARY):
        return Place.LIBRARY
    if "/site-packages/" in file or "/dist-packages/" in file:
        return Place.INSTALLED
    if file.startswith("<frozen "):
        return Place.LEFT_ALONE if "importlib" in file or "zipimport" in file else Place.STANDARD
    if file.startswith(_STANDARD):
        part = file[len(_STANDARD) :].partition("/")[0].removesuffix(".py")
        return Place.LEFT_ALONE if part in _LEFT_ALONE else Place.STANDARD
    # What is generated, as the __init__ of a dataclass is, belongs to whoever calls it.
    return Place.STANDARD if file == "<string>" else Place.WORKFLOW
