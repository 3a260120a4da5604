"""The actor layer: who is spoken to, and when. A pykka actor flavour that shares a dispatcher; useful by itself."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .actor import Actor, Keeper
from .bounds import Overflow
from .clock import Clock, ManualClock, SystemClock
from .closer import Closer
from .dead_letters import DeadLetter, DeadLetters
from .deadlines import Deadline, Deadlines
from .dispatcher import Dispatcher
from .dispatcher_threads import on_dispatcher_thread
from .errors import (
    ActorError,
    BlockingCallError,
    DispatcherClosedError,
    MailboxFullError,
    RestartsExhaustedError,
    WaitTimeoutError,
)
from .future import Future, hold_wakeups
from .mailbox import Lane, Mailbox, Scheduler
from .pykka_seam import ActorStop, Envelope
from .restarts import RestartWindow
from .stopped_flag import StoppedFlag
from .sweeping import Runnable
from .turn_deadline import ThreadAbandoned, TurnDeadline, TurnExceeded, Watchdog
from .watching import Terminated

if TYPE_CHECKING:
    from .bounded_mailbox import BoundedMailbox
    from .several import wait_all, wait_first
    from .shared_dispatcher import default_dispatcher
    from .supervision import Backoff, ChildSpec, Directive, Restart, Strategy
    from .supervisor import Supervisor

# What is loaded when it is first used, since a runtime of workflows has no need of it: name → the module that has it.
_LATER = {
    **dict.fromkeys(("wait_all", "wait_first"), ".several"),
    **dict.fromkeys(("Backoff", "ChildSpec", "Directive", "Restart", "Strategy"), ".supervision"),
    "BoundedMailbox": ".bounded_mailbox",
    "Supervisor": ".supervisor",
    "default_dispatcher": ".shared_dispatcher",
}

__all__ = [
    "Actor",
    "ActorError",
    "ActorStop",
    "Backoff",
    "BlockingCallError",
    "BoundedMailbox",
    "ChildSpec",
    "Clock",
    "Closer",
    "DeadLetter",
    "DeadLetters",
    "Deadline",
    "Deadlines",
    "Directive",
    "Dispatcher",
    "DispatcherClosedError",
    "Envelope",
    "Future",
    "Keeper",
    "Lane",
    "Mailbox",
    "MailboxFullError",
    "ManualClock",
    "Overflow",
    "Restart",
    "RestartWindow",
    "RestartsExhaustedError",
    "Runnable",
    "Scheduler",
    "StoppedFlag",
    "Strategy",
    "Supervisor",
    "SystemClock",
    "Terminated",
    "ThreadAbandoned",
    "TurnDeadline",
    "TurnExceeded",
    "WaitTimeoutError",
    "Watchdog",
    "default_dispatcher",
    "hold_wakeups",
    "on_dispatcher_thread",
    "wait_all",
    "wait_first",
]


if not TYPE_CHECKING:
    # A type checker would take any name for one that is there. `greenroom.loading` is above this floor.

    def __getattr__(name: str) -> object:
        home = _LATER.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(home, __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
