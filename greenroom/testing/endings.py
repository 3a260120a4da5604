"""How the runs of a journal ended, in a form in which a run that crashed can be held against one that did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..runtime.core.commands import Command, kind_of
from ..runtime.core.messages import (
    ActivityCompleted,
    ActivityFailed,
    ExternalSignalResolved,
    Message,
    SignalReceived,
    SignalReceivedFrom,
    SignalReceivedOnce,
    TimerFired,
    UpdateReceived,
    WorkflowStarted,
)
from ..runtime.model.options import WorkflowExecutionStatus
from ..runtime.shell.outcomes import Outcome
from .payload_text import payload_text
from .recorded import RecordedRun

__all__ = ["Ending", "differences", "endings_of"]

Fact = tuple[object, ...]


class Ending(NamedTuple):
    """How one run ended.

    Attributes:
        status: its status.
        result: what it returned, as a payload; None if it did not, or if results are not compared.
        failure: the type and the message of what it failed with, without causes; None if it did not.
        taken: what it was told, as often as it was told. Times, numbers of attempts and ids of updates are left out.
        from_clients: the signals of clients, each counted once: a client that crashes before it is answered asks again.
        asked: what it asked for: kinds, numbers and names.
    """

    status: int
    result: bytes | None
    failure: str | None
    taken: dict[Fact, int]
    from_clients: frozenset[Fact]
    asked: dict[Fact, int]


def endings_of(runs: Iterable[RecordedRun], *, with_results: bool = True) -> dict[str, Ending]:
    """How every run ended: workflow id → ending. Of an id that had several runs the second is called ``id (run 2)``.

    Args:
        runs: the oldest first.
        with_results: whether what they returned is worth comparing.
    """
    seen: Counter[str] = Counter()
    endings: dict[str, Ending] = {}
    for run in runs:
        workflow_id = run.header.workflow_id
        seen[workflow_id] += 1
        name = workflow_id if seen[workflow_id] == 1 else f"{workflow_id} (run {seen[workflow_id]})"
        endings[name] = _ending_of(run, with_results)
    return endings


def _ending_of(run: RecordedRun, with_results: bool) -> Ending:
    header = run.header
    outcome = Outcome.decode(header.outcome) if header.outcome else None
    failure = None if outcome is None else outcome.failure
    taken: dict[Fact, int] = {}
    from_clients: set[Fact] = set()
    for message in run.messages():
        fact = _message(message)
        if isinstance(message, SignalReceived) and not message.sender:
            from_clients.add(fact)
        else:
            taken[fact] = taken.get(fact, 0) + 1
    asked: dict[Fact, int] = {}
    for commands in run.commands():
        for command in commands:
            fact = _command(command)
            asked[fact] = asked.get(fact, 0) + 1
    return Ending(
        header.status,
        outcome.result if outcome is not None and failure is None and with_results else None,
        None if failure is None else failure.headline,
        taken,
        frozenset(from_clients),
        asked,
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
    name = f"workflow {workflow_id!r}"
    found = [
        f"{name} {verb} {got}, not {wanted} as without a crash"
        for verb, got, wanted in (
            ("is", _status(ending), _status(expected)),
            ("returned", _result(ending), _result(expected)),
            ("failed with", ending.failure, expected.failure),
        )
        if got != wanted
    ]
    pairs: list[tuple[str, Counter[Fact], Counter[Fact]]] = [
        ("was told", Counter(ending.taken), Counter(expected.taken)),
        ("was told", Counter(ending.from_clients), Counter(expected.from_clients)),
        ("asked for", Counter(ending.asked), Counter(expected.asked)),
    ]
    for verb, after, without in pairs:
        found += [f"{name} {verb} more than without a crash: {_told(fact, n)}" for fact, n in (after - without).items()]
        found += [f"{name} {verb} less than without a crash: {_told(fact, n)}" for fact, n in (without - after).items()]
    found += [
        f"  {hint}" for kind, hint in _HINTS.items() if any(fact[0] == kind for fact in pairs[0][1] - pairs[0][2])
    ]
    return found


# What a client does again when it is called again, and how the run would know.
_HINTS = {
    "update": "an update that the scenario sends again after the crash is another one, unless it has an id: "
    "execute_update(…, id=…); an id is that of one run, so that after the run has gone on as new it is another one all "
    "the same: let the workflow carry the ids that it has taken",
}


def _status(ending: Ending) -> str:
    return WorkflowExecutionStatus(ending.status).name


def _result(ending: Ending) -> str | None:
    return None if ending.result is None else payload_text(ending.result)


def _told(fact: Fact, times: int) -> str:
    kind, *facts = fact
    parts = [payload_text(each) if isinstance(each, bytes) else str(each) for each in facts]
    return " ".join([str(kind), *filter(None, parts), *([f"({times} times)"] if times > 1 else [])])


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
    SignalReceivedFrom: lambda message: (message.name, message.args, message.sender),
    SignalReceivedOnce: lambda message: (message.name, message.args, message.key),
    UpdateReceived: lambda message: (message.name, message.args),
    WorkflowStarted: lambda message: (message.workflow_type, message.args),
}


def _command(command: Command) -> Fact:
    return kind_of(command), command.id, command.name
