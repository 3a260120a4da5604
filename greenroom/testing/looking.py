"""How a run stands, seen without a turn: nothing is driven, written or brought back for it."""

from __future__ import annotations

from datetime import datetime

from ..runtime.core.messages import Message
from ..runtime.model.description import WorkflowExecutionDescription
from ..runtime.model.ids import run_no_of
from ..runtime.shell.describing import describe
from ..runtime.shell.encoding import decode_turn
from ..runtime.shell.hands import Hands
from ..runtime.shell.run_state import RunState
from ..runtime.shell.standing import Standing
from ..runtime.shell.starting import StartRequest
from ..runtime.shell.targets import Target
from ..storage import RunHeader
from .recorded import turns_of
from .standings import Standings

__all__ = ["account_of"]

_NOT_IN_MEMORY = (Standing.DORMANT, Standing.REPLAYING)


def account_of(hands: Hands, now: datetime) -> list[str]:
    """How all runs stand, in a line each for people.

    Args:
        hands: of an open runtime, between two sweeps.
        now: what time it is.
    """
    look = _Look(hands)
    lines = Standings(hands.journal, look.describe, now, hands.converter).all_runs()
    return lines if not look.starts else [*lines, f"starts that nothing has driven yet: {look.starts}"]


class _Look:
    """One look at the runs of an open runtime, between two sweeps.

    Args:
        hands: of that runtime.

    Attributes:
        starts: how many starts were asked for that no sweep has heard of yet.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._actors = {actor.run.run_no: actor for actor in hands.directory.residents()}
        requests = hands.desk.unheard()
        self.starts = sum(isinstance(arguments[0], StartRequest) for arguments in requests)
        # For whom the messages are that no sweep has heard of.
        self._unheard: list[Target] = [
            args[0] for args in requests if any(isinstance(each, Message) for each in args[1:])
        ]

    def describe(self, header: RunHeader) -> WorkflowExecutionDescription:
        """What is known of a run. Signals that nothing has taken are told only if it is in memory: its code has them.

        Raises:
            StorageError: the journal cannot be read.
            ValueError: it has what this release does not know.
        """
        run_no = run_no_of(header.run_id) or 0
        actor, untaken = self._actors.get(run_no), self._untaken(run_no, header)
        if actor is None or actor.standing in _NOT_IN_MEMORY:
            return self._read(run_no, header, untaken)
        return actor.describe(untaken)

    def _read(self, run_no: int, header: RunHeader, untaken: int) -> WorkflowExecutionDescription:
        """The same by what the journal alone has."""
        journal = self._hands.journal
        run = RunState(run_no, header, is_stored=True)
        items = journal.items(run_no)
        run.load(items)
        for turn in turns_of(journal, run_no):
            run.note(*decode_turn(turn), turn.time_ns)
            run.turn_no = turn.turn_no + 1
        hands = self._hands
        return describe(run, hands.attempts, hands.converter, journal, rows=items.attempts, waiting_messages=untaken)

    def _untaken(self, run_no: int, header: RunHeader) -> int:
        """How many messages it has not taken: those of its mailbox, and those that nobody has put there yet."""
        actor, journal = self._actors.get(run_no), self._hands.journal
        in_memory = 0 if actor is None else actor.actor_inbox.waiting_mail
        # What waits on disk waits in memory too while a run is awake.
        in_mailbox = max(in_memory, len(journal.items(run_no).mail))
        is_current = journal.current_run(header.workflow_id) in (run_no, None)

        def is_meant(target: Target) -> bool:
            is_run = target.run_id == header.run_id or (is_current and not target.run_id)
            return is_run and target.workflow_id == header.workflow_id

        return in_mailbox + sum(map(is_meant, self._unheard))
