"""Brings one run back from the journal: reads what waits for it, replays its history a slice at a time, and takes up
what was under way."""

from __future__ import annotations

from ...actors import TurnExceeded
from ...storage import Attempt, DueKind, Mail, Turn
from ..core.commands import Command
from ..core.execution import Execution
from ..core.messages import (
    ActivityCompleted,
    ActivityFailed,
    Message,
    RunReset,
    RunTerminated,
    RunTimedOut,
    WorkflowStarted,
    decode_message,
)
from ..core.origins import RunReference
from ..model.errors import InternalError
from ..model.options import WorkflowExecutionStatus
from .delivery import Delivery
from .encoding import decode_turn
from .headers import put_header
from .later import arm_delayed
from .overdue import Owner, overdue
from .run_state import RunState
from .tools import Tools

__all__ = ["BringingBack", "begin_execution"]

SLICE = 200


def begin_execution(tools: Tools, message: Message) -> Execution:
    """The execution of a run whose first message this is.

    Raises:
        NotRegisteredError: no workflow of that name is registered.
    """
    if not isinstance(message, WorkflowStarted):
        raise InternalError(f"the first message of a run is {message!r}")
    definition = tools.workflows.get(message.workflow_type)
    declared = tools.attempts.activities, tools.workflows
    return tools.make_execution(message, definition, tools.converter, tools.failure_types, *declared)


class BringingBack:
    """One return.

    Attributes:
        attempts: what the journal says of the run's activities.
        execution: as far as it has been replayed.
        failed: why the code cannot have this history; the rest of it is read without the code, for what it says of the
            run.
        failed_at: the turn that it cannot have, if there is one.
    """

    __slots__ = ("_mail", "_tools", "attempts", "execution", "failed", "failed_at", "run")

    def __init__(self, run: RunState, tools: Tools) -> None:
        self.run = run
        self.execution: Execution | None = None
        self.failed: Exception | None = None
        self.failed_at = -1
        self.attempts: list[Attempt] = []
        self._tools = tools
        self._mail: list[Mail] = []

    def read(self) -> None:
        """Read the header and what waits for the run; of a run that has ended only the header.

        Raises:
            StorageError: the journal cannot be read.
            InternalError: it does not have the run.
        """
        run, journal = self.run, self._tools.journal
        header = journal.header(run.run_no)
        if header is None:
            raise InternalError(f"run {run.run_no} of workflow {run.header.workflow_id!r} is not in the journal")
        run.header = header
        run.forget()
        if not run.is_closed:
            items = journal.items(run.run_no)
            run.load(items)
            self.attempts, self._mail = items.attempts, items.mail

    def replay_slice(self, owner: Owner) -> bool:
        """Replay the next slice of the history.

        Args:
            owner: told if its code blocks.

        Returns:
            Whether its end is reached.

        Raises:
            StorageError: the journal cannot be read.
            ValueError: a turn is of a kind that this release does not know.
        """
        run = self.run
        turns = self._tools.journal.turns(run.run_no, first=run.turn_no, limit=SLICE, crc=run.crc)
        if turns and self.failed is None:
            try:
                if self.execution is None:
                    self.execution = self._begin(decode_message(turns[0].message))
                if self.execution is not None:
                    self._replay(self.execution, turns, owner)
            except TurnExceeded as error:
                self.failed = overdue(self._tools.deadline, error, self._tools.turn_seconds)
            except Exception as error:
                # The outermost step of a replay: the code may be any.
                self.failed = error
        if turns and (self.failed is not None or self.execution is None):
            self.failed_at = run.turn_no if self.failed_at < 0 else self.failed_at
            for turn in turns[run.turn_no - turns[0].turn_no :]:
                self._note(turn, *decode_turn(turn))
        return len(turns) < SLICE

    def _begin(self, message: Message) -> Execution | None:
        """The execution that a history begins with; None if the run was ended before it had begun."""
        if isinstance(message, (RunReset, RunTerminated, RunTimedOut)):
            return None
        execution = begin_execution(self._tools, message)
        header = self.run.header
        if execution.started.run_id != header.run_id:
            execution.known_as = RunReference(header.workflow_id, header.run_id)
        return execution

    def _replay(self, execution: Execution, turns: list[Turn], owner: Owner) -> None:
        deadline = self._tools.deadline
        with execution.at_work():
            for turn in turns:
                message, commands = decode_turn(turn)
                deadline.begin(owner, self)
                try:
                    execution.replay(message, turn.time_ns, commands)
                    execution.history_size += len(turn.message) + len(turn.commands)
                finally:
                    # Before anything is noted: the thread may have been left behind.
                    deadline.end()
                self._note(turn, message, commands)

    def _note(self, turn: Turn, message: Message, commands: list[Command]) -> None:
        run = self.run
        run.note(message, commands, turn.time_ns)
        run.turn_no, run.crc, run.last_ns = turn.turn_no + 1, turn.crc, turn.time_ns

    def take_up(self) -> list[Delivery]:
        """The end of the history is reached: timers are armed, activities go on.

        Returns:
            The mail that waited on disk, oldest first.
        """
        run, tools = self.run, self._tools
        run.knows_its_end = True
        stopped_at = run.header.stopped_at
        if run.status is WorkflowExecutionStatus.SUSPENDED or run.header.note:
            running = int(WorkflowExecutionStatus.RUNNING)
            put_header(tools.sweep, run, run.header._replace(status=running, note=""))
        if not run.is_active:
            # It was suspended, or its mark was damaged.
            tools.sweep.batch.clear_active(run.run_no)
        for item, at_ns in run.timers.items():
            tools.timekeeper.arm(run.run_no, DueKind.TIMER, item, at_ns)
        if run.delayed:
            arm_delayed(tools, run)
        # What it stopped at was there before all else that waits, though its row came later.
        first_of_all = sorted(self._mail, key=lambda mail: mail.seq != stopped_at)
        mail = [Delivery(decode_message(mail.message), seq=mail.seq) for mail in first_of_all]
        over = {each.message.id for each in mail if isinstance(each.message, (ActivityCompleted, ActivityFailed))}
        rows = {row.item: row for row in self.attempts}
        for item, (command, scheduled_ns) in run.activities.items():
            # One whose outcome waits on disk is over, though the history does not say so yet.
            if item not in over:
                tools.attempts.recover(
                    run.owner, command, scheduled_ns, rows.get(item), is_cancelling=item in run.cancelling
                )
        return mail
