"""How a run stands, for people: from its actor while it is in memory, from its header once it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...storage import Attempt, DelayedMail, Journal, StorageError, Turn
from ..core.commands import ScheduleActivity, StartChild, StartTimer, decode_commands
from ..core.execution import Execution
from ..core.messages import SignalReceived, decode_message
from ..model.attribute_values import decode_attributes
from ..model.description import (
    DelayedSignal,
    PendingActivity,
    PendingChild,
    PendingTimer,
    WorkflowExecutionDescription,
)
from ..model.instants import instant
from ..model.memos import decode_memo
from ..model.options import WorkflowExecutionStatus, decode_workflow_options
from ..model.payload_converter import PayloadConverter
from ..model.run_facts import decode_facts
from ..model.search_attributes import typed_of
from .attempts import Attempts
from .encoding import decode_turn
from .flights import ActivityState
from .run_state import RunState
from .stopping import message_at, told

__all__ = ["describe"]


def describe(
    run: RunState,
    attempts: Attempts,
    converter: PayloadConverter,
    journal: Journal,
    *,
    execution: Execution | None = None,
    rows: Iterable[Attempt] = (),
    waiting_messages: int = 0,
    restarts: int = 0,
) -> WorkflowExecutionDescription:
    """What is known of a run.

    Args:
        execution: its code, if it is in memory.
        rows: what the journal says of its activities, if it could not be brought back.
    """
    header = run.header
    message = message_at(run)
    known = {row.item: row for row in rows}
    options, facts = decode_workflow_options(header.options), decode_facts(header.facts)
    summaries = _read_summaries(journal, run) if execution is None else execution.timer_summaries()
    seen = run if run.knows_its_end or run.is_closed else _read_pending(journal, run)
    return WorkflowExecutionDescription(
        id=header.workflow_id,
        run_id=header.run_id,
        workflow_type=header.workflow_type,
        status=WorkflowExecutionStatus(header.status),
        start_time=instant(header.started_ns),
        close_time=None if header.closed_ns is None else instant(header.closed_ns),
        deadline=None if header.deadline_ns is None else instant(header.deadline_ns),
        first_run_id=header.first_run_id,
        history_length=run.turn_no or header.turns,
        pending_activities=[
            _activity(command, scheduled_ns, attempts.state(run.run_no, item, known.get(item)))
            for item, (command, scheduled_ns) in sorted(seen.activities.items())
        ],
        pending_timers=[
            PendingTimer(str(item), instant(at_ns), summaries.get(item) or None)
            for item, at_ns in sorted(run.timers.items())
        ],
        pending_children=[
            _child(command, seen.child_runs.get(item)) for item, command in sorted(seen.children.items())
        ],
        waiting_messages=waiting_messages,
        buffered_signals=0 if execution is None else execution.unread_signals,
        suspended_error=header.note or None,
        stopped_at=None if message is None else told(message),
        restarts=restarts,
        python=header.python,
        first_turn_time=None if run.starts_ns is None else instant(run.starts_ns),
        memo={key: _shown(converter, payload) for key, payload in decode_memo(facts.memo).items()},
        typed_search_attributes=typed_of(decode_attributes(facts.attributes)),
        static_summary=options.summary,
        static_details=options.details,
        copied_from=facts.copied,
        request_id=facts.request_id or None,
        current_details=None if execution is None else execution.current_details() or None,
        delayed_signals=[_delayed(mail) for mail in sorted(run.delayed.values(), key=lambda mail: mail.at_ns)],
    )


def _read_summaries(journal: Journal, run: RunState) -> dict[int, str]:
    """Number of each pending timer → its line for people, as the history has it."""
    wanted, found = set(run.timers), dict[int, str]()

    def note(turn: Turn) -> bool:
        # To decode the others would take long if there are many.
        if _STARTS_TIMER in turn.commands:
            timers = [each for each in decode_commands(turn.commands) if isinstance(each, StartTimer)]
            found.update({timer.id: timer.name for timer in timers if timer.id in wanted})
            wanted.difference_update(found)
        return bool(wanted)

    if wanted:
        _read(journal, run, note)
    return found


_STARTS_TIMER = b"start-timer"


def _read_pending(journal: Journal, run: RunState) -> RunState:
    """What a run waits for that has not been brought back, as its history has it."""
    seen = RunState(run.run_no, run.header, is_stored=True)

    def note(turn: Turn) -> bool:
        seen.note(*decode_turn(turn), turn.time_ns)
        return True

    _read(journal, run, note)
    return seen


def _read(journal: Journal, run: RunState, note: Callable[[Turn], bool]) -> None:
    """Read a history as far as it can be read, and as long as ``note`` wants more."""
    first, crc = 0, 0
    try:
        while turns := journal.turns(run.run_no, first=first, crc=crc):
            if not all(map(note, turns)):
                return
            first, crc = turns[-1].turn_no + 1, turns[-1].crc
    except (StorageError, ValueError):
        # A run is described even where its history cannot be read.
        return


def _shown(converter: PayloadConverter, payload: bytes) -> object:
    try:
        return converter.decode(payload)
    except Exception:
        # A run is described even where one of its notes cannot be read here.
        return f"<{len(payload)} bytes that cannot be decoded>"


def _child(command: StartChild, run_id: str | None) -> PendingChild:
    policy = command.options.parent_close_policy
    return PendingChild(str(command.id), command.workflow_id, run_id, command.name, policy)


def _delayed(mail: DelayedMail) -> DelayedSignal:
    message, due = decode_message(mail.message), instant(mail.at_ns)
    if not isinstance(message, SignalReceived):
        return DelayedSignal(told(message), due)
    # Most kinds of signals have neither.
    key, identity = getattr(message, "key", ""), getattr(message, "identity", "")
    return DelayedSignal(message.name, due, message.sender or None, key or None, identity or None)


def _activity(command: ScheduleActivity, scheduled_ns: int, state: ActivityState) -> PendingActivity:
    return PendingActivity(
        activity_id=str(command.id),
        activity_type=command.name,
        attempt=state.attempt,
        is_running=state.started_ns is not None,
        started_time=None if state.started_ns is None else instant(state.started_ns),
        next_attempt_time=None if state.next_ns is None else instant(state.next_ns),
        last_failure=None if state.last_failure is None else state.last_failure.headline,
        scheduled_time=instant(scheduled_ns),
        summary=command.options.summary,
    )
