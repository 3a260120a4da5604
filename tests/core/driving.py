"""Drives one run by hand: messages in, commands out; when its test is over, every prefix of that is replayed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from greenroom.runtime.core.changes import Activates
from greenroom.runtime.core.commands import (
    Command,
    CompleteWorkflow,
    FailWorkflow,
    RecordSideEffect,
    StartTimer,
    decode_commands,
    encode_commands,
)
from greenroom.runtime.core.execution import Execution
from greenroom.runtime.core.messages import (
    ActivityCompleted,
    ActivityFailed,
    Message,
    SignalReceived,
    TimerFired,
    WorkflowStarted,
    decode_message,
    encode_message,
)
from greenroom.runtime.core.origins import Origin
from greenroom.runtime.model.activity_definition import ActivityDefinition
from greenroom.runtime.model.definitions import DEFINITION, WorkflowDefinition
from greenroom.runtime.model.failure_reading import to_exception
from greenroom.runtime.model.failure_writing import to_failure
from greenroom.runtime.model.options import WorkflowOptions
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.registry import Registry

__all__ = ["Drive", "Turn", "definition_of"]

SECOND = 1_000_000_000
STARTED_NS = 1_750_000_000 * SECOND
C = TypeVar("C", bound=Command)


class Turn(NamedTuple):
    """A message and the commands it caused."""

    message: Message
    time_ns: int
    commands: list[Command]


def definition_of(target: Any) -> WorkflowDefinition:
    """The definition of a declared workflow."""
    definition = getattr(target, DEFINITION)
    assert isinstance(definition, WorkflowDefinition)
    return definition


class Drive:
    """A run and what was recorded of it.

    Args:
        target: the declared workflow.
        *args: its arguments.
        run_id: seeds its generator and its hashes.
        failure_types: exceptions that close it as failed, as a runtime is told.
        options: timeouts and the like.
        payload: the start's arguments as bytes, in place of ``args``.
        activities: all that are declared, if nobody has listed any.
        activates: asked before a new patch is taken.
        origin: where it comes from, if it is not simply a client's start.
    """

    def __init__(
        self,
        target: Any,
        *args: object,
        run_id: str = "run-1",
        failure_types: tuple[type[BaseException], ...] = (),
        options: WorkflowOptions | None = None,
        payload: bytes | None = None,
        activities: Registry[ActivityDefinition] | None = None,
        activates: Activates | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.converter = Converter()
        self.definition = definition_of(target)
        self.failure_types = failure_types
        self.activities = activities
        self.activates = activates
        self.turns: list[Turn] = []
        self.now_ns = STARTED_NS
        self.stubborn = 0
        self.is_replayed = True
        self.is_spoiled = False
        data = self.converter.encode_args(args) if payload is None else payload
        self.started = WorkflowStarted(
            self.definition.name, data, "flow-1", run_id, run_id, options or WorkflowOptions(), "3.11", 0, origin
        )
        self.execution = self.fresh()

    def fresh(self, target: Any = None) -> Execution:
        """Another execution of the same run, of changed code if ``target`` is given."""
        definition = self.definition if target is None else definition_of(target)
        return Execution(
            self.started, definition, self.converter, self.failure_types, self.activities, activates=self.activates
        )

    # What happens.

    def send(self, message: Message, *, after: float = 0) -> list[Command]:
        """Give a message, ``after`` seconds from the last one, and record the turn."""
        self.now_ns += round(after * SECOND)
        try:
            commands = self.execution.apply(message, self.now_ns)
        except BaseException:
            self.is_spoiled = True
            raise
        self.turns.append(Turn(message, self.now_ns, commands))
        return commands

    def signal(self, name: str, *args: object, payload: bytes | None = None) -> list[Command]:
        """A signal comes in."""
        data = self.converter.encode_args(args) if payload is None else payload
        return self.send(SignalReceived(name, data))

    def complete(self, number: int, result: object = None) -> list[Command]:
        """The activity of command ``number`` returned."""
        return self.send(ActivityCompleted(number, self.converter.encode(result)))

    def fail(self, number: int, error: BaseException) -> list[Command]:
        """The activity of command ``number`` failed for good."""
        return self.send(ActivityFailed(number, to_failure(error, self.converter)))

    def fire(self, number: int | None = None) -> list[Command]:
        """A timer is due: the one of command ``number``, or the earliest that is still wanted."""
        timers = {each.id: each.at_ns for each in self.all_of(StartTimer) if each.id in self.execution.timers}
        number = min(timers, key=lambda each: (timers[each], each)) if number is None else number
        self.now_ns = max(self.now_ns, timers.get(number, 0))
        return self.send(TimerFired(number))

    # What came of it.

    @property
    def last(self) -> list[Command]:
        """What the last turn asked for."""
        return self.turns[-1].commands

    def all_of(self, kind: type[C]) -> list[C]:
        """Every command of a kind so far."""
        return [each for turn in self.turns for each in turn.commands if isinstance(each, kind)]

    def names(self) -> list[str]:
        """What was asked for so far, by name."""
        return [each.name for turn in self.turns for each in turn.commands]

    @property
    def result(self) -> Any:
        """What the run returned."""
        command = self.execution.closing
        assert isinstance(command, CompleteWorkflow), command
        return self.converter.decode(command.result)

    @property
    def failure(self) -> BaseException:
        """What the run failed with."""
        command = self.execution.closing
        assert isinstance(command, FailWorkflow), command
        return to_exception(command.failure, self.converter)

    # Afterwards.

    def replayed(self, turns: list[Turn] | None = None, target: Any = None) -> Execution:
        """An execution that has replayed the recorded turns, as they come back from the journal."""
        execution = self.fresh(target)
        try:
            for message, time_ns, commands in self.turns if turns is None else turns:
                recorded = decode_commands(encode_commands(commands))
                execution.replay(decode_message(encode_message(message)), time_ns, recorded)
        except BaseException:
            self.put_away(execution)
            raise
        return execution

    def replay_prefixes(self) -> None:
        """Replay every prefix, then take the turn behind it live: it must be the one that was recorded."""
        for place in range(len(self.turns) + 1):
            execution = self.replayed(self.turns[:place])
            if place == len(self.turns):
                assert self.is_spoiled or facts(execution) == facts(self.execution)
            elif not any(isinstance(each, RecordSideEffect) for each in self.turns[place].commands):
                turn = self.turns[place]
                assert execution.apply(turn.message, turn.time_ns) == turn.commands
            self.put_away(execution)

    def put_away(self, execution: Execution) -> None:
        """Close an execution and count what would not end."""
        assert len(execution.close()) == self.stubborn

    def finish(self) -> None:
        """What a test does at its end: replay, close, close again."""
        if self.is_replayed and not self.execution.put_away:
            self.replay_prefixes()
        if not self.execution.put_away:
            self.put_away(self.execution)
        assert self.execution.close() == []


def facts(execution: Execution) -> dict[str, object]:
    """What must be equal in a run and its replay."""
    return {
        "closing": execution.closing,
        "closed": execution.is_closed,
        "pending": sorted(execution.pending),
        "timers": sorted(execution.timers),
        "unread": execution.unread_signals,
        "turns": execution.turns,
        "now": execution.now_ns(),
        "memo": execution.memo(),
        "attributes": execution.notes.attributes,
        "details": execution.current_details(),
    }


@contextmanager
def driving() -> Generator[Callable[..., Drive]]:
    """Drives that are finished at the end."""
    drives: list[Drive] = []

    def drive(target: Any, *args: object, start: bool = True, **options: Any) -> Drive:
        # Known before it runs: a start that raises must be put away too.
        made = Drive(target, *args, **options)
        drives.append(made)
        if start:
            made.send(made.started)
        return made

    yield drive
    for each in drives:
        each.finish()
