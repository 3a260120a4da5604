"""What the actor layer raises itself: one small tree, each message made from facts kept as attributes.

``pykka.ActorDeadError`` keeps pykka's meaning and is raised as it is. ``WaitTimeoutError`` is a ``pykka.Timeout`` and a
``TimeoutError``, so that whoever catches either is served.

    ActorError
    ├── BlockingCallError       the caller waits where waiting would stop every actor
    ├── DispatcherClosedError   the caller asks a dispatcher that has been closed
    ├── MailboxFullError        the caller may send again later
    └── RestartsExhaustedError  a supervisor gives up on a child, and fails
"""

from __future__ import annotations

import pykka

__all__ = [
    "ActorError",
    "BlockingCallError",
    "DispatcherClosedError",
    "MailboxFullError",
    "RestartsExhaustedError",
    "WaitTimeoutError",
]


class ActorError(Exception):
    """Base of what the actor layer raises itself."""


class WaitTimeoutError(pykka.Timeout, TimeoutError):
    """Nothing came within the time that a caller was willing to wait; what it waits for goes on."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no outcome within {self.seconds:g} s; what was waited for goes on, and may be waited for again"


class BlockingCallError(ActorError):
    """A blocking wait was asked for on a dispatcher thread, where it would stop every actor."""

    def __init__(self, thread_name: str) -> None:
        super().__init__(thread_name)
        self.thread_name = thread_name

    def __str__(self) -> str:
        return (
            f"a blocking wait on dispatcher thread {self.thread_name!r} would stop every actor it runs; "
            "in a workflow, do it in an activity, or signal the other one by workflow.get_external_workflow_handle(…); "
            "in an actor, use add_done_callback() to send it a message with the result, or wait on another thread"
        )


class DispatcherClosedError(ActorError):
    """The dispatcher has been closed and takes no more work."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"dispatcher {self.name!r} is closed and takes no more work; start a new Dispatcher"


class MailboxFullError(ActorError):
    """The mailbox holds as many messages as it may; sending again later can succeed.

    Args:
        limit: messages the mailbox may hold.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return f"the mailbox already holds {self.limit} messages, its limit; nothing was sent, try again later"


class RestartsExhaustedError(ActorError):
    """A child needs one more restart than its supervisor allows; what it has failed of is the cause.

    Args:
        child: its name.
        restarts: how many there were within the period, of all children.
    """

    def __init__(self, child: str, restarts: int) -> None:
        super().__init__(child, restarts)
        self.child = child
        self.restarts = restarts

    def __str__(self) -> str:
        return (
            f"child {self.child!r} would need a restart, and its supervisor has made {self.restarts} of late, as many "
            "as it may; mend what it fails of (the cause of this error), or raise max_restarts or shorten the period"
        )
