"""How the runs of a journal ended, in a form in which a run that crashed can be held against one that did not."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ..runtime.core.commands import Command, kind_of
from ..runtime.core.messages import (
    ActivityCompleted,
    ActivityFailed,
    ExternalSignalResolved,
    Message,
    SignalReceived,
    TimerFired,
    WorkflowStarted,
)
from .recorded import RecordedRun

__all__ = ["Ending", "differences", "ending_of"]

Fact = tuple[object, ...]


class Ending(NamedTuple):
    """How one run ended.

    Attributes:
        status: its status.
        outcome: its result as bytes; the kind and message of its failure.
        taken: what it was told, as often as it was told. Times and numbers of attempts are left out.
        from_clients: the signals of clients, each counted once: a client that crashes before it is answered asks again.
        asked: what it asked for.
    """

    status: int
    outcome: object
    taken: Counter[Fact]
    from_clients: frozenset[Fact]
    asked: Counter[Fact]


def ending_of(run: RecordedRun) -> Ending:
    """What is worth comparing of a run."""
    messages = run.messages()
    taken = [message for message in messages if not _is_from_client(message)]
    return Ending(
        run.header.status,
        _outcome(run),
        Counter(map(_message, taken)),
        frozenset(_message(message) for message in messages if _is_from_client(message)),
        Counter(_command(command) for commands in run.commands() for command in commands),
    )


def differences(runs: dict[str, Ending], expected: dict[str, Ending]) -> list[str]:
    """What is different, one line each.

    Args:
        runs: workflow id → ending.
        expected: the same of the run that did not crash.
    """
    found = [f"workflow {each!r} is missing" for each in expected if each not in runs]
    found += [f"workflow {each!r} should not be there" for each in runs if each not in expected]
    for workflow_id, ending in runs.items():
        if workflow_id in expected and ending != expected[workflow_id]:
            found += _differing_fields(workflow_id, ending, expected[workflow_id])
    return found


def _differing_fields(workflow_id: str, ending: Ending, expected: Ending) -> list[str]:
    pairs: list[tuple[str, object, object]] = [
        ("status", ending.status, expected.status),
        ("outcome", ending.outcome, expected.outcome),
        ("taken", ending.taken - expected.taken, expected.taken - ending.taken),
        ("from clients", ending.from_clients, expected.from_clients),
        ("asked", ending.asked - expected.asked, expected.asked - ending.asked),
    ]
    return [
        f"{name} of workflow {workflow_id!r}: {got!r}, not {wanted!r}" for name, got, wanted in pairs if got != wanted
    ]


def _outcome(run: RecordedRun) -> object:
    last = run.commands()[-1] if run.turns else []
    return tuple(_command(command) for command in last)


def _is_from_client(message: Message) -> bool:
    return isinstance(message, SignalReceived) and not message.sender


def _message(message: Message) -> Fact:
    kind = str(message.__struct_config__.tag)
    match message:
        case ActivityCompleted(id=number, result=result):
            return kind, number, result
        case ActivityFailed(id=number):
            return kind, number
        case TimerFired(id=number):
            return kind, number
        case ExternalSignalResolved(id=number, failure=failure):
            return kind, number, failure is None
        case SignalReceived(name=name, args=args, sender=sender):
            return kind, name, args, sender
        case WorkflowStarted(workflow_type=name, args=args):
            return kind, name, args
        case _:
            return (kind,)


def _command(command: Command) -> Fact:
    return kind_of(command), command.id, command.name
