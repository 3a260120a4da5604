"""Counts every signal between the two players in a journal: each was sent once, heard once, and in order, whatever runs
of a chain it has gone through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from greenroom.runtime.core.commands import SignalExternal
from greenroom.runtime.core.messages import ExternalSignalResolved, SignalReceived, WorkflowStarted
from greenroom.runtime.model.ids import run_no_of
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.storage import Journal
from tests.crash.runs import Run, message_of, read_run, run_numbers

from .players import FOLLOWER, LEADER, Game

__all__ = ["Chain", "count", "turns_of"]

_converter = Converter()


class Chain(NamedTuple):
    """What a player's runs have done together.

    Args:
        runs: how many there are.
        turns: how many turns they have.
        carried: how many signals were handed on unread from one run to the next.
        findings: what is lost, doubled or out of order.
    """

    runs: int
    turns: int
    carried: int
    findings: list[str]


def turns_of(journal: Journal) -> int:
    """How many turns a journal has."""
    turns = 0
    for run_no in run_numbers(journal):
        header = journal.header(run_no)
        assert header is not None
        if header.closed_ns is not None:
            turns += header.turns
        else:
            turns += sum(1 for _ in _turns(journal, run_no))
    return turns


def _turns(journal: Journal, run_no: int) -> Iterator[object]:
    first = 0
    while turns := journal.turns(run_no, first=first):
        yield from turns
        first += len(turns)


def count(journal: Journal) -> dict[str, Chain]:
    """Count what each player has sent and heard; the players need not be done."""
    chains = {name: _Counter(journal, name).chain() for name in (LEADER, FOLLOWER)}
    known, there = sum(chain.runs for chain in chains.values()), sum(1 for _ in run_numbers(journal))
    if known != there:
        chains[LEADER].findings.append(f"the chains have {known} runs and the journal has {there}")
    if letters := journal.dead_letters():
        chains[LEADER].findings.append(f"there are dead letters: {letters[:3]}")
    return chains


class _Counter:
    """Walks one chain from its first run to its last."""

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal = journal
        self._name = name
        self._found: list[str] = []
        self._heard = self._sent = self._carried = 0
        self._unread: list[int] = []

    def chain(self) -> Chain:
        """Walk, and say what was found."""
        runs = turns = 0
        run_no = self._first()
        while run_no is not None:
            run = read_run(self._journal, run_no)
            runs, turns = runs + 1, turns + len(run.steps)
            run_no = run_no_of(decode_facts(run.header.facts).next_run_id)
            self._visit(run, is_last=run_no is None)
        return Chain(runs, turns, self._carried, self._found)

    def _first(self) -> int | None:
        current = self._journal.current_run(self._name)
        header = None if current is None else self._journal.header(current)
        if header is None:
            self._found.append(f"there is no {self._name}")
            return None
        return run_no_of(header.first_run_id)

    def _visit(self, run: Run, *, is_last: bool) -> None:
        told = [_number(step.message.args) for step in run.steps if isinstance(step.message, SignalReceived)]
        mail = [message_of(mail.message) for mail in run.items.mail]
        waiting = [_number(message.args) for message in mail if isinstance(message, SignalReceived)]
        if told + waiting != [*range(self._heard, self._heard + len(told) + len(waiting))]:
            self._say(run, f"it was sent {_short(told + waiting)} and {self._heard} is the next one to hear")
        if (told + waiting)[: len(self._unread)] != self._unread:
            self._say(run, f"the run before had {self._unread} unread, and it was sent {_short(told + waiting)}")
        commands = [command for step in run.steps for command in step.commands]
        sent = [_number(command.args) for command in commands if isinstance(command, SignalExternal)]
        if sent != [*range(self._sent, self._sent + len(sent))]:
            self._say(run, f"it has sent {_short(sent)} and {self._sent} is the next one to send")
        messages = [step.message for step in run.steps] + mail
        resolved = [message for message in messages if isinstance(message, ExternalSignalResolved)]
        if any(each.failure is not None for each in resolved) or len(resolved) != len(sent):
            self._say(run, f"it has sent {len(sent)} signals, and hears of {len(resolved)}: {resolved[-1:]}")
        self._sent += len(sent)
        if not is_last:
            self._go_on(run, told)
        elif run.status is WorkflowExecutionStatus.COMPLETED:
            self._end(run, told)
        elif not run.status.is_open or run.status is WorkflowExecutionStatus.SUSPENDED:
            self._say(run, f"it is {run.status}: {run.header.note}")

    def _go_on(self, run: Run, told: list[int]) -> None:
        """What the run that goes on is to know is what this one has done; what it has not read is handed on."""
        successor = run_no_of(decode_facts(run.header.facts).next_run_id)
        game = None if successor is None else self._game(successor)
        if run.items.mail:
            self._say(run, f"it has ended, and {len(run.items.mail)} messages wait for it")
        if game is None or game.sent != self._sent:
            self._say(run, f"it goes on as {game}, and has sent {self._sent}")
        if game is not None:
            self._unread = told[game.heard - self._heard :]
            self._carried += len(self._unread)
            self._heard = game.heard

    def _game(self, run_no: int) -> Game | None:
        turns = self._journal.turns(run_no, limit=1)
        mail = self._journal.mail(run_no, limit=1)
        first = message_of((turns or mail)[0].message)
        if not isinstance(first, WorkflowStarted):
            return None
        game: Game = _converter.decode_args(first.args, (Game,))[0]
        return game

    def _end(self, run: Run, told: list[int]) -> None:
        if run.items.mail:
            self._say(run, f"it has ended, and {len(run.items.mail)} messages wait for it")
        if self._heard + len(told) != self._sent:
            self._say(run, f"it has heard {self._heard + len(told)} and sent {self._sent}")

    def _say(self, run: Run, what: str) -> None:
        self._found.append(f"{run.name}: {what}")


def _number(args: bytes) -> int:
    number: int = _converter.decode_args(args, (int,))[0]
    return number


def _short(numbers: list[int]) -> str:
    return str(numbers) if len(numbers) < 12 else f"{numbers[:5]}...{numbers[-5:]}"
