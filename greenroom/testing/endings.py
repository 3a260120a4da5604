"""How the runs of a journal ended, in a form in which a run that crashed can be held against one that did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

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
    taken: dict[Fact, int]
    from_clients: frozenset[Fact]
    asked: dict[Fact, int]


def ending_of(run: RecordedRun) -> Ending:
    """What is worth comparing of a run."""
    messages = run.messages()
    taken = [message for message in messages if not _is_from_client(message)]
    return Ending(
        run.header.status,
        _outcome(run),
        dict(Counter(map(_message, taken))),
        frozenset(_message(message) for message in messages if _is_from_client(message)),
        dict(Counter(_command(command) for commands in run.commands() for command in commands)),
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
        ("taken", *_apart(ending.taken, expected.taken)),
        ("from clients", ending.from_clients, expected.from_clients),
        ("asked", *_apart(ending.asked, expected.asked)),
    ]
    return [
        f"{name} of workflow {workflow_id!r}: {got!r}, not {wanted!r}" for name, got, wanted in pairs if got != wanted
    ]


def _apart(counts: dict[Fact, int], others: dict[Fact, int]) -> tuple[Counter[Fact], Counter[Fact]]:
    return Counter(counts) - Counter(others), Counter(others) - Counter(counts)


def _outcome(run: RecordedRun) -> object:
    last = run.commands()[-1] if run.turns else []
    return tuple(_command(command) for command in last)


def _is_from_client(message: Message) -> bool:
    return isinstance(message, SignalReceived) and not message.sender


def _message(message: Message) -> Fact:
    kind = str(message.__struct_config__.tag)
    told = _TOLD.get(type(message))
    return (kind,) if told is None else (kind, *told(message))


_TOLD: dict[type[Message], Callable[[Any], Fact]] = {
    ActivityCompleted: lambda message: (message.id, message.result),
    ActivityFailed: lambda message: (message.id,),
    TimerFired: lambda message: (message.id,),
    ExternalSignalResolved: lambda message: (message.id, message.failure is None),
    SignalReceived: lambda message: (message.name, message.args, message.sender),
    WorkflowStarted: lambda message: (message.workflow_type, message.args),
}


def _command(command: Command) -> Fact:
    return kind_of(command), command.id, command.name
