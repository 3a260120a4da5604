"""What the hands share, and how runs see each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ...actors import Clock, TurnDeadline
from ...storage import Journal, RunHeader
from ..core.commands import StartChild
from ..core.execution import Execution
from ..core.messages import Message, WorkflowStarted
from ..model.definitions import WorkflowDefinition
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from .attempts import Attempts
from .delivery import Delivery
from .retention import Retention
from .retries import Retries
from .run_state import RunState
from .supervisor import Supervisor
from .sweep import Sweep, TurnTaker
from .timekeeper import Timekeeper
from .update_limits import UpdateLimits
from .updating import Updating
from .waiters import Waiters

__all__ = ["Peer", "Tools"]


class Peer(TurnTaker, Protocol):
    """An open run, as another run sees it."""

    run: RunState

    @property
    def is_open(self) -> bool: ...

    @property
    def waiting_messages(self) -> int: ...

    def started(self) -> WorkflowStarted:
        """The message that began it."""
        ...

    def accept(self, delivery: Delivery) -> None:
        """Put a message behind the mail that is there."""
        ...

    def accept_row(self, seq: int, message: Message) -> None:
        """A message for it is on disk now."""
        ...

    def leave(self, message: Message, time_ns: int) -> None:
        """Put a message into its mailbox, on disk as well, in the open sweep."""
        ...


class Residents(Protocol):
    """The runs in memory: where they find each other, and say what becomes of them."""

    def find(self, workflow_id: str, run_id: str) -> int | None:
        """The number of a run: that of ``run_id``, or if it is empty the current one of the workflow id; None if
        there is none."""
        ...

    def header(self, run_no: int) -> RunHeader | None:
        """What is known of a run without replaying it."""
        ...

    def find_open(self, workflow_id: str, run_id: str) -> Peer | None:
        """The open run of a workflow id (and run id, if not empty) that is on disk or in the open sweep, or None."""
        ...

    def make_known(self, workflow_id: str) -> Peer | None:
        """The open run of a workflow id, or None; one that was to be written with its first turn is in the open sweep
        now."""
        ...

    def begin_beside(self, run: RunState, start: WorkflowStarted) -> Peer:
        """Have a run begin that another one wants, in the open sweep."""
        ...

    def begin_copied(self, run: RunState) -> Peer:
        """Have a run begin whose turns so far stand in the open sweep."""
        ...

    def of_run(self, run_no: int) -> Peer | None:
        """The open run of that number, or None."""
        ...

    def born(self, peer: Peer) -> None:
        """The start of a run is on disk now."""
        ...

    def gone(self, peer: Peer) -> None:
        """There is nothing more to do with a run."""
        ...


class Tools:
    """What the hands share; all of it is used on the dispatcher's thread only."""

    __slots__ = (
        "attempts",
        "clock",
        "converter",
        "coroutines_abandoned",
        "deadline",
        "directory",
        "failure_types",
        "journal",
        "leaving",
        "mailbox_limit",
        "make_execution",
        "path",
        "retention",
        "retries",
        "supervisor",
        "sweep",
        "timekeeper",
        "turn_seconds",
        "untold",
        "update_limits",
        "updating",
        "waiters",
        "workflows",
    )

    def __init__(
        self,
        *,
        attempts: Attempts,
        clock: Clock,
        converter: PayloadConverter,
        deadline: TurnDeadline,
        directory: Residents,
        failure_types: tuple[type[BaseException], ...],
        journal: Journal,
        mailbox_limit: int,
        make_execution: Callable[..., Execution],
        path: str,
        retention: Retention | None,
        retries: Retries,
        supervisor: Supervisor,
        sweep: Sweep,
        timekeeper: Timekeeper,
        turn_seconds: float | None,
        update_limits: UpdateLimits,
        updating: Updating,
        waiters: Waiters,
        workflows: Registry[WorkflowDefinition],
    ) -> None:
        self.attempts = attempts
        self.clock = clock
        self.converter = converter
        # Of code that would not end when it was put away.
        self.coroutines_abandoned = 0
        self.deadline = deadline
        self.directory = directory
        self.failure_types = failure_types
        self.journal = journal
        # What puts away the code of runs that is on its way out of memory, in order.
        self.leaving: dict[Callable[[], None], None] = {}
        self.mailbox_limit = mailbox_limit
        self.make_execution = make_execution
        self.path = path
        # None if runs are kept for ever.
        self.retention = retention
        self.retries = retries
        self.supervisor = supervisor
        self.sweep = sweep
        self.timekeeper = timekeeper
        self.turn_seconds = turn_seconds
        # Number of each run that has ended with many children → those that are yet to hear of it.
        self.untold: dict[int, list[StartChild]] = {}
        self.update_limits = update_limits
        self.updating = updating
        self.waiters = waiters
        self.workflows = workflows
