"""The controls: ways to break the library in a child. A harness that does not notice them proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import lmdb

from greenroom.actors import Future, Mailbox
from greenroom.runtime.core.messages import CancelRequested, Message, SignalReceived
from greenroom.runtime.model.retention import RetentionPolicy
from greenroom.runtime.shell import desk, resetting, workflow_actor
from greenroom.runtime.shell.requests import Requests
from greenroom.runtime.shell.resetting import Resetting
from greenroom.runtime.shell.run_state import RunState
from greenroom.runtime.shell.sweep import Sweep
from greenroom.runtime.shell.timekeeper import Timekeeper
from greenroom.runtime.shell.tools import Peer, Tools
from greenroom.runtime.shell.updating import Updating
from greenroom.storage import Items, Journal, deletion

from .points import reach, wrap

__all__ = ["FAULTS", "Fault", "plant"]

EARLY_NS = 2_000_000
LET_GO = "control: something was let go too early"


class Fault(NamedTuple):
    """One way to break the library.

    Args:
        plant: breaks it in this process.
        finding: part of what must bring it to light.
        commits: after how many of them, at least, a process is killed.
        point: where to kill the process; empty if it is enough that a page is about to be written.
    """

    plant: Callable[[], None]
    finding: str
    commits: int = 4
    point: str = ""


def _is_reply(action: Callable[..., object]) -> bool:
    return isinstance(getattr(action, "__self__", None), Future)


def _hasten(is_hasty: Callable[[Callable[..., object]], bool]) -> None:
    """Let go of some things before the commit instead of after it."""
    hasty: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def make_after(after: Callable[..., None]) -> Callable[..., None]:
        def wrapped(sweep: Sweep, action: Callable[..., object], *args: Any) -> None:
            if is_hasty(action):
                hasty.append((action, args))
            else:
                after(sweep, action, *args)

        return wrapped

    def make_close(close: Callable[[Sweep], None]) -> Callable[[Sweep], None]:
        def wrapped(sweep: Sweep) -> None:
            is_hasty_now = bool(hasty)
            while hasty:
                action, args = hasty.pop(0)
                action(*args)
            if is_hasty_now:
                reach(LET_GO)
            close(sweep)

        return wrapped

    wrap(Sweep, "after", make_after)
    wrap(Sweep, "close", make_close)


def _acknowledge_early() -> None:
    _hasten(_is_reply)


def _release_early() -> None:
    _hasten(lambda action: not _is_reply(action))


def _never_sync() -> None:
    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: function(*args, **{**kwargs, "sync": False})

    wrap(lmdb, "open", make)


def _tell_updates_early() -> None:
    _hasten(lambda action: isinstance(getattr(action, "__self__", None), Updating))


def _forget_updates() -> None:
    """What a run has taken before it was brought back it takes again."""

    def make(load: Callable[[RunState, Items], None]) -> Callable[[RunState, Items], None]:
        return lambda run, items: load(run, items._replace(updates=[]))

    wrap(RunState, "load", make)


def _count_every_request() -> None:
    def make(is_stale: Callable[[RunState, Message], bool]) -> Callable[[RunState, Message], bool]:
        return lambda run, message: not isinstance(message, CancelRequested) and is_stale(run, message)

    wrap(RunState, "is_stale", make)


def _carry(change: Callable[[list[SignalReceived]], list[SignalReceived]]) -> None:
    """Give the run that goes on other signals than the one before it has left unread."""

    def make(carry: Callable[..., bool]) -> Callable[..., bool]:
        def wrapped(tools: Tools, run: RunState, mailbox: Mailbox, unread: list[SignalReceived], time_ns: int) -> bool:
            return carry(tools, run, mailbox, change(unread), time_ns)

        return wrapped

    wrap(workflow_actor, "carry_over", make)


def _lose_carried() -> None:
    _carry(lambda unread: unread[1:])


def _double_carried() -> None:
    _carry(lambda unread: [*unread[:1], *unread])


def _ring_early() -> None:
    def make(arm: Callable[..., None]) -> Callable[..., None]:
        def wrapped(timekeeper: Timekeeper, run_no: int, kind: int, item: int, at_ns: int) -> None:
            arm(timekeeper, run_no, kind, item, at_ns - EARLY_NS)

        return wrapped

    wrap(Timekeeper, "arm", make)


def _come_early() -> None:
    def make(put_off: Callable[..., None]) -> Callable[..., None]:
        def wrapped(tools: Tools, peer: Peer, message: Message, at_ns: int, *, is_pinned: bool) -> None:
            put_off(tools, peer, message, at_ns - EARLY_NS, is_pinned=is_pinned)

        return wrapped

    wrap(desk, "put_off", make)


def _forget_keys() -> None:
    def make(has_heard: Callable[[RunState, str], bool]) -> Callable[[RunState, str], bool]:
        return lambda run, key: False

    wrap(RunState, "has_heard", make)


def _forget_requests() -> None:
    def make(begun: Callable[..., object]) -> Callable[[Requests, str, str], None]:
        return lambda requests, workflow_id, request_id: None

    wrap(Requests, "begun", make)


def _forget_later_mail() -> None:
    def make(give: Callable[..., None]) -> Callable[..., None]:
        return lambda *args: None

    wrap(Resetting, "_give", make)


def _copy_less() -> None:
    def make(turn_to_copy: Callable[[Journal, RunState, int | str], int]) -> Callable[..., int]:
        def wrapped(journal: Journal, source: RunState, to: int | str) -> int:
            turn = turn_to_copy(journal, source, to)
            return turn - 1 if turn > 0 else turn

        return wrapped

    wrap(resetting, "turn_to_copy", make)


def _leave_rows() -> None:
    def make(drop_rows: Callable[..., tuple[int, bool]]) -> Callable[..., tuple[int, bool]]:
        return lambda *args: (0, True)

    wrap(deletion, "_drop_rows", make)


def _expire_early() -> None:
    def make(expires_ns: Callable[..., int | None]) -> Callable[..., int | None]:
        def wrapped(policy: RetentionPolicy, workflow_type: str, closed_ns: int) -> int | None:
            return expires_ns(policy, workflow_type, closed_ns - EARLY_NS)

        return wrapped

    wrap(RetentionPolicy, "expires_ns", make)


FAULTS: dict[str, Fault] = {
    "acknowledge before commit": Fault(_acknowledge_early, "was acknowledged and is not there"),
    "release before commit": Fault(_release_early, "was performed and nobody asked for it"),
    "updates told before commit": Fault(_tell_updates_early, "does not have that", point=LET_GO),
    "update ids forgotten": Fault(_forget_updates, "is in the history twice", 80),
    "every request to end counts": Fault(_count_every_request, "it was asked to end", 300),
    "a carried signal is lost": Fault(_lose_carried, "to be carried over", 80),
    "a carried signal is doubled": Fault(_double_carried, "to be carried over", 80),
    "timers ring early": Fault(_ring_early, "ns early"),
    "delayed signals come early": Fault(_come_early, "ns too soon"),
    "keys of signals forgotten": Fault(_forget_keys, "is there twice", 80),
    "requests of starts forgotten": Fault(_forget_requests, "one request has started", 40),
    "a reset forgets what came later": Fault(_forget_later_mail, "is not in its last run", 150),
    "copies end a turn early": Fault(_copy_less, "it was to be copied up to turn", 150),
    "a deleted run leaves its turns": Fault(_leave_rows, "has rows and no header", 150),
    "runs are kept too short a time": Fault(_expire_early, "it is to be deleted at", 80),
    "sync=False": Fault(_never_sync, "was acknowledged and is not there"),
}
"""The controls by name."""


def plant(fault: str) -> None:
    """Break the library of this process."""
    FAULTS[fault].plant()
