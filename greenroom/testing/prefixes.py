"""Replays every prefix of a history, and goes on from each one: the same messages must give the same commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..actors.dispatcher_threads import running_actors
from ..runtime.core.commands import Command, RecordSideEffect, encode_commands, kind_of
from ..runtime.core.execution import Execution
from ..runtime.core.messages import Message
from ..runtime.core.replay import compare
from ..runtime.model.failures import Failure
from ..runtime.shell.bringing_back import begin_execution
from ..runtime.shell.hands import Hands
from ..runtime.shell.mailed_actor import ENDS
from .payload_text import payload_text
from .recorded import RecordedRun
from .runtime import TestRuntime

__all__ = ["replay", "replay_every_prefix"]


def replay_every_prefix(runtime: TestRuntime) -> int:
    """Replay every prefix of every run that the runtime has recorded.

    After the prefix the run goes on live, as after a crash. What it asks for must be what is recorded, in all fields
    but the line of code that asks for it or that failed, which may move. (A turn that made side effects is replayed
    all the same: performed again, they need not give the same.)

    Returns:
        How many prefixes were replayed.

    Raises:
        NondeterminismError: the kind, the name or the number of a command differs.
        AssertionError: another field of a command differs.
    """
    count = 0
    for run in runtime.recorded():
        for length in range(len(run.turns) + 1):
            replay(run, runtime.hands, prefix=length)
            count += 1
    return count


def replay(run: RecordedRun, hands: Hands, *, prefix: int | None = None) -> None:
    """Replay a run, and go on live after the first turns of it.

    Args:
        run: what is recorded.
        hands: of a runtime that knows the run's workflow.
        prefix: how many turns are replayed before the run goes on live; None replays all of them, and looks at the
            kind, the number and the name of each command alone, as bringing back a run does.

    Raises:
        NondeterminismError, AssertionError: see ``replay_every_prefix``.
    """
    messages, recorded = run.messages(), run.commands()
    if not messages:
        return
    if isinstance(messages[0], ENDS):
        _check_end(run)
        return
    execution = begin_execution(hands.directory.tools, messages[0])
    # As on the dispatcher's thread: what would block there is refused here too.
    with running_actors():
        _replay(run, execution, messages, recorded, prefix)


def _replay(
    run: RecordedRun,
    execution: Execution,
    messages: list[Message],
    recorded: list[list[Command]],
    prefix: int | None,
) -> None:
    try:
        for turn, message, commands in zip(run.turns, messages, recorded, strict=True):
            if prefix is None or turn.turn_no < prefix or any(isinstance(each, RecordSideEffect) for each in commands):
                execution.replay(message, turn.time_ns, commands)
                produced: Sequence[Command] = execution.asked()
            else:
                produced = execution.apply(message, turn.time_ns)
                _compare_kinds(run, turn.turn_no, produced, commands)
            execution.history_size += len(turn.message) + len(turn.commands)
            if prefix is not None and encode_commands(produced) != turn.commands:
                _compare_fields(run, turn.turn_no, produced, commands, prefix)
    finally:
        execution.close()


def _compare_fields(
    run: RecordedRun, turn_no: int, produced: Sequence[Command], recorded: Sequence[Command], prefix: int
) -> None:
    differences = [
        f"\n  {kind_of(there)} {there.name!r} #{there.id} ({asked.site}): {difference}"
        for asked, there in zip(produced, recorded, strict=False)
        for difference in _differences(asked, there)
    ]
    if differences or len(produced) != len(recorded):
        # A deprecated patch may be there or not, and says so itself.
        listed = "".join(differences) or f"\n  recorded {list(recorded)}\n  produced {list(produced)}"
        raise AssertionError(
            f"turn {turn_no} of workflow {run.header.workflow_id!r} asked for something else after the "
            f"first {prefix} turns were replayed:{listed}"
        )


def _differences(asked: Command, there: Command) -> Iterator[str]:
    if type(asked) is not type(there):
        yield f"recorded {there}, produced {asked}"
        return
    for field in there.__struct_fields__:
        old, new = _without_lines(getattr(there, field)), _without_lines(getattr(asked, field))
        if field != "site" and old != new:
            yield f"{field} was recorded as {_shown(old)}, and is {_shown(new)}"


def _without_lines(value: object) -> object:
    return value.without_stack() if isinstance(value, Failure) else value


def _shown(value: object) -> str:
    return payload_text(value) if isinstance(value, bytes) else repr(value)


def _check_end(run: RecordedRun) -> None:
    """A run that was ended before it began has asked for nothing, and takes no other turn."""
    if len(run.turns) > 1 or any(run.commands()):
        raise AssertionError(f"workflow {run.header.workflow_id!r} was ended before it began, and has gone on")


def _compare_kinds(run: RecordedRun, turn_no: int, produced: Sequence[Command], recorded: Sequence[Command]) -> None:
    header = run.header
    compare(
        produced,
        recorded,
        workflow_id=header.workflow_id,
        run_id=header.run_id,
        turn_no=turn_no,
        recorded_python=header.python,
    )
