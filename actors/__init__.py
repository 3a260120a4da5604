"""The actor layer: who is spoken to, and when. A pykka actor flavour that shares a dispatcher; useful by itself."""

from __future__ import annotations

from .actor import Actor, StoppedFlag, default_dispatcher
from .clock import Clock, ManualClock, SystemClock
from .dead_letters import DeadLetter, DeadLetters
from .deadlines import Deadline, Deadlines
from .dispatcher import Dispatcher, Runnable
from .dispatcher_threads import on_dispatcher_thread
from .errors import ActorError, BlockingCallError, DispatcherClosedError, MailboxFullError, WaitTimeoutError
from .future import Future, hold_wakeups
from .mailbox import Lane, Mailbox, Scheduler
from .pykka_seam import ActorStop, Envelope
from .turn_deadline import ThreadAbandoned, TurnDeadline, TurnExceeded, Watchdog

__all__ = [
    "Actor",
    "ActorError",
    "ActorStop",
    "BlockingCallError",
    "Clock",
    "DeadLetter",
    "DeadLetters",
    "Deadline",
    "Deadlines",
    "Dispatcher",
    "DispatcherClosedError",
    "Envelope",
    "Future",
    "Lane",
    "Mailbox",
    "MailboxFullError",
    "ManualClock",
    "Runnable",
    "Scheduler",
    "StoppedFlag",
    "SystemClock",
    "ThreadAbandoned",
    "TurnDeadline",
    "TurnExceeded",
    "WaitTimeoutError",
    "Watchdog",
    "default_dispatcher",
    "hold_wakeups",
    "on_dispatcher_thread",
]
