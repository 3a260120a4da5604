"""Runs as the journal has them, decoded: no live runtime is asked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from greenroom.runtime.core.commands import Command, CompleteWorkflow, decode_commands
from greenroom.runtime.core.messages import Message, decode_message
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.shell.outcomes import Outcome
from greenroom.storage import Items, Journal, RunHeader, Tree
from greenroom.storage.keys import HEADER_KEY

__all__ = ["Run", "Step", "message_of", "outcome_text", "read_run", "read_runs", "result_of", "run_numbers", "token_of"]

SLICE = 1000

_converter = Converter()
message_of = lru_cache(100_000)(decode_message)
_commands = lru_cache(100_000)(decode_commands)


class Step(NamedTuple):
    """One turn, decoded."""

    time_ns: int
    message: Message
    commands: list[Command]


class Run(NamedTuple):
    """One run as the journal has it."""

    run_no: int
    header: RunHeader
    steps: list[Step]
    items: Items

    @property
    def name(self) -> str:
        """How a finding names it."""
        return f"run {self.run_no} ({self.header.workflow_id})"

    @property
    def status(self) -> WorkflowExecutionStatus:
        """Where it stands."""
        return WorkflowExecutionStatus(self.header.status)


def read_runs(journal: Journal) -> list[Run]:
    """Every run of a journal, whole; those of which only some rows are left to be deleted are there no more.

    Raises:
        StorageError, ValueError: something cannot be read.
    """
    left = set(journal.being_deleted(limit=1 << 30))
    return [read_run(journal, run_no) for run_no in run_numbers(journal) if run_no not in left]


def run_numbers(journal: Journal) -> Iterator[int]:
    """Jump from header to header."""
    start = b""
    while rows := journal.store.scan(Tree.RUNS, start, b"\xff" * 9, limit=1):
        run_no = int.from_bytes(rows[0][0][:8], "big")
        yield run_no
        start = HEADER_KEY.pack(run_no, 0xFF)


def read_run(journal: Journal, run_no: int) -> Run:
    """One run of a journal, whole.

    Raises:
        StorageError, ValueError: something cannot be read.
    """
    header = journal.header(run_no)
    if header is None:
        raise ValueError(f"run {run_no} has rows and no header")
    steps: list[Step] = []
    crc = None
    while True:
        turns = journal.turns(run_no, first=len(steps), limit=SLICE, crc=crc)
        for turn in turns:
            steps.append(Step(turn.time_ns, message_of(turn.message), _commands(turn.commands)))
            crc = turn.crc
        if len(turns) < SLICE:
            return Run(run_no, header, steps, journal.items(run_no))


def outcome_text(outcome: Outcome) -> str:
    """What was told of an update, as its clients write it down."""
    failure = outcome.failure
    return str(_converter.decode(outcome.result)) if failure is None else f"{failure.type}: {failure.message}"


def result_of(run: Run) -> Any:
    """What a run returned; None if it did not."""
    last = run.steps[-1].commands if run.steps else []
    return next((_converter.decode(each.result) for each in last if isinstance(each, CompleteWorkflow)), None)


def token_of(args: bytes) -> str:
    """The token is the last argument of every message."""
    token: str = _converter.decode_args(args, None)[-1]
    return token
