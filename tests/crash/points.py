"""The named points of commit and release, and how a child process reaches them: its own copy of the library is wrapped.

The library has no code for this. A point is reached again and again; the process is killed the n-th time.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from threading import Lock
from typing import Any

import lmdb

from greenroom.runtime.core.execution import Execution
from greenroom.runtime.core.messages import ChildCompleted, ChildFailed, ChildStarted, Message
from greenroom.runtime.shell import closing, deleting, desk, hands, relatives, succession, workflow_actor
from greenroom.runtime.shell.attempts import Attempts
from greenroom.runtime.shell.deleting import Deleting
from greenroom.runtime.shell.directory import Directory
from greenroom.runtime.shell.performer import Performer
from greenroom.runtime.shell.recovery import Recovery
from greenroom.runtime.shell.resetting import Resetting
from greenroom.runtime.shell.run_actor import RunActor
from greenroom.runtime.shell.sweep import Sweep
from greenroom.runtime.shell.timekeeper import Timekeeper
from greenroom.runtime.shell.tools import Peer, Tools
from greenroom.runtime.shell.updating import Updating
from greenroom.storage import Batch, Journal
from greenroom.storage.environment import Environment

__all__ = ["ENGINE_POINTS", "POINTS", "arm", "reach", "wrap"]

POINTS: dict[str, tuple[int, ...]] = {
    "commit: before": (1, 2, 7, 23, 61),
    "commit: done, before the release": (1, 2, 7, 23, 61),
    "release: between two actions": (1, 3, 9, 27, 81),
    "activity: begun, before its effect": (1, 4, 13),
    "activity: effect done, before the report": (1, 4, 13),
    "activity: reported, before the turn": (1, 4, 13),
    "update: let pass, before its turn": (1, 4, 13),
    "update: refused, before that is told": (1, 4),
    "update: admitted, before that is told": (1, 4),
    "update: on disk, before that is told": (1, 5, 20),
    "update: outcome on disk, before it is told": (1, 5, 20),
    "end: on disk, before it is told": (1, 3, 9),
    "birth: before its rows": (1, 3, 9),
    "birth: rows in the open sweep": (1, 3, 9),
    "birth: on disk, before it is known": (1, 3, 9),
    "birth: delayed, before it begins": (1, 3),
    "mail: before it is carried over": (1, 3, 9),
    "mail: carried over, before the commit": (1, 3, 9),
    "mail: between two rows that move": (1, 3),
    "parent: told of a start in the open sweep": (1, 3, 9),
    "parent: told of an end in the open sweep": (1, 3, 9),
    "parent: told of an end on disk": (1, 3, 9),
    "children: before their parent's last words": (1, 3, 9),
    "children: last words in the open sweep": (1, 3, 9),
    "later: in the open sweep": (1, 5),
    "later: about to come": (1, 5),
    "later: come, in the open sweep": (1, 5),
    "reset: in the open sweep": (1, 4),
    "fork: in the open sweep": (1, 3),
    "deletion: in the open sweep": (1, 4),
    "deletion: before another slice": (1, 3),
    "deletion: the last slice in the open sweep": (1, 3),
    "due: before the run is told": (1, 4, 13),
    "open: before the engine": (1, 1),
    "open: before the epoch": (1, 1),
    "open: epoch written": (1, 1),
    "recovery: reading what was under way": (1, 2),
    "recovery: reading what waits for a run": (1, 3, 6),
    "recovery: replaying a run": (1, 3, 6),
    "growth: before the engine reopens": (1, 1),
    "growth: engine reopened": (1, 1),
    "close: activities have ended": (1, 1),
    "close: before the journal": (1, 1),
    "close: journal closed": (1, 1),
}
"""Name of each point → at which occurrences the process is killed."""

ENGINE_POINTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "engine: before the pages": ("pages", (1, 3, 10, 30)),
    "engine: pages written, before the sync": ("sync", (1, 3, 10, 30)),
    "engine: synced, before the meta page": ("meta", (1, 3, 10, 30)),
    "engine: meta page written": ("done", (1, 3, 10, 30)),
}
"""Name of each point inside the engine's commit → what the preloaded shim calls it, and the occurrences."""

_counts: dict[str, int] = {}
_lock = Lock()
_chosen: list[tuple[str, int]] = []


def reach(point: str) -> None:
    """Say that the process has come to a point; it ends there if that is wanted."""
    if not _chosen or _chosen[0][0] != point:
        return
    with _lock:
        _counts[point] = count = _counts.get(point, 0) + 1
    if count == _chosen[0][1]:
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace a function of the library in this process."""
    before = getattr(owner, name)
    setattr(owner, name, functools.wraps(before)(make(before)))


def arm(point: str, occurrence: int) -> None:
    """Have this process killed the n-th time that it comes to the point."""
    _chosen[:] = [(point, occurrence)]
    _arm_commit()
    _arm_release()
    _around(Attempts, "ended", after="activity: reported, before the turn")
    _around(Execution, "validate", after="update: let pass, before its turn")
    _around(workflow_actor, "reject_update", after="update: refused, before that is told")
    _around(Updating, "admitted", before="update: admitted, before that is told")
    _around(Updating, "_tell_standing", before="update: on disk, before that is told")
    _around(Updating, "_tell_all", before="update: outcome on disk, before it is told")
    _around(closing, "release_outcome", before="end: on disk, before it is told")
    _around(Directory, "begin_beside", before="birth: before its rows", after="birth: rows in the open sweep")
    _around(Directory, "born", before="birth: on disk, before it is known")
    _around(RunActor, "begin_delayed", before="birth: delayed, before it begins")
    _around(
        workflow_actor,
        "carry_over",
        before="mail: before it is carried over",
        after="mail: carried over, before the commit",
    )
    _around(succession, "_move_row", after="mail: between two rows that move")
    _around(
        closing,
        "close_children",
        before="children: before their parent's last words",
        after="children: last words in the open sweep",
    )
    _around(desk, "put_off", after="later: in the open sweep")
    _around(hands, "come_now", before="later: about to come", after="later: come, in the open sweep")
    _around(Resetting, "_reset", after="reset: in the open sweep")
    _around(Resetting, "_fork", after="fork: in the open sweep")
    _around(Deleting, "delete", after="deletion: in the open sweep")
    _around(deleting, "delete_more", before="deletion: before another slice")
    _around(Batch, "clear_deleted", after="deletion: the last slice in the open sweep")
    _arm_rows()
    _around(Timekeeper, "_due", before="due: before the run is told")
    _around(Recovery, "start", before="recovery: reading what was under way")
    _around(Journal, "items", before="recovery: reading what waits for a run")
    _around(Journal, "turns", after="recovery: replaying a run")
    _around(Performer, "close", after="close: activities have ended")
    _around(Journal, "close", before="close: before the journal", after="close: journal closed")
    _arm_opening()


_TOLD: dict[type[Message], str] = {
    ChildStarted: "parent: told of a start in the open sweep",
    ChildCompleted: "parent: told of an end in the open sweep",
    ChildFailed: "parent: told of an end in the open sweep",
}


def _arm_rows() -> None:
    """Messages between runs go through one door into the open sweep, and through another one once they are on disk."""

    def make_leave(leave: Callable[..., None]) -> Callable[..., None]:
        def wrapped(tools: Tools, target: Peer, message: Message, time_ns: int) -> None:
            leave(tools, target, message, time_ns)
            reach(_TOLD.get(type(message), ""))

        return wrapped

    def make_accept(accept: Callable[..., None]) -> Callable[..., None]:
        def wrapped(actor: RunActor, seq: int, message: Message) -> None:
            if isinstance(message, (ChildCompleted, ChildFailed)):
                reach("parent: told of an end on disk")
            accept(actor, seq, message)

        return wrapped

    wrap(relatives, "leave_row", make_leave)
    wrap(RunActor, "accept_row", make_accept)


def _around(owner: Any, name: str, *, before: str = "", after: str = "") -> None:
    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            reach(before)
            outcome = function(*args, **kwargs)
            reach(after)
            return outcome

        return wrapped

    wrap(owner, name, make)


class _Release:
    """Where the release of the last commit stands."""

    done = 0


def _arm_commit() -> None:
    def make(commit: Callable[[Journal, Batch], None]) -> Callable[[Journal, Batch], None]:
        def wrapped(journal: Journal, batch: Batch) -> None:
            reach("commit: before")
            commit(journal, batch)
            _Release.done = 0
            reach("commit: done, before the release")

        return wrapped

    wrap(Journal, "commit", make)


def _arm_release() -> None:
    def step(action: Callable[..., object], *args: Any) -> None:
        if _Release.done:
            reach("release: between two actions")
        _Release.done += 1
        action(*args)

    def make(after: Callable[..., None]) -> Callable[..., None]:
        def wrapped(sweep: Sweep, action: Callable[..., object], *args: Any) -> None:
            after(sweep, step, action, *args)

        return wrapped

    wrap(Sweep, "after", make)


def _arm_opening() -> None:
    """The engine is opened once when the journal is opened, and again whenever it grows."""
    opened: list[bool] = []

    def make_open(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            reach("growth: before the engine reopens" if opened else "open: before the engine")
            engine = function(*args, **kwargs)
            if opened:
                reach("growth: engine reopened")
            opened.append(True)
            return engine

        return wrapped

    committed: list[bool] = []

    def make_commit(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if committed:
                return function(*args, **kwargs)
            committed.append(True)
            reach("open: before the epoch")
            outcome = function(*args, **kwargs)
            reach("open: epoch written")
            return outcome

        return wrapped

    wrap(lmdb, "open", make_open)
    wrap(Environment, "commit", make_commit)
