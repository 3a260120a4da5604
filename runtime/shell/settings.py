"""What is set of one open journal: by its user, and by tests that put parts of their own in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...actors import Future
from ..core.changes import Activates
from ..core.execution import Execution
from ..model.retention import RetentionPolicy
from ..model.supervision import Supervision
from ..model.values import Value
from .performer import Performer

__all__ = ["NO_SEAMS", "Seams", "Settings"]

_SUPERVISION = Supervision()


class Settings(Value, frozen=True):
    """What can be set of a runtime.

    Attributes:
        max_residents: idle runs beyond this number are only on disk.
        mailbox_limit: messages that may wait for one run.
        max_updates_in_flight: updates of one run without an outcome.
        max_updates: updates that one run takes in all.
        activity_threads: sync activities at a time.
        activity_processes: activities in processes at a time; None for the number of processors.
        failure_exception_types: exceptions that close any run as failed instead of suspending it.
        supervision: how often a run that has a bug is restarted before it is suspended.
        turn_deadline: seconds that a turn may take; None for no limit.
        switch_interval: seconds that the runtime holds Python's switch interval at; None if it leaves it alone.
        is_strict: whether the calls of workflow code are watched.
        activates: asked before a run takes a patch that is new to it; None takes all.
        retention: how long ended runs are kept; None for ever.
    """

    max_residents: int = 2000
    mailbox_limit: int = 10_000
    max_updates_in_flight: int = 1000
    max_updates: int = 100_000
    activity_threads: int = 32
    activity_processes: int | None = None
    failure_exception_types: tuple[type[BaseException], ...] = ()
    supervision: Supervision = _SUPERVISION
    turn_deadline: float | None = None
    switch_interval: float | None = None
    is_strict: bool = False
    activates: Activates | None = None
    retention: RetentionPolicy | None = None


class Seams(Value, frozen=True):
    """Where tests put parts of their own.

    Attributes:
        performer: makes what performs activities; called with the arguments of ``Performer``.
        executions: makes what makes executions; told whether they are watched. None for those of the core.
        on_error: told what escapes an actor, a callback or a commit; None has it logged.
        driver: brings about what callers wait for, in place of the dispatcher's thread: ``driver(future, timeout)``.
    """

    performer: Callable[..., Performer] = Performer
    on_error: Callable[[BaseException], None] | None = None
    driver: Callable[[Future[Any], float | None], None] | None = None
    executions: Callable[[bool], Callable[..., Execution]] | None = None


NO_SEAMS = Seams()
