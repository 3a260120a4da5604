"""The actor layer: who is spoken to, and when. A pykka actor flavour that shares a dispatcher; useful by itself."""

from __future__ import annotations

from .actor import Actor, Keeper
from .bounded_mailbox import BoundedMailbox
from .bounds import Overflow
from .clock import Clock, ManualClock, SystemClock
from .closer import Closer
from .dead_letters import DeadLetter, DeadLetters
from .deadlines import Deadline, Deadlines
from .default_dispatcher import default_dispatcher
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
from .several import wait_all, wait_first
from .stopped_flag import StoppedFlag
from .supervision import Backoff, ChildSpec, Directive, Restart, Strategy
from .supervisor import Supervisor
from .sweeping import Runnable
from .turn_deadline import ThreadAbandoned, TurnDeadline, TurnExceeded, Watchdog
from .watching import Terminated

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
